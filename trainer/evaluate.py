"""What a model says about the labels of a split."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.batch import Batch, Bucket, Items, Noise, Request, collate
from trainer.data.cache import Encoded
from trainer.model.model import Model
from trainer.schedule.epoch import generator
from trainer.score.metrics import Predictions

__all__ = ["Tell", "evaluate", "moved", "unigram_nats"]

Tell = Callable[[str], None]
"""Called with what is being done."""

_CALL_PIECES = 8192  # pieces of one encoder call, padding included: fills a core's cache, and little of a GPU's memory
_FEW = 1000  # classes up to which probabilities are kept


def moved(batch: Batch, device: torch.device) -> Batch:
    """Return the batch with its tensors on a device."""
    if device.type == "cpu":
        return batch
    buckets = [
        Bucket(item.pieces.to(device), item.sides.to(device), item.lengths.to(device), item.folds.to(device))
        for item in batch.buckets
    ]
    items = {
        name: dataclasses.replace(
            item,
            label=item.label.to(device),
            spans=item.spans.to(device),
            anchor=item.anchor.to(device),
            weight=item.weight.to(device),
        )
        for name, item in batch.items.items()
    }
    return Batch(buckets, items, batch.pieces)


@torch.no_grad()
def evaluate(
    model: Model, data: Encoded, split: str, *, rows: int = 0, seed: int = 0, tell: Tell | None = None
) -> list[Predictions]:
    """Return what the model predicts for every label of a split; masked words are all hidden by [MASK].

    Args:
        model: left in evaluation mode.
        data: the encoded dataset.
        split: ``"validation"`` or ``"test"``.
        rows: at most so many rows of each task, drawn by ``seed``; 0: all.
        seed: see ``rows``.
        tell: is told of the task, at every call of the encoder.
    """
    model.eval()
    return [_task(model, data, split, task, _chosen(data, split, task, rows, seed), tell=tell) for task in data.tasks]


def _chosen(data: Encoded, split: str, task: Task, rows: int, seed: int) -> IntArray:
    """Return the rows of a task to evaluate, rising."""
    count = len(data.splits[split].labels[task.name])
    if not rows or count <= rows:
        return np.arange(count)
    return np.sort(generator(seed, "evaluate", task.name).permutation(count)[:rows])


def _calls(data: Encoded, split: str, task: Task, rows: IntArray) -> Iterator[IntArray]:
    """Yield rows of like length that fit into one encoder call."""
    part = data.splits[split]
    lengths = part.sequences[data.readings[task.name]].lengths[part.labels[task.name].where[rows]]
    order, start = np.argsort(-lengths, kind="stable"), 0
    while start < len(order):
        count = max(1, _CALL_PIECES // int(lengths[order[start]]))
        yield rows[order[start : start + count]]
        start += count


def _task(model: Model, data: Encoded, split: str, task: Task, rows: IntArray, *, tell: Tell | None) -> Predictions:
    """Return the predictions of one task."""
    device = next(model.parameters()).device
    parts: list[tuple[Items, Tensor]] = []
    for call in _calls(data, split, task, rows):
        if tell:
            tell(f"evaluating {task.name} on the {split} split")
        batch = moved(collate(data.splits[split], data.readings, [[Request(task, call)]], Noise()), device)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            parts.append((batch.items[task.name], model(batch)[task.name].cpu()))
    return _predictions(task, parts, data.splits[split].documents)


def _predictions(task: Task, parts: Sequence[tuple[Items, Tensor]], documents: IntArray) -> Predictions:
    """Return the labels of all calls in the order of the rows."""
    empty = np.empty(0, np.int64)
    row = np.concatenate([empty, *(items.row for items, _ in parts)])
    word = np.concatenate([empty, *(items.word for items, _ in parts)])
    gold = np.concatenate([empty, *(items.label.cpu().numpy() for items, _ in parts)])
    predicted = np.concatenate([empty, *(scores.argmax(1).numpy() for _, scores in parts)])
    nats = (F.cross_entropy(scores, items.label.cpu(), reduction="none").double() for items, scores in parts)
    loss = np.concatenate([np.empty(0), *(part.numpy() for part in nats)])
    probabilities = None
    if task.kind != "masked_lm" and len(task.classes) <= _FEW and parts:
        probabilities = np.concatenate([scores.softmax(1).numpy() for _, scores in parts])
    order = np.argsort(row, kind="stable")
    if task.kind == "masked_lm":  # one entry per word: the pieces of a word lie together
        order = np.lexsort((np.arange(len(row)), word, row))
        key = (row << 16 | word)[order]
        opens = np.flatnonzero(np.diff(key, prepend=-1))
        loss = np.add.reduceat(loss[order], opens) if len(opens) else loss
        order = order[opens]
    else:
        loss = loss[order]
    return Predictions(
        task=task,
        gold=gold[order],
        predicted=predicted[order],
        loss=loss,
        documents=documents[row[order]],
        rows=row[order],
        probabilities=None if probabilities is None else probabilities[order],
    )


def unigram_nats(data: Encoded, split: str) -> dict[str, float]:
    """Return the nats per masked word of a split under a unigram model over pieces (add-one), by task."""
    tasks = [task for task in data.tasks if task.kind == "masked_lm" and split in data.splits]
    return {task.name: _unigram_nats(data, task, split) for task in tasks}


def _unigram_nats(data: Encoded, task: Task, split: str) -> float:
    """Return the nats per masked word of one task."""
    reading, size = data.readings[task.name], len(data.vocabulary)
    train = data.splits["train"].sequences[reading]
    count = np.bincount(train.pieces[np.asarray(train.word) >= 0], minlength=size) + 1
    prior = np.log(count / count.sum())
    held = data.splits[split].sequences[reading]
    hidden = np.flatnonzero((np.asarray(held.word) >= 0) & (np.asarray(held.draw) < 256 * reading.rate))
    if not len(hidden):
        return 0.0
    owner = np.searchsorted(held.offsets, hidden, side="right") - 1
    words = len(np.unique(owner << 16 | held.word[hidden]))
    return float(-prior[held.pieces[hidden]].sum() / words)
