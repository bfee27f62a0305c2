"""Where the labels of each kind of task stand in the pieces that its encoder reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray, Ragged, ranges
from labelers.task import Task
from trainer.data.inputs import Reading, Sequences, SplitEncoder
from trainer.data.pieces import Layout

__all__ = ["Labels", "label_rows"]

BEYOND = 1 << 14
"""A position that no row has: a label that speaks of it is lost."""


@dataclass(frozen=True)
class Labels:
    """The labels of one task in a split: n rows, I labels."""

    where: IntArray
    """int64 [n]: index into the rows of its reading's `Sequences`."""
    offsets: IntArray
    """int64 [n + 1]: the labels of each row; all 0 for masked words, which the draws decide."""
    label: npt.NDArray[np.int32]
    """int32 [I]: class."""
    spans: npt.NDArray[np.int16]
    """int16 [I, 4]: start and end of the one or two parts of the row that the label speaks of, in pieces."""
    weight: npt.NDArray[np.float32]
    """float32 [n]: confidence in the row's labels."""
    lost: int = 0
    """Rows that lost their label because it speaks of a part that was cut."""
    words: int = 0
    """masked_lm: words that may be masked, in all rows."""

    def __len__(self) -> int:
        return len(self.where)


@dataclass(frozen=True)
class _Place:
    """All that says where the labels of a task are: n rows that have one."""

    encoder: SplitEncoder
    task: Task
    reading: Reading
    layout: Layout
    where: IntArray
    """int64 [n]: index into the layout."""
    rows: IntArray
    """int64 [n]: rows of the split."""

    def integers(self) -> IntArray:
        """Return the label of each row."""
        return self.encoder.split.integers(self.task.target)[self.rows]


_Items = tuple[IntArray, npt.NDArray[Any], IntArray]
"""For I labels: the index into the n rows, rising; the class; the spans, int64 [I, 4]."""


def _one(start: IntArray, end: IntArray) -> IntArray:
    """Return the spans of labels that speak of one part."""
    return np.stack([start, end, 0 * start, 0 * start], axis=1)


def _tokens(place: _Place) -> _Items:
    """Return the labels of tokens; each speaks of all pieces of its token and is predicted at the first one."""
    starts = place.layout.starts.take(place.where)
    tags = place.encoder.aligned(place.task.target, place.rows, starts, -1)
    items = np.flatnonzero(tags.values >= 0)
    ends = place.layout.ends[ranges(place.layout.starts.offsets[place.where], starts.lengths)]
    return tags.owners[items], tags.values[items], _one(starts.values, ends)[items]


def _parts(place: _Place) -> _Items:
    """Return the labels of segments or turns; each speaks of its part, the piece that opens a turn included."""
    level = "turns" if place.task.kind == "turn" else "segments"
    layout, last = place.layout, place.layout.last[place.where]
    if level == "turns" and place.reading.roles:
        starts = layout.turns.take(place.where)
    else:
        tokens = place.encoder.starts(level, place.reading.sequences[0], place.rows)
        here = np.append(layout.starts.values, 0)[layout.starts.offsets[place.where][tokens.owners] + tokens.values]
        behind = tokens.values >= layout.starts.lengths[place.where][tokens.owners]  # a part without a token
        starts = Ragged(tokens.offsets, np.where(behind, last[tokens.owners], here))
    labels = place.encoder.aligned(place.task.target, place.rows, starts, -1)
    ends = np.append(starts.values[1:], 0)
    ends[starts.offsets[1:][starts.lengths > 0] - 1] = last[starts.lengths > 0]
    items = np.flatnonzero(labels.values >= 0)
    return labels.owners[items], labels.values[items], _one(starts.values, np.maximum(ends, starts.values + 1))[items]


def _passages(place: _Place) -> _Items:
    """Return the labels of whole rows, of what remains of them."""
    last = place.layout.last[place.where]
    return np.arange(len(last)), place.integers(), _one(np.minimum(1, last), last)


def _span_pairs(place: _Place) -> _Items:
    """Return the labels of two spans of tokens."""
    layout, first = place.layout, place.layout.starts.offsets[place.where]
    parts = []
    for path in place.task.spans:
        span = place.encoder.split.spans(path)[place.rows]
        parts += [layout.starts.values[first + span[:, 0]], layout.ends[first + span[:, 1] - 1]]
    return np.arange(len(first)), place.integers(), np.stack(parts, axis=1)


def _pairs(place: _Place) -> _Items:
    """Return the labels of two sides; a side that was cut loses the label."""
    layout = place.layout
    second, last = layout.second[place.where], layout.last[place.where]
    end = np.where(layout.whole[place.where], last, BEYOND)
    spans = np.stack([np.ones_like(second), second - 1, second, end], axis=1)
    return np.arange(len(last)), place.integers(), spans


_ITEMS: dict[str, Callable[[_Place], _Items]] = {
    "token": _tokens,
    "segment": _parts,
    "turn": _parts,
    "passage": _passages,
    "span_pair": _span_pairs,
    "pair": _pairs,
}


def label_rows(encoder: SplitEncoder, task: Task, reading: Reading, layout: Layout, sequences: Sequences) -> Labels:
    """Return the labels of a task in the rows of its reading; rows that lost theirs are counted."""
    where = np.flatnonzero(encoder.present(task)[sequences.rows])
    if task.kind == "masked_lm":
        return _masked(where, sequences)
    place = _Place(encoder, task, reading, layout, where, sequences.rows[where])
    owner, label, spans = _ITEMS[task.kind](place)
    lost = np.zeros(len(where), bool)
    lost[owner[spans.max(axis=1, initial=0) > layout.last[where][owner]]] = True
    items = ~lost[owner]
    count = np.bincount(owner[items], minlength=len(where))
    kept = count > 0
    weight = np.ones(len(where), np.float32)
    if task.weight:
        weight = encoder.split.floats(task.weight)[place.rows]
    return Labels(
        where=where[kept],
        offsets=np.concatenate([[0], np.cumsum(count[kept])]),
        label=label[items].astype(np.int32),
        spans=spans[items].astype(np.int16),
        weight=weight[kept],
        lost=int(lost.sum()),
    )


def _masked(where: IntArray, sequences: Sequences) -> Labels:
    """Return the rows that have a word that may be masked, and the number of such words."""
    pieces = Ragged(sequences.offsets, sequences.word)
    key = np.where(sequences.word >= 0, pieces.owners << 16 | sequences.word, -1)
    opens = (key >= 0) & np.diff(key, prepend=-1).astype(bool)
    count = np.bincount(pieces.owners[opens], minlength=len(pieces))[where]
    where = where[count > 0]
    return Labels(
        where=where,
        offsets=np.zeros(len(where) + 1, np.int64),
        label=np.empty(0, np.int32),
        spans=np.empty((0, 4), np.int16),
        weight=np.ones(len(where), np.float32),
        words=int(count.sum()),
    )
