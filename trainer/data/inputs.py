"""What each task reads and where its labels stand in it, as arrays: made once per dataset and vocabulary."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray, Ragged, ranges
from labelers.task import Task
from trainer.data.dataset import Split, Types
from trainer.data.pieces import Layout, PieceTable, lay_out
from trainer.data.tokenizer import ROLE_MASK, Pieces

__all__ = ["Reading", "Sequences", "SplitEncoder", "readings"]

_LISTS = {"token", "segment", "turn", "masked_lm"}  # kinds with several labels in a row


@dataclass(frozen=True)
class Reading:
    """What an encoder reads for a task; tasks with equal readings share one sequence per row."""

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

    @classmethod
    def of(cls, task: Task) -> "Reading":
        """Return what a task reads when only its own targets are hidden."""
        masked = task.kind == "masked_lm"
        return cls(
            sequences=task.sequences,
            spans=task.spans if task.kind == "pair" else (),
            swap=task.swap,
            roles=task.roles and len(task.sequences) == 1,
            hide_roles=task.hide_roles,
            hide_tokens=task.hide_tokens,
            draw=task.target if masked else None,
            exclude=task.exclude if masked else None,
            rate=task.rate or 0.0 if masked else 0.0,
        )

    def joined(self, other: "Reading") -> "Reading":
        """Return the reading that hides what either hides, so that one sequence serves both."""
        return replace(
            self,
            roles=self.roles or other.roles,
            hide_roles=self.hide_roles or other.hide_roles,
            hide_tokens=self.hide_tokens or other.hide_tokens,
            draw=self.draw or other.draw,
            exclude=self.exclude or other.exclude,
            rate=self.rate or other.rate,
        )


def readings(tasks: Iterable[Task]) -> dict[str, Reading]:
    """Return the reading of each task, by its name.

    A task of mode ``own`` sees all but its own targets: what one predicts another may read (mask orchestration, Wang et
    al. 2020). Tasks of mode ``joint`` on one view share a reading in which the targets of all are hidden.
    """
    tasks = list(tasks)
    joint: dict[tuple[str, ...], Reading] = {}
    for task in tasks:
        if task.mode == "joint":
            own = Reading.of(task)
            joint[task.sequences] = joint[task.sequences].joined(own) if task.sequences in joint else own
    return {task.name: joint[task.sequences] if task.mode == "joint" else Reading.of(task) for task in tasks}


@dataclass(frozen=True)
class Sequences:
    """What the encoder reads for one reading of a split: R rows, M pieces."""

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


class SplitEncoder:
    """Encodes the readings of one split."""

    def __init__(self, split: Split, vocabulary: Pieces, max_pieces: int, types: Types, table: PieceTable) -> None:
        self.split, self.vocabulary, self.max_pieces = split, vocabulary, max_pieces
        self.types, self.table = types, table

    def lay_out(self, reading: Reading, rows: IntArray) -> Layout:
        """Return the pieces of the given rows."""
        hidden = None
        sides = self._sides(reading, rows)
        if reading.hide_tokens:
            hidden = self.aligned(reading.hide_tokens, rows, sides[0], 0).values.astype(bool)
        if not reading.roles:
            return lay_out(sides, self.table, self.max_pieces, hidden=hidden)
        turns = self.starts("turns", reading.sequences[0], rows)
        openers = self._openers(reading, rows, turns)
        return lay_out(sides, self.table, self.max_pieces, turns=turns, openers=openers, hidden=hidden)

    def _sides(self, reading: Reading, rows: IntArray) -> list[Ragged]:
        """Return the tokens of each side, in the order in which they are read."""
        sides = []
        for number, name in enumerate(reading.sequences):
            tokens = self.split.tokens(name, self.types)
            if reading.spans:
                span = self.split.spans(reading.spans[number])[rows]
                sides.append(tokens.slice(rows, span[:, 0], span[:, 1]))
            else:
                sides.append(tokens.take(rows))
        if reading.swap and len(sides) > 1:
            swapped = self.split.integers(reading.swap)[rows] > 0
            sides = [sides[1].where(swapped, sides[0]), sides[0].where(swapped, sides[1])]
        return sides

    def aligned(self, path: str, rows: IntArray, like: Ragged, fill: int) -> Ragged:
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

    def _openers(self, reading: Reading, rows: IntArray, turns: Ragged) -> IntArray:
        """Return the unit that opens each turn: the piece of its role, or the one that hides it."""
        types = Types()
        codes = self.split.ragged("roles", types).take(rows).values
        units: IntArray = -1 - self.vocabulary.role(list(types.codes)).astype(np.int64)[codes]
        if reading.hide_roles:
            hidden = self.aligned(reading.hide_roles, rows, turns, 0).values.astype(bool)
            units[hidden] = -1 - ROLE_MASK
        return units

    def starts(self, level: str, name: str, rows: IntArray) -> Ragged:
        """Return the token of a sequence that opens each segment or turn: its first one from the source."""
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

    def present(self, task: Task) -> BoolArray:
        """Tell which rows have a label of the task, bool [P]."""
        if task.kind in _LISTS:
            present = self.split.ragged(task.target).lengths > 0
        else:
            present = self.split.integers(task.target) >= 0
        for path in task.spans:
            span = self.split.spans(path)
            present &= span[:, 1] > span[:, 0]
        if task.status:
            present &= self.split.integers(task.status) < 2  # noqa: PLR2004  (from 2 on a labeler abstained)
        return present

    def sequences(self, reading: Reading, rows: IntArray, layout: Layout) -> Sequences:
        """Return what the encoder reads."""
        word, draw = np.empty(0, np.int16), np.empty(0, np.uint8)
        if reading.draw:
            draws = self.aligned(reading.draw, rows, layout.starts, 0)
            drawn = np.repeat(self.split.ragged(reading.draw).lengths[rows] > 0, layout.starts.lengths)
            never = ~drawn
            if reading.exclude:
                never |= self.aligned(reading.exclude, rows, layout.starts, 1).values.astype(bool)
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
