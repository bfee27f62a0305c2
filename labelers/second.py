"""The second text of a passage: a parallel sentence, a hypothesis beside its premise, a reference."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from labelers.ragged import BoolArray, IntArray, ragged_take

__all__ = ["Second"]


@dataclass(frozen=True)
class Second:
    """The second text of each of P rows, with M tokens in all, as codes of the vocabulary of their passages.

    Example:
        >>> one = np.array([0, 1])
        >>> second = Second(np.array([7]), one, np.array([False]), np.array([0]), one)
        >>> second.take(np.array([0, 0])).codes.tolist()
        [7, 7]
    """

    codes: IntArray
    """int64 [M]."""
    offsets: IntArray
    """int64 [P + 1]: tokens of row i; a row without a second text has none."""
    spaces: BoolArray
    """bool [M]: a space follows the token."""
    segments: IntArray
    """int64 [S]: position of each segment's first token among the M."""
    segment_offsets: IntArray
    """int64 [P + 1]: segments of row i."""

    @classmethod
    def none(cls, rows: int) -> Self:
        """Return so many rows without a second text."""
        empty, offsets = np.zeros(0, np.int64), np.zeros(rows + 1, np.int64)
        return cls(empty, offsets, np.zeros(0, bool), empty, offsets)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1

    def take(self, rows: IntArray) -> Self:
        """Return the second texts of the given rows, in the given order."""
        tokens, offsets = ragged_take(self.offsets, rows)
        segments, segment_offsets = ragged_take(self.segment_offsets, rows)
        shift = offsets[:-1] - self.offsets[rows]
        return type(self)(
            codes=self.codes[tokens],
            offsets=offsets,
            spaces=self.spaces[tokens],
            segments=self.segments[segments] + np.repeat(shift, np.diff(segment_offsets)),
            segment_offsets=segment_offsets,
        )
