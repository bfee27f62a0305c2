"""The end of a large build: spans of units are summed up by any worker, and the last one adds up the sums.

What one process would do from the first unit to the last is a graph over spans, and one over ranges of passage keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.folder.books import add_up
from pipelines.folder.finish import complete, rejects_in
from pipelines.folder.layout import STATS, Folder, keys_name, stats_name, to_json
from pipelines.folder.manifest import PartialSummary, Summary
from pipelines.folder.marks import done_stats
from pipelines.large.plan_parts import planned
from pipelines.large.runs import RUN_BYTES, RunWork, bounds_of, ranges_for, read_range, spans_of, write_run
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe_tables import RunTable
from pipelines.rows.passage_keys import equal_keys, read_keys

__all__ = ["CountEqual", "FinishSpans", "SumUp", "finish_large", "merge_ends"]

Span = tuple[int, int]


def finish_large(plan: Plan, folder: Folder, name: str, graph: Any, run: RunTable) -> None:
    """Write the manifest and what stands beside it, unless a unit is missing.

    Args:
        plan: of the dataset.
        folder: in which it lies.
        name: of the run; what is found on the way lies in folders that begin so.
        graph: runs a graph.
        run: how.

    Raises:
        OSError: a worker cannot do its part.
    """
    sizes = folder.sizes(STATS)
    keys = [sizes.get(keys_name(unit).partition("/")[2], 0) for unit in range(len(plan.units))]
    spans, ranges = spans_of(keys, RUN_BYTES), ranges_for(sum(keys))
    place, told = f"{name.removesuffix('.json')}-end", f"{name.removesuffix('.json')}-end.json"
    out = plan.recipe.out
    try:
        graph(spans, SumUp(out, plan.digest, name, place, ranges), merge_ends, _Tell(out, told), run)
        if _told(folder, told)["missing"]:
            return
        end = FinishSpans(out, plan.digest, name, place, tuple(spans), told)
        numbers = [] if plan.base else list(range(ranges))
        if numbers:
            graph(numbers, CountEqual(out, place, tuple(spans), ranges), merge_ends, end, run)
        else:
            end(merge_ends([]))
        _told(folder, told)
    finally:
        folder.remove_folder(place)
        folder.remove(told)


def _told(folder: Folder, name: str) -> dict[str, Any]:
    """Return what a graph has come to.

    Raises:
        OSError: a worker could not do its part.
    """
    found: dict[str, Any] = folder.read_json(name)
    if found["errors"]:
        raise OSError("; ".join(sorted({*found["errors"]})[:3]))
    return found


def merge_ends(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what several spans, or ranges, have come to.

    Example:
        >>> merge_ends([{"missing": [4]}, {"equal": {"repeats": 2}}, {"equal": {"repeats": 1}}])
        {'errors': [], 'missing': [4], 'equal': {'repeats': 3}}
    """
    parts = list(parts)
    lists = {name: [item for part in parts for item in part.get(name, [])] for name in ("errors", "missing")}
    return {**lists, "equal": add_up([part.get("equal", {}) for part in parts])}


@dataclass(frozen=True)
class SumUp(RunWork):
    """Sums up the commit marks of a span of units, and sorts the keys of their passages into a run."""

    out: str
    plan: str
    """Digest of the plan."""
    run: str
    place: str
    ranges: int

    def __call__(self, span: Span) -> dict[str, Any]:
        """Return the units that are not done; a mark that does not count is removed, for in a store it is not read."""
        folder, plan = Folder.at(self.out), planned(self.out, self.plan, self.run).head
        summary, rejects, missing = PartialSummary(), list[str](), list[int]()
        for unit in range(*span):
            mark = done_stats(folder, plan, unit)
            if mark is None:
                folder.remove(stats_name(unit))
                missing.append(unit)
            else:
                summary.add(mark)
                rejects += rejects_in(mark)
        if missing:
            return {"missing": missing}
        folder.write(f"{self.place}/{span[0]}.json", to_json({**summary.to_json(), "rejects": rejects}))
        if not plan.base:
            keys = np.concatenate([read_keys(folder, unit) for unit in range(*span)])
            keys.sort()
            write_run(folder, _run_name(self.place, span), keys.astype("<u8", copy=False), keys, bounds_of(self.ranges))
        return {}


def _run_name(place: str, span: Span) -> str:
    """Return where the passage keys of a span lie."""
    return f"{place}/{span[0]}.keys"


@dataclass(frozen=True)
class CountEqual(RunWork):
    """Counts equal passages in one range of their keys."""

    out: str
    place: str
    spans: Sequence[Span]
    ranges: int

    def __call__(self, number: int) -> dict[str, Any]:
        """Return how many there are."""
        names = [_run_name(self.place, span) for span in self.spans]
        keys = read_range(Folder.at(self.out), names, number, self.ranges, "<u8")
        return {"equal": equal_keys(keys.astype(np.uint64, copy=False))}


@dataclass(frozen=True)
class _Tell:
    """Writes what a graph has come to."""

    out: str
    name: str

    def __call__(self, found: dict[str, Any]) -> None:
        """Write it."""
        Folder.at(self.out).write(self.name, to_json(found))


@dataclass(frozen=True)
class FinishSpans:
    """Adds up the sums of all spans and writes the manifest."""

    out: str
    plan: str
    run: str
    place: str
    spans: Sequence[Span]
    name: str

    def __call__(self, found: dict[str, Any]) -> None:
        """Write the manifest if every range was counted, and what there was to tell."""
        folder = Folder.at(self.out)
        if not found["errors"]:
            plan, summary, rejects = planned(self.out, self.plan, self.run).head, Summary(), set[str]()
            for start, _ in self.spans:
                part = folder.read_json(f"{self.place}/{start}.json")
                summary.merge(part)
                rejects.update(part["rejects"])
            complete(plan, folder, summary.manifest(plan, folder, found["equal"]), rejects, folder.sizes)
        folder.write(self.name, to_json(found))
