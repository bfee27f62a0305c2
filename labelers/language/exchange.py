"""Exchanging names: which mentions go together, which rival is drawn, and the edits that put it in their place."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labelers.edits import Edits
from labelers.language.dictionary import takes_an
from labelers.language.mentions import Mentions, Names, shared, style_of
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary, ragged_take, running_total

__all__ = ["Bundles", "Frequencies", "blocked", "bundles_of", "foreign_names", "rewrite"]

_FLOATS = npt.NDArray[np.float64]


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
        """int64, sorted: row * number of words + word, for every token that shows a telling word."""
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

    def __init__(self, names: Names, counts: IntArray) -> None:
        """Take the counts (int64 [n]) of the names."""
        self.weights = counts + 1
        """int64 [n]."""
        self._ends = np.cumsum(self.weights)
        self._first = names.offsets[names.groups]
        self._totals = np.bincount(names.groups, weights=self.weights).astype(np.int64)[names.groups]
        self._ranked = np.lexsort((np.array(names.texts), self.weights, names.types))
        self._rank = np.empty(len(names), np.int64)
        self._rank[self._ranked] = np.arange(len(names))
        self._similar: dict[tuple[int, int], IntArray] = {}

    def rival(self, present: IntArray, draws: _FLOATS) -> IntArray:
        """Draw one of the concept's other names by frequency; the present one has one at least."""
        own = self.weights[present]
        before = self._ends[self._first[present]] - self.weights[self._first[present]]
        place = before + (draws * (self._totals[present] - own)).astype(np.int64)
        place += np.where(place >= self._ends[present] - own, own, 0)  # pass over the present name
        rival: IntArray = np.searchsorted(self._ends, place, side="right")
        return rival

    def chance(self, present: IntArray, rival: IntArray) -> _FLOATS:
        """Return the probability with which a pair is taken up, so that both directions are equally frequent."""
        rest = self._totals[present] - self.weights[present]
        chance: _FLOATS = np.minimum(1.0, rest / (self._totals[present] - self.weights[rival]))
        return chance

    def similar(self, names: Names, present: int, rival: int) -> IntArray:
        """Return names of other concepts that could stand for the present one and look as the rival does.

        They are of the same type, resemble the present name in spelling as much as the rival, and are about as
        frequent as it; the best come first, `_CHOICES` at most.
        """
        key = (present, rival)
        if key not in self._similar:
            self._similar[key] = self._search(names, present, rival)
        return self._similar[key]

    def _search(self, names: Names, present: int, rival: int) -> IntArray:
        """Compare the rival with its neighbours in type and frequency."""
        middle = self._rank[rival]
        near = self._ranked[max(0, middle - _WINDOW) : middle + _WINDOW + 1]
        fits = (names.types[near] == names.types[rival]) & (names.groups[near] != names.groups[rival])
        near = near[fits & (names.rivals[near] > 0)]
        gap = np.abs(np.log2(self.weights[near] / self.weights[rival]))
        own = _pairs(names.texts[present])
        likeness = np.array([_likeness(own, _pairs(names.texts[name])) for name in [rival, *near.tolist()]])
        off = np.abs(likeness[1:] - likeness[0])
        order = np.lexsort((near, off + _PER_DOUBLING * gap))
        best: IntArray = near[order[(off[order] <= _FARTHEST) & (gap[order] <= _DOUBLINGS)]][:_CHOICES]
        return best


_WINDOW = 64
"""Names on each side, in the order of frequency, that are compared with a rival."""
_CHOICES = 5
_FARTHEST = 0.25
"""Largest difference in likeness between a wrong name and the rival that it stands in for."""
_DOUBLINGS = 4.0
"""Largest ratio of their frequencies, as a power of two."""
_PER_DOUBLING = 0.05


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Return Dice's coefficient of two names given by their pairs of neighbouring characters.

    Example:
        >>> _likeness(_pairs("night"), _pairs("nacht"))
        0.25
    """
    return 2 * len(one & other) / max(1, len(one) + len(other))


@cache
def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring characters of a name, case apart."""
    text = text.lower()
    return frozenset(map("".join, pairwise(text)))


def blocked(bundles: Bundles, rival: IntArray) -> BoolArray:
    """Return bool [B]: an exchange would repeat a word of the passage, or what it takes away is still to be read.

    That is so if a telling word that only one of the two names has stands elsewhere in the row, if the rival begins or
    ends with the word before or behind it, if one of the names is a part of the other, or if one of them is a single
    word that another one grades ("more often", not "more from time to time"). All but the second hold for both
    directions of a pair alike. A rival of -1 is none, and not blocked.
    """
    names, checked = bundles.names, np.flatnonzero(rival >= 0)
    pairs, pair_of = _distinct(bundles.name[checked], rival[checked])
    marks, entry = names.marks(pairs)
    hit = np.zeros(len(rival), bool)
    hit[checked] = marks.nested[entry][pair_of]
    # bundle, word, own [K]: each word to look for, and how often the bundle's mentions show it themselves
    place, offsets = ragged_take(marks.offsets, entry[pair_of])
    bundle, word, own = np.repeat(checked, np.diff(offsets)), marks.words[place], marks.own[place]
    hit[bundle[_counts(bundles, bundles.row[bundle], word) > own * bundles.size[bundle]]] = True
    return hit | _repeats(bundles, rival) | _graded(bundles, rival)


def _distinct(one: IntArray, other: IntArray) -> tuple[list[tuple[int, int]], IntArray]:
    """Return the distinct pairs of numbers below 2**31, and the pair of each element."""
    both, which = np.unique((one << 32) | other, return_inverse=True)
    return list(zip((both >> 32).tolist(), (both & 0xFFFFFFFF).tolist(), strict=True)), which.reshape(-1)


def _counts(bundles: Bundles, rows: IntArray, words: IntArray) -> IntArray:
    """Return how often each row shows each word."""
    asked = rows * bundles.names.n_words + words
    upper: IntArray = np.searchsorted(bundles.seen, asked, side="right")
    return upper - np.searchsorted(bundles.seen, asked, side="left")


def _repeats(bundles: Bundles, rival: IntArray) -> BoolArray:
    """Return bool [B]: the rival would begin or end with the word that it comes to stand beside."""
    chosen = np.flatnonzero(rival[bundles.of] >= 0)
    mentions, new = bundles.mentions.take(chosen), rival[bundles.of[chosen]]
    batch, (opening, closing) = bundles.batch, bundles.names.ends[new].T
    before, after = np.maximum(mentions.start - 1, 0), np.minimum(mentions.end, len(batch.codes) - 1)
    row = batch.rows[mentions.start]
    same = (before < mentions.start) & (batch.rows[before] == row) & (bundles.names.words_at(batch, before) == opening)
    same |= (after == mentions.end) & (batch.rows[after] == row) & (bundles.names.words_at(batch, after) == closing)
    repeats: BoolArray = np.bincount(bundles.of[chosen[same]], minlength=len(rival)) > 0
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


def _grades(_: Vocabulary, texts: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether it may grade the word behind it."""
    return np.array([text.lower() in _GRADES for text in texts], bool)


def _graded(bundles: Bundles, rival: IntArray) -> BoolArray:
    """Return bool [B]: one of the two names is a single word and the other is not, behind a word that grades it."""
    mentions, sizes = bundles.mentions, bundles.names.sizes
    chosen = np.flatnonzero(rival[bundles.of] >= 0)
    new, old = rival[bundles.of[chosen]], mentions.name[chosen]
    before = np.maximum(mentions.start[chosen] - 1, 0)
    batch = bundles.batch
    near = (mentions.start[chosen] > 0) & (batch.token_segments[before] == batch.token_segments[mentions.start[chosen]])
    near &= batch.vocabulary.property(_grades)[batch.codes[before]] & ((sizes[new] == 1) != (sizes[old] == 1))
    graded: BoolArray = np.bincount(bundles.of[chosen[near]], minlength=len(rival)) > 0
    return graded


def foreign_names(
    bundles: Bundles, frequencies: Frequencies, rival: IntArray, replaced: BoolArray, draws: _FLOATS
) -> IntArray:
    """Return int64 [B]: for each replaced bundle the name of another concept that could stand there, -1 for none.

    Of the names that resemble the rival, one is drawn; where that is blocked, the next of them that is not.
    """
    foreign = np.full(len(rival), -1, np.int64)
    wanted = np.flatnonzero(replaced)
    pairs, pair_of = _distinct(bundles.name[wanted], rival[wanted])
    table = np.full((len(pairs), _CHOICES), -1, np.int64)
    for i, pair in enumerate(pairs):
        found = frequencies.similar(bundles.names, *pair)
        table[i, : len(found)] = found
    size = (table >= 0).sum(axis=1)[pair_of]
    first = (draws[wanted] * size).astype(np.int64)
    for turn in range(_CHOICES):
        choice = np.full(len(rival), -1, np.int64)
        choice[wanted] = np.where(turn < size, table[pair_of, (first + turn) % np.maximum(size, 1)], -1)
        choice[foreign >= 0] = -1
        if (choice < 0).all():
            break
        free = (choice >= 0) & ~blocked(bundles, choice)
        foreign[free] = choice[free]
    return _once(foreign, bundles.row, len(bundles.names))


def _once(foreign: IntArray, rows: IntArray, n: int) -> IntArray:
    """Take back a name that two bundles of one row were given."""
    _, which, count = np.unique(rows * (n + 1) + foreign, return_inverse=True, return_counts=True)
    return np.where(count[which] > 1, -1, foreign)


def rewrite(bundles: Bundles, shown: IntArray, replaced: BoolArray) -> Edits:
    """Return the edits that show another name in all mentions of the replaced bundles, in their case.

    Tokens that both names share at their ends stay. An article before the mention is written again where it has to
    change between "a" and "an"; it keeps its origin.
    """
    batch, names, mentions = bundles.batch, bundles.names, bundles.mentions.take(replaced[bundles.of])
    if not len(mentions.name):
        return Edits.none()
    new = shown[bundles.of[replaced[bundles.of]]]
    style = _styles(batch, names, mentions)
    article = _articles(batch, mentions)
    pairs, pair_of = _distinct(mentions.name, new)
    manners = len(_ARTICLES) + 1
    combos, which = _distinct(pair_of, style * manners + article)
    writing = [_written(names, *pairs[pair], *divmod(manner, manners)) for pair, manner in combos]
    shape = np.array([(item.head, item.tail, item.article) for item in writing], np.int64)
    head, tail, repaired = shape[which].T
    start = mentions.start + head - repaired
    place, offsets = ragged_take(running_total(np.array([len(item.words) for item in writing])), which)
    codes = batch.vocabulary.encode(word for item in writing for word in item.words)
    origin = np.full(offsets[-1], -1, np.int64)
    origin[offsets[:-1][repaired > 0]] = start[repaired > 0]
    return Edits(
        rows=batch.rows[mentions.start],
        start=start,
        end=mentions.end - tail,
        write_offsets=offsets,
        codes=codes[place],
        origin=origin,
        copies=origin.copy(),
        label=np.full(len(start), -1, np.int64),
    )


@dataclass(frozen=True)
class _Written:
    """What an edit writes for one name in place of another."""

    words: tuple[str, ...]
    head: int
    """Tokens that stay at the front of the mention."""
    tail: int
    """Tokens that stay at its back."""
    article: int
    """1 if the article before the mention is written too."""


@lru_cache(1 << 16)
def _written(names: Names, old: int, new: int, style: int, article: int) -> _Written:
    """Write a name in the place of another.

    Args:
        names: the dictionary's.
        old: the name that stands there.
        new: the name to be written.
        style: how the old one is written.
        article: the article before it: 0 for none, else its index + 1.
    """
    before = _recase(names.words[old], style, keep=bool(names.exact[old]))
    words = _recase(names.words[new], style, keep=bool(names.exact[new]))
    head, tail = shared(before, words)
    middle = words[head : len(words) - tail]
    repaired = ""
    if article and not head:
        repaired = _repair(_ARTICLES[article - 1], middle[0], style)
    return _Written((repaired, *middle) if repaired else tuple(middle), head, tail, int(bool(repaired)))


_LOWER, _FIRST, _UPPER, _EACH = range(4)
"""How a mention is written: in lower case, its first letter a capital, all in capitals, a capital in each word."""


def _recase(words: Iterable[str], style: int, *, keep: bool) -> list[str]:
    """Return the words in a style; those of a name with capitals of its own keep them."""
    words = list(words)
    if style == _UPPER:
        return [word.upper() for word in words]
    if style == _EACH and not keep:
        return [_capital(word) for word in words]
    return [_capital(words[0]), *words[1:]] if style != _LOWER else words


def _capital(word: str) -> str:
    """Return the word with its first letter a capital."""
    return word[:1].upper() + word[1:]


def _styles(batch: PassageBatch, names: Names, mentions: Mentions) -> IntArray:
    """Return int64 [M]: how each mention is written; one with capitals of its own tells it by its place alone."""
    style = batch.vocabulary.property(style_of)
    first, last = style[batch.codes[mentions.start]], style[batch.codes[mentions.end - 1]]
    several = mentions.end - mentions.start > 1
    found = np.where(first > 0, _FIRST, _LOWER)
    found[(first > 0) & (last > 0) & several] = _EACH
    found[(first == _UPPER) & ((last == _UPPER) | ~several)] = _UPPER
    opens = batch.segments[batch.token_segments[mentions.start]] == mentions.start
    return np.where(names.exact[mentions.name], np.where(opens, _FIRST, _LOWER), found)


_ARTICLES = ("a", "an", "A", "An", "AN")


def _article(_: Vocabulary, texts: Iterable[str]) -> npt.NDArray[np.int8]:
    """Return the index + 1 of the article that each type is, 0 for others."""
    return np.array([_ARTICLES.index(text) + 1 if text in _ARTICLES else 0 for text in texts], np.int8)


def _articles(batch: PassageBatch, mentions: Mentions) -> IntArray:
    """Return int64 [M]: the index + 1 of the article before each mention, 0 for none."""
    before = np.maximum(mentions.start - 1, 0)
    near = (mentions.start > 0) & (batch.token_segments[before] == batch.token_segments[mentions.start])
    near[1:] &= mentions.start[1:] > mentions.end[:-1]  # no part of the mention before
    return np.where(near, batch.vocabulary.property(_article)[batch.codes[before]], 0).astype(np.int64)


def _repair(article: str, word: str, style: int) -> str:
    """Return the article that a word needs, "" where the given one will do."""
    needed = "an" if takes_an(word) else "a"
    if article.lower() == needed:
        return ""
    if article == "AN" or (article == "A" and style == _UPPER):
        return needed.upper()
    return _capital(needed) if article[0] == "A" else needed
