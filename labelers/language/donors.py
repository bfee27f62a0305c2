"""N-grams of other documents, to be inserted where they repeat nothing that stands there."""

from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.borders import Gaps, Words
from labelers.language.casing import COMMON, NAME, UNKNOWN, Case, Letters, letters
from labelers.language.fluency import disfluent_segments, is_hesitation
from labelers.language.ngrams import Ngrams, casefold
from labelers.language.words import Form
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total

__all__ = ["REMAIN", "Donors", "Marked", "Places", "Text"]

REMAIN = 3
"""Words that deletions leave of a segment, at least."""

_TRIES = (0, 1, 2, 4, 8, 16, 32)  # rounds of n-grams of the pool tried for one place, before it gets a repeat
_CONTEXT = 3  # words on either side in which an insertion must make no repetition


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
class Text:
    """A batch, or the pool, with its n-grams."""

    batch: PassageBatch
    ngrams: Ngrams
    case: Case

    @classmethod
    def of(cls, batch: PassageBatch, case: Case, longest: int) -> "Text":
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
    def borders(self) -> Words:
        """All tokens, as borders of n-grams."""
        return Words(self.batch.vocabulary, self.batch.vocabulary.derived(casefold).take(self.batch.codes))

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


@dataclass(frozen=True)
class Places:
    """E places to corrupt, at the first tokens of units, in the order of the text."""

    units: IntArray
    """First unit of each n-gram."""
    segments: IntArray
    """Segment of each place."""
    keys: npt.NDArray[np.uint64]
    """Row key of each place."""
    index: IntArray
    """Number of each place in its row, for draws."""
    ends: IntArray
    """Where the next place of the segment stands, or the text ends."""


@dataclass(frozen=True)
class Donors:
    """Draws the foreign n-grams of one batch."""

    text: Text
    pool: Text
    draws: Draws
    longest: int
    """Tokens of the longest n-gram."""
    avoid: Avoid | None
    """bool per type: forms that may not be inserted."""

    def draw(
        self, places: Places, wanted: BoolArray, copied: IntArray, room: IntArray, single: BoolArray
    ) -> tuple[IntArray, IntArray]:
        """Draw a foreign n-gram for each place that wants one, uniformly over the pool's tokens.

        Args:
            places: E places.
            wanted: bool [E].
            copied: int64 [E]: global position behind the copy that stands before it; the place itself without one.
            room: int64 [E]: tokens that it may have.
            single: bool [E]: it is one unit, however much room there is.

        Returns:
            Its positions [start, end) in the pool; -1 where none is wanted, or none of a few draws fits.
        """
        start, end = np.full(len(room), -1), np.full(len(room), -1)
        pool, candidates = self.pool.ngrams, self.pool.fluent
        place = self.text.ngrams.start[places.units]
        behind_copy = copied != place  # there nothing passes for a part of the sentence: the copied words follow again
        gaps = self._gaps(place, places.segments)
        wanted = wanted & (behind_copy | gaps.open)
        for tries in map(np.arange, _TRIES[:-1], _TRIES[1:]):
            todo = np.repeat(np.flatnonzero(wanted & (start < 0)), len(tries))
            if not len(todo) or not len(candidates):
                break
            index = places.index[todo] * _TRIES[-1] + np.resize(tries, len(todo))
            units = candidates[self.draws.integers("donor", places.keys[todo], len(candidates), index)]
            first = pool.start[units]
            last = pool.last(units, first + room[todo])
            last = np.where(single[todo], np.minimum(last, units), last)
            behind = pool.end[np.maximum(last, units)]
            seen = gaps.stands_out(todo, self.pool.borders, first, behind - 1)
            fits = (last >= units) & (behind_copy[todo] | seen)
            todo, first, behind = todo[fits], first[fits], behind[fits]
            fits = self._is_foreign(places.segments[todo], first, behind)
            fits &= ~self._echoes(*self._around(places, todo, copied[todo]), first, behind)
            made = np.flatnonzero(fits)[::-1]  # of several tries that fit, the first is written last
            start[todo[made]], end[todo[made]] = first[made], behind[made]
        return start, end

    def _gaps(self, place: IntArray, segments: IntArray) -> Gaps:
        """Return the gaps before the places: a word before one counts if it stands directly there."""
        words = self.text.ngrams.word.take(place - 1) & ~self.text.ngrams.first.take(place)
        before = np.where(words, self.text.near(place, -1, segments), -1)
        vocabulary = self.text.batch.vocabulary
        return Gaps(Words(vocabulary, before), Words(vocabulary, self.text.keys(place)))

    def _around(self, places: Places, which: IntArray, copied: IntArray) -> tuple[IntArray, IntArray]:
        """Return int64 [E, 4] twice: the words around the gap before ``copied``, and around that before the place.

        They are the last three before the first gap and one behind it, and one before the second and three behind it.
        """
        place, segments = self.text.ngrams.start[places.units[which]], places.segments[which, None]
        offsets = np.arange(-_CONTEXT, _CONTEXT)
        left = self.text.near(copied[:, None], offsets[: _CONTEXT + 1], segments)
        return left, self.text.near(place[:, None], offsets[_CONTEXT - 1 :], segments)

    def _is_foreign(self, segments: IntArray, first: IntArray, behind: IntArray) -> BoolArray:
        """Return where [first, behind) of the pool is of another document, and holds no form to be avoided."""
        own, theirs = self._documents
        foreign: BoolArray = own[self.text.batch.segment_rows[segments]] != theirs[self.pool.batch.rows[first]]
        if self.avoid is not None:
            foreign = foreign & (self._avoided[first] == self._avoided[behind])
        return foreign

    @cached_property
    def _avoided(self) -> IntArray:
        """int64 [N + 1]: forms to be avoided before each position of the pool."""
        codes = self.pool.batch.codes
        return running_total(np.zeros(len(codes), bool) if self.avoid is None else self.avoid(codes))

    @cached_property
    def _documents(self) -> tuple[IntArray, IntArray]:
        """Numbers of the documents of the batch's and of the pool's rows, -1 for one that the pool does not hold."""
        numbers, theirs = self.pool.documents
        own = map(numbers.get, self.text.batch.documents, repeat(-1))
        return np.fromiter(own, np.int64, len(self.text.batch)), theirs

    def _echoes(self, left: IntArray, right: IntArray, first: IntArray, behind: IntArray) -> BoolArray:
        """Return where an n-gram of the pool would repeat what stands around it.

        It would if one to three tokens followed themselves, or if its first or last word were that of a neighbour, so
        that nobody could tell which of the two was inserted. The words around it are given as by `_around`.
        """
        width, size = self.longest, behind - first
        inside = self.pool.keys(np.minimum(first[:, None] + np.arange(width), behind[:, None] - 1))
        columns = np.concatenate([left[:, :-1], inside, right[:, 1:]], axis=1)  # [E, 3 + width + 3]
        # close the gap behind n-grams shorter than width
        at = np.arange(columns.shape[1])
        at = np.where(at < _CONTEXT + size[:, None], at, at + width - size[:, None])
        keys = np.take_along_axis(columns, np.minimum(at, columns.shape[1] - 1), axis=1)
        none = (at >= columns.shape[1]) | (keys < 0)
        keys = np.where(none, -1 - np.arange(columns.shape[1]), keys)
        # the words on both sides of either gap
        neighbours = np.concatenate([left[:, -2:], right[:, :2]], axis=1)
        echo = (neighbours == inside[:, :1]).any(axis=1) | (neighbours == inside[:, -1:]).any(axis=1)
        for period in range(1, _CONTEXT + 1):
            echo |= _repeats(keys, period)
        result: BoolArray = echo
        return result


def _repeats(keys: IntArray, period: int) -> BoolArray:
    """Return bool [E]: rows of keys [E, K] in which ``period`` keys follow themselves at once."""
    same = keys[:, period:] == keys[:, :-period]
    run = np.ones((len(keys), max(same.shape[1] - period + 1, 0)), bool)
    for i in range(period):
        run &= same[:, i : i + run.shape[1]]
    return np.asarray(run.any(axis=1))
