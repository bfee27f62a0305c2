"""The plan as workers of a large build read it: its head once in a process, and of units and files those of a block.

They lie in a temporary folder beside plan.json, which holds all of it and counts; what is missing is read there.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from typing import Any

from pipelines.folder.layout import Folder, to_json
from pipelines.input.records import InputFile, Some, SomeFiles, Unit, splits_given, total_bytes
from pipelines.plans.plan import Plan

__all__ = ["PlanParts", "WholePlan", "divided", "is_large", "planned", "write_parts"]

_WHOLE = 1_000
"""Units or files up to which each process reads the whole plan: it is smaller than what else a process loads."""
_BLOCK = 64  # units of a file
_read: dict[tuple[str, str, str], "WholePlan"] = {}  # the last plan that was read, by (out, digest, run)


def is_large(plan: Plan) -> bool:
    """Return whether a plan is so large that workers read parts of it, and no process alone sums up the units."""
    return max(len(plan.units), len(plan.files)) > _WHOLE


def write_parts(plan: Plan, folder: Folder, place: str) -> None:
    """Write a plan in parts.

    Args:
        plan: all of it.
        folder: of the dataset.
        place: name of the folder in it for the parts.
    """
    for start in range(0, len(plan.units), _BLOCK):
        units = plan.units[start : start + _BLOCK]
        dropped = {str(unit.index): digest for unit in units if (digest := (plan.dropped or {}).get(str(unit.index)))}
        files = {str(number): file.to_json() for number, file in _files(plan, units).items()}
        part = {"files": files, "units": [unit.to_json() for unit in units], "dropped": dropped}
        folder.write(_name(place, start), to_json(part))
    head = replace(plan, files=(), units=(), skipped=(), dropped=None).to_json()
    counts = {"files": len(plan.files), "bytes": total_bytes(plan.files), "splits": sorted(splits_given(plan.files))}
    folder.write(f"{place}/head.json", to_json({"plan": head, "units": len(plan.units), **counts}))


def _files(plan: Plan, units: Sequence[Unit]) -> dict[int, InputFile]:
    """Return the files of units, with the digests of their pieces alone."""
    starts: dict[int, set[int]] = {}
    for part in (part for unit in units for part in unit.ranges):
        starts.setdefault(part.file, {0}).add(part.start)  # from 0 on there may be one of the whole file
    found = {}
    for number, wanted in starts.items():
        pieces, kept = plan.files[number].pieces, []
        for start in sorted(wanted):
            place = bisect_left(pieces, start, key=itemgetter(0))
            kept += [piece for piece in pieces[place : place + 1] if piece[0] == start]
        found[number] = replace(plan.files[number], pieces=tuple(kept))
    return found


def _name(place: str, unit: int) -> str:
    """Return where the part with a unit lies."""
    return f"{place}/{unit // _BLOCK:05d}.json"


class WholePlan:
    """A plan that a process has all of."""

    def __init__(self, plan: Plan) -> None:
        self.head = plan
        """All that is not of a unit or a file, and of these at least how many there are."""

    def of(self, unit: int) -> Plan:  # noqa: ARG002  (all units are there)
        """Return a plan with a unit and its files."""
        return self.head


class PlanParts(WholePlan):
    """A plan of which a process reads the units that it is asked for."""

    def __init__(self, folder: Folder, place: str) -> None:
        """Read the head.

        Raises:
            FileNotFoundError: there are no parts.
        """
        data = folder.read_json(f"{place}/head.json")
        self._folder, self._place = folder, place
        self._files = (data["files"], data["bytes"], frozenset(data["splits"]))
        units: Some[Unit] = Some({}, data["units"])
        super().__init__(replace(Plan.from_json(data["plan"]), files=SomeFiles({}, *self._files), units=units))
        self._last = (-1, self.head)

    def of(self, unit: int) -> Plan:
        """Return the plan with the units of one block."""
        block, plan = self._last
        if block != unit // _BLOCK:
            plan = self._read(unit)
            self._last = (unit // _BLOCK, plan)
        return plan

    def _read(self, unit: int) -> Plan:
        """Read the block of a unit, or where a run that ended has removed it, all."""
        try:
            data: dict[str, Any] = json.loads(self._folder.read(_name(self._place, unit)))
        except FileNotFoundError:
            plan = Plan.read(self._folder)
            if plan.digest != self.head.digest:
                raise OSError(f"another build replaced the plan in {self._folder.path}") from None
            return plan
        first = unit // _BLOCK * _BLOCK
        units = {i: Unit.from_json(i, item) for i, item in enumerate(data["units"], first)}
        files = {int(number): InputFile.from_json(item) for number, item in data["files"].items()}
        return replace(
            self.head,
            units=Some(units, len(self.head.units)),
            files=SomeFiles(files, *self._files),
            dropped=data["dropped"],
        )


@contextmanager
def divided(plan: Plan, folder: Folder, run: str) -> Iterator[None]:
    """Have the parts of a large plan lie where the workers of a run read them while the body runs."""
    if not is_large(plan):
        yield
        return
    write_parts(plan, folder, _place(run))
    try:
        yield
    finally:
        folder.remove_folder(_place(run))


def planned(out: str, digest: str, run: str) -> WholePlan:
    """Return the plan of a folder, read once in each process of a run, which the process may outlive.

    Raises:
        OSError: the folder has another plan.
    """
    plan = _read.get((out, digest, run))
    if plan is None:
        folder = Folder.at(out)
        try:
            plan = PlanParts(folder, _place(run))
        except FileNotFoundError:
            plan = WholePlan(Plan.read(folder))
        if plan.head.digest != digest:
            raise OSError(f"another build replaced the plan in {out}")
        _read.clear()
        _read[out, digest, run] = plan
    return plan


def _place(run: str) -> str:
    """Return the name of the folder with the parts of the plan, by that of a run."""
    return f"{run.removesuffix('.json')}-plan"
