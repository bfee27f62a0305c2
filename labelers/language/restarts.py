"""Where a speaker began anew and left no mark of it: neighbours that no sentence holds ("the we", "we can we").

Writing is edited, so these cues count in dialogues alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.passages import IntArray, PassageBatch, Vocabulary

__all__ = ["Listed", "restarts"]

_END = "<end>"


@dataclass(frozen=True)
class Listed:
    """Property of a type: in which lines of a kind in the lexicon of disfluencies it stands, as bits."""

    kind: str
    column: int
    exact: bool = False
    """As it is written: "HE" and "US" are names, and "A" is a letter."""

    def __call__(self, vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint32]:  # noqa: ARG002
        """Return the bits of each text."""
        bits = self.bits
        plain = (text.replace("\u2019", "'") for text in texts)
        return np.array([bits.get(text if self.exact or text == "A" else text.lower(), 0) for text in plain], np.uint32)

    @property
    def bits(self) -> dict[str, int]:
        """Word -> bit i for each line i in whose column it stands."""
        return _lines(self.kind, self.column)


@cache
def _lines(kind: str, column: int) -> dict[str, int]:
    """Return word -> bit i for each line i of a kind in whose column it stands."""
    bits: dict[str, int] = {}
    for number, row in enumerate(row for row in rows_of("disfluency.tsv") if row[0] == kind):
        for word in row[column].split() if column < len(row) else ():
            bits[word] = bits.get(word, 0) | 1 << number
    return bits


_LEFT, _RIGHT, _UNLESS = Listed("clash", 1), Listed("clash", 2, exact=True), Listed("clash", 3)
_OUTER, _INNER = Listed("frame", 1), Listed("frame", 2)


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
    left, right, unless = (value(side).take(batch.codes) for side in (_LEFT, _RIGHT, _UNLESS))
    behind = np.where(np.append(opens[1:], True), _RIGHT.bits[_END], np.append(right[1:], 0))
    before = np.where(opens, 0, np.append(0, unless[:-1]))
    clashes: IntArray = np.flatnonzero(left & behind & ~before)
    return clashes


def _frames(batch: PassageBatch, keys: IntArray) -> IntArray:
    """Return the positions of words that stand on both sides of a word that they do not frame in fluent speech."""
    codes, segments = batch.codes, batch.token_segments
    outer, inner = (batch.vocabulary.property(part).take(codes) for part in (_OUTER, _INNER))
    at = np.flatnonzero(outer[:-2] & inner[1:-1]) if len(codes) > 2 else np.empty(0, np.int64)  # noqa: PLR2004
    frames: IntArray = at[(keys[codes[at]] == keys[codes[at + 2]]) & (segments[at] == segments[at + 2])]
    return frames
