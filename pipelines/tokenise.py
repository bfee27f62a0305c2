# ruff: noqa: RUF001  (quotes and dashes are what this is about)
"""Tokens as spaCy makes them, at a multiple of its speed.

spaCy splits a text on spaces and then looks at each chunk by itself, so a chunk that was met before need not be asked
for again. Of the new ones most are words, alone or between plain punctuation, whose tokens follow from those of one
model chunk: the proof stands at `_Rule`.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.passages import BoolArray, IntArray, Vocabulary, ragged_take

__all__ = ["Tokeniser", "clean", "is_empty"]

_MAX_CHUNKS = 300_000
"""Chunks that are remembered; some 50 MB. More of them start the memory anew."""

_CONTROLS = dict.fromkeys((*range(9), *range(14, 28), *range(127, 133), *range(134, 160)))
"""Control characters that are no white space (Unicode category Cc)."""


def clean(text: str) -> str:
    r"""Return the text with every run of white space as one space, none at the ends, and no control characters.

    Example:
        >>> clean("\ufeff One\t\x00two\u2003 \r\nthree ")
        'One two three'
    """
    if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    return " ".join(text.translate(_CONTROLS).removeprefix("\ufeff").split())


def is_empty(text: str) -> bool:
    """Return whether nothing is left of a text when it is clean."""
    return not text[:1].isalnum() and not clean(text)


class Tokeniser:
    """Splits clean texts into the tokens of ``spacy.blank(lang)``, as codes of one vocabulary."""

    def __init__(self, lang: str, vocabulary: Vocabulary) -> None:
        """Remember nothing yet."""
        self._vocabulary = vocabulary
        self._rule = _rule(lang)
        self._forget()

    def _forget(self) -> None:
        """Start the memory of chunks anew."""
        self._chunks: dict[str, int] = {}
        self._codes: IntArray = np.empty(0, np.int32)  # tokens of all chunks, one chunk after the other
        self._offsets: IntArray = np.zeros(1, np.int64)  # chunk i has codes[offsets[i]:offsets[i + 1]]
        self._open: BoolArray = np.empty(0, bool)  # chunk i may split otherwise beside certain others

    def split(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray, IntArray]:
        """Return (codes int32 [N], a space follows bool [N], offsets int64 [texts + 1]) of clean texts, none empty."""
        if len(self._chunks) > _MAX_CHUNKS:
            self._forget()
        pieces = pc.split_pattern(pa.array(texts, pa.large_string()), " ")
        coded = pieces.values.dictionary_encode()
        chunks = self._find(coded.dictionary.to_pylist())[coded.indices.to_numpy()]
        bounds = pieces.offsets.to_numpy()
        tokens, ends = ragged_take(self._offsets, chunks)
        codes, offsets = self._codes[tokens], ends[bounds]
        spaces = np.zeros(len(codes), bool)
        spaces[ends[1:] - 1] = True
        spaces[offsets[1:] - 1] = False
        whole = [row for row in self._doubtful(chunks, bounds) if _MEETING.search(texts[row])]
        return self._replace(texts, whole, (codes, spaces, offsets)) if whole else (codes, spaces, offsets)

    def _doubtful(self, chunks: IntArray, bounds: IntArray) -> list[int]:
        """Return the texts that have a chunk which may split otherwise beside certain others."""
        places = np.flatnonzero(self._open[chunks])
        rows: list[int] = np.unique(np.searchsorted(bounds, places, side="right") - 1).tolist()
        return rows

    def _find(self, chunks: list[str]) -> IntArray:
        """Return the number of each of some distinct chunks, after learning those that are new."""
        known = self._chunks
        new = [chunk for chunk in chunks if chunk not in known]
        if new:
            tokens, opened = self._rule.split(new)
            known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
            codes = self._vocabulary.encode(token for item in tokens for token in item)
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            self._codes = np.concatenate([self._codes, codes])
            self._offsets = np.concatenate([self._offsets, self._offsets[-1] + np.cumsum(lengths)])
            self._open = np.concatenate([self._open, opened])
        return np.fromiter(map(known.__getitem__, chunks), np.int64, len(chunks))

    def _replace(
        self, texts: Sequence[str], rows: list[int], batch: tuple[IntArray, BoolArray, IntArray]
    ) -> tuple[IntArray, BoolArray, IntArray]:
        """Return the batch with some of its texts tokenised whole."""
        codes, spaces, offsets = batch
        lengths = np.diff(offsets)
        asked = [self._rule.ask_whole(texts[row]) for row in rows]
        own = np.concatenate([codes, self._vocabulary.encode(token for tokens, _ in asked for token in tokens)])
        own_spaces = np.concatenate([spaces, *(np.array(flags, bool) for _, flags in asked)])
        added = np.array([len(tokens) for tokens, _ in asked])
        places = np.concatenate([offsets, len(codes) + np.cumsum(added)])
        order = np.arange(len(lengths))
        order[rows] = len(lengths) + np.arange(len(rows))
        taken, starts = ragged_take(places, order)
        return own[taken], own_spaces[taken], starts


_BEFORE = "[\"'“‘([*_]*"
_WORDS = r"[A-Za-z]+(?:(?:-|--|—|–)[A-Za-z]+)*|[0-9]+"
_AFTER = "(?:['’]s)?[\"'”’)\\]*_.,;:!?…—–-]*"
_SHAPE = re.compile(f"({_BEFORE})({_WORDS})({_AFTER})")
_DASH = re.compile("(--?|—|–)")
_RUN = re.compile("[A-Za-z0-9]+")
_MEETING = re.compile(r"(?:[^\w\s,]|\b\w) (?:[^\w\s,]|\w\b)")


class _Rule:
    """How one language's tokeniser splits a chunk, answered from a model chunk where that is proven to be the same.

    A chunk is ``before + words + after`` (`_SHAPE`). spaCy takes prefixes and suffixes off its ends and compares what
    is left with its special cases each time. Its patterns for these affixes look at no letter of the words but the
    last two, and of them only whether they are upper case; a special case holds the words as a whole run of letters,
    and words that are such a run are left to spaCy. So ``before`` and ``after`` split as they do around any other
    words of the same ending, unless they stick to that, and then the rule does not apply. What remains are the words,
    which spaCy divides at dashes between letters.
    """

    def __init__(self, lang: str) -> None:
        """Load the language's tokeniser."""
        import spacy

        self._nlp = spacy.blank(lang)
        self._tokenizer: Any = self._nlp.tokenizer
        self._special = {text for text in self._tokenizer.rules if len(text) > 1 and not text.isalnum()}
        self._marks = {text for text in self._special if not _RUN.search(text)}
        self._runs = {run for text in self._tokenizer.rules for run in _RUN.findall(text)}
        self._affixes: dict[tuple[str, str, str], tuple[list[str], list[str]] | None] = {}

    def split(self, chunks: list[str]) -> tuple[list[list[str]], BoolArray]:
        """Return the tokens of each chunk, and which chunks are open.

        In an open chunk spaCy finds a special case among tokens (``x:(``); the same tokens beyond a space may hide it
        (``x:( (``), so its text is asked for whole where marks or single letters meet at a space.
        """
        opened = np.zeros(len(chunks), bool)
        tokens: list[list[str]] = []
        with self._nlp.memory_zone():
            for number, chunk in enumerate(chunks):
                found = self._from_model(chunk)
                if found is None:
                    found = [token.text for token in self._tokenizer(chunk)]
                    opened[number] = len(found) > 1 and self._opens(found)
                tokens.append(found)
        return tokens, opened

    def _opens(self, tokens: list[str]) -> bool:
        """Return whether a special case stands among marks that a neighbouring chunk could prolong."""
        first, last = tokens[0], tokens[-1]
        return (
            not self._marks.isdisjoint(tokens)
            or (first in self._special and not first[0].isalnum())
            or (last in self._special and not last[-1].isalnum() and last[-1] != ".")
        )

    def ask_whole(self, text: str) -> tuple[list[str], list[bool]]:
        """Return spaCy's tokens of a text and where a space follows."""
        with self._nlp.memory_zone():
            document = self._tokenizer(text)
            return [token.text for token in document], [bool(token.whitespace_) for token in document]

    def _from_model(self, chunk: str) -> list[str] | None:
        """Return the tokens of a chunk that needs no question, None for others."""
        match = _SHAPE.fullmatch(chunk)
        if match is None:
            return None
        before, words, after = match.groups()
        parts = [words] if words.isalnum() else _DASH.split(words)
        if not self._runs.isdisjoint(parts):
            return None
        if not before and not after:
            return parts
        model = "10" if words.isdigit() else "abide" if words[-1].islower() else "ABIDE"
        if model == "ABIDE" and not (len(parts[-1]) > 1 and words[-2:].isupper()):
            return None
        key = (before, model, after)
        affixes = self._affixes[key] if key in self._affixes else self._learn(key)
        return None if affixes is None else affixes[0] + parts + affixes[1]

    def _learn(self, key: tuple[str, str, str]) -> tuple[list[str], list[str]] | None:
        """Return the tokens before and after a model word, None where it does not stand alone between them."""
        tokens = [token.text for token in self._tokenizer("".join(key))]
        place = tokens.index(key[1]) if tokens.count(key[1]) == 1 else -1
        alone = place >= 0 and "".join(tokens[:place]) == key[0] and self._marks.isdisjoint(tokens)
        self._affixes[key] = (tokens[:place], tokens[place + 1 :]) if alone else None
        return self._affixes[key]


@cache
def _rule(lang: str) -> _Rule:
    """Return the rule of a language, one for this process."""
    return _Rule(lang)
