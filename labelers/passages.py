"""Passages as arrays: thousands of rows at once, their tokens as codes into a vocabulary of token types."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, ragged_take
from labelers.second import Second
from labelers.vocabulary import Vocabulary

__all__ = ["PassageBatch", "row_keys"]


def row_keys(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the uint64 key of each row id, or any text: what its random draws are derived from (blake2b, 8 bytes).

    Example:
        >>> row_keys(["a.txt:0/0"]).dtype
        dtype('uint64')
    """
    data = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in ids)
    return np.frombuffer(data, "<u8").astype(np.uint64)


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
