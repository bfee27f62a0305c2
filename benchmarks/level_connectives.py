"""Make the keep rates of the connective labeler: python benchmarks/level_connectives.py FILE...

Writes the columns `keep` and `keep_dialogue` (and `keep_inside`, for connectives within a sentence) of
labelers/lexicons/connectives.tsv, the largest rates with which no form is above CAP (CAP_INSIDE) of the labelled rows
of any file, and labelers/lexicons/connective_pairs.tsv, with which pairs without a connective are SHARE of the rows and
as long, as often quoted and as often in dialogues as the others. The shares of a FILE count if it has ENOUGH labelled
rows. A FILE is `.txt` with a document per line, or `.jsonl` with `text` or `turns`. Needs scikit-learn.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from labelers.connective import LEAST_PROBABLE, race
from labelers.draws import Draws
from labelers.language.between import segment_pairs
from labelers.language.candidates import Candidates, pair_counts, surviving
from labelers.language.forms import lexicon
from labelers.language.inside import inside_candidates
from labelers.passages import PassageBatch
from labelers.text.document import Document, Turn
from labelers.text.segmenter import Segmenter

CAP, SHARE = np.array([[0.094], [0.085]]), 1 / 6  # CAP of prose, and of dialogues: fewer rows scatter more
CAP_INSIDE = 0.2  # fewer forms link the clauses of plain sentences
ROUNDS, REFITS, ENOUGH = 30, 3, 500
BUCKETS: Mapping[str, tuple[int, ...]] = {
    "first": (0, 6, 9, 12, 16, 21, 27, 35),
    "second": (0, 5, 7, 9, 12, 16, 21, 27, 35),
    "quoted_first": (0, 1),
    "quoted_second": (0, 1),
    "dialogue": (0, 1),
}
LEXICONS = Path(__file__).parents[1] / "labelers" / "lexicons"
HEADER = """\
# How often adjacent segments of which the second opens with no connective form are used: the product of one factor per
# count, that of the last line whose `least` is not above it. Made by benchmarks/level_connectives.py."""

Counts = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Input:
    """The passages of one dataset and the pairs of arguments that they offer."""

    batch: PassageBatch
    found: Candidates
    """Those whose connective would not survive elsewhere."""
    buckets: Floats
    """[C, buckets]: 0/1."""

    kind: int
    """The row of the rates that counts: 0 for prose, 1 for dialogues, 0 for both within sentences."""

    @classmethod
    def of(cls, batch: PassageBatch, *, inside: bool) -> "Input":
        """Find the pairs of a batch."""
        found = (inside_candidates if inside else segment_pairs)(batch, LEAST_PROBABLE, 0.0)
        found = found.take(~surviving(batch, found))
        return cls(batch, found, one_hot(pair_counts(batch, found)), int(len(batch.turns) > 0 and not inside))

    def used(self, rates: Floats, weights: Floats, seed: int) -> npt.NDArray[np.int64]:
        """Return the indices of the pairs that the rows use with these rates."""
        own = rates[self.kind][self.found.form]
        rate = np.where(self.found.form >= 0, own, np.exp(self.buckets @ weights))
        index = np.arange(len(rate))
        # the partner is of no use here, so that it can carry the number of the pair through the race
        numbered = replace(self.found, rate=np.clip(rate, 1e-9, 1.0), partner=index)
        chosen, _ = race(self.batch, numbered, Draws(seed, "connective", 0), "pair")
        return chosen.partner.astype(np.int64)


def one_hot(counts: Counts) -> Floats:
    """Return the 0/1 matrix [C, buckets of all counts]."""
    parts = [np.eye(len(b))[np.searchsorted(b, counts[name], side="right") - 1] for name, b in BUCKETS.items()]
    return np.concatenate(parts, axis=1)


def level(inputs: Sequence[Input], rates: Floats, weights: Floats, cap: Floats | float = CAP) -> tuple[Floats, Floats]:
    """Correct the rate of every form, and of prose and dialogues without one, by its share of the rows, some times."""
    rates, weights = rates.copy(), weights.copy()
    for seed in range(ROUNDS):
        step = 1 / (1 + seed / 4)
        highest, unmarked, rows = np.full(rates.shape, 1e-4), np.zeros(2), np.zeros(2)
        for part in inputs:
            form = part.found.form[part.used(rates, weights, seed)]
            if len(form) >= ENOUGH:
                share = np.bincount(form + 1, minlength=rates.shape[1] + 1) / len(form)
                highest[part.kind] = np.maximum(highest[part.kind], share[1:])
                unmarked[part.kind] += (form < 0).sum()
                rows[part.kind] += len(form)
        weights[-2:] += step * np.log(SHARE * np.maximum(rows, 1) / np.maximum(unmarked, 1))
        rates = np.minimum(1.0, rates * (cap / highest) ** step)
    return rates, weights


def match_kinds(inputs: Sequence[Input], rates: Floats, weights: Floats) -> Floats:
    """Return weights with which unmarked pairs fall into the buckets as marked ones do (logistic regression)."""
    x, y = [], []
    for part in inputs:
        used = part.used(rates, weights, ROUNDS)
        for kind, which in ((1, used[part.found.form[used] >= 0]), (0, np.flatnonzero(part.found.form < 0))):
            x.append(part.buckets[which])
            y.append(np.full(len(which), kind))
    fitted: Floats = (
        LogisticRegression(C=10.0, max_iter=1000).fit(np.concatenate(x)[:, :-2], np.concatenate(y)).coef_[0]
    )
    out: Floats = np.concatenate([fitted, weights[-2:]])
    return out


def make(batches: Sequence[PassageBatch]) -> tuple[Floats, Floats]:
    """Return (rates [prose and dialogue, forms], log factor per bucket) of pairs of segments."""
    inputs = [Input.of(batch, inside=False) for batch in batches]
    weights = np.zeros(sum(map(len, BUCKETS.values())))
    weights[-2:] = np.log(0.03)
    rates = np.ones((2, len(lexicon().forms)))
    for _ in range(REFITS):
        rates, weights = level(inputs, rates, weights)
        weights = match_kinds(inputs, rates, weights)
    return level(inputs, rates, weights)


def make_inside(batches: Sequence[PassageBatch]) -> Floats:
    """Return the rates [forms] of pairs of clauses."""
    inputs = [Input.of(batch, inside=True) for batch in batches]
    blank = np.zeros(sum(map(len, BUCKETS.values())))
    own: Floats = level(inputs, np.ones((2, len(lexicon().forms))), blank, CAP_INSIDE)[0][0]
    return own


def write_forms(**columns: Floats) -> None:
    """Write rates into their columns of the lexicon, where the form is a class."""
    path = LEXICONS / "connectives.tsv"
    lines = path.read_text("utf-8").splitlines()
    top = next(i for i, line in enumerate(lines) if not line.startswith("# "))
    header = lines[top].split("\t")
    for i, line in enumerate(lines[top + 1 :]):
        cells = line.split("\t")
        for name, rates in columns.items():
            at = header.index(name)
            cells[at] = f"{rates[i]:.2g}" if cells[at] else ""
        lines[top + 1 + i] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def write_pairs(weights: Floats) -> None:
    """Write the factor of each bucket."""
    keys = [(name, least) for name, buckets in BUCKETS.items() for least in buckets]
    lines = [f"{name}\t{least}\t{np.exp(weight):.3g}" for (name, least), weight in zip(keys, weights, strict=True)]
    text = "\n".join([HEADER, "count\tleast\tfactor", *lines]) + "\n"
    (LEXICONS / "connective_pairs.tsv").write_text(text, "utf-8")


def documents(path: Path) -> Iterator[Document]:
    """Return the documents of a file."""
    for number, line in enumerate(path.read_text("utf-8").splitlines()):
        record: dict[str, Any] = json.loads(line) if path.suffix == ".jsonl" else {"text": line}
        turns = tuple(Turn(turn["role"], turn["text"]) for turn in record.get("turns", ())) or None
        yield Document(f"{path.name}:{number}", record.get("text", ""), turns=turns)


def main(paths: Sequence[str]) -> None:
    """Read the files, make the rates and write them."""
    batches = [Segmenter().segment(list(documents(Path(path))))[0] for path in paths]
    (prose, dialogue), weights = make(batches)
    write_forms(keep=prose, keep_dialogue=dialogue, keep_inside=make_inside(batches))
    write_pairs(weights)


if __name__ == "__main__":
    main(sys.argv[1:])
