"""Ragged arrays: lists of unequal length as flat values and offsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "Ragged", "ragged_take", "ranges", "running_total"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[Any]


def running_total(values: IntArray | BoolArray) -> IntArray:
    """Return int64 [n + 1]: the sum of the values before each of n positions, and of all.

    Of lengths it gives offsets, of a mask how many are marked before each position.

    Example:
        >>> running_total(np.array([True, False, True])).tolist()
        [0, 1, 1, 2]
    """
    totals = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=totals[1:])  # into an array that is there: twice as fast for a mask
    return totals


def ragged_take(offsets: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return (flat indices, new offsets) that gather the given rows of a ragged array.

    Example:
        >>> indices, starts = ragged_take(np.array([0, 2, 5]), np.array([1, 0]))
        >>> indices.tolist(), starts.tolist()
        ([2, 3, 4, 0, 1], [0, 3, 5])
    """
    first = np.asarray(offsets)[rows]
    lengths = np.asarray(offsets)[1:][rows] - first
    taken = running_total(lengths)
    flat = np.repeat(first - taken[:-1], lengths)
    flat += np.arange(taken[-1])
    return flat, taken


def ranges(start: IntArray, length: IntArray) -> IntArray:
    """Return the positions start, start + 1, ... of each (start, length), one after another.

    Example:
        >>> ranges(np.array([7, 3]), np.array([2, 3])).tolist()
        [7, 8, 3, 4, 5]
    """
    offsets = np.cumsum(length) - length
    positions: IntArray = np.arange(length.sum()) + np.repeat(np.asarray(start) - offsets, length)
    return positions


@dataclass(frozen=True)
class Ragged:
    """Lists of unequal length as flat arrays: list i is ``values[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> lists = Ragged(np.array([0, 2, 3]), np.array([5, 6, 7]))
        >>> lists.take(np.array([1, 0])).values.tolist()
        [7, 5, 6]
    """

    offsets: IntArray
    """int64 [P + 1]."""
    values: npt.NDArray[Any]
    """[N]."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """Length of each list, int64 [P]."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> IntArray:
        """The list that each value stands in, int64 [N]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @classmethod
    def of(cls, lengths: npt.NDArray[Any], values: npt.NDArray[Any]) -> Self:
        """Return the lists that have these lengths."""
        return cls(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), values)

    @classmethod
    def concat(cls, parts: Sequence["Ragged"]) -> Self:
        """Return the lists of all parts, in their order."""
        return cls.of(np.concatenate([part.lengths for part in parts]), np.concatenate([part.values for part in parts]))

    def take(self, rows: IntArray) -> "Ragged":
        """Return the lists of the given rows, in their order."""
        return self.slice(rows, np.zeros(len(rows), np.int64), self.lengths[rows])

    def slice(self, rows: IntArray, starts: IntArray, ends: IntArray) -> "Ragged":
        """Return [start, end) of the list of each given row."""
        lengths = np.maximum(ends - starts, 0)
        return Ragged.of(lengths, self.values[ranges(self.offsets[rows] + starts, lengths)])

    def where(self, mask: BoolArray, other: "Ragged") -> "Ragged":
        """Return each list of this where ``mask`` [P] holds, else the other's."""
        both = Ragged.of(np.concatenate([self.lengths, other.lengths]), np.concatenate([self.values, other.values]))
        return both.take(np.arange(len(self)) + np.where(mask, 0, len(self)))
