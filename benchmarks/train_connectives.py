"""Make labelers/lexicons/connective_weights.tsv: python benchmarks/train_connectives.py TRAIN.jsonl OUT.tsv.

TRAIN has one document per line, with `tokens` and `tags` (BIO of connectives). The threshold of
`labelers.language.discourse.THRESHOLD` is chosen by what this prints: precision and recall of each threshold,
cross-validated by document. Needs scikit-learn.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from connectives import read
from scipy.sparse import coo_matrix, csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from labelers.language.context_model import TEMPLATES, ContextModel, features, score
from labelers.language.discourse import barred
from labelers.language.matches import Matches, match
from labelers.passages import PassageBatch

HEADER = """\
# Weights of the context model of connectives: number of the template (labelers.language.context_model.TEMPLATES), its
# values (* is any other word), weight in the log odds. Made by benchmarks/train_connectives.py from the connective
# spans of the GUM corpus (https://gucorpling.org/gum; annotations CC BY 4.0; 151 train documents, those of reddit left
# out). Statistics of the annotation; no text of the corpus. Licence: CC BY 4.0."""
FOLDS = 5
COST = 0.2  # inverse strength of the L2 penalty, best of 0.03 to 3 in cross-validation
LEAST = 2  # a word, an ending or a feature counts from this many matches on
SMALL = 0.02  # weights below are dropped


def vocabulary_of(batch: PassageBatch, matches: Matches) -> ContextModel:
    """Return a model without weights that knows the words and endings seen near matches."""
    words: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    for start, end in zip(matches.start, matches.end, strict=True):
        for place in (start - 2, start - 1, end, end + 1):
            if 0 <= place < len(batch.codes):
                text = batch.vocabulary.texts[batch.codes[place]].lower()
                words[text] += 1
                endings[text[-3:]] += 1
    kept = [tuple(sorted(t for t, n in c.items() if n >= LEAST and "\t" not in t)) for c in (words, endings)]
    return ContextModel(kept[0], kept[1])


def design(batch: PassageBatch, matches: Matches, blank: ContextModel) -> list[csr_matrix]:
    """Return per template the 0/1 matrix of matches by keys."""
    seen = features(batch, matches, blank)
    out = []
    for template in TEMPLATES:
        key, size = seen.key(template)
        rows = np.arange(len(key))
        out.append(coo_matrix((np.ones(len(key)), (rows, key)), shape=(len(key), size)).tocsr())
    return out


def fit(x: csr_matrix, y: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], float]:
    """Return (weight per column, bias) of the logistic model; columns seen too rarely weigh nothing."""
    seen = np.asarray(x.sum(axis=0)).ravel()
    columns = np.flatnonzero(seen >= LEAST)
    model = LogisticRegression(C=COST, max_iter=300, solver="liblinear").fit(x[:, columns], y)
    weights = np.zeros(x.shape[1])
    weights[columns] = model.coef_[0]
    return np.where(np.abs(weights) < SMALL, 0, weights), float(model.intercept_[0])


def gold_of(matches: Matches, gold: set[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Return which matches are gold connectives."""
    return np.array([(int(s), int(e)) in gold for s, e in zip(matches.start, matches.end, strict=True)])


def main(source: str, out: str) -> None:
    """Cross-validate, print, fit on everything and write the table."""
    batch, gold = read(Path(source))
    matches = match(batch)
    y = gold_of(matches, gold)
    documents = batch.rows[matches.start]
    blank = vocabulary_of(batch, matches)
    parts = design(batch, matches, blank)
    x = hstack(parts).tocsr()
    odds = np.zeros(len(y))
    for fold in range(FOLDS):
        held = documents % FOLDS == fold
        weights, bias = fit(x[~held], y[~held])
        odds[held] = x[held] @ weights + bias
    odds = np.maximum(odds, score(batch, matches, replace(blank, bias=-np.inf)))  # what the rules add
    odds[barred(batch, matches)] = -np.inf
    for t in (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9):
        chosen = odds >= np.log(t / (1 - t))
        print(f"{t:.2f}  precision {y[chosen].mean():.3f}  recall {y[chosen].sum() / len(gold):.3f}")
    weights, bias = fit(x, y)
    write(Path(out), blank, parts, weights, bias)


def write(
    out: Path, blank: ContextModel, parts: list[csr_matrix], weights: npt.NDArray[np.float64], bias: float
) -> None:
    """Write the weights as a table."""
    names, sizes = blank.names(), blank.sizes
    lines = [
        *HEADER.splitlines(),
        f"bias\t{bias:.3f}",
    ]
    first = 0
    for number, template in enumerate(TEMPLATES):
        size = parts[number].shape[1]
        for key in np.flatnonzero(weights[first : first + size]):
            values, rest = [], int(key)
            for value in reversed(template):
                rest, which = divmod(rest, sizes[value])
                values.append(names[value.rstrip("+-1234")][which])
            lines.append("\t".join([str(number), *reversed(values), f"{weights[first + key]:.2f}"]))
        first += size
    out.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines)} lines, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
