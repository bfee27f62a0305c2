"""The dataset as a whole: what a folder holds already, and the files that stand above the shards."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow.fs as pafs

from labelers.task import Task, read_tasks
from pipelines.books import balance
from pipelines.card import card
from pipelines.layout import (
    CARD,
    DROPPED,
    LOCK,
    MANIFEST,
    PLAN,
    POOL,
    REJECTS,
    RUNS,
    SPLITS,
    STATS,
    TEMPORARY,
    Folder,
    digest_json,
    keys_name,
    shard_name,
    stats_name,
    to_json,
)
from pipelines.loading import load_labelers
from pipelines.manifest import Summary
from pipelines.marks import Sizes, done_stats, listed, seal
from pipelines.plan import Plan
from pipelines.recipe import RecipeError
from pipelines.schema import corpus_schema

__all__ = [
    "check_free",
    "clear",
    "facts_of",
    "finish",
    "occupant",
    "shared_files",
    "strays",
]

_OURS = {PLAN, POOL, DROPPED, STATS, REJECTS, MANIFEST, CARD, RUNS, "dataset_dict.json", "layers", *SPLITS}
_BEFORE_PLAN = {POOL, DROPPED}


def check_free(out: str, mark: str = PLAN, ours: set[str] = _OURS, before: set[str] = _BEFORE_PLAN) -> None:
    """Check that an output folder holds nothing but what we wrote.

    Args:
        out: the folder; it need not exist.
        mark: the name that says whose the folder is.
        ours: what may lie beside the mark.
        before: what may lie there without it.

    Raises:
        RecipeError: it holds something else.
    """
    stranger = occupant(Folder.at(out), mark, ours, before)
    if stranger:
        raise RecipeError(f"the output folder {out} contains other files ({stranger}); give a new or empty folder")


def occupant(folder: Folder, mark: str = PLAN, ours: set[str] = _OURS, before: set[str] = _BEFORE_PLAN) -> str:
    """Return the name of something in a folder that we did not write, empty where there is none; see `check_free`."""
    if folder.kind() == pafs.FileType.File:
        return folder.path
    names = [name for name in folder.names() if not name.startswith(TEMPORARY) and name != LOCK]
    known = ours if mark in names or (mark == PLAN and MANIFEST in names) else before
    return next((name for name in names if name not in known), "")


def clear(folder: Folder) -> None:
    """Remove a dataset but for its plan, the manifest first, so that a break leaves an unfinished dataset."""
    for name in (MANIFEST, STATS, *sorted(_OURS - {MANIFEST, STATS, PLAN, RUNS})):
        folder.remove(name)
    folder.clean()


def finish(plan: Plan, out: str) -> dict[str, Any] | None:
    """Write what stands above the shards, the manifest last, and return it; None if a unit is missing."""
    folder = Folder.at(out)
    summary, promised = Summary(), set[str]()
    for unit in range(len(plan.units)):
        mark = done_stats(folder, plan, unit)
        if mark is None:
            return None
        summary.add(mark)
        promised.update(name for name in mark["files"] if name.startswith(f"{REJECTS}/"))
    manifest = summary.manifest(plan, folder)
    for text in balance(manifest):
        raise AssertionError(f"the statistics of the dataset are inconsistent: {text}")
    labelers, _ = load_labelers(plan.recipe)
    schema = corpus_schema(plan.recipe, labelers, plan.classes or {})
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    files = {name: text.encode() for name, text in shared_files(plan, manifest, features, read_tasks(schema))}
    for name, data in files.items():
        folder.write(name, data)
    for name in strays(len(plan.units), listed(folder), promised, manifest["splits"]):
        folder.remove(name)
    for split in SPLITS:
        if split not in manifest["splits"]:
            folder.remove(split)
    folder.clean()
    manifest = seal({**manifest, "files": {name: facts_of(data) for name, data in files.items()}})
    folder.write(MANIFEST, to_json(manifest, indent=1))
    return manifest


def facts_of(data: bytes) -> dict[str, Any]:
    """Return size and checksum of a file's content."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def strays(units: int, sizes: Sizes, promised: Collection[str], splits: Collection[str]) -> Iterator[str]:
    """Yield the files in a dataset's folders that a reader may take for a part of it, though no unit of the plan is.

    Args:
        units: how many there are.
        sizes: what lies in the folders of units.
        promised: the rejects that there should be.
        splits: those with rows; of another, the whole folder is a stray.
    """
    for split in SPLITS:
        for base in sorted(sizes[split]):
            number = base.removeprefix("data-").partition("-")[0]
            known = (
                split in splits and _unit(number, units) and f"{split}/{base}" == shard_name(split, int(number), units)
            )
            if base.startswith("data-") and not known:
                yield f"{split}/{base}"
    for base in sorted(sizes[STATS]):
        number, _, kind = base.rpartition(".")
        known = _unit(number, units) and f"{STATS}/{base}" in {stats_name(int(number)), keys_name(int(number))}
        if kind in {"json", "keys"} and not known:
            yield f"{STATS}/{base}"
    for base in sorted(sizes[REJECTS]):
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
