"""The end of a build: the files that stand above the shards, the manifest last."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from labelers.task import Task, read_tasks
from pipelines.folder.books import balance
from pipelines.folder.card import card
from pipelines.folder.layout import (
    CARD,
    MANIFEST,
    REJECTS,
    SPLITS,
    STATS,
    Folder,
    digest_json,
    keys_name,
    shard_name,
    stats_name,
    to_json,
)
from pipelines.folder.manifest import Summary
from pipelines.folder.marks import done_stats, listed, seal
from pipelines.folder.schema import corpus_schema
from pipelines.layers.folders import shard_schema
from pipelines.plans.plan import Plan
from pipelines.recipes.loading import load_labelers

__all__ = ["complete", "facts_of", "finish", "rejects_in", "shared_files", "strays"]

Names = Callable[[str], Iterable[str]]
"""Gives the names of the files in a folder of a dataset."""


def finish(plan: Plan, out: str) -> dict[str, Any] | None:
    """Write what stands above the shards, the manifest last, and return it; None if a unit is missing."""
    folder = Folder.at(out)
    summary, promised, sizes = Summary(), set[str](), listed(folder)
    for unit in range(len(plan.units)):
        mark = done_stats(folder, plan, unit, sizes)
        if mark is None:
            if folder.whole:
                folder.remove(stats_name(unit))  # the next build's listing is not to take it for one of this plan
            return None
        summary.add(mark)
        promised.update(rejects_in(mark))
    return complete(plan, folder, summary.manifest(plan, folder), promised, sizes.__getitem__)


def rejects_in(mark: Mapping[str, Any]) -> list[str]:
    """Return the rejects that a commit mark names."""
    return [name for name in mark["files"] if name.startswith(f"{REJECTS}/")]


def complete(
    plan: Plan, folder: Folder, manifest: dict[str, Any], promised: Collection[str], names: Names
) -> dict[str, Any]:
    """Write what follows from the sum of all commit marks, remove what is of no unit, and return the manifest.

    Args:
        plan: of the dataset; of units and files only how many there are.
        folder: of the dataset.
        manifest: what `Summary.manifest` returns.
        promised: the rejects that there should be.
        names: what lies in the folders of units.
    """
    for text in balance(manifest):
        raise AssertionError(f"the statistics of the dataset are inconsistent: {text}")
    schema = _schema(plan, folder)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    files = {name: text.encode() for name, text in shared_files(plan, manifest, features, read_tasks(schema))}
    for name, data in files.items():
        folder.write(name, data)
    for name in strays(len(plan.units), names, promised, manifest["splits"]):
        folder.remove(name)
    for split in SPLITS:
        if split not in manifest["splits"]:
            folder.remove_folder(split)
    folder.clean()
    manifest = seal({**manifest, "files": {name: facts_of(data) for name, data in files.items()}})
    folder.write(MANIFEST, to_json(manifest, indent=1))
    return manifest


def _schema(plan: Plan, folder: Folder) -> pa.Schema:
    """Return the schema of the rows; of a merged dataset, whose layers had other recipes, as it stands in a shard."""
    if plan.merged:
        return shard_schema(folder, len(plan.units))
    labelers, _ = load_labelers(plan.recipe)
    return corpus_schema(plan.recipe, labelers, plan.classes or {}, plan.spaces, layer=bool(plan.base))


def facts_of(data: bytes) -> dict[str, Any]:
    """Return size and checksum of a file's content."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def strays(units: int, names: Names, promised: Collection[str], splits: Collection[str]) -> Iterator[str]:
    """Yield the files in a dataset's folders that a reader may take for a part of it, though no unit of the plan is.

    Args:
        units: how many there are.
        names: what lies in the folders of units; each is asked for once, so that one listing at a time is in memory.
        promised: the rejects that there should be.
        splits: those with rows; of another, the whole folder is a stray.
    """
    for split in SPLITS:
        for base in sorted(names(split)):
            number = base.removeprefix("data-").partition("-")[0]
            known = (
                split in splits and _unit(number, units) and f"{split}/{base}" == shard_name(split, int(number), units)
            )
            if base.startswith("data-") and not known:
                yield f"{split}/{base}"
    for base in sorted(names(STATS)):
        number, _, kind = base.rpartition(".")
        known = _unit(number, units) and f"{STATS}/{base}" in {stats_name(int(number)), keys_name(int(number))}
        if kind in {"json", "keys"} and not known:
            yield f"{STATS}/{base}"
    for base in sorted(names(REJECTS)):
        if base.endswith(".jsonl") and f"{REJECTS}/{base}" not in promised:
            yield f"{REJECTS}/{base}"


def _unit(number: str, units: int) -> bool:
    """Return whether a part of a name is the number of a unit."""
    return number.isdecimal() and int(number) < units


def shared_files(
    plan: Plan, manifest: Mapping[str, Any], features: Mapping[str, Any], tasks: Sequence[Task]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file above the shards that is not ours alone: what datasets looks for, the card."""
    splits = manifest["splits"]
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    for split in splits:
        shards = [shard_name(split, unit, len(plan.units)).partition("/")[2] for unit in range(len(plan.units))]
        state = {
            "_data_files": [{"filename": name} for name in shards],
            "_fingerprint": digest_json([manifest["rows_blake2b"], split])[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        yield f"{split}/dataset_info.json", json.dumps(info, ensure_ascii=False, indent=2) + "\n"
        yield f"{split}/state.json", json.dumps(state, ensure_ascii=False, indent=2) + "\n"
    yield "dataset_dict.json", json.dumps({"splits": list(splits)}) + "\n"
    yield CARD, card(plan, manifest, tasks)
