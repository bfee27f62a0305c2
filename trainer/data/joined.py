"""Layers of a dataset: their columns beside those of its rows, in the order of the same shards."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labelers.advice import OTHER_LAYER, unfinished
from labelers.task import Task, read_tasks

__all__ = ["MANIFEST", "Whole", "chosen_layers"]

MANIFEST = "auxloom.json"
_LAYERS, _PLAN = "layers", "plan.json"


def chosen_layers(root: Path, wanted: Sequence[str] | None = None) -> list[Path]:
    """Return the folders of a dataset's layers, in the order of their names.

    Args:
        root: of the dataset.
        wanted: the names of those to read; None: all.

    Raises:
        ValueError: there is no layer of a name, or it is unfinished.
    """
    places = sorted((root / _LAYERS).glob("*/"))
    known = {place.name: place for place in places if not place.name.startswith(".") and any(place.iterdir())}
    for name in wanted or ():
        if name not in known:
            raise ValueError(f"{root} has no layer {name!r}; it has {', '.join(known) or 'none'}")
    chosen = [place for name, place in known.items() if wanted is None or name in wanted]
    for place in chosen:
        if not (place / MANIFEST).is_file():
            raise ValueError(unfinished(root, place, _plan(place)))
    return chosen


def _plan(layer: Path) -> Mapping[str, Any] | None:
    """Return the plan of a layer; None where there is none that can be read."""
    try:
        found: Mapping[str, Any] = json.loads((layer / _PLAN).read_bytes())
    except (OSError, ValueError):
        return None
    return found


class Whole:
    """A dataset to which layers are added."""

    def __init__(self, root: Path, tables: Mapping[str, pa.Table]) -> None:
        """Start with the dataset alone.

        Args:
            root: its folder.
            tables: its splits.
        """
        self._root = root
        self.tables = dict(tables)
        self.manifests = [(root / MANIFEST).read_bytes()]
        """The manifests of the dataset and of each layer."""
        self.tasks: list[Task] = read_tasks(next(iter(tables.values())).schema) if tables else []
        self._places = dict.fromkeys([name for table in tables.values() for name in table.column_names], "the dataset")

    def add(self, layer: Path, tables: Mapping[str, pa.Table]) -> None:
        """Put the columns of a layer behind those that there are; none of them is copied.

        Raises:
            ValueError: it is a layer of other rows, or has a column or task that there is already.
        """
        for split in dict.fromkeys([*self.tables, *tables]):
            self._check_rows(layer, split, tables)
        self._check_base(layer)
        own = next(iter(tables.values())).schema if tables else pa.schema([])
        tasks, names = read_tasks(own), [name for name in own.names if name != "id"]
        for name in names:
            if name in self._places:
                raise ValueError(
                    f"the layer {layer.name} has a column {name!r} that {self._places[name]} also has; {OTHER_LAYER}"
                )
        twice = sorted({task.name for task in tasks} & {task.name for task in self.tasks})
        if twice:
            raise ValueError(f"the layer {layer.name} has a task {twice[0]!r} that already exists; {OTHER_LAYER}")
        for split, table in tables.items():
            for name in names:
                field = table.schema.field(name)
                self.tables[split] = self.tables[split].append_column(field, table.column(name))
        self._places |= dict.fromkeys(names, f"the layer {layer.name}")
        self.tasks += tasks
        self.manifests += [layer.name.encode(), (layer / MANIFEST).read_bytes()]

    def _check_rows(self, layer: Path, split: str, tables: Mapping[str, pa.Table]) -> None:
        """Refuse a layer with other rows in a split."""
        base, own = (
            part[split].column("id") if split in part else pa.chunked_array([], pa.string())
            for part in (self.tables, tables)
        )
        if base.equals(own):
            return
        common = min(len(base), len(own))
        unequal = pc.not_equal(base.slice(0, common), own.slice(0, common))
        row = pc.index(unequal, value=True).as_py()
        row = common if row < 0 else row
        mine, theirs = (repr(ids[row].as_py()) if row < len(ids) else "no row" for ids in (own, base))
        raise ValueError(
            f"the layer {layer.name} does not belong to the dataset {self._root}: row {row:,} of {split} is {mine} in "
            "the layer "
            f"and {theirs} in the dataset; {OTHER_LAYER}"
        )

    def _check_base(self, layer: Path) -> None:
        """Refuse a layer of a dataset whose rows have the same ids and another content."""
        stated = json.loads((layer / MANIFEST).read_bytes()).get("base", {})
        found = json.loads(self.manifests[0])
        if any(found.get(name, value) != value for name, value in stated.items()):
            raise ValueError(
                f"the layer {layer.name} belongs to another dataset than {self._root}, whose rows have the same ids; "
                f"{OTHER_LAYER}"
            )
