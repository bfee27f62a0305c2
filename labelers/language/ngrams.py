"""Where the n-grams of a text begin and end, and which of its words open a segment.

An n-gram starts and stops where a writer leaves a space: it is made of units ("don't", "well-known", "Mr."), holds
commas and dashes between them, and never a sentence-final mark, a quote, a bracket or a transcriber's mark.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.shapes import listed_words
from labelers.language.words import Form, form_flags, transcript_marks
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.vocabulary import Vocabulary

__all__ = ["Ngrams", "casefold", "common_words"]


def casefold(vocabulary: Vocabulary, new: slice) -> IntArray:
    """Return the code of each type in lower case: what two words must share to count as the same word."""
    folded = map(str.casefold, vocabulary.texts[new])
    return vocabulary.encode(text if text.isascii() else text.replace("\u2019", "'") for text in folded)


@cache
def common_words() -> frozenset[str]:
    """Return words that are no names, whatever their case: those of the package's word classes."""
    return frozenset(listed_words())


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

    @cached_property
    def opens(self) -> BoolArray:
        """Bool [N]: it is the first word of a segment, which only marks stand before."""
        opens = np.zeros(len(self.flags), bool)
        words = np.flatnonzero(self.word)
        place = np.searchsorted(words, np.flatnonzero(self.first))
        opens[words[place[place < np.append(place[1:], len(words))]]] = True
        return opens

    def inside(self, positions: IntArray) -> BoolArray:
        """Return where a word or a comma stands directly before a token in its segment: a capital there is its own."""
        before = self.word.take(positions - 1) | (self.flags.take(positions - 1) & Form.COMMA.value > 0)
        inside: BoolArray = before & ~(self.first | self.opens).take(positions)
        return inside
