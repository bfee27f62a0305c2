"""Sets of classes: their metrics, and what is known of them without a look at the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray
from trainer.schedule.step_plan import generator
from trainer.score.metrics import FloatArray, MacroF1, Metric, Predictions
from trainer.score.rows import TaskRows

__all__ = ["SET_METRICS", "ClassRates", "FrequentSet"]


def _counts(predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
    """Return [D, 3, C]: right, gold and predicted labels of each class."""
    gold, predicted = predictions.gold, predictions.predicted
    counts = np.zeros((3, count, gold.shape[1]))
    for number, mask in enumerate((gold & predicted, gold, predicted)):
        np.add.at(counts[number], groups, mask)
    return np.moveaxis(counts, 0, 1)


class SetMicroF1(Metric):
    """F1 over all pairs of a row and a class that holds in it."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 3]: right, gold and predicted labels."""
        found: FloatArray = _counts(predictions, groups, count).sum(axis=2)
        return found

    def value(self, sums: FloatArray) -> FloatArray:
        """Return 2 right / (gold + predicted), 0 where there is neither."""
        return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


class SetMacroF1(MacroF1):
    """Mean of the F1 of each class that holds in some gold or predicted set."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 3 C]: right, gold and predicted labels of each class."""
        return _counts(predictions, groups, count).reshape(count, -1)


SET_METRICS: Mapping[str, Metric] = {"micro_f1": SetMicroF1(), "macro_f1": SetMacroF1()}
"""Metrics of sets of classes, by name."""


@dataclass(frozen=True)
class ClassRates:
    """Each class drawn at its rate in the train labels: the prior of F1."""

    name: str = "random guess at the train rates"

    def predict(self, train: TaskRows, held: TaskRows, seed: int, /) -> BoolArray:
        """Return a drawn set for each label."""
        drawn = generator(seed, "prior", train.task.name).random(held.labels.shape)
        said: BoolArray = drawn < train.labels.mean(axis=0)
        return said


@dataclass(frozen=True)
class FrequentSet:
    """The most frequent set of the train labels, of equally frequent ones the first in the order of classes."""

    name: str = "most frequent set"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> npt.NDArray[Any]:
        """Return one set for all."""
        sets, counts = np.unique(train.labels, axis=0, return_counts=True)
        return np.repeat(sets[[counts.argmax()]], len(held.labels), axis=0)
