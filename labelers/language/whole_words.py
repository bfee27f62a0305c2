"""Words that may be predicted where they are hidden: whole words, as they are written in any text."""

import re
from collections.abc import Sequence
from enum import IntFlag
from unicodedata import category

import numpy as np
import numpy.typing as npt

from labelers.language.fluency import broken_words
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray

__all__ = ["whole_words"]


def whole_words(batch: PassageBatch, words: BoolArray) -> BoolArray:
    """Return bool [N]: those of the words, bool [N], that are written as words are, unbroken and no part of a tag."""
    marks = batch.vocabulary.property(_marks).take(batch.codes)
    whole = words & (marks & _Mark.PLAIN.value > 0)
    whole[broken_words(batch, words)] = False
    whole[_tagged(batch, marks)] = False
    return whole


_PLAIN = re.compile(
    r"""
    ['\u2019]?                                                                  # 'tis, 's
    (?:
        \d+(?:[.,:/]\d+)+(?:st|nd|rd|th|s|am|pm|k|m|bn|km|kg|cm|mm)?             # 1,000  9/11  7:30pm
      | [^\W_]+(?:['\u2019\-\u2010\u2011&/][^\W_]+)*['\u2019]?                    # 27th  o'clock  and/or  goin'
      | (?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}\.?                                    # U.S.  p.m.  Ph.D.
      | (?:mrs?|ms|messrs|dr|st|prof|rev|hon|gov|sen|rep|gen|mt|jr|sr|co|corp|inc|ltd|bros|vs|etc)\.
      | (?:jan|feb|mar|apr|aug|sept?|oct|nov|dec)\.
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_RUN_ON = re.compile(r"\d[^\W\d_]{4}")
"""A number and a word that no space parts: "40loans", but "27th" and "5pm"."""
_HUMPS = re.compile("[a-z][A-Z].*[a-z][A-Z]")
"""Three words or more that capitals alone part, as in a tag of social media."""
_JOINERS = frozenset("\u200c\u200d")
"""They show nothing; scripts such as the Persian one write them inside words."""


class _Mark(IntFlag):
    """What a type's form says of it as a target of word prediction."""

    PLAIN = 1
    """A word as it is written: no mark is glued to it that is no part of it."""
    TAG = 2
    """It makes a tag, a name or an entity of what is written together with it: "#", "@", "&"."""


def _marks(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return the `_Mark` of each type.

    Example:
        >>> texts = ["in--", "--the", "U.S.", "I.", "o'clock", "7:30pm", "40,000loans", "a@b.org", "#tag", "n't"]
        >>> [text for text, mark in zip(texts, _marks(texts)) if mark]
        ['U.S.', "o'clock", '7:30pm', "n't"]
    """
    marks = (_Mark.PLAIN * _plain(text) | _Mark.TAG * (text in _TAGS) for text in texts)
    return np.fromiter(marks, np.uint8, len(texts))


_TAGS = frozenset("#@&")


def _plain(text: str) -> bool:
    """Return whether a text is a word as it is written; the marks of a script over its letters belong to it."""
    if text.isalpha():
        return text[1:].islower() or not _HUMPS.search(text)
    if not text.isascii() and category(text[:1])[:1] != "M":
        text = "".join(letter for letter in text if category(letter)[0] != "M" and letter not in _JOINERS)
    return _PLAIN.fullmatch(text) is not None and not _RUN_ON.search(text)


def _tagged(batch: PassageBatch, marks: npt.NDArray[np.uint8]) -> IntArray:
    """Return the positions of tokens behind the mark of a tag, from which no space parts them."""
    at = np.flatnonzero(marks[:-1] & _Mark.TAG.value)
    tagged: IntArray = at[~batch.spaces[at] & (batch.rows[at] == batch.rows[at + 1])] + 1
    return tagged
