"""The manifest: what follows from all commit marks, or from sums of some of them, in memory that does not grow."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pipelines.folder.books import add_up
from pipelines.folder.fingerprint import Fingerprint, rows_digest
from pipelines.folder.layout import SPLITS, Folder, to_json
from pipelines.labels.held_out import HeldOutBook
from pipelines.plans.plan import Plan
from pipelines.rows.errors import RowErrors
from pipelines.rows.passage_keys import equal_passages

__all__ = ["PartialSummary", "Summary"]


class Summary:
    """The sum of the commit marks that were added, in the order of units."""

    def __init__(self) -> None:
        """Start with none."""
        self._counts: dict[str, Any] = {}
        self._copies = 1
        self._prints = {name: Fingerprint() for name in SPLITS}
        self._errors = RowErrors()
        self._held_out = HeldOutBook()
        self._digest = hashlib.blake2b(b"[", digest_size=16)
        self._first = True

    def add(self, mark: Mapping[str, Any]) -> None:
        """Add the mark of the next unit."""
        passages, splits = dict(mark["passages"]), {}
        self._copies = passages.pop("copies")
        for name, split in mark["splits"].items():
            splits[name] = {key: value for key, value in split.items() if key != "columns"}
            self._prints[name].merge({"rows": split["rows"], "columns": split["columns"]})
        part = {key: mark[key] for key in ("records", "labels", "conflicts") if key in mark}
        part |= {"passages": passages, "splits": splits}
        self._counts = add_up([self._counts, part])
        self._errors.merge(mark.get("errors", {}))
        if "held_out" in mark:
            self._held_out.merge(mark["held_out"])
        self._note(to_json(mark["files"]).removesuffix(b"\n"))

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the sum of the next units, as `PartialSummary.to_json` returns it."""
        self._counts = add_up([self._counts, other["counts"]])
        self._copies = other["copies"]
        for name, columns in other["prints"].items():
            self._prints[name].merge(columns)
        self._errors.merge(other["errors"])
        if other["held_out"] is not None:
            self._held_out.merge(other["held_out"])
        self._note(other["files"].encode())

    def _note(self, files: bytes) -> None:
        """Take what units say of their files: the digest is that of a JSON list of all."""
        self._digest.update((b"" if self._first else b",") + files)
        self._first = False

    def manifest(self, plan: Plan, folder: Folder, equal: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Return what the manifest says of the dataset; the marks of all units must have been added.

        Args:
            plan: of the dataset.
            folder: in which it lies.
            equal: what `equal_passages` returns, where that was found already.
        """
        if equal is None:
            equal = {} if plan.base else equal_passages(folder, len(plan.units))
        digest = self._digest.copy()
        digest.update(b"]\n")
        splits = {name: self._counts["splits"][name] for name in SPLITS if self._counts["splits"][name]["rows"]}
        passages = self._counts["passages"] | {"copies": self._copies}
        errors, held_out = self._errors.to_json(), self._held_out.of_dataset()
        return {
            "auxloom": plan.versions["auxloom"],
            "plan": plan.digest,
            "units": len(plan.units),
            **self._counts,
            "passages": passages,
            "splits": splits,
            **({"held_out": held_out} if held_out is not None else {}),
            **({"errors": errors} if errors else {}),
            **({"base": dict(plan.base)} if plan.base else {"equal_passages": dict(equal)}),
            "rows_blake2b": rows_digest(self._prints),
            "stats_blake2b": digest.hexdigest(),
        }


class PartialSummary(Summary):
    """The sum of the marks of some consecutive units, which others add up."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self._files: list[bytes] = []

    def _note(self, files: bytes) -> None:
        """Keep it: a digest cannot be continued elsewhere."""
        self._files.append(files)

    def to_json(self) -> dict[str, Any]:
        """Return the sum as a JSON object."""
        return {
            "counts": self._counts,
            "copies": self._copies,
            "prints": {name: item.to_json() for name, item in self._prints.items()},
            "errors": self._errors.to_json(),
            "held_out": self._held_out.to_json(),
            "files": b",".join(self._files).decode(),
        }
