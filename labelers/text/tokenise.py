"""Tokens as spaCy makes them, at a multiple of its speed: a memory of chunks that were met before.

spaCy splits a text on spaces and then looks at each chunk by itself, so a chunk that was met before need not be asked
for again. Of the new ones most are words, alone or between plain punctuation, whose tokens follow from those of one
model chunk: the proof stands at `labelers.text.rule.Rule`. spaCy's time grows with the square of the marks in a chunk,
so a chunk of more than `LONGEST` characters, which no prose has, is split piece by piece.

Tokens differ from spaCy's in such a chunk, and at two or more hyphens at the border of a word
(`labelers.text.hyphens`).
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, ragged_take
from labelers.text.hyphens import set_apart
from labelers.text.rule import Rule, long_chunks, rule_of
from labelers.vocabulary import Growing, Vocabulary

__all__ = ["Tokeniser"]

_MAX_CHUNKS = 300_000
"""Chunks that are remembered; some 50 MB. With more of them, those of one batch alone are forgotten."""


class Tokeniser:
    """Splits clean texts into the tokens of ``spacy.blank(lang)``, as codes of one vocabulary."""

    def __init__(self, lang: str, vocabulary: Vocabulary) -> None:
        """Remember nothing yet, and load nothing: spaCy is needed for the first text."""
        self._lang, self._vocabulary = lang, vocabulary
        self._start()

    @cached_property
    def _rule(self) -> Rule:
        """How the language splits a chunk."""
        return rule_of(self._lang)

    def _start(self) -> None:
        """Remember no chunk."""
        self._chunks: dict[str, int] = {}
        self._codes = Growing(np.int64)  # tokens of all chunks, one chunk after the other
        self._ends = Growing(np.int64)  # where the tokens of chunk i end
        self._open = Growing(np.bool_)  # chunk i may split otherwise beside certain others
        self._uses = Growing(np.int64)  # batches that chunk i came up in

    def _forget(self) -> None:
        """Remember only the chunks that came up in several batches since this was last done, if they are not many."""
        kept = np.flatnonzero(self._uses.values > 1)
        kept = kept if 2 * len(kept) <= _MAX_CHUNKS else kept[:0]
        names = list(self._chunks)
        tokens, offsets = ragged_take(np.append(0, self._ends.values), kept)
        codes, opened = self._codes.values[tokens], self._open.values[kept]
        self._start()
        self._chunks = {names[place]: number for number, place in enumerate(kept.tolist())}
        self._learn(codes, offsets[1:], opened)

    def _learn(self, codes: IntArray, ends: IntArray, opened: BoolArray) -> None:
        """Remember what further chunks are."""
        self._codes.add(codes)
        self._ends.add(ends)
        self._open.add(opened)
        self._uses.add(np.zeros(len(ends), np.int64))

    def split(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray, IntArray]:
        """Return (codes int64 [N], a space follows bool [N], offsets int64 [texts + 1]) of clean texts, none empty.

        Raises:
            ModuleNotFoundError: there is a text, and spaCy is not installed.
        """
        if not texts:
            return np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(1, np.int64)
        with self._rule.lock:
            if len(self._chunks) > _MAX_CHUNKS:
                self._forget()
            pieces, bounds = _chunked(texts)
            coded = pieces.dictionary_encode()
            chunks = self._find(coded.dictionary)[coded.indices.to_numpy()]
            tokens, ends = ragged_take(np.append(0, self._ends.values), chunks)
            codes, offsets = self._codes.values.take(tokens), ends[bounds]
            spaces = np.zeros(len(codes), bool)
            spaces[ends[1:] - 1] = True
            spaces[offsets[1:] - 1] = False
            whole = self._doubtful(pieces, bounds, chunks)
            return self._replace(texts, whole, (codes, spaces, offsets)) if whole else (codes, spaces, offsets)

    def _doubtful(self, pieces: pa.Array, bounds: IntArray, chunks: IntArray) -> list[int]:
        """Return the texts without a long chunk in which an open one is beside what may be a special case with it."""
        rows = set[int]()
        for place in np.flatnonzero(self._open.values.take(chunks)).tolist():
            row = int(np.searchsorted(bounds, place, side="right")) - 1
            first, last = max(place - 1, bounds[row]), min(place + 2, bounds[row + 1])
            if row not in rows and self._rule.meets(set_apart("".join(pieces[first:last].to_pylist()))):
                rows.add(row)
        return sorted(row for row in rows if not long_chunks(pieces[bounds[row] : bounds[row + 1]]).any())

    def _find(self, chunks: pa.Array) -> IntArray:
        """Return the number of each of some distinct chunks, after learning those that are new."""
        known, texts = self._chunks, chunks.to_pylist()
        numbers = np.fromiter(map(known.get, texts, repeat(-1)), np.int64, len(texts))
        places = np.flatnonzero(numbers < 0)
        if len(places):
            codes, lengths, opened = self._rule.split(chunks.take(pa.array(places)), self._vocabulary)
            numbers[places] = np.arange(len(known), len(known) + len(places))
            self._learn(codes, len(self._codes.values) + np.cumsum(lengths), opened)
            known.update(zip([texts[place] for place in places.tolist()], numbers[places].tolist(), strict=True))
        self._uses.values[numbers] += 1
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


def _chunked(texts: Sequence[str]) -> tuple[pa.Array, IntArray]:
    """Return the chunks of all texts, each with the space behind it, and int64 [texts + 1]: the chunks before each."""
    whole = pa.array([f"{text} " for text in texts], pa.large_string())
    _, offsets, data = whole.buffers()
    starts = np.frombuffer(offsets, np.int64, len(texts) + 1)
    ends = np.append(0, np.flatnonzero(np.frombuffer(data, np.uint8, starts[-1]) == ord(" ")) + 1)
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), data), np.searchsorted(ends, starts)
