"""Making text disfluent: n-grams repeated, begun with another word, inserted or deleted at places drawn at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labelers.draws import Draws
from labelers.edits import Edits
from labelers.fluency import entries, is_hesitation, may_stand_twice
from labelers.ngrams import Case, Ngrams, casefold, ranges, upper_first
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = ["Corruptor", "Profile", "Text"]

FloatArray = npt.NDArray[np.float64]

_REPEAT, _SUBSTITUTE, _INSERT = range(3)
_KEPT, _ADDED, _INTERREGNUM = range(3)  # tags of written tokens: O, D, I
_TRIES = 4  # n-grams of the pool tried for one place before it is left alone
_CONTEXT = 3  # words on either side in which an insertion must make no repetition
_REMAIN = 3  # words that deletions leave of a segment


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
    """Share of segments whose first drawn place is one of the first two; 0: no such preference."""


def is_capitalised(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001  (signature of a property)
    """Return where a form begins with a capital."""
    return np.fromiter((text[:1].isupper() for text in texts), bool, len(texts))


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
    def settled(self) -> BoolArray:
        """bool [U]: units whose capital, if they have one, is known to be theirs or their place's."""
        settled = np.ones(len(self.ngrams.start), bool)
        open_ = np.flatnonzero(self.cases(self.ngrams.start) == 2)  # noqa: PLR2004  (see Case)
        settled[open_] = ~self.ngrams.capital(self.batch, open_)
        return settled

    @cached_property
    def removable(self) -> BoolArray:
        """bool [U]: units from which a deletion may start.

        A word stands before it, so that no punctuation is left doubled; or it opens the segment and another unit of
        its run can take its place.
        """
        ngrams = self.ngrams
        opens = ngrams.first[ngrams.start]
        behind_word = ngrams.word[ngrams.start - 1] & ~opens
        small = ngrams.end - ngrams.start <= _REMAIN
        first = np.flatnonzero(opens)
        behind_word[first[self._last_of_run(first) > first]] = True
        return behind_word & small

    def _last_of_run(self, units: IntArray) -> IntArray:
        """Return the last unit that an n-gram from each unit can reach."""
        return self.ngrams.last(units, np.full(len(units), len(self.batch.codes)))

    def cases(self, positions: IntArray) -> npt.NDArray[np.int8]:
        """Return int8 per global position: see `labelers.ngrams.Case`."""
        cases: npt.NDArray[np.int8] = self.batch.vocabulary.property(self.case)[self.batch.codes[positions]]
        return cases

    def keys(self, positions: IntArray) -> IntArray:
        """Return the lower-case code of each global position."""
        return self.batch.vocabulary.property(casefold)[self.batch.codes[positions]]

    def count(self, marked: BoolArray) -> IntArray:
        """Return int64 [S]: marked units of each segment."""
        bounds = np.searchsorted(self.ngrams.start[marked], np.append(self.batch.segments, len(self.batch.codes)))
        return np.diff(bounds)

    def near(self, positions: IntArray, offset: int) -> IntArray:
        """Return the key of the word ``offset`` words right of the gap before each position, in its segment.

        0 is the first word at or behind the gap, -1 the last before it; a negative key stands for none.
        """
        ranks = np.searchsorted(self.words, positions) + offset
        places = self.words[np.clip(ranks, 0, len(self.words) - 1)]
        inside = (ranks >= 0) & (ranks < len(self.words))
        inside &= self.batch.token_segments[places] == self.batch.token_segments[positions]
        return np.where(inside, self.keys(places), -1)


@dataclass(frozen=True)
class _Places:
    """E places to corrupt, at the first tokens of units, in the order of the text."""

    units: IntArray
    keys: npt.NDArray[np.uint64]
    """Row key of each place."""
    index: IntArray
    """Number of each place in its row, for draws."""
    ends: IntArray
    """Where the next place of the segment stands, or the text ends."""


@dataclass(frozen=True)
class Corruptor:
    """Makes the edits of one batch."""

    text: Text
    pool: Text | None
    """Where foreign n-grams come from; without it every addition is a repeat."""
    draws: Draws
    profile: Profile
    max_places: int
    max_ngram: int
    interregnum: float
    """Share of additions behind which an editing phrase stands."""
    avoid: BoolArray | None
    """bool per type: forms that may not be inserted."""

    def add(self, segments: IntArray) -> tuple[Edits, npt.NDArray[np.int8]]:
        """Return the additions to the given segments, and the tag (O, D, I) of each token that they write."""
        places = self._places(segments)
        units, ngrams = places.units, self.text.ngrams
        start, size = ngrams.start[units], self._sizes(places.keys, places.index)
        last = np.maximum(ngrams.last(units, np.minimum(start + size, places.ends)), units)
        kind = self._kinds(places, last)
        copied = np.choose(kind, (ngrams.end[last], ngrams.start[last], start))
        # a substitute is one unit, in the room that its copy leaves
        room = np.where(kind == _SUBSTITUTE, self.max_ngram - (copied - start), size)
        donor = self._donors(places, copied, room, kind)
        doubled = self.text.near(start, -1) == self.text.near(ngrams.end[last], -1)
        made = np.where(kind == _REPEAT, ~doubled, donor[0] >= 0)
        return self._written(places, copied, donor, np.flatnonzero(made))

    def _places(self, segments: IntArray) -> _Places:
        """Draw the places of additions in the given segments."""
        batch, ngrams = self.text.batch, self.text.ngrams
        units, segment = self._units(segments, self.text.settled)
        chosen, rank = np.nonzero(units >= 0)
        starts = np.where(units >= 0, ngrams.start[units], len(batch.codes))
        ends = np.append(starts, np.full((len(units), 1), len(batch.codes)), axis=1)[:, 1:]
        rows = batch.segment_rows[segments]
        return _Places(
            units[chosen, rank],
            batch.keys[rows[chosen]],
            segment[chosen] * self.max_places + rank,
            ends[chosen, rank],
        )

    def _units(self, segments: IntArray, allowed: BoolArray) -> tuple[IntArray, IntArray]:
        """Draw distinct allowed units in each of C segments.

        Returns:
            int64 [C, max_places], ascending, -1 behind the last; int64 [C], the number of each segment in its row.
        """
        batch = self.text.batch
        candidates = np.append(np.flatnonzero(allowed), -1)
        starts = self.text.ngrams.start[candidates[:-1]]
        first = np.searchsorted(starts, batch.segments[segments])
        count = np.searchsorted(starts, batch.segment_ends[segments]) - first
        rows = batch.segment_rows[segments]
        number = segments - batch.segment_offsets[rows]
        ranks = self._ranks(batch.keys[rows], number, count)
        inside = ranks < count[:, None]
        return np.where(inside, candidates[np.where(inside, first[:, None] + ranks, -1)], -1), number

    def _ranks(self, keys: npt.NDArray[np.uint64], number: IntArray, count: IntArray) -> IntArray:
        """Draw 1 to max_places distinct ranks below each count: int64 [C, max_places], ascending, then count itself."""
        wanted = 1 + _weighted(
            self.draws.uniform("places", keys, number),
            self.profile.counts[: self.max_places] or (1.0,) * self.max_places,
        )
        ranks = np.broadcast_to(count[:, None], (len(count), self.max_places)).copy()
        for place in range(self.max_places):
            index = number * self.max_places + place
            rank = self.draws.integers("place", keys, np.maximum(count - place, 0), index)
            if place == 0 and self.profile.opening:
                rank = self._opening(keys, index, count)
            for earlier in np.sort(ranks[:, :place], axis=1).T:
                rank = rank + (rank >= earlier)
            ranks[:, place] = np.where((place < wanted) & (place < count), rank, count)
        return np.sort(ranks, axis=1)

    def _opening(self, keys: npt.NDArray[np.uint64], index: IntArray, count: IntArray) -> IntArray:
        """Draw a rank that is one of the first two in the share of segments that the profile says."""
        opens = (self.draws.uniform("opening", keys, index) < self.profile.opening) | (count <= 2)  # noqa: PLR2004
        low = np.where(opens, 0, 2)
        return low + self.draws.integers("place", keys, np.where(opens, np.minimum(count, 2), count - 2), index)

    def _sizes(self, keys: npt.NDArray[np.uint64], index: IntArray) -> IntArray:
        """Draw the largest number of tokens of each n-gram."""
        weights = self.profile.lengths[: self.max_ngram] or (1.0,) * self.max_ngram
        return 1 + _weighted(self.draws.uniform("length", keys, index), weights)

    def _kinds(self, places: _Places, last: IntArray) -> IntArray:
        """Draw what is added at each place; a word that may follow itself in fluent text is not repeated alone."""
        if self.pool is None or not len(self.pool.ngrams.start):
            return np.full(len(last), _REPEAT)
        kind = _weighted(self.draws.uniform("kind", places.keys, places.index), self.profile.kinds)
        batch, start = self.text.batch, self.text.ngrams.start[places.units]
        fluent = batch.vocabulary.property(may_stand_twice)[batch.codes[start]] > 0
        return np.where((kind == _REPEAT) & fluent & (last == places.units), _INSERT, kind)

    def _donors(self, places: _Places, copied: IntArray, room: IntArray, kind: IntArray) -> tuple[IntArray, IntArray]:
        """Draw a foreign n-gram for each place that is no repeat: its positions [start, end) in the pool, or -1."""
        start, end = np.full(len(kind), -1), np.full(len(kind), -1)
        if self.pool is None:
            return start, end
        pool, candidates = self.pool.ngrams, np.flatnonzero(self.pool.settled)
        for attempt in range(_TRIES):
            todo = np.flatnonzero((kind != _REPEAT) & (start < 0))
            drawn = self.draws.integers(
                "donor", places.keys[todo], len(candidates), places.index[todo] * _TRIES + attempt
            )
            if not len(drawn) or not len(candidates):
                break
            units = candidates[drawn]
            last = pool.last(units, pool.start[units] + room[todo])
            last = np.where(kind[todo] == _SUBSTITUTE, np.minimum(last, units), last)
            first, behind = pool.start[units], pool.end[np.maximum(last, units)]
            fits = (last >= units) & self._is_foreign(places.units[todo], first, behind)
            fits &= ~self._echoes(self.text.ngrams.start[places.units[todo]], copied[todo], first, behind)
            start[todo[fits]], end[todo[fits]] = first[fits], behind[fits]
        return start, end

    def _is_foreign(self, units: IntArray, first: IntArray, behind: IntArray) -> BoolArray:
        """Return where [first, behind) of the pool is of another document, and holds no form to be avoided."""
        assert self.pool is not None
        own, theirs = self._documents
        rows = self.text.batch.rows[self.text.ngrams.start[units]]
        foreign: BoolArray = own[rows] != theirs[self.pool.batch.rows[first]]
        if self.avoid is not None:
            avoided = np.concatenate([[0], np.cumsum(self.avoid[self.pool.batch.codes])])
            foreign = foreign & (avoided[first] == avoided[behind])
        return foreign

    @cached_property
    def _documents(self) -> tuple[IntArray, IntArray]:
        """Numbers of the documents of the batch's and of the pool's rows, -1 for one that the pool does not hold."""
        assert self.pool is not None
        numbers: dict[str, int] = {}
        theirs = [numbers.setdefault(document, len(numbers)) for document in self.pool.batch.documents]
        own = [numbers.get(document, -1) for document in self.text.batch.documents]
        return np.array(own, np.int64), np.array(theirs, np.int64)

    def _echoes(self, place: IntArray, copied: IntArray, first: IntArray, behind: IntArray) -> BoolArray:
        """Return where an n-gram of the pool would repeat what stands around it.

        It would if one to three tokens followed themselves, or if its first or last word were that of a neighbour, so
        that nobody could tell which of the two was inserted. The words left of it are those before ``copied``, the
        words right of it those from ``place`` on.
        """
        assert self.pool is not None
        width, size = self.max_ngram, behind - first
        left = [self.text.near(copied, offset) for offset in range(-_CONTEXT, 0)]
        right = [self.text.near(place, offset) for offset in range(_CONTEXT)]
        inside = [self.pool.keys(np.minimum(first + i, behind - 1)) for i in range(width)]
        columns = np.stack([*left, *inside, *right], axis=1)  # [E, 3 + width + 3]
        # close the gap behind n-grams shorter than width
        at = np.arange(columns.shape[1])
        at = np.where(at < _CONTEXT + size[:, None], at, at + width - size[:, None])
        keys = np.take_along_axis(columns, np.minimum(at, columns.shape[1] - 1), axis=1)
        none = (at >= columns.shape[1]) | (keys < 0)
        keys = np.where(none, -1 - np.arange(columns.shape[1]), keys)
        edges = np.stack([inside[0], self.pool.keys(behind - 1)], axis=1)
        neighbours = (left[-1], right[0], self.text.near(copied, 0), self.text.near(place, -1))
        echo = np.any([(edges == word[:, None]).any(axis=1) for word in neighbours], axis=0)
        for period in range(1, _CONTEXT + 1):
            echo |= _repeats(keys, period)
        result: BoolArray = echo
        return result

    def _written(
        self, places: _Places, copied: IntArray, donor: tuple[IntArray, IntArray], made: IntArray
    ) -> tuple[Edits, npt.NDArray[np.int8]]:
        """Write the additions: [copy][foreign n-gram][interregnum][the place's own word, where it loses its capital]."""
        batch, ngrams, units = self.text.batch, self.text.ngrams, places.units[made]
        start, copied = ngrams.start[units], copied[made]
        first, behind = donor[0][made], donor[1][made]
        phrases, phrase = self._interregna(places.keys[made], places.index[made])
        lowered = self.text.cases(start) == 1
        lengths = np.stack([copied - start, behind - first, np.diff(phrases[1])[phrase], lowered], axis=1)
        flat = lengths.ravel()
        at = np.cumsum(flat) - flat
        part = [ranges(at[i::4], lengths[:, i]) for i in range(4)]
        codes, origin = np.empty(flat.sum(), np.int32), np.full(flat.sum(), -1)
        copies, tags = origin.copy(), np.full(flat.sum(), _ADDED, np.int8)
        copies[part[0]] = ranges(start, lengths[:, 0])
        codes[part[0]] = batch.codes[copies[part[0]]]
        if self.pool is not None:
            codes[part[1]] = self.pool.batch.codes[ranges(first, lengths[:, 1])]
            self._recase(codes, at[1::4], first, units, (lengths[:, 1] > 0) & (lengths[:, 0] == 0))
        codes[part[2]] = phrases[0][ranges(phrases[1][phrase], lengths[:, 2])]
        codes[part[3]] = batch.vocabulary.recode(batch.codes[start[lowered]], str.lower)
        origin[part[3]] = copies[part[3]] = start[lowered]
        tags[part[2]], tags[part[3]] = _INTERREGNUM, _KEPT
        offsets = np.append(at[::4], flat.sum()).astype(np.int64)
        label = np.full(len(made), -1)
        return Edits(batch.rows[start], start, start + lowered, offsets, codes, origin, copies, label), tags

    def _recase(self, codes: IntArray, at: IntArray, first: IntArray, units: IntArray, opens: BoolArray) -> None:
        """Give the first word of each foreign n-gram its case: that of the place if it ``opens`` the addition."""
        assert self.pool is not None
        vocabulary = self.text.batch.vocabulary
        start = self.text.ngrams.start[units]
        foreign = np.flatnonzero(first >= 0)
        lower = foreign[self.pool.cases(first[foreign]) == 1]
        codes[at[lower]] = vocabulary.recode(codes[at[lower]], str.lower)
        capital = opens & vocabulary.property(is_capitalised)[self.text.batch.codes[start]]
        capital &= (self.text.cases(start) == 1) | self.text.ngrams.capital(self.text.batch, units)
        codes[at[capital]] = vocabulary.recode(codes[at[capital]], upper_first)

    def _interregna(self, keys: npt.NDArray[np.uint64], index: IntArray) -> tuple[tuple[IntArray, IntArray], IntArray]:
        """Return (codes and offsets of all editing phrases, the first of them empty; the phrase behind each place)."""
        vocabulary, weights = self.text.batch.vocabulary, entries("interregnum")
        texts = [[], *(["I" if word == "i" else word for word in phrase.split()] for phrase in weights)]
        codes = vocabulary.encode([word for text in texts for word in text])
        offsets = np.cumsum([0, *map(len, texts)])
        phrase = 1 + _weighted(self.draws.uniform("phrase", keys, index), tuple(map(float, weights.values())))
        phrase[self.draws.uniform("interregnum", keys, index) >= self.interregnum] = 0
        if self.avoid is not None:
            known = np.where(codes < len(self.avoid), codes, 0)
            avoided = np.concatenate([[0], np.cumsum(self.avoid[known] & (codes < len(self.avoid)))])
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
        budget, taken = words - _REMAIN, np.full(len(segments), -2)
        first, last = [], []
        for place, unit in enumerate(units.T):
            until = ngrams.start[unit] + np.minimum(self._sizes(keys, number * self.max_places + place), budget)
            end = np.maximum(ngrams.last(unit, until), unit)
            opens = ngrams.first[ngrams.start[unit]]
            end = np.where(opens, np.minimum(end, self.text._last_of_run(unit) - 1), end)
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
        capital = batch.vocabulary.property(is_capitalised)
        raised = ngrams.first[start] & capital[batch.codes[start]]
        raised &= ~capital[batch.codes[np.minimum(end, len(batch.codes) - 1)]]
        place = end[raised]
        edits = Edits(
            rows=batch.rows[start],
            start=start,
            end=end + raised,
            write_offsets=np.concatenate([[0], np.cumsum(raised)]).astype(np.int64),
            codes=batch.vocabulary.recode(batch.codes[place], upper_first),
            origin=place,
            copies=place,
            label=np.full(len(start), -1),
        )
        return edits.take(edits.order())


def _weighted(uniform: FloatArray, weights: tuple[float, ...]) -> IntArray:
    """Return the number that each uniform draw falls on where number i has weights[i].

    Example:
        >>> _weighted(np.array([0.0, 0.7, 0.8]), (3.0, 0.0, 1.0)).tolist()
        [0, 0, 2]
    """
    bounds = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(bounds, uniform, side="right"), len(weights) - 1)


def _repeats(keys: IntArray, period: int) -> BoolArray:
    """Return bool [E]: rows of keys [E, K] in which ``period`` keys follow themselves at once."""
    same = keys[:, period:] == keys[:, :-period]
    run = np.ones((len(keys), max(same.shape[1] - period + 1, 0)), bool)
    for i in range(period):
        run &= same[:, i : i + run.shape[1]]
    found: BoolArray = run.any(axis=1)
    return found
