"""Capitals: which are a word's own, which its place's, and how a word is written at another place.

``vocabulary.recode(codes, upper_first)`` and ``vocabulary.recode(codes, lower_first)`` re-case words.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.language.shapes import listed_words
from labelers.language.words import Form, form_flags
from labelers.passages import BoolArray, PassageBatch, Vocabulary

__all__ = ["COMMON", "NAME", "UNKNOWN", "Case", "is_capitalised", "lower_first", "never_a_name", "upper_first"]

NAME, COMMON, UNKNOWN = 0, 1, 2
"""Values of `Case`."""

_GRAMMAR = frozenset(
    {"subject", "neutral", "possessive", "there", "article", "this", "quantity", "wh", "be", "have", "do", "not"}
    | {"to", "of", "preposition", "than", "as", "coordinator", "but", "so", "subordinator", "then", "degree"}
)
"""Classes of words that are written with a capital for their place alone, whatever follows."""


def upper_first(text: str) -> str:
    """Return a text as it is written at an opening: in small letters it takes a capital, "iPhone" stays."""
    return text[:1].upper() + text[1:] if text == text.lower() else text


def lower_first(text: str) -> str:
    """Return the text with its first character as a small letter."""
    return text[:1].lower() + text[1:]


def is_capitalised(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001  (signature of a property)
    """Return where a form begins with a capital."""
    return np.fromiter((text[:1].isupper() for text in texts), bool, len(texts))


def never_a_name(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001
    """Return where a form is a word of grammar, of which no name is the first word unless an article opens it.

    Example:
        >>> never_a_name(Vocabulary(), ["When", "Great", "Will"]).tolist()
        [True, False, False]
    """
    words = listed_words()
    return np.fromiter((words.get(text.lower(), "") in _GRAMMAR for text in texts), bool, len(texts))


@cache
def _ambiguous() -> frozenset[str]:
    """Return words in small letters that are names too ("mark")."""
    return frozenset(word for row in rows_of("disfluency.tsv") if row[0] == "either" for word in row[1].split())


@dataclass(frozen=True, eq=False)
class Case:
    """Property of a type: its case is its own (`NAME`), its capital is its place's (`COMMON`), or nobody knows.

    Names are told from common words by how a pool of text writes them where no sentence begins.
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

    def __call__(self, vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG002
        """Return int8 for each text."""
        kinds = (self._of(text) if text[:1].isupper() else NAME for text in texts)
        return np.fromiter(kinds, np.int8, len(texts))

    def _of(self, text: str) -> int:
        """Return the class of one text that begins with a capital."""
        if text[1:] != text[1:].lower() or text == "I":
            return NAME
        lower = text.lower()
        small, name = self.lower.get(lower, 0), self.name.get(text, 0)
        if small < name:
            return NAME
        if lower in _ambiguous() or (small == name and lower not in listed_words()):
            return UNKNOWN
        return COMMON
