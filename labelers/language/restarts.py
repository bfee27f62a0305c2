"""Where a speaker began anew and left no mark of it: neighbours that no sentence holds ("the we", "we can we").

Writing is edited, so these cues count in dialogues alone.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.passages import IntArray, PassageBatch, Vocabulary

__all__ = ["restarts"]

_END = "<end>"


@cache
def _lines(kind: str, column: int) -> dict[str, int]:
    """Return word -> bit i for each line i of a kind in whose column it stands."""
    bits: dict[str, int] = {}
    for number, row in enumerate(row for row in rows_of("disfluency.tsv") if row[0] == kind):
        for word in row[column].split() if column < len(row) else ():
            bits[word] = bits.get(word, 0) | 1 << number
    return bits


def _plain(text: str) -> str:
    """Return a word in lower case; "A" stays, since within a sentence it is a letter."""
    return text if text == "A" else text.lower().replace("\u2019", "'")


def _left(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint16]:  # noqa: ARG001
    """Return the lines of clashes of which each type is a left word."""
    return np.array([_lines("clash", 1).get(_plain(text), 0) for text in texts], np.uint16)


def _right(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint16]:  # noqa: ARG001
    """Return the lines of clashes of which each type is a right word as it is written: "HE" and "US" are names."""
    return np.array([_lines("clash", 2).get(text.replace("\u2019", "'"), 0) for text in texts], np.uint16)


def _unless(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint16]:  # noqa: ARG001
    """Return the lines of clashes that do not hold behind each type."""
    return np.array([_lines("clash", 3).get(_plain(text), 0) for text in texts], np.uint16)


def _outer(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint8]:  # noqa: ARG001
    """Return the lines of frames of which each type is an outer word."""
    return np.array([_lines("frame", 1).get(_plain(text), 0) for text in texts], np.uint8)


def _inner(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint8]:  # noqa: ARG001
    """Return the lines of frames of which each type is an inner word."""
    return np.array([_lines("frame", 2).get(_plain(text), 0) for text in texts], np.uint8)


def restarts(batch: PassageBatch, keys: IntArray) -> IntArray:
    """Return the positions at which neighbours stand that only a new beginning brings together.

    Args:
        batch: P passages.
        keys: int64 per type: the code of each type in lower case.
    """
    spoken = batch.spoken
    if not spoken.any():
        return np.empty(0, np.int64)
    found: IntArray = np.union1d(_clashes(batch), _frames(batch, keys))
    kept: IntArray = found[spoken[batch.rows[found]]]
    return kept


def _clashes(batch: PassageBatch) -> IntArray:
    """Return the positions of left words before right ones, or before the end of their segment."""
    value = batch.vocabulary.property
    opens = np.zeros(len(batch.codes), bool)
    opens[batch.segments] = True
    left, right, unless = (value(side).take(batch.codes) for side in (_left, _right, _unless))
    behind = np.where(np.append(opens[1:], True), _lines("clash", 2)[_END], np.append(right[1:], 0))
    before = np.where(opens, 0, np.append(0, unless[:-1]))
    clashes: IntArray = np.flatnonzero(left & behind & ~before)
    return clashes


def _frames(batch: PassageBatch, keys: IntArray) -> IntArray:
    """Return the positions of words that stand on both sides of a word that they do not frame in fluent speech."""
    codes, segments = batch.codes, batch.token_segments
    outer, inner = (batch.vocabulary.property(part).take(codes) for part in (_outer, _inner))
    at = np.flatnonzero(outer[:-2] & inner[1:-1]) if len(codes) > 2 else np.empty(0, np.int64)  # noqa: PLR2004
    frames: IntArray = at[(keys[codes[at]] == keys[codes[at + 2]]) & (segments[at] == segments[at + 2])]
    return frames
