"""Edits that are composed of parts: copies of the text, words from elsewhere, marks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray, ranges, running_total
from labelers.vocabulary import Vocabulary

__all__ = ["Composed", "Piece", "compose"]


@dataclass(frozen=True)
class Piece:
    """What E edits write at one place of each: none, one or several tokens."""

    lengths: IntArray
    """int64 [E]."""
    codes: IntArray
    """int64: the tokens, one edit behind the other."""
    tag: int
    copies: IntArray | None = None
    """int64: the global source position of each token, for copies."""

    @classmethod
    def copy(cls, codes: IntArray, start: IntArray, end: IntArray, tag: int) -> "Piece":
        """Return copies of [start, end) of the text with the given codes; nothing where that is empty."""
        lengths = np.maximum(end - start, 0)
        copies = ranges(start, lengths)
        return cls(lengths, codes.take(copies), tag, copies)

    @classmethod
    def listed(cls, codes: IntArray, offsets: IntArray, which: IntArray, tag: int) -> "Piece":
        """Return the texts of a list that each edit names, -1 for none."""
        lengths = np.where(which < 0, 0, np.diff(offsets).take(which, mode="clip") if len(offsets) > 1 else 0)
        return cls(lengths, codes.take(ranges(offsets.take(np.maximum(which, 0)), lengths)), tag)

    @classmethod
    def commas(cls, where: BoolArray, vocabulary: Vocabulary, tag: int) -> "Piece":
        """Return a comma where one is wanted."""
        return cls(where.astype(np.int64), np.full(np.count_nonzero(where), vocabulary.code(",")), tag)


@dataclass(frozen=True)
class Composed:
    """The tokens of E edits."""

    offsets: IntArray
    """int64 [E + 1]."""
    codes: IntArray
    copies: IntArray
    """int64 [W]: global source position, -1 for none."""
    tags: npt.NDArray[np.int8]


def compose(pieces: Sequence[Piece]) -> Composed:
    """Write the pieces of each edit one behind the other.

    Example:
        >>> one = Piece(np.array([1, 0]), np.array([7]), 1)
        >>> two = Piece(np.array([1, 2]), np.array([8, 9, 9]), 2)
        >>> compose([one, two]).codes.tolist(), compose([one, two]).offsets.tolist()
        ([7, 8, 9, 9], [0, 2, 4])
    """
    lengths = np.stack([piece.lengths for piece in pieces], axis=1)
    flat = lengths.ravel()
    at = np.cumsum(flat) - flat
    total = int(flat.sum())
    codes, copies, tags = np.empty(total, np.int64), np.full(total, -1), np.empty(total, np.int8)
    for number, piece in enumerate(pieces):
        places = ranges(at[number :: len(pieces)], piece.lengths)
        codes[places], tags[places] = piece.codes, piece.tag
        if piece.copies is not None:
            copies[places] = piece.copies
    return Composed(running_total(lengths.sum(axis=1)), codes, copies, tags)
