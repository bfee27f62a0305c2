"""N-grams of other documents, to be inserted where they repeat nothing that stands there."""

from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.borders import BorderWords, Gaps
from labelers.language.material import Material
from labelers.ragged import BoolArray, IntArray, running_total

__all__ = ["Donors", "Places"]

_TRIES = (0, 1, 2, 4, 8, 16, 32)  # rounds of n-grams of the pool tried for one place, before it gets a repeat
_CONTEXT = 3  # words on either side in which an insertion must make no repetition


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

    text: Material
    pool: Material
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
        return Gaps(BorderWords(vocabulary, before), BorderWords(vocabulary, self.text.keys(place)))

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
        that it is impossible to say which of the two was inserted. The words around it are given as by `_around`.
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
