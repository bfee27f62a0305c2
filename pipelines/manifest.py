"""The manifest: what follows from all commit marks, taken one by one in memory that does not grow with them."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.books import add_up
from pipelines.errors import RowErrors
from pipelines.fingerprint import Fingerprint, rows_digest
from pipelines.layout import SPLITS, STATS, Folder, keys_name, to_json
from pipelines.plan import Plan

__all__ = ["Summary", "equal_passages"]

_PART_KEYS = 16_000_000  # passage keys that are compared at a time: 128 MB, and as much again while they are sorted
_MOST_PARTS = 512  # files that are open at once

Keys = npt.NDArray[np.uint64]


class Summary:
    """The sum of the commit marks that were added, in the order of units."""

    def __init__(self) -> None:
        """Start with none."""
        self._counts: dict[str, Any] = {}
        self._copies = 1
        self._prints = {name: Fingerprint() for name in SPLITS}
        self._errors = RowErrors()
        self._digest = hashlib.blake2b(b"[", digest_size=16)
        self._first = True

    def add(self, mark: Mapping[str, Any]) -> None:
        """Add the mark of the next unit."""
        passages, splits = dict(mark["passages"]), {}
        self._copies = passages.pop("copies")
        for name, split in mark["splits"].items():
            splits[name] = {key: value for key, value in split.items() if key != "columns"}
            self._prints[name].merge({"rows": split["rows"], "columns": split["columns"]})
        part = {"records": mark["records"], "conflicts": mark["conflicts"], "passages": passages, "splits": splits}
        self._counts = add_up([self._counts, part])
        self._errors.merge(mark.get("errors", {}))
        # as the digest of a JSON list of them all
        self._digest.update((b"" if self._first else b",") + to_json(mark["files"]).removesuffix(b"\n"))
        self._first = False

    def manifest(self, plan: Plan, folder: Folder) -> dict[str, Any]:
        """Return what the manifest says of the dataset; the marks of all units must have been added."""
        digest = self._digest.copy()
        digest.update(b"]\n")
        splits = {name: self._counts["splits"][name] for name in SPLITS if self._counts["splits"][name]["rows"]}
        passages = self._counts["passages"] | {"copies": self._copies}
        errors = self._errors.to_json()
        return {
            "auxloom": plan.versions["auxloom"],
            "plan": plan.digest,
            "units": len(plan.units),
            **self._counts,
            "passages": passages,
            "splits": splits,
            **({"errors": errors} if errors else {}),
            "equal_passages": equal_passages(folder, len(plan.units)),
            "rows_blake2b": rows_digest(self._prints),
            "stats_blake2b": digest.hexdigest(),
        }


def equal_passages(folder: Folder, units: int, *, part_keys: int = _PART_KEYS) -> dict[str, int]:
    """Return how many passages stand in more than one document, and how many rows repeat one of another document.

    Args:
        folder: of the dataset.
        units: how many have left the keys of their passages, sorted uint64.
        part_keys: keys that are compared at a time; with more of them, each file is divided once, on the local disk.
    """
    sizes = folder.sizes(STATS)
    total = sum(sizes[keys_name(unit).partition("/")[2]] for unit in range(units)) // 8
    distinct = repeated = 0
    for keys in _parts(folder, units, total, part_keys):
        keys.sort()
        again = keys[1:] == keys[:-1]
        repeated += int(np.count_nonzero(again))
        distinct += int(np.count_nonzero(again[:1])) + int(np.count_nonzero(again[1:] & ~again[:-1]))
    return {"passages": distinct, "repeats": repeated}


def _parts(folder: Folder, units: int, total: int, part_keys: int) -> Iterator[Keys]:
    """Yield the keys of all units in parts: equal ones stand in the same part."""
    parts = min(max(1, -(-total // part_keys)), _MOST_PARTS)
    if parts == 1:
        keys, place = np.empty(total, np.uint64), 0
        for unit in range(units):
            own = _read_keys(folder, unit)
            keys[place : place + len(own)] = own
            place += len(own)
        yield keys
        return
    bounds = np.arange(1, parts, dtype=np.uint64) * np.uint64((1 << 64) // parts)
    with tempfile.TemporaryDirectory(prefix="auxloom-keys-") as scratch:
        paths = [Path(scratch, f"{part}.keys") for part in range(parts)]
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in paths]
            for unit in range(units):
                own = _read_keys(folder, unit)
                cuts = [0, *np.searchsorted(own, bounds).tolist(), len(own)]
                for file, start, stop in zip(files, cuts, cuts[1:], strict=False):
                    file.write(own[start:stop].tobytes())
        for path in paths:
            yield np.fromfile(path, np.uint64)
            path.unlink()


def _read_keys(folder: Folder, unit: int) -> Keys:
    """Return the passage keys of a unit."""
    return np.frombuffer(folder.read(keys_name(unit)), "<u8").astype(np.uint64, copy=False)
