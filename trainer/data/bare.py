"""Texts that have no labels yet, as rows that an encoder reads: in memory, and never cut short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, Ragged, running_total
from labelers.task import SECOND, SOURCE, Task
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.data.dataset import Split, Types
from trainer.data.inputs import PartEncoder, inputs_of
from trainer.data.spelling import PieceTable
from trainer.data.targets import targets_of
from trainer.kinds import kind_of
from trainer.settings import Settings

if TYPE_CHECKING:
    from trainer.encoders.encoder import Encoder

__all__ = ["BareRows", "RowEncoder", "asked"]

_SPECIAL = 3  # sub-words of a row that are of no token: [CLS], [SEP], and the role of the speaker
_BYTES = 4  # of a character, at most; a sub-word has at least one


def asked(task: Task, *, second: bool) -> Task | None:
    """Return the task as it is asked of a text that nobody prepared, None where it cannot be.

    Args:
        task: as it was trained; whatever view it reads is the text itself.
        second: the texts have second texts.
    """
    hides = task.hide_roles or task.hide_tokens or task.drawn or task.generated
    if hides or task.spans or (not second and (len(task.sequences) > 1 or SECOND in task.sequences)):
        return None
    sequences = (
        (SOURCE, SECOND) if len(task.sequences) > 1 else task.sequences if SECOND in task.sequences else (SOURCE,)
    )
    return replace(task, sequences=sequences, mode="own", status="", weight=None, swap=None, on="", relations=None)


@dataclass(frozen=True)
class BareRows:
    """P rows of D texts: token lists with what is known of them."""

    documents: IntArray
    """int64 [P]: the text of each row, rising."""
    tokens: pa.ListArray
    segments: Ragged
    """Where segments begin, from the row's first token."""
    turns: Ragged
    """The segment that opens each turn."""
    roles: pa.ListArray
    spaces: BoolArray
    """bool [N]: a space follows the token."""
    second: pa.ListArray | None = None
    second_spaces: pa.ListArray | None = None
    names: Sequence[str] = ()
    """Of the documents, by their numbers, where they stand in a dataset; an encoder may read a row by it."""

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def lengths(self) -> IntArray:
        """Tokens of each row, int64 [P]."""
        return np.diff(self.tokens.offsets.to_numpy())

    def turn_tokens(self) -> IntArray:
        """Return the token that opens each turn, counted over all rows."""
        opens = self.segments.offsets[:-1][self.turns.owners] + self.turns.values
        starts = self.tokens.offsets.to_numpy().astype(np.int64)[:-1]
        found: IntArray = starts[self.turns.owners] + self.segments.values[opens]
        return found

    def split(self, tasks: Sequence[Task]) -> tuple[Split, list[Task]]:
        """Return the rows as a split, and the tasks that can be asked of them, with places for their labels."""
        names = pa.array([self.names[n] if self.names else str(n) for n in self.documents.tolist()], pa.string())
        columns: dict[str, Any] = {
            "document": names,
            "tokens": self.tokens,
            "spaces": _lists(self.lengths, self.spaces),
            "segments": _lists(self.segments.lengths, self.segments.values.astype(np.int32)),
            "turns": _lists(self.turns.lengths, self.turns.values.astype(np.int32)),
            "roles": self.roles,
        }
        if self.second is not None:
            sizes = np.diff(self.second.offsets.to_numpy())
            first = _lists(np.minimum(sizes, 1), np.zeros(int(np.count_nonzero(sizes)), np.int32))
            columns[SECOND] = pa.StructArray.from_arrays(
                [self.second, self.second_spaces, first], ["tokens", "spaces", "segments"]
            )
        split, kept = Split("test", pa.table(columns)), []
        for number, task in enumerate(tasks):
            places = kind_of(task).placeholder(split, task)
            if places is not None:
                name = f"label {number}"
                columns[name] = places
                kept.append(replace(task, target=name))
        return Split("test", pa.table(columns)), kept

    def within(self, pieces: IntArray, most: int) -> "BareRows":
        """Return the rows cut so that none has more than ``most`` sub-words, of which each token has so many."""
        offsets = self.tokens.offsets.to_numpy().astype(np.int64)
        before = running_total(pieces)
        if not np.any(before[offsets[1:]] - before[offsets[:-1]] > most):
            return self
        starts: list[int] = []
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            starts.append(start)
            while before[end] - before[start] > most:
                start = max(start + 1, int(np.searchsorted(before, before[start] + most, side="right")) - 1)  # noqa: PLW2901
                if start >= end:
                    break
                starts.append(start)
        return self._cut(np.array(starts, np.int64), offsets)

    def _cut(self, starts: IntArray, offsets: IntArray) -> "BareRows":
        """Return rows that begin at some tokens; what a segment or turn goes on in begins there again."""
        owner = np.searchsorted(offsets, starts, side="right") - 1
        ends = np.append(starts[1:], offsets[-1])
        segments = self.segments.values + offsets[:-1][self.segments.owners]
        turn_segment = self.segments.offsets[:-1][self.turns.owners] + self.turns.values
        turns = segments[turn_segment]
        opened = np.union1d(segments, starts)
        counts = np.searchsorted(opened, ends) - np.searchsorted(opened, starts)
        spoken = self.turns.lengths[owner] > 0
        heard = np.union1d(turns, starts[spoken])
        turn_counts = np.searchsorted(heard, ends) - np.searchsorted(heard, starts)
        roles = self.roles.flatten().take(pa.array(np.searchsorted(turns, heard, side="right") - 1))
        row = np.searchsorted(starts, heard, side="right") - 1
        first = np.searchsorted(opened, starts)
        return BareRows(
            self.documents[owner],
            pa.ListArray.from_arrays(pa.array(np.append(starts, offsets[-1]).astype(np.int32)), self.tokens.flatten()),
            Ragged.of(counts, opened - np.repeat(starts, counts)),
            Ragged.of(turn_counts, np.searchsorted(opened, heard) - first[row]),
            pa.ListArray.from_arrays(pa.array(running_total(turn_counts).astype(np.int32)), roles),
            self.spaces,
            None if self.second is None else self.second.take(pa.array(owner)),
            None if self.second_spaces is None else self.second_spaces.take(pa.array(owner)),
            self.names,
        )


def _lists(lengths: IntArray, values: Any) -> pa.ListArray:
    """Return lists of these lengths."""
    return pa.ListArray.from_arrays(pa.array(running_total(lengths).astype(np.int32)), pa.array(values))


class RowEncoder:
    """Encodes rows in memory with what a run has learnt; sub-words of a token type are found once."""

    def __init__(self, learnt: Path, encoder: "type[Encoder]", settings: Settings) -> None:
        """Read the tokenizer of a run."""
        self.tokenizer = encoder.tokenizer(learnt)
        self._encoder, self._settings = encoder, settings
        self._types = Types()
        self._table = PieceTable(self._types, self.tokenizer)

    def fitting(self, rows: BareRows) -> BareRows:
        """Return rows of which the encoder reads every token, however long the texts are."""
        if rows.second is not None:
            return rows  # two sides are read as they are
        most = self._settings.model.max_pieces - _SPECIAL
        sizes = self._sizes(rows)
        if len(long := np.flatnonzero(sizes > most)):  # of a token that is too long the beginning is read
            texts = rows.tokens.flatten().to_pylist()
            for place in long.tolist():
                texts[place] = texts[place][: max(most // _BYTES, 1)]
            tokens = pa.ListArray.from_arrays(rows.tokens.offsets, pa.array(texts, pa.string()))
            rows = replace(rows, tokens=tokens)
            sizes = self._sizes(rows)
        return rows.within(sizes + self._openers(rows), most)

    def _sizes(self, rows: BareRows) -> IntArray:
        """Return the number of sub-words of each token."""
        return self._table.most(self._types.encode(rows.tokens.flatten()).astype(np.int64))

    @staticmethod
    def _openers(rows: BareRows) -> IntArray:
        """Return how many sub-words with the role of the speaker stand before each token."""
        first = rows.segments.values + rows.tokens.offsets.to_numpy()[:-1][rows.segments.owners]
        turn = rows.segments.offsets[:-1][rows.turns.owners] + rows.turns.values
        return np.bincount(first[turn], minlength=int(rows.lengths.sum()))

    def encode(self, rows: BareRows, tasks: Sequence[Task]) -> EncodedDataset:
        """Return the rows encoded for the tasks that can be asked of them."""
        split, kept = rows.split(tasks)
        part = PartEncoder(split, self.tokenizer, self._settings.model.max_pieces, self._types, self._table)
        inputs = inputs_of(kept)
        sequences, targets = {}, {}
        for item in dict.fromkeys(inputs.values()):
            readers = [task for task in kept if inputs[task.name] == item]
            present = np.flatnonzero(np.any([kind_of(task).present(split, task) for task in readers], axis=0))
            layout = part.lay_out(item, present)
            sequences[item] = part.sequences(item, present, layout)
            for task in readers:
                targets[task.name] = targets_of(part, task, item, layout, sequences[item])
        row_inputs: Mapping[str, Any] = self._encoder.row_inputs(split, self._settings)
        encoded = EncodedSplit(inputs, sequences, targets, split.documents(), row_inputs)
        return EncodedDataset(self.tokenizer, tuple(kept), {"test": encoded})
