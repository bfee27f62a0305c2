"""What each task reads and where its labels stand in it, as arrays: made once per dataset and vocabulary."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray, Ragged, ranges
from labelers.task import SECOND, SOURCE, Task
from trainer.data.carry import carried, opened_anew
from trainer.data.dataset import TRAIN, Split, Types
from trainer.data.spans import BIO
from trainer.data.spelling import Layout, PieceTable, lay_out
from trainer.data.tokenizer import Tokenizer
from trainer.kinds import kind_of

__all__ = ["Inputs", "PartEncoder", "Sequences", "check_views", "inputs_of"]


@dataclass(frozen=True)
class Inputs:
    """What an encoder reads for a task; tasks with equal inputs share one sequence per row."""

    sequences: tuple[str, ...]
    spans: tuple[str, ...] = ()
    """Columns of the part of each sequence that is read; empty: the whole."""
    swap: str | None = None
    roles: bool = False
    hide_roles: str | None = None
    hide_tokens: str | None = None
    draw: str | None = None
    """Column of the draws by which words are masked; none: no word is."""
    exclude: str | None = None
    rate: float = 0.0

    def joined(self, other: "Inputs") -> "Inputs":
        """Return the inputs that hide what either hides, so that one sequence serves both."""
        return replace(
            self,
            roles=self.roles or other.roles,
            hide_roles=self.hide_roles or other.hide_roles,
            hide_tokens=self.hide_tokens or other.hide_tokens,
            draw=self.draw or other.draw,
            exclude=self.exclude or other.exclude,
            rate=self.rate or other.rate,
        )


def inputs_of(tasks: Iterable[Task], split: str = "") -> dict[str, Inputs]:
    """Return the inputs of each task in a split, by its name.

    In the train split a task reads the view that it is trained on, if it has one.
    A task of mode ``own`` sees all but its own targets: what one predicts another may read (mask orchestration, Wang et
    al. 2020). Tasks of mode ``joint`` on one view share inputs in which the targets of all are hidden.
    """
    own = {task.name: (task, kind_of(task).inputs(task)) for task in (_read_in(task, split) for task in tasks)}
    joint: dict[tuple[str, ...], Inputs] = {}
    for task, inputs in own.values():
        if task.mode == "joint":
            joint[task.sequences] = joint[task.sequences].joined(inputs) if task.sequences in joint else inputs
    return {name: joint[task.sequences] if task.mode == "joint" else inputs for name, (task, inputs) in own.items()}


def check_views(tasks: Iterable[Task], train: Split) -> None:
    """Check that tasks can be trained on the views that they name.

    Raises:
        ValueError: a task reads something else than the source, its labels mean nothing elsewhere, or there is no such
            view.
    """
    for task in tasks:
        if not task.on:
            continue
        reads = f"{task.kind} on {' and '.join(task.sequences)}"
        if task.sequences != (SOURCE,) or not kind_of(task).carries:
            raise ValueError(
                f"task {task.name!r} ({reads}) cannot be trained on the view {task.on!r}: only labels of tokens, "
                "segments, turns and passages of the source can; leave out `on`"
            )
        if task.on not in train.views():
            known = ", ".join(train.views()) or "none"
            raise ValueError(
                f"task {task.name!r} cannot be trained on the view {task.on!r}, which the dataset does not have "
                f"({known}); leave out `on`, or build the dataset with that labeler"
            )


def _read_in(task: Task, split: str) -> Task:
    """Return a task with the sequence that it reads in a split."""
    return replace(task, sequences=(task.on,)) if task.on and split == TRAIN else task


@dataclass(frozen=True)
class Sequences:
    """One sequence of sub-words for each of R rows, M in all."""

    rows: IntArray
    """int64 [R]: rows of the split, rising."""
    offsets: IntArray
    """int64 [R + 1]."""
    pieces: npt.NDArray[np.int32]
    """int32 [M]."""
    second: npt.NDArray[np.int32]
    """int32 [R]: position of the first piece of the second side; the row's length if there is one side."""
    word: npt.NDArray[np.int16]
    """int16 [M]: number of the word of each piece if it may be masked, else -1; empty where no word is."""
    draw: npt.NDArray[np.uint8]
    """uint8 [M]: the draw of that word."""

    @property
    def lengths(self) -> IntArray:
        """Pieces of each row, int64 [R]."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: IntArray) -> IntArray:
        """Return the pieces of some rows, int64 [n], without a look at the others."""
        found: IntArray = self.offsets[rows + 1] - self.offsets[rows]
        return found


class PartEncoder:
    """Encodes the inputs of the rows of a split, or of a part of them."""

    def __init__(self, split: Split, tokenizer: Tokenizer, max_pieces: int, types: Types, table: PieceTable) -> None:
        self.split, self.tokenizer, self.max_pieces = split, tokenizer, max_pieces
        self.types, self.table = types, table

    def lay_out(self, inputs: Inputs, rows: IntArray) -> Layout:
        """Return the pieces of the given rows."""
        hidden = None
        sides = self._sides(inputs, rows)
        if inputs.hide_tokens:
            hidden = self.aligned(inputs.hide_tokens, rows, sides[0], 0).values.astype(bool)
        if not inputs.roles:
            return lay_out(sides, self.table, self.max_pieces, hidden=hidden)
        turns = self.starts("turns", inputs.sequences[0], rows)
        openers = self._openers(inputs, rows, turns)
        return lay_out(sides, self.table, self.max_pieces, turns=turns, openers=openers, hidden=hidden)

    def _sides(self, inputs: Inputs, rows: IntArray) -> list[Ragged]:
        """Return the units of the tokens of each side, in the order in which they are read."""
        sides = []
        for number, name in enumerate(inputs.sequences):
            tokens = self._part(self.split.tokens(name, self.types), inputs, number, rows)
            joined = self._part(self.split.joined(name), inputs, number, rows) if self.table.spaced else None
            sides.append(self.table.units(tokens, joined))
        if inputs.swap and len(sides) > 1:
            swapped = self.split.integers(inputs.swap)[rows] > 0
            sides = [sides[1].where(swapped, sides[0]), sides[0].where(swapped, sides[1])]
        return sides

    def _part(self, values: Ragged, inputs: Inputs, number: int, rows: IntArray) -> Ragged:
        """Return the values of the tokens that are read of one side."""
        if not inputs.spans:
            return values.take(rows)
        span = self.split.spans(inputs.spans[number])[rows]
        return values.slice(rows, span[:, 0], span[:, 1])

    def aligned(self, path: str, rows: IntArray, like: Ragged, fill: float) -> Ragged:
        """Return a column of lists that belong to others of equal length; ``fill`` where a row has none.

        Raises:
            ValueError: a list is neither empty nor as long as it must be.
        """
        own = self.split.ragged(path).take(rows)
        if (wrong := np.flatnonzero((own.lengths != like.lengths) & (own.lengths > 0))).size:
            row = int(wrong[0])
            raise ValueError(
                f"{path} has {own.lengths[row]} entries in row {rows[row]} of {self.split.name}, which has "
                f"{like.lengths[row]}; the dataset is damaged: run `auxloom verify`"
            )
        none = Ragged(like.offsets, np.full(len(like.values), fill, own.values.dtype))
        return own.where(own.lengths > 0, none)

    def carried(self, task: Task, sequence: str, rows: IntArray) -> Ragged:
        """Return the tags of a task, which belong to the source, on the tokens of a view."""
        labels = self.aligned(task.target, rows, self.split.origins(SOURCE).take(rows), -1)
        found, places = carried(labels, self.split.origins(sequence).take(rows))
        if task.scheme == BIO:
            return opened_anew(found, places, labels, task.classes)
        return found

    def _openers(self, inputs: Inputs, rows: IntArray, turns: Ragged) -> IntArray:
        """Return the unit that opens each turn: the piece of its role, or the one that hides it."""
        types = Types()
        codes = self.split.ragged("roles", types).take(rows).values
        units: IntArray = -1 - self.tokenizer.role(list(types.codes)).astype(np.int64)[codes]
        if inputs.hide_roles:
            hidden = self.aligned(inputs.hide_roles, rows, turns, 0).values.astype(bool)
            units[hidden] = -1 - self.tokenizer.special.role_mask
        return units

    def starts(self, level: str, name: str, rows: IntArray) -> Ragged:
        """Return the token of a sequence that opens each segment or turn: its first one from the source."""
        if name == SECOND and level == "segments":
            return self.split.ragged(f"{SECOND}.segments").take(rows)
        segments, origin = self.split.ragged("segments"), self.split.origins(name).take(rows)
        if level == "turns":
            wanted = self.split.ragged("turns").take(rows)
        else:
            wanted = Ragged.of(segments.lengths, ranges(0 * segments.lengths, segments.lengths)).take(rows)
        owner = wanted.owners
        starts = segments.values[segments.offsets[rows][owner] + wanted.values].astype(np.int64)
        stride = int(max(origin.values.max(initial=0), starts.max(initial=0))) + 2
        kept = np.flatnonzero(origin.values >= 0)
        found = np.searchsorted(origin.owners[kept] * stride + origin.values[kept], owner * stride + starts)
        flat = np.minimum(np.append(kept, len(origin.values))[found], origin.offsets[1:][owner])
        return Ragged(wanted.offsets, flat - origin.offsets[:-1][owner])

    def sequences(self, inputs: Inputs, rows: IntArray, layout: Layout) -> Sequences:
        """Return what the encoder reads."""
        word, draw = np.empty(0, np.int16), np.empty(0, np.uint8)
        if inputs.draw:
            draws = self.aligned(inputs.draw, rows, layout.starts, 0)
            drawn = np.repeat(self.split.ragged(inputs.draw).lengths[rows] > 0, layout.starts.lengths)
            never = ~drawn
            if inputs.exclude:
                never |= self.aligned(inputs.exclude, rows, layout.starts, 1).values.astype(bool)
            owner = layout.pieces.owners
            token = layout.starts.offsets[owner] + layout.tokens  # of special pieces: not used
            inside = (layout.tokens >= 0) & ~never[token] & (layout.ends[token] <= layout.last[owner])
            word = np.where(inside, layout.tokens, -1).astype(np.int16)
            draw = np.where(inside, draws.values[token], 0).astype(np.uint8)
        return Sequences(
            rows,
            layout.pieces.offsets,
            layout.pieces.values.astype(np.int32),
            layout.second.astype(np.int32),
            word,
            draw,
        )
