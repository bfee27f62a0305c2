"""The encoded dataset, kept in the folder of the run as plain arrays that are memory-mapped when they are read."""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray, Ragged
from labelers.task import SOURCE, Task
from trainer.data.dataset import Dataset, Types
from trainer.data.inputs import Reading, Sequences, SplitEncoder, readings
from trainer.data.pieces import PieceTable
from trainer.data.targets import Labels, label_rows
from trainer.data.tokenizer import Pieces
from trainer.files import TEMPORARY, places, remove, replacing, write
from trainer.model.bigrams import Bigrams, folds

__all__ = ["Encoded", "EncodedSplit", "encode"]

_FORMAT = 5  # raised whenever other arrays are written
_VOCABULARY = "vocabulary.json"
_BIGRAMS = "bigrams.npz"
_MAP_FROM = 1 << 20  # bytes from which a file is mapped; an empty array cannot be


@dataclass(frozen=True)
class EncodedSplit:
    """One split, encoded."""

    sequences: Mapping[Reading, Sequences]
    labels: Mapping[str, Labels]
    """By the name of the task."""
    documents: IntArray
    """int64 [P]: number of each row's document."""
    folds: npt.NDArray[np.uint8]
    """uint8 [P]: see `trainer.model.bigrams`."""


@dataclass(frozen=True)
class Encoded:
    """A dataset, encoded for some of its tasks."""

    vocabulary: Pieces
    bigrams: Bigrams
    tasks: tuple[Task, ...]
    readings: Mapping[str, Reading]
    """By the name of the task."""
    splits: Mapping[str, EncodedSplit]


def encode(dataset: Dataset, tasks: Sequence[Task], folder: Path, *, vocabulary: int, max_pieces: int) -> Encoded:
    """Encode a dataset, or read what an earlier call with the same arguments left in ``folder``.

    Args:
        dataset: what to encode; its train split gives the vocabulary and the bigrams.
        tasks: whose sequences and labels.
        folder: keeps the vocabulary, the bigrams and the arrays.
        vocabulary: number of pieces.
        max_pieces: longest sequence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _learn(dataset, folder, vocabulary)
    return encode_with(folder, dataset, tasks, folder, max_pieces=max_pieces)


def encode_with(learnt: Path, dataset: Dataset, tasks: Sequence[Task], folder: Path, *, max_pieces: int) -> Encoded:
    """Encode a dataset with the vocabulary and the bigrams in the folder ``learnt``, of whatever dataset they are."""
    pieces, bigrams = Pieces.load(learnt / _VOCABULARY), Bigrams.load(learnt / _BIGRAMS)
    kinds = [task.to_json() for task in tasks]
    address = json.dumps([_FORMAT, dataset.digest, pieces.fingerprint, max_pieces, kinds], sort_keys=True)
    place = folder / "encoded" / hashlib.blake2b(address.encode(), digest_size=12).hexdigest()
    reading = readings(tasks)
    if not place.exists():
        types = Types()
        table = PieceTable(types, pieces)
        encoders = {
            name: SplitEncoder(split, pieces, max_pieces, types, table) for name, split in dataset.splits.items()
        }
        _make(place, encoders, tasks, reading)
    splits = {name: _read(place / name, reading) for name in dataset.splits}
    return Encoded(pieces, bigrams, tuple(tasks), reading, splits)


def _make(
    place: Path, encoders: Mapping[str, SplitEncoder], tasks: Sequence[Task], reading: Mapping[str, Reading]
) -> None:
    """Encode every split into a folder, which is there as a whole or not at all; what was there before goes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for other in place.parent.iterdir():
        if not other.name.startswith(TEMPORARY):
            remove(other)
    try:
        with replacing(place) as folder:
            for name, encoder in encoders.items():
                _encode_split(encoder, tasks, reading, folder / name)
    except OSError:
        if not place.exists():  # else another process was faster: what it made is the same
            raise


def _learn(dataset: Dataset, folder: Path, size: int) -> None:
    """Learn the vocabulary and the bigrams, unless the folder has them for this dataset and size."""
    made, wanted = folder / "vocabulary.of", f"{_FORMAT} {dataset.digest} {size}"
    if made.exists() and made.read_text() == wanted:
        return
    train = dataset.splits["train"]
    pieces = Pieces.learn(train, size, _roles(dataset))
    pieces.save(folder / _VOCABULARY)
    types = Types()
    tokens = train.tokens(SOURCE, types)
    spelled = PieceTable(types, pieces).of(tokens.values.astype(np.int64))
    rows = Ragged(spelled.offsets[tokens.offsets], spelled.values)
    Bigrams.count(rows, folds(train), pieces.folded()).save(folder / _BIGRAMS)
    write(made, wanted)


def _roles(dataset: Dataset) -> list[str]:
    """Return the roles that get a piece: the classes of a task over roles first, then the rest by frequency."""
    classes = [name for task in dataset.tasks if task.hide_roles for name in task.classes]
    counts: Counter[str] = Counter()
    types = Types()
    codes = dataset.splits["train"].ragged("roles", types).values
    for role, count in zip(types.codes, np.bincount(codes, minlength=len(types)).tolist(), strict=True):
        counts[role] = count
    rest = sorted(counts, key=lambda role: (-counts[role], role))
    return list(dict.fromkeys([*classes, *rest]))


def _encode_split(encoder: SplitEncoder, tasks: Sequence[Task], reading: Mapping[str, Reading], place: Path) -> None:
    """Encode every reading of a split and the labels of its tasks."""
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "documents.npy", encoder.split.documents())
    np.save(place / "folds.npy", folds(encoder.split))
    names = places(list(reading))
    for number, item in enumerate(dict.fromkeys(reading.values())):
        readers = [task for task in tasks if reading[task.name] == item]
        rows = np.flatnonzero(np.any([encoder.present(task) for task in readers], axis=0))
        layout = encoder.lay_out(item, rows)
        sequences = encoder.sequences(item, rows, layout)
        _save(sequences, place / f"reading-{number}")
        for task in readers:
            _save(label_rows(encoder, task, item, layout, sequences), place / f"task-{names[task.name]}")


def _read(place: Path, reading: Mapping[str, Reading]) -> EncodedSplit:
    """Read what `_encode_split` wrote."""
    items, names = enumerate(dict.fromkeys(reading.values())), places(list(reading))
    return EncodedSplit(
        sequences={item: _load(Sequences, place / f"reading-{number}") for number, item in items},
        labels={name: _load(Labels, place / f"task-{names[name]}") for name in reading},
        documents=np.load(place / "documents.npy"),
        folds=np.load(place / "folds.npy"),
    )


def _save(item: Sequences | Labels, folder: Path) -> None:
    """Write the arrays of a dataclass, one file each, and its numbers."""
    folder.mkdir()
    numbers = {}
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{field.name}.npy", value)
        else:
            numbers[field.name] = value
    (folder / "numbers.json").write_text(json.dumps(numbers))


def _load(kind: type[Any], folder: Path) -> Any:
    """Read what `_save` wrote; arrays are memory-mapped."""
    values: dict[str, Any] = json.loads((folder / "numbers.json").read_text())
    for field in dataclasses.fields(kind):
        if field.name not in values:
            path = folder / f"{field.name}.npy"
            values[field.name] = np.load(path, mmap_mode="r" if path.stat().st_size > _MAP_FROM else None)
    return kind(**values)
