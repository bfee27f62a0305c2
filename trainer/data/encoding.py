"""Writes a split as encoded arrays: a few thousand rows at a time, so that memory does not grow with the split."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray, Ragged
from labelers.task import Task
from trainer.data.dataset import Split, Types
from trainer.data.inputs import Inputs, PartEncoder, Sequences
from trainer.data.spelling import PieceTable
from trainer.data.targets import Targets, targets_of
from trainer.data.tokenizer import Tokenizer
from trainer.files import ArrayFile
from trainer.kinds import kind_of

__all__ = ["SplitWriter", "read_split"]

_MAP_FROM = 1 << 20  # bytes from which a file is mapped; an empty array cannot be
_NUMBERS = "numbers.json"
_ROWS, _INPUTS, _TARGETS = "rows", "inputs", "targets"


class _Arrays:
    """The arrays of a folder while they grow."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._files: dict[str, ArrayFile] = {}
        self.numbers: dict[str, int] = {}

    def size(self, name: str) -> int:
        """Return the length of an array so far."""
        return self._files[name].size if name in self._files else 0

    def append(self, **arrays: npt.NDArray[Any]) -> None:
        """Add to the end of each array."""
        for name, values in arrays.items():
            if name not in self._files:
                self._files[name] = ArrayFile(self._folder / f"{name}.npy")
            self._files[name].append(values)

    def append_offsets(self, offsets: IntArray, before: int) -> None:
        """Add the offsets of further lists, ``before`` values of which stand there already."""
        self.append(offsets=offsets[min(self.size("offsets"), 1) :] + before)

    def close(self) -> None:
        """End all files."""
        for file in self._files.values():
            file.close()
        (self._folder / _NUMBERS).write_text(json.dumps(self.numbers))


class SplitWriter:
    """Writes the sequences and targets of a split; folders are numbered by inputs and tasks."""

    def __init__(
        self, folder: Path, tasks: Sequence[Task], inputs: Mapping[str, Inputs], tokenizer: Tokenizer, max_pieces: int
    ) -> None:
        self._tasks, self._inputs, self._tokenizer, self._max_pieces = tasks, inputs, tokenizer, max_pieces
        self._types, self._documents = Types(), Types()
        self._table = PieceTable(self._types, tokenizer)
        self._rows = _Arrays(folder / _ROWS)
        distinct = dict.fromkeys(inputs.values())
        self._sequences = {item: _Arrays(folder / f"{_INPUTS}-{i}") for i, item in enumerate(distinct)}
        self._targets = {task.name: _Arrays(folder / f"{_TARGETS}-{i}") for i, task in enumerate(tasks)}

    def add(self, part: Split, row_inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        """Encode further rows of the split."""
        encoder = PartEncoder(part, self._tokenizer, self._max_pieces, self._types, self._table)
        before = self._rows.size("documents")
        for item, arrays in self._sequences.items():
            readers = [task for task in self._tasks if self._inputs[task.name] == item]
            rows = np.flatnonzero(np.any([kind_of(task).present(part, task) for task in readers], axis=0))
            layout = encoder.lay_out(item, rows)
            sequences = encoder.sequences(item, rows, layout)
            for task in readers:
                targets = targets_of(encoder, task, item, layout, sequences)
                self._add_targets(self._targets[task.name], targets, arrays.size("rows"))
            arrays.append_offsets(sequences.offsets, arrays.size("pieces"))
            arrays.append(
                rows=sequences.rows + before,
                pieces=sequences.pieces,
                second=sequences.second,
                word=sequences.word,
                draw=sequences.draw,
            )
        self._rows.append(documents=part.documents(self._documents), **row_inputs)

    @staticmethod
    def _add_targets(arrays: _Arrays, targets: Targets, rows: int) -> None:
        """Add the targets of a task in rows before which its inputs have so many."""
        arrays.append_offsets(targets.offsets, arrays.size("spans"))
        if isinstance(targets.values, Ragged):
            before = arrays.size("values")
            arrays.append(value_offsets=targets.values.offsets[min(before, 1) :] + before)
            arrays.append(values=targets.values.values)
        else:
            arrays.append(values=targets.values)
        arrays.append(where=targets.where + rows, spans=targets.spans, weight=targets.weight)
        counted = {"lost": targets.lost, "candidates": targets.candidates}
        arrays.numbers = {name: arrays.numbers.get(name, 0) + count for name, count in counted.items()}
        arrays.numbers["drawn"] = targets.drawn

    def close(self) -> None:
        """End all files."""
        for arrays in (self._rows, *self._sequences.values(), *self._targets.values()):
            arrays.close()


def read_split(
    folder: Path, inputs: Mapping[str, Inputs]
) -> tuple[dict[Inputs, Sequences], dict[str, Targets], IntArray, dict[str, npt.NDArray[Any]]]:
    """Return what a `SplitWriter` wrote: sequences, targets by task, documents and row inputs; arrays are mapped."""
    distinct = dict.fromkeys(inputs.values())
    sequences = {item: Sequences(**_read(folder / f"{_INPUTS}-{i}")) for i, item in enumerate(distinct)}
    targets = {name: _targets(_read(folder / f"{_TARGETS}-{i}")) for i, name in enumerate(inputs)}
    rows = _read(folder / _ROWS)
    return sequences, targets, rows.pop("documents"), rows


def _targets(arrays: dict[str, Any]) -> Targets:
    """Return targets from their arrays."""
    if "value_offsets" in arrays:
        arrays["values"] = Ragged(arrays.pop("value_offsets"), arrays["values"])
    return Targets(**arrays)


def _read(folder: Path) -> dict[str, Any]:
    """Return the arrays and numbers of a folder."""
    values: dict[str, Any] = json.loads((folder / _NUMBERS).read_text())
    for path in folder.iterdir():  # fails where the folder is gone, unlike glob
        if path.suffix == ".npy":
            values[path.stem] = np.load(path, mmap_mode="r" if path.stat().st_size > _MAP_FROM else None)
    return values
