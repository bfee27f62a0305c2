"""How often pieces follow each other in the train split: what the encoder knows of the language before its first step.

Whether two pieces go together is what a language model has to learn first, and a small encoder needs far more text for
it than a small corpus has. Counted, it is there at once. So that no row is told about itself, the documents are parted
into folds, and a row is read with the counts of the other ones, in training and afterwards.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from trainer.data import IntArray, Ragged, Split

__all__ = ["Bigrams", "folds"]

_FOLDS = 8
_MOST = 1 << 20  # pairs that are kept, the most frequent ones: 40 MB


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
    pairs: npt.NDArray[np.float32]
    """float32 [F, K]: how often, for the rows of each fold; counted in the documents of the other folds."""
    single: npt.NDArray[np.float32]
    """float32 [F, V]: how often each class was seen, likewise."""

    @classmethod
    def count(cls, pieces: Ragged, fold: npt.NDArray[np.uint8], folded: IntArray) -> Self:
        """Count the neighbours in rows of pieces, with the fold of each row and the class of each piece."""
        size = int(folded.max()) + 1
        classes, owner = folded[pieces.values], pieces.owners
        inside = np.flatnonzero(owner[1:] == owner[:-1])
        keys, index = np.unique(classes[inside] * size + classes[inside + 1], return_inverse=True)
        single = _counts(classes, fold[owner], size)
        pairs = _counts(index.reshape(-1), fold[owner[inside]], len(keys))
        kept = np.sort(np.lexsort((keys, -pairs.sum(axis=0)))[:_MOST])
        return cls(keys[kept], pairs[:, kept], single)

    def save(self, path: Path) -> None:
        """Write the counts."""
        np.savez(path, keys=self.keys, pairs=self.pairs, single=self.single)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["keys"], arrays["pairs"], arrays["single"])


def _counts(values: IntArray, fold: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float32]:
    """Return float32 [F, size]: how often each value stands outside of each fold."""
    own = np.bincount(fold.astype(np.int64) * size + values, minlength=_FOLDS * size).reshape(_FOLDS, size)
    return (own.sum(axis=0) - own).astype(np.float32)
