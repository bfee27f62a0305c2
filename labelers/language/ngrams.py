"""Where the n-grams of a text begin and end, and which of its words may change their case.

An n-gram starts and stops where a writer leaves a space: it is made of units ("don't", "well-known", "Mr."), holds
commas and dashes between them, and never a sentence-final mark, a quote, a bracket or a transcriber's mark.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import cache, cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.shapes import listed_words
from labelers.language.words import is_clitic, is_word, transcript_marks
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = [
    "Case",
    "Form",
    "Ngrams",
    "Part",
    "casefold",
    "common_words",
    "form_flags",
    "part_in_phrase",
    "upper_first",
]

_LIGHT = frozenset({",", ";", ":", "--", "---", "\u2013", "\u2014", "&", "%", "°", "$", "£", "€", "#", "+", "="})
_HYPHENS = frozenset(
    {"-", "\u2010", "\u2011", "/"}
)  # as a token they join what stands around them, whatever the spaces


class Form(IntFlag):
    """What the form of a type tells of its part in an n-gram."""

    WORD = 1
    """A word, not a transcriber's mark."""
    BAR = 2
    """No n-gram holds it."""
    STOP = 4
    """It parts what it touches, even where no space stands."""
    LEFT = 8
    """It belongs to the token before it."""
    RIGHT = 16
    """It belongs to the token behind it."""
    CAPS = 32
    """Two or more letters, all of them capitals."""


def form_flags(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return the `Form` of each type.

    Example:
        >>> [Form(int(flags)).name for flags in form_flags(Vocabulary(), ["cat", ",", "-", '"', "'s", "NASA"])]
        ['WORD', 'STOP', 'LEFT|RIGHT', 'BAR|STOP', 'WORD|LEFT', 'WORD|CAPS']
    """
    return np.array([_form(text) for text in texts], np.uint8) | is_word(vocabulary, texts)


def _form(text: str) -> Form:
    """Return all flags of a text but WORD."""
    if text.islower() and text.isalpha():  # most types
        return _PLAIN
    if any(map(str.isalnum, text)):
        if is_clitic(text):
            return Form.LEFT
        return Form.CAPS if text.isupper() and sum(map(str.isalpha, text)) > 1 else _PLAIN
    if text in _HYPHENS:
        return _JOINS
    return Form.STOP if text in _LIGHT else _PARTS


_PLAIN, _JOINS, _PARTS = Form(0), Form.LEFT | Form.RIGHT, Form.STOP | Form.BAR


def casefold(vocabulary: Vocabulary, texts: Sequence[str]) -> IntArray:
    """Return the code of each type in lower case: what two words must share to count as the same word."""
    return vocabulary.encode(text.casefold().replace("\u2019", "'") for text in texts)


def upper_first(text: str) -> str:
    """Return the text with its first character as a capital."""
    return text[:1].upper() + text[1:]


@cache
def common_words() -> frozenset[str]:
    """Return words that are no names, whatever their case: those of the package's word classes."""
    return frozenset(listed_words())


class Part(IntFlag):
    """What the form of a word tells of its part in a phrase."""

    GRAMMAR = 1
    """A word of grammar: it does not end a phrase, unless it is a pronoun."""
    ARTICLE = 2
    """An article, a possessive or the like: a noun is to follow."""
    OPENS = 4
    """It opens a phrase that may be added to a sentence: a preposition, "to", a subordinator or an -ing form."""
    ADVERB = 8
    """An adverb or a particle."""
    EDGE = 16
    """No word at all: a segment begins."""
    LINK = 32
    """A coordinator or the like: it may open a sentence."""


_PARTS_OF_CLASSES = {
    "article": Part.ARTICLE,
    "possessive": Part.ARTICLE,
    "this": Part.ARTICLE,
    "quantity": Part.ARTICLE,
    "preposition": Part.OPENS,
    "to": Part.OPENS,
    "of": Part.OPENS,
    "subordinator": Part.OPENS,
    "coordinator": Part.LINK,
    "but": Part.LINK,
    "so": Part.LINK | Part.ADVERB,
    "filler": Part.LINK,
    "then": Part.ADVERB,
    "degree": Part.ADVERB,
    "time": Part.ADVERB,
}
_LEXICAL = frozenset({"past", "gone", "base", "third", "number", "time", "say"})
"""Classes of words that are none of grammar."""
_GENITIVES = frozenset({"'s", "\u2019s"})
"""They end a word that stands before a noun; verbs that look the same are rarer."""
_OPENERS = frozenset({"like", "unlike", "except", "concerning", "regarding"})
"""Words that open a phrase as prepositions do, though their class is another one."""
_PARTICLES = frozenset({"on", "in", "out", "off", "up", "down", "over", "away", "back", "about", "through", "along"})


def part_in_phrase(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint8]:  # noqa: ARG001
    """Return the `Part` of each type, whatever its case.

    Example:
        >>> [Part(int(part)).name for part in part_in_phrase(Vocabulary(), ["The", "with", "gate", "slowly", "On"])]
        ['GRAMMAR|ARTICLE', 'GRAMMAR|OPENS', None, 'ADVERB', 'GRAMMAR|OPENS|ADVERB']
    """
    return np.array([_part(text.casefold()) for text in texts], np.uint8)


def _part(text: str) -> Part:
    """Return the part of one word in lower case."""
    name = None if text in _GENITIVES else listed_words().get(text)
    if name is None and text in _OPENERS:
        return Part.GRAMMAR | Part.OPENS
    if name is None:
        ending = Part.OPENS if text.endswith("ing") else Part.ADVERB if text.endswith("ly") else Part(0)
        return ending if text.isalpha() and len(text) > _SHORTEST_STEM else Part(0)
    part = _PARTS_OF_CLASSES.get(name, Part(0)) | (Part.ADVERB if text in _PARTICLES else Part(0))
    part |= Part.OPENS if text in _OPENERS else Part(0)
    return part if name in _LEXICAL else part | Part.GRAMMAR


_SHORTEST_STEM = 4  # "king", "only"


def _until(positions: IntArray, n: int) -> IntArray:
    """Return int64 [n + 1]: how many of the given distinct positions, n at most, do not lie behind each position.

    Example:
        >>> _until(np.array([1, 3]), 3).tolist()
        [0, 1, 1, 2]
    """
    marks = np.zeros(n + 1, np.int64)
    marks[positions] = 1
    return np.cumsum(marks, out=marks)


@dataclass(frozen=True)
class Ngrams:
    """The U units of a batch, in the order of the text, and the bars that no n-gram crosses."""

    flags: npt.NDArray[np.uint8]
    """uint8 [N]: the `Form` of each token."""
    word: BoolArray
    """bool [N]: it is a word and stands in no transcriber's mark."""
    hesitation: BoolArray
    """bool [N]: it is of a form given as a bar, or stands in a transcriber's mark."""
    first: BoolArray
    """bool [N]: it opens a segment."""
    start: IntArray
    """int64 [U]: global position of each unit's first token."""
    end: IntArray
    """int64 [U]: global position behind its last token."""
    bars: IntArray
    """int64: positions that no n-gram holds or, being the first of a segment, crosses; the last one is N."""

    @classmethod
    def of(cls, batch: PassageBatch, bar: BoolArray, longest: int) -> Self:
        """Find the units of a batch.

        Args:
            batch: P passages.
            bar: bool per type: further forms that no n-gram holds.
            longest: longer units (in tokens) are left out.
        """
        n = len(batch.codes)
        flags = batch.vocabulary.property(form_flags).take(batch.codes)
        marks = transcript_marks(batch)
        hesitation = bar.take(batch.codes) | marks
        barred = ((flags & Form.BAR.value) > 0) | hesitation
        word = ((flags & Form.WORD.value) > 0) & ~marks
        first = np.zeros(n, bool)
        first[batch.segments] = True
        joined = np.zeros(n, bool)
        stop = (flags & Form.STOP.value) > 0
        joined[1:] = ~(batch.spaces[:-1] | stop[:-1] | stop[1:])
        joined[1:] |= ((flags[1:] & Form.LEFT.value) | (flags[:-1] & Form.RIGHT.value)) > 0
        start = np.flatnonzero(~joined | first)
        end = np.append(start[1:], n)[: len(start)]
        whole = word[start] & word[end - 1] & (end - start <= longest) & ~np.logical_or.reduceat(barred, start)
        units, bars = np.flatnonzero(whole), np.append(np.flatnonzero(first | barred), n)
        return cls(flags, word, hesitation, first, start[units], end[units], bars)

    def run_end(self, units: IntArray) -> IntArray:
        """Return the global position at which an n-gram that begins with each unit must have ended."""
        return self.bars[self._bars_until[self.start[units]]]

    def last(self, units: IntArray, limit: IntArray) -> IntArray:
        """Return the last unit of the longest n-gram from each unit that ends at the limit or before it.

        It is the unit before the given one where even that is too long.
        """
        limit = np.minimum(limit, self.run_end(units))
        last: IntArray = np.maximum(self._ends_until[limit] - 1, units - 1)
        return last

    @cached_property
    def _bars_until(self) -> IntArray:
        """int64 [N + 1]: bars at each position and before it."""
        return _until(self.bars, len(self.flags))

    @cached_property
    def _ends_until(self) -> IntArray:
        """int64 [N + 1]: units that end at each position or before it."""
        return _until(self.end, len(self.flags))

    def capital(self, batch: PassageBatch, units: IntArray) -> BoolArray:
        """Return where a unit opens a sentence, a quotation or the like: its capital may be the place's."""
        before = np.maximum(self.start[units] - 1, 0)
        comma = batch.vocabulary.find(",")
        opens: BoolArray = self.first[self.start[units]] | (~self.word[before] & (batch.codes[before] != comma))
        return opens


@dataclass(frozen=True, eq=False)
class Case:
    """Property of a type: 0 its case is its own, 1 its capital is its place's (a common word), 2 nobody knows.

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
        word = pool.vocabulary.property(is_word)[pool.codes]
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
        return np.fromiter((self._of(text) for text in texts), np.int8, len(texts))

    def _of(self, text: str) -> int:
        """Return the class of one text."""
        if not text[:1].isupper() or text[1:] != text[1:].lower() or text == "I":
            return 0
        small, name = self.lower.get(text.lower(), 0), self.name.get(text, 0)
        if small != name:
            return int(small > name)
        return 1 if text.lower() in common_words() else 2
