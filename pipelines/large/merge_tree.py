"""Merging what comes of many elements as a tree, so that each result is merged a few times, however many there are."""

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam

__all__ = ["MergeTree"]

_FAN = 4
"""Results that are merged at a time: with more, more of them wait in memory; with fewer, each is merged more often."""


class MergeTree(beam.CombineFn):  # type: ignore[misc]
    """Merges four results into one, four of these into the next, and what is left at the end.

    Beam merges a plain function's results with the sum of all before, ten at a time: of 160,000 lists of reports, each
    would be copied thousands of times.

    Example:
        >>> tree, total = MergeTree(sum), []
        >>> for number in range(100):
        ...     total = tree.add_input(total, number)
        >>> [len(level) for level in total], tree.extract_output(total)
        ([0, 1, 2, 1], 4950)
    """

    def __init__(self, merge: Callable[[Iterable[Any]], Any]) -> None:
        """Take what merges results, and results that were merged, in any order."""
        super().__init__()
        self._merge = merge

    def create_accumulator(self) -> list[list[Any]]:
        """Return no results: lists of those that were merged 0, 1, ... times."""
        return []

    def add_input(self, accumulator: list[list[Any]], element: Any) -> list[list[Any]]:
        """Add a result."""
        self._add(accumulator, 0, element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[list[Any]]]) -> list[list[Any]]:
        """Put results together."""
        total: list[list[Any]] = []
        for accumulator in accumulators:
            for level, results in enumerate(accumulator):
                for result in results:
                    self._add(total, level, result)
        return total

    def extract_output(self, accumulator: list[list[Any]]) -> Any:
        """Return all as one."""
        return self._merge([result for level in accumulator for result in level])

    def _add(self, levels: list[list[Any]], level: int, result: Any) -> None:
        """Add a result at a level, and merge what is complete."""
        while len(levels) <= level:
            levels.append([])
        levels[level].append(result)
        if len(levels[level]) == _FAN:
            merged = self._merge(levels[level])
            levels[level] = []
            self._add(levels, level + 1, merged)
