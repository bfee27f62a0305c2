"""What a token's form tells of it: properties of token types for `Vocabulary.property`, and marks of a few tokens."""

import re
from collections.abc import Sequence
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from labelers.passages import BoolArray, PassageBatch, Vocabulary, ranges

__all__ = ["bracket_kind", "is_clitic", "is_one_word", "is_sentence_final", "is_word", "leans", "transcript_marks"]

_MARK = re.compile(r"\[.+\]|\{.+\}|<.+>|\(.+\)")
_BRACKETS = {"[": 1, "]": -1, "{": 2, "}": -2, "<": 3, ">": -3}
_MARK_WORDS = 3  # "{vocalsound}", "[audience laughs loudly]"; what is longer is a writer's aside, and text
_SEVERAL = re.compile(r"[^\W\d][,;:!?]+-*[^\W\d]|\w[.,;:!?]*--+\w|\w://\w|\w\+\w|[()\[\]{}=*<>]")
_APOSTROPHES = ("'", "\u2019")
_NEGATIONS = frozenset(f"n{mark}t" for mark in _APOSTROPHES)
_CLITIC = 3  # characters of the longest word that begins with an apostrophe and leans on the one before it ("'ll")
_TAILS = frozenset({"s", "m", "t", "d", "ve", "re", "ll"})
_FINAL = re.compile(r"""[.!?\u2026\u3002\uff01\uff1f]+["'\u2019\u201d)\]]*""")


def is_word(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001  (signature of a property)
    r"""Return where a form is a word or number: it has a letter or digit and is not a bracketed mark as a whole.

    Example:
        >>> is_word(Vocabulary(), ["don't", "42", "--", "[laughter]", "\U0001f600"]).tolist()
        [True, True, False, False, False]
    """
    return np.fromiter((text.isalnum() or _is_mixed_word(text) for text in texts), bool, len(texts))


def _is_mixed_word(text: str) -> bool:
    """Return whether a text that holds other characters than letters and digits is a word all the same."""
    return any(map(str.isalnum, text)) and not _MARK.fullmatch(text)


def is_one_word(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001
    """Return where a form is no address, no piece of code, and not two words with a mark instead of a space.

    Example:
        >>> is_one_word(Vocabulary(), ["gone", "gone,--the", "what:why", "10:30", "http://a.org", "f(x"]).tolist()
        [True, False, False, True, False, False]
    """
    return np.fromiter((text.isalnum() or not _SEVERAL.search(text) for text in texts), bool, len(texts))


def is_clitic(text: str) -> bool:
    """Return whether a word leans on the one before it: "'s", "n't"."""
    return 1 < len(text) <= _CLITIC and (text[0] in _APOSTROPHES or text in _NEGATIONS)


class _Leaning(IntFlag):
    """How a form joins the word before it."""

    CLITIC = 1
    APOSTROPHE = 2
    TAIL = 4
    """What is left of a clitic without its apostrophe."""


def _leaning(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint8]:  # noqa: ARG001
    """Return the `_Leaning` of each type."""
    kinds = (
        _Leaning.CLITIC * is_clitic(text)
        | _Leaning.APOSTROPHE * (text in _APOSTROPHES)
        | _Leaning.TAIL * (text in _TAILS)
        for text in texts
    )
    return np.fromiter(kinds, np.uint8, len(texts))


def leans(batch: PassageBatch, words: BoolArray) -> BoolArray:
    """Return bool [N]: tokens that are written together with the word before them.

    They are clitics ("do n't"), words that no space parts ("gon na", "can not"), and clitics that a transcriber wrote
    apart ("I ' ve"), whose apostrophe leans too.
    """
    kind, result = batch.vocabulary.property(_leaning)[batch.codes], np.zeros(len(words), bool)
    result[1:] = words[1:] & words[:-1] & (~batch.spaces[:-1] | (kind[1:] & _Leaning.CLITIC.value > 0))
    apart = (kind[2:] & _Leaning.TAIL.value > 0) & (kind[1:-1] & _Leaning.APOSTROPHE.value > 0) & words[:-2]
    result[1:-1] |= apart
    result[2:] |= apart
    result[batch.segments] = False
    return result


def is_sentence_final(vocabulary: Vocabulary, texts: Sequence[str]) -> BoolArray:  # noqa: ARG001
    """Return where a form ends a sentence: full stops, question and exclamation marks, and quotes after them.

    Example:
        >>> is_sentence_final(Vocabulary(), [".", "?!", '."', ",", "etc."]).tolist()
        [True, True, True, False, False]
    """
    return np.fromiter((_FINAL.fullmatch(text) is not None for text in texts), bool, len(texts))


def bracket_kind(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:  # noqa: ARG001
    """Return 1, 2 or 3 for an opening square, curly or angle bracket, its negative for a closing one, else 0."""
    return np.fromiter((_BRACKETS.get(text, 0) for text in texts), np.int8, len(texts))


def transcript_marks(batch: PassageBatch) -> BoolArray:
    """Return bool [N]: tokens of a transcriber's mark, a pair of brackets around one to three tokens.

    A tokeniser divides ``{vocalsound}`` into three tokens, so the form of ``vocalsound`` alone does not tell. Round
    brackets are left out: writers use them for words that belong to the text.
    """
    kinds = batch.vocabulary.property(bracket_kind).take(batch.codes)
    places = np.flatnonzero(kinds != 0)
    opening, closing = places[:-1], places[1:]
    pair = (kinds[opening] > 0) & (kinds[closing] == -kinds[opening]) & (batch.rows[opening] == batch.rows[closing])
    pair &= (closing - opening > 1) & (closing - opening <= _MARK_WORDS + 1)
    marked = np.zeros(len(kinds), bool)
    marked[ranges(opening[pair], (closing - opening)[pair] + 1)] = True
    return marked
