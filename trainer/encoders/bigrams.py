"""How often pieces follow each other in the train split: what the encoder knows of the language before its first step.

Whether two pieces go together is what a language model has to learn first, and a small encoder needs far more text for
it than a small corpus has. Counted, it is there at once: as counts of pairs, and for the pairs that were never seen as
a low-rank fit of all counts (Levy, Goldberg 2014). So that counts do not contain the row that reads them,
the documents are parted into folds, and a row is read with the counts of the other ones, in training and afterwards.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from labelers.ragged import IntArray, Ragged
from trainer.archive import read_archive, write_archive
from trainer.data.dataset import Split
from trainer.memory import give_back

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
        seen, single = _Cells(), np.zeros((_FOLDS, size), np.int64)
        for pieces, fold in parts:
            classes, owner = folded[pieces.values], pieces.owners
            inside = np.flatnonzero(owner[1:] == owner[:-1])
            seen.add((classes[inside] * size + classes[inside + 1]) * _FOLDS + fold[owner[inside]])
            single += _by_fold(classes, fold[owner], size)
        pairs = _Pairs.of(*seen.all())
        give_back()  # what is counted was sorted many times
        kept = np.sort(np.lexsort((pairs.keys, -pairs.total))[:_MOST])
        single = single.sum(0) - single  # of all other folds, as the pairs are one fold at a time
        others = np.empty((_FOLDS, len(kept)), np.float32)
        left, right = np.empty((2, _FOLDS, size, min(_RANK, size)), np.float32)
        for number, known in enumerate(single):
            counts = pairs.others(number)
            others[number] = counts[kept]
            left[number], right[number] = _low_rank(pairs.keys, counts, known)
        return cls(pairs.keys[kept], others, single.astype(np.float32), left, right)

    def save(self, path: Path) -> None:
        """Write the counts."""
        write_archive(path, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; most of it stays on the disk until it is asked for."""
        return cls(**read_archive(path))


class _Cells:
    """How often each of some numbers was seen, of which many are given one after the other."""

    def __init__(self) -> None:
        self._parts: list[tuple[IntArray, npt.NDArray[np.int32]]] = []

    def add(self, cells: IntArray) -> None:
        """Count numbers; the shorter lists are summed up as soon as there are as many as in the longest."""
        numbers, counts = np.unique(cells, return_counts=True)
        self._parts.append((numbers, counts.astype(np.int32)))
        while len(self._parts) > 1 and 2 * len(self._parts[-1][0]) > len(self._parts[-2][0]):
            self._parts[-2:] = [_summed(self._parts[-2:])]

    def all(self) -> tuple[IntArray, npt.NDArray[np.int32]]:
        """Return the distinct numbers, rising, and their counts; nothing is kept."""
        parts, self._parts = self._parts, []
        return _summed(parts)


def _summed(parts: Sequence[tuple[IntArray, npt.NDArray[np.int32]]]) -> tuple[IntArray, npt.NDArray[np.int32]]:
    """Return distinct numbers, rising, and their counts, of several such."""
    numbers = np.concatenate([np.empty(0, np.int64), *(item for item, _ in parts)])
    counts = np.concatenate([np.empty(0, np.int32), *(item for _, item in parts)])
    order = np.argsort(numbers, kind="stable")
    numbers, counts = numbers[order], counts[order]
    opens = np.flatnonzero(np.diff(numbers, prepend=-1))
    return numbers[opens], np.add.reduceat(counts, opens) if len(opens) else counts


@dataclass(frozen=True)
class _Pairs:
    """How often each of K pairs was seen in each fold: most were seen in few."""

    keys: IntArray
    """int64 [K], rising."""
    total: IntArray
    """int64 [K]: in all folds."""
    places: tuple[npt.NDArray[np.int32], ...]
    """Of each fold the pairs that were seen in it, as indices into the keys, ..."""
    counts: tuple[npt.NDArray[np.int32], ...]
    """... and how often."""

    @classmethod
    def of(cls, cells: IntArray, counts: npt.NDArray[np.int32]) -> "_Pairs":
        """Return the pairs of cells, ``key * folds + fold``, rising."""
        keys, folds = cells // _FOLDS, (cells % _FOLDS).astype(np.uint8)
        opens = np.diff(keys, prepend=-1) > 0
        places = (np.cumsum(opens) - 1).astype(np.int32)
        total = np.bincount(places, counts, minlength=1)[: opens.sum()].astype(np.int64)
        inside = [folds == fold for fold in range(_FOLDS)]
        return cls(keys[opens], total, tuple(places[item] for item in inside), tuple(counts[item] for item in inside))

    def others(self, fold: int) -> IntArray:
        """Return how often each pair was seen in the other folds, int64 [K]."""
        counts = self.total.copy()
        counts[self.places[fold]] -= self.counts[fold]
        return counts


def _by_fold(values: IntArray, fold: npt.NDArray[np.uint8], size: int) -> IntArray:
    """Return how often each of ``size`` values stands in each fold, int64 [folds, size]."""
    return np.bincount(fold.astype(np.int64) * size + values, minlength=_FOLDS * size).reshape(_FOLDS, size)


def _low_rank(keys: IntArray, pairs: IntArray, single: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return two float32 [V, rank] whose product fits the positive associations of all pairs.

    Half of the singular values go to either side (Levy, Goldberg, Dagan 2015).
    """
    size, rank = len(single), min(_RANK, len(single))
    keys, pairs = keys[pairs > 0], pairs[pairs > 0]
    places = np.empty((2, len(keys)), np.int64)
    first, second = np.divmod(keys, size, out=(places[0], places[1]))
    found = single[first] * single[second] / max(single.sum(), 1)  # by chance
    found = np.maximum(np.log((pairs + _SMOOTH) / (found + _SMOOTH)), 0)
    shape = (size, size)
    table = torch.sparse_coo_tensor(
        torch.from_numpy(places), torch.from_numpy(found), shape, is_coalesced=True, check_invariants=False
    )
    start = torch.randn(size, rank, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(table @ start).Q
    for _ in range(_POWER):  # Halko, Martinsson, Tropp 2011, algorithm 4.4
        basis = torch.linalg.qr(table @ torch.linalg.qr(table.T @ basis).Q).Q
    u, s, v = torch.linalg.svd((table.T @ basis).T, full_matrices=False)
    left, right = basis @ u * s.sqrt(), v.T * s.sqrt()
    return left.float().numpy(), right.float().numpy()
