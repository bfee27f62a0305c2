"""A dataset on disk as memory-mapped columns and flat arrays; no row ever becomes a Python object."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelers.advice import RUN_DATASET, damaged, no_dataset, restore
from labelers.paths import resolve
from labelers.ragged import BoolArray, IntArray, Ragged, ranges, running_total
from labelers.stores.copies import dataset_folder
from labelers.stores.uri import is_stored
from labelers.task import SECOND, SOURCE, WOVEN, Task
from trainer.data.joined import MANIFEST, Whole, chosen_layers
from trainer.kinds import untrained

__all__ = ["TRAIN", "Dataset", "Split", "Types"]

STATS = "stats"
TRAIN = "train"
SPLITS = (TRAIN, "validation", "test")

_PART_ROWS = 2048
"""Rows that are encoded at a time."""


class Types:
    """Distinct strings and their codes, in the order in which they were met."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def encode(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """Return the code of each string, int32 [N]; one look-up per distinct string."""
        coded = values.dictionary_encode()
        known = self.codes
        table = np.array([known.setdefault(text, len(known)) for text in coded.dictionary.to_pylist()], np.int32)
        result: npt.NDArray[np.int32] = table[coded.indices.to_numpy()]
        return result


@dataclass(frozen=True)
class Split:
    """One split: its rows in the order of its shards, or some of them."""

    name: str
    table: pa.Table = field(repr=False)
    """Memory-mapped."""
    rows: IntArray | None = field(default=None, repr=False)
    """int64 [P]: the rows of the table that are read, rising; None: all."""

    def __len__(self) -> int:
        return int(self.table.num_rows) if self.rows is None else len(self.rows)

    def parts(self, rows: int = _PART_ROWS) -> Iterator["Split"]:
        """Yield the split as parts of at most so many rows, none of them empty."""
        for start in range(0, len(self), rows):
            if self.rows is None:
                yield Split(self.name, self.table.slice(start, rows))
            else:
                yield replace(self, rows=self.rows[start : start + rows])

    def chosen(self, rows: IntArray) -> "Split":
        """Return the split with the given rows alone, rising; a column of it takes no more memory than these do."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def column(self, path: str) -> pa.ChunkedArray:
        """Return the column at a dotted path (`labelers.paths.resolve`)."""
        try:
            first, *rest = resolve(path, self.table.schema)
        except KeyError as error:
            raise ValueError(f"split {self.name} has {error.args[0]}") from None
        value = self.table.column(first)
        for name in rest:
            value = pc.struct_field(value, [value.type.get_field_index(name)])
        return value if self.rows is None else _taken(value, self.rows)

    def present(self, path: str) -> BoolArray:
        """Tell which rows have a value in a column: not null, not below 0, not NaN; bool [P]."""
        value = self.column(path)
        if pa.types.is_floating(value.type):
            found = pc.invert(pc.is_nan(value)).fill_null(False)
            return np.asarray(found.to_numpy(zero_copy_only=False), bool)
        return self.integers(path) >= 0

    def integers(self, path: str) -> IntArray:
        """Return a column of nullable integers or booleans as int64 [P], -1 for null."""
        value = self.column(path).cast(pa.int64()).fill_null(-1)
        result: IntArray = value.to_numpy()
        return result

    def floats(self, path: str) -> npt.NDArray[np.float32]:
        """Return a column of nullable floats as float32 [P], 0 for null."""
        result: npt.NDArray[np.float32] = self.column(path).cast(pa.float32()).fill_null(0).to_numpy()
        return result

    def spans(self, path: str) -> IntArray:
        """Return a column of nullable {start, end} as int64 [P, 2], -1 for null."""
        return np.stack([self.integers(f"{path}.start"), self.integers(f"{path}.end")], axis=1)

    def ragged(self, path: str, types: Types | None = None) -> Ragged:
        """Return a column of lists of numbers or booleans, or with ``types`` of strings, as their codes."""
        lengths: list[npt.NDArray[Any]] = [np.empty(0, np.int64)]
        values: list[npt.NDArray[Any]] = []
        for chunk in self.column(path).chunks:
            lengths.append(pc.list_value_length(chunk).fill_null(0).to_numpy())
            flat = chunk.flatten()
            values.append(flat.to_numpy(zero_copy_only=False) if types is None else types.encode(flat))
        return Ragged.of(np.concatenate(lengths), np.concatenate(values) if values else np.empty(0, np.int32))

    def tokens(self, sequence: str, types: Types) -> Ragged:
        """Return the tokens of a sequence as codes: the view's where it holds any, else the source's."""
        if sequence == SECOND:
            return self.ragged(f"{SECOND}.tokens", types)
        source = self.ragged("tokens", types)
        if not self._has(sequence, "tokens"):
            return source
        own = self.ragged(f"{sequence}.tokens", types)
        return own.where(own.lengths > 0, source)

    def origins(self, sequence: str) -> Ragged:
        """Return for each token of a sequence its position in the source, -1 where it was inserted, or is no copy."""
        if sequence == SECOND:
            second = self.ragged(f"{SECOND}.spaces")
            return Ragged(second.offsets, np.full(len(second.values), -1, np.int32))
        lengths = pc.list_value_length(self.column("tokens")).to_numpy()
        source = Ragged.of(lengths, ranges(np.zeros(len(lengths), np.int64), lengths))
        if not self._has(sequence, "origin"):
            return source
        own = self.ragged(f"{sequence}.origin")
        return own.where(own.lengths > 0, source)

    def joined(self, sequence: str) -> Ragged:
        """Return of each token of a sequence whether no space stands before it.

        A token of a view has the space of the token that it copies; before an inserted one, and the first one of a row,
        there is one.
        """
        spaces = self.ragged(f"{SECOND}.spaces" if sequence == SECOND else "spaces")
        joined = ~np.roll(spaces.values.astype(bool), 1)
        joined[spaces.offsets[:-1][spaces.lengths > 0]] = False
        if sequence == SECOND or not self._has(sequence, "origin"):
            return Ragged(spaces.offsets, joined)
        origin = self.origins(sequence)
        copied = joined[np.minimum(spaces.offsets[origin.owners] + origin.values, max(len(joined) - 1, 0))]
        return Ragged(origin.offsets, copied & (origin.values >= 0))

    def documents(self, types: Types | None = None) -> IntArray:
        """Return a number for the document of each row, int64 [P]; equal where the documents are.

        Of parts of a split they are equal if all are given the same ``types``.
        """
        types = Types() if types is None else types
        parts = [types.encode(chunk) for chunk in self.column("document").chunks]
        return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)

    def views(self) -> list[str]:
        """Return the names of the views of the source."""
        return [name for name in self.table.column_names if self._has(name, "tokens") and self._has(name, "origin")]

    def _has(self, sequence: str, name: str) -> bool:
        """Tell whether a sequence has a column of its own."""
        if sequence == SOURCE or sequence not in self.table.column_names:
            return False
        kind = self.table.schema.field(sequence).type
        return bool(pa.types.is_struct(kind) and kind.get_field_index(name) >= 0)


def _taken(column: pa.ChunkedArray, rows: IntArray) -> pa.ChunkedArray:
    """Return some rows of a column, rising, chunk by chunk: at once they would be taken from a copy of it all."""
    starts = running_total(np.array([len(chunk) for chunk in column.chunks], np.int64))
    cuts = np.searchsorted(rows, starts)
    taken = [
        chunk.take(pa.array(rows[first:last] - start))
        for chunk, start, first, last in zip(column.chunks, starts[:-1], cuts[:-1], cuts[1:], strict=True)
    ]
    return pa.chunked_array(taken, column.type)


@dataclass(frozen=True)
class Dataset:
    """A finished dataset: its tasks and its splits."""

    path: Path
    digest: str
    """Of its manifest and those of its layers: two datasets with the same digest hold the same rows."""
    tasks: tuple[Task, ...]
    splits: Mapping[str, Split]
    place: str = ""
    """The URI that names it, if it lies in a store; then ``path`` is that of a copy."""

    @property
    def name(self) -> str:
        """What errors and reports call it."""
        return self.place or str(self.path)

    @classmethod
    def open(cls, path: str | Path, layers: Sequence[str] | None = None, *, train: bool = True) -> Self:
        """Open the dataset at a path or URI, with the columns and tasks of its layers.

        One in a store is copied to the cache of this machine.

        Args:
            path: of the dataset.
            layers: names of the layers to read; None: all.
            train: it must have train rows.

        Raises:
            FileNotFoundError: there is no dataset, or its build did not end.
            ValueError: it has no tasks, no rows, or no train rows where it must, a task of a kind that this version
                does not know, a file that is missing or not what the build wrote, a layer that is unfinished or of
                other rows.
        """
        root = dataset_folder(path)
        manifest = root / MANIFEST
        if not manifest.is_file():
            raise FileNotFoundError(_missing(root))
        whole = Whole(root, dict(_tables(root)))
        for layer in chosen_layers(root, layers):
            whole.add(layer, dict(_tables(layer)))
        splits = {name: Split(name, table) for name, table in whole.tables.items()}
        if not splits or (train and TRAIN not in splits):
            raise ValueError(
                f"the dataset {root} has no {'train ' if splits else ''}rows; give one that `auxloom build` wrote from "
                "more text"
            )
        first = next(iter(splits.values()))
        tasks = [_with_view(task, first) for task in whole.tasks]
        if not tasks:
            raise ValueError(
                f"the dataset {root} has no tasks; build it with labelers: `auxloom build ... --with NAME`"
            )
        for task in tasks:
            untrained(task)  # raises if its kind is unknown
        digest = hashlib.blake2b(b"".join(whole.manifests), digest_size=16).hexdigest()
        return cls(root, digest, tuple(tasks), splits, str(path) if is_stored(str(path)) else "")

    def roles(self) -> list[str]:
        """Return all roles: the classes of tasks over roles first, then those of the train split by frequency."""
        classes = [name for task in self.tasks if task.hide_roles for name in task.classes]
        types, counts = Types(), np.zeros(0, np.int64)
        for part in self.splits["train"].parts():
            codes = part.ragged("roles", types).values
            counts = np.append(counts, np.zeros(len(types) - len(counts), np.int64))
            counts += np.bincount(codes, minlength=len(types))
        count = dict(zip(types.codes, counts.tolist(), strict=True))
        rest = sorted(count, key=lambda role: (-count[role], role))
        return list(dict.fromkeys([*classes, *rest]))

    def reading(self) -> dict[str, Any]:
        """Return how its input became rows, so that more text can be read alike: tables ``text``, ``labels`` and more.

        ``text`` has the names that `labelers.text.segmenter.Segmenter` gives them, ``labels`` those of a recipe.
        ``second``, the field with second texts, and ``licences``, one for each input, stand in it if they were given.
        It is empty without a plan.json, which datasets of other tools do not have.
        """
        plan = self.path / "plan.json"
        if not plan.is_file():
            return {}
        recipe = _json(plan).get("recipe", {})
        text = {key: value for key, value in recipe.get("text", {}).items() if key in ("lang", "newline", "normalise")}
        size = {key: value for key, value in recipe.get("passage", {}).items() if key == "max_tokens"}
        found = {"text": text | size, "labels": recipe.get("labels", {})}
        return found | _of_inputs(recipe.get("input", {}))


def _of_inputs(tables: Any) -> dict[str, Any]:
    """Return what a recipe says of its input: the field of second texts and the licences, each if it is said."""
    tables = tables if isinstance(tables, list) else [tables]
    second = next((table["second"] for table in tables if table.get("second")), "")
    licences = [table.get("licence", "") for table in tables]
    return ({"second": second} if second else {}) | ({"licences": licences} if any(licences) else {})


def _with_view(task: Task, split: Split) -> Task:
    """Return a task that is trained on the view of a labeler with the view that has its edits: it may be woven."""
    views = split.views()
    if task.on in split.table.column_names and task.on not in views and WOVEN in views:
        return replace(task, on=WOVEN)
    return task


def _missing(root: Path) -> str:
    """Say why a folder without a manifest is no dataset, and what to do."""
    if not root.exists():
        return f"no such folder: {root}; give a dataset that `auxloom build` wrote"
    if (root / "plan.json").exists() or any(root.glob("*/*.arrow")):
        return (
            f"the dataset {root} is unfinished (it has no {MANIFEST}); run the same `auxloom build` again to finish it"
        )
    return no_dataset(root, MANIFEST, inner=(root / RUN_DATASET / MANIFEST).exists())


def _tables(root: Path) -> Iterator[tuple[str, pa.Table]]:
    """Yield the name and the memory-mapped rows of each split that has any."""
    digests = _digests(root, _marks(root))
    for name in digests:
        if not (root / name).exists():
            raise ValueError(f"{root / name} is missing; {restore(root / name)}")
    for name in SPLITS:
        files = sorted((root / name).glob("data-*.arrow"))
        parts = [_rows(file, digests.get(f"{name}/{file.name}")) for file in files]
        for file, part in zip(files, parts, strict=True):
            if part.schema != parts[0].schema:
                raise ValueError(damaged(file, f"its columns differ from those of {files[0]}"))
        if parts and sum(part.num_rows for part in parts):
            yield name, pa.concat_tables(parts)


def _marks(root: Path) -> list[dict[str, Any]]:
    """Return what the build noted of each unit; units are counted in the manifest, so a lost mark is missed."""
    units = _json(root / MANIFEST).get("units")
    files = [root / STATS / f"{unit:05d}.json" for unit in range(units or 0)]
    for file in files:
        if not file.exists():
            raise ValueError(f"{file} is missing; {restore(file)}")
    return [_json(file) for file in files or sorted((root / STATS).glob("*.json"))]


def _json(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file of the build."""
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(damaged(file, f"it is not valid JSON: {error}")) from None
    return found


def _digests(root: Path, marks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the sha256 of each shard of a dataset, as the build noted it; a split without rows keeps no shard."""
    rows: Counter[str] = Counter()
    for mark in marks:
        rows.update({split: facts["rows"] for split, facts in mark.get("splits", {}).items()})
    files = (item for mark in marks for item in mark["files"].items() if item[0].endswith(".arrow"))
    # where nothing was counted, what was written must be there
    return {
        name: facts["sha256"] for name, facts in files if rows.get(name.partition("/")[0], 1) or (root / name).exists()
    }


def _rows(shard: Path, sha256: str | None) -> pa.Table:
    """Return the memory-mapped rows of a shard, once its bytes are known to be those that were written.

    Arrow takes offsets as they are: a single wrong one may end the process.
    """
    with shard.open("rb") as file:
        if sha256 and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ValueError(damaged(shard, "its sha256 does not match the build"))
    try:
        return pa.ipc.open_stream(pa.memory_map(str(shard))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(damaged(shard, f"it is not an Arrow stream: {error}")) from None
