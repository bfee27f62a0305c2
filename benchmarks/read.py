"""Rows to be read and judged: python benchmarks/read.py LABELER FILE... [--seed N] [--rows N] [--width N].

LABELER is paraphrase or masking. A FILE is text with a document per line, JSON lines with `text`, `tokens` or `turns`
(each a `role` and a `text`), or CoNLL-U, of which a document is a paragraph (`# newpar`). All files together are one
corpus: 2,048 of its documents, drawn by the seed, are the pool, and roles that stand in 5 % of them all are classes.

Of the rows with an exchange, or with something hidden that a task asks for, some are drawn by the seed and printed with
their ids: what was replaced and by what, `[old > new]`, with so many tokens around it and what the pair is called; or
the hidden words `[word]`, the hidden segment `{{ }}`, hidden roles `?`, target roles `*`, hidden role names `~word~`.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelers.edits import View, weave
from labelers.finding import load
from labelers.labeler import Corpus, Labeler, Proposal, Request
from labelers.passages import PassageBatch
from labelers.text.document import Document, Turn
from labelers.text.segmenter import Segmenter

POOL = 2048
SHARE = 0.05


def documents(path: Path) -> Iterator[Document]:
    """Yield the documents of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".conllu":
        lines = list(paragraphs(lines))
    for number, line in enumerate(lines):
        name = f"{path.name}:{number}"
        if path.suffix == ".jsonl":
            record = json.loads(line)
            turns = tuple(Turn(turn["role"], turn["text"]) for turn in record.get("turns", ()) if turn["text"].strip())
            tokens = tuple(record["tokens"]) if "tokens" in record else None
            yield Document(name, record.get("text", ""), tokens=tokens, turns=turns or None)
        elif line.strip():
            yield Document(name, line.strip())


def paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """Yield the sentences of each paragraph of CoNLL-U, joined by a space."""
    found: list[str] = []
    for line in [*lines, "# newpar"]:
        if line.startswith(("# newdoc", "# newpar")) and found:
            yield " ".join(found)
            found = []
        elif line.startswith("# text = "):
            found.append(line.removeprefix("# text = ").strip())


def findings(batch: PassageBatch, pool: PassageBatch) -> Corpus:
    """Return what a plan would find: the pool, and the roles of at least `SHARE` of the documents."""
    rows = np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))
    pairs = {(batch.documents[row], code) for row, code in zip(rows.tolist(), batch.roles.tolist(), strict=True)}
    count = Counter(code for _, code in pairs)
    enough = SHARE * len(set(batch.documents))
    roles = sorted(batch.vocabulary.texts[code] for code, many in count.items() if many >= enough)
    return Corpus(classes={"roles": tuple(roles)}, pool=pool)


def exchanges(batch: PassageBatch, proposal: Proposal, columns: dict[str, pa.Array], row: int, width: int) -> str:
    """Return each exchange of a row in its surroundings, and what the pair is called."""
    texts, edits = batch.vocabulary.texts, proposal.edits
    first, last = batch.offsets[row], batch.offsets[row + 1]

    def words(start: int, end: int) -> str:
        return " ".join(texts[code] for code in batch.codes[max(start, first) : min(end, last)])

    parts = []
    for edit in np.flatnonzero(edits.rows == row).tolist():
        start, end = int(edits.start[edit]), int(edits.end[edit])
        new = " ".join(texts[code] for code in edits.codes[edits.write_offsets[edit] : edits.write_offsets[edit + 1]])
        parts.append(f"{words(start - width, start)} [{words(start, end)} > {new}] {words(end, end + width)}")
    name = {None: "-", 0: "different", 1: "equivalent"}[columns["equivalent"][row].as_py()]
    return f"{name:10} | " + " || ".join(parts)


def hidden(batch: PassageBatch, labeler: Labeler, columns: dict[str, pa.Array], row: int) -> str:
    """Return the text of a row, what is hidden in it marked."""
    own = {name: values[row].as_py() for name, values in columns.items()}
    first, last = batch.offsets[row], batch.offsets[row + 1]
    turns = {}
    for number, turn in enumerate(range(batch.turn_offsets[row], batch.turn_offsets[row + 1])):
        mark = "?" * own["role_hidden"][number] + "*" * (own["role"][number] >= 0)
        turns[int(batch.segments[batch.turns[turn]])] = f"\n    {mark}{batch.vocabulary.texts[batch.roles[turn]]}:"
    span = own["segment"] or {"start": -1, "end": -1}
    parts = []
    for number, place in enumerate(range(first, last)):
        text = batch.vocabulary.texts[batch.codes[place]]
        text = f"[{text}]" if word_hidden(own, number, labeler) else text
        text = f"~{text}~" if own["role_words"][number] else text
        parts += [turns.get(place, ""), "{{" if number == span["start"] else "", text]
        parts += ["}}" if number == span["end"] - 1 else ""]
    return " ".join(filter(None, parts))


def word_hidden(own: dict[str, list[int]], number: int, labeler: Labeler) -> bool:
    """Return whether word prediction hides a token of a row."""
    rate: float = labeler.rate  # type: ignore[attr-defined]
    return own["draw"][number] < 256 * rate and not own["never"][number]


def asked(labeler: Labeler, proposal: Proposal, columns: dict[str, pa.Array]) -> list[int]:
    """Return the rows to draw from."""
    if labeler.name == "paraphrase":
        return np.flatnonzero(proposal.status == 0).tolist()
    found = []
    for row in np.flatnonzero(proposal.status < 2).tolist():  # noqa: PLR2004  (labelled)
        own = {name: values[row].as_py() for name, values in columns.items()}
        words = any(word_hidden(own, number, labeler) for number in range(len(own["draw"])))
        if words or own["segment"] or max(own["role"], default=-1) >= 0:
            found.append(row)
    return found


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labeler", choices=("paraphrase", "masking"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--width", type=int, default=12)
    options = parser.parse_args()
    labeler, random_ = load(options.labeler), random.Random(options.seed)  # noqa: S311  (a sample to read)
    corpus = [document for path in options.files for document in documents(path)]
    segmenter = Segmenter()
    batch = segmenter.segment(corpus)[0]
    pool = segmenter.segment(random_.sample(corpus, min(POOL, len(corpus))))[0]
    request = Request(batch, findings(batch, pool), labeler.draws(options.seed))
    proposal = labeler.propose(request)
    view: View = weave(batch, proposal.edits)
    columns = labeler.label(request, proposal, view)
    rows = asked(labeler, proposal, columns)
    for row in sorted(random_.sample(rows, min(options.rows, len(rows)))):
        shown = (
            exchanges(batch, proposal, columns, row, options.width)
            if labeler.name == "paraphrase"
            else hidden(batch, labeler, columns, row)
        )
        print(f"{batch.ids[row]} | {shown}")


if __name__ == "__main__":
    main()
