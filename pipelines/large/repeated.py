"""Repeated records of a large input, found by workers: each looks at one range of the keys of all records.

Three graphs: spans of units sort their keys into runs; ranges of keys find what repeats; spans of units list theirs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.folder.layout import Folder, digest_json, to_json
from pipelines.input.repeats import KEY, REPEAT, read_record_keys, repeats_among, repeats_by_unit
from pipelines.large.runs import RUN_BYTES, RunWork, bounds_of, ranges_for, read_range, spans_of, write_run

__all__ = ["FindRepeats", "ListRepeats", "SortKeys", "find_dropped", "merge_dropped", "write_lists"]

Span = tuple[int, int]
Look = Callable[[Sequence[Any], Any, Callable[[Any], Any], str], dict[str, Any]]
"""Runs a graph over elements with work and merge, writes what it comes to under a name, and returns it."""


def find_dropped(out: str, scratch: str, keys: Mapping[str, int], names: Sequence[str], look: Look) -> dict[str, str]:
    """Write the repeated records of each unit that has any into the scratch folder, and return their digests.

    Args:
        out: of the dataset.
        scratch: folder in it, in which the keys of units lie.
        keys: how many keys there are of each unit that has any.
        names: of all files.
        look: runs a graph.

    Raises:
        OSError: a worker cannot do its part.
    """
    sizes = [keys.get(str(unit), 0) * KEY.itemsize for unit in range(max(map(int, keys)) + 1)]
    spans, ranges = tuple(spans_of(sizes, RUN_BYTES)), ranges_for(sum(sizes))
    look(spans, SortKeys(out, scratch, frozenset(map(int, keys)), ranges), merge_dropped, f"{scratch}/sorted.json")
    look(range(ranges), FindRepeats(out, scratch, spans, ranges), merge_dropped, f"{scratch}/ranges.json")
    lists = ListRepeats(out, scratch, spans, ranges, tuple(names))
    found = look(range(len(spans)), lists, merge_dropped, f"{scratch}/lists.json")
    digests: dict[str, str] = found["dropped"]
    return digests


def write_lists(
    folder: Folder, scratch: str, lists: Iterable[tuple[int, list[list[Any]]]]
) -> Iterator[tuple[str, str]]:
    """Write the repeated records of units into the scratch folder, and yield units and digests."""
    for unit, lines in lists:
        folder.write(f"{scratch}/{unit:05d}.json", to_json(lines))
        yield str(unit), digest_json(lines)


def merge_dropped(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several spans, or ranges, have come to.

    Example:
        >>> merge_dropped([{"dropped": {"3": "ab"}}, {"errors": ["no"]}])
        {'errors': ['no'], 'dropped': {'3': 'ab'}}
    """
    parts = list(parts)
    dropped = {unit: digest for part in parts for unit, digest in part.get("dropped", {}).items()}
    return {"errors": [text for part in parts for text in part.get("errors", [])], "dropped": dropped}


class _Step(RunWork):
    """What the three have in common."""

    def __call__(self, element: Any) -> dict[str, Any]:
        """Do the work of an element; what goes wrong is returned, for the caller to raise."""
        try:
            return {"dropped": self.do(element)}
        except Exception as error:  # noqa: BLE001  (Beam would wrap it in pages)
            return {"errors": [f"{type(error).__name__}: {error}"]}

    def do(self, element: Any) -> dict[str, str]:
        """Return digests of lists."""
        raise NotImplementedError


@dataclass(frozen=True)
class SortKeys(_Step):
    """Sorts the keys of a span of units into a run."""

    out: str
    scratch: str
    units: frozenset[int]
    """Those with keys."""
    ranges: int

    def do(self, element: Span) -> dict[str, str]:
        """Write the run."""
        folder = Folder.at(self.out)
        own = [read_record_keys(folder, self.scratch, unit) for unit in range(*element) if unit in self.units]
        keys = np.concatenate([np.empty(0, KEY), *own])
        keys = keys[np.argsort(keys["a"], kind="stable")]
        write_run(folder, f"{self.scratch}/{element[0]}.run", keys, keys["a"], bounds_of(self.ranges))
        return {}


@dataclass(frozen=True)
class FindRepeats(_Step):
    """Finds what repeats in one range of keys, and sorts it by units."""

    out: str
    scratch: str
    spans: Sequence[Span]
    ranges: int

    def do(self, element: int) -> dict[str, str]:
        """Write a run that is cut at the spans of units."""
        folder, names = Folder.at(self.out), [f"{self.scratch}/{start}.run" for start, _ in self.spans]
        rows = repeats_among(read_range(folder, names, element, self.ranges, KEY))
        rows = rows[np.argsort(rows["unit"], kind="stable")]
        starts = np.array([start for start, _ in self.spans[1:]], np.int64)
        write_run(folder, f"{self.scratch}/{element}.found", rows, rows["unit"], starts)
        return {}


@dataclass(frozen=True)
class ListRepeats(_Step):
    """Writes the lists of repeated records of a span of units."""

    out: str
    scratch: str
    spans: Sequence[Span]
    ranges: int
    names: Sequence[str]

    def do(self, element: int) -> dict[str, str]:
        """Return the digests of the lists."""
        folder, names = Folder.at(self.out), [f"{self.scratch}/{number}.found" for number in range(self.ranges)]
        rows = read_range(folder, names, element, len(self.spans), REPEAT)
        return dict(write_lists(folder, self.scratch, repeats_by_unit(rows, self.names)))
