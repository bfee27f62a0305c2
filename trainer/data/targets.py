"""Targets: the labels of a task in the form of its kind, and the sub-words that each of them speaks of."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, Ragged, running_total
from labelers.task import Task
from trainer.data.inputs import Inputs, PartEncoder, Sequences
from trainer.data.spelling import Layout
from trainer.kinds import kind_of

__all__ = ["LabelPlaces", "Placed", "Targets", "one_part", "targets_of"]


@dataclass(frozen=True)
class Targets:
    """The labels of one task in a split: n rows, I labels."""

    where: IntArray
    """int64 [n]: index into the rows of the `Sequences` of its inputs."""
    offsets: IntArray
    """int64 [n + 1]: the labels of each row; all 0 where draws decide on them in each batch."""
    values: npt.NDArray[Any] | Ragged
    """[I, ...]: in the form of the task's kind: class indices of the smallest integer type that holds them, several
    classes as bool [I, C], vectors as float32 [I, D], several integers as int16; sequences of sub-words as I lists."""
    spans: npt.NDArray[np.int16]
    """int16 [I, 4]: start and end of the one or two parts of the row that the label speaks of, in sub-words."""
    weight: npt.NDArray[np.float32]
    """float32 [n]: confidence in the row's labels; or [I]: in each of them."""
    lost: int = 0
    """Rows that lost their label because it speaks of a part that was cut."""
    drawn: bool = False
    """The labels of a batch are the words that its draws hide."""
    candidates: int = 0
    """Words that draws may hide, in all rows."""

    def __len__(self) -> int:
        return len(self.where)

    def take(self, rows: BoolArray, sequences: Sequences) -> "Targets":
        """Return the targets of the rows where a mask [n] holds, given the sequences that the task reads."""
        where, labels = self.where[rows], np.repeat(rows, np.diff(self.offsets))
        values = self.values.take(np.flatnonzero(labels)) if isinstance(self.values, Ragged) else self.values[labels]
        return replace(
            self,
            where=where,
            offsets=running_total(np.diff(self.offsets)[rows]),
            values=values,
            spans=self.spans[labels],
            weight=self.weight[rows],
            candidates=int(_words(sequences)[where].sum()) if self.drawn else 0,
        )

    def expected(self, rate: float, rows: IntArray | None = None) -> float:
        """Return the number of labels of all rows; of drawn ones, that at a rate, which draws round up to 1/256.

        Args:
            rate: of the draws.
            rows: those that count; None: all. Of drawn labels they are taken to have their share.
        """
        every = rows is None or len(rows) == len(self)
        if self.drawn:
            count = self.candidates * (np.ceil(256 * rate) / 256)
            return float(count if every or rows is None else count * len(rows) / len(self))
        return len(self.values) if every else int(np.diff(self.offsets)[rows].sum())


@dataclass(frozen=True)
class LabelPlaces:
    """All that says where the labels of a task are: n rows that have one."""

    encoder: PartEncoder
    task: Task
    inputs: Inputs
    layout: Layout
    where: IntArray
    """int64 [n]: index into the layout."""
    rows: IntArray
    """int64 [n]: rows of the split, or of the part of it that is encoded."""

    def integers(self) -> IntArray:
        """Return the value of each row, int64 [n]."""
        return self.encoder.split.integers(self.task.target)[self.rows]

    @property
    def carried(self) -> bool:
        """Tell whether the labels belong to the source, and the rows are views of it."""
        return bool(self.task.on) and self.inputs.sequences == (self.task.on,)

    @property
    def last(self) -> IntArray:
        """Position of the last sub-word of each row, int64 [n]."""
        return self.layout.last[self.where]


@dataclass(frozen=True)
class Placed:
    """I labels in their places; those that are missing (below 0, NaN) and those that were cut are left out later."""

    owners: IntArray
    """int64 [I]: index into the n rows, rising."""
    values: npt.NDArray[Any] | Ragged
    """[I, ...]; see `Targets.values`."""
    spans: IntArray
    """int64 [I, 4]."""
    cut: BoolArray | None = None
    """bool [I]: the part that the label speaks of was cut, where its spans do not show it."""
    weight: npt.NDArray[np.float32] | None = None
    """float32 [I]: confidences, where each label has its own."""

    @property
    def known(self) -> BoolArray:
        """Tell which labels are not missing, bool [I]."""
        if isinstance(self.values, Ragged) or self.values.dtype == bool:
            return np.ones(len(self.values), bool)
        good = ~np.isnan(self.values) if np.issubdtype(self.values.dtype, np.floating) else self.values >= 0
        return np.asarray(good.reshape(len(good), math.prod(good.shape[1:])).all(axis=1), bool)

    def take(self, labels: BoolArray) -> "Placed":
        """Return the labels where a mask [I] holds."""
        cut = None if self.cut is None else self.cut[labels]
        weight = None if self.weight is None else self.weight[labels]
        values = self.values.take(np.flatnonzero(labels)) if isinstance(self.values, Ragged) else self.values[labels]
        return replace(
            self, owners=self.owners[labels], values=values, spans=self.spans[labels], cut=cut, weight=weight
        )


def one_part(start: IntArray, end: IntArray) -> IntArray:
    """Return the spans of labels that speak of one part, int64 [I, 4]."""
    return np.stack([start, end, 0 * start, 0 * start], axis=1)


def targets_of(encoder: PartEncoder, task: Task, inputs: Inputs, layout: Layout, sequences: Sequences) -> Targets:
    """Return the targets of a task in the rows of its inputs.

    A label that is missing has no target. One that speaks of a part that was cut takes all labels of its row with it,
    and such rows are counted.
    """
    kind = kind_of(task)
    where = np.flatnonzero(kind.present(encoder.split, task)[sequences.rows])
    if inputs.draw is not None and task.target == inputs.draw:
        return _drawn(where, sequences)
    places = LabelPlaces(encoder, task, inputs, layout, where, sequences.rows[where])
    placed = _weighed(kind.place(places), places)
    placed = placed.take(placed.known)
    cut = placed.spans.max(axis=1, initial=0) > places.last[placed.owners]
    if placed.cut is not None:
        cut |= placed.cut
    lost = np.zeros(len(where), bool)
    lost[placed.owners[cut]] = True
    placed = placed.take(~lost[placed.owners])
    count = np.bincount(placed.owners, minlength=len(where))
    kept = count > 0
    weight = np.ones(len(where), np.float32)
    if task.weight and placed.weight is None:
        weight = encoder.split.floats(task.weight)[places.rows]
    return Targets(
        where=where[kept],
        offsets=running_total(count[kept]),
        values=_narrow(placed.values, len(task.classes)),
        spans=placed.spans.astype(np.int16),
        weight=weight[kept] if placed.weight is None else placed.weight,
        lost=int(lost.sum()),
    )


def _weighed(placed: Placed, places: LabelPlaces) -> Placed:
    """Return labels with their confidences, where the column of these has one for each.

    Raises:
        ValueError: a row has more of them than labels, or fewer.
    """
    column, split = places.task.weight, places.encoder.split
    if not column or not pa.types.is_list(split.column(column).type):
        return placed
    own = split.ragged(column).take(places.rows)
    if not np.array_equal(own.lengths, np.bincount(placed.owners, minlength=len(places.rows))):
        raise ValueError(f"{column} has not one entry for each label of {places.task.name} in {split.name}")
    return replace(placed, weight=own.values.astype(np.float32))


def _narrow(values: npt.NDArray[Any] | Ragged, classes: int) -> npt.NDArray[Any] | Ragged:
    """Return class indices as the smallest type that holds them, floats as float32, and sub-words as int32.

    Several integers of a label are int16, which holds places in a row, too.
    """
    if isinstance(values, Ragged):
        return Ragged(values.offsets, values.values.astype(np.int32))
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    if values.dtype == bool:
        return values
    if values.ndim > 1:
        return values.astype(np.int16)
    if not classes:
        return values
    return values.astype(next(kind for kind in (np.int8, np.int16, np.int32) if classes - 1 <= np.iinfo(kind).max))


def _drawn(where: IntArray, sequences: Sequences) -> Targets:
    """Return the rows that have a word that draws may hide, and the number of such words."""
    count = _words(sequences)[where]
    where = where[count > 0]
    return Targets(
        where=where,
        offsets=np.zeros(len(where) + 1, np.int64),
        values=np.empty(0, np.int8),
        spans=np.empty((0, 4), np.int16),
        weight=np.ones(len(where), np.float32),
        drawn=True,
        candidates=int(count.sum()),
    )


def _words(sequences: Sequences) -> IntArray:
    """Return the number of words of each row that draws may hide, int64 [R]."""
    pieces = Ragged(sequences.offsets, sequences.word)
    key = np.where(sequences.word >= 0, pieces.owners << 16 | sequences.word, -1)
    opens = (key >= 0) & np.diff(key, prepend=-1).astype(bool)
    return np.bincount(pieces.owners[opens], minlength=len(pieces))
