"""A batch, or the pool, as the material of disfluencies: which n-grams may be repeated, moved elsewhere or removed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labelers.language.borders import BorderWords
from labelers.language.casing import COMMON, NAME, UNKNOWN, Case, Letters, letters
from labelers.language.fluency import disfluent_segments, is_hesitation
from labelers.language.ngrams import Ngrams, casefold
from labelers.language.words import Form
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total

__all__ = ["REMAIN", "Marked", "Material"]

REMAIN = 3
"""Words that deletions leave of a segment, at least."""


@dataclass(frozen=True)
class Marked:
    """Some of the units of a text."""

    units: IntArray
    """int64: which, rising."""
    offsets: IntArray
    """int64 [S + 1]: those of segment i are ``units[offsets[i]:offsets[i + 1]]``."""

    @property
    def some(self) -> BoolArray:
        """Bool [S]: segments that hold one or more."""
        some: BoolArray = self.offsets[1:] > self.offsets[:-1]
        return some


@dataclass(frozen=True)
class Material:
    """A batch or the pool, with its n-grams and what can be done to them."""

    batch: PassageBatch
    ngrams: Ngrams
    case: Case

    @classmethod
    def of(cls, batch: PassageBatch, case: Case, longest: int) -> "Material":
        """Find the n-grams of a batch; units of more than ``longest`` tokens are left out."""
        return cls(batch, Ngrams.of(batch, batch.vocabulary.property(is_hesitation), longest), case)

    @cached_property
    def words(self) -> IntArray:
        """int64: global positions of the words."""
        return np.flatnonzero(self.ngrams.word)

    @cached_property
    def documents(self) -> tuple[dict[str, int], IntArray]:
        """The number of each document, and int64 [P]: that of each row's."""
        numbers: dict[str, int] = {}
        rows = [numbers.setdefault(document, len(numbers)) for document in self.batch.documents]
        return numbers, np.array(rows, np.int64)

    @cached_property
    def borders(self) -> BorderWords:
        """All tokens, as borders of n-grams."""
        return BorderWords(self.batch.vocabulary, self.batch.vocabulary.derived(casefold).take(self.batch.codes))

    @cached_property
    def _words_before(self) -> IntArray:
        """int64 [N + 1]: words before each position."""
        return running_total(self.ngrams.word)

    @cached_property
    def settled(self) -> Marked:
        """Units whose capital, if they have one, is known to be theirs or their place's.

        Behind a word it is theirs. Where it opens the segment the word tells, unless a name of several words may begin
        ("Great Britain"); behind a colon, a dash or a quote nobody knows.
        """
        start, codes = self.ngrams.start, self.batch.codes
        settled = np.ones(len(start), bool)
        asked = np.flatnonzero(self.shaped(start, Letters.CAPITAL))
        asked = asked[~self.ngrams.inside(start[asked])]
        at = start[asked]
        several = self.shaped(np.minimum(at + 1, len(codes) - 1), Letters.NAMES) & ~self.shaped(at, Letters.GRAMMAR)
        cases = self.cases(at)
        settled[asked] = self.ngrams.opens.take(at) & (cases != UNKNOWN) & ((cases == NAME) | ~several)
        return self._marked(settled)

    def shaped(self, positions: IntArray, asked: Letters) -> BoolArray:
        """Return which tokens have one of the letters asked for."""
        shaped: BoolArray = (
            self.batch.vocabulary.derived(letters).take(self.batch.codes.take(positions)) & asked.value > 0
        )
        return shaped

    def movable(self, positions: IntArray) -> BoolArray:
        """Return where a capital is the place's alone: a common word that opens its segment."""
        movable: BoolArray = self.ngrams.opens.take(positions) & (self.cases(positions) == COMMON)
        return movable

    @cached_property
    def removable(self) -> Marked:
        """Units from which a deletion may start.

        A word stands before it, so that no punctuation is left doubled; or it opens the segment and another unit of
        its run can take its place.
        """
        ngrams = self.ngrams
        opens = ngrams.first.take(ngrams.start)
        behind_word = ngrams.word.take(ngrams.start - 1) & ~opens
        first = np.flatnonzero(opens)
        behind_word[first[self.last_of_run(first) > first]] = True
        return self._marked(behind_word & (ngrams.end - ngrams.start <= REMAIN))

    def _marked(self, units: BoolArray) -> Marked:
        """Return the units marked in bool [U]."""
        marked, segments = np.flatnonzero(units), self.batch.segments
        offsets = np.searchsorted(self.ngrams.start.take(marked), np.append(segments, len(self.batch.codes)))
        return Marked(marked, offsets)

    def last_of_run(self, units: IntArray) -> IntArray:
        """Return the last unit that an n-gram from each unit can reach."""
        return self.ngrams.last(units, np.full(len(units), len(self.batch.codes)))

    @cached_property
    def fluent(self) -> IntArray:
        """int64: settled units of segments that are neither disfluent nor written in capitals.

        A word of grammar with a capital inside a segment is left out: there a sentence began unseen.
        """
        bad, units = self.disfluent | self.shouted, self.settled.units
        start = self.ngrams.start[units]
        unseen = (
            self.shaped(start, Letters.GRAMMAR) & self.shaped(start, Letters.NAMES) & ~self.ngrams.opens.take(start)
        )
        fluent: IntArray = units[~(bad[self.batch.token_segments[start]] | unseen)]
        return fluent

    @cached_property
    def disfluent(self) -> BoolArray:
        """Bool [S]: segments that are disfluent as they stand."""
        return disfluent_segments(self.batch, self.ngrams.word, self.ngrams.hesitation)

    @cached_property
    def shouted(self) -> BoolArray:
        """Bool [S]: segments most words of which are written in capitals."""
        capitals = np.flatnonzero(self.ngrams.flags & Form.CAPS.value)
        count = np.bincount(self.batch.token_segments[capitals], minlength=len(self.batch.segments))
        shouted: BoolArray = 2 * count > self.length
        return shouted

    @cached_property
    def length(self) -> IntArray:
        """int64 [S]: words of each segment."""
        length: IntArray = self._words_before[self.batch.segment_ends] - self._words_before[self.batch.segments]
        return length

    def cases(self, positions: IntArray) -> npt.NDArray[np.int8]:
        """Return int8 per global position: see `labelers.language.casing.Case`."""
        cases: npt.NDArray[np.int8] = self.batch.vocabulary.derived(self.case).take(self.batch.codes.take(positions))
        return cases

    def keys(self, positions: IntArray) -> IntArray:
        """Return the lower-case code of each global position."""
        return self.batch.vocabulary.derived(casefold).take(self.batch.codes.take(positions))

    def near(self, gaps: IntArray, offset: IntArray | int, segments: IntArray) -> IntArray:
        """Return the key of the word ``offset`` words right of the gap before each position, in the given segment.

        0 is the first word at or behind the gap, -1 the last before it; a negative key stands for none.
        """
        ranks = self._words_before[gaps] + offset
        places = self.words[np.clip(ranks, 0, len(self.words) - 1)]
        inside = (ranks >= 0) & (ranks < len(self.words)) & (self.batch.token_segments[places] == segments)
        return np.where(inside, self.keys(places), -1)
