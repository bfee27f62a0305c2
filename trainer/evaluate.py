"""What a model says about the labels of a split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.batch import Items, TaskSlice, collate
from trainer.data.cache import EncodedDataset
from trainer.device import autocast
from trainer.kinds import kind_of
from trainer.memory import give_back
from trainer.model.model import Model
from trainer.processes.group import Group
from trainer.schedule.step_plan import generator
from trainer.score.metrics import Predictions, metric_of

__all__ = ["Tell", "evaluate", "uninformed"]

Tell = Callable[[str], None]
"""Called with what is being done."""

_CALL_PIECES = 8192  # pieces of one encoder call, padding included: fills a core's cache, and little of a GPU's memory
_DRAWN_PIECES = 2048  # the same for masked words, each of which has as many scores as there are sub-words
_CALLS = 32  # after so many, freed memory is given back


def evaluate(
    model: Model,
    data: EncodedDataset,
    split: str,
    *,
    rows: int = 0,
    seed: int = 0,
    probabilities: bool = False,
    tell: Tell | None = None,
    group: Group = Group(),  # noqa: B008  (it has no state of its own)
) -> Iterator[Predictions]:
    """Yield what the model predicts for every label of a split, task by task; masked words are all hidden by [MASK].

    Args:
        model: left in evaluation mode.
        data: the encoded dataset.
        split: ``"validation"`` or ``"test"``.
        rows: at most so many rows of each task, drawn by ``seed``; 0: all.
        seed: see ``rows``.
        probabilities: keep those of all classes, where a kind has them.
        tell: is told of the task, at every call of the encoder.
        group: the processes that share the work; the first one has the predictions, the others have none.
    """
    model.eval()
    for task in data.tasks:
        chosen = _chosen(data, split, task, rows, seed)
        yield _task(model, data, split, task, chosen, probabilities=probabilities, tell=tell, group=group)


def _chosen(data: EncodedDataset, split: str, task: Task, rows: int, seed: int) -> IntArray:
    """Return the rows of a task to evaluate, rising."""
    count = len(data.splits[split].targets[task.name])
    if not rows or count <= rows:
        return np.arange(count)
    return np.sort(generator(seed, "evaluate", task.name).permutation(count)[:rows])


def _calls(data: EncodedDataset, split: str, task: Task, rows: IntArray) -> Iterator[IntArray]:
    """Yield rows of like length that fit into one encoder call."""
    part, pieces = data.splits[split], _DRAWN_PIECES if task.drawn else _CALL_PIECES
    lengths = part.read(task.name).lengths[part.targets[task.name].where[rows]]
    order, start = np.argsort(-lengths, kind="stable"), 0
    while start < len(order):
        count = max(1, pieces // int(lengths[order[start]]))
        yield rows[order[start : start + count]]
        start += count


@dataclass(frozen=True)
class _Call:
    """What one call of the encoder gave, without what it was given: memory grows with the labels of a split alone."""

    row: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    gold: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    loss: npt.NDArray[np.float32]
    probabilities: npt.NDArray[Any] | None

    @classmethod
    def of(cls, task: Task, items: Items, scores: Tensor, *, probabilities: bool) -> Self:
        """Return what scores say about some labels."""
        kind, label = kind_of(task), items.label.cpu()
        found = kind.probabilities(scores) if probabilities else None
        return cls(
            items.row.astype(np.int32),
            items.unit.astype(np.int32),
            _short(label.numpy()),
            _short(kind.predict(scores).numpy()),
            kind.losses(scores, label).float().numpy(),
            None if found is None else found.numpy(),
        )


def _short(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return integers in half the space; none of them, be it a class or a place in a row, is that large."""
    return values.astype(np.int32) if values.dtype == np.int64 else values


def _long(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return arrays one behind the other, integers as int64; int64 [0] where there are none."""
    if not parts:
        return np.empty(0, np.int64)
    return np.concatenate(parts, dtype=np.int64 if parts[0].dtype == np.int32 else parts[0].dtype)


@torch.no_grad()
def _task(
    model: Model,
    data: EncodedDataset,
    split: str,
    task: Task,
    rows: IntArray,
    *,
    probabilities: bool,
    tell: Tell | None,
    group: Group,
) -> Predictions:
    """Return the predictions of one task."""
    device = next(model.parameters()).device
    calls: list[_Call] = []
    for number, call in enumerate(group.part([*_calls(data, split, task, rows)])):
        if number % _CALLS == 0:
            give_back()
        if tell:
            tell(f"evaluating {task.name} on the {split} split")
        batch = collate(data, split, [[TaskSlice(task, call)]]).to(device)
        with autocast(model.settings, device):
            scores = model(batch)[task.name].cpu()
        calls.append(_Call.of(task, batch.items[task.name], scores, probabilities=probabilities))
    return _predictions(task, group.gathered(calls), data.splits[split].documents)


def _predictions(task: Task, calls: Sequence[_Call], documents: IntArray) -> Predictions:
    """Return the labels of all calls in the order of the rows; labels of one unit count as one, that of its first."""
    row = _long([call.row for call in calls])
    key = row << 16 | _long([call.unit for call in calls])
    order = np.argsort(key, kind="stable")
    opens = np.flatnonzero(np.diff(key[order], prepend=-1))
    loss = np.concatenate([np.empty(0, np.float64), *(call.loss for call in calls)])[order]
    loss = np.add.reduceat(loss, opens) if len(opens) else loss
    order = order[opens]
    row = row[order]
    probabilities = [call.probabilities for call in calls if call.probabilities is not None]
    return Predictions(
        task=task,
        gold=_long([call.gold for call in calls])[order],
        predicted=_long([call.predicted for call in calls])[order],
        loss=loss,
        documents=documents[row],
        rows=row,
        probabilities=np.concatenate(probabilities)[order] if probabilities else None,
    )


def uninformed(data: EncodedDataset, split: str) -> dict[str, float]:
    """Return for each task with a metric of which less is better that of a model that knows nothing of the text."""
    tasks = [task for task in data.tasks if not metric_of(task).higher and split in data.splits]
    return {task.name: kind_of(task).uninformed(data, task, split) for task in tasks}
