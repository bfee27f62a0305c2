"""The manifest: what follows from all commit marks, taken one by one in memory that does not grow with them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pipelines.folder.books import add_up
from pipelines.folder.fingerprint import Fingerprint, rows_digest
from pipelines.folder.layout import SPLITS, Folder, to_json
from pipelines.labels.held_out import HeldOutBook
from pipelines.plan import Plan
from pipelines.rows.errors import RowErrors
from pipelines.rows.passage_keys import equal_passages

__all__ = ["Summary"]


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
        # as the digest of a JSON list of them all
        self._digest.update((b"" if self._first else b",") + to_json(mark["files"]).removesuffix(b"\n"))
        self._first = False

    def manifest(self, plan: Plan, folder: Folder) -> dict[str, Any]:
        """Return what the manifest says of the dataset; the marks of all units must have been added."""
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
            **({"base": dict(plan.base)} if plan.base else {"equal_passages": equal_passages(folder, len(plan.units))}),
            "rows_blake2b": rows_digest(self._prints),
            "stats_blake2b": digest.hexdigest(),
        }
