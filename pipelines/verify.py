"""Check a dataset against itself: digests, books, plan, schema and rows, all recomputed from its files."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from labelers.task import read_tasks
from pipelines.folder.books import RowBook, balance
from pipelines.folder.damage import EmptyShards, plan_problems, read_manifest, rejects_of, unit_problems, whole_problems
from pipelines.folder.fingerprint import Fingerprint
from pipelines.folder.finish import strays
from pipelines.folder.layout import (
    LAYERS,
    MANIFEST,
    PLAN,
    SPLITS,
    Folder,
    digest_bytes,
    digest_json,
    no_dataset_at,
    rejects_name,
    shard_name,
    stats_name,
)
from pipelines.folder.manifest import Summary
from pipelines.folder.marks import Sizes, listed
from pipelines.folder.schema import BATCH_ROWS
from pipelines.layers.folders import base_of, layer_at, layer_names, misaligned
from pipelines.plans.plan import Plan, PlanError, identity

__all__ = ["verify"]


def verify(out: str | Path) -> list[str]:
    """Return a sentence for each thing that does not add up in a dataset; none where all is as it was built.

    Its layers are checked, too, and that their rows are those of the dataset.

    Raises:
        FileNotFoundError: there is no dataset in the folder.
    """
    return _verify(Folder.at(str(out)), str(out))


def _verify(folder: Folder, out: str) -> list[str]:
    """Check the dataset in a folder, which is called so."""
    if not (folder.is_file(PLAN) or folder.is_file(MANIFEST)):
        raise FileNotFoundError(no_dataset_at(folder, out))
    try:
        plan = Plan.read(folder)
    except (PlanError, FileNotFoundError):
        return list(_check_without_plan(folder))
    return list(_check(plan, folder))


def _check(plan: Plan, folder: Folder) -> Iterator[str]:
    """Yield what is wrong with a dataset whose plan can be read."""
    stored = folder.read_json(PLAN)
    if digest_json(identity(stored)) != plan.digest:
        yield f"{PLAN} is damaged: its digest does not match"
    yield from map(str, plan_problems(plan, folder))
    sizes, empty, rejects = listed(folder), EmptyShards(len(plan.units)), set[str]()
    summary, done = Summary(), 0
    for unit in range(len(plan.units)):
        mark, problems = _check_unit(unit, plan.digest, len(plan.units), folder, sizes)
        yield from problems
        if mark is not None:
            empty.add(mark, sizes)
            summary.add(mark)
            done += 1
        rejects |= rejects_of(unit, mark)
    yield from (str(problem) for _, problem in empty.problems())
    every = done == len(plan.units)
    if every:
        yield from _check_whole(plan, folder, summary)
    splits = empty.rows if every else SPLITS
    yield from (
        f"{name} is not part of any unit of the plan"
        for name in strays(len(plan.units), sizes.__getitem__, rejects, splits)
    )
    if plan.base and every:
        yield from _guarded(PLAN, partial(_check_base, plan, folder))
    for name in layer_names(folder):
        yield from (f"{LAYERS}/{name}: {text}" for text in _verify(layer_at(folder, name), name))


def _check_base(plan: Plan, folder: Folder) -> Iterator[str]:
    """Yield in what a layer does not fit the dataset that it lies in."""
    base = base_of(folder)
    stated = {**plan.base}
    found = base.read_json(MANIFEST) if base.is_file(MANIFEST) else {}
    if any(found.get(name, value) != value for name, value in stated.items()):
        yield f"it belongs to another dataset than {base.path}"
    yield from islice(misaligned(base, folder, len(plan.units)), 1)


def _check_without_plan(folder: Folder) -> Iterator[str]:
    """Yield what is wrong with a dataset whose plan is lost: what the manifest and the marks promise."""
    state = "damaged" if folder.is_file(PLAN) else "missing"
    yield f"{PLAN} is {state}: run the same build again to restore it"
    manifest = read_manifest(folder)
    if manifest is None:
        yield f"{MANIFEST} is also damaged or missing, so the files of the dataset are not known"
        return
    sizes = listed(folder)
    for unit in range(manifest["units"]):
        yield from _check_unit(unit, manifest["plan"], manifest["units"], folder, sizes)[1]


def _check_unit(
    unit: int, digest: str, units: int, folder: Folder, sizes: Sizes
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the commit mark of a unit, if it has one that counts, and what is wrong with the unit."""
    mark, found = unit_problems(unit, digest, folder, sizes, check=True)
    name = stats_name(unit)
    problems = list(map(str, found))
    if mark is None:
        return None, problems or [f"{name} is missing: unit {unit} is not finished"]
    broken = {problem.name for problem in found}
    problems += [f"{name}: {text}" for text in balance(mark)]
    if rejects_name(unit) not in broken:
        problems += _guarded(rejects_name(unit), partial(_check_rejects, unit, mark, folder))
    for split in SPLITS:
        shard = shard_name(split, unit, units)
        if shard.partition("/")[2] in sizes[split]:
            check = partial(_check_shard, shard, mark["splits"][split], folder, whole=shard not in broken)
            problems += _guarded(shard, check)
    return mark, problems


def _guarded(name: str, check: Callable[[], Iterable[str]]) -> list[str]:
    """Return what a check finds in a file; that it cannot be read is a finding, too."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001  (whatever damaged bytes lead to)
        text = (str(error).strip().splitlines() or [""])[0]
        return [f"{name} is damaged: it cannot be read ({type(error).__name__}: {text})"]


def _check_rejects(unit: int, mark: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Yield whether the rejects of a unit are as many as its book says."""
    name = rejects_name(unit)
    lines = folder.read(name).splitlines() if folder.is_file(name) else []
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        item = json.loads(line)
        book = found.setdefault(item.get("task", ""), {})
        book[item["reason"]] = book.get(item["reason"], 0) + 1
    stated = {"": mark["records"]["rejected"]}
    stated |= {task: book["rejected"] for task, book in mark.get("labels", {}).items()}
    for task in sorted({*found, *stated}):
        if found.get(task, {}) != stated.get(task, {}):
            what = f" of the label {task!r}" if task else ""
            yield f"{name} contains {found.get(task, {})}{what}, but the statistics say {stated.get(task, {})}"


def _check_shard(name: str, stated: Mapping[str, Any], folder: Folder, *, whole: bool) -> Iterator[str]:
    """Yield what is wrong with the rows of a shard; one that is not whole is read with care.

    Arrow takes offsets as they are: a single wrong one may end the process.
    """
    with folder.open(name) as source:
        reader = pa.ipc.open_stream(source)
        book, columns = RowBook(read_tasks(reader.schema)), Fingerprint()
        sizes = []
        for batch in reader:
            if not whole:
                batch.validate(full=True)
            book.add(batch)
            columns.add(batch)
            sizes.append(batch.num_rows)
    if any(size != BATCH_ROWS for size in sizes[:-1]) or max(sizes, default=0) > BATCH_ROWS:
        yield f"{name} has record batches of {sizes[:5]} rows, not {BATCH_ROWS}"
    found = {**book.to_json(), "columns": columns.to_json()["columns"]}
    wrong = [key for key, value in found.items() if key in stated and json.loads(json.dumps(value)) != stated[key]]
    if wrong:
        yield f"{name}: {', '.join(wrong)} do not match the statistics of the unit"


def _check_whole(plan: Plan, folder: Folder, summary: Summary) -> Iterator[str]:
    """Yield what is wrong with the files that stand above the shards."""
    if not folder.is_file(MANIFEST):
        yield f"{MANIFEST} is missing: the build did not finish; run it again"
        return
    yield from map(str, whole_problems(plan, folder, check=True))
    yield from _guarded(MANIFEST, partial(_check_manifest, plan, folder, summary))
    yield from _check_schemas(plan, folder)


def _check_manifest(plan: Plan, folder: Folder, summary: Summary) -> Iterator[str]:
    """Yield what in the manifest does not follow from the units, of what this version knows and the writer knew."""
    stated = folder.read_json(MANIFEST)
    for text in balance(stated):
        yield f"{MANIFEST}: {text}"
    try:
        found = summary.manifest(plan, folder)
    except (
        OSError,
        ValueError,
        KeyError,
    ):  # passage keys are missing or damaged, which is told where they are looked for
        return
    for key in sorted({*stated} & {*found}):
        if stated[key] != json.loads(json.dumps(found[key])):
            yield f"{MANIFEST}: {key} is not the sum over all units"


def _check_schemas(plan: Plan, folder: Folder) -> Iterator[str]:
    """Yield each shard whose schema is not that of most: a damaged one shall not put all others in the wrong."""
    counts = Counter(digest for _, digest in _schemas(plan, folder))
    if len(counts) > 1:
        ((usual, _),) = counts.most_common(1)
        yield from (f"{name} has a different schema" for name, digest in _schemas(plan, folder) if digest != usual)


def _schemas(plan: Plan, folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield name and digest of the schema of each shard that can be read."""
    for split in SPLITS:
        for unit in range(len(plan.units)):
            name = shard_name(split, unit, len(plan.units))
            # one that cannot be read is told where its rows are read
            with contextlib.suppress(pa.ArrowException, OSError, ValueError):
                if folder.is_file(name):
                    with folder.open(name) as source:
                        schema = pa.ipc.open_stream(source).schema.serialize().to_pybytes()
                    yield name, digest_bytes(schema)
