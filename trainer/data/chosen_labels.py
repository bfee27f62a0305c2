"""Which labels of an encoded dataset a run is trained on: some rows, some of them, or those of other rows.

It is applied to what was encoded, so that all such runs share the cache.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from labelers.advice import nearest
from labelers.ragged import BoolArray, IntArray
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.data.dataset import TRAIN, Dataset, Split
from trainer.data.permuted import permuted_targets
from trainer.data.targets import Targets
from trainer.schedule.step_plan import generator
from trainer.settings import Settings

__all__ = ["check_choice", "chosen_labels", "label_order"]

_VALIDATION = "validation"


def check_choice(dataset: Dataset, settings: Settings) -> None:
    """Check that the tasks whose labels are chosen are there.

    Raises:
        ValueError: one is not, or labels of a primary are counted and there is none.
    """
    known = [task.name for task in dataset.tasks]
    for key in ("tasks", "with_labels", "without_labels"):
        for name in getattr(settings, key):
            if name not in known:
                hint = nearest(name, known)
                raise ValueError(
                    f"[train] {key}: {name!r} is not a task of {dataset.name}{hint}; there are {', '.join(known)}"
                )
    if settings.labels and not settings.has_primary:
        raise ValueError(
            f"[train] labels = {settings.labels} counts labels of the primary, but there is no primary; set one"
        )


def chosen_labels(data: EncodedDataset, dataset: Dataset, settings: Settings) -> EncodedDataset:
    """Return an encoded dataset with the labels that a run is trained on.

    Args:
        data: the dataset, encoded for all its tasks.
        dataset: the same, with the ids of its rows.
        settings: of the run.

    Raises:
        ValueError: fewer rows of the primary have a label than are to keep it, or labels cannot be permuted.
    """
    splits = dict(data.splits)
    train = splits[TRAIN]
    targets = {**train.targets, **_of_rows(train, settings)}
    targets |= _permuted(replace(train, targets=targets), settings)
    if settings.labels:
        primary, known = settings.primary, len(targets[settings.primary])
        if known < settings.labels:
            raise ValueError(
                f"[train] labels = {settings.labels}, but {known:,} train rows have a label of {primary}; give "
                "fewer, or 0 for all"
            )
        targets[primary] = _sampled(train, dataset.splits[TRAIN], settings)
        if _VALIDATION in splits:
            held = splits[_VALIDATION]
            sample = _sampled(held, dataset.splits[_VALIDATION], settings)
            splits[_VALIDATION] = replace(held, targets={**held.targets, primary: sample})
    return replace(data, splits={**splits, TRAIN: replace(train, targets=targets)})


def _labelled(part: EncodedSplit, tasks: Sequence[str]) -> BoolArray:
    """Tell which rows of a split have a label of one of some tasks, bool [P]."""
    found = np.zeros(len(part.documents), bool)
    for name in tasks:
        found[part.read(name).rows[part.targets[name].where]] = True
    return found


def _of_rows(train: EncodedSplit, settings: Settings) -> Mapping[str, Targets]:
    """Return the targets of tasks other than the primary in the rows that they are to be trained on."""
    if not (settings.with_labels or settings.without_labels):
        return {}
    rows = np.ones(len(train.documents), bool)
    if settings.with_labels:
        rows &= _labelled(train, settings.with_labels)
    rows &= ~_labelled(train, settings.without_labels)
    found = {}
    for name, targets in train.targets.items():
        if name != settings.primary and settings.trains(name):
            read = train.read(name)
            found[name] = targets.take(rows[read.rows[targets.where]], read)
    return found


def _permuted(train: EncodedSplit, settings: Settings) -> Mapping[str, Targets]:
    """Return the targets of those tasks that are to be trained on labels of other rows."""
    found = {}
    for name, table in settings.task.items():
        if table.permuted and settings.trains(name) and name in train.targets:
            targets, read = train.targets[name], train.read(name)
            documents = train.documents[read.rows[targets.where]]
            rng = generator(settings.seed, "permuted", name)
            found[name] = permuted_targets(targets, read.lengths[targets.where], documents, rng, name)
    return found


def _sampled(part: EncodedSplit, split: Split, settings: Settings) -> Targets:
    """Return the targets of the primary in so many of its rows, or in all if there are no more."""
    targets, read = part.targets[settings.primary], part.read(settings.primary)
    ids = split.chosen(read.rows[targets.where]).column("id").to_pylist()
    rows = np.zeros(len(ids), bool)
    rows[label_order(ids, settings.seed)[: settings.labels]] = True
    return targets.take(rows, read)


def label_order(ids: Sequence[str], seed: int) -> IntArray:
    """Return the rows in the order in which they are taken into a sample: that of the digests of seed and id.

    A sample of fewer rows is therefore part of any larger one of the same seed, and who else is there has no say.

    Example:
        >>> label_order(["a", "b", "c", "d"], 0).tolist()
        [2, 3, 0, 1]
    """
    digests = [hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest() for name in ids]
    return np.array(sorted(range(len(ids)), key=lambda row: (digests[row], row)), np.int64)
