"""Check a dataset against itself: digests, books, plan, schema and rows, all recomputed from its files."""

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from labelers.task import Task, read_tasks
from pipelines.books import RowBook, balance
from pipelines.dataset import manifest_of, shared_files
from pipelines.fingerprint import Fingerprint
from pipelines.layout import (
    DROPPED,
    MANIFEST,
    PLAN,
    POOL,
    SPLITS,
    STATS,
    Folder,
    digest_json,
    rejects_name,
    shard_name,
    stats_name,
)
from pipelines.plan import Plan, digest_pool, identity
from pipelines.schema import BATCH_ROWS

__all__ = ["verify"]

_CHUNK = 1 << 20


def verify(out: str | Path) -> list[str]:
    """Return a sentence for each thing that does not add up in a dataset; none where all is as it was built.

    Raises:
        FileNotFoundError: there is no dataset in the folder.
    """
    folder = Folder.at(str(out))
    if not folder.is_file(PLAN):
        raise FileNotFoundError(f"{out} is not a dataset (it has no {PLAN}); give a folder that `auxloom build` wrote")
    plan = Plan.read(folder)
    problems = list(_check_plan(plan, folder))
    stats = []
    for unit in range(len(plan.units)):
        mark, found = _check_unit(unit, plan, folder)
        problems += found
        stats += [] if mark is None else [mark]
    if len(stats) == len(plan.units):
        problems += _check_whole(plan, folder, stats)
    return problems


def _check_plan(plan: Plan, folder: Folder) -> Iterator[str]:
    """Yield what is wrong with the plan and the files that belong to it."""
    if digest_json(identity(plan)) != plan.digest:
        yield f"{PLAN} is not what its digest says"
    if not folder.is_file(POOL) or digest_pool(folder.read(POOL)) != plan.pool:
        yield f"{POOL} is not what the plan says"
    for unit, digest in (plan.dropped or {}).items():
        name = f"{DROPPED}/{int(unit):05d}.json"
        if not folder.is_file(name) or digest_json(folder.read_json(name)) != digest:
            yield f"{name} is not what the plan says"


def _check_unit(unit: int, plan: Plan, folder: Folder) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the commit mark of a unit, if it has one, and what is wrong with the unit."""
    name = stats_name(unit)
    if not folder.is_file(name):
        return None, [f"{name} is missing: unit {unit} is not done"]
    mark: dict[str, Any] = folder.read_json(name)
    if mark["plan"] != plan.digest:
        return None, [f"{name} is of another plan"]
    problems = [f"{name}: {text}" for text in balance(mark)]
    problems += _check_files(mark, folder)
    problems += _check_rejects(unit, mark, folder)
    for split in SPLITS:
        shard = shard_name(split, unit, len(plan.units))
        if folder.is_file(shard):
            problems += _check_shard(shard, mark["splits"][split], folder)
        elif mark["splits"][split]["rows"]:
            problems.append(f"{shard} is missing")
    return mark, problems


def _check_files(mark: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Yield which files of a unit are not those that were written; that one is missing is told elsewhere."""
    for name, facts in mark["files"].items():
        if folder.is_file(name):
            with folder.fs.open_input_stream(folder.full(name)) as file:
                digest = hashlib.sha256()
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != facts["sha256"]:
                yield f"{name} is not what was written: its sha256 differs"
        elif not name.endswith(".arrow"):
            yield f"{name} is missing"


def _check_rejects(unit: int, mark: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Yield whether the rejects of a unit are as many as its book says."""
    name = rejects_name(unit)
    lines = folder.read(name).splitlines() if folder.is_file(name) else []
    found: dict[str, int] = {}
    for line in lines:
        reason = json.loads(line)["reason"]
        found[reason] = found.get(reason, 0) + 1
    if found != mark["records"]["rejected"]:
        yield f"{name} holds {found}, but the book says {mark['records']['rejected']}"


def _check_shard(name: str, told: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Yield what is wrong with the rows of a shard."""
    try:
        with folder.open(name) as source:
            reader = pa.ipc.open_stream(source)
            book, columns = RowBook(read_tasks(reader.schema)), Fingerprint()
            sizes = []
            for batch in reader:
                book.add(batch)
                columns.add(batch)
                sizes.append(batch.num_rows)
    except (pa.ArrowInvalid, ValueError, OSError) as error:
        yield f"{name} cannot be read: {error}"
        return
    if any(size != BATCH_ROWS for size in sizes[:-1]) or max(sizes, default=0) > BATCH_ROWS:
        yield f"{name} has record batches of {sizes[:5]} rows, not {BATCH_ROWS}"
    found = {**book.to_json(), "columns": columns.to_json()["columns"]}
    wrong = [key for key, value in found.items() if json.loads(json.dumps(value)) != told[key]]
    if wrong:
        yield f"{name}: its {', '.join(wrong)} are not what the unit's book says"


def _check_whole(plan: Plan, folder: Folder, stats: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the files that stand above the shards."""
    if not folder.is_file(MANIFEST):
        yield f"{MANIFEST} is missing: the build did not end; run it again"
        return
    told, found = folder.read_json(MANIFEST), manifest_of(plan, folder, stats)
    for text in balance(told):
        yield f"{MANIFEST}: {text}"
    for key in sorted({*told, *found}):
        if told.get(key) != json.loads(json.dumps(found.get(key))):
            yield f"{MANIFEST}: {key} is not the sum of the units"
    schema = yield from _schema(plan, folder)
    if schema is not None:
        yield from _check_shared(plan, folder, found, schema)


def _schema(plan: Plan, folder: Folder) -> Generator[str, None, pa.Schema | None]:
    """Yield each shard whose schema is not that of the first, and return that one."""
    first: pa.Schema | None = None
    for split in SPLITS:
        for unit in range(len(plan.units)):
            name = shard_name(split, unit, len(plan.units))
            if folder.is_file(name):
                with folder.open(name) as source:
                    schema = pa.ipc.open_stream(source).schema
                first = first or schema
                if not schema.equals(first, check_metadata=True):
                    yield f"{name} has another schema"
    return first


def _check_shared(plan: Plan, folder: Folder, manifest: Mapping[str, Any], schema: pa.Schema) -> Iterator[str]:
    """Yield which files that datasets reads are not what follows from the units, and files that should not be there."""
    tasks: Sequence[Task] = read_tasks(schema)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    for name, text in shared_files(plan, manifest, features, tasks):
        if not folder.is_file(name) or folder.read(name) != text.encode():
            yield f"{name} is not what the build wrote"
    for split in SPLITS:
        shards = {shard_name(split, unit, len(plan.units)) for unit in range(len(plan.units))}
        for inner in folder.names(split):
            if inner.startswith("data-") and f"{split}/{inner}" not in shards:
                yield f"{split}/{inner} belongs to no unit"
    for inner in folder.names(STATS):
        if inner.endswith(".json") and inner not in {f"{unit:05d}.json" for unit in range(len(plan.units))}:
            yield f"{STATS}/{inner} belongs to no unit"
