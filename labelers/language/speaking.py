"""Making text disfluent as speakers are: reparanda as a profile of repairs draws them, and what stands behind each."""

from dataclasses import dataclass

import numpy as np

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.additions import INTERREGNUM, REPARANDUM, Spoken, inserted
from labelers.language.casing import lower_first
from labelers.language.composing import Composed, Piece, compose
from labelers.language.continuations import Continuations, UnitWords
from labelers.language.fluency import by_text
from labelers.language.material import Material
from labelers.language.repair_profile import CUT, RESTART, SUBSTITUTE, RepairProfile
from labelers.language.repairs import weighted
from labelers.language.reparanda import CHAIN, Drafts, Links, Planner
from labelers.language.spoken_words import Phrases, Writing, tables_of
from labelers.ragged import BoolArray, FloatArray, IntArray, ragged_take, ranges, running_total
from labelers.vocabulary import Vocabulary

__all__ = ["Speaker"]


@dataclass(frozen=True)
class _Places:
    """E places, in the order of the text."""

    units: IntArray
    room: IntArray
    """Units from each on that may be copied."""
    rows: IntArray
    index: IntArray
    """Position of each in its row."""


@dataclass(frozen=True)
class Speaker:
    """Makes the repairs of one batch."""

    words: UnitWords
    pool: Continuations | None
    """Where words that the text does not have come from; without any, every reparandum is a repeat."""
    draws: Draws
    profile: RepairProfile
    writing: Writing
    longest: int
    """Words of a reparandum, at most."""
    most: int
    """Places of a segment, at most."""
    cue: float
    """Share of substitutes and restarts behind which a phrase says that what was said is wrong."""
    avoid: Avoid | None
    """bool per type: forms that may not be inserted."""

    def chosen(self, segments: IntArray, rate: float) -> IntArray:
        """Return those of the segments that are made disfluent: about ``rate`` of all, longer ones more often."""
        batch, overall = self.words.text.batch, self.profile.rate or 1.0
        rows = batch.segment_rows[segments]
        odds = np.array([band.rate / overall for band in self.profile.bands])[self._bands(segments)]
        drawn = self.draws.uniform("speak", batch.keys[rows], segments - batch.segment_offsets[rows])
        return segments[drawn < 1 - (1 - rate) ** odds]

    def _bands(self, segments: IntArray) -> IntArray:
        """Return the band of each segment's length."""
        limits = np.array([band.words for band in self.profile.bands[:-1]], np.int64)
        bands: IntArray = np.searchsorted(limits, self.words.text.length[segments])
        return bands

    def add(self, segments: IntArray) -> Spoken:
        """Return the additions to the given segments."""
        places = self._places(segments)
        owners, links = self._links(places)
        tables = tables_of(self.profile)
        listed = Phrases.of(self._vocabulary, self.writing, tables.alternates.words)
        barred = listed.holding(self.avoid)
        planner = Planner(self.words, self.pool, self.draws, self.profile, tables, barred, self.longest, self.avoid)
        return self._written(places, owners, links, planner.plan(links), listed)

    @property
    def _vocabulary(self) -> Vocabulary:
        """The types of the batch and of the pool."""
        return self.words.text.batch.vocabulary

    def _places(self, segments: IntArray) -> _Places:
        """Draw the places in the given segments: a word that is often repaired is drawn more often."""
        words, batch, settled = self.words, self.words.text.batch, self.words.text.settled
        at, offsets = ragged_take(settled.offsets, segments)
        units, owner = settled.units[at], np.repeat(np.arange(len(segments)), np.diff(offsets))
        start = words.text.ngrams.start[units]
        rows = batch.rows[start]
        index = start - batch.offsets[rows]
        drawn = self.draws.uniform("place of a repair", batch.keys[rows], index)
        score = -np.log1p(-drawn) / np.maximum(self._weights(units), 1e-9)
        order = np.lexsort((score, owner))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - offsets[owner[order]]
        kept = rank < self._counts(segments)[owner]
        units, rows, index = units[kept], rows[kept], index[kept]
        following = np.append(units[1:], len(words.types) + self.longest) if len(units) else units
        room = np.minimum(words.run.take(units), following - units)
        return _Places(units, room, rows, index)

    def _weights(self, units: IntArray) -> FloatArray:
        """Return how readily a repair begins before each unit."""
        weights = tables_of(self.profile).starts.of(self._vocabulary, self.words.types[units]).sum(axis=1)
        factors = np.array([*self.profile.opening, 1.0])
        result: FloatArray = weights * factors[np.minimum(self.words.ordinal.take(units), len(factors) - 1)]
        return result

    def _counts(self, segments: IntArray) -> IntArray:
        """Draw how many places each segment has."""
        batch = self.words.text.batch
        rows, bands = batch.segment_rows[segments], self._bands(segments)
        drawn = self.draws.uniform("repairs", batch.keys[rows], segments - batch.segment_offsets[rows])
        counts = np.stack([1 + weighted(drawn, band.places) for band in self.profile.bands], axis=1)
        result: IntArray = np.minimum(counts[np.arange(len(segments)), bands], self.most)
        return result

    def _links(self, places: _Places) -> tuple[IntArray, Links]:
        """Draw how many reparanda stand at each place; return the place of each, and them."""
        keys = self.words.text.batch.keys[places.rows]
        count = np.minimum(1 + weighted(self.draws.uniform("chain", keys, places.index), self.profile.chain), CHAIN)
        owners = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(owners)) - running_total(count)[owners]
        index = places.index[owners] * CHAIN + number
        return owners, Links(places.units[owners], places.room[owners], places.rows[owners], index)

    def _written(self, places: _Places, owners: IntArray, links: Links, drafts: Drafts, alternates: Phrases) -> Spoken:
        """Write the reparanda, each with what stands behind it."""
        text = self.words.text
        made = np.flatnonzero(drafts.made)
        links = Links(links.units[made], links.room[made], links.rows[made], links.index[made])
        owners, drafts = owners[made], _taken(drafts, made)
        composed = compose([*self._said(links, drafts, alternates), *self._behind(links, drafts.kind)])
        count = np.bincount(owners, minlength=len(places.units))
        kept = np.flatnonzero(count)
        ends = running_total(count)
        offsets = composed.offsets[np.append(ends[kept], len(owners))]
        said = Composed(offsets, composed.codes, composed.copies, composed.tags)
        edits, tags = inserted(text, places.rows[kept], places.units[kept], said)
        taken = drafts.taken_up[ends[kept + 1] - 1]  # of the last reparandum of each place
        behind = text.ngrams.end.take(places.units[kept] + np.maximum(taken, 1) - 1)
        return Spoken(edits, tags, np.where(taken > 0, behind, edits.start))

    def _said(self, links: Links, drafts: Drafts, alternates: Phrases) -> list[Piece]:
        """Return the words of each reparandum."""
        text, units = self.words.text, links.units
        codes, stems = text.batch.codes, self._stems(links, drafts)
        front = drafts.front + ((drafts.kind == CUT) & (stems < 0))  # what cannot be broken off is said in full
        return [
            Piece.copy(codes, *_span(text, units, units + front - 1), REPARANDUM),
            Piece.listed(alternates.codes, alternates.offsets, drafts.listed, REPARANDUM),
            self._foreign(drafts, stems),
            Piece.copy(codes, *_span(text, *drafts.back), REPARANDUM),
            Piece((stems >= 0).astype(np.int64), stems[stems >= 0], REPARANDUM),
        ]

    def _foreign(self, drafts: Drafts, stems: IntArray) -> Piece:
        """Return the words that come from the pool, without one that is broken off."""
        if self.pool is None:
            return Piece(np.zeros(len(stems), np.int64), np.empty(0, np.int64), REPARANDUM)
        pool, (first, last) = self.pool.words.text, drafts.foreign
        start, end = _span(pool, first, np.where(first >= 0, last - (stems >= 0), -2))
        at = ranges(start, end - start)
        codes, movable = pool.batch.codes[at], pool.movable(at)
        codes[movable] = self._vocabulary.recode(codes[movable], lower_first)
        return Piece(end - start, codes, REPARANDUM)

    def _stems(self, links: Links, drafts: Drafts) -> IntArray:
        """Return the type of the word broken off at the end of each reparandum, -1 for none."""
        text, vocabulary = self.words.text, self._vocabulary
        own = drafts.kind == CUT
        word = text.batch.codes.take(text.ngrams.start.take(links.units + np.where(own, drafts.front, 0), mode="clip"))
        if self.pool is not None:
            pool = self.pool.words.text
            theirs = pool.batch.codes.take(pool.ngrams.start.take(drafts.foreign[1], mode="clip"), mode="clip")
            word = np.where(own, word, theirs)
        keys = text.batch.keys[links.rows]
        letters_ = 1 + weighted(self.draws.uniform("stem", keys, links.index), self.profile.stems)
        stems = np.full(len(word), -1)
        small = own & (drafts.front == 0) & (links.index % CHAIN > 0) & text.movable(text.ngrams.start[links.units])
        may = drafts.cut & (~self.avoid(word) if self.avoid is not None else True)
        for place in np.flatnonzero(may).tolist():
            begun = vocabulary.texts[word[place]]
            stem = _stem(lower_first(begun) if small[place] else begun, int(letters_[place]))
            if stem:
                stems[place] = vocabulary.code(stem)
        return stems

    def _behind(self, links: Links, kind: IntArray) -> list[Piece]:
        """Return what stands behind each reparandum: a comma, an editing phrase, a comma."""
        keys, profile = self.words.text.batch.keys[links.rows], self.profile
        known = {**profile.phrases} or {"uh": 1.0}
        cues = by_text("cue")
        phrases = Phrases.of(self._vocabulary, self.writing, [*known, *cues])
        which = weighted(self.draws.uniform("phrase", keys, links.index), tuple(known.values()))
        shares = np.array([shape.interregnum for shape in profile.shapes()])
        some = self.draws.uniform("interregnum", keys, links.index) < shares[kind]
        cued = (kind == SUBSTITUTE) | (kind == RESTART)
        cued &= self.draws.uniform("cue", keys, links.index) < self.cue
        cue = weighted(self.draws.uniform("which cue", keys, links.index), tuple(map(float, cues.values())))
        which = np.where(cued, len(known) + cue, np.where(some, which, -1))
        which = np.where(np.append(phrases.holding(self.avoid), False)[which], -1, which)
        said = which >= 0
        drawn = self.draws.uniform("comma", keys, links.index)
        before = drawn < np.where(said, profile.comma_before_phrase, profile.comma)
        closing = said & (self.draws.uniform("second comma", keys, links.index) < profile.comma_behind_phrase)
        return [
            self._commas(before, REPARANDUM),
            Piece.listed(phrases.codes, phrases.offsets, which, INTERREGNUM),
            self._commas(closing, INTERREGNUM),
        ]

    def _commas(self, where: BoolArray, tag: int) -> Piece:
        """Return commas, none where the text has none."""
        return Piece.commas(where & self.writing.commas, self._vocabulary, tag)


def _taken(drafts: Drafts, which: IntArray) -> Drafts:
    """Return some of the drafts."""
    return Drafts(
        drafts.made[which],
        drafts.kind[which],
        drafts.front[which],
        drafts.listed[which],
        (drafts.foreign[0][which], drafts.foreign[1][which]),
        (drafts.back[0][which], drafts.back[1][which]),
        drafts.cut[which],
        drafts.taken_up[which],
    )


def _span(text: Material, first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Return the positions [start, end) of the units from first to last; none where the last is below the first."""
    some = last >= first
    start = np.where(some, text.ngrams.start.take(first, mode="clip"), 0)
    return start, np.where(some, text.ngrams.end.take(last, mode="clip"), 0)


def _stem(text: str, size: int) -> str:
    """Return the beginning of a word, as transcribers write a word broken off; nothing for what is none.

    Example:
        >>> _stem("garden", 3), _stem("I", 2), _stem("42", 1)
        ('gar-', '', '')
    """
    return f"{text[: min(size, len(text) - 1)]}-" if len(text) > 1 and text.isalpha() else ""
