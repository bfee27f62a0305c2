"""What a token's form shows: properties of token types for `Vocabulary.property`, and marks of a few tokens."""

import re
from collections.abc import Sequence
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges

__all__ = ["Form", "form_flags", "is_clitic", "is_mark", "leans", "transcript_marks"]

_MARK = re.compile(r"\[.+\]|\{.+\}|<.+>|\(.+\)")
_PAIRS = (("[", "]"), ("{", "}"), ("<", ">"))
_BRACKETS = frozenset(mark for pair in _PAIRS for mark in pair)
_MARK_WORDS = 3  # "{vocalsound}", "[audience laughs loudly]"; what is longer is a writer's aside, and text
_SEVERAL = re.compile(r"[^\W\d][,;:!?]+-*[^\W\d]|\w[.,;:!?]*--+\w|\w://\w|\w\+\w|[()\[\]{}=*<>]")
_APOSTROPHES = ("'", "\u2019")
_NEGATIONS = frozenset(f"n{mark}t" for mark in _APOSTROPHES)
_CLITIC = 3  # characters of the longest word that begins with an apostrophe and leans on the one before it ("'ll")
_REST = "na"  # of "gonna", which a tokeniser divides
_TAILS = frozenset({"s", "m", "t", "d", "ve", "re", "ll"})
_FINAL = re.compile(r"""[.!?\u2026\u3002\uff01\uff1f]+["'\u2019\u201d)\]]*""")
_LIGHT = frozenset({",", ";", ":", "--", "---", "\u2013", "\u2014", "&", "%", "°", "+", "="})
_PREFIXES = frozenset({"#", "$", "£", "€"})  # as a token they belong to the one behind them
_HYPHENS = frozenset(
    {"-", "\u2010", "\u2011", "/"}
)  # as a token they join what stands around them, whatever the spaces


class Form(IntFlag):
    """What the form of a type shows."""

    WORD = 1
    """A word or number: it has a letter or digit and is not a transcriber's mark as a whole."""
    BAR = 2
    """No n-gram holds it."""
    STOP = 4
    """It parts what it touches, even where no space stands."""
    LEFT = 8
    """It belongs to the token before it."""
    RIGHT = 16
    """It belongs to the token behind it."""
    CAPS = 32
    """Two or more letters, all of them capitals."""
    ONE_WORD = 64
    """A word that is no address, no piece of code, and not two words with a mark instead of a space."""
    SMALL = 128
    """Its first letter or digit is a small letter: not in "'Tis" or "3D"."""
    CLITIC = 256
    """A word that leans on the one before it."""
    APOSTROPHE = 512
    TAIL = 1024
    """What is left of a clitic without its apostrophe."""
    FINAL = 2048
    """It ends a sentence: full stops, question and exclamation marks, and quotes after them."""
    BRACKET = 4096
    """A square, curly or angle bracket."""
    COMMA = 8192


def form_flags(texts: Sequence[str]) -> npt.NDArray[np.uint16]:
    r"""Return the `Form` of each type.

    Example:
        >>> [Form(int(flags)).name for flags in form_flags(["NASA", ",", "-", '"', "[laughter]", '."'])]
        ['WORD|CAPS|ONE_WORD', 'STOP|COMMA', 'LEFT|RIGHT', 'BAR|STOP', 'SMALL', 'BAR|STOP|FINAL']
        >>> [text for text in ("gone,--the", "what:why", "10:30", "http://a.org", "f(x") if _form(text) & Form.ONE_WORD]
        ['10:30']
    """
    return np.fromiter(map(_form, texts), np.uint16, len(texts))


def _form(text: str) -> int:
    """Return the flags of one text."""
    if not text.isalnum():
        return _mixed(text) if any(map(str.isalnum, text)) else _punctuation(text)
    form = _SMALL_WORD if text[0].islower() else _WORD
    if text == _REST:
        return form | Form.LEFT
    if text in _TAILS:
        return form | Form.TAIL
    return form | Form.CAPS if text.isupper() and _has_letters(text) else form


def _mixed(text: str) -> int:
    """Return the flags of a text that holds other characters than letters and digits."""
    form = 0 if is_mark(text) else Form.WORD.value if _SEVERAL.search(text) else _WORD
    if next(filter(str.isalnum, text)).islower():
        form |= Form.SMALL.value
    if is_clitic(text):
        return form | Form.CLITIC | Form.LEFT
    return form | Form.CAPS if text.isupper() and _has_letters(text) else form


def _punctuation(text: str) -> int:
    """Return the flags of a text without a letter or digit."""
    if text in _HYPHENS:
        return Form.LEFT | Form.RIGHT
    if text in _PREFIXES:
        return Form.RIGHT
    if text in _LIGHT:
        return Form.STOP | (Form.COMMA if text == "," else Form(0))
    if text in _APOSTROPHES:
        return Form.STOP | Form.BAR | Form.APOSTROPHE
    other = Form.BRACKET if text in _BRACKETS else Form.FINAL if _FINAL.fullmatch(text) else Form(0)
    return Form.STOP | Form.BAR | other


_WORD = (Form.WORD | Form.ONE_WORD).value
_SMALL_WORD = (Form.WORD | Form.ONE_WORD | Form.SMALL).value


def _has_letters(text: str) -> bool:
    """Return whether a text has two or more letters."""
    return sum(map(str.isalpha, text)) > 1


def is_mark(text: str) -> bool:
    """Return whether a text is a transcriber's mark as a whole: "[laughter]"."""
    return _MARK.fullmatch(text) is not None


def is_clitic(text: str) -> bool:
    """Return whether a word leans on the one before it: "'s", "n't"."""
    return 1 < len(text) <= _CLITIC and (text[0] in _APOSTROPHES or text in _NEGATIONS)


def leans(batch: PassageBatch, words: BoolArray, forms: IntArray) -> BoolArray:
    """Return bool [N]: tokens that are written together with the word before them.

    They are clitics ("do n't"), words that no space parts ("gon na", "can not"), and clitics that a transcriber wrote
    apart ("I ' ve"), whose apostrophe leans too.

    Args:
        batch: P passages.
        words: bool [N].
        forms: [N]: the `Form` of each token.
    """
    result = np.zeros(len(words), bool)
    result[1:] = words[1:] & words[:-1] & (~batch.spaces[:-1] | (forms[1:] & Form.CLITIC.value > 0))
    marks = np.flatnonzero(forms[1:-1] & Form.APOSTROPHE.value) + 1
    marks = marks[words[marks - 1] & (forms[marks + 1] & Form.TAIL.value > 0)]
    result[marks] = result[marks + 1] = True
    result[batch.segments] = False
    return result


def transcript_marks(batch: PassageBatch, forms: IntArray) -> BoolArray:
    """Return bool [N]: tokens of a transcriber's mark, a pair of brackets around one to three tokens.

    A tokeniser divides ``{vocalsound}`` into three tokens, so the form of ``vocalsound`` alone does not tell. Round
    brackets are left out: writers use them for words that belong to the text.

    Args:
        batch: P passages.
        forms: [N]: the `Form` of each token.
    """
    places = np.flatnonzero(forms & Form.BRACKET.value)
    codes, find = batch.codes[places], batch.vocabulary.find
    opening, closing = places[:-1], places[1:]
    pair = np.any([(codes[:-1] == find(left)) & (codes[1:] == find(right)) for left, right in _PAIRS], axis=0)
    pair &= batch.rows[opening] == batch.rows[closing]
    pair &= (closing - opening > 1) & (closing - opening <= _MARK_WORDS + 1)
    marked = np.zeros(len(forms), bool)
    marked[ranges(opening[pair], (closing - opening)[pair] + 1)] = True
    return marked
