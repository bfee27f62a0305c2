"""What is missing or damaged in a dataset: every file that its marks and its manifest promise is looked for."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.folder.finish import strays
from pipelines.folder.layout import (
    DROPPED,
    HELD_OUT,
    MANIFEST,
    POOL,
    SPLITS,
    Folder,
    digest_bytes,
    digest_json,
    rejects_name,
    shard_name,
    stats_name,
)
from pipelines.folder.marks import (
    MarkError,
    Problem,
    Sizes,
    content_problem,
    is_listed,
    is_sealed,
    listed,
    read_mark,
    size_problems,
)
from pipelines.plans.plan import Plan, digest_pool

__all__ = [
    "Damage",
    "EmptyShards",
    "inspect",
    "plan_problems",
    "read_manifest",
    "rejects_of",
    "unit_problems",
    "whole_problems",
]


@dataclass
class Damage:
    """What is to be done in a dataset."""

    units: dict[int, list[Problem]] = field(default_factory=dict)
    """Per unit that is not done what is wrong with its files; nothing where it has not been made yet."""
    whole: list[Problem] = field(default_factory=list)
    """What is wrong above the units, and files of no unit."""
    finished: bool = False
    """There is a manifest: the dataset was whole once."""

    @property
    def complete(self) -> bool:
        """Whether there is nothing to do."""
        return self.finished and not self.units and not self.whole

    def of(self, units: Collection[int]) -> list[Problem]:
        """Return what is wrong with the files of some units."""
        return [item for unit, items in self.units.items() if unit in units for item in items]


def inspect(plan: Plan, folder: Folder, *, check: bool) -> Damage:
    """Return what is missing or damaged: the existence and size of every file are looked at.

    In an object store, what a listing shows to be done is not opened unless ``check``: it would cost requests.

    Args:
        plan: which the dataset follows.
        folder: of the dataset.
        check: compare the digest of every file, too.
    """
    damage = Damage(finished=folder.is_file(MANIFEST))
    sizes, empty = listed(folder), EmptyShards(len(plan.units))
    rejects, every = set[str](), True
    trusted = folder.whole and not check
    for unit in range(len(plan.units)):
        if trusted and is_listed(unit, len(plan.units), sizes):
            rejects |= rejects_of(unit, None)
            every = False
            continue
        mark, problems = unit_problems(unit, plan.digest, folder, sizes, check=check)
        if mark is not None:
            empty.add(mark, sizes)
        elif damage.finished and not problems:
            problems = [Problem(stats_name(unit), "missing")]
        rejects |= rejects_of(unit, mark)
        every = every and mark is not None
        if mark is None or problems:
            damage.units[unit] = problems
    for unit, problem in empty.problems():
        damage.units.setdefault(unit, []).append(problem)
    if damage.finished:
        damage.whole += whole_problems(plan, folder, check=check)
        splits = empty.rows if every else SPLITS
        damage.whole += [
            Problem(name, "not part of any unit")
            for name in strays(len(plan.units), sizes.__getitem__, rejects, splits)
        ]
    return damage


def rejects_of(unit: int, mark: Mapping[str, Any] | None) -> set[str]:
    """Return the rejects that a unit may have left: without its mark, nobody knows whether it had any."""
    name = rejects_name(unit)
    return {name} if mark is None or name in mark["files"] else set()


def unit_problems(
    unit: int, digest: str, folder: Folder, sizes: Sizes, *, check: bool
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Return the commit mark of a unit and what is wrong with its files; no mark and no problem if it is not made.

    Args:
        unit: which unit.
        digest: of the plan.
        folder: of the dataset.
        sizes: what lies in it.
        check: compare digests, too; else the mark is returned without the checksums of columns.
    """
    name = stats_name(unit)
    if name.partition("/")[2] not in sizes[name.partition("/")[0]]:
        return None, []
    try:
        mark = read_mark(folder, digest, unit, brief=not check)
    except MarkError as error:
        return None, [Problem(name, str(error))]
    problems = list(size_problems(mark, sizes))
    if check:
        bad = {problem.name for problem in problems}
        there = [item for item in mark["files"].items() if item[0] not in bad and _is_there(item[0], sizes)]
        problems += [problem for item in there if (problem := content_problem(folder, *item))]
    return mark, problems


def _is_there(name: str, sizes: Sizes) -> bool:
    """Return whether a file was listed."""
    parent, _, base = name.partition("/")
    return base in sizes[parent]


class EmptyShards:
    """Finds shards without rows that are missing though their split has rows: readers want one of every unit."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._missing: dict[str, list[int]] = {split: [] for split in SPLITS}
        self.rows: set[str] = set()
        """Splits with rows."""

    def add(self, mark: Mapping[str, Any], sizes: Sizes) -> None:
        """Look at a unit."""
        for split in SPLITS:
            if mark["splits"][split]["rows"]:
                self.rows.add(split)
            elif not _is_there(shard_name(split, mark["unit"], self._units), sizes):
                self._missing[split].append(mark["unit"])

    def problems(self) -> Iterator[tuple[int, Problem]]:
        """Yield units and shards."""
        for split in sorted(self.rows):
            for unit in self._missing[split]:
                yield unit, Problem(shard_name(split, unit, self._units), "missing")


def read_manifest(folder: Folder) -> dict[str, Any] | None:
    """Return the manifest of a dataset; None where there is none that is whole."""
    try:
        manifest = json.loads(folder.read_if_there(MANIFEST) or b"null")
    except ValueError:
        return None
    whole = isinstance(manifest, dict) and {"plan", "units", "splits"} <= manifest.keys() and is_sealed(manifest)
    return manifest if whole else None


def whole_problems(plan: Plan, folder: Folder, *, check: bool) -> list[Problem]:
    """Return what is wrong with the manifest and the files that it names."""
    manifest = read_manifest(folder)
    if manifest is None:
        return [Problem(MANIFEST, "damaged: its digest does not match")]
    if manifest["plan"] != plan.digest:
        return [Problem(MANIFEST, "from another plan")]
    problems = []
    for name, facts in manifest.get("files", {}).items():
        info = folder.fs.get_file_info(folder.full(name))
        if not info.is_file:
            problems.append(Problem(name, "missing"))
        elif info.size != facts["bytes"]:
            problems.append(Problem(name, f"damaged: it has {info.size:,} bytes, not {facts['bytes']:,}"))
        elif check:
            problems += [item for item in [content_problem(folder, name, facts)] if item]
    return problems


def plan_problems(plan: Plan, folder: Folder, units: Sequence[int] | None = None) -> Iterator[Problem]:
    """Yield the files beside the plan that are missing or not what it says.

    Args:
        plan: as it is stored.
        folder: of the dataset.
        units: whose lists of repeated records are read; None for all.
    """
    pool = folder.read_if_there(POOL)
    if pool is None:
        yield Problem(POOL, "missing")
    elif digest_pool(pool) != plan.pool:
        yield Problem(POOL, "damaged: it does not match the plan")
    if plan.held_out and not folder.is_file(HELD_OUT):
        yield Problem(HELD_OUT, "missing")
    elif plan.held_out and digest_bytes(folder.read(HELD_OUT)) != plan.held_out:
        yield Problem(HELD_OUT, "damaged: it does not match the plan")
    dropped = plan.dropped or {}
    sizes = folder.sizes(DROPPED) if dropped else {}
    chosen = {int(key) for key in dropped} if units is None else {*units}
    for unit in map(int, dropped):
        name = f"{DROPPED}/{unit:05d}.json"
        if f"{unit:05d}.json" not in sizes:
            yield Problem(name, "missing")
        elif unit in chosen and _digest_of(folder, name) != dropped[str(unit)]:
            yield Problem(name, "damaged: it does not match the plan")


def _digest_of(folder: Folder, name: str) -> str:
    """Return the digest of the value in a JSON file, nothing where there is none."""
    try:
        return digest_json(folder.read_json(name))
    except ValueError:
        return ""
