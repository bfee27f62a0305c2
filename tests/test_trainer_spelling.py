"""Laying out rows as pieces: where units stand, and what a cut leaves."""

from __future__ import annotations

import numpy as np
import pytest

from labelers.ragged import Ragged
from trainer.data.spelling import PieceTable, lay_out
from trainer.data.tokenizer import Special

PAD, CLS, SEP, MASK, ROLE_MASK, ROLE = range(6)


class Spelled(PieceTable):
    """Token t is spelled by t % 3 + 1 pieces 100 + t; special pieces by themselves."""

    def __init__(self) -> None:
        """Need no tokenizer."""
        self.special = Special(PAD, CLS, SEP, MASK, ROLE_MASK, range(ROLE_MASK, ROLE + 1))

    def of(self, units: np.ndarray) -> Ragged:
        """Return the pieces of units."""
        lengths = np.where(units >= 0, units % 3 + 1, 1)
        return Ragged.of(lengths, np.repeat(np.where(units >= 0, 100 + units, -1 - units), lengths))


def rows(*tokens: list[int]) -> Ragged:
    """Return rows of tokens."""
    return Ragged.of(np.array([len(row) for row in tokens]), np.array([t for row in tokens for t in row], np.int64))


def unpacked(item: Ragged) -> list[list[int]]:
    """Return a Ragged as lists."""
    return [item.values[a:b].tolist() for a, b in zip(item.offsets[:-1], item.offsets[1:], strict=True)]


def test_a_row_is_its_pieces_between_marks() -> None:
    """Positions of tokens count from [CLS]; an empty row has marks alone."""
    layout = lay_out([rows([0, 2], [], [1])], Spelled(), 20)
    assert unpacked(layout.pieces) == [[CLS, 100, 102, 102, 102, SEP], [CLS, SEP], [CLS, 101, 101, SEP]]
    assert unpacked(layout.starts) == [[1, 2], [], [1]]
    assert layout.ends.tolist() == [2, 5, 3]
    assert layout.tokens.tolist() == [-1, 0, 1, 1, 1, -1, -1, -1, -1, 0, 0, -1]
    assert layout.second.tolist() == [6, 2, 4]
    assert lay_out([rows([0, 2], [], [1])], Spelled(), 6).whole.all()


@pytest.mark.parametrize(("a", "b"), [([0], [3]), ([], [3]), ([0], []), ([], [])])
def test_two_sides_are_parted_by_a_mark(a: list[int], b: list[int]) -> None:
    """Also where one is empty."""
    layout = lay_out([rows(a, [0]), rows(b, [0])], Spelled(), 20)
    expected = [CLS, *(100 + t for t in a), SEP, *(100 + t for t in b), SEP]
    assert unpacked(layout.pieces)[0] == expected
    assert layout.second[0] == len(a) + 2


def test_turns_open_with_their_unit() -> None:
    """Before the token given; a turn without tokens at the end keeps its opener."""
    turns = rows([0, 1, 2], [0])
    openers = np.array([-1 - 7, -1 - 8, -1 - 9, -1 - 7])
    layout = lay_out([rows([0, 3], [3])], Spelled(), 20, turns=turns, openers=openers)
    assert unpacked(layout.pieces) == [[CLS, 7, 100, 8, 103, 9, SEP], [CLS, 7, 103, SEP]]
    assert unpacked(layout.turns) == [[1, 3, 5], [1]]


def test_hidden_tokens_are_masked_piece_by_piece() -> None:
    """The other rows keep theirs."""
    layout = lay_out([rows([2, 0], [1])], Spelled(), 20, hidden=np.array([True, False, False]))
    assert unpacked(layout.pieces) == [[CLS, MASK, MASK, MASK, 100, SEP], [CLS, 101, 101, SEP]]


def test_a_long_row_is_cut_and_still_ends_with_a_mark() -> None:
    """The piece that became [SEP] belongs to no token; tokens keep the positions they would have had."""
    layout = lay_out([rows([2, 2], [0])], Spelled(), 6)
    assert unpacked(layout.pieces) == [[CLS, 102, 102, 102, 102, SEP], [CLS, 100, SEP]]
    assert layout.whole.tolist() == [False, True]
    assert layout.tokens.tolist() == [-1, 0, 0, 0, 1, -1, -1, 0, -1]
    assert layout.ends.tolist() == [4, 7, 2]
    assert layout.last.tolist() == [5, 2]
