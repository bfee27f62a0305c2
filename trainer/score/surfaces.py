"""Surface forms of spans: what a model finds of the names that its train split holds, and of new ones.

A form is the words of a span, whatever their case. A run keeps digests of the forms of its train split, so that it can
be evaluated where that split is not at hand, and where it must not be.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labelers.ragged import BoolArray, IntArray
from labelers.task import Task
from trainer.data.dataset import Split, Types
from trainer.data.spans import BIO, TagSpans
from trainer.files import write
from trainer.kinds import kind_of
from trainer.score.metrics import Predictions
from trainer.score.rows import TaskRows, read_rows

__all__ = ["Forms", "has_spans", "read_forms", "recalls", "train_forms", "write_forms"]

Forms = Mapping[str, Collection[str]]
"""Task -> the digests of the forms of its spans."""


def has_spans(task: Task) -> bool:
    """Tell whether the labels of a task are spans that people marked."""
    return task.gold and task.scheme == BIO


def train_forms(
    train: Split, tasks: Iterable[Task], sampled: Mapping[str, IntArray] | None = None
) -> dict[str, list[str]]:
    """Return the digests of the forms in a split, of the tasks that have spans.

    Args:
        train: the split.
        tasks: any.
        sampled: the rows, rising, of tasks that are not trained on all of theirs.
    """
    found = {}
    for task in filter(has_spans, tasks):
        known: set[str] = set()
        split = train.chosen(sampled[task.name]) if sampled and task.name in sampled else train
        for part in split.parts():
            rows = np.flatnonzero(kind_of(task).present(part, task))
            known.update(_digests(read_rows(part, task, Types(), rows)))
        found[task.name] = sorted(known)
    return found


def write_forms(path: Path, forms: Forms) -> None:
    """Write forms as JSON; nothing where no task has spans."""
    if forms:
        write(path, json.dumps({name: sorted(known) for name, known in forms.items()}, indent=0) + "\n")


def read_forms(path: Path) -> dict[str, set[str]]:
    """Return what `write_forms` wrote; nothing where there is no such file."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: set(digests) for name, digests in known.items()}


def recalls(found: Predictions, held: TaskRows, known: Collection[str]) -> dict[str, Any]:
    """Return the recall on spans whose form is known from training, and on all others.

    Args:
        found: what the model said.
        held: the rows that it is about, with the same labels.
        known: digests of forms.
    """
    edge = np.diff(found.rows, prepend=-1) != 0
    gold = TagSpans.of(found.gold, edge, found.task.classes)
    right = gold.also_in(TagSpans.of(found.predicted, edge, found.task.classes))[gold.opens]
    seen = np.array([digest in known for digest in _digests(held)], bool)
    return {"seen": _recall(right[seen]), "unseen": _recall(right[~seen])}


def _recall(right: BoolArray) -> dict[str, Any]:
    """Return the share of spans that were found, None of none, and their number."""
    return {"recall": float(right.mean()) if len(right) else None, "spans": len(right)}


def _digests(rows: TaskRows) -> list[str]:
    """Return the digest of the form of each span, in the order in which they open."""
    spans = TagSpans.of(rows.labels, np.diff(rows.owners, prepend=-1) != 0, rows.task.classes)
    tokens, texts = rows.parts[0], list(rows.types.codes)
    place: IntArray = tokens.offsets[rows.owners] + rows.positions
    bounds = zip(place[spans.opens].tolist(), (place[spans.ends_of(spans.opens)] + 1).tolist(), strict=True)
    return [_digest([texts[code] for code in tokens.values[start:end].tolist()]) for start, end in bounds]


def _digest(words: Iterable[str]) -> str:
    """Return a digest of words that does not reveal them."""
    return hashlib.blake2b(" ".join(words).lower().encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
