"""The scores of a run's model on a dataset that it never saw, with labels matched by the names of their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from labelers.task import Task
from trainer.apply import model_of
from trainer.data.cache import EncodedDataset, encode_with
from trainer.data.dataset import Dataset, Types
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate as evaluate_split
from trainer.folder import RunFolder
from trainer.kinds import kind_of
from trainer.score.beside import further_scores
from trainer.score.by_class import by_class
from trainer.score.metrics import FEW, Predictions, metric_of, score
from trainer.score.rows import read_rows
from trainer.score.surfaces import Forms, read_forms, recalls

__all__ = ["evaluate"]

_NAMED = 10
"""Classes that an error names."""


def evaluate(
    run: str | Path,
    dataset: Dataset | str | Path,
    *,
    tasks: Sequence[str] | None = None,
    split: str = "test",
    layers: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the scores of a run's model on the labels of a dataset; it needs no train rows.

    Args:
        run: the folder of the run.
        dataset: what to score, opened or a folder.
        tasks: which of its tasks; None: those of which the model has a head of that name.
        split: of the dataset.
        layers: names of those that are read with a folder; None: all.

    Returns:
        ``run``, ``dataset``, ``split``, ``left_out`` (task -> reason), and ``tasks``: of each the ``score`` with its
        interval, ``labels``, ``classes`` (precision, recall, F1; of tags those of spans) and, for spans that people
        marked, ``spans``: the recall on those whose form stands in the train split of the run, and on others.

    Raises:
        FileNotFoundError: there is no such run or dataset.
        ValueError: there is no such split or task, or a task has a class that the model does not know.
    """
    folder = RunFolder.of(run)
    model = model_of(folder)
    data = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset, layers, train=False)
    if split not in data.splits:
        raise ValueError(f"{data.name} has no rows in the split {split!r}; it has {', '.join(data.splits)}")
    heads = {task.name: task for task in model.tasks}
    found = _chosen(data, heads, tasks, run)
    settings = folder.settings()
    part = replace(data, splits={split: data.splits[split]})
    encoded = encode_with(part, found, folder.learnt, find_encoder(settings.model.encoder), settings)
    known = _renumbered(encoded, [_as_learnt(task, heads[task.name], data.name) for task in found])
    forms = read_forms(folder.forms)
    entries = [_entry(item, data, known, split, forms) for item in evaluate_split(model, known, split)]
    return {
        "run": str(run),
        "dataset": {"path": data.name, "digest": data.digest},
        "split": split,
        "tasks": entries,
        "left_out": {task.name: "the model has no head for it" for task in data.tasks if task.name not in heads},
    }


def _chosen(data: Dataset, heads: Mapping[str, Task], names: Sequence[str] | None, run: str | Path) -> list[Task]:
    """Return the tasks of a dataset that are to be scored."""
    own = {task.name: task for task in data.tasks}
    if unknown := [name for name in names or () if name not in own or name not in heads]:
        there = [name for name in own if name in heads]
        raise ValueError(
            f"{unknown[0]!r} is not a task of both {data.name} and the model in {run}, which share "
            f"{', '.join(there) or 'none'}"
        )
    chosen = [task for name, task in own.items() if name in (heads if names is None else names)]
    if not chosen:
        raise ValueError(
            f"the model in {run} has no head for a task of {data.name} ({', '.join(own)}); it has {', '.join(heads)}"
        )
    return chosen


def _as_learnt(task: Task, head: Task, path: str) -> Task:
    """Return a task of another dataset with the classes and the metric that its head knows.

    Raises:
        ValueError: it is of another kind, or has a class that the head does not know.
    """
    if task.kind != head.kind:
        raise ValueError(
            f"task {task.name!r} of {path} is of kind {task.kind}, but the model was trained on it as {head.kind}"
        )
    if unknown := [name for name in task.classes if name not in head.classes]:
        raise ValueError(
            f"task {task.name!r} of {path} has the class{'es' * (len(unknown) > 1)} {_cut(list(map(repr, unknown)))}, "
            f"which the model does not know; it knows {_cut(head.classes)}"
        )
    return replace(task, classes=head.classes, metric=head.metric, scheme=head.scheme, gold=head.gold)


def _cut(names: Sequence[str]) -> str:
    """Return names as a list, of many the first and how many more there are.

    Example:
        >>> _cut([str(i) for i in range(13)])
        '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more'
    """
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _renumbered(data: EncodedDataset, tasks: Sequence[Task]) -> EncodedDataset:
    """Return an encoded dataset for the same tasks with other classes; its labels are matched by name."""
    splits = dict(data.splits)
    for before, after in zip(data.tasks, tasks, strict=True):
        if before.classes == after.classes:
            continue
        numbers = np.array([after.classes.index(name) for name in before.classes], np.int64)
        for name, part in splits.items():
            targets = part.targets[after.name]
            values = kind_of(after).renumbered(targets.values, numbers, len(after.classes))
            splits[name] = replace(part, targets={**part.targets, after.name: replace(targets, values=values)})
    return EncodedDataset(data.tokenizer, tuple(tasks), splits)


def _entry(found: Predictions, data: Dataset, encoded: EncodedDataset, split: str, forms: Forms) -> dict[str, Any]:
    """Return the entry of a task."""
    task, value, labels = found.task, score(found), len(found.gold)
    few = f"only {labels} labels: read the interval, not the score" if labels else "no label, so no score"
    entry = {
        "name": task.name,
        "kind": task.kind,
        "constructed": task.constructed,
        "metric": task.metric,
        "higher_is_better": metric_of(task).higher,
        "labels": {"held_out": labels},
        "lost": {split: encoded.splits[split].targets[task.name].lost},
        "score": value.to_json() if labels else None,
        "classes": by_class(found) if labels else [],
        "warnings": [few] if labels < FEW else [],
    }
    if not labels:
        return entry
    entry |= further_scores(found)
    if task.name not in forms:
        return entry
    own = next(item for item in data.tasks if item.name == task.name)
    held = read_rows(data.splits[split], own, Types(), np.unique(found.rows))
    return entry | {"spans": recalls(found, held, forms[task.name])}
