"""What a model predicted, and the scores of it with their intervals.

A metric is computed from sums over labels. These are kept per document, so a bootstrap over documents is one product of
a matrix of weights with a matrix of sums, whatever the metric.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.spans import TagSpans
from trainer.kinds import kind_of
from trainer.schedule.step_plan import generator

__all__ = ["FEW", "METRICS", "Metric", "Predictions", "Score", "metric_name", "metric_of", "score"]

FloatArray = npt.NDArray[np.float64]

REPLICATES = 1000
"""Bootstrap samples of an interval: enough for the 95 % percentile (Efron and Tibshirani 1993, chapter 13)."""

FEW = 200
"""Labels below which a score says little: at 200 the interval of an accuracy of one half is 0.14 wide."""

_CHUNK = 1 << 20
"""Weights drawn at a time."""


@dataclass(frozen=True)
class Predictions:
    """What the model said about one task: one entry per label, labels of a row in order, rows in order."""

    task: Task
    gold: npt.NDArray[Any]
    """[I, ...]: in the form of the task's kind: class indices; for masked words the word's first sub-word."""
    predicted: npt.NDArray[Any]
    """[I, ...]."""
    loss: FloatArray
    """float64 [I]: nats of each label (for masked_lm: of each word, summed over its pieces); empty where not known."""
    documents: IntArray
    """int64 [I]: number of the document, for the bootstrap."""
    rows: IntArray
    """int64 [I]: number of the row in its split."""
    probabilities: npt.NDArray[Any] | None = None
    """float [I, C], where classes are few."""


@dataclass(frozen=True)
class Score:
    """The value of a metric on I labels of D documents, with its 95 % interval."""

    metric: str
    value: float | None
    """None where there are no labels."""
    labels: int
    documents: int
    low: float | None = None
    """None where fewer than two documents have labels: there is nothing to resample."""
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the score as a plain JSON object."""
        interval = None if self.low is None else [self.low, self.high]
        return {"value": self.value, "interval": interval, "labels": self.labels, "documents": self.documents}


class Metric(ABC):
    """Turns predictions into sums per document, and sums into a value."""

    higher: ClassVar[bool] = True
    """More is better."""
    outside: ClassVar[bool] = False
    """The first class is what stands outside everything of interest, as O among tags."""
    from_loss: ClassVar[bool] = False
    """It is computed from the losses of the labels, not from what was predicted."""
    constant: ClassVar[bool] = False
    """The most frequent class is a fair prior; F1 punishes it, so that a random guess is."""

    @abstractmethod
    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return float64 [D, K]: K sums over the labels of each of ``count`` groups; ``groups`` is int64 [I]."""

    @abstractmethod
    def value(self, sums: FloatArray) -> FloatArray:
        """Return the value of sums [..., K], shape [...]."""


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below, 0 where nothing is below."""
    result: FloatArray = np.divide(above, below, out=np.zeros(np.shape(below)), where=below > 0)
    return result


def _grouped(groups: IntArray, count: int, weights: npt.NDArray[Any]) -> FloatArray:
    """Return the sum of weights [I] in each group, float64 [count]."""
    return np.bincount(groups, weights, minlength=count).astype(np.float64)


class Accuracy(Metric):
    """Share of labels that were predicted. With one label per item micro F1 over all classes is the same number."""

    constant = True

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 2]: right labels, labels."""
        right = predictions.gold == predictions.predicted
        return np.stack([_grouped(groups, count, right), _grouped(groups, count, np.ones(len(right)))], axis=1)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return right / all."""
        return _ratio(sums[..., 0], sums[..., 1])


def _class_counts(predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
    """Return [D, 3, C]: right, gold and predicted labels of each class."""
    gold, predicted = predictions.gold, predictions.predicted
    classes = max(len(predictions.task.classes), int(gold.max(initial=0)) + 1, int(predicted.max(initial=0)) + 1)
    right = gold == predicted
    counts = [
        np.bincount(groups[mask] * classes + labels[mask], minlength=count * classes).reshape(count, classes)
        for mask, labels in ((right, gold), (np.ones_like(right), gold), (np.ones_like(right), predicted))
    ]
    return np.stack(counts, axis=1).astype(np.float64)


class MacroF1(Metric):
    """Mean of the F1 of each class that stands among the gold or the predicted labels, as in scikit-learn."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 3 C]: right, gold and predicted labels of each class."""
        return _class_counts(predictions, groups, count).reshape(count, -1)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return the mean of 2 right / (gold + predicted)."""
        right, gold, predicted = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, 0)
        return _ratio(_ratio(2 * right, gold + predicted).sum(axis=-1), (gold + predicted > 0).sum(axis=-1))


class TagF1(Metric):
    """Micro F1 over the classes other than the first (outside)."""

    outside = True

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 3]: right, gold and predicted labels of those classes."""
        inside, found = predictions.gold > 0, predictions.predicted > 0
        right = inside & (predictions.gold == predictions.predicted)
        return np.stack([_grouped(groups, count, mask) for mask in (right, inside, found)], axis=1)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return 2 right / (gold + predicted)."""
        return _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


class SpanF1(TagF1):
    """Micro F1 over whole spans of a type, see `trainer.data.spans`."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 3]: right, gold and predicted spans."""
        edge = np.diff(predictions.rows, prepend=-1) != 0  # a label that opens its row
        gold = TagSpans.of(predictions.gold, edge, predictions.task.classes)
        found = TagSpans.of(predictions.predicted, edge, predictions.task.classes)
        masks = (gold.also_in(found), gold.opens, found.opens)
        return np.stack([_grouped(groups, count, mask) for mask in masks], axis=1)


class NatsPerWord(Metric):
    """Mean loss of a word in nats; less is better."""

    higher = False
    from_loss = True

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 2]: nats, words."""
        if len(predictions.loss) != len(predictions.gold):
            raise ValueError(f"nats_per_word of {predictions.task.name} needs the loss of each word")
        words = np.ones(len(predictions.loss))
        return np.stack([_grouped(groups, count, predictions.loss), _grouped(groups, count, words)], axis=1)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return nats / words."""
        return _ratio(sums[..., 0], sums[..., 1])


METRICS: Mapping[str, Metric] = {
    "accuracy": Accuracy(),
    "micro_f1": Accuracy(),
    "macro_f1": MacroF1(),
    "tag_f1": TagF1(),
    "span_f1": SpanF1(),
    "nats_per_word": NatsPerWord(),
}
"""Every metric, by the name that tasks give it."""


def metric_name(task: Task) -> str:
    """Return the name of the task's metric, the default of its kind where it names none."""
    return task.metric or kind_of(task).default_metric(task)


def metric_of(task: Task) -> Metric:
    """Return the metric of a task.

    Raises:
        ValueError: there is none of that name.
    """
    known, name = kind_of(task).metrics, metric_name(task)
    if name not in known:
        raise ValueError(f"task {task.name} asks for metric {name!r}; known are {', '.join(known)}")
    return known[name]


def score(predictions: Predictions, seed: int = 0, replicates: int = REPLICATES) -> Score:
    """Return the value of the task's metric and its 95 % percentile interval over resampled documents.

    Example:
        >>> task = Task(name="t", labeler="l", version=1, kind="passage", sequences=("source",), target="t",
        ...             classes=("no", "yes"), metric="accuracy")
        >>> gold, said, documents = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), np.array([0, 0, 1, 2])
        >>> result = score(Predictions(task, gold, said, np.empty(0), documents, rows=documents))
        >>> result.value, result.low, result.high
        (0.75, 0.0, 1.0)
    """
    metric, name = metric_of(predictions.task), metric_name(predictions.task)
    names, groups = np.unique(predictions.documents, return_inverse=True)
    labels, count = len(predictions.gold), len(names)
    if not labels:
        return Score(name, None, 0, 0)
    sums = metric.sums(predictions, groups.reshape(-1), count)
    value = float(metric.value(sums.sum(axis=0)))
    if count < 2:  # noqa: PLR2004
        return Score(name, value, labels, count)
    low, high = np.percentile(_replicates(metric, sums, seed, replicates), [2.5, 97.5])
    return Score(name, value, labels, count, float(low), float(high))


def _replicates(metric: Metric, sums: FloatArray, seed: int, replicates: int) -> FloatArray:
    """Return the value in each replicate: as many documents as there are, drawn with replacement."""
    count = len(sums)
    step = max(1, _CHUNK // count)
    values = []
    for begin in range(0, replicates, step):
        size = min(step, replicates - begin)
        drawn = generator(seed, "bootstrap", begin).integers(count, size=(size, count))
        flat = (drawn + np.arange(size)[:, None] * count).reshape(-1)
        weights = np.bincount(flat, minlength=size * count).reshape(size, count)
        values.append(metric.value(weights @ sums))
    return np.concatenate(values)
