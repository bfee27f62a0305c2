"""Whose turn it is: what in a dialogue reveals the role of a turn, and so must be hidden where it is a target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import combining, normalize

import numpy as np

from labelers.edits import View
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray

__all__ = ["role_words", "told_by_turns", "with_neighbours"]

_SILENT = frozenset({"a", "an", "and", "for", "in", "of", "on", "the", "to"})  # in a role's name they name nobody
_WORD = re.compile(r"[^\W_]+")


def with_neighbours(targets: BoolArray, turn_rows: IntArray) -> BoolArray:
    """Return bool [T]: target turns and, of the same row, the turns before and behind them."""
    hidden = targets.copy()
    together = turn_rows[1:] == turn_rows[:-1]
    hidden[1:] |= targets[:-1] & together
    hidden[:-1] |= targets[1:] & together
    return hidden


def told_by_turns(batch: PassageBatch, targets: BoolArray, turn_rows: IntArray) -> BoolArray:
    """Return bool [T]: all turns of rows with a target in which two speakers take turns.

    There any role that is seen tells all others to who counts the turns, so none is seen. A speaker may go on for a
    turn: three of four turns that follow another one must be another speaker's.
    """
    rows, turns = len(batch), np.diff(batch.turn_offsets)
    together = turn_rows[1:] == turn_rows[:-1]
    changes = np.bincount(turn_rows[1:][together & (batch.roles[1:] != batch.roles[:-1])], minlength=rows)
    distinct = np.unique(turn_rows * (len(batch.vocabulary) + 1) + batch.roles + 1)
    roles = np.bincount(distinct // (len(batch.vocabulary) + 1), minlength=rows)
    asked = np.bincount(turn_rows[targets], minlength=rows) > 0
    alternating: BoolArray = asked & (roles == 2) & (4 * changes >= 3 * (turns - 1))  # noqa: PLR2004
    return alternating[turn_rows]


def role_words(batch: PassageBatch, roles: tuple[str, ...], view: View, hidden: BoolArray) -> BoolArray:
    """Return bool [M]: words of a role's name in hidden turns.

    An inserted token stands at a turn's edge or inside it, so it is hidden wherever its row has a hidden turn.
    """
    result = np.zeros(len(view.codes), bool)
    if not hidden.any():
        return result
    by_turn = np.append(hidden, False)  # the last place is for tokens outside turns, of turn -1
    source = by_turn[batch.segment_turns[batch.token_segments]]
    rows = np.bincount(batch.rows[source], minlength=len(batch)) > 0
    is_role_word = batch.vocabulary.property(_IsRoleWord(roles))[view.codes]
    return is_role_word & np.where(view.origin >= 0, source[view.origin], rows[view.rows])


@dataclass(frozen=True)
class _IsRoleWord:
    """Property of a type: it is, or holds, a word of one of the role names, whatever its case."""

    names: tuple[str, ...]

    def __call__(self, texts: Sequence[str]) -> BoolArray:
        """Return bool for each text."""
        words = {word for name in self.names for word in _WORD.findall(_folded(name))} - _SILENT
        words |= {f"{word}s" for word in words if len(word) > 1}
        return np.fromiter((_holds(_folded(text), words) for text in texts), bool, len(texts))


def _folded(text: str) -> str:
    """Return a text in lower case without accents: "Siân" is spoken to where the role says "Sian"."""
    if text.isascii():
        return text.casefold()
    return "".join(letter for letter in normalize("NFKD", text) if not combining(letter)).casefold()


def _holds(text: str, words: set[str]) -> bool:
    """Return whether the text is one of the words, or a longer one stands in it: "cook's", but not the d of "we'd"."""
    return text in words or any(len(part) > 1 and part in words for part in _WORD.findall(text))
