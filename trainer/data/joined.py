"""Layers of a dataset: their columns beside those of its rows, in the order of the same shards."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

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
            raise ValueError(
                f"the layer {place.name} of {root} is unfinished; finish it: {_finishing(root, place)}, or leave it "
                "out with --layers or --no-layers"
            )
    return chosen


def _finishing(root: Path, layer: Path) -> str:
    """Return the command that finishes a layer."""
    try:
        plan = json.loads((layer / _PLAN).read_bytes())
        labelers = plan["recipe"]["with"]
    except (OSError, ValueError, KeyError):
        return f"run the command that began it again, or remove {layer}"
    if plan.get("joined"):
        return f"run the same auxloom join {shlex.quote(str(root))} again"
    if plan.get("taught"):
        return f"run the same auxloom predict ... {shlex.quote(str(root))} --layer {layer.name} again"
    words = [word for item in labelers for word in ("--with", item)]
    options = " with the same --set" if plan["recipe"].get("labelers") else ""
    return shlex.join(["auxloom", "label", str(root), *words, "--name", layer.name]) + options


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
                    f"the layer {layer.name} has a column {name!r}, which {self._places[name]} has, too; {_WAY}"
                )
        twice = sorted({task.name for task in tasks} & {task.name for task in self.tasks})
        if twice:
            raise ValueError(f"the layer {layer.name} has a task {twice[0]!r}, which there is already; {_WAY}")
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
            f"the layer {layer.name} is not of the dataset {self._root}: row {row:,} of {split} is {mine} in the layer "
            f"and {theirs} in the dataset; {_WAY}"
        )

    def _check_base(self, layer: Path) -> None:
        """Refuse a layer of a dataset whose rows have the same ids and another content."""
        told = json.loads((layer / MANIFEST).read_bytes()).get("base", {})
        found = json.loads(self.manifests[0])
        if any(found.get(name, value) != value for name, value in told.items()):
            raise ValueError(
                f"the layer {layer.name} is of another dataset than {self._root}, whose rows have the same ids; {_WAY}"
            )


_WAY = "leave it out with --layers or --no-layers, or make it again"
