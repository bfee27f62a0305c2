"""What sets two names apart: the words that only one of them has, worked out once for each pair that comes up."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from labelers.ragged import BoolArray, IntArray

__all__ = ["Differences", "Numbering", "shared"]


class Numbering(dict[int, int]):
    """The numbers 0, 1, ... of keys, in the order in which each was first asked for.

    Example:
        >>> numbering = Numbering()
        >>> numbering.of(np.array([7, 5, 7])), numbering.of(np.array([5, 9]))
        ((array([0, 1, 0]), [7, 5]), (array([1, 2]), [9]))
    """

    def __missing__(self, key: int) -> int:
        """Give a key the next number."""
        return self.setdefault(key, len(self))

    def of(self, keys: IntArray) -> tuple[IntArray, list[int]]:
        """Return the number of each key, and the keys that had none before."""
        known = len(self)
        numbers = np.fromiter(map(self.__getitem__, keys.tolist()), np.int64, len(keys))
        return numbers, list(self)[known:] if len(self) > known else []


@dataclass(frozen=True)
class Differences:
    """What sets new names apart from old ones, for P pairs."""

    words: IntArray
    """int64 [K]: the informative words that only one name of a pair has, one pair after the other."""
    own: IntArray
    """int64 [K]: how often each stands in the old name."""
    offsets: IntArray
    """int64 [P + 1]: the words of each pair."""
    nested: BoolArray
    """bool [P]: all of one stands at the ends of the other, so that an exchange would write or leave nothing."""

    @classmethod
    def none(cls) -> "Differences":
        """Return the marks of no pair."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, bool))

    def extended(self, pairs: Sequence[tuple[list[int], list[int], bool]]) -> "Differences":
        """Return the marks with those of further pairs (words, own, nested) behind."""
        words, own, nested = zip(*pairs, strict=True)
        return Differences(
            np.concatenate([self.words, np.fromiter(chain.from_iterable(words), np.int64)]),
            np.concatenate([self.own, np.fromiter(chain.from_iterable(own), np.int64)]),
            np.concatenate([self.offsets, self.offsets[-1] + np.cumsum(list(map(len, words)))]),
            np.concatenate([self.nested, np.array(nested, bool)]),
        )


def shared(one: Sequence[object], other: Sequence[object]) -> tuple[int, int]:
    """Return how many items two sequences share at the front and, of the rest, at the back.

    Example:
        >>> shared("at the end".split(), "at the very end".split())
        (2, 1)
    """
    limit, head, tail = min(len(one), len(other)), 0, 0
    while head < limit and one[head] == other[head]:
        head += 1
    while tail < limit - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return head, tail
