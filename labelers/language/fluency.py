"""Which segments are disfluent as they stand: fillers, cut words, transcriber's marks, words that follow themselves."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.language.ngrams import casefold, common_words
from labelers.language.restarts import restarts
from labelers.language.words import is_word
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = ["broken_words", "disfluent_segments", "entries", "is_hesitation", "may_stand_twice"]

_STUB = 3  # letters of the longest form that is told to be broken off by being no word we know
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
    return _cut(text) or (any(map(str.isalpha, text)) and not is_word(vocabulary, [text])[0])


def _cut(text: str) -> bool:
    """Return whether a text ends in a hyphen, as cut words do, or in a dash and a full stop, as cut sentences do."""
    hyphen = text.endswith("-") and not text.endswith("--")
    return text[0].isalpha() and (hyphen or text.endswith(("\u2014.", "\u2013.", "-.")))


def may_stand_twice(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG001
    """Return 2 where a word may follow itself in any fluent text, 1 where only in writing, else 0."""
    places = {text: {"any": 2, "writing": 1}.get(place, 0) for text, place in entries("twice").items()}
    return np.fromiter((places.get(text.lower(), 0) for text in texts), np.int8, len(texts))


def _head(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int64]:  # noqa: ARG001
    """Return the first three characters of each type in lower case as one number, the first in the highest bits."""
    heads = (map(ord, text.casefold()[:_STUB].ljust(_STUB, "\0")) for text in texts)
    return np.array([(a << 2 * _LETTER) + (b << _LETTER) + c for a, b, c in heads], np.int64)


@cache
def _listed(kind: str) -> frozenset[str]:
    """Return the words of one kind of entry that holds several."""
    return frozenset(word for text in entries(kind) for word in text.split())


def _stub_size(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG001
    """Return the length of each type that may be a word broken off (no word of grammar), else 0."""
    grammar = common_words().union(entries("short"))
    fits = (
        min(len(t), 99) if t.isalpha() and t[1:] == t[1:].lower() and t.lower() not in grammar else 0 for t in texts
    )
    return np.fromiter(fits, np.int8, len(texts))


def _is_unknown(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001
    """Return where a form is no word we know: of one to three small letters, or a capital and a small letter."""
    return np.fromiter(map(_unknown, texts), bool, len(texts))


def _unknown(text: str) -> bool:
    """Return whether one form is no word we know."""
    if len(text) > _STUB or not text.isalpha():
        return text.lower() in _listed("cut")
    if text.islower():
        return text not in entries("short") and text not in _listed("known")
    capital = 1 < len(text) < _STUB and text.isascii() and text.istitle()
    return (capital and text not in _listed("name")) or text.lower() in _listed("cut")


def disfluent_segments(batch: PassageBatch, word: BoolArray, hesitation: BoolArray) -> BoolArray:
    """Return bool [S]: segments that hold a hesitation, a repeat of one to three words, or a new beginning.

    Args:
        batch: P passages.
        word: bool [N]: words outside transcriber's marks, see `labelers.language.ngrams.Ngrams.word`.
        hesitation: bool [N]: fillers, cut words and marks, see `is_hesitation`.
    """
    words = np.flatnonzero(word)
    segments = batch.token_segments[words]
    keys = batch.vocabulary.property(casefold)[batch.codes[words]]
    found = np.zeros(len(batch.segments), bool)
    found[batch.token_segments[np.flatnonzero(hesitation)]] = True
    for hits in (_repeats(batch, words, keys, segments), _stubs(batch, words), _markers(batch, words, keys)):
        found[segments[hits]] = True
    found[batch.token_segments[restarts(batch, batch.vocabulary.property(casefold))]] = True
    return found


def _repeats(batch: PassageBatch, words: IntArray, keys: IntArray, segments: IntArray) -> IntArray:
    """Return indices into words at which one, two or three words begin that follow again at once."""
    single, double, triple = (_again(keys, segments, period) for period in (1, 2, 3))
    twice = batch.vocabulary.property(may_stand_twice)[batch.codes[words[single]]]
    spoken = batch.spoken[batch.rows[words[single]]]
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
    """Return indices into words at which a broken-off word stands.

    It stands before the word that it begins; in speech an unknown form is one whatever follows.
    """
    codes, value = batch.codes[words], batch.vocabulary.property
    spoken = batch.spoken[batch.rows[words]]
    unknown = value(_is_unknown)[codes]
    size = value(_stub_size)[codes].astype(np.int64)
    at = np.flatnonzero((size[:-1] > 0) & (spoken | unknown)[:-1]) if len(words) else words
    shift = (_STUB - np.minimum(size[at], _STUB)) * _LETTER
    heads = value(_head)
    at = at[(heads[codes[at]] >> shift) == (heads[codes[at + 1]] >> shift)]
    between = words[at + 1] - words[at] - 1
    hyphen = batch.codes[np.minimum(words[at] + 1, len(batch.codes) - 1)] == batch.vocabulary.find("-")
    near = (between == 0) | ((between == 1) & hyphen & (size[at] == 1))
    together = batch.token_segments[words[at]] == batch.token_segments[words[at + 1]]
    begun = at[near & together & _begins(batch.vocabulary, codes[at], codes[at + 1])]
    return np.concatenate([begun, np.flatnonzero(spoken & unknown)])


def broken_words(batch: PassageBatch, word: BoolArray) -> IntArray:
    """Return the positions of words that were broken off, of the words bool [N]: "th-", "pro" before "problem"."""
    words = np.flatnonzero(word)
    cut = batch.vocabulary.property(_is_cut)[batch.codes[words]]
    return np.concatenate([words[cut], words[_stubs(batch, words)]])


def _is_cut(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001
    """Return where a form is a cut word."""
    return np.fromiter((text != "" and _cut(text) for text in texts), bool, len(texts))


def _same_start(stub: str, text: str) -> bool:
    """Return whether a text goes on as a stub does; the second of two names is another one ("Jo Johnson")."""
    return text.casefold().startswith(stub.casefold()) and (stub.islower() or text.islower())


def _begins(vocabulary: Vocabulary, stubs: IntArray, codes: IntArray) -> BoolArray:
    """Return where a type begins another, longer one, of types with the same first letters."""
    texts = vocabulary.texts
    pairs = zip(stubs.tolist(), codes.tolist(), strict=True)
    longer = (len(texts[stub]) < len(texts[code]) and _same_start(texts[stub], texts[code]) for stub, code in pairs)
    return np.fromiter(longer, bool, len(stubs))


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
