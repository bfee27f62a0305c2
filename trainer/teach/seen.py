"""Which rows a model was trained on: those of its own dataset that had a label of a task in the train split."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from labelers.place import local
from labelers.stores.opening import opened_place
from labelers.stores.reading import read_whole
from labelers.stores.uri import below, is_stored
from trainer.data.dataset import TRAIN, Dataset
from trainer.data.joined import MANIFEST
from trainer.folder import RunFolder
from trainer.kinds import kind_of
from trainer.mark import Mark

__all__ = ["keys_of", "seen_by", "trained_on"]

_BETWEEN = "\x1f"
_MOST_LAYERS = 10
"""Layers of which all subsets are tried; of more, all and none."""


def keys_of(tokens: pa.ListArray | pa.ChunkedArray) -> list[bytes]:
    """Return a digest of the tokens of each row."""
    texts = pc.binary_join(tokens, _BETWEEN).to_pylist()
    return [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest() for text in texts]


def trained_on(
    run: RunFolder, near: str | Path, layers: Sequence[str] | None = None
) -> tuple[str, Sequence[str]] | None:
    """Return where the dataset lies that a run was trained on, and with which layers; None if it is not there.

    Args:
        run: the run.
        near: a dataset that it may be, beside the place that the report of the run names.
        layers: with which, if it is the dataset that was given; None: any that fit.
    """
    digest = Mark.read(run.mark).dataset
    named = [str(near), *([run.known_report()["dataset"]["path"]] if run.report.exists() else [])]
    places = [name if is_stored(name) else str(local(name, "a dataset").resolve()) for name in named]
    tried = [(places[0], sorted(layers))] if layers is not None else []
    tried += [(place, chosen) for place in places[layers is not None :] for chosen in _layers(place)]
    return next(((place, chosen) for place, chosen in tried if _digest(place, chosen) == digest), None)


def _layers(place: str) -> list[list[str]]:
    """Return the sets of layers that a run may have been trained with."""
    system, path = opened_place(below(place, "layers"))
    found = system.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    names = sorted(
        info.base_name for info in found if not info.is_file and _manifest(place, f"layers/{info.base_name}/")
    )
    sizes = range(len(names), -1, -1) if len(names) <= _MOST_LAYERS else (len(names), 0)
    return [list(chosen) for size in sizes for chosen in itertools.combinations(names, size)]


def _manifest(place: str, folder: str = "") -> bytes:
    """Return the manifest of a dataset or of a layer in it, nothing where there is none."""
    try:
        return read_whole(*opened_place(below(place, f"{folder}{MANIFEST}")))
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _digest(place: str, layers: Sequence[str]) -> str:
    """Return the digest that `Dataset.open` gives a dataset with some layers; "" where there is none."""
    manifests = [_manifest(place), *(_manifest(place, f"layers/{name}/") for name in layers)]
    if not all(manifests):
        return ""
    own, *others = manifests
    parts = [own, *(part for pair in zip((name.encode() for name in layers), others, strict=True) for part in pair)]
    return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()


def seen_by(place: str, layers: Sequence[str], tasks: Iterable[str]) -> dict[str, frozenset[bytes]]:
    """Return for each task the keys of the train rows that had a label of it."""
    data, wanted = Dataset.open(place, layers), set(tasks)
    train = data.splits[TRAIN]
    keys = np.array(keys_of(train.column("tokens")), object)
    return {
        task.name: frozenset(keys[kind_of(task).present(train, task)].tolist())
        for task in data.tasks
        if task.name in wanted
    }
