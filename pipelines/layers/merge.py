"""A dataset and its layers in one folder, which needs no other to be read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from labelers.advice import OTHER_LAYER, restore
from labelers.task import read_tasks, write_tasks
from pipelines.folder.books import add_up
from pipelines.folder.finish import finish
from pipelines.folder.layout import (
    DROPPED,
    HELD_OUT,
    MANIFEST,
    PLAN,
    POOL,
    SPLITS,
    STATS,
    Folder,
    Pending,
    digest_json,
    keys_name,
    rejects_name,
    shard_name,
    stats_name,
    to_json,
)
from pipelines.folder.lock import locked
from pipelines.folder.marks import done_stats, seal
from pipelines.folder.out_folder import check_free
from pipelines.folder.schema import dataset_features
from pipelines.layers.folders import chosen_layers, layer_at, shard_schema
from pipelines.layers.layer_plan import read_base
from pipelines.plans.plan import Plan, identity, plan_bytes
from pipelines.recipes.recipe import RecipeError
from pipelines.rows.writer import ShardWriter

__all__ = ["merge"]


def merge(dataset: str, out: str, layers: Sequence[str] | None = None) -> Mapping[str, Any]:
    """Write a dataset with the columns of its layers into another folder, and return its manifest.

    A merge that was broken off goes on with the units that are missing.

    Args:
        dataset: path or URI of a finished dataset.
        out: of the new one.
        layers: names of the layers to take; None: all.

    Raises:
        ValueError: an unfinished layer, one of other rows, or an output folder that holds something else.
        OSError: a unit of the dataset or of a layer is damaged.
    """
    folder, base, manifest = read_base(dataset)
    names = chosen_layers(folder, dataset, layers)
    if not names:
        raise RecipeError(f"{dataset} has no layer to merge; make one with `auxloom label` or `auxloom join`")
    check_free(out)
    new = Folder.at(out)
    parts = [_Part(folder, base, "")]
    for name in names:
        layer = layer_at(folder, name)
        parts.append(_Part(layer, Plan.read(layer), name))
        if parts[-1].plan.base != {"plan": base.digest, "rows_blake2b": manifest["rows_blake2b"]}:
            raise RecipeError(f"the layer {name} belongs to another dataset than {dataset}; {OTHER_LAYER}")
    merged = {
        "base": {"plan": base.digest, "rows_blake2b": manifest["rows_blake2b"]},
        "layers": {part.name: part.folder.read_json(MANIFEST)["rows_blake2b"] for part in parts[1:]},
    }
    plan = replace(base, recipe=base.recipe.model_copy(update={"out": out}), merged=merged)
    plan = replace(plan, digest=digest_json(identity(plan.to_json())))
    schema = _schema(parts)
    with locked(new, None):
        _write_plan(plan, folder, new)
        for unit in range(len(plan.units)):
            if done_stats(new, plan, unit) is None:
                _Unit(unit, plan, new, schema, parts).write()
        found = finish(plan, out)
    if found is None:
        raise OSError(f"units of {out} are missing; run the same merge again")
    return found


@dataclass(frozen=True)
class _Part:
    """The dataset or a layer of it."""

    folder: Folder
    plan: Plan
    name: str


def _write_plan(plan: Plan, base: Folder, new: Folder) -> None:
    """Write the plan and what stands beside it, unless this very plan is there."""
    new.make()
    if new.is_file(PLAN):
        if Plan.read(new).digest != plan.digest:
            raise RecipeError(f"{new.path} contains another dataset; give another --out")
        return
    held_out = [HELD_OUT] if plan.held_out else []
    for name in (POOL, *held_out, *(f"{DROPPED}/{int(unit):05d}.json" for unit in plan.dropped or {})):
        new.write(name, base.read(name))
    new.write(PLAN, plan_bytes(plan))


def _schema(parts: Sequence[_Part]) -> pa.Schema:
    """Return the schema of all columns, with all tasks.

    Raises:
        RecipeError: two columns of one name.
    """
    fields, tasks, owners = list[pa.Field](), [], dict[str, str]()
    for part in parts:
        schema = shard_schema(part.folder, len(part.plan.units))
        if schema is None:
            raise RecipeError(f"{part.folder.path} has no rows to merge")
        tasks += read_tasks(schema)
        for field in schema:
            if field.name in owners and not (part.name and field.name == "id"):
                raise RecipeError(
                    f"{owners[field.name] or 'the dataset'} and {part.name} both have a column {field.name!r}; "
                    f"{OTHER_LAYER}"
                )
            if field.name not in owners:
                fields.append(field)
            owners.setdefault(field.name, part.name)
    found = write_tasks(pa.schema(fields), tasks)
    text = json.dumps({"info": {"features": dataset_features(found, tasks)}}, ensure_ascii=False, separators=(",", ":"))
    return found.with_metadata({**found.metadata, b"huggingface": text.encode()})


@dataclass(frozen=True)
class _Unit:
    """One unit of the new dataset."""

    unit: int
    plan: Plan
    new: Folder
    schema: pa.Schema
    parts: Sequence[_Part]

    def write(self) -> None:
        """Write and commit it."""
        marks = [done_stats(part.folder, part.plan, self.unit) for part in self.parts]
        for part, mark in zip(self.parts, marks, strict=True):
            if mark is None:
                raise OSError(f"unit {self.unit} of {part.folder.path} is damaged; {restore(part.folder.path)}")
        pending: list[Pending] = []
        try:
            splits = {split: self._shard(split, pending) for split in SPLITS}
            for name, parts in ((keys_name(self.unit), self.parts[:1]), (rejects_name(self.unit), self.parts)):
                found = [part.folder.read(name) for part in parts if part.folder.is_file(name)]
                if found:
                    self._pend(name, b"".join(found), pending)
            self._pend(stats_name(self.unit), to_json(self._mark(marks, splits, pending)), pending)
            *files, last = pending
            for item in files:
                item.commit()
            self.new.sync({item.name.partition("/")[0] for item in files} - {STATS})
            last.commit()
            self.new.sync([STATS])
        except BaseException:
            for item in pending:
                item.discard()
            raise

    def _shard(self, split: str, pending: list[Pending]) -> dict[str, Any]:
        """Write a shard, which waits for its name, and return its book."""
        writer = ShardWriter(
            self.new, shard_name(split, self.unit, len(self.plan.units)), self.schema, read_tasks(self.schema)
        )
        pending.append(writer.file)
        streams = [_batches(part.folder, writer.file.name) for part in self.parts]
        for batches in zip(*streams, strict=True):
            columns = dict(zip(batches[0].schema.names, batches[0].columns, strict=True))
            for part, batch in zip(self.parts[1:], batches[1:], strict=True):
                if not batch.column("id").equals(columns["id"]):
                    raise RecipeError(
                        f"{writer.file.name} of the layer {part.name} has different rows from the dataset; "
                        f"{OTHER_LAYER}"
                    )
                columns.update(zip(batch.schema.names, batch.columns, strict=True))
            writer.write(pa.record_batch([columns[name] for name in self.schema.names], schema=self.schema))
        writer.close()
        return writer.facts()

    def _pend(self, name: str, data: bytes, pending: list[Pending]) -> None:
        """Write a file that waits for its name."""
        item = Pending(self.new, name)
        pending.append(item)
        item.write(data)
        item.close()

    def _mark(self, marks: Sequence[Any], splits: Mapping[str, Any], pending: Sequence[Pending]) -> dict[str, Any]:
        """Return the commit mark: records and passages of the dataset, labels of all."""
        base, *layers = marks
        labels = {name: book for mark in marks for name, book in mark.get("labels", {}).items()}
        errors = {name: book for mark in marks for name, book in mark.get("errors", {}).items()}
        return seal({
            "plan": self.plan.digest,
            "unit": self.unit,
            "files": {item.name: item.facts() for item in pending},
            "records": base["records"],
            **({"labels": labels} if labels else {}),
            **({"held_out": base["held_out"]} if "held_out" in base else {}),
            "passages": base["passages"],
            "splits": splits,
            "conflicts": add_up([base["conflicts"], *(mark["conflicts"] for mark in layers)]),
            **({"errors": errors} if errors else {}),
        })  # fmt: skip


def _batches(folder: Folder, shard: str) -> list[pa.RecordBatch]:
    """Return the record batches of a shard, memory-mapped where it is local; of a split without rows there is none."""
    if not folder.is_file(shard):
        return []
    with folder.open(shard) as file:
        return list(pa.ipc.open_stream(file))
