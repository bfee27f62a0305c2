"""What a speaker says before a repair: the words of each reparandum, drawn as a profile says."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.continuations import NOTHING, Continuations, UnitWords, Wanted
from labelers.language.fluency import may_stand_twice
from labelers.language.repair_profile import CUT, REPEAT, RESTART, SUBSTITUTE, RepairProfile
from labelers.language.repairs import weighted
from labelers.language.spoken_words import WordTables
from labelers.ragged import BoolArray, FloatArray, IntArray

__all__ = ["CHAIN", "Drafts", "Links", "Planner"]

CHAIN = 4
"""Numbers for draws at one place: reparanda in a row, and one more."""


_STEPS = 16  # numbers for draws of one reparandum
_LEAST = 1e-6


def _odds(share: FloatArray | float) -> FloatArray:
    """Return the odds of a share; of none and of all they are very small and very large."""
    kept: FloatArray = np.clip(share, _LEAST, 1 - _LEAST)
    return kept / (1 - kept)


@dataclass(frozen=True)
class Links:
    """L reparanda, in the order of the text."""

    units: IntArray
    """The unit before which each stands."""
    room: IntArray
    """Units from it on that it may copy; 1 or more."""
    rows: IntArray
    """Its row."""
    index: IntArray
    """Number of each in its row, for draws."""


@dataclass(frozen=True)
class Drafts:
    """The words of L reparanda: copied units, a listed word, units of the pool, and copied units again."""

    made: BoolArray
    """bool [L]: there is one."""
    kind: IntArray
    front: IntArray
    """Units copied from the place on."""
    listed: IntArray
    """Number among `Alternates.words` of the word behind them, -1 for none."""
    foreign: tuple[IntArray, IntArray]
    """First and last unit of the pool behind it; -1 for none."""
    back: tuple[IntArray, IntArray]
    """First and last unit of the text that are copied at the end; the last is below the first for none."""
    cut: BoolArray
    """bool [L]: the last word is broken off."""
    taken_up: IntArray
    """Units from the place on that take up what was said: the repair."""


@dataclass(frozen=True)
class _Layout:
    """What of L reparanda is copied, and what is new."""

    front: IntArray
    """Units copied at the front."""
    listed: IntArray
    """The listed word behind them, -1 for none."""
    back: IntArray
    """Units copied at the end."""
    asked: IntArray
    """Units that the pool shall give."""
    alike: BoolArray
    """bool [L]: the first of these is a word of the class of the one in whose place it comes."""
    free: BoolArray
    """bool [L]: the first of these opens a beginning that nothing takes up."""


@dataclass(frozen=True)
class Planner:
    """Draws what the reparanda of one batch say."""

    words: UnitWords
    pool: Continuations | None
    draws: Draws
    profile: RepairProfile
    tables: WordTables
    barred: BoolArray
    """Bool: listed words that may not be inserted."""
    longest: int
    """Words of a reparandum."""
    avoid: Avoid | None

    def plan(self, links: Links) -> Drafts:
        """Draw the words of each reparandum; where nothing else fits, it is a repeat."""
        kind, sizes = self._kinds(links), self._sizes(links)
        size = sizes[np.arange(len(kind)), kind]
        copying = (kind == REPEAT) | (kind == CUT)
        size = np.where(copying, np.minimum(size, links.room), size)
        layout = self._layout(links, kind, size)
        first, last = self._foreign(links, layout)
        failed = ~copying & np.where(layout.asked > 0, first < 0, layout.listed < 0)
        kind = np.where(failed, REPEAT, kind)
        size = np.where(failed, np.minimum(size, links.room), size)
        whole = failed | (layout.back <= 0)
        shares = np.array([shape.cut for shape in self.profile.shapes()])
        cut = (self._uniform("cut", links) < shares[kind]) & ~copying & (first >= 0) & whole & ~failed
        return Drafts(
            made=(kind != REPEAT) | self._repeatable(links, size),
            kind=kind,
            front=np.where(failed, size, layout.front),
            listed=np.where(failed, -1, layout.listed),
            foreign=(np.where(failed, -1, first), np.where(failed, -1, last)),
            back=(links.units + 1, np.where(whole, links.units, links.units + layout.back)),
            cut=cut | (kind == CUT),
            taken_up=np.where(kind == RESTART, 0, np.minimum(size, links.room)),
        )

    def _uniform(self, purpose: str, links: Links) -> FloatArray:
        """Return a draw for each reparandum."""
        return self.draws.uniform(purpose, self.words.text.batch.keys[links.rows], links.index)

    def _kinds(self, links: Links) -> IntArray:
        """Draw the kind of each, by the word that it stands before."""
        vocabulary = self.words.text.batch.vocabulary
        steps = np.cumsum(self.tables.starts.of(vocabulary, self.words.types[links.units]), axis=1)
        drawn = self._uniform("kind", links) * steps[:, -1]
        kind: IntArray = np.minimum((drawn[:, None] >= steps).sum(axis=1), RESTART)
        if self.pool is None:
            kind = np.full_like(kind, REPEAT)
        return kind

    def _sizes(self, links: Links) -> IntArray:
        """Draw how many words each has if it is of each kind: int64 [L, kinds].

        Those that share words with the repair go on behind some words, and to some, more often: "of the, of the".
        """
        keys, often = self.words.text.batch.keys[links.rows], _odds(self.profile.goes_on)
        factors = [self._going_on(links, step) for step in range(1, self.longest)]
        sizes = []
        for kind, shape in enumerate(self.profile.shapes()):
            lengths = np.array(shape.lengths[: self.longest]) / sum(shape.lengths[: self.longest])
            size = np.ones(len(keys), np.int64)
            for step, rest in enumerate(1 - np.cumsum(lengths)[:-1], 1):
                odds = _odds(rest / (rest + lengths[step - 1]))
                odds = odds if kind == RESTART else odds * factors[step - 1] / often**2
                drawn = self.draws.uniform("length", keys, links.index * _STEPS + step)
                size += (size == step) & (drawn < odds / (1 + odds))
            sizes.append(size)
        return np.stack(sizes, axis=1)

    def _going_on(self, links: Links, step: int) -> FloatArray:
        """Return how likely the surrounding words make a reparandum of more words: a product of two odds."""
        vocabulary, types = self.words.text.batch.vocabulary, self.words.types
        inside = step < links.room
        at = links.units + np.where(inside, step, 0)
        behind = self.tables.behind.of(vocabulary, types.take(np.maximum(at - 1, 0)))[:, 0]
        odds = _odds(behind) * _odds(self.tables.to.of(vocabulary, types.take(at))[:, 0])
        return np.where(inside, odds, _odds(self.profile.goes_on) ** 2)

    def _layout(self, links: Links, kind: IntArray, size: IntArray) -> _Layout:
        """Draw what of each reparandum is copied and what is new."""
        profile, room = self.profile, links.room
        substitute, restart = kind == SUBSTITUTE, kind == RESTART
        several = substitute & (size > 1)
        other_first = several & (room > 1) & (self._uniform("first", links) < profile.first)
        kept_first = several & ~other_first
        new = np.minimum(1 + weighted(self._uniform("new", links), profile.new), np.maximum(size - 1, 1))
        kept = np.where(kept_first, np.minimum(size - new, room), 0)
        new = np.where(kept_first, size - kept, 1)
        headed = restart & (size > 1) & (self._uniform("head", links) < profile.head)
        listed = np.where((substitute & (new == 1)) | headed, self._listed(links, kept), -1)
        known = listed >= 0
        return _Layout(
            front=np.select([kind == REPEAT, kind == CUT], [size, size - 1], kept),
            listed=listed,
            back=np.where(other_first, np.minimum(size, room) - 1, 0),
            asked=np.select([substitute, restart], [np.where(known, 0, new), size - known], 0),
            alike=substitute & (kept == 0),
            free=restart & ~known,
        )

    def _listed(self, links: Links, kept: IntArray) -> IntArray:
        """Draw the word that stands in the place of the one behind the words kept, -1 where none is known."""
        if not len(self._alternate_steps):
            return np.full(len(kept), -1)
        inside = kept < links.room
        types = self.words.types.take(links.units + np.where(inside, kept, 0))
        rows = self.words.text.batch.vocabulary.property(self.tables.alternates)[types]
        drawn = np.searchsorted(self._alternate_steps, rows + self._uniform("alternate", links), side="right")
        listed = np.where(inside & (rows >= 0), np.minimum(drawn, len(self._alternate_steps) - 1), -1)
        return np.where(np.append(self.barred, False)[listed], -1, listed)

    @cached_property
    def _alternate_steps(self) -> FloatArray:
        """What the draw of a listed word falls below."""
        return self.tables.alternates.steps

    @cached_property
    def alternate_types(self) -> IntArray:
        """int64: the type of each listed word."""
        return self.words.text.batch.vocabulary.encode(self.tables.alternates.words)

    def _foreign(self, links: Links, layout: _Layout) -> tuple[IntArray, IntArray]:
        """Draw units of the pool for those reparanda that ask for some; first and last, -1 for none."""
        first, last = np.full(len(links.units), -1), np.full(len(links.units), -1)
        which = np.flatnonzero(layout.asked)
        if self.pool is None or not len(which):
            return first, last
        units, types = links.units, self.words.types
        front, listed = layout.front, layout.listed
        behind = np.where(front > 0, types.take(units + np.maximum(front, 1) - 1), self.words.before.take(units))
        if len(self.alternate_types):
            behind = np.where(listed >= 0, self.alternate_types.take(listed, mode="clip"), behind)
        resumed = np.where(layout.back > 0, NOTHING, types.take(units))  # copied words follow
        request = Wanted(
            rows=links.rows[which],
            behind=behind[which],
            instead=types.take(np.where(front < links.room, units + front, units))[which],
            resumed=resumed[which],
            size=layout.asked[which],
            alike=layout.alike[which],
            weigh=layout.free[which],
            index=links.index[which],
        )
        first[which], last[which] = self.pool.draw(self.words.text.batch, self.draws, request, self.avoid)
        return first, last

    def _repeatable(self, links: Links, size: IntArray) -> BoolArray:
        """Return where the words said twice are seen to be the repeat that they are."""
        words, units = self.words, links.units
        batch = words.text.batch
        last = words.types.take(units + np.minimum(size, links.room) - 1)
        doubled = words.before.take(units) == last
        twice = batch.vocabulary.property(may_stand_twice)[words.types.take(units)] == 2  # noqa: PLR2004
        repeatable: BoolArray = ~(doubled | (twice & (size == 1)))
        return repeatable
