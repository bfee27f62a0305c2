"""Runs of keys: sorted files that are all cut at the same bounds, so that one range of all keys is read from slices.

Any process writes a run of what fits into its memory, any process looks at a range of them: what a shuffle would do,
with files alone, on each engine and without one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.folder.layout import Folder, Pending

__all__ = ["RUN_BYTES", "RunWork", "bounds_of", "ranges_for", "read_range", "spans_of", "write_run"]

RUN_BYTES = 64 * 2**20
"""Keys that a process sorts into a run."""


class RunWork:
    """Work whose input lies in the output folder alone, as the graph of a cluster asks for it."""

    def places(self, element: Any) -> list[str]:  # noqa: ARG002
        """Return no further places that a host must see."""
        return []

    def refused(self, element: Any, why: str) -> dict[str, Any]:  # noqa: ARG002
        """Return why a host cannot do it."""
        return {"errors": [why]}


def ranges_for(size: int, most: int = RUN_BYTES) -> int:
    """Return into how many ranges keys of so many bytes are divided: they are digests, and lie evenly."""
    return max(1, -(-size // most))


def spans_of(sizes: Sequence[int], most: int, *, units: int = 512) -> list[tuple[int, int]]:
    """Return spans (start, stop) of consecutive units, each of at most so many bytes in all, or of one unit.

    Example:
        >>> spans_of([3, 3, 9, 1, 1], 6), spans_of([1, 1, 1], 6, units=2)
        ([(0, 2), (2, 3), (3, 5)], [(0, 2), (2, 3)])
    """
    spans, start, total = [], 0, 0
    for unit, size in enumerate(sizes):
        if unit > start and (total + size > most or unit - start == units):
            spans.append((start, unit))
            start, total = unit, 0
        total += size
    return [*spans, (start, len(sizes))] if sizes else []


def bounds_of(ranges: int) -> npt.NDArray[np.uint64]:
    """Return where the second and each further of so many ranges of digests begins."""
    found: npt.NDArray[np.uint64] = np.arange(1, ranges, dtype=np.uint64) * np.uint64(((1 << 64) - 1) // ranges)
    return found


def write_run(
    folder: Folder, name: str, rows: npt.NDArray[Any], keys: npt.NDArray[Any], bounds: npt.NDArray[Any]
) -> None:
    """Write rows that are sorted by their keys: first where each range begins, then the rows.

    Args:
        folder: where to.
        name: of the file.
        rows: of any type.
        keys: of the rows.
        bounds: the key at which the second and each further range begins, the same of all runs.
    """
    cuts = np.concatenate([[0], np.searchsorted(keys, bounds), [len(keys)]]).astype("<i8")
    file = Pending(folder, name)
    try:
        file.write(cuts.tobytes())
        file.write(np.ascontiguousarray(rows).view(np.uint8))
        file.close()
        file.commit()
    except BaseException:
        file.discard()
        raise


def read_range(folder: Folder, names: Sequence[str], number: int, ranges: int, dtype: Any) -> npt.NDArray[Any]:
    """Return the rows of one range of several runs, in the order of the runs."""
    kind, found = np.dtype(dtype), []
    for name in names:
        with folder.fs.open_input_file(folder.full(name)) as file:
            start, stop = np.frombuffer(file.read_at(16, 8 * number), "<i8").tolist()
            data = file.read_at((stop - start) * kind.itemsize, 8 * (ranges + 1) + start * kind.itemsize)
        found.append(np.frombuffer(data, kind))
    return np.concatenate([np.empty(0, kind), *found])
