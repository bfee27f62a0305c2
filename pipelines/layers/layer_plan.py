"""The plan of a layer: that of its base, but for what labels the rows; nothing is scanned."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from labelers.labeler import Labeler
from labelers.stores.uri import below
from pipelines.folder.layout import LAYERS, MANIFEST, PLAN, POOL, Folder, digest_json, no_dataset_at, shard_name
from pipelines.folder.schema import corpus_schema
from pipelines.layers.folders import base_of, check_columns
from pipelines.plans.plan import Plan, identity, installed_versions
from pipelines.recipes.loading import load_labelers
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe

__all__ = ["draft_layer", "fill_layer", "frequent", "layer_recipe", "named", "read_base"]


def read_base(dataset: str) -> tuple[Folder, Plan, Mapping[str, Any]]:
    """Return folder, plan and manifest of a finished dataset.

    Raises:
        FileNotFoundError: there is no dataset.
        RecipeError: it is unfinished, or a layer itself.
    """
    folder = Folder.at(dataset)
    if not folder.is_file(PLAN):
        raise FileNotFoundError(no_dataset_at(folder, dataset))
    if not folder.is_file(MANIFEST):
        raise RecipeError(
            f"the dataset {dataset} is unfinished (it has no {MANIFEST}); run the same `auxloom build` again first"
        )
    plan = Plan.read(folder)
    if plan.base:
        raise RecipeError(f"{dataset} is a layer; give the dataset that it belongs to, {base_of(folder).path}")
    manifest: Mapping[str, Any] = folder.read_json(MANIFEST)
    return folder, plan, manifest


def named(name: str) -> str:
    """Return the name of a layer.

    Raises:
        RecipeError: it cannot be that of a folder, or a list of layers would not show where it ends.
    """
    if not name or name.startswith(".") or any(letter in name for letter in "/\\, "):
        raise RecipeError(
            f"a layer cannot be named {name!r}; give a --name without slashes, commas or spaces that does not start "
            "with a dot"
        )
    return name


def layer_recipe(dataset: str, plan: Plan, name: str, data: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a layer: that of the base, with separate views and without what is the base's own.

    Args:
        dataset: the base, as the user gave it.
        plan: of the base.
        name: of the layer.
        data: tables of the layer, which replace those of the base.
    """
    stored = plan.recipe.stored()
    tables = stored["input"] if isinstance(stored["input"], list) else [stored["input"]]
    inputs = [{key: value for key, value in table.items() if key != "labels"} for table in tables]
    mine = {"out": below(dataset, f"{LAYERS}/{named(name)}"), "views": "separate", "copies": 1, "input": inputs}
    rest = {key: value for key, value in stored.items() if key not in {"labels", "labelers", "train", *_TRAINING}}
    return make_recipe({**rest, **mine, **data})


_TRAINING = ("model", "task", "phase")


def draft_layer(
    recipe: Recipe,
    base: Plan,
    manifest: Mapping[str, Any],
    *,
    joined: Mapping[str, Any] | None = None,
    taught: Mapping[str, Any] | None = None,
    labels: Any = None,
) -> Plan:
    """Return the plan of a layer.

    Args:
        recipe: of the layer.
        base: the plan of its base.
        manifest: of the base.
        joined: how annotations are matched to its rows; see `Plan.joined`.
        taught: which model labels them; see `Plan.taught`.
        labels: their classes; see `Plan.labels`.

    Raises:
        RecipeError: a column that the base or another layer has, or a field that the base does not keep.
    """
    layer = Folder.at(recipe.out)
    folder = base_of(layer)
    labelers, resources = load_labelers(recipe)
    plan = replace(
        base,
        recipe=recipe,
        skipped=(),
        labelers={item.name: {"version": item.version, "resources": resources[item.name]} for item in labelers},
        versions=installed_versions(),
        earlier="",
        classes=_classes(folder, base, labelers),
        labels=labels or {},
        dropped={},
        held_out="",
        base={"plan": base.digest, "rows_blake2b": manifest["rows_blake2b"]},
        joined=joined or {},
        taught=taught or {},
        merged={},
    )
    corpus_schema(recipe, labelers, plan.classes or {}, plan.spaces, layer=True)  # two columns of one name are an error
    columns = [*(space.name for space in plan.spaces), *(item.name for item in labelers)]
    check_columns(folder, base, layer.path.rpartition("/")[2], columns, plan.spaces)
    return replace(plan, digest=digest_json(identity(plan.to_json())))


def fill_layer(plan: Plan, settle: Callable[[Plan], bytes]) -> Plan:
    """Write the pool, which is the base's, and plan.json; see `pipelines.plans.planning.fill`."""
    folder = Folder.at(plan.recipe.out)
    data = settle(plan)
    folder.make()
    folder.write(POOL, base_of(folder).read(POOL))
    folder.write(PLAN, data)
    return replace(Plan.from_json(json.loads(data)), recipe=plan.recipe)


def _classes(folder: Folder, plan: Plan, labelers: Sequence[Labeler]) -> dict[str, tuple[str, ...]]:
    """Return the classes that a labeler may ask for: those of the base, or where it needed none, those of its rows.

    Raises:
        RecipeError: a labeler needs a field that the rows do not have.
    """
    found = dict(plan.classes or {})
    for labeler in labelers:
        for name in labeler.needs_classes:
            if name not in found and name != "roles" and name not in plan.recipe.keep:
                raise RecipeError(
                    f"the labeler {labeler.name!r} needs classes of the field {name!r}, which the rows of "
                    f"{folder.path} do not have; build the dataset with {name} in [input] keep"
                )
            if name not in found:
                found[name] = frequent(plan.recipe, name, *_counted(folder, plan, name))
    return found


def _counted(folder: Folder, plan: Plan, field: str) -> tuple[Counter[str], int]:
    """Return in how many train documents each value of a field stands, and how many there are."""
    values: dict[str, set[str]] = {}
    for unit in range(len(plan.units)):
        shard = shard_name("train", unit, len(plan.units))
        if folder.is_file(shard):
            with folder.open(shard) as file:
                for batch in pa.ipc.open_stream(file):
                    column = batch.column(field).to_pylist()
                    for document, value in zip(batch.column("document").to_pylist(), column, strict=True):
                        known = values.setdefault(document, set())
                        known.update(value if isinstance(value, list) else () if value is None else (str(value),))
    return Counter(value for known in values.values() for value in known), len(values)


_RARE_SHARE, _RARE_DOCUMENTS = 0.05, 200  # a class stands in so many train documents, or in so large a share


def frequent(recipe: Recipe, field: str, counts: Mapping[str, int], documents: int) -> tuple[str, ...]:
    """Return the classes of a field, sorted: the most frequent values that are not rare.

    Args:
        recipe: of the dataset.
        field: a kept field, or ``roles``.
        counts: in how many train documents each value stands.
        documents: how many there are.
    """
    least = _RARE_SHARE * documents if field == "roles" else min(_RARE_SHARE * documents, _RARE_DOCUMENTS)
    ordered = [(-n, value) for value, n in counts.items() if n >= least]
    return tuple(sorted(value for _, value in sorted(ordered)[: recipe.plan.max_classes]))
