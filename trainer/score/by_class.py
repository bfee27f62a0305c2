"""Precision and recall of each class, or of the spans of each type."""

from typing import Any

import numpy as np

from labelers.ragged import BoolArray
from trainer.data.spans import BIO, TagSpans
from trainer.score.metrics import Predictions, metric_of

__all__ = ["by_class"]


def by_class(found: Predictions) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of each class that stands among the labels or was predicted.

    Tags of spans count as spans of their type; where the first class is outside, it is left out. Labels that are no
    classes have none.
    """
    if not found.task.classes:
        return []
    if found.task.scheme == BIO:
        return _span_types(found)
    first = int(metric_of(found.task).outside)
    names = list(found.task.classes)
    if found.gold.dtype == bool:  # several classes at once, a column for each
        pairs = [(found.gold[:, i], found.predicted[:, i]) for i in range(len(names))]
    elif found.gold.ndim == 1 and np.issubdtype(found.gold.dtype, np.integer):
        pairs = [(found.gold == i, found.predicted == i) for i in range(len(names))]
    else:
        return []
    every = [_entry(name, *pair, pair[0] & pair[1]) for name, pair in zip(names, pairs, strict=True)]
    return [entry for entry in every[first:] if entry["labels"] or entry["predicted"]]


def _span_types(found: Predictions) -> list[dict[str, Any]]:
    """Return what there is to say of the spans of each type."""
    classes = found.task.classes
    edge = np.diff(found.rows, prepend=-1) != 0
    gold, said = (TagSpans.of(labels, edge, classes) for labels in (found.gold, found.predicted))
    right = gold.also_in(said)
    every = []
    for number, name in enumerate(dict.fromkeys(item[2:] for item in classes)):
        masks = (
            mask & (spans.types == number) for mask, spans in ((gold.opens, gold), (said.opens, said), (right, gold))
        )
        every.append(_entry(name, *masks))
    return [entry for entry in every if entry["labels"] or entry["predicted"]]


def _entry(name: str, gold: BoolArray, said: BoolArray, right: BoolArray) -> dict[str, Any]:
    """Return the entry of a class."""
    labels, predicted, both = int(gold.sum()), int(said.sum()), int(right.sum())
    return {
        "class": name,
        "precision": both / predicted if predicted else None,
        "recall": both / labels if labels else None,
        "f1": 2 * both / (labels + predicted) if labels + predicted else None,
        "labels": labels,
        "predicted": predicted,
    }
