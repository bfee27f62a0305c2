# ruff: noqa: RUF001  (quotes and dashes are what this is about)
"""Tokens as spaCy makes them, at a multiple of its speed.

spaCy splits a text on spaces and then looks at each chunk by itself, so a chunk that was met before need not be asked
for again. Of the new ones most are words, alone or between plain punctuation, whose tokens follow from those of one
model chunk: the proof stands at `_Rule`.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.light_spacy import import_spacy
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
        whole = self._doubtful(pieces, chunks)
        return self._replace(texts, whole, (codes, spaces, offsets)) if whole else (codes, spaces, offsets)

    def _doubtful(self, pieces: pa.Array, chunks: IntArray) -> list[int]:
        """Return the texts in which an open chunk stands beside marks or a single letter."""
        bounds = pieces.offsets.to_numpy()
        rows = []
        for place in np.flatnonzero(self._open[chunks]).tolist():
            row = int(np.searchsorted(bounds, place, side="right")) - 1
            first, last = max(place - 1, bounds[row]), min(place + 2, bounds[row + 1])
            if _MEETING.search(" ".join(pieces.values[first:last].to_pylist())):
                rows.append(row)
        return sorted(set(rows))

    def _find(self, chunks: list[str]) -> IntArray:
        """Return the number of each of some distinct chunks, after learning those that are new."""
        known = self._chunks
        numbers = np.fromiter(map(known.get, chunks, repeat(-1)), np.int64, len(chunks))
        places = np.flatnonzero(numbers < 0)
        if len(places):
            new = [chunks[place] for place in places.tolist()]
            numbers[places] = np.arange(len(known), len(known) + len(new))
            known.update(zip(new, numbers[places].tolist(), strict=True))
            tokens, opened = self._rule.split(new)
            codes = self._vocabulary.encode(chain.from_iterable(tokens))
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            self._codes = np.concatenate([self._codes, codes])
            self._offsets = np.concatenate([self._offsets, self._offsets[-1] + np.cumsum(lengths)])
            self._open = np.concatenate([self._open, opened])
        return numbers

    def _replace(
        self, texts: Sequence[str], rows: list[int], batch: tuple[IntArray, BoolArray, IntArray]
    ) -> tuple[IntArray, BoolArray, IntArray]:
        """Return the batch with some of its texts tokenised whole."""
        codes, spaces, offsets = batch
        lengths = np.diff(offsets)
        asked = self._rule.ask_whole([texts[row] for row in rows])
        own = np.concatenate([codes, self._vocabulary.encode(token for tokens in asked for token, _ in tokens)])
        own_spaces = np.concatenate([spaces, np.array([space for tokens in asked for _, space in tokens], bool)])
        added = np.array([len(tokens) for tokens in asked])
        places = np.concatenate([offsets, len(codes) + np.cumsum(added)])
        order = np.arange(len(lengths))
        order[rows] = len(lengths) + np.arange(len(rows))
        taken, starts = ragged_take(places, order)
        return own[taken], own_spaces[taken], starts


_BEFORE = "\"'“‘([*_"
_AFTER = "\"'”’)]*_.,;:!?…—–-"
_DASHED = re.compile(r"[A-Za-z]+(?:(?:--?|—|–)[A-Za-z]+)+")
_DASH = re.compile("(--?|—|–)")
_RUN = re.compile("[A-Za-z0-9]+")
_SEPARATOR = "\u2063"  # an invisible sign that no special case holds
_MEETING = re.compile(r"(?:[^\w\s,]|\b\w) (?:[^\w\s,]|\w\b)")


class _Rule:
    """How one language's tokeniser splits a chunk, answered from a model chunk where that is proven to be the same.

    A chunk is ``before + words + after``: words are letters (joined by dashes) or digits, the rest is plain marks and a
    possessive. spaCy takes prefixes and suffixes off its ends and compares what
    is left with its special cases each time. Its patterns for these affixes look at no letter of the words but the
    last two, and of them only whether they are upper case; a special case with an affix holds the word beside it as a
    whole run of letters, and a word that is such a run is left to spaCy. So ``before`` and ``after`` split as they do
    around any other words of the same ending, unless they stick to that, and then the rule does not apply. What remains
    are the words, which spaCy divides at dashes between letters.
    """

    def __init__(self, lang: str) -> None:
        """Load the language's tokeniser."""
        spacy = import_spacy()
        from spacy.tokenizer import Tokenizer
        from spacy.vocab import Vocab

        own = spacy.blank(lang).tokenizer
        self._vocab = Vocab()  # a bare one: no lexical attributes are worked out for words that are only split
        self._tokenizer: Any = Tokenizer(
            self._vocab,
            rules=own.rules,
            prefix_search=own.prefix_search,
            suffix_search=own.suffix_search,
            infix_finditer=own.infix_finditer,
            token_match=own.token_match,
            url_match=own.url_match,
        )
        self._all = frozenset(own.rules)
        self._special = {text for text in self._all if len(text) > 1 and not text.isalnum()}
        self._marks = {text for text in self._special if not _RUN.search(text)}
        self._runs = {run for text in self._all for run in _RUN.findall(text)}
        self._affixes: dict[tuple[str, str, str], tuple[list[str], list[str]] | None] = {}

    def split(self, chunks: list[str]) -> tuple[list[list[str]], BoolArray]:
        """Return the tokens of each chunk, and which chunks are open.

        In an open chunk spaCy finds a special case among tokens (``x:(``); the same tokens beyond a space may hide it
        (``x:( (``), so its text is asked for whole where marks or single letters meet at a space.
        """
        tokens = list(map(self._from_model, chunks))
        opened = np.zeros(len(chunks), bool)
        places = [place for place, found in enumerate(tokens) if found is None]
        for place, found in zip(places, self._ask([chunks[place] for place in places]), strict=True):
            tokens[place] = found
            opened[place] = len(found) > 1 and self._opens(found)
        return tokens, opened  # type: ignore[return-value]  # none is None any more

    def _ask(self, chunks: list[str]) -> list[list[str]]:
        """Return spaCy's tokens of each chunk, all in one call."""
        if len(chunks) != 1 and any(_SEPARATOR in chunk for chunk in chunks):
            return [found for chunk in chunks for found in self._ask([chunk])]
        found: list[list[str]] = [[] for _ in chunks]
        place = 0
        with self._vocab.memory_zone():
            for token in self._tokenizer(f" {_SEPARATOR} ".join(chunks)) if chunks else ():
                if token.text == _SEPARATOR and len(chunks) > 1:
                    place += 1
                else:
                    found[place].append(token.text)
        return found

    def _opens(self, tokens: list[str]) -> bool:
        """Return whether a special case stands among marks that a neighbouring chunk could prolong."""
        first, last = tokens[0], tokens[-1]
        return (
            not self._marks.isdisjoint(tokens)
            or (first in self._special and not first[0].isalnum())
            or (last in self._special and not last[-1].isalnum() and last[-1] != ".")
        )

    def ask_whole(self, texts: Sequence[str]) -> list[list[tuple[str, bool]]]:
        """Return spaCy's tokens of each text, and whether a space follows each."""
        with self._vocab.memory_zone():
            return [[(token.text, bool(token.whitespace_)) for token in self._tokenizer(text)] for text in texts]

    def _from_model(self, chunk: str) -> list[str] | None:
        """Return the tokens of a chunk that needs no question, None for others."""
        if chunk.isalpha() and chunk.isascii():
            return None if chunk in self._all else [chunk]
        tail = chunk.lstrip(_BEFORE)
        words = tail.rstrip(_AFTER)
        if words.endswith(("'s", "’s")):
            words = words[:-2]
        if words.isascii() and (words.isalpha() or words.isdigit()):
            parts = [words]
        elif _DASHED.fullmatch(words):
            parts = _DASH.split(words)
        else:
            return None
        before, after = chunk[: len(chunk) - len(tail)], tail[len(words) :]
        if words in self._all or (before and parts[0] in self._runs) or (after and parts[-1] in self._runs):
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
