"""Three books that must add up, and what rows hold: counted alike where they are written and where they are read."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.paths import resolve
from labelers.task import Task, status_reason
from pipelines.folder.layout import SPLITS

__all__ = ["RowBook", "add_up", "balance", "column_at", "label_count"]

_ABSTAINED = 2


class RowBook:
    """Counts of the rows of one split: per labeler the status, per task the labels of each class."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start with no rows."""
        self._tasks = tasks
        self._reasons = {task.labeler: task.reasons for task in tasks}
        self.rows = self.tokens = 0
        self._status: dict[str, Counter[int]] = {name: Counter() for name in self._reasons}
        self._labels: dict[str, Counter[int]] = {task.name: Counter() for task in tasks}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch.

        Raises:
            ValueError: a label outside its classes, or a status without a reason.
        """
        self.rows += batch.num_rows
        if "tokens" in batch.schema.names:  # a layer has none
            self.tokens += len(batch.column("tokens").flatten())
        for name, counter in self._status.items():
            counter.update(_tally(column_at(batch, f"{name}.status")))
        for task in self._tasks:
            found = _labels(batch, task)
            wrong = [value for value in found if task.classes and not 0 <= value < len(task.classes)]
            if wrong:
                raise ValueError(f"task {task.name!r} has label {wrong[0]}, but {len(task.classes)} classes")
            self._labels[task.name].update(found)

    def to_json(self) -> dict[str, Any]:
        """Return the counts with the names of reasons and classes."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "labelers": {name: self._labeler(name, status) for name, status in self._status.items()},
            "tasks": {task.name: _named(task, self._labels[task.name]) for task in self._tasks},
        }

    def _labeler(self, name: str, status: Counter[int]) -> dict[str, Any]:
        """Return a labeler's book."""
        try:
            named = {value: status_reason(value, self._reasons[name]) for value in sorted(status)}
        except ValueError as error:
            raise ValueError(f"labeler {name!r}: {error}") from None
        abstained = {text: status[value] for value, text in named.items() if text}
        return {
            "written": status.total(),
            "labelled": status.total() - sum(abstained.values()),
            "abstained": abstained,
        }


def add_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of nested mappings of numbers.

    Example:
        >>> add_up([{"a": 1, "b": {"c": 2}}, {"b": {"c": 3, "d": 1}}])
        {'a': 1, 'b': {'c': 5, 'd': 1}}
    """
    total: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, Mapping):
                total[key] = add_up([total.get(key, {}), value])
            else:
                total[key] = total.get(key, 0) + value
    return total


def label_count(book: Mapping[str, Any], task: str, labeler: str, *, sets: bool) -> int:
    """Return how many labels of a task the book of a split has: as many as are trained on and scored.

    Args:
        book: of the split.
        task: name of the task.
        labeler: name of its labeler.
        sets: a label is a set of classes, which is counted once, however many classes it has.

    Example:
        >>> book = {"tasks": {"topics": {"art": 2, "sea": 2}}, "labelers": {"topics": {"labelled": 3}}}
        >>> label_count(book, "topics", "topics", sets=True), label_count(book, "topics", "topics", sets=False)
        (3, 4)
    """
    count: int = book["labelers"][labeler]["labelled"] if sets else sum(book["tasks"][task].values())
    return count


def balance(books: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each book of a unit or a dataset that does not add up.

    Example:
        >>> list(balance({"records": {"read": 3, "used": 1, "rejected": {"empty": 1}, "duplicate": 0},
        ...     "passages": {"cut": 0, "copies": 1, "written": 0}, "splits": {}}))
        ['records: 3 read, but 1 used + 1 rejected + 0 duplicate']
    """
    records, passages = books["records"], books["passages"]
    rejected = sum(records["rejected"].values())
    read, used, duplicate = records["read"], records["used"], records["duplicate"]
    filtered = records.get("filtered", 0)
    if read != used + rejected + duplicate + filtered:
        told = f" + {filtered} filtered" if filtered else ""
        yield f"records: {read} read, but {used} used + {rejected} rejected + {duplicate} duplicate{told}"
    for name, book in books.get("labels", {}).items():
        rejected = sum(book["rejected"].values())
        if book["read"] != book["used"] + rejected:
            yield f"label {name}: {book['read']} read, but {book['used']} used + {rejected} rejected"
    rows = sum(split["rows"] for split in books["splits"].values())
    yield from _balance_passages(passages, books["splits"], rows)
    for split, book in books["splits"].items():
        for name, labeler in book["labelers"].items():
            done = labeler["labelled"] + sum(labeler["abstained"].values())
            if not book["rows"] == labeler["written"] == done:
                yield f"{split}, labeler {name}: {book['rows']} rows, but {done} labelled + abstained"


def _balance_passages(passages: Mapping[str, int], splits: Mapping[str, Any], rows: int) -> Iterator[str]:
    """Yield a sentence if rows are not the passages that were used, times copies.

    Where people labelled some, equal ones of train were left out, and those of validation and test have no copies.
    """
    cut, copies, written = passages["cut"], passages["copies"], passages["written"]
    left_out, once = passages.get("held_out", 0), 0
    if "held_out" in passages:
        once = sum(split["rows"] for name, split in splits.items() if name != SPLITS[0])
    if not (cut - left_out - once) * copies + once == written == rows:
        held = f" {left_out} left out, {once} of validation and test," if "held_out" in passages else ""
        yield f"passages: {cut} cut,{held} {copies} copies, {written} written, {rows} rows"


def column_at(batch: pa.RecordBatch, path: str) -> pa.Array:
    """Return the column at a dotted path (`labelers.paths.resolve`); null where a struct above it is."""
    first, *rest = resolve(path, batch.schema)
    array = batch.column(first)
    for name in rest:
        place = array.type.get_field_index(name)
        array = pc.struct_field(array, [place]) if array.null_count else array.field(place)
    return array


def _tally(array: pa.Array) -> dict[int, int]:
    """Return how often each integer stands in an array, nulls aside."""
    values = array.drop_null().to_numpy(zero_copy_only=False)
    if values.dtype.itemsize == 1:  # one per token, and few different ones
        span = range(int(values.min(initial=0)), int(values.max(initial=0)) + 1)
        return {value: n for value in span if (n := int(np.count_nonzero(values == value)))}
    distinct, counts = np.unique(values.astype(np.int64), return_counts=True)
    return dict(zip(distinct.tolist(), counts.tolist(), strict=True))


def _labels(batch: pa.RecordBatch, task: Task) -> dict[int, int]:
    """Return how often each class of a task is given by rows that weigh something; what has no classes counts as 0."""
    if task.target.partition(".")[0] not in batch.schema.names:  # the text itself, beside which a layer stands
        return {0: pc.sum(pc.less(_weighty(batch, task, task.status), _ABSTAINED)).as_py() or 0}
    target = _weighty(batch, task, task.target)
    if task.rate is not None:
        chosen = target.flatten().to_numpy() < math.ceil(256 * task.rate)
        if task.exclude is not None:
            chosen &= ~_weighty(batch, task, task.exclude).flatten().to_numpy(zero_copy_only=False)
        return {0: int(np.count_nonzero(chosen))}
    if task.kind in _COUNTED and pa.types.is_list(target.type):
        return _COUNTED[task.kind](batch, task, target)
    if task.classes and pa.types.is_list(target.type):
        found = _tally(target.flatten())
        found.pop(-1, None)
        return found
    if task.classes:
        return _tally(target)
    labelled = pc.less(_weighty(batch, task, task.status), _ABSTAINED)
    return {0: pc.sum(pc.and_(labelled, target.is_valid())).as_py() or 0}


def _held(_batch: pa.RecordBatch, task: Task, lists: pa.Array) -> dict[int, int]:
    """Return in how many rows each class holds, by lists of a bool for each class.

    Raises:
        ValueError: a list has another length.
    """
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    wrong = lengths[(lengths != 0) & (lengths != len(task.classes))]
    if len(wrong):
        raise ValueError(f"task {task.name!r} has a label of {wrong[0]} values, but {len(task.classes)} classes")
    table = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, len(task.classes) or 1)
    return dict(enumerate(table.sum(axis=0).tolist()))


def _arcs(batch: pa.RecordBatch, task: Task, heads: pa.Array) -> dict[int, int]:
    """Return how many tokens have each relation to their head; of arcs without names, how many have a head.

    Raises:
        ValueError: a head is no token of its row.
    """
    lengths = pc.list_value_length(heads).fill_null(0).to_numpy()
    above, size = heads.flatten().to_numpy(zero_copy_only=False), np.repeat(lengths, lengths)
    if len(wrong := np.flatnonzero((above < -1) | (above >= size))):
        raise ValueError(f"task {task.name!r} has head {above[wrong[0]]} in a row of {size[wrong[0]]} tokens")
    if task.relations is None:
        return {0: int(np.count_nonzero(above >= 0))}
    found = _tally(_weighty(batch, task, task.relations).flatten())
    found.pop(-1, None)
    return found


def _numbers(_batch: pa.RecordBatch, _task: Task, lists: pa.Array) -> dict[int, int]:
    """Return how many tokens have a number."""
    return {0: int(np.count_nonzero(~np.isnan(lists.flatten().to_numpy(zero_copy_only=False))))}


_COUNTED: Mapping[str, Callable[[pa.RecordBatch, Task, pa.Array], dict[int, int]]] = {
    "arc": _arcs,
    "multilabel": _held,
    "regression": _numbers,
}
"""How labels of some kinds are counted that are lists."""


def _weighty(batch: pa.RecordBatch, task: Task, path: str) -> pa.Array:
    """Return the column at a dotted path, of the rows in which the task's label has a weight above 0."""
    array = column_at(batch, path)
    weights = None if task.weight is None else column_at(batch, task.weight)
    if weights is None or pa.types.is_list(weights.type):  # where each label has a weight, one without is -1
        return array
    return array.filter(pc.greater(weights, 0))


def _named(task: Task, counts: Counter[int]) -> dict[str, int]:
    """Return the counts of a task by class name, all classes; by ``labels`` where it has none."""
    if not task.classes:
        return {"labels": counts[0]}
    return {name: counts[i] for i, name in enumerate(task.classes)}
