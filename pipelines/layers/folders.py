"""Layers of a dataset: further label columns for its rows, each a folder below ``layers/`` that is complete in itself.

A layer has the splits, shards and rows of its base, but of their columns only ``id``. It names no path: the base is
the folder two above, so that both are moved and copied as one.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.advice import nearest, unfinished
from labelers.label_space import LabelSpace
from pipelines.folder.layout import LAYERS, MANIFEST, PLAN, SPLITS, TEMPORARY, Folder, shard_name
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import RecipeError, table_name

__all__ = [
    "base_of",
    "check_columns",
    "chosen_layers",
    "layer_at",
    "layer_names",
    "misaligned",
    "shard_schema",
]


def base_of(folder: Folder) -> Folder:
    """Return the dataset whose layer lies in a folder."""
    return Folder(folder.fs, folder.path.rsplit("/", 2)[0])


def layer_at(folder: Folder, name: str) -> Folder:
    """Return the folder of a layer of a dataset."""
    return Folder(folder.fs, folder.full(f"{LAYERS}/{name}"))


def layer_names(folder: Folder) -> list[str]:
    """Return the names of a dataset's layers, finished or not, sorted."""
    selector = pafs.FileSelector(folder.full(LAYERS), allow_not_found=True)
    infos = folder.fs.get_file_info(selector)
    found = [info.base_name for info in infos if info.type == pafs.FileType.Directory]
    return sorted(name for name in found if not name.startswith(TEMPORARY) and folder.names(f"{LAYERS}/{name}"))


def chosen_layers(folder: Folder, dataset: str, wanted: Sequence[str] | None = None) -> list[str]:
    """Return the layers to read beside a dataset, in the order of their names.

    Args:
        folder: of the dataset.
        dataset: what the user calls it.
        wanted: their names; None: all.

    Raises:
        RecipeError: there is no layer of a name, or it is unfinished.
    """
    known = layer_names(folder)
    for name in wanted or ():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise RecipeError(f"{dataset} has no layer {name!r}{nearest(name, known)}; {has}")
    chosen = [name for name in known if wanted is None or name in wanted]
    for name in chosen:
        if not layer_at(folder, name).is_file(MANIFEST):
            raise RecipeError(_unfinished(folder, dataset, name))
    return chosen


def _unfinished(folder: Folder, dataset: str, name: str) -> str:
    """Return the sentence about a layer without a manifest."""
    layer = layer_at(folder, name)
    plan = layer.read_json(PLAN) if layer.is_file(PLAN) else None
    return unfinished(dataset, PurePosixPath(layer.path), plan)


def shard_schema(folder: Folder, units: int) -> pa.Schema | None:
    """Return the schema of the first shard of a dataset; None where it has no shard."""
    for split in SPLITS:
        for unit in range(units):
            name = shard_name(split, unit, units)
            if folder.is_file(name):
                with folder.open(name) as file:
                    return pa.ipc.open_stream(file).schema
    return None


def taken(folder: Folder, plan: Plan, without: str = "") -> Iterator[tuple[str, str]]:
    """Yield each column of a dataset and its layers, and where it stands.

    Args:
        folder: of the dataset.
        plan: of the dataset.
        without: a layer that does not count.
    """
    schema = shard_schema(folder, len(plan.units))
    yield from ((name, "the dataset") for name in (schema.names if schema else ()))
    for name in layer_names(folder):
        layer = layer_at(folder, name)
        if name != without and layer.is_file(PLAN):
            recipe = Plan.read(layer).recipe
            yield from ((column, f"its layer {name}") for column in (*map(table_name, recipe.with_), *recipe.labels))


def check_columns(folder: Folder, plan: Plan, layer: str, columns: Sequence[str], spaces: Sequence[LabelSpace]) -> None:
    """Refuse a layer with a column that a dataset has already.

    Raises:
        RecipeError: it has one.
    """
    places = dict(taken(folder, plan, layer))
    for name in columns:
        if name in places:
            way = f"rename the label, such as --label {name}2=..." if spaces else "it needs no second one"
            raise RecipeError(f"{places[name]} in {folder.path} already has a column {name!r}; {way}")


def misaligned(base: Folder, layer: Folder, units: int) -> Iterator[str]:
    """Yield the first row of each shard of a layer that is not the row of its base."""
    for split in SPLITS:
        for unit in range(units):
            name = shard_name(split, unit, units)
            if base.is_file(name) != layer.is_file(name):
                yield f"{name} is missing in {(layer if base.is_file(name) else base).path}"
            elif base.is_file(name):
                yield from _differing(name, _ids(base, name), _ids(layer, name))


def _ids(folder: Folder, shard: str) -> list[str]:
    """Return the ids of the rows of a shard."""
    with folder.open(shard) as file:
        return [name for batch in pa.ipc.open_stream(file) for name in batch.column("id").to_pylist()]


def _differing(shard: str, base: Sequence[str], layer: Sequence[str]) -> Iterator[str]:
    """Yield in which row two shards have different ids first."""
    if base != layer:
        row = next((i for i, (a, b) in enumerate(zip(base, layer, strict=False)) if a != b), min(len(base), len(layer)))
        here, there = (repr(ids[row]) if row < len(ids) else "no row" for ids in (layer, base))
        yield f"{shard}: row {row:,} is {here}, but {there} in the base"
