"""Which segments are disfluent as they stand: fillers, cut words, transcriber's marks, words that follow themselves."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.language.listed import Listed
from labelers.language.ngrams import casefold, common_words
from labelers.language.restarts import restarts
from labelers.language.tables import entries
from labelers.language.words import is_mark
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["broken_words", "by_text", "disfluent_segments", "is_hesitation", "may_stand_twice"]

_STUB = 3  # letters of the longest form that counts as broken off because it is not a known word
_LETTER = 21  # bits of a code point
_TELLS = Listed("speech", 1)
_OPEN, _MARKS, _DASH = Listed("open", 1), Listed("open", 2), Listed("dash", 1)


@cache
def by_text(kind: str) -> dict[str, str]:
    """Return text -> place or weight (or ``""``) of one kind of entry in the lexicon of disfluencies."""
    return {text: rest[0] if rest else "" for text, *rest in entries(kind)}


def is_hesitation(texts: Sequence[str]) -> BoolArray:
    """Return where a form is a filler, a cut word or a transcriber's mark.

    Example:
        >>> is_hesitation(["Um", "th-", "{laugh}", "umbrella", "-"]).tolist()
        [True, True, True, False, False]
    """
    fillers = by_text("filler")
    longest = max(map(len, fillers))
    found = (
        (len(text) <= longest and text.lower() in fillers and not text.isupper())  # "MM." are Messieurs
        or (not text.isalnum() and (_cut(text) or (is_mark(text) and any(map(str.isalpha, text)))))
        for text in texts
    )
    return np.fromiter(found, bool, len(texts))


def _cut(text: str) -> bool:
    """Return whether a text ends in a hyphen, as cut words do, or in a dash and a full stop, as cut sentences do."""
    hyphen = text.endswith("-") and not text.endswith("--")
    return text[0].isalpha() and (hyphen or text.endswith(("\u2014.", "\u2013.", "-.")))


def may_stand_twice(texts: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return 2 where a word may follow itself in any fluent text, 1 where only in writing, else 0."""
    places = {text: {"any": 2, "writing": 1}.get(place, 0) for text, place in by_text("twice").items()}
    return np.fromiter((places.get(text.lower(), 0) for text in texts), np.int8, len(texts))


def _head(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the first three characters of each type in lower case as one number, the first in the highest bits."""
    firsts = np.array([text.casefold()[:_STUB] for text in texts], f"<U{_STUB}")
    points = firsts.view(np.uint32).reshape(-1, _STUB).astype(np.int64)
    heads: npt.NDArray[np.int64] = points @ (1 << _LETTER * np.arange(_STUB)[::-1])
    return heads


@cache
def _words_of(kind: str) -> frozenset[str]:
    """Return the words of one kind of entry that holds several."""
    return frozenset(word for text in by_text(kind) for word in text.split())


def _traces(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return for each type the evidence that it was broken off.

    Its lowest bits (`_SIZE`) are the letters of a type that may be a word broken off (no word of grammar), three at
    most; `_UNKNOWN` is a form that is no word we know, `_CUT` a cut word.
    """
    grammar, cut = common_words().union(by_text("short")), _words_of("cut")
    return np.fromiter((_trace(text, grammar, cut) for text in texts), np.uint8, len(texts))


_SIZE, _UNKNOWN, _CUT = 3, 4, 8


def _trace(text: str, grammar: frozenset[str], cut: frozenset[str]) -> int:
    """Return the evidence that one type was broken off, given words of grammar and beginnings of words."""
    lower = text.lower()
    if not text.isalpha():
        return _UNKNOWN * (lower in cut) | _CUT * (text != "" and _cut(text))
    unknown = _is_unknown(text) if len(text) <= _STUB else lower in cut
    fits = (text.islower() or text[1:] == text[1:].lower()) and lower not in grammar
    return min(len(text), _STUB) * fits | _UNKNOWN * unknown


def _is_unknown(text: str) -> bool:
    """Return whether one to three letters are no word we know: small ones, or a capital and a small one."""
    if text.islower():
        return text not in by_text("short") and text not in _words_of("known")
    capital = 1 < len(text) < _STUB and text.isascii() and text.istitle()
    return (capital and text not in _words_of("name")) or text.lower() in _words_of("cut")


def disfluent_segments(batch: PassageBatch, word: BoolArray, hesitation: BoolArray) -> BoolArray:
    """Return bool [S]: segments that hold a hesitation, a repeat of one to three words, or a new beginning.

    Args:
        batch: P passages.
        word: bool [N]: words outside transcriber's marks, see `labelers.language.ngrams.Ngrams.word`.
        hesitation: bool [N]: fillers, cut words and marks, see `is_hesitation`.
    """
    words = np.flatnonzero(word)
    codes = batch.codes.take(words)
    keys = batch.vocabulary.derived(casefold).take(codes)
    hesitations = np.flatnonzero(hesitation)
    broken = np.concatenate([_resumed(batch, words, keys), _left_open(batch, words)])
    phrases = _phrases(batch, keys)
    hints = [
        phrases[np.isin(keys[phrases], _betraying(batch.vocabulary))],
        np.flatnonzero(_TELLS.of(batch.vocabulary, codes)),
    ]
    spoken = batch.spoken.copy()
    for sign in (hesitations, words[np.concatenate(hints)], words[broken]):
        spoken[batch.rows[sign]] = True
    hits = [broken, _repeats(batch, words, keys, spoken), _stubs(batch, words, codes), _markers(batch, words, phrases)]
    signs = (hesitations, words[np.concatenate(hits)], restarts(batch, word, spoken), _ends(batch, word, hesitations))
    found = np.zeros(len(batch.segments), bool)
    for places in signs:
        found[batch.token_segments[places]] = True
    return found


def _left_open(batch: PassageBatch, words: IntArray) -> IntArray:
    """Return indices into words that a mark follows though their phrase has hardly begun: "I have -- there are"."""
    at = np.flatnonzero(np.diff(words, append=len(batch.codes)) > 1)
    last, segments = words[at], batch.token_segments
    phrase, mark = (listed.of(batch.vocabulary, batch.codes[last + i]) for i, listed in enumerate((_OPEN, _MARKS)))
    found: IntArray = at[(phrase & mark > 0) & (segments[last] == segments[last + 1])]
    return found


def _ends(batch: PassageBatch, word: BoolArray, hesitations: IntArray) -> IntArray:
    """Return the last words of segments that no mark ends, in transcripts: rows of a dialogue with hesitations."""
    hesitant = np.zeros(len(batch), bool)
    hesitant[batch.rows[hesitations]] = True
    last = batch.segment_ends - 1
    comma = batch.codes.take(last) == batch.vocabulary.find(",")
    ends: IntArray = last[(hesitant & batch.spoken)[batch.segment_rows] & (word.take(last) | comma)]
    return ends


def _resumed(batch: PassageBatch, words: IntArray, keys: IntArray) -> IntArray:
    """Return indices into words behind which a dash stands, and then one of the last few words again.

    "I was -- I am", "the old -- the new": writers do so too, to break off or to name a thing once more.
    """
    at = np.flatnonzero(np.diff(words) == 2)  # noqa: PLR2004  (one mark between two words)
    at = at[_DASH.of(batch.vocabulary, batch.codes[words[at] + 1]) > 0]
    segments, behind = batch.token_segments[words], np.minimum(at + 1, len(words) - 1)
    found = np.zeros(len(at), bool)
    for back in range(_BACK):
        earlier = np.maximum(at - back, 0)
        found |= (keys[earlier] == keys[behind]) & (segments[earlier] == segments[behind]) & (at >= back)
    return at[found]


_BACK = 6  # words before a dash of which one may follow it


def _repeats(batch: PassageBatch, words: IntArray, keys: IntArray, spoken: BoolArray) -> IntArray:
    """Return indices into words at which one, two or three words begin that follow again at once."""
    single, double, triple = (_again(batch, words, keys, period) for period in (1, 2, 3))
    twice = batch.vocabulary.property(may_stand_twice)[batch.codes[words[single]]]
    excepted = (twice == 2) | ((twice == 1) & ~spoken[batch.rows[words[single]]])  # noqa: PLR2004  (see may_stand_twice)
    thrice = np.isin(single + 1, single) | np.isin(single - 1, single)  # "no no no" has no first copy
    return np.concatenate([single[~excepted | thrice], double, triple])


def _again(batch: PassageBatch, words: IntArray, keys: IntArray, period: int) -> IntArray:
    """Return the indices into words from which ``period`` keys are repeated at once, in one segment."""
    same = np.flatnonzero(keys[period:] == keys[:-period])
    hits = same[: max(len(same) - period + 1, 0)]
    hits = hits[same[period - 1 :] == hits + period - 1]
    segments = batch.token_segments
    inside: IntArray = hits[segments[words[hits]] == segments[words[hits + 2 * period - 1]]]
    return inside


def _stubs(batch: PassageBatch, words: IntArray, codes: IntArray) -> IntArray:
    """Return indices into words, of the given codes, at which a broken-off word stands.

    It stands before the word that it begins; in speech an unknown form is one whatever follows.
    """
    traces = batch.vocabulary.property(_traces).take(codes)
    unknown = traces & _UNKNOWN > 0
    spoken = batch.spoken[batch.rows[words]] if batch.spoken.any() else np.zeros(len(words), bool)
    at = np.flatnonzero((traces & _SIZE > 0)[:-1] & (spoken | unknown)[:-1])
    size = traces[at].astype(np.int64) & _SIZE
    shift, heads = (_STUB - size) * _LETTER, batch.vocabulary.property(_head)
    same = (heads[codes[at]] >> shift) == (heads[codes[at + 1]] >> shift)
    at, size = at[same], size[same]
    between = words[at + 1] - words[at] - 1
    hyphen = batch.codes[np.minimum(words[at] + 1, len(batch.codes) - 1)] == batch.vocabulary.find("-")
    near = (between == 0) | ((between == 1) & hyphen & (size == 1))
    together = batch.token_segments[words[at]] == batch.token_segments[words[at + 1]]
    begun = at[near & together & _begins(batch.vocabulary, codes[at], codes[at + 1])]
    return np.concatenate([begun, np.flatnonzero(spoken & unknown)])


def broken_words(batch: PassageBatch, word: BoolArray) -> IntArray:
    """Return the positions of words that were broken off, of the words bool [N]: "th-", "pro" before "problem"."""
    words = np.flatnonzero(word)
    codes = batch.codes.take(words)
    cut = np.flatnonzero(batch.vocabulary.property(_traces).take(codes) & _CUT)
    broken: IntArray = words[np.concatenate([cut, _stubs(batch, words, codes)])]
    return broken


def _same_start(stub: str, text: str) -> bool:
    """Return whether a text goes on as a stub does; the second of two names is another one ("Jo Johnson")."""
    return text.casefold().startswith(stub.casefold()) and (stub.islower() or text.islower())


def _begins(vocabulary: Vocabulary, stubs: IntArray, codes: IntArray) -> BoolArray:
    """Return where a type begins another, longer one, of types with the same first letters."""
    texts = vocabulary.texts
    pairs = zip(stubs.tolist(), codes.tolist(), strict=True)
    longer = (len(texts[stub]) < len(texts[code]) and _same_start(texts[stub], texts[code]) for stub, code in pairs)
    return np.fromiter(longer, bool, len(stubs))


def _markers(batch: PassageBatch, words: IntArray, at: IntArray) -> IntArray:
    """Return those indices into words at which a phrase such as "you know" has a comma or dash behind it.

    Before it must stand no word of the same segment: "he told you know, ..." is no marker.
    """
    close = (words[at + 1] == words[at] + 1) & ~_next_is_word(batch, words, at + 1)
    open_ = (at == 0) | (words[at - 1] != words[at] - 1)
    open_ |= batch.token_segments[words[at]] != batch.token_segments[np.maximum(words[at] - 1, 0)]
    markers: IntArray = at[close & open_]
    return markers


def _phrases(batch: PassageBatch, keys: IntArray) -> IntArray:
    """Return where in the keys of all words a phrase such as "you know" stands."""
    pairs = [[batch.vocabulary.code(text) for text in phrase.split()] for phrase in by_text("marker")]
    opens = np.zeros(len(batch.vocabulary), bool)
    opens[[first for first, _ in pairs]] = True
    at = np.flatnonzero(opens[keys[:-1]])
    phrases: IntArray = at[np.any([(keys[at] == first) & (keys[at + 1] == second) for first, second in pairs], axis=0)]
    return phrases


def _betraying(vocabulary: Vocabulary) -> list[int]:
    """Return the first words of the phrases that betray the transcript of speech."""
    return [vocabulary.code(phrase.split()[0]) for phrase, place in by_text("marker").items() if place == "speech"]


def _next_is_word(batch: PassageBatch, words: IntArray, at: IntArray) -> BoolArray:
    """Return where the token behind a word is a word of the same segment."""
    following = np.minimum(at + 1, len(words) - 1)
    together = batch.token_segments[words[following]] == batch.token_segments[words[at]]
    result: BoolArray = together & (words[following] == words[at] + 1)
    return result
