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
from labelers.language.words import Form, form_flags, transcript_marks
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary, running_total

__all__ = [
    "Case",
    "Ngrams",
    "Part",
    "casefold",
    "common_words",
    "part_in_phrase",
    "upper_first",
]


def casefold(vocabulary: Vocabulary, texts: Sequence[str]) -> IntArray:
    """Return the code of each type in lower case: what two words must share to count as the same word."""
    folded = map(str.casefold, texts)
    return vocabulary.encode(text if text.isascii() else text.replace("\u2019", "'") for text in folded)


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
    listed, folded = _listed_parts(), map(str.casefold, texts)
    parts = (listed[text] if text in listed else _part_by_ending(text) for text in folded)
    return np.fromiter(parts, np.uint8, len(texts))


@cache
def _listed_parts() -> dict[str, Part]:
    """Return the part of each word, in lower case, whose ending does not decide it."""
    parts = {text: _part(text, name) for text, name in listed_words().items()}
    return dict.fromkeys(_OPENERS, Part.GRAMMAR | Part.OPENS) | parts | dict.fromkeys(_GENITIVES, Part(0))


def _part(text: str, name: str) -> Part:
    """Return the part of a listed word, given its class."""
    part = _PARTS_OF_CLASSES.get(name, Part(0)) | (Part.ADVERB if text in _PARTICLES else Part(0))
    part |= Part.OPENS if text in _OPENERS else Part(0)
    return part if name in _LEXICAL else part | Part.GRAMMAR


def _part_by_ending(text: str) -> Part:
    """Return the part of any other word in lower case."""
    if not text.endswith(("ing", "ly")) or len(text) <= _SHORTEST_STEM or not text.isalpha():
        return _CONTENT
    return Part.OPENS if text.endswith("ing") else Part.ADVERB


_CONTENT = Part(0)
_SHORTEST_STEM = 4  # "king", "only"


def _joined(flags: IntArray, spaces: BoolArray) -> BoolArray:
    """Return bool [N]: tokens that are of one unit with the token before them, given the `Form` of each."""
    joined, stop = np.zeros(len(flags), bool), flags & Form.STOP.value > 0
    joined[1:] = ~(spaces[:-1] | stop[:-1] | stop[1:])
    joined[1:] |= ((flags[1:] & Form.LEFT.value) | (flags[:-1] & Form.RIGHT.value)) > 0
    return joined


@dataclass(frozen=True)
class Ngrams:
    """The U units of a batch, in the order of the text, and the bars that no n-gram crosses."""

    flags: npt.NDArray[np.uint16]
    """uint16 [N]: the `Form` of each token."""
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
    bar: BoolArray
    """bool [N]: no n-gram holds it or, where it is the first of a segment, crosses its left edge."""

    @classmethod
    def of(cls, batch: PassageBatch, bar: BoolArray, longest: int) -> Self:
        """Find the units of a batch.

        Args:
            batch: P passages.
            bar: bool per type: further forms that no n-gram holds.
            longest: longer units (in tokens) are left out.
        """
        flags = batch.vocabulary.property(form_flags).take(batch.codes)
        marks = transcript_marks(batch, flags)
        hesitation = bar.take(batch.codes) | marks
        barred = ((flags & Form.BAR.value) > 0) | hesitation
        word = ((flags & Form.WORD.value) > 0) & ~marks
        first = np.zeros(len(flags), bool)
        first[batch.segments] = True
        opens = first | ~_joined(flags, batch.spaces)
        start = np.flatnonzero(opens)
        end = np.append(start[1:], len(flags))[: len(start)]
        whole = (word & ~barred).take(start)
        several = np.flatnonzero(end - start > 1)
        whole[several] &= word[end[several] - 1] & (end[several] - start[several] <= longest)
        whole[np.searchsorted(start, np.flatnonzero(barred & ~opens)) - 1] = False
        units = np.flatnonzero(whole)
        return cls(flags, word, hesitation, first, start.take(units), end.take(units), first | barred)

    def run_end(self, units: IntArray) -> IntArray:
        """Return the global position at which an n-gram that begins with each unit must have ended."""
        positions, before = self._bars
        end: IntArray = positions[before[self.start[units] + 1]]
        return end

    def last(self, units: IntArray, limit: IntArray) -> IntArray:
        """Return the last unit of the longest n-gram from each unit that ends at the limit or before it.

        It is the unit before the given one where even that is too long.
        """
        limit = np.minimum(limit, self.run_end(units))
        last: IntArray = np.maximum(self._ended[limit] - 1, units - 1)
        return last

    @cached_property
    def _bars(self) -> tuple[IntArray, IntArray]:
        """The positions of bars, N behind them, and int64 [N + 1]: how many stand before each position."""
        return np.append(np.flatnonzero(self.bar), len(self.bar)), running_total(self.bar)

    @cached_property
    def _ended(self) -> IntArray:
        """int64 [N + 1]: units that end at each position or before it."""
        ends = np.zeros(len(self.flags), bool)
        ends[self.end - 1] = True
        return running_total(ends)

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
        kinds = (self._of(text) if text[:1].isupper() else 0 for text in texts)
        return np.fromiter(kinds, np.int8, len(texts))

    def _of(self, text: str) -> int:
        """Return the class of one text that begins with a capital."""
        if text[1:] != text[1:].lower() or text == "I":
            return 0
        lower = text.lower()
        small, name = self.lower.get(lower, 0), self.name.get(text, 0)
        if small != name:
            return int(small > name)
        return 1 if lower in common_words() else 2
