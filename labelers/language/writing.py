"""Writing one name in the place of another: in its case, with the article that it needs, as edits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np
import numpy.typing as npt

from labelers.edits import Edits
from labelers.language.casing import capitalised
from labelers.language.dictionary import takes_an
from labelers.language.differences import shared
from labelers.language.exchange import Bundles
from labelers.language.mentions import Mentions, Names
from labelers.language.shapes import shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ragged_take, running_total

__all__ = ["rewrite"]


def rewrite(bundles: Bundles, shown: IntArray, replaced: BoolArray) -> Edits:
    """Return the edits that show another name in all mentions of the replaced bundles, in their case.

    Tokens that both names share at their ends stay. An article before the mention is written again where it has to
    change between "a" and "an"; it keeps its origin.
    """
    batch, names, mentions = bundles.batch, bundles.names, bundles.mentions.take(replaced[bundles.of])
    if not len(mentions.name):
        return Edits.none()
    new = shown[bundles.of[replaced[bundles.of]]]
    asked = (mentions.name, new, _styles(batch, names, mentions), _articles(batch, mentions))
    shape = (len(names), len(names), _EACH + 1, len(_ARTICLES) + 1)
    combos, which = np.unique(np.ravel_multi_index(asked, shape), return_inverse=True)
    old_name, new_name, style, article = (part.tolist() for part in np.unravel_index(combos, shape))
    old_words, new_words = ([names.words[name] for name in part] for part in (old_name, new_name))
    writing = list(map(_written, old_words, new_words, style, article))
    ends = np.array([(item.head, item.tail, item.article) for item in writing], np.int64)
    head, tail, repaired = ends[which].T
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
def _written(old: tuple[str, ...], new: tuple[str, ...], style: int, article: int) -> _Written:
    """Write a name in the place of another.

    Args:
        old: the words of the name that stands there.
        new: those of the name to be written.
        style: how the old one is written.
        article: the article before it: 0 for none, else its index + 1.
    """
    before, words = _recase(old, style), _recase(new, style)
    head, tail = shared(before, words)
    middle = words[head : len(words) - tail]
    repaired = ""
    if article and not head:
        repaired = _repair(_ARTICLES[article - 1], middle[0], style)
    return _Written((repaired, *middle) if repaired else middle, head, tail, int(bool(repaired)))


_LOWER, _FIRST, _UPPER, _EACH = range(4)
"""How a mention is written: in lower case, its first letter a capital, all in capitals, a capital in each word."""


def _recase(words: tuple[str, ...], style: int) -> tuple[str, ...]:
    """Return the words in a style; those of a name with capitals of its own keep them."""
    if style == _UPPER:
        return tuple(map(str.upper, words))
    if style == _EACH and all(word == word.lower() for word in words):
        return tuple(map(capitalised, words))
    return (capitalised(words[0]), *words[1:]) if style != _LOWER else words


def _styles(batch: PassageBatch, names: Names, mentions: Mentions) -> IntArray:
    """Return int64 [M]: how each mention is written; for one with capitals of its own, only its place shows it."""
    style = shapes(batch)["case"]
    first, last = style[batch.codes[mentions.start]], style[batch.codes[mentions.end - 1]]
    several = mentions.end - mentions.start > 1
    found = np.where(first > 0, _FIRST, _LOWER)
    found[(first > 0) & (last > 0) & several] = _EACH
    found[(first == _UPPER) & ((last == _UPPER) | ~several)] = _UPPER
    opens = batch.segments[batch.token_segments[mentions.start]] == mentions.start
    return np.where(names.exact[mentions.name], np.where(opens, _FIRST, _LOWER), found)


_ARTICLES = ("a", "an", "A", "An", "AN")
_ARTICLE_NUMBERS = {article: number for number, article in enumerate(_ARTICLES, 1)}


def _article(texts: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return the index + 1 of the article that each type is, 0 for others."""
    return np.fromiter(map(_ARTICLE_NUMBERS.get, texts, repeat(0)), np.int8, len(texts))


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
    return capitalised(needed) if article[0] == "A" else needed
