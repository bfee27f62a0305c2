"""Where a name of a dictionary may stand: the words around it and its capitals show what else its words may be."""

import re
from collections.abc import Sequence
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from labelers.language.shapes import shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray

__all__ = ["NameKind", "goes_on", "in_place", "stands_free"]


class NameKind(IntFlag):
    """What the type of a concept says of its names."""

    NOUN = 1
    """``noun``: no noun stands behind "to", a pronoun or an auxiliary ("to mirror it", "they film us")."""
    VERB = 2
    """``verb.base``: a base form stands behind one of these alone ("a permit" is none)."""
    OPENING = 4
    """``opening``: links a sentence that it opens ("First of all, it is late", but "denied to him first of all")."""
    TITLE = 8
    """``noun``, ``mass``, ``adj``: with a capital before another one it is a part of a proper name ("Forest Road")."""
    CITY = 16
    """``city``: so is a name with capitals of its own ("Los Angeles Times")."""

    @classmethod
    def of(cls, kind: str, size: int) -> "NameKind":
        """Return what a type says of a name of so many words.

        Example:
            >>> NameKind.of("noun.2", 1).name, NameKind.of("verb.base.to", 2), NameKind.of("opening", 3).name
            ('NOUN|TITLE', <NameKind: 0>, 'OPENING')
        """
        first, _, rest = kind.partition(".")
        found = {
            "noun": cls.NOUN | cls.TITLE,
            "mass": cls.TITLE,
            "adj": cls.TITLE,
            "opening": cls.OPENING,
            "city": cls.CITY,
        }
        if first == "verb" and rest.split(".")[0] == "base" and size == 1:
            return cls.VERB
        return found.get(first, cls(0))


_JOINERS = frozenset("-\u2010\u2011/_#@")
"""A name that one of these joins to another word is a part of a longer name; behind "#" or "@" it is a tag."""

_OPENERS = frozenset("\"'\u201c\u2018«([—\u2013:;.!?…*_`") | {"--", "---", "``", "...", "''"}
"""Behind one of these a sentence may begin within a segment: a quotation, a list, a verse."""

_LINKS = frozenset({"and", "but"})
"""Behind one of these, too, a word may link a sentence."""

_BEFORE_VERBS = """
    to not n't 'll 'd will would can could shall should may might must do does did please i you we they he she who let's
"""
_VERB_FOLLOWS = frozenset(_BEFORE_VERBS.split())

_GO_ON = """
    about as at by for from in into of on than that to upon with
"""
_OPEN_ENDS = frozenset(_GO_ON.split())
"""A name that ends with one of these goes on in the words behind it."""

_CLIPPED = re.compile(r"\b[A-Z][a-z]+\.$")
"""So does a title or a month that was cut short: "the Prof. said" is no English."""


def _is_joiner(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether it joins two words."""
    return np.fromiter(map(_JOINERS.__contains__, texts), bool, len(texts))


def _is_opener(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether a capital behind it may be that of a sentence."""
    return np.fromiter(map(_OPENERS.__contains__, texts), bool, len(texts))


def _is_link(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether it links the sentence behind it."""
    return np.fromiter((text.lower() in _LINKS for text in texts), bool, len(texts))


def _before_verb(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether a verb follows it."""
    return np.fromiter((text.lower().replace("\u2019", "'") in _VERB_FOLLOWS for text in texts), bool, len(texts))


def goes_on(name: str) -> int:
    """Return 1 if a word has to follow a name, 2 if one with a capital or a number has to, else 0.

    Example:
        >>> goes_on("a number of"), goes_on("several"), goes_on("Prof."), goes_on("the U.S.")
        (1, 0, 2, 0)
    """
    if _CLIPPED.search(name):
        return 2
    return int(name.rpartition(" ")[2].lower() in _OPEN_ENDS)


def stands_free(batch: PassageBatch, starts: IntArray, ends: IntArray) -> BoolArray:
    """Tell which spans lie in one segment and are not joined to a neighbour by a hyphen, a slash or the like."""
    joins = batch.vocabulary.property(_is_joiner)
    before, after = np.maximum(starts - 1, 0), np.minimum(ends, len(batch.codes) - 1)
    row = batch.rows[starts]
    left = (starts > before) & (batch.rows[before] == row) & joins[batch.codes[before]] & ~batch.spaces[before]
    right = (ends == after) & (batch.rows[after] == row) & joins[batch.codes[after]] & ~batch.spaces[ends - 1]
    one = batch.token_segments[starts] == batch.token_segments[ends - 1]
    free: BoolArray = one & ~left & ~right
    return free


def in_place(
    batch: PassageBatch, starts: IntArray, ends: IntArray, kinds: npt.NDArray[np.int8], titled: BoolArray
) -> BoolArray:
    """Tell which spans may be the names that their words are.

    Args:
        batch: P passages.
        starts: int64 [M].
        ends: int64 [M].
        kinds: int8 [M]: the `NameKind` of each name.
        titled: bool [M]: names that may have a capital inside a sentence.
    """
    before, after = np.maximum(starts - 1, 0), np.minimum(ends, len(batch.codes) - 1)
    here, case = batch.token_segments[starts], shapes(batch)["case"]
    inside = (starts > 0) & (batch.token_segments[before] == here)
    opens = ~inside | batch.vocabulary.property(_is_opener)[batch.codes[before]]
    capital = case[batch.codes[starts]] == 1
    behind_verb = inside & batch.vocabulary.property(_before_verb)[batch.codes[before]]
    goes_on = (ends == after) & (batch.token_segments[after] == here) & (case[batch.codes[after]] > 0)
    goes_on &= batch.codes[after] != batch.vocabulary.find("I")
    linked = opens | batch.vocabulary.property(_is_link)[batch.codes[before]]
    wrong = ~titled & capital & (~opens | (goes_on & (kinds & NameKind.TITLE > 0)))
    wrong |= goes_on & (kinds & NameKind.CITY > 0)
    wrong |= behind_verb & (kinds & NameKind.NOUN > 0)
    wrong |= ~behind_verb & (kinds & NameKind.VERB > 0)
    wrong |= ~linked & (kinds & NameKind.OPENING > 0)
    right: BoolArray = ~wrong
    return right
