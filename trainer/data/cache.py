"""The encoded dataset: plain arrays in a folder that all runs of a user share, memory-mapped when they are read.

The folder is that in ``AUXLOOM_CACHE``, else ``auxloom`` in the user's cache folder. Entries are named by what they
depend on, appear as a whole, and the longest unused ones go when all take more than ``AUXLOOM_CACHE_BYTES``.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from labelers.ragged import IntArray
from labelers.stores.copies import cache_folder, cache_limit
from labelers.stores.holding import drop
from labelers.task import Task
from trainer.data.dataset import Dataset
from trainer.data.encoding import SplitWriter, read_split
from trainer.data.inputs import Inputs, Sequences, inputs_of
from trainer.data.targets import Targets
from trainer.data.tokenizer import Tokenizer
from trainer.files import TEMPORARY, abandoned, remove, replacing, write
from trainer.memory import give_back
from trainer.settings import Settings

if TYPE_CHECKING:
    from trainer.encoders.encoder import Encoder

__all__ = ["EncodedDataset", "EncodedSplit", "cache_folder", "encode", "encode_with"]

_FORMAT = 7  # raised whenever other arrays are written
_SIZES = "sizes.json"  # of all files of an entry; a crash of the machine may cut those that were written last


_Read = TypeVar("_Read")


@dataclass(frozen=True)
class EncodedSplit:
    """One split, encoded."""

    inputs: Mapping[str, Inputs]
    """By the name of the task; of one that is trained on a view the train split has others than those held out."""
    sequences: Mapping[Inputs, Sequences]
    targets: Mapping[str, Targets]
    """By the name of the task."""
    documents: IntArray
    """int64 [P]: number of each row's document."""
    row_inputs: Mapping[str, npt.NDArray[Any]]
    """[P, ...]: see `trainer.encoders.encoder.Encoder.row_inputs`."""

    def read(self, task: str) -> Sequences:
        """Return what is read for a task."""
        return self.sequences[self.inputs[task]]


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset, encoded for some of its tasks."""

    tokenizer: Tokenizer
    tasks: tuple[Task, ...]
    splits: Mapping[str, EncodedSplit]


def encode(
    dataset: Dataset, tasks: Sequence[Task], learnt: Path, encoder: "type[Encoder]", settings: Settings
) -> EncodedDataset:
    """Encode a dataset for a run, or read from the cache what an earlier run encoded.

    Args:
        dataset: what to encode; its train split gives what the encoder knows before its first step.
        tasks: whose inputs and targets.
        learnt: a folder of the run, which gets the tokenizer, and whatever else `Encoder.prepare` writes.
        encoder: reads the sequences.
        settings: of the run.
    """
    if not learnt.exists():

        def prepare(folder: Path) -> None:
            folder.mkdir()
            encoder.prepare(dataset, folder, settings)

        def copy(entry: Path) -> None:
            with replacing(learnt) as temporary:
                shutil.copytree(entry, temporary, ignore=shutil.ignore_patterns(_SIZES))

        _read("learnt", [dataset.digest, *encoder.key(settings)], prepare, copy)
    return encode_with(dataset, tasks, learnt, encoder, settings)


def encode_with(
    dataset: Dataset, tasks: Sequence[Task], learnt: Path, encoder: "type[Encoder]", settings: Settings
) -> EncodedDataset:
    """Encode a dataset with what was learnt from whatever dataset."""
    tokenizer, inputs = encoder.tokenizer(learnt), {name: inputs_of(tasks, name) for name in dataset.splits}
    rows = {name: len(split) for name, split in dataset.splits.items()}
    address = [dataset.digest, rows, tokenizer.fingerprint, settings.model.max_pieces, *encoder.key(settings)]

    def spell(folder: Path) -> None:
        for name, split in dataset.splits.items():
            with closing(
                SplitWriter(folder / name, tasks, inputs[name], tokenizer, settings.model.max_pieces)
            ) as writer:
                for part in split.parts():
                    writer.add(part, encoder.row_inputs(part, settings))

    def mapped(entry: Path) -> dict[str, EncodedSplit]:
        return {name: EncodedSplit(known, *read_split(entry / name, known)) for name, known in inputs.items()}

    splits = _read("encoded", [*address, *(task.to_json() for task in tasks)], spell, mapped)
    return EncodedDataset(tokenizer, tuple(tasks), splits)


def _read(kind: str, address: Sequence[Any], make: Callable[[Path], None], read: Callable[[Path], _Read]) -> _Read:
    """Return what ``read`` finds in the entry for an address; it is made again if another run has just made room."""
    try:
        return read(_entry(kind, address, make))
    except (FileNotFoundError, shutil.Error):
        return read(_entry(kind, address, make))


def _entry(kind: str, address: Sequence[Any], make: Callable[[Path], None]) -> Path:
    """Return the entry of the cache for an address, made if it is not there; what is used is the last to go."""
    cache, limit = cache_folder(), cache_limit()
    digest = hashlib.blake2b(json.dumps([_FORMAT, *address], sort_keys=True).encode(), digest_size=12).hexdigest()
    place = cache / f"{kind}-{digest}"
    if not _whole(place):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            if not _whole(place):  # another process may have made it meanwhile
                remove(place)
            with replacing(place) as folder:
                make(folder)
                write(folder / _SIZES, json.dumps(_sizes(folder)))
        except OSError as error:
            if not _whole(place):  # else another process was faster: what it made is the same
                raise ValueError(
                    f"the cache {cache} cannot be written ({error}); set AUXLOOM_CACHE to another folder"
                ) from error
        _make_room(cache, place, limit)
        give_back()
    with suppress(OSError):  # a cache of others may be read without being updated
        os.utime(place)
    return place


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file in a folder, but for the list of them itself."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != _SIZES)
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def _whole(place: Path) -> bool:
    """Tell whether an entry is there with all that was written to it."""
    try:
        return bool(json.loads((place / _SIZES).read_bytes()) == _sizes(place))
    except (OSError, ValueError):
        return False


def _make_room(cache: Path, kept: Path, limit: int) -> None:
    """Remove the entries that were not used for the longest time, as long as all take more than the limit.

    What killed runs left unfinished goes in any case.
    """
    entries = []
    for item in cache.iterdir():
        with suppress(FileNotFoundError):  # another run makes room, too
            if item.name.startswith(TEMPORARY):
                if abandoned(item, time.time()):
                    remove(item)
            elif item.is_dir():
                entries.append((item.stat().st_mtime, sum(_sizes(item).values()), item))
    total = sum(size for _, size, _ in entries)
    for _, size, item in sorted(entries):
        if total <= limit:
            break
        if item != kept and drop(item):
            total -= size
