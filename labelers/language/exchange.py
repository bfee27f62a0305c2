"""Exchanging names: which mentions go together, which rival is drawn, and where it may not stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labelers.language.differences import Numbering
from labelers.language.mentions import Mentions, Names
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, ragged_take, running_total

__all__ = ["Bundles", "Frequencies", "blocked", "bundles_of", "foreign_names"]


@dataclass(frozen=True)
class Bundles:
    """B bundles, in the order of rows: all mentions of one concept in one passage, which share one fate."""

    batch: PassageBatch
    names: Names
    mentions: Mentions
    of: IntArray
    """int64 [M]: the bundle of each mention."""
    row: IntArray
    """int64 [B]."""
    place: IntArray
    """int64 [B]: where in the row the first mention starts."""
    name: IntArray
    """int64 [B]: the name of the first mention."""
    agree: BoolArray
    """bool [B]: all mentions use that name."""
    size: IntArray
    """int64 [B]: how many mentions."""

    @cached_property
    def seen(self) -> IntArray:
        """int64, sorted: row * number of words + word, for every token that shows an informative word."""
        tokens, words = self.names.telling_words(self.batch)
        return np.sort(self.batch.rows[tokens] * self.names.n_words + words)


def bundles_of(batch: PassageBatch, names: Names, mentions: Mentions) -> Bundles:
    """Gather the mentions of each concept in each passage."""
    rows = batch.rows[mentions.start]
    keys = rows * (len(names) + 1) + names.groups[mentions.name]
    _, first, of, size = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    name = mentions.name[first]
    strays = np.bincount(of, weights=mentions.name != name[of], minlength=len(first))
    start = mentions.start[first]
    return Bundles(batch, names, mentions, of, rows[first], batch.positions[start], name, strays == 0, size)


class Frequencies:
    """How often each name of a dictionary is used: its count in the pool and one more."""

    def __init__(self, names: Names, counts: IntArray, held: BoolArray) -> None:
        """Take the counts (int64 [n]) of the names, and which are held out (bool [n])."""
        self.weights = counts + 1
        """int64 [n]."""
        self._held = held
        self._ends = np.cumsum(self.weights)
        self._first = names.offsets[names.groups]
        self._totals = np.bincount(names.groups, weights=self.weights).astype(np.int64)[names.groups]
        self._ranked = np.lexsort((np.array(names.texts), self.weights, names.types))
        self._rank = np.empty(len(names), np.int64)
        self._rank[self._ranked] = np.arange(len(names))
        self._spelling = _Spelling(names.texts)
        self._pairs, self._similar = Numbering(), np.empty((0, _CHOICES), np.int64)

    def rival(self, present: IntArray, draws: FloatArray) -> IntArray:
        """Draw one of the concept's other names by frequency; the present one has one at least."""
        own = self.weights[present]
        before = self._ends[self._first[present]] - self.weights[self._first[present]]
        place = before + (draws * (self._totals[present] - own)).astype(np.int64)
        place += np.where(place >= self._ends[present] - own, own, 0)  # pass over the present name
        rival: IntArray = np.searchsorted(self._ends, place, side="right")
        return rival

    def chance(self, present: IntArray, rival: IntArray) -> FloatArray:
        """Return the probability with which a pair is taken up, so that both directions are equally frequent."""
        rest = self._totals[present] - self.weights[present]
        chance: FloatArray = np.minimum(1.0, rest / (self._totals[present] - self.weights[rival]))
        return chance

    def similar(self, names: Names, present: IntArray, rival: IntArray) -> IntArray:
        """Return names of other concepts that could stand for the present one and look as the rival does, for P pairs.

        They are of the same type and side, resemble the present name in spelling as much as the rival, and are about
        as frequent as it; the best come first.

        Returns:
            int64 [P, `_CHOICES`], -1 where there are fewer.
        """
        entry, added = self._pairs.of(present * len(names) + rival)
        if added:
            found = self._search(names, *np.divmod(np.array(added), len(names)))
            self._similar = np.concatenate([self._similar, found])
        return self._similar[entry]

    def _search(self, names: Names, present: IntArray, rival: IntArray) -> IntArray:
        """Compare the rivals with their neighbours in type and frequency."""
        place = self._rank[rival][:, None] + np.arange(-_WINDOW, _WINDOW + 1)
        near = self._ranked[np.clip(place, 0, len(names) - 1)]
        fits = (names.types[near] == names.types[rival][:, None]) & (names.groups[near] != names.groups[rival][:, None])
        fits &= self._held[near] == self._held[rival][:, None]
        pair, column = np.nonzero(fits & (names.rivals[near] > 0) & (place >= 0) & (place < len(names)))
        near = near[pair, column]
        gap = np.abs(np.log2(self.weights[near] / self.weights[rival[pair]]))
        likeness = self._spelling.likeness
        off = np.abs(likeness(present[pair], near) - likeness(present, rival)[pair])
        order = np.lexsort((near, off + _PER_DOUBLING * gap, pair))
        order = order[(off[order] <= _FARTHEST) & (gap[order] <= _DOUBLINGS)]
        turn = np.arange(len(order)) - np.searchsorted(pair[order], pair[order])  # place among those of its pair
        order, turn = order[turn < _CHOICES], turn[turn < _CHOICES]
        best = np.full((len(rival), _CHOICES), -1, np.int64)
        best[pair[order], turn] = near[order]
        return best


_WINDOW = 64
"""Names on each side, in the order of frequency, that are compared with a rival."""
_CHOICES = 5
_FARTHEST = 0.25
"""Largest difference in likeness between a wrong name and the rival that it stands in for."""
_DOUBLINGS = 4.0
"""Largest ratio of their frequencies, as a power of two."""
_PER_DOUBLING = 0.05


class _Spelling:
    """The pairs of neighbouring characters of n texts, case apart.

    Example:
        >>> _Spelling(["night", "nacht", "Light"]).likeness(np.array([0, 0]), np.array([1, 2])).tolist()
        [0.25, 0.75]
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Number the pairs."""
        pairs = [set(pairwise(text.lower())) for text in texts]
        codes = np.array([ord(one) << 32 | ord(other) for part in pairs for one, other in part], np.int64)
        distinct, self._numbers = np.unique(codes, return_inverse=True)
        self._n, self._sizes = len(distinct), np.array(list(map(len, pairs)), np.int64)
        self._offsets = running_total(self._sizes)

    def likeness(self, one: IntArray, other: IntArray) -> FloatArray:
        """Return Dice's coefficient of the pairs of texts two by two."""
        ones, which = np.unique(one, return_inverse=True)
        place, ends = ragged_take(self._offsets, ones)
        held = np.zeros((len(ones), self._n), bool)
        held[np.repeat(np.arange(len(ones)), np.diff(ends)), self._numbers[place]] = True
        place, ends = ragged_take(self._offsets, other)
        both = np.diff(running_total(held[np.repeat(which, np.diff(ends)), self._numbers[place]])[ends])
        likeness: FloatArray = 2 * both / np.maximum(1, self._sizes[one] + self._sizes[other])
        return likeness


def blocked(bundles: Bundles, rival: IntArray) -> BoolArray:
    """Return bool [B]: an exchange would repeat a word of the passage, or what it takes away is still to be read.

    That is so if an informative word of only one of the two names stands elsewhere in the row, if the rival begins or
    ends with the word before or behind it, if one of the names is a part of the other, if one of them is a single
    word that another one grades ("more often", not "more from time to time"), or if one of them goes on in the words
    behind it and none follows ("We saw several."). All but the second hold for both directions of a pair alike. A rival
    of -1 is none, and not blocked.
    """
    checked = np.flatnonzero(rival >= 0)
    apart, entry = bundles.names.differences(bundles.name[checked], rival[checked])
    hit = np.zeros(len(rival), bool)
    hit[checked] = apart.nested[entry]
    # bundle, word, own [K]: each word to look for, and how often the bundle's mentions show it themselves
    place, offsets = ragged_take(apart.offsets, entry)
    bundle, word, own = np.repeat(checked, np.diff(offsets)), apart.words[place], apart.own[place]
    hit[bundle[_counts(bundles, bundles.row[bundle], word) > own * bundles.size[bundle]]] = True
    chosen = np.flatnonzero(rival.take(bundles.of) >= 0)
    of, mentions = bundles.of[chosen], bundles.mentions.take(chosen)
    new = rival[of]
    hit[
        of[_repeats(bundles, mentions, new) | _graded(bundles, mentions, new) | _breaks_off(bundles, mentions, new)]
    ] = True
    return hit


def _counts(bundles: Bundles, rows: IntArray, words: IntArray) -> IntArray:
    """Return how often each row shows each word."""
    asked = rows * bundles.names.n_words + words
    upper: IntArray = np.searchsorted(bundles.seen, asked, side="right")
    return upper - np.searchsorted(bundles.seen, asked, side="left")


def _repeats(bundles: Bundles, mentions: Mentions, new: IntArray) -> BoolArray:
    """Return bool [M]: the new name would begin or end with the word that it comes to stand beside."""
    batch, (opening, closing) = bundles.batch, bundles.names.ends[new].T
    before, after = np.maximum(mentions.start - 1, 0), np.minimum(mentions.end, len(batch.codes) - 1)
    row = batch.rows[mentions.start]
    left, right = bundles.names.words_at(batch, before), bundles.names.words_at(batch, after)
    repeats: BoolArray = (before < mentions.start) & (batch.rows[before] == row) & (left == opening)
    repeats |= (after == mentions.end) & (batch.rows[after] == row) & (right == closing)
    return repeats


_GRADES = frozenset(
    {
        "more",
        "most",
        "less",
        "least",
        "very",
        "so",
        "too",
        "as",
        "how",
        "quite",
        "rather",
        "really",
        "extremely",
        "even",
    }
)
"""Words that make more or less of the one behind them."""


def _grades(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether it may grade the word behind it."""
    return np.fromiter(map(_GRADES.__contains__, map(str.lower, texts)), bool, len(texts))


def _graded(bundles: Bundles, mentions: Mentions, new: IntArray) -> BoolArray:
    """Return bool [M]: one of the two names is a single word and the other is not, behind a word that grades it."""
    batch, sizes = bundles.batch, bundles.names.sizes
    before = np.maximum(mentions.start - 1, 0)
    near = (mentions.start > 0) & (batch.token_segments[before] == batch.token_segments[mentions.start])
    near &= batch.vocabulary.property(_grades)[batch.codes[before]]
    graded: BoolArray = near & ((sizes[new] == 1) != (sizes[mentions.name] == 1))
    return graded


def _begins(texts: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return 2 for types that begin with a capital or a digit, 1 for other words, else 0."""
    return np.fromiter(
        (text[0].isalnum() + (text[0].isupper() or text[0].isdigit()) for text in texts), np.int8, len(texts)
    )


def _breaks_off(bundles: Bundles, mentions: Mentions, new: IntArray) -> BoolArray:
    """Return bool [M]: one of the two names has to be followed by a word, the other has not, and no such word is."""
    batch, needed = bundles.batch, bundles.names.goes_on
    after = np.minimum(mentions.end, len(batch.codes) - 1)
    follows = (mentions.end == after) & (batch.token_segments[after] == batch.token_segments[mentions.start])
    found = np.where(follows, batch.vocabulary.property(_begins)[batch.codes[after]], 0)
    one, other = needed[new], needed[mentions.name]
    broken: BoolArray = (one != other) & (found < np.maximum(one, other))
    return broken


def foreign_names(
    bundles: Bundles, frequencies: Frequencies, rival: IntArray, replaced: BoolArray, draws: FloatArray
) -> IntArray:
    """Return int64 [B]: for each replaced bundle the name of another concept that could stand there, -1 for none.

    Of the names that resemble the rival, one is drawn; where that is blocked, the next of them that is not.
    """
    foreign, wanted = np.full(len(rival), -1, np.int64), np.flatnonzero(replaced)
    table = frequencies.similar(bundles.names, bundles.name[wanted], rival[wanted])
    size = (table >= 0).sum(axis=1)
    first = (draws[wanted] * size).astype(np.int64)
    left = np.arange(len(wanted))
    for turn in range(_CHOICES):
        left = left[(foreign[wanted[left]] < 0) & (turn < size[left])]
        if not len(left):
            break
        choice = np.full(len(rival), -1, np.int64)
        choice[wanted[left]] = table[left, (first[left] + turn) % size[left]]
        choice[blocked(bundles, choice)] = -1
        foreign = np.maximum(foreign, choice)
    return _once(foreign, bundles.row, len(bundles.names))


def _once(foreign: IntArray, rows: IntArray, n: int) -> IntArray:
    """Take back a name that two bundles of one row were given."""
    _, which, count = np.unique(rows * (n + 1) + foreign, return_inverse=True, return_counts=True)
    return np.where(count[which] > 1, -1, foreign)
