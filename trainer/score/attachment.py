"""Arcs of dependency trees: their metrics, and what can be predicted without a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labelers.ragged import BoolArray, IntArray
from trainer.score.metrics import FloatArray, Metric, Predictions
from trainer.score.rates import most_frequent
from trainer.score.rows import TaskRows

__all__ = ["ARC_BESIDE", "ARC_METRICS", "HEAD", "KNOWN", "RELATION", "FrequentOffset", "OffsetByForm"]

HEAD, RELATION, KNOWN = range(3)
"""What a label holds: the head as a place in the sentence, the relation, and 1 where there is a label at all."""

_FAR = 50
"""Longest distance to a head that is counted; there are few longer ones."""


class Unlabelled(Metric):
    """Attachment score (UAS): the share of tokens with the right head, punctuation included."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 2]: right tokens, tokens with a label."""
        known = predictions.gold[:, KNOWN] > 0
        both = (known & self._right(predictions), known)
        return np.stack([np.bincount(groups, mask, minlength=count) for mask in both], axis=1)

    def _right(self, predictions: Predictions) -> BoolArray:
        """Tell which arcs are right, bool [I]."""
        right: BoolArray = predictions.gold[:, HEAD] == predictions.predicted[:, HEAD]
        return right

    def value(self, sums: FloatArray) -> FloatArray:
        """Return right / all."""
        return sums[..., 0] / np.maximum(sums[..., 1], 1)


class Labelled(Unlabelled):
    """Attachment score (LAS): the share of tokens with the right head and relation, punctuation included."""

    def _right(self, predictions: Predictions) -> BoolArray:
        """Tell which arcs and relations are right, bool [I]."""
        relation = predictions.gold[:, RELATION] == predictions.predicted[:, RELATION]
        right: BoolArray = super()._right(predictions) & relation
        return right


ARC_METRICS: Mapping[str, Metric] = {"las": Labelled(), "uas": Unlabelled()}
"""Metrics of arcs, by name."""

ARC_BESIDE: Mapping[str, tuple[str, ...]] = {"las": ("uas",)}
"""Which of them a report shows beside that of a task: parsers are compared by both."""


@dataclass(frozen=True)
class FrequentOffset:
    """The most frequent distance to a head (0: the root) and the most frequent relation: the prior of arcs."""

    name: str = "most frequent offset"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return the same for all; a head outside of the sentence is none, but the token is the root."""
        return _said(train, held, np.zeros(len(train.labels), np.int64), np.zeros(len(held.labels), np.int64))


@dataclass(frozen=True)
class OffsetByForm:
    """The most frequent distance to the head of each word form (0: the root), and its most frequent relation."""

    name: str = "commonest offset per word form"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return what goes with the form of each token; a head outside of the sentence is none, but the root."""
        return _said(train, held, _forms(train), _forms(held))


def _said(train: TaskRows, held: TaskRows, train_keys: IntArray, held_keys: IntArray) -> IntArray:
    """Return the offset and the relation that go most often with each key, as labels, int64 [I, 3]."""
    known = train.labels[:, KNOWN] > 0
    keys = train_keys[known]
    place, _ = _places(train)
    offset = np.clip(train.labels[:, HEAD] - place, -_FAR, _FAR)[known] + _FAR
    relation = train.labels[known, RELATION]
    there, size = _places(held)
    head = there + most_frequent(train.replaced(labels=offset), keys, held_keys) - _FAR
    head = np.where((head >= 0) & (head < size), head, there)
    relations = most_frequent(train.replaced(labels=relation), keys, held_keys)
    return np.stack([head, relations, np.ones_like(head)], axis=1)


def _places(rows: TaskRows) -> tuple[IntArray, IntArray]:
    """Return where each token stands in its sentence, and how many stand there, int64 [I] each."""
    if rows.segments is None:
        raise ValueError(f"task {rows.task.name} has no sentences, which probes of arcs read")
    first = np.flatnonzero(np.diff(rows.segments, prepend=-1))
    size = np.diff(first, append=len(rows.segments))
    return np.arange(len(rows.segments)) - np.repeat(first, size), np.repeat(size, size)


def _forms(rows: TaskRows) -> IntArray:
    """Return the code of each token, int64 [I]."""
    part = rows.parts[0]
    forms: IntArray = part.values[part.offsets[rows.owners] + rows.positions].astype(np.int64)
    return forms
