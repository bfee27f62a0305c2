"""What a token's form tells of it: properties of token types for `Vocabulary.property`, and marks of a few tokens."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labelers.passages import BoolArray, PassageBatch, Vocabulary, ranges

__all__ = ["bracket_kind", "is_sentence_final", "is_word", "transcript_marks"]

_MARK = re.compile(r"\[.+\]|\{.+\}|<.+>|\(.+\)")
_BRACKETS = {"[": 1, "]": -1, "{": 2, "}": -2, "<": 3, ">": -3}
_MARK_WORDS = 3  # "{vocalsound}", "[audience laughs loudly]"; what is longer is a writer's aside, and text
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
