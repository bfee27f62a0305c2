"""Rows to read and judge: python benchmarks/read_connectives.py FILE SEED COUNT [inside].

Prints COUNT rows of FILE from which a connective was removed, drawn by SEED, which also seeds the build: the connective
in brackets, the border of the two arguments as ||. FILE is `.txt` with a document per line, `.jsonl` with `turns`,
`tokens` or `text`, or `.conllu`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labelers.connective import Connective
from labelers.edits import weave
from labelers.labeler import Corpus, Request
from labelers.text.document import Document, Turn
from labelers.text.segmenter import Segmenter


def documents(path: Path) -> Iterator[Document]:
    """Return the documents of a file."""
    lines = path.read_text("utf-8").splitlines()
    if path.suffix == ".conllu":
        name, texts = "", list[str]()
        for line in [*lines, "# newdoc id = "]:
            if line.startswith("# newdoc id"):
                if texts:
                    yield Document(name, " ".join(texts))
                name, texts = line.split("=")[1].strip(), []
            elif line.startswith("# text ="):
                texts.append(line.split("=", 1)[1].strip())
        return
    for number, line in enumerate(lines):
        record: dict[str, Any] = json.loads(line) if path.suffix == ".jsonl" else {"text": line}
        turns = tuple(Turn(turn["role"], turn["text"]) for turn in record.get("turns", ())) or None
        text = record.get("text") or " ".join(record.get("tokens", ()))
        yield Document(f"{path.stem}:{number}", text, turns=turns)


def main(path: str, seed: str, count: str, task: str = "") -> None:
    """Print the rows."""
    batch, _ = Segmenter().segment(list(documents(Path(path))))
    labeler = Connective()
    request = Request(batch, Corpus(), labeler.draws(int(seed)))
    proposal = labeler.propose(request)
    columns = labeler.label(request, proposal, weave(batch, proposal.edits))
    wanted = columns["connective_inside" if task else "connective"].is_valid().to_numpy(zero_copy_only=False)
    rows = sorted(np.flatnonzero((proposal.status == 0) & wanted).tolist(), key=lambda row: batch.ids[row])
    rows = [rows[place] for place in np.random.default_rng(int(seed)).permutation(len(rows))]
    hidden, forms = proposal.hidden, columns["form"].to_pylist()
    assert hidden is not None
    for row in rows[: int(count)]:
        first, border, stop = proposal.state["edges"][row].tolist()
        words = [batch.vocabulary.texts[code] for code in batch.codes[first:stop]]
        shown = [f"[{word}]" if gone else word for word, gone in zip(words, hidden[first:stop], strict=True)]
        print(batch.ids[row], forms[row], *shown[: border - first], "||", *shown[border - first :])


if __name__ == "__main__":
    main(*sys.argv[1:])
