"""Which segments are disfluent as they stand: fillers, cut words, transcriber's marks, words that follow themselves."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.forms import rows_of
from labelers.ngrams import casefold
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary
from labelers.words import is_word

__all__ = ["disfluent_segments", "entries", "is_hesitation", "may_stand_twice"]

_STUB = 3  # letters of the longest broken-off word that is told by its repair alone ("pro problem")
_LETTER = 21  # bits of a code point


@cache
def entries(kind: str) -> dict[str, str]:
    """Return text -> place or weight (or ``""``) of one kind of entry in the lexicon of disfluencies."""
    return {row[1]: row[2] if len(row) > 2 else "" for row in rows_of("disfluency.tsv") if row[0] == kind}  # noqa: PLR2004


def is_hesitation(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:
    """Return where a form is a filler, a cut word or a transcriber's mark.

    Example:
        >>> is_hesitation(Vocabulary(), ["Um", "th-", "{laugh}", "umbrella", "-"]).tolist()
        [True, True, True, False, False]
    """
    fillers = entries("filler")
    found = (
        (text.lower() in fillers and not text.isupper())  # "MM." are Messieurs
        or (not text.isalnum() and _is_cut_or_mark(vocabulary, text))
        for text in texts
    )
    return np.fromiter(found, bool, len(texts))


def _is_cut_or_mark(vocabulary: Vocabulary, text: str) -> bool:
    """Return whether a text that is not all letters and digits is a cut word or a transcriber's mark."""
    if text[0].isalpha() and text.endswith("-") and not text.endswith("--"):
        return True
    return any(map(str.isalpha, text)) and not is_word(vocabulary, [text])[0]


def may_stand_twice(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG001
    """Return 2 where a word may follow itself in any fluent text, 1 where only in writing, else 0."""
    places = {text: {"any": 2, "writing": 1}.get(place, 0) for text, place in entries("twice").items()}
    return np.fromiter((places.get(text.lower(), 0) for text in texts), np.int8, len(texts))


def _head(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int64]:  # noqa: ARG001
    """Return the first three characters of each type in lower case as one number, the first in the highest bits."""
    heads = (map(ord, text.casefold()[:_STUB].ljust(_STUB, "\0")) for text in texts)
    return np.array([(a << 2 * _LETTER) + (b << _LETTER) + c for a, b, c in heads], np.int64)


def _stub_size(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG001
    """Return the length of each type that may be a word broken off (short, lower case, no word we know), else 0."""
    known = entries("short")
    fits = (len(t) if len(t) <= _STUB and t.isalpha() and t.islower() and t not in known else 0 for t in texts)
    return np.fromiter(fits, np.int8, len(texts))


def disfluent_segments(batch: PassageBatch, word: BoolArray, hesitation: BoolArray) -> BoolArray:
    """Return bool [S]: segments that hold a hesitation, or one to three words that follow themselves at once.

    Args:
        batch: P passages.
        word: bool [N]: words outside transcriber's marks, see `labelers.ngrams.Ngrams.word`.
        hesitation: bool [N]: fillers, cut words and marks, see `is_hesitation`.
    """
    words = np.flatnonzero(word)
    segments = batch.token_segments[words]
    keys = batch.vocabulary.property(casefold)[batch.codes[words]]
    found = np.zeros(len(batch.segments), bool)
    found[batch.token_segments[np.flatnonzero(hesitation)]] = True
    for hits in (_repeats(batch, words, keys, segments), _stubs(batch, words), _markers(batch, words, keys)):
        found[segments[hits]] = True
    return found


def _repeats(batch: PassageBatch, words: IntArray, keys: IntArray, segments: IntArray) -> IntArray:
    """Return indices into words at which one, two or three words begin that follow again at once."""
    single, double, triple = (_again(keys, segments, period) for period in (1, 2, 3))
    twice = batch.vocabulary.property(may_stand_twice)[batch.codes[words[single]]]
    spoken = (np.diff(batch.turn_offsets) > 0)[batch.rows[words[single]]]
    excepted = (twice == 2) | ((twice == 1) & ~spoken)  # noqa: PLR2004  (see may_stand_twice)
    thrice = np.isin(single + 1, single) | np.isin(single - 1, single)  # "no no no" has no first copy
    return np.concatenate([single[~excepted | thrice], double, triple])


def _again(keys: IntArray, segments: IntArray, period: int) -> IntArray:
    """Return the indices from which ``period`` keys are repeated at once, in one segment."""
    size = max(len(keys) - 2 * period + 1, 0)
    hit = np.ones(size, bool)
    for i in range(period):
        hit &= keys[i : i + size] == keys[i + period : i + period + size]
    hits = np.flatnonzero(hit)
    inside: IntArray = hits[segments[hits] == segments[hits + 2 * period - 1]]
    return inside


def _stubs(batch: PassageBatch, words: IntArray) -> IntArray:
    """Return indices into words at which a broken-off word stands before the word that it begins.

    In speech an unknown form of one or two letters is one whatever follows.
    """
    codes = batch.codes[words]
    size = batch.vocabulary.property(_stub_size)[codes]
    at = np.flatnonzero(size[:-1] > 0) if len(words) else words
    size = size[at].astype(np.int64)
    between = words[at + 1] - words[at] - 1
    hyphen = batch.codes[np.minimum(words[at] + 1, len(batch.codes) - 1)] == batch.vocabulary.find("-")
    near = (between == 0) | ((between == 1) & hyphen & (size == 1))
    heads = batch.vocabulary.property(_head)
    shift = (_STUB - size) * _LETTER
    same = (heads[codes[at]] >> shift) == (heads[codes[at + 1]] >> shift)
    together = batch.token_segments[words[at]] == batch.token_segments[words[at + 1]]
    spoken = (np.diff(batch.turn_offsets) > 0)[batch.rows[words[at]]]
    lone = spoken & (size < _STUB)
    stubs: IntArray = at[near & together & (same | lone)]
    return stubs


def _markers(batch: PassageBatch, words: IntArray, keys: IntArray) -> IntArray:
    """Return indices into words at which a phrase such as "you know" stands, with a comma or dash behind it.

    Before it must stand no word of the same segment: "he told you know, ..." is no marker.
    """
    if len(words) < 2:  # noqa: PLR2004
        return words[:0]
    pairs = [[batch.vocabulary.code(text) for text in phrase.split()] for phrase in entries("marker")]
    opens = np.zeros(len(batch.vocabulary), bool)
    opens[[first for first, _ in pairs]] = True
    at = np.flatnonzero(opens[keys[:-1]])
    at = at[np.any([(keys[at] == first) & (keys[at + 1] == second) for first, second in pairs], axis=0)]
    close = (words[at + 1] == words[at] + 1) & ~_next_is_word(batch, words, at + 1)
    open_ = (at == 0) | (words[at - 1] != words[at] - 1)
    open_ |= batch.token_segments[words[at]] != batch.token_segments[np.maximum(words[at] - 1, 0)]
    markers: IntArray = at[close & open_]
    return markers


def _next_is_word(batch: PassageBatch, words: IntArray, at: IntArray) -> BoolArray:
    """Return where the token behind a word is a word of the same segment."""
    following = np.minimum(at + 1, len(words) - 1)
    together = batch.token_segments[words[following]] == batch.token_segments[words[at]]
    result: BoolArray = together & (words[following] == words[at] + 1)
    return result
