"""How often pieces follow each other in the train split: what the encoder knows of the language before its first step.

Whether two pieces go together is what a language model has to learn first, and a small encoder needs far more text for
it than a small corpus has. Counted, it is there at once: as counts of pairs, and for the pairs that were never seen as
a low-rank fit of all counts (Levy, Goldberg 2014). So that no row is told about itself, the documents are parted into
folds, and a row is read with the counts of the other ones, in training and afterwards.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from labelers.ragged import IntArray, Ragged
from trainer.data.dataset import Split
from trainer.files import replacing

__all__ = ["Bigrams", "FloatArray", "folds"]

FloatArray = npt.NDArray[np.float32]

_FOLDS = 8
_MOST = 1 << 20  # pairs that are kept, the most frequent ones: 40 MB
_RANK = 64
_SMOOTH = 0.5  # what is added to the counts before their logarithm: a pair of rare pieces says little
_POWER = 4  # rounds of the power iteration; more change nothing that a feature shows


def folds(split: Split) -> npt.NDArray[np.uint8]:
    """Return the fold of each row, uint8 [P]: a checksum of its document's id."""
    parts = [
        np.array([zlib.crc32(text.encode()) % _FOLDS for text in coded.dictionary.to_pylist()], np.uint8)[
            coded.indices.to_numpy()
        ]
        for coded in (chunk.dictionary_encode() for chunk in split.column("document").chunks)
    ]
    return np.concatenate([np.empty(0, np.uint8), *parts])


@dataclass(frozen=True)
class Bigrams:
    """Counts of pairs of neighbours, of V classes of pieces that differ in case alone."""

    keys: IntArray
    """int64 [K], rising: ``first * V + second`` of each pair that was seen."""
    pairs: FloatArray
    """float32 [folds, K]: how often, in the documents of all other folds."""
    single: FloatArray
    """float32 [folds, V]: how often each class was seen, likewise."""
    left: FloatArray
    """float32 [folds, V, rank]: with `right`, a low-rank fit of the association of all pairs, likewise:
    ``left[fold, first] @ right[fold, second]``."""
    right: FloatArray
    """float32 [folds, V, rank]."""

    @classmethod
    def count(cls, parts: Iterable[tuple[Ragged, npt.NDArray[np.uint8]]], folded: IntArray) -> Self:
        """Count the neighbours in rows of pieces.

        Args:
            parts: the pieces and the fold of some rows at a time.
            folded: the class of each piece, -1 for special ones.
        """
        size = int(folded.max()) + 1
        keys, pairs = np.empty(0, np.int64), np.empty((_FOLDS, 0), np.int32)  # a pair takes 40 bytes
        single = np.zeros((_FOLDS, size), np.int64)
        for pieces, fold in parts:
            classes, owner = folded[pieces.values], pieces.owners
            inside = np.flatnonzero(owner[1:] == owner[:-1])
            new, index = np.unique(classes[inside] * size + classes[inside + 1], return_inverse=True)
            single += _by_fold(classes, fold[owner], size)
            keys, pairs = _summed(keys, pairs, new, _by_fold(index.reshape(-1), fold[owner[inside]], len(new)))
        total = pairs.sum(0, dtype=np.int64)
        kept = np.sort(np.lexsort((keys, -total))[:_MOST])
        single = single.sum(0) - single  # of all other folds, as the pairs are one fold at a time
        sides = [_low_rank(keys, total - own, seen) for own, seen in zip(pairs, single, strict=True)]
        left, right = (np.stack(side) for side in zip(*sides, strict=True))
        others = (total[kept] - pairs[:, kept]).astype(np.float32)
        return cls(keys[kept], others, single.astype(np.float32), left, right)

    def save(self, path: Path) -> None:
        """Write the counts."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _summed(keys: IntArray, counts: IntArray, new: IntArray, more: IntArray) -> tuple[IntArray, IntArray]:
    """Return distinct keys, rising, and their counts [folds, K], of two such."""
    every = np.union1d(keys, new)
    summed = np.zeros((len(counts), len(every)), counts.dtype)
    places, others = np.searchsorted(every, keys), np.searchsorted(every, new)
    for fold, (known, further) in enumerate(zip(counts, more, strict=True)):
        summed[fold, places] = known
        summed[fold, others] += further.astype(counts.dtype)
    return every, summed


def _by_fold(values: IntArray, fold: npt.NDArray[np.uint8], size: int) -> IntArray:
    """Return how often each of ``size`` values stands in each fold, int64 [folds, size]."""
    return np.bincount(fold.astype(np.int64) * size + values, minlength=_FOLDS * size).reshape(_FOLDS, size)


def _low_rank(keys: IntArray, pairs: IntArray, single: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return two float32 [V, rank] whose product fits the positive associations of all pairs.

    Half of the singular values go to either side (Levy, Goldberg, Dagan 2015).
    """
    size, rank = len(single), min(_RANK, len(single))
    keys, pairs = keys[pairs > 0], pairs[pairs > 0]
    first, second = np.divmod(keys, size)
    chance = single[first] * single[second] / max(single.sum(), 1)
    found = np.maximum(np.log((pairs + _SMOOTH) / (chance + _SMOOTH)), 0)
    places = torch.from_numpy(np.stack([first, second]))
    shape = (size, size)
    table = torch.sparse_coo_tensor(places, torch.from_numpy(found), shape, is_coalesced=True, check_invariants=False)
    start = torch.randn(size, rank, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(table @ start).Q
    for _ in range(_POWER):  # Halko, Martinsson, Tropp 2011, algorithm 4.4
        basis = torch.linalg.qr(table @ torch.linalg.qr(table.T @ basis).Q).Q
    u, s, v = torch.linalg.svd((table.T @ basis).T, full_matrices=False)
    left, right = basis @ u * s.sqrt(), v.T * s.sqrt()
    return left.float().numpy(), right.float().numpy()
