"""Precision and recall of find_connectives, in all and per form: python benchmarks/connectives.py CONN.jsonl."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labelers.language.discourse import THRESHOLD, find_connectives
from labelers.passages import PassageBatch
from labelers.vocabulary import Vocabulary

ENDS = frozenset(".!?")
CLOSING = frozenset("\"'\u201d\u2019)]»")


def sentences(tokens: Sequence[str]) -> list[int]:
    """Return where sentences start: behind . ! ? and the closing quotes and brackets after it."""
    starts, ended = [0], False
    for i, token in enumerate(tokens):
        if ended and token not in CLOSING and token not in ENDS:
            starts.append(i)
        ended = token in ENDS or (ended and token in CLOSING)
    return starts


def spans(tags: Sequence[str]) -> list[tuple[int, int]]:
    """Return the (start, end) of each span of a BIO sequence.

    Example:
        >>> spans(["O", "B", "I", "B"])
        [(1, 3), (3, 4)]
    """
    starts = [i for i, tag in enumerate(tags) if tag[0] == "B"]
    return [(s, next((j for j in range(s + 1, len(tags)) if tags[j][0] != "I"), len(tags))) for s in starts]


def read(path: Path) -> tuple[PassageBatch, set[tuple[int, int]]]:
    """Return the documents of a file, one passage each, and their gold spans in global positions."""
    vocabulary, gold = Vocabulary(), set()
    tokens: list[str] = []
    offsets, segments, segment_offsets, ids = [0], [], [0], []
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        gold |= {(s + len(tokens), e + len(tokens)) for s, e in spans(record["tags"])}
        segments += [start + len(tokens) for start in sentences(record["tokens"])]
        tokens += record["tokens"]
        ids.append(f"{record['doc']}/0")
        offsets.append(len(tokens))
        segment_offsets.append(len(segments))
    none = np.zeros(0, np.int64)
    batch = PassageBatch(
        vocabulary=vocabulary,
        ids=ids,
        documents=[name.removesuffix("/0") for name in ids],
        codes=vocabulary.encode(tokens),
        offsets=np.array(offsets),
        spaces=np.ones(len(tokens), bool),
        segments=np.array(segments),
        segment_offsets=np.array(segment_offsets),
        turns=none,
        turn_offsets=np.zeros(len(ids) + 1, np.int64),
        roles=none.astype(np.int32),
    )
    return batch, gold


def main(path: str, threshold: str = str(THRESHOLD)) -> None:
    """Print the table."""
    batch, gold = read(Path(path))
    found = find_connectives(batch, float(threshold))
    marked = {(int(s), int(e)) for s, e in zip(found.start, found.end, strict=True)}
    texts = batch.vocabulary.texts
    right, given, wanted = (
        Counter(" ".join(texts[code] for code in batch.codes[s:e]).lower() for s, e in group)
        for group in (marked & gold, marked, gold)
    )
    print(f"{'form':24} {'gold':>5} {'found':>5} {'right':>5} {'precision':>9} {'recall':>6}")
    for form in sorted(given | wanted, key=lambda name: (-wanted[name], -given[name], name)):
        print(_line(form, right[form], given[form], wanted[form]))
    print(_line("all forms", right.total(), given.total(), wanted.total()))


def _line(name: str, right: int, found: int, gold: int) -> str:
    """Return one line of the table."""
    precision = f"{right / found:.2f}" if found else "-"
    recall = f"{right / gold:.2f}" if gold else "-"
    return f"{name:24} {gold:5} {found:5} {right:5} {precision:>9} {recall:>6}"


if __name__ == "__main__":
    main(*sys.argv[1:])
