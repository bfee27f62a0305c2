"""Rows of the disfluency labeler to be judged: python benchmarks/read_disfluency.py FILE... [-n 60] [--seed 1].

Prints how many rows the FILEs yield, and labelled rows drawn at random: additions as {+...+}, deletions as [-...-],
segments parted by |, those without tags behind ~. A FILE is `.txt` (a document per line), `.jsonl` (`text`,
`tokens` or `turns`), or `.conllu`, whose documents are joined sentences with a blank line between paragraphs. The pool
is drawn from the same documents, as a build draws it.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelers.edits import View, weave
from labelers.finding import load
from labelers.labeler import Corpus, Request
from labelers.passages import PassageBatch
from labelers.text.document import Document, Turn
from labelers.text.segmenter import Segmenter
from pipelines.rows.pool import pool_document, pool_line

POOL = 2048  # documents


def documents(path: Path) -> Iterator[Document]:
    """Yield the documents of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".conllu":
        yield from (Document(f"{path.stem}:{n}", text) for n, text in enumerate(_texts(lines)))
    elif path.suffix == ".txt":
        yield from (Document(f"{path.stem}:{n}", line) for n, line in enumerate(lines) if line.strip())
    else:
        for n, record in enumerate(map(json.loads, lines)):
            yield _record(f"{path.stem}:{n}", record)


def _record(name: str, record: Mapping[str, Any]) -> Document:
    """Return the document of a JSON object."""
    if "turns" in record:
        turns = [Turn(turn["role"], turn["text"]) for turn in record["turns"]]
        return Document(name, turns=tuple(turn for turn in turns if turn.text.strip()))
    return Document(name, record.get("text", ""), tuple(record["tokens"]) if "tokens" in record else None)


def _texts(lines: Sequence[str]) -> Iterator[str]:
    """Yield the documents of a CoNLL-U file."""
    parts: list[str] = []
    for line in lines:
        if line.startswith("# newdoc") and parts:
            yield "".join(parts)
            parts = []
        if line.startswith("# newpar") and parts:
            parts.append("\n\n")
        if line.startswith("# text = "):
            parts.append(line.removeprefix("# text = ") + " ")
    yield "".join(parts)


def shown(batch: PassageBatch, view: View, tags: Sequence[int], row: int) -> str:
    """Return one row with its edits marked."""
    texts, first = batch.vocabulary.texts, int(batch.offsets[row])
    place, parts = first, []
    seen = range(*view.offsets[row : row + 2])
    for at, tag in zip(seen, tags, strict=True):
        origin = int(view.origin[at])
        word = texts[view.codes[at]]
        if origin >= 0:
            parts += [f"[-{texts[batch.codes[gone]]}-]" for gone in range(place, origin)]
            opens = bool(batch.token_segments[origin] > batch.token_segments[max(place - 1, first)]) or place == first
            parts += ["|"] * (opens and origin != first) + ["~"] * (opens and tag < 0)
            place = origin + 1
            old = texts[batch.codes[origin]]
            word = word if word == old else f"{word}<{old}>"
        else:
            word = f"{{+{word}+}}"
        parts.append(word)
    parts += [f"[-{texts[batch.codes[gone]]}-]" for gone in range(place, int(batch.offsets[row + 1]))]
    return " ".join(parts).replace("+} {+", " ").replace("-] [-", " ")


def _rank(name: str, seed: int) -> bytes:
    """Return what rows are drawn by: it depends on no other row."""
    return hashlib.blake2b(f"{seed}:{name}".encode()).digest()


def main() -> None:
    """Print the yield and the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("-n", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = [document for path in options.files for document in documents(path)]
    pool = sorted(found, key=lambda document: hashlib.blake2b(document.id.encode()).digest())[:POOL]
    segmenter = Segmenter()
    corpus = Corpus(pool=segmenter.segment([pool_document(pool_line(document)) for document in pool])[0])
    batch, _ = segmenter.segment(found)
    labeler = load("disfluency")
    request = Request(batch, corpus, labeler.draws(options.seed))
    proposal = labeler.propose(request)
    view = weave(batch, proposal.edits)
    tags = labeler.label(request, proposal, view)["tags"].to_pylist()
    names = ["edited", "untouched", *labeler.reasons]
    counts = np.bincount(proposal.status, minlength=len(names)).tolist()
    tagged = sum(tag >= 0 for row in tags for tag in row)
    size = sum(len(token) + 1 for token in batch.vocabulary.strings(batch.codes).to_pylist()) / 1e6
    labelled = np.flatnonzero(proposal.status <= 1)
    print(
        f"{len(batch)} rows, {len(labelled)} labelled, {len(labelled) / size:.0f} per MB, {tagged} tagged tokens:",
        end="",
    )
    print(*(f" {name} {count}" for name, count in zip(names, counts, strict=True)), sep=",")
    for row in sorted(labelled.tolist(), key=lambda row: _rank(batch.ids[row], options.seed))[: options.n]:
        print(f"\n{batch.ids[row]}  {shown(batch, view, tags[row], row)}")


if __name__ == "__main__":
    main()
