"""Fillers that stand alone: "uh", "you know" and "well" where nothing is repaired, as a profile of repairs draws them.

Without them every "uh" of a constructed text would stand behind a reparandum; in calls one of eight does.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.additions import INTERREGNUM, Spoken, inserted
from labelers.language.composing import Piece, compose
from labelers.language.continuations import OPENING, UnitWords
from labelers.language.repair_profile import Fillers
from labelers.language.repairs import weighted
from labelers.language.spoken_words import Phrases, Writing, rates_of
from labelers.ragged import BoolArray, IntArray

__all__ = ["Filling"]


@dataclass(frozen=True)
class Filling:
    """Adds the fillers of one batch."""

    words: UnitWords
    draws: Draws
    fillers: Fillers
    writing: Writing
    often: float
    """How many times as often as the profile has them."""
    avoid: Avoid | None
    """bool per type: forms that may not be inserted."""

    def add(self, segments: IntArray, taken: IntArray) -> Spoken:
        """Return the fillers of the given segments, none before the tokens at the positions in ``taken``."""
        text = self.words.text
        units = text.settled.units
        start = text.ngrams.start[units]
        opens = self.words.before[units] == OPENING
        wanted = np.isin(text.batch.token_segments[start], segments) & (opens | self.words.joined[units])
        units = units[wanted & ~np.isin(start, taken)]
        rows, which = self._drawn(units)
        some = which >= 0
        return self._written(units[some], rows[some], which[some])

    def _drawn(self, units: IntArray) -> tuple[IntArray, IntArray]:
        """Return the row of each unit, and the number of the filler that is drawn before it, -1 for none."""
        batch, known = self.words.text.batch, self.fillers
        rows, index = self._places(units)
        before = self.words.before[units]
        opens = before == OPENING
        inside = rates_of(known).of(batch.vocabulary, np.maximum(before, 0))[:, 0] / 1000
        share = self.often * np.where(opens, known.opening, inside)
        which = np.where(
            opens,
            weighted(self.draws.uniform("opening filler", batch.keys[rows], index), tuple(known.first.values())),
            len(known.first)
            + weighted(self.draws.uniform("filler", batch.keys[rows], index), tuple(known.phrases.values())),
        )
        drawn = self.draws.uniform("place of a filler", batch.keys[rows], index) < share
        barred = self._phrases.holding(self.avoid)
        return rows, np.where(drawn & ~barred[which], which, -1)

    def _places(self, units: IntArray) -> tuple[IntArray, IntArray]:
        """Return the row of each unit, and its position there."""
        batch, start = self.words.text.batch, self.words.text.ngrams.start[units]
        rows = batch.rows[start]
        return rows, start - batch.offsets[rows]

    @cached_property
    def _phrases(self) -> Phrases:
        """Return the fillers as tokens: first those that begin an utterance."""
        vocabulary = self.words.text.batch.vocabulary
        return Phrases.of(vocabulary, self.writing, [*self.fillers.first, *self.fillers.phrases])

    def _written(self, units: IntArray, rows: IntArray, which: IntArray) -> Spoken:
        """Write the fillers, with their commas."""
        keys, (_, index) = self.words.text.batch.keys[rows], self._places(units)
        known, phrases = self.fillers, self._phrases
        before = self.draws.uniform("comma before a filler", keys, index) < known.comma_before
        behind = self.draws.uniform("comma behind a filler", keys, index) < known.comma_behind
        said = compose(
            [
                self._commas(before & (which >= len(known.first))),
                Piece.listed(phrases.codes, phrases.offsets, which, INTERREGNUM),
                self._commas(behind),
            ]
        )
        edits, tags = inserted(self.words.text, rows, units, said)
        return Spoken(edits, tags, edits.start)

    def _commas(self, where: BoolArray) -> Piece:
        """Return commas, none where the text has none."""
        return Piece.commas(where & self.writing.commas, self.words.text.batch.vocabulary, INTERREGNUM)
