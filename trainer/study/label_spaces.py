"""The label spaces of a dataset side by side: how their labels are distributed, and what they say of a primary's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.advice import nearest
from labelers.ragged import BoolArray, IntArray
from labelers.task import Task
from trainer.data.dataset import TRAIN, Dataset, Split, Types
from trainer.kinds import kind_of, untrained
from trainer.score.rows import TaskRows, folded, read_rows, sample
from trainer.study.relatedness import Information, TaggedWords, entropy, kurtosis, similarity

__all__ = ["INJECTED", "relate"]

INJECTED = (
    "A labeler that injects its labels sets their entropy itself: compare these numbers between label spaces that "
    "people made, or between versions of one labeler."
)
_ROWS = 50_000
_TOKEN = "token"  # noqa: S105  (a level, no secret)


@dataclass(frozen=True)
class _Space:
    """The train labels of one task."""

    rows: TaskRows
    origin: IntArray
    """int64 [I]: the token of the source that each label speaks of, -1 for none."""
    words: IntArray
    """int64 [I]: the word form that each label speaks of, case aside; empty where it is no label of tokens."""

    @property
    def task(self) -> Task:
        """The task."""
        return self.rows.task

    @property
    def plain(self) -> bool:
        """Whether a label is one of several classes."""
        labels = self.rows.labels
        return bool(self.task.classes) and labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer)

    @property
    def counts(self) -> npt.NDArray[np.float64] | None:
        """How often each class occurs; None where there are no classes."""
        size, labels = len(self.task.classes), self.rows.labels
        if self.plain:
            return np.bincount(labels, minlength=size).astype(np.float64)
        return labels.sum(axis=0).astype(np.float64) if size and labels.dtype == bool else None

    def tagged(self, words: int) -> TaggedWords:
        """Return how often each of so many words has each label."""
        return TaggedWords.of(self.words, self.rows.labels, (words, len(self.task.classes)))


def relate(dataset: Dataset, primary: str = "") -> dict[str, Any]:
    """Return what the labels of a dataset's train split show before anything is trained.

    Args:
        dataset: any.
        primary: the task that the others are compared with; "": the gold task if there is one and no other, else none.

    Returns:
        ``primary`` and ``tasks``: of each its ``labels`` and ``classes``, the ``entropy`` of its classes in bits, that
        divided by the largest possible one (``normalised_entropy``) and the ``kurtosis`` of their counts; of tokens the
        labels for each word form (``per_form``); and beside a primary ``similarity`` of the tagged words and
        ``agreement`` of the labels of the same tokens or rows. What has no meaning for a task is null.

    Raises:
        ValueError: there is no task of that name, or none that can be trained.
    """
    names = [task.name for task in dataset.tasks]
    if primary and primary not in names:
        raise ValueError(f"{dataset.path} has no task {primary!r}{nearest(primary, names)}; it has {', '.join(names)}")
    types, split = Types(), dataset.splits[TRAIN]
    spaces = {task.name: _read(split, task, types) for task in dataset.tasks if not untrained(task)}
    spaces = {name: space for name, space in spaces.items() if len(space.rows)}
    if not spaces or (primary and primary not in spaces):
        raise ValueError(f"no train row of {dataset.path} has a label of {primary or 'any task'}")
    gold = [name for name, space in spaces.items() if space.task.gold]
    primary = primary or (gold[0] if len(gold) == 1 else "")
    forms = folded(types)
    spaces = {name: _folded(space, forms) for name, space in spaces.items()}
    size = int(forms.max(initial=-1)) + 1
    own = spaces.get(primary)
    return {
        "dataset": str(dataset.path),
        "primary": primary or None,
        "tasks": [_entry(space) | _beside(space, own, size) for space in spaces.values()],
        "note": INJECTED,
    }


def _read(split: Split, task: Task, types: Types) -> _Space:
    """Return the labels of a task, of at most so many rows."""
    present = np.flatnonzero(kind_of(task).present(split, task))
    rows = read_rows(split, task, types, sample(present, _ROWS, 0))
    none = np.empty(0, np.int64)
    if task.level != _TOKEN or task.drawn or rows.labels.ndim > 1 or len(task.sequences) > 1 or task.spans:
        return _Space(rows, none, none)
    places = rows.parts[0].offsets[rows.owners] + rows.positions
    origins = split.chosen(rows.rows).origins(task.sequences[0])
    return _Space(rows, origins.values[places].astype(np.int64), rows.parts[0].values[places].astype(np.int64))


def _folded(space: _Space, forms: IntArray) -> _Space:
    """Return labels of words whose case does not count."""
    return _Space(space.rows, space.origin, forms[space.words])


def _entry(space: _Space) -> dict[str, Any]:
    """Return the statistics of a task's own labels."""
    task, counts = space.task, space.counts
    bits = None if counts is None else entropy(counts)
    largest = np.log2(len(task.classes)) if len(task.classes) > 1 else 0
    return {
        "name": task.name,
        "kind": task.kind,
        "constructed": task.constructed,
        "rows": len(space.rows),
        "labels": len(space.rows.labels),
        "classes": len(task.classes) if counts is not None else None,
        "entropy": bits,
        "normalised_entropy": bits / largest if bits is not None and largest else None,
        "kurtosis": None if counts is None else kurtosis(counts),
        "per_form": len(space.words) / len(np.unique(space.words)) if len(space.words) else None,
    }


def _beside(space: _Space, primary: _Space | None, words: int) -> dict[str, Any]:
    """Return how a task's labels relate to those of the primary."""
    if primary is None or space is primary:
        return {"similarity": None, "agreement": None}
    tagged = all(item.plain and len(item.words) for item in (space, primary))
    alike = similarity(primary.tagged(words), space.tagged(words)) if tagged else None
    return {"similarity": alike, "agreement": _agreement(space, primary)}


def _agreement(space: _Space, primary: _Space) -> Mapping[str, Any] | None:
    """Return the mutual information of two labels of the same tokens, or rows, and how many have both."""
    if not (space.plain and primary.plain):
        return None
    (own, labels), (other, known) = _items(space), _items(primary)
    if own is None or other is None or bool(len(space.words)) != bool(len(primary.words)):
        return None
    shared, first, second = np.intersect1d(own, other, assume_unique=True, return_indices=True)
    if not len(shared):
        return None
    size = (len(primary.task.classes), len(space.task.classes))
    table = TaggedWords.of(known[second], labels[first], size).counts
    return {"nmi": Information.of(table).by_joint, "common": len(shared)}


def _items(space: _Space) -> tuple[IntArray | None, IntArray]:
    """Return a number for what each label speaks of, None where that is neither a token nor a row, and the labels."""
    rows, labels = space.rows.rows[space.rows.owners], space.rows.labels
    if len(space.words):
        known: BoolArray = space.origin >= 0
        return (rows << 20 | space.origin)[known], labels[known]
    once = len(labels) == len(space.rows)
    return (rows if once else None), labels
