"""How often pieces follow each other in the train split: what the encoder knows of the language before its first step.

Whether two pieces go together is what a language model has to learn first, and a small encoder needs far more text for
it than a small corpus has. Counted, it is there at once. So that no row is told about itself, the documents are parted
into two folds, and a row is read with the counts of the other one, in training and afterwards.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from trainer.data import IntArray, Ragged, Split

__all__ = ["Bigrams", "folds"]

_MOST = 1 << 21  # pairs that are kept, the most frequent ones: 50 MB


def folds(split: Split) -> npt.NDArray[np.uint8]:
    """Return the fold of each row, uint8 [P]: a checksum of its document's id."""
    parts = [
        np.array([zlib.crc32(text.encode()) & 1 for text in coded.dictionary.to_pylist()], np.uint8)[
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
    """float32 [2, K]: how often, for the rows of fold 0 and of fold 1; counted in the documents of the other fold."""
    single: npt.NDArray[np.float32]
    """float32 [2, V]: how often each class was seen, likewise."""

    @classmethod
    def count(cls, pieces: Ragged, fold: npt.NDArray[np.uint8], folded: IntArray) -> Self:
        """Count the neighbours in rows of pieces, with the fold of each row and the class of each piece."""
        size = int(folded.max()) + 1
        classes, owner = folded[pieces.values], pieces.owners
        other = 1 - fold[owner].astype(np.int64)  # the rows that a count is for
        single = np.stack([np.bincount(classes[other == f], minlength=size) for f in (0, 1)])
        inside = np.flatnonzero(owner[1:] == owner[:-1])
        pair = classes[inside] * size + classes[inside + 1]
        keys, index, total = np.unique(pair, return_inverse=True, return_counts=True)
        counts = np.stack([np.bincount(index[other[inside] == f], minlength=len(keys)) for f in (0, 1)])
        kept = np.sort(np.lexsort((keys, -total))[:_MOST])
        return cls(keys[kept], counts[:, kept].astype(np.float32), single.astype(np.float32))

    def save(self, path: Path) -> None:
        """Write the counts."""
        np.savez(path, keys=self.keys, pairs=self.pairs, single=self.single)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["keys"], arrays["pairs"], arrays["single"])
