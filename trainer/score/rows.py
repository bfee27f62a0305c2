"""Tokens and labels of one task as arrays, for models that are no network: what probes read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray, Ragged, ranges
from labelers.task import Task
from trainer.data.dataset import Split, Types
from trainer.kinds import kind_of
from trainer.schedule.step_plan import generator

__all__ = ["Spell", "TaskRows", "aligned", "folded", "label_list", "one_label", "read_rows", "sample"]

Spell = Callable[[Sequence[str]], Ragged]
"""Gives the symbols of each of some words."""


@dataclass(frozen=True)
class TaskRows:
    """The n rows of a split that have a label of one task, and their I labels."""

    task: Task
    types: Types
    """What the codes of tokens and roles stand for; probes need one for train and held-out rows."""
    parts: tuple[Ragged, ...]
    """The token codes of each row: of the whole sequence, or of the two spans or sides that the head reads."""
    labels: npt.NDArray[Any]
    """[I, ...]: in the form of the task's kind: classes; for masked words the code of the hidden token."""
    owners: IntArray
    """int64 [I]: the row of each label, as an index into the n rows; rising."""
    positions: IntArray
    """int64 [I]: the token, segment or turn of the row that a label speaks of; 0 for labels of whole rows."""
    documents: IntArray
    """int64 [n]: number of the document."""
    rows: IntArray
    """int64 [n]: number of the row in its split."""
    origins: tuple[Ragged, ...] = ()
    """pair: of each token of both parts its position in the source, -1 where it was inserted."""
    roles: Ragged | None = None
    """turn: the code of each turn's role, -1 where it is hidden."""
    segments: IntArray | None = None
    """arc: int64 [I], a number for the segment that each label stands in; rising."""
    maskable: BoolArray | None = None
    """masked_lm: bool [N], the tokens that may be hidden."""
    spell: Spell | None = None
    """masked_lm: the pieces in which the model spells words; it sees how many there are."""

    def __len__(self) -> int:
        return len(self.rows)

    def replaced(self, **fields: Any) -> "TaskRows":
        """Return the rows with other values of some fields, for example their labels."""
        return replace(self, **fields)


def read_rows(split: Split, task: Task, types: Types, rows: IntArray, spell: Spell | None = None) -> TaskRows:
    """Read the given rows, which all have a label of the task, from the columns of a split.

    Args:
        split: memory-mapped rows; of each column only the given ones are read.
        task: what to read.
        types: grows by the strings that are new to it.
        rows: int64 [n], rising.
        spell: see `TaskRows.spell`.
    """
    split = split.chosen(rows)
    parts = _parts(split, task, tuple(split.tokens(name, types) for name in task.sequences))
    origins: tuple[Ragged, ...] = ()
    if len(task.sequences) > 1:
        origins = _parts(split, task, tuple(split.origins(name) for name in task.sequences))
    none = np.empty(0, np.int64)
    found = TaskRows(task, types, parts, none, none, none, split.documents(), rows, origins=origins, spell=spell)
    return kind_of(task).read(found, split)


def _parts(split: Split, task: Task, parts: tuple[Ragged, ...]) -> tuple[Ragged, ...]:
    """Return of lists that go with the tokens of a task's sequences what its head reads, in the order of reading."""
    if task.spans:
        sequences = parts if len(parts) == len(task.spans) else parts * len(task.spans)
        spans, every = [split.spans(path) for path in task.spans], np.arange(len(split))
        both = zip(sequences, spans, strict=True)
        parts = tuple(part.slice(every, span[:, 0], span[:, 1]) for part, span in both)
    if task.swap and len(parts) > 1:
        swapped = split.integers(task.swap) > 0
        return parts[1].where(swapped, parts[0]), parts[0].where(swapped, parts[1])
    return parts


def aligned(split: Split, path: str, like: Ragged, fill: int) -> IntArray:
    """Return the values of a column of lists that belong to others of equal length; ``fill`` where a row has none."""
    own = split.ragged(path)
    none = Ragged(like.offsets, np.full(len(like.values), fill, np.int64))
    return own.where(own.lengths > 0, none).values.astype(np.int64)


def one_label(rows: TaskRows, split: Split) -> TaskRows:
    """Read one label for each row."""
    labels = np.array(split.integers(rows.task.target))  # Arrow's may not be written to, which torch asks for
    return rows.replaced(labels=labels, owners=np.arange(len(rows)), positions=np.zeros(len(rows), np.int64))


def label_list(rows: TaskRows, split: Split) -> TaskRows:
    """Read a list of labels for each row, leaving out -1."""
    lists = split.ragged(rows.task.target)
    items = np.flatnonzero(lists.values >= 0)
    positions = ranges(np.zeros(len(lists), np.int64), lists.lengths)
    return rows.replaced(
        labels=lists.values[items].astype(np.int64), owners=lists.owners[items], positions=positions[items]
    )


def sample(rows: IntArray, limit: int, seed: int) -> IntArray:
    """Return at most ``limit`` of the rows, rising; which ones depends on the arguments alone.

    Example:
        >>> sample(np.arange(5), 9, 0).tolist(), len(sample(np.arange(5), 2, 0))
        ([0, 1, 2, 3, 4], 2)
    """
    if len(rows) <= limit:
        return rows
    return np.sort(generator(seed, "probe rows").choice(rows, limit, replace=False))


def folded(types: Types) -> IntArray:
    """Return a number per type, int64 [V], that types share which differ in case alone.

    Example:
        >>> types = Types()
        >>> _ = [types.codes.setdefault(text, i) for i, text in enumerate(["The", "a", "the"])]
        >>> folded(types).tolist()
        [0, 1, 0]
    """
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text.lower(), len(numbers)) for text in types.codes], np.int64)
