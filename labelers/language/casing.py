"""Capitals: which are a word's own, which its place's, and how a word is written at another place.

``vocabulary.recode(codes, upper_first)`` and ``vocabulary.recode(codes, lower_first)`` re-case words.
"""

from collections import Counter
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.shapes import listed_words
from labelers.language.tables import entries
from labelers.language.words import Form, form_flags
from labelers.passages import PassageBatch
from labelers.vocabulary import Vocabulary

__all__ = [
    "COMMON",
    "NAME",
    "UNKNOWN",
    "Case",
    "Letters",
    "capitalised",
    "letters",
    "lower_first",
    "opening",
    "upper_first",
]

NAME, COMMON, UNKNOWN = 0, 1, 2
"""Values of `Case`."""

_GRAMMAR = frozenset(
    {"subject", "neutral", "possessive", "there", "article", "this", "quantity", "wh", "be", "have", "do", "not"}
    | {"to", "of", "preposition", "than", "as", "coordinator", "but", "so", "subordinator", "then", "degree"}
)
"""Classes of words that are written with a capital for their place alone, whatever follows."""


def capitalised(text: str) -> str:
    """Return the text with its first character as a capital."""
    return text[:1].upper() + text[1:]


def upper_first(text: str) -> str:
    """Return a text as it is written at an opening: in small letters it takes a capital, "iPhone" stays."""
    return capitalised(text) if text == text.lower() else text


def opening(text: str) -> str:
    """Return a text as `upper_first` does, but leave alone what is no word, as "f(x", or has no letters."""
    return upper_first(text) if text.islower() and text.strip("'\u2019").isalpha() else text


def lower_first(text: str) -> str:
    """Return the text with its first character as a small letter."""
    return text[:1].lower() + text[1:]


class Letters(IntFlag):
    """What the letters of a form show about its capital."""

    CAPITAL = 1
    """It begins with one."""
    TITLE = 2
    """A capital, and small letters."""
    LETTER = 4
    """A single capital that is no word."""
    GRAMMAR = 8
    """A word of grammar with a capital: no name begins with it, whatever follows ("When Tom")."""
    NAMES = 16
    """It may be the second word of a name, or of a date: a capital or a digit, but not "I"."""


def letters(vocabulary: Vocabulary, new: slice) -> npt.NDArray[np.uint8]:
    """Return the `Letters` of each type.

    Example:
        >>> vocabulary = Vocabulary()
        >>> codes = vocabulary.encode(["When", "Great", "Y", "I", "5", "gate"])
        >>> [Letters(int(found)).name for found in vocabulary.derived(letters)[codes]]
        ['CAPITAL|TITLE|GRAMMAR|NAMES', 'CAPITAL|TITLE|NAMES', 'CAPITAL|LETTER|NAMES', 'CAPITAL|GRAMMAR', 'NAMES', None]
    """
    texts = vocabulary.texts[new]
    found = np.zeros(len(texts), np.uint8)
    for place in _not_small(vocabulary, new):
        found[place] = _letters(texts[place])
    return found


def _not_small(vocabulary: Vocabulary, new: slice) -> list[int]:
    """Return which of the new types do not begin with a small letter."""
    places: list[int] = np.flatnonzero(vocabulary.property(form_flags)[new] & Form.SMALL.value == 0).tolist()
    return places


def _letters(text: str) -> int:
    """Return the flags of one text that begins with no small letter."""
    if not text[:1].isupper():
        return _NAMES if text[:1].isdigit() else 0
    if len(text) == 1 and text not in "AIO":
        return _CAPITAL | _NAMES | _LETTER
    found = _CAPITAL if text == "I" else _CAPITAL | _NAMES | (_TITLE if text[1:].islower() else 0)
    return found | (_OF_GRAMMAR if listed_words().get(text.lower(), "") in _GRAMMAR else 0)


_CAPITAL, _TITLE, _LETTER, _OF_GRAMMAR, _NAMES = (flag.value for flag in Letters)


@cache
def _ambiguous() -> frozenset[str]:
    """Return words in small letters that are names too ("mark")."""
    return frozenset(word for words, *_ in entries("either") for word in words.split())


@dataclass(frozen=True, eq=False)
class Case:
    """Property of a type: its case is its own (`NAME`), its capital is its place's (`COMMON`), or nobody knows.

    Names are distinguished from common words by how a pool of text writes them where no sentence begins.
    """

    lower: Counter[str]
    """How often each lower-case word stands in the pool."""
    name: Counter[str]
    """How often each capitalised word stands there behind another word."""

    @classmethod
    def of(cls, pool: PassageBatch | None) -> Self:
        """Count the words of a pool; without one only the package's common words are known."""
        if pool is None or not len(pool.codes):
            return cls(Counter(), Counter())
        word = pool.vocabulary.property(form_flags).take(pool.codes) & Form.WORD.value > 0
        inside = word.copy()
        inside[1:] &= word[:-1]
        inside[pool.segments] = False
        texts = pool.vocabulary.texts
        every = np.bincount(pool.codes[word], minlength=1)
        within = np.bincount(pool.codes[inside], minlength=1)
        lower = Counter({texts[code]: int(every[code]) for code in np.flatnonzero(every) if texts[code].islower()})
        return cls(lower, Counter({texts[code]: int(within[code]) for code in np.flatnonzero(within)}))

    def __call__(self, vocabulary: Vocabulary, new: slice) -> npt.NDArray[np.int8]:
        """Return int8 for each new type."""
        texts = vocabulary.texts[new]
        kinds = np.full(len(texts), NAME, np.int8)
        for place in _not_small(vocabulary, new):
            kinds[place] = self._of(texts[place])
        return kinds

    def _of(self, text: str) -> int:
        """Return the class of one text that begins with no small letter."""
        if not text[:1].isupper() or text[1:] != text[1:].lower() or text == "I":
            return NAME
        lower = text.lower()
        small, name = self.lower.get(lower, 0), self.name.get(text, 0)
        if small < name:
            return NAME
        if lower in _ambiguous() or (small == name and lower not in listed_words()):
            return UNKNOWN
        return COMMON
