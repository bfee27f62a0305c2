"""How often labels go with what a probe looks at."""

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray
from trainer.score.rows import TaskRows

__all__ = ["FloatArray", "classes_of", "counted", "most_frequent", "rates_of"]

FloatArray = npt.NDArray[np.float64]

_SMOOTH = 2.0
"""Labels that the class prior weighs beside the labels of one word form."""


def classes_of(rows: TaskRows) -> int:
    """Return the number of classes."""
    return max(len(rows.task.classes), int(rows.labels.max(initial=0)) + 1)


def counted(keys: IntArray, labels: IntArray, size: int, classes: int) -> FloatArray:
    """Return how often each label goes with each key, float64 [size, classes]."""
    return np.bincount(keys * classes + labels, minlength=size * classes).reshape(size, classes).astype(np.float64)


def rates_of(counts: FloatArray, before: FloatArray | None = None) -> FloatArray:
    """Return the smoothed rate of each class for each key, float64 [size, classes].

    Args:
        counts: [size, classes].
        before: what the rates are thought to be where nothing is counted; None: those of all keys together.
    """
    known = counts.sum(axis=0) / max(counts.sum(), 1.0) if before is None else before
    result: FloatArray = (counts + _SMOOTH * known) / (counts.sum(axis=1, keepdims=True) + _SMOOTH)
    return result


def most_frequent(train: TaskRows, train_keys: IntArray, held_keys: IntArray) -> IntArray:
    """Return the class that goes most often with each held-out key, of a new one the most frequent; int64 [I].

    Args:
        train: has the labels.
        train_keys: int64 [labels of train].
        held_keys: int64 [I].
    """
    keys, inverse = np.unique(np.concatenate([train_keys, held_keys]), return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = counted(inverse[: len(train_keys)], train.labels, len(keys), classes_of(train))
    result: IntArray = rates_of(counts).argmax(axis=1)[inverse[len(train_keys) :]]
    return result
