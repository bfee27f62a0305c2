"""Rows that have a label: `auxloom show --where`."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelers.advice import nearest
from labelers.task import Task
from pipelines.folder.books import column_at

__all__ = ["Rows", "find_tasks", "labelled"]

Rows = npt.NDArray[np.bool_]
_ABSTAINED = 2


def find_tasks(tasks: Sequence[Task], name: str) -> list[Task]:
    """Return the tasks of the labeler with this name (or ``module:Class``), or the one task with this name.

    Raises:
        ValueError: there is no such labeler or task; the message lists what there is.

    Example:
        >>> tags = Task(name="disfluency.tags", labeler="disfluency", version=1, kind="token",
        ...             sequences=("disfluency",), target="disfluency.tags")
        >>> find_tasks([tags], "disfluency") == find_tasks([tags], "disfluency.tags") == [tags]
        True
    """
    short = name.rpartition(":")[2].lower() if ":" in name else name
    found = [task for task in tasks if task.labeler == short] or [task for task in tasks if task.name == short]
    if not found:
        known = [key for key in dict.fromkeys([task.labeler for task in tasks] + [task.name for task in tasks]) if key]
        raise ValueError(f"no labeler or task {name!r}{nearest(short, known)}; there are {', '.join(known)}")
    return found


def labelled(batch: pa.RecordBatch, tasks: Sequence[Task]) -> Rows:
    """Return bool per row: whether it has a label of at least one of the tasks."""
    found = np.zeros(len(batch), bool)
    for task in tasks:
        found |= _labelled(batch, task)
    return found


def _labelled(batch: pa.RecordBatch, task: Task) -> Rows:
    """Return bool per row: whether it has a label of the task whose weight is above 0."""
    target = column_at(batch, task.target)
    if pa.types.is_list(target.type):
        found = np.zeros(len(batch), bool)
        found[pc.list_parent_indices(target).to_numpy()[_counted(batch, task, target)]] = True
    else:
        found = target.is_valid().to_numpy(zero_copy_only=False)
    if task.status:
        found = found & _all_true(pc.less(column_at(batch, task.status), _ABSTAINED))
    if task.weight is not None and not pa.types.is_list((weights := column_at(batch, task.weight)).type):
        found = found & _all_true(pc.greater(weights, 0))
    return found


def _counted(batch: pa.RecordBatch, task: Task, target: pa.Array) -> Rows:
    """Return bool per element of a list column: whether it is a label, not padding and no token left as it is."""
    values = target.flatten()
    if task.rate is not None:
        counted: Rows = values.to_numpy() < math.ceil(256 * task.rate)
        if task.exclude is not None:
            counted &= ~column_at(batch, task.exclude).flatten().to_numpy(zero_copy_only=False)
        return counted
    if pa.types.is_floating(values.type):
        known: Rows = ~np.isnan(values.to_numpy(zero_copy_only=False))
        return known
    if (task.classes or task.kind == "arc") and pa.types.is_integer(values.type):
        return _all_true(pc.greater_equal(values, 0))
    return np.ones(len(values), bool)


def _all_true(array: pa.Array) -> Rows:
    """Return a bool array with null as false."""
    found: Rows = array.fill_null(False).to_numpy(zero_copy_only=False)
    return found
