"""Where a speaker began anew and left no mark of it: neighbours that no sentence holds ("the we", "we can we").

Writing is edited, so these cues count in speech alone: in dialogues, and where the words betray a transcript.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelers.language.casing import Letters, letters
from labelers.language.listed import Listed
from labelers.language.ngrams import casefold
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray

__all__ = ["restarts"]

_END = "<end>"


_LEFT, _RIGHT, _UNLESS = Listed("clash", 1), Listed("clash", 2, exact=True), Listed("clash", 3)
_OUTER, _INNER = Listed("frame", 1), Listed("frame", 2)
_AGAIN, _ANEW, _DASH = Listed("again", 1), Listed("anew", 1), Listed("dash", 1)
_FEW = 3  # words before a comma
_SOON = 8  # words from a subject to the one that takes its place


def restarts(batch: PassageBatch, word: BoolArray, spoken: BoolArray) -> IntArray:
    """Return the positions at which a speaker begins anew, as far as the surrounding words show.

    Args:
        batch: P passages.
        word: bool [N]: words outside transcriber's marks.
        spoken: bool [P]: rows that are speech; no other row is looked at.
    """
    positions = np.flatnonzero(np.repeat(spoken, np.diff(batch.offsets)))
    if not len(positions):
        return positions
    speech = _Speech(batch, positions, word.take(positions))
    found = [speech.clashes(), speech.frames(), speech.exchanged(), speech.capitals(), speech.dashes()]
    found += [speech.letters(), speech.anew(), speech.parallels()]
    places: IntArray = positions[np.concatenate(found)]
    return places


@dataclass(frozen=True)
class _Speech:
    """The tokens of some rows."""

    batch: PassageBatch
    positions: IntArray
    word: BoolArray

    @cached_property
    def codes(self) -> IntArray:
        """The type of each token."""
        return self.batch.codes.take(self.positions)

    @cached_property
    def segments(self) -> IntArray:
        """The segment of each token."""
        return self.batch.token_segments.take(self.positions)

    def listed(self, kind: Listed) -> IntArray:
        """Return in which lines each token stands."""
        return kind.of(self.batch.vocabulary, self.codes)

    @cached_property
    def keys(self) -> IntArray:
        """The type of each token in small letters."""
        return self.batch.vocabulary.derived(casefold).take(self.codes)

    def shaped(self, asked: Letters) -> BoolArray:
        """Return which tokens have one of the letters asked for."""
        shaped: BoolArray = self.batch.vocabulary.derived(letters).take(self.codes) & asked.value > 0
        return shaped

    def clashes(self) -> IntArray:
        """Return where left words stand before right ones, or before the end of their segment."""
        opens = np.diff(self.segments, prepend=-1) > 0
        left, right, unless = map(self.listed, (_LEFT, _RIGHT, _UNLESS))
        behind = np.where(np.append(opens[1:], True), _RIGHT.bits[_END], np.append(right[1:], 0))
        before = np.where(opens, 0, np.append(0, unless[:-1]))
        clashes: IntArray = np.flatnonzero(left & behind & ~before)
        return clashes

    def frames(self) -> IntArray:
        """Return where words stand on both sides of a word that they do not frame in fluent speech: "we can we"."""
        outer, inner, keys = self.listed(_OUTER), self.listed(_INNER), self.keys
        at = np.flatnonzero(outer[:-2] & inner[1:-1])
        frames: IntArray = at[(keys[at] == keys[at + 2]) & (self.segments[at] == self.segments[at + 2])]
        return frames

    def exchanged(self) -> IntArray:
        """Return where a subject and its verb stand, and the verb again with another subject: "you have we have"."""
        subject, inner, keys = self.listed(_AGAIN) > 0, self.listed(_INNER) > 0, self.keys
        at = np.flatnonzero(subject[:-3] & inner[1:-2] & subject[2:-1] & (keys[1:-2] == keys[3:]))
        exchanged: IntArray = at[self.segments[at] == self.segments[at + 3]]
        return exchanged

    def capitals(self) -> IntArray:
        """Return where words of grammar have a capital directly behind a word: "all You used", not "The Hague"."""
        title = self.shaped(Letters.TITLE)
        capital = title & self.shaped(Letters.GRAMMAR) & self.word & ~np.append(title[1:], False)
        at = np.flatnonzero(capital[1:] & self.word[:-1]) + 1
        capitals: IntArray = at[self.segments[at - 1] == self.segments[at]]
        return capitals

    def dashes(self) -> IntArray:
        """Return where a dash stands behind a word."""
        dashes: IntArray = np.flatnonzero((self.listed(_DASH)[1:] > 0) & self.word[:-1]) + 1
        return dashes

    def letters(self) -> IntArray:
        """Return where a capital that is no word opens a segment, the beginning of one: "Y you know"."""
        opens = np.diff(self.segments, prepend=-1) > 0
        letters: IntArray = np.flatnonzero(opens[:-1] & self.shaped(Letters.LETTER)[:-1] & self.word[1:] & ~opens[1:])
        return letters

    def anew(self) -> IntArray:
        """Return where one of the last few words before a comma stands behind it again."""
        words = np.flatnonzero(self.word)
        keys, segments = self.keys[words], self.segments[words]
        comma = self.codes[words[1:] - 1] == self.batch.vocabulary.find(",")
        at = np.flatnonzero(comma & (self.listed(_ANEW)[words[1:]] > 0)) + 1
        found = np.zeros(len(at), bool)
        for back in range(1, _FEW + 1):
            earlier = np.maximum(at - back, 0)
            found |= (keys[earlier] == keys[at]) & (segments[earlier] == segments[at])
        anew: IntArray = words[at[found]]
        return anew

    def parallels(self) -> IntArray:
        """Return where a subject and its verb stand that follow again soon: "it has, it has to"."""
        words = np.flatnonzero(self.word)
        keys, segments = self.keys[words], self.segments[words]
        subjects = np.flatnonzero(self.listed(_AGAIN)[words])
        found = [words[:0]]
        for distance in range(2, _SOON + 1):
            at = subjects[: np.searchsorted(subjects, len(words) - distance - 1)]
            same = (keys[at] == keys[at + distance]) & (keys[at + 1] == keys[at + distance + 1])
            found.append(words[at[same & (segments[at] == segments[at + distance + 1])]])
        return np.concatenate(found)
