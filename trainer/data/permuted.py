"""Labels of other rows: the control that shows whether a task helps by its labels or by its text.

Every row is trained on the labels of another one of like length, of the same document where it has one. So the text,
the number of labels, their classes and how they follow each other within a row stay what they were.
"""

from dataclasses import replace

import numpy as np

from labelers.ragged import BoolArray, IntArray, Ragged, ranges
from trainer.data.targets import Targets

__all__ = ["permuted_targets"]

_PER_OCTAVE = 4
"""Classes of length between one length and its double, of rows with one label."""


def permuted_targets(
    targets: Targets, lengths: IntArray, documents: IntArray, rng: np.random.Generator, name: str
) -> Targets:
    """Return the targets of a task with the labels of each row exchanged for those of another one.

    Rows with several labels, as of tokens, are exchanged with rows that have as many; what is left over has its own
    labels in another order. Rows with one label are exchanged with rows whose length is the same up to a fifth.

    Args:
        targets: n rows.
        lengths: int64 [n]: sub-words of each row.
        documents: int64 [n]: number of its document.
        rng: draws the exchange.
        name: of the task, for errors.

    Raises:
        ValueError: the task has no labels that can be exchanged, or they are all of one class.
    """
    _check(targets, name)
    count = np.diff(targets.offsets)
    several = bool(count.max(initial=0) > 1)
    like = count if several else np.floor(_PER_OCTAVE * np.log2(np.maximum(lengths, 1))).astype(np.int64)
    source, left = np.arange(len(targets)), np.ones(len(targets), bool)
    keys = [(documents, like), (like,)] if several else [(documents, like), (like,), (0 * like,)]
    for key in keys:
        rows = np.flatnonzero(left)
        given, alone = _rotated([part[rows] for part in key], rng)
        source[rows] = rows[given]
        left[rows] = alone
    labels = ranges(targets.offsets[source], count)
    if several:
        labels = _shuffled(labels, np.repeat(left, count), np.repeat(np.arange(len(count)), count), rng)
    values = targets.values.take(labels) if isinstance(targets.values, Ragged) else targets.values[labels]
    return replace(targets, values=values, weight=targets.weight[source])


def _check(targets: Targets, name: str) -> None:
    """Check that there is something to exchange."""
    why = ""
    if targets.drawn:
        why = "its labels are the words of the text"
    elif isinstance(targets.values, Ragged) or (targets.values.ndim > 1 and targets.values.dtype != bool):
        why = "its labels are places in a row, or text"
    elif len(targets) < 2:  # noqa: PLR2004
        why = "fewer than two train rows have a label"
    elif (targets.values == targets.values[:1]).all():
        why = "all its train labels are of one class"
    if why:
        raise ValueError(f"[task] {name!r} permuted: the labels of {name} cannot be permuted because {why}")


def _rotated(keys: list[IntArray], rng: np.random.Generator) -> tuple[IntArray, BoolArray]:
    """Return for each of n items the next one in a random ring of those with equal keys, and which are alone."""
    count = len(keys[0])
    order = np.lexsort((rng.random(count), *reversed(keys)))
    ordered = np.stack([key[order] for key in keys])
    opens = np.ones(count, bool)
    opens[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    start = np.flatnonzero(opens)
    size = np.diff(np.append(start, count))
    group = np.cumsum(opens) - 1
    following = start[group] + (np.arange(count) - start[group] + 1) % size[group]
    given, alone = np.empty(count, np.int64), np.empty(count, bool)
    given[order] = order[following]
    alone[order] = size[group] == 1
    return given, alone


def _shuffled(labels: IntArray, which: BoolArray, owners: IntArray, rng: np.random.Generator) -> IntArray:
    """Return labels in which those of some rows stand in a random order within their row."""
    mixed = labels.copy()
    places = np.flatnonzero(which)
    mixed[places] = labels[places[np.lexsort((rng.random(len(places)), owners[places]))]]
    return mixed
