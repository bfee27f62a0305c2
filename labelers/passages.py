"""Passages as arrays: thousands of rows at once, their tokens as codes into a vocabulary of token types."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, ragged_take, running_total
from labelers.second import Second

__all__ = [
    "Growing",
    "PassageBatch",
    "Property",
    "Vocabulary",
    "row_keys",
    "row_lists",
]

Property = Callable[["Vocabulary", Sequence[str]], npt.NDArray[Any]]
"""What depends on a token's form alone: (vocabulary, new texts) -> one value for each of the texts."""


class Growing:
    """An array that values are added to at the end, at a cost that does not rise with its size.

    Example:
        >>> growing = Growing(np.int64)
        >>> growing.add(np.array([3, 4]))
        >>> growing.values
        array([3, 4])
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        """Start with no values."""
        self._room = np.empty(0, dtype)
        self.values = self._room
        """A view of all values, up to the next `add`."""

    def add(self, new: npt.NDArray[Any]) -> None:
        """Add values."""
        done, size = len(self.values), len(self.values) + len(new)
        if size > len(self._room):
            self._room = _grown(self.values, len(new), self._room.dtype)
        self._room[done:size] = new
        self.values = self._room[:size]


class Vocabulary:
    """The token types that this process has met, and what is known of each.

    Codes follow the order in which types were met, so nothing that ends in a dataset may depend on them. A property
    is computed once per type and gathered: ``vocabulary.property(form_flags)[batch.codes]``.

    Example:
        >>> vocabulary = Vocabulary()
        >>> codes = vocabulary.encode(["a", "b", "a"])
        >>> codes.tolist(), vocabulary.strings(codes).to_pylist()
        ([0, 1, 0], ['a', 'b', 'a'])
    """

    def __init__(self) -> None:
        """Start with no types."""
        self._codes: dict[str, int] = {}
        self.texts: list[str] = []
        self._properties: dict[Property, tuple[int, npt.NDArray[Any]]] = {}
        self._arrow = pa.array([], pa.string())

    def __len__(self) -> int:
        """Return the number of types."""
        return len(self.texts)

    def code(self, text: str) -> int:
        """Return the code of one text, new or known."""
        code = self._codes.setdefault(text, len(self.texts))
        if code == len(self.texts):
            self.texts.append(text)
        return code

    def find(self, text: str) -> int:
        """Return the code of a text, -1 where it was never met."""
        return self._codes.get(text, -1)

    def encode(self, texts: Iterable[str]) -> IntArray:
        """Return the codes of the texts, int64 of the same length."""
        texts = list(texts)
        codes = np.fromiter(map(self._codes.get, texts, repeat(-1)), np.int64, len(texts))
        for place in np.flatnonzero(codes < 0).tolist():
            codes[place] = self.code(texts[place])
        return codes

    def encode_arrow(self, texts: pa.Array | pa.ChunkedArray) -> IntArray:
        """Return the codes of an Arrow string array, asking the dictionary once per distinct value."""
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        coded = texts.dictionary_encode()
        indices: IntArray = coded.indices.to_numpy(zero_copy_only=False)
        return self.encode(coded.dictionary.to_pylist())[indices]

    def strings(self, codes: IntArray) -> pa.StringArray:
        """Return the texts of the codes as a canonical Arrow string array."""
        if int(codes.max(initial=-1)) >= len(self._arrow):
            new = pa.array(self.texts[len(self._arrow) :], pa.string())
            self._arrow = pa.concat_arrays([self._arrow, new])
        return self._arrow.take(pa.array(codes))

    def property(self, make: Property) -> npt.NDArray[Any]:
        """Return ``make``'s value for every type, computing only those of types not seen by it before.

        ``make`` must be hashable and equal to itself over time: a module's function or a frozen dataclass with
        ``__call__``. It may add types to the vocabulary.
        """
        done, values = self._properties.get(make) or (0, make(self, []))  # of the right dtype without a type, too
        while done < len(self):
            new = make(self, self.texts[done:])
            dtype = np.result_type(values, new) if done else new.dtype  # a longer text or a larger number may come late
            fits = done + len(new) <= len(values) and dtype == values.dtype
            grown = values if fits else _grown(values[:done], len(new), dtype)
            grown[done : done + len(new)] = new
            done, values = done + len(new), grown
            self._properties[make] = (done, values)
        return values[: len(self)]

    def recode(self, codes: IntArray, change: Callable[[str], str]) -> IntArray:
        """Return the codes of ``change(text)`` for each code, calling it once per distinct type."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        return self.encode(change(self.texts[code]) for code in distinct)[inverse]


def _grown(values: npt.NDArray[Any], added: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a copy of the values as ``dtype``, with room for so many more and as many again."""
    room: npt.NDArray[Any] = np.empty(2 * (len(values) + added), dtype)
    room[: len(values)] = values
    return room


def row_keys(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the uint64 key of each row id: what all its random draws are derived from (blake2b, 8 bytes).

    Example:
        >>> row_keys(["a.txt:0/0"]).dtype
        dtype('uint64')
    """
    data = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in ids)
    return np.frombuffer(data, "<u8").astype(np.uint64)


def row_lists(values: npt.NDArray[Any], offsets: IntArray, keep: BoolArray) -> pa.ListArray:
    """Return a list per row of ragged values [offsets[-1]]; rows that are not kept get an empty one.

    Example:
        >>> row_lists(np.array([1, 2, 3]), np.array([0, 1, 3]), np.array([False, True])).to_pylist()
        [[], [2, 3]]
    """
    if not keep.all():
        taken, _ = ragged_take(offsets, np.flatnonzero(keep))
        values, offsets = values.take(taken), running_total(np.where(keep, np.diff(offsets), 0))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


@dataclass(frozen=True)
class PassageBatch:
    """P passages with N tokens, S segments and T turns in all.

    Positions in ``segments`` are global (into the N tokens), so that array code needs no loop over rows; on disk they
    count from the row's first token. ``turns`` are global indices into the S segments.
    """

    vocabulary: Vocabulary
    ids: Sequence[str]
    """P row ids, ``<document>/<passage number>``."""
    documents: Sequence[str]
    """P document ids."""
    codes: IntArray
    """int64 [N]: token types; of the width of an index, as which they serve everywhere."""
    offsets: IntArray
    """int64 [P + 1]: tokens of row i are ``codes[offsets[i]:offsets[i + 1]]``."""
    spaces: BoolArray
    """bool [N]: a space follows the token."""
    segments: IntArray
    """int64 [S]: global position of each segment's first token."""
    segment_offsets: IntArray
    """int64 [P + 1]: segments of row i."""
    turns: IntArray
    """int64 [T]: global index (into the S segments) of each turn's first segment; T = 0 outside dialogues."""
    turn_offsets: IntArray
    """int64 [P + 1]: turns of row i."""
    roles: IntArray
    """int64 [T]: code (into the vocabulary) of each turn's role."""
    lang: str = "en"
    fields: Mapping[str, pa.Array] = field(default_factory=dict)
    """Declared input fields, each of length P."""
    splits: npt.NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    """int8 [P]: the split of each row, 0 train, 1 validation, 2 test; all train if it is not given."""
    second: Second | None = None
    """A second text of each row, over the same vocabulary; none where the input has no such texts."""

    def __post_init__(self) -> None:
        """Take rows of which nothing is said for train."""
        if len(self.splits) != len(self):
            if len(self.splits):
                raise ValueError(f"{len(self.splits)} splits for {len(self)} passages; give one for each, or none")
            object.__setattr__(self, "splits", np.zeros(len(self), np.int8))

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.offsets) - 1

    @cached_property
    def keys(self) -> npt.NDArray[np.uint64]:
        """uint64 [P]: one key per row id, see `row_keys`."""
        return row_keys(self.ids)

    @cached_property
    def spoken(self) -> BoolArray:
        """Bool [P]: rows that are parts of dialogues."""
        turns: BoolArray = np.diff(self.turn_offsets) > 0
        return turns

    @cached_property
    def rows(self) -> IntArray:
        """int64 [N]: the row of each token."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def positions(self) -> IntArray:
        """int64 [N]: the position of each token in its row."""
        positions: IntArray = np.arange(len(self.codes)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        return positions

    @cached_property
    def segment_ends(self) -> IntArray:
        """int64 [S]: global position behind each segment's last token."""
        return np.append(self.segments[1:], len(self.codes))[: len(self.segments)].astype(np.int64)

    @cached_property
    def segment_rows(self) -> IntArray:
        """int64 [S]: the row of each segment."""
        return np.repeat(np.arange(len(self)), np.diff(self.segment_offsets))

    @cached_property
    def token_segments(self) -> IntArray:
        """int64 [N]: the global segment index of each token."""
        return np.repeat(np.arange(len(self.segments)), self.segment_ends - self.segments)

    @cached_property
    def segment_turns(self) -> IntArray:
        """int64 [S]: the global turn index of each segment, -1 where its row has no turns."""
        turns = np.searchsorted(self.turns, np.arange(len(self.segments)), side="right") - 1
        return np.where(np.diff(self.turn_offsets)[self.segment_rows] > 0, turns, -1)

    def take(self, rows: IntArray) -> Self:
        """Return a batch of the given rows, in the given order."""
        rows = np.asarray(rows, np.int64)
        tokens, offsets = ragged_take(self.offsets, rows)
        segments, segment_offsets = ragged_take(self.segment_offsets, rows)
        turns, turn_offsets = ragged_take(self.turn_offsets, rows)
        shift = offsets[:-1] - self.offsets[rows]
        segment_shift = segment_offsets[:-1] - self.segment_offsets[rows]
        return type(self)(
            vocabulary=self.vocabulary,
            ids=[self.ids[row] for row in rows],
            documents=[self.documents[row] for row in rows],
            codes=self.codes[tokens],
            offsets=offsets,
            spaces=self.spaces[tokens],
            segments=self.segments[segments] + np.repeat(shift, np.diff(segment_offsets)),
            segment_offsets=segment_offsets,
            turns=self.turns[turns] + np.repeat(segment_shift, np.diff(turn_offsets)),
            turn_offsets=turn_offsets,
            roles=self.roles[turns],
            lang=self.lang,
            fields={name: values.take(pa.array(rows)) for name, values in self.fields.items()},
            splits=self.splits[rows],
            second=None if self.second is None else self.second.take(rows),
        )
