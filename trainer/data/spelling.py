"""How tokens become one sequence of pieces: ``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]``, with role pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np

from labelers.ragged import BoolArray, IntArray, Ragged, ranges
from trainer.data.dataset import Types
from trainer.data.tokenizer import SpacedTokenizer, Special, Tokenizer

__all__ = ["Layout", "PieceTable", "lay_out"]

_CLS, _ROLE, _MIDDLE, _END = range(4)  # kinds of inserted units, in the order in which they stand at one place


class PieceTable:
    """The sub-words of every distinct token; all single sub-words stand before them.

    Where the tokenizer minds the space before a token, each is there twice: behind a space, and without one.
    """

    def __init__(self, types: Types, tokenizer: Tokenizer) -> None:
        self.special = tokenizer.special
        self.spaced = tokenizer.spaced
        """Whether the space before a token counts."""
        self._types, self._tokenizer = types, tokenizer
        self._single = len(tokenizer)
        self._table = Ragged(np.arange(self._single + 1), np.arange(self._single, dtype=np.int32))
        self._known = 0

    def units(self, tokens: Ragged, joined: Ragged | None) -> Ragged:
        """Return the unit of each token of some sequences.

        Args:
            tokens: lists of codes.
            joined: lists of booleans: no space stands before the token; of the first one the tokenizer decides.
        """
        if joined is None:
            return tokens
        flags = joined.values.astype(bool)
        opening = tokens.offsets[:-1][tokens.lengths > 0]
        flags[opening] = cast("SpacedTokenizer", self._tokenizer).opens_joined
        return Ragged(tokens.offsets, 2 * tokens.values.astype(np.int64) + flags)

    def of(self, units: IntArray) -> Ragged:
        """Return the sub-words of units: one of a token, or -1 - s for the single sub-word s."""
        if self._known < len(self._types):
            self._table = Ragged.concat(
                [self._table, self._spelled(list(islice(self._types.codes, self._known, None)))]
            )
            self._known = len(self._types)
        return self._table.take(np.where(units >= 0, self._single + units, -1 - units))

    def most(self, codes: IntArray) -> IntArray:
        """Return the number of sub-words of tokens, the larger one where there are two ways to spell one."""
        if not self.spaced:
            return self.of(codes).lengths
        return np.maximum(self.of(2 * codes).lengths, self.of(2 * codes + 1).lengths)

    def _spelled(self, tokens: list[str]) -> Ragged:
        """Return the sub-words of tokens, in both ways where there are two."""
        behind_space = self._tokenizer.encode(tokens)
        if not self.spaced:
            return behind_space
        both = Ragged.concat([behind_space, cast("SpacedTokenizer", self._tokenizer).encode_joined(tokens)])
        return both.take(np.arange(2 * len(tokens)).reshape(2, -1).T.reshape(-1))


@dataclass(frozen=True)
class Layout:
    """Rows as pieces, and where tokens, turns and sides stand in them: positions count from the row's first piece."""

    pieces: Ragged
    """[R] lists of pieces."""
    whole: BoolArray
    """bool [R]: nothing was cut."""
    starts: Ragged
    """[R] lists: position of the first piece of each token."""
    ends: IntArray
    """int64 [N]: position behind the last piece of each token, also where that was cut."""
    turns: Ragged
    """[R] lists: position of the piece that opens each turn."""
    second: IntArray
    """int64 [R]: position of the first piece of the second side; the row's length if there is one side."""
    tokens: IntArray
    """int64 [M]: number of the token in its row that each piece belongs to; -1 for special pieces."""

    @property
    def last(self) -> IntArray:
        """Position of the last piece of each row, a [SEP], int64 [R]."""
        return self.pieces.lengths - 1


def _joined(sides: Sequence[Ragged]) -> Ragged:
    """Return the lists of the sides, one behind the other."""
    if len(sides) == 1:
        return sides[0]
    count = len(sides[0])
    both = Ragged.of(np.concatenate([s.lengths for s in sides]), np.concatenate([s.values for s in sides]))
    order = np.stack([np.arange(count), np.arange(count) + count], axis=1).reshape(-1)
    taken = both.take(order)
    return Ragged(taken.offsets[::2], taken.values)


def lay_out(
    sides: Sequence[Ragged],
    table: PieceTable,
    max_pieces: int,
    *,
    turns: Ragged | None = None,
    openers: IntArray | None = None,
    hidden: BoolArray | None = None,
) -> Layout:
    """Lay out R rows and cut those of more than ``max_pieces``.

    Args:
        sides: one or two ragged lists of the units of tokens, see `PieceTable.units`.
        table: the pieces of tokens.
        max_pieces: longest row.
        turns: the token before which each turn opens; none: no turn has an opener.
        openers: int64 [T]: the unit (see `PieceTable.of`) that opens each turn.
        hidden: bool [N]: tokens whose pieces all become [MASK]; for one side.
    """
    tokens = _joined(sides)
    count, between = len(tokens), table.special.between
    turns = turns if turns is not None else Ragged(np.zeros(count + 1, np.int64), np.empty(0, np.int64))
    openers = openers if openers is not None else np.empty(0, np.int64)
    units, kinds, owners = _units(tokens, sides[0].lengths if len(sides) > 1 else None, turns, openers, table.special)
    laid = table.of(units)
    first = laid.offsets[np.searchsorted(owners, np.arange(count + 1))]  # of each row, in pieces
    position = laid.offsets[:-1] - first[owners]
    kept = np.minimum(np.diff(first), max_pieces)
    flat = ranges(first[:-1], kept)
    of_piece = np.repeat(np.arange(len(units)), laid.lengths)[flat]
    cut = Ragged.of(kept, laid.values[flat])
    pieces, numbers = _fill(cut, of_piece, kinds < 0, tokens, hidden=hidden, special=table.special)
    return Layout(
        pieces=pieces,
        whole=np.diff(first) <= max_pieces,
        starts=Ragged(tokens.offsets, position[kinds < 0]),
        ends=(position + laid.lengths)[kinds < 0],
        turns=Ragged(turns.offsets, position[kinds == _ROLE]),
        second=position[kinds == _MIDDLE][between - 1 :: between] + 1 if len(sides) > 1 else kept,
        tokens=numbers,
    )


def _fill(
    pieces: Ragged,
    of_piece: IntArray,
    is_token: BoolArray,
    tokens: Ragged,
    *,
    hidden: BoolArray | None,
    special: Special,
) -> tuple[Ragged, IntArray]:
    """Mask what is hidden and end each row; return the pieces, and of each the number of its token in the row, or -1.

    Args:
        pieces: [R] lists, cut; changed in place.
        of_piece: int64 [M]: the unit of each piece.
        is_token: bool [U]: the unit is a token.
        tokens: [R] lists.
        hidden: bool [N]: tokens whose pieces all become [MASK].
        special: the special sub-words.
    """
    if hidden is not None:
        unseen = np.zeros(len(is_token), bool)
        unseen[is_token] = hidden
        pieces.values[unseen[of_piece]] = special.mask
    numbers = np.full(len(is_token), -1)
    numbers[is_token] = ranges(np.zeros(len(tokens), np.int64), tokens.lengths)
    last = pieces.offsets[1:] - 1
    pieces.values[last] = special.sep
    of_token = numbers[of_piece]
    of_token[last] = -1
    return pieces, of_token


def _units(
    tokens: Ragged, middle: IntArray | None, turns: Ragged, openers: IntArray, special: Special
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the units of all rows, the kind of each (-1: a token) and its row."""
    count, rows = len(tokens), np.arange(len(tokens))
    # the inserted units as (row, token before which it stands, kind, unit)
    marks = [
        (rows, tokens.offsets[:-1], np.full(count, _CLS), np.full(count, -1 - special.cls)),
        (turns.owners, tokens.offsets[turns.owners] + turns.values, np.full(len(openers), _ROLE), openers),
        (rows, tokens.offsets[1:], np.full(count, _END), np.full(count, -1 - special.sep)),
    ]
    if middle is not None:
        kind, unit = np.full(count, _MIDDLE), np.full(count, -1 - special.sep)
        marks += [(rows, tokens.offsets[:-1] + middle, kind, unit)] * special.between
    owner, index, kind, unit = (np.concatenate(part) for part in zip(*marks, strict=True))
    order = np.lexsort((kind, index, owner))
    owner, index, kind, unit = owner[order], index[order], kind[order], unit[order]
    units = np.insert(tokens.values.astype(np.int64), index, unit)
    kinds = np.insert(np.full(len(tokens.values), -1), index, kind)
    return units, kinds, np.insert(tokens.owners, index, owner)
