"""Making text disfluent: n-grams repeated, begun with another word, inserted or deleted at places drawn at random."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.draws import Draws
from labelers.edits import Edits
from labelers.labeler import Avoid
from labelers.language.casing import Letters, letters, lower_first, upper_first
from labelers.language.donors import Donors, Places
from labelers.language.fluency import by_text, may_stand_twice
from labelers.language.material import REMAIN, Marked, Material
from labelers.language.words import Form
from labelers.ragged import BoolArray, FloatArray, IntArray, ranges, running_total

__all__ = ["Corruptor", "Profile", "weighted"]

_REPEAT, _SUBSTITUTE, _INSERT = range(3)
_KEPT, _ADDED, _INTERREGNUM = range(3)  # tags of written tokens: O, D, I


@dataclass(frozen=True)
class Profile:
    """How repairs are drawn; empty weights stand for equal ones."""

    kinds: tuple[float, float, float]
    """Weights of a repeat, of a repeat whose last word is another one, and of a foreign n-gram."""
    lengths: tuple[float, ...] = ()
    """Weights of 1, 2, ... tokens."""
    counts: tuple[float, ...] = ()
    """Weights of 1, 2, ... places in a corrupted segment."""
    opening: float = 0.0
    """Share of places that are drawn from the first two (of those left); 0: no such preference."""


@dataclass(frozen=True)
class Corruptor:
    """Makes the edits of one batch."""

    text: Material
    donors: Donors | None
    """Where foreign n-grams come from; without any, every addition is a repeat."""
    draws: Draws
    profile: Profile
    max_places: int
    max_ngram: int
    interregnum: float
    """Share of additions behind which an editing phrase stands."""
    avoid: Avoid | None
    """bool per type: forms that may not be inserted."""

    def add(self, segments: IntArray) -> tuple[Edits, npt.NDArray[np.int8]]:
        """Return the additions to the given segments, and the tag (O, D, I) of each token that they write."""
        places = self._places(segments)
        units, ngrams = places.units, self.text.ngrams
        start, size = ngrams.start[units], self._sizes(places.keys, places.index)
        last = np.maximum(ngrams.last(units, np.minimum(start + size, places.ends)), units)
        plain = self._repeatable(places, last)
        kind = self._kinds(places, plain)
        copied = np.choose(kind, (ngrams.end[last], ngrams.start[last], start))
        # a substitute is one unit, in the room that its copy leaves
        room = np.where(kind == _SUBSTITUTE, self.max_ngram - (copied - start), size)
        donor = self._foreign(places, kind, copied, room)
        failed = (kind != _REPEAT) & (donor[0] < 0)  # nothing foreign fits: a repeat may
        copied = np.where(failed, ngrams.end[last], copied)
        made = np.where(failed | (kind == _REPEAT), plain, True)
        return self._written(places, copied, donor, np.flatnonzero(made))

    def _places(self, segments: IntArray) -> Places:
        """Draw the places of additions in the given segments."""
        batch, ngrams = self.text.batch, self.text.ngrams
        units, segment = self._units(segments, self.text.settled)
        chosen, rank = np.nonzero(units >= 0)
        starts = np.where(units >= 0, ngrams.start[units], len(batch.codes))
        ends = np.append(starts, np.full((len(units), 1), len(batch.codes)), axis=1)[:, 1:]
        rows = batch.segment_rows[segments]
        return Places(
            units[chosen, rank],
            segments[chosen],
            batch.keys[rows[chosen]],
            segment[chosen] * self.max_places + rank,
            ends[chosen, rank],
        )

    def _units(self, segments: IntArray, allowed: Marked) -> tuple[IntArray, IntArray]:
        """Draw distinct allowed units in each of C segments.

        Returns:
            int64 [C, max_places], ascending, -1 behind the last; int64 [C], the number of each segment in its row.
        """
        batch = self.text.batch
        candidates, first = np.append(allowed.units, -1), allowed.offsets[segments]
        count = allowed.offsets[segments + 1] - first
        rows = batch.segment_rows[segments]
        number = segments - batch.segment_offsets[rows]
        ranks = self._ranks(batch.keys[rows], number, count)
        inside = ranks < count[:, None]
        return np.where(inside, candidates[np.where(inside, first[:, None] + ranks, -1)], -1), number

    def _ranks(self, keys: npt.NDArray[np.uint64], number: IntArray, count: IntArray) -> IntArray:
        """Draw 1 to max_places distinct ranks below each count: int64 [C, max_places], ascending, then count itself."""
        wanted = 1 + weighted(
            self.draws.uniform("places", keys, number),
            self.profile.counts[: self.max_places] or (1.0,) * self.max_places,
        )
        ranks = np.broadcast_to(count[:, None], (len(count), self.max_places)).copy()
        for place in range(self.max_places):
            index = number * self.max_places + place
            rank = self._rank(keys, index, np.maximum(count - place, 0))
            for earlier in np.sort(ranks[:, :place], axis=1).T:
                rank = rank + (rank >= earlier)
            ranks[:, place] = np.where((place < wanted) & (place < count), rank, count)
        return np.sort(ranks, axis=1)

    def _rank(self, keys: npt.NDArray[np.uint64], index: IntArray, count: IntArray) -> IntArray:
        """Draw a rank below each count, one of the first two in the share of draws that the profile says."""
        low, high = np.zeros_like(count), count
        if self.profile.opening:
            near = np.minimum(count, 2)
            opens = (self.draws.uniform("opening", keys, index) < self.profile.opening) | (count == near)
            low, high = np.where(opens, 0, near), np.where(opens, near, count)
        return low + self.draws.integers("place", keys, high - low, index)

    def _sizes(self, keys: npt.NDArray[np.uint64], index: IntArray) -> IntArray:
        """Draw the largest number of tokens of each n-gram."""
        weights = self.profile.lengths[: self.max_ngram] or (1.0,) * self.max_ngram
        return 1 + weighted(self.draws.uniform("length", keys, index), weights)

    def _repeatable(self, places: Places, last: IntArray) -> BoolArray:
        """Return where the n-gram up to the unit ``last``, said twice, is seen to be the repeat that it is.

        It is not where the word before it is also its last one ("by [day and by] day and by"), nor where it is a word
        that may follow itself in fluent text.
        """
        batch, ngrams = self.text.batch, self.text.ngrams
        start = ngrams.start[places.units]
        doubled = self.text.near(start, -1, places.segments) == self.text.keys(ngrams.end[last] - 1)
        fluent = batch.vocabulary.property(may_stand_twice)[batch.codes[start]] > 0
        repeatable: BoolArray = ~(doubled | (fluent & (last == places.units)))
        return repeatable

    def _kinds(self, places: Places, repeatable: BoolArray) -> IntArray:
        """Draw what is added at each place; what is not repeatable is no repeat."""
        if self.donors is None:
            return np.full(len(repeatable), _REPEAT)
        kind = weighted(self.draws.uniform("kind", places.keys, places.index), self.profile.kinds)
        return np.where((kind == _REPEAT) & ~repeatable, _INSERT, kind)

    def _foreign(self, places: Places, kind: IntArray, copied: IntArray, room: IntArray) -> tuple[IntArray, IntArray]:
        """Draw what stands in an addition that is no repeat: positions in the pool, -1 for nothing."""
        if self.donors is None:
            return np.full(len(kind), -1), np.full(len(kind), -1)
        return self.donors.draw(places, kind != _REPEAT, copied, room, kind == _SUBSTITUTE)

    def _written(
        self, places: Places, copied: IntArray, donor: tuple[IntArray, IntArray], made: IntArray
    ) -> tuple[Edits, npt.NDArray[np.int8]]:
        """Write the additions: [copy][foreign n-gram][interregnum][the place's own word, if it loses its capital]."""
        batch, ngrams, units = self.text.batch, self.text.ngrams, places.units[made]
        start, copied = ngrams.start[units], copied[made]
        first, behind = donor[0][made], donor[1][made]
        phrases, phrase = self._interregna(places.keys[made], places.index[made])
        lowered = self.text.movable(start)
        lengths = np.stack([copied - start, behind - first, np.diff(phrases[1])[phrase], lowered], axis=1)
        flat = lengths.ravel()
        at = np.cumsum(flat) - flat
        part = [ranges(at[i::4], lengths[:, i]) for i in range(4)]
        codes, origin = np.empty(flat.sum(), np.int64), np.full(flat.sum(), -1)
        copies, tags = origin.copy(), np.full(flat.sum(), _ADDED, np.int8)
        copies[part[0]] = ranges(start, lengths[:, 0])
        codes[part[0]] = batch.codes[copies[part[0]]]
        if self.donors is not None:
            codes[part[1]] = self.donors.pool.batch.codes[ranges(first, lengths[:, 1])]
            opens = (lengths[:, 1] > 0) & (lengths[:, 0] == 0)
            self._recase(codes, at[1::4], self.donors.pool, first, units, opens=opens)
        codes[part[2]] = phrases[0][ranges(phrases[1][phrase], lengths[:, 2])]
        codes[part[3]] = batch.vocabulary.recode(batch.codes[start[lowered]], lower_first)
        origin[part[3]] = copies[part[3]] = start[lowered]
        tags[part[2]], tags[part[3]] = _INTERREGNUM, _KEPT
        offsets = np.append(at[::4], flat.sum()).astype(np.int64)
        label = np.full(len(made), -1)
        return Edits(batch.rows[start], start, start + lowered, offsets, codes, origin, copies, label), tags

    def _recase(
        self, codes: IntArray, at: IntArray, pool: Material, first: IntArray, units: IntArray, *, opens: BoolArray
    ) -> None:
        """Give the first word of each foreign n-gram its case: that of the place if it ``opens`` the addition."""
        vocabulary = self.text.batch.vocabulary
        start = self.text.ngrams.start[units]
        foreign = np.flatnonzero(first >= 0)
        lower = foreign[pool.movable(first[foreign])]
        codes[at[lower]] = vocabulary.recode(codes[at[lower]], lower_first)
        capital = opens & (vocabulary.derived(letters)[self.text.batch.codes[start]] & Letters.CAPITAL.value > 0)
        capital &= self.text.ngrams.opens.take(start)
        codes[at[capital]] = vocabulary.recode(codes[at[capital]], upper_first)

    def _interregna(self, keys: npt.NDArray[np.uint64], index: IntArray) -> tuple[tuple[IntArray, IntArray], IntArray]:
        """Return (codes and offsets of all editing phrases, the first of them empty; the phrase behind each place)."""
        vocabulary, weights = self.text.batch.vocabulary, by_text("interregnum")
        texts = [[], *(["I" if word == "i" else word for word in phrase.split()] for phrase in weights)]
        codes = vocabulary.encode([word for text in texts for word in text])
        offsets = running_total(np.array([len(text) for text in texts]))
        phrase = 1 + weighted(self.draws.uniform("phrase", keys, index), tuple(map(float, weights.values())))
        phrase[self.draws.uniform("interregnum", keys, index) >= self.interregnum] = 0
        if self.avoid is not None:
            avoided = running_total(self.avoid(codes))
            phrase[(avoided[offsets[1:]] > avoided[offsets[:-1]])[phrase]] = 0
        return (codes, offsets), phrase

    def delete(self, segments: IntArray, words: IntArray) -> Edits:
        """Return the deletions from the given segments.

        At least three words and every final mark remain, a kept word stands between two deletions, and a new first
        word takes the capital.

        Args:
            segments: int64 [C].
            words: int64 [C]: words of each.
        """
        ngrams, batch = self.text.ngrams, self.text.batch
        units, number = self._units(segments, self.text.removable)
        keys = batch.keys[batch.segment_rows[segments]]
        budget, taken = words - REMAIN, np.full(len(segments), -2)
        first, last = [], []
        for place, unit in enumerate(units.T):
            until = ngrams.start[unit] + np.minimum(self._sizes(keys, number * self.max_places + place), budget)
            end = np.maximum(ngrams.last(unit, until), unit)
            opens = ngrams.first[ngrams.start[unit]]
            end = np.where(opens, np.minimum(end, self.text.last_of_run(unit) - 1), end)
            removed = ngrams.end[end] - ngrams.start[unit]
            live = (unit > taken + 1) & (removed <= budget)
            budget, taken = np.where(live, budget - removed, budget), np.where(live, end, taken)
            first.append(unit[live])
            last.append(end[live])
        return self._deleted(np.concatenate(first), np.concatenate(last))

    def _deleted(self, first: IntArray, last: IntArray) -> Edits:
        """Delete the units from first to last, both included, with the punctuation that a new opening leaves behind."""
        ngrams, batch = self.text.ngrams, self.text.batch
        start = ngrams.start[first]
        end = np.where(ngrams.first[start], ngrams.start[np.minimum(last + 1, len(ngrams.start) - 1)], ngrams.end[last])
        small, behind = Form.SMALL.value, np.minimum(end, len(batch.codes) - 1)
        raised = ngrams.first[start] & (ngrams.flags[start] & small == 0) & (ngrams.flags[behind] & small > 0)
        place = end[raised]
        edits = Edits(
            rows=batch.rows[start],
            start=start,
            end=end + raised,
            write_offsets=running_total(raised),
            codes=batch.vocabulary.recode(batch.codes[place], upper_first),
            origin=place,
            copies=place,
            label=np.full(len(start), -1),
        )
        return edits.take(edits.order())


def weighted(uniform: FloatArray, weights: tuple[float, ...]) -> IntArray:
    """Return the number that each uniform draw falls on where number i has weights[i].

    Example:
        >>> weighted(np.array([0.0, 0.7, 0.8]), (3.0, 0.0, 1.0)).tolist()
        [0, 0, 2]
    """
    bounds = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(bounds, uniform, side="right"), len(weights) - 1)
