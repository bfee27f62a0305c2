"""What people labelled in validation and test, so that train does not show it: equal passages, and 8-grams."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.label_space import LABELLED
from labelers.passages import PassageBatch, row_keys
from labelers.ragged import BoolArray
from pipelines.folder.layout import HELD_OUT, Folder, digest_bytes
from pipelines.rows.passage_keys import PassageKeys, row_passage_keys

__all__ = ["LEAST", "HeldOut", "HeldOutBook", "is_labelled", "read_held_out"]

LEAST = 5
"""Tokens of a passage from which on another one is equal to it hardly by chance."""
_GRAM = 8
_SAMPLE = 16_384
"""8-grams that are looked for in train, those of the smallest digests: so that a unit can note which of them it has."""
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: the golden ratio in 64 bits


def is_labelled(batch: PassageBatch, names: Sequence[str]) -> BoolArray:
    """Return which passages have a label of people in any of the label spaces."""
    found = np.zeros(len(batch), bool)
    for name in names:
        status: pa.Array = batch.fields[name].field("status")
        found |= status.to_numpy() == LABELLED
    return found


@dataclass(frozen=True)
class HeldOut:
    """The labelled passages of validation and test, by digests.

    Example:
        >>> from labelers.text.segmenter import read_texts
        >>> test = read_texts(["The ferry to the island left at dusk."])
        >>> held_out = HeldOut.of(test)
        >>> train = read_texts(["The ferry to the island left at dusk.", "The ferry to the island left at dusk again."])
        >>> held_out.stands_in(train).tolist()
        [True, False]
        >>> len(held_out.grams), int(held_out.seen(train, np.array([False, True])).sum())
        (2, 1)
    """

    passages: PassageKeys
    """uint64, rising: of passages with at least `LEAST` tokens."""
    grams: PassageKeys
    """uint64, rising: the smallest digests of 8 tokens in a row, at most `_SAMPLE`."""

    @classmethod
    def of(cls, batch: PassageBatch) -> "HeldOut":
        """Return what is to be known of some passages."""
        long = np.diff(batch.offsets) >= LEAST
        return cls(np.unique(row_passage_keys(batch)[long]), np.unique(_grams(batch)[0])[:_SAMPLE])

    @classmethod
    def sum(cls, parts: Sequence["HeldOut"]) -> "HeldOut":
        """Return what is to be known of the passages of several parts."""
        none = np.empty(0, np.uint64)
        passages = np.unique(np.concatenate([none, *(part.passages for part in parts)]))
        return cls(passages, np.unique(np.concatenate([none, *(part.grams for part in parts)]))[:_SAMPLE])

    @classmethod
    def from_bytes(cls, data: bytes) -> "HeldOut":
        """Read what `to_bytes` wrote."""
        values = np.frombuffer(data, "<u8").astype(np.uint64)
        size = int(values[0])
        return cls(values[1 : size + 1], values[size + 1 :])

    def to_bytes(self) -> bytes:
        """Return little-endian uint64: the number of passages, then both lists."""
        return (
            np.concatenate([np.array([len(self.passages)], np.uint64), self.passages, self.grams])
            .astype("<u8")
            .tobytes()
        )

    def stands_in(self, batch: PassageBatch) -> BoolArray:
        """Return which passages are equal to a labelled one."""
        if not len(self.passages):
            return np.zeros(len(batch), bool)
        return (np.diff(batch.offsets) >= LEAST) & np.isin(row_passage_keys(batch), self.passages)

    def seen(self, batch: PassageBatch, rows: BoolArray) -> BoolArray:
        """Return which of the 8-grams stand in some of the passages."""
        found = np.zeros(len(self.grams), bool)
        if len(found) and rows.any():
            grams, owners = _grams(batch)
            grams = grams[(grams <= self.grams[-1]) & rows[owners]]
            places = np.searchsorted(self.grams, grams)
            found[places[self.grams[places] == grams]] = True
        return found


def _grams(batch: PassageBatch) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return a digest of each 8 tokens in a row that a passage has, and the row of each."""
    digests, rows = batch.vocabulary.property(row_keys)[batch.codes], batch.rows
    count = max(len(digests) - _GRAM + 1, 0)
    inside = rows[:count] == rows[_GRAM - 1 : _GRAM - 1 + count]
    sums = np.zeros(count, np.uint64)
    for place, power in enumerate(np.cumprod(np.full(_GRAM, _BASE))):
        sums += digests[place : place + count] * power
    return sums[inside], rows[:count][inside]


def read_held_out(folder: Folder, digest: str) -> HeldOut | None:
    """Return what a plan found, given the digest of its file; None where it has no labels of people."""
    if not digest:
        return None
    data = folder.read(HELD_OUT)
    if digest_bytes(data) != digest:
        raise OSError(f"{HELD_OUT} does not match the plan; run the build again to restore it")
    return HeldOut.from_bytes(data)


class HeldOutBook:
    """What a unit, or a dataset, has of what is held out."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._seen: BoolArray | None = None

    def add(self, seen: BoolArray) -> None:
        """Note which 8-grams some train passages have."""
        self._seen = seen if self._seen is None else self._seen | seen

    def merge(self, found: Mapping[str, Any]) -> None:
        """Add what the mark of a unit says."""
        bits = np.frombuffer(base64.b64decode(found["seen"]), np.uint8)
        self.add(np.unpackbits(bits, count=found["grams"]).astype(bool))

    def of_unit(self, held_out: HeldOut) -> dict[str, Any]:
        """Return what stands in the mark of a unit: how many 8-grams there are, and a bit for each."""
        return _bits_of(np.zeros(len(held_out.grams), bool) if self._seen is None else self._seen)

    def to_json(self) -> dict[str, Any] | None:
        """Return the same of several units; None where nothing was added."""
        return None if self._seen is None else _bits_of(self._seen)

    def of_dataset(self) -> dict[str, int] | None:
        """Return how many 8-grams there are, and how many of them stand in train; None without labels of people."""
        return None if self._seen is None else {"grams": len(self._seen), "seen": int(np.count_nonzero(self._seen))}


def _bits_of(seen: BoolArray) -> dict[str, Any]:
    """Return how many values there are, and a bit for each."""
    return {"grams": len(seen), "seen": base64.b64encode(np.packbits(seen).tobytes()).decode()}
