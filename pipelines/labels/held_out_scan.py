"""The look at labelled records for what train must not show, once it is known which records repeat and which move."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelers.text.document import Document, Reject
from pipelines.folder.layout import Folder
from pipelines.input.dropped import read_dropped
from pipelines.input.records import InputFile, Unit
from pipelines.input.units import read_unit
from pipelines.labels.held_out import HeldOut, is_labelled
from pipelines.labels.labelled_documents import kept_documents
from pipelines.labels.record_labels import label_columns
from pipelines.plans.plan import Plan
from pipelines.processes import run_exclusively
from pipelines.rows.cutter import Cutter, characters_of

__all__ = ["FindHeldOut", "found_held_out", "labelled_units", "merge_held_out"]

_CHARACTERS = 1_000_000  # of documents that are cut at a time


def labelled_units(plan: Plan) -> list[Unit]:
    """Return the units with ranges in which a labelled document of validation or test may stand, with these alone."""
    columns = [label_columns(plan.recipe, table) for table in plan.recipe.input]
    carved = plan.splitter.carved

    def counts(file: InputFile) -> bool:
        return bool(columns[file.input]) and (file.split != "train" or carved)

    units = [
        replace(unit, ranges=tuple(item for item in unit.ranges if counts(plan.files[item.file])))
        for unit in plan.units
    ]
    return [unit for unit in units if unit.ranges]


@dataclass(frozen=True)
class FindHeldOut:
    """Writes what is known of the labelled passages of validation and test in one unit into a scratch folder."""

    plan: Plan
    """With what the scan found."""
    scratch: str
    """Folder in that of the dataset, where the lists of repeated records lie."""

    def __call__(self, unit: Unit) -> dict[str, list[Any]]:
        """Return the number of the unit, or what went wrong."""
        try:
            return run_exclusively(self._find, unit)
        except Exception as error:  # noqa: BLE001  (Beam would wrap it in pages)
            return {"units": [], "errors": [f"unit {unit.index}: {type(error).__name__}: {error}"]}

    def places(self, unit: Unit) -> list[str]:
        """Return the input of a unit."""
        return [self.plan.files[part.file].path for part in unit.ranges]

    def refused(self, unit: Unit, why: str) -> dict[str, list[Any]]:  # noqa: ARG002
        """Return why a unit cannot be looked at on this host."""
        return {"units": [], "errors": [why]}

    def _find(self, unit: Unit) -> dict[str, list[Any]]:
        """Look at a unit."""
        cutter, names, parts = (
            Cutter(self.plan.recipe, self.plan.spaces),
            list(self.plan.recipe.labels),
            list[HeldOut](),
        )
        folder = Folder.at(self.plan.recipe.out)
        for documents in _batches(self._documents(unit, folder)):
            passages, _ = cutter.cut_labelled(documents)
            labelled = np.flatnonzero(is_labelled(passages, names))
            parts = [HeldOut.sum([*parts, HeldOut.of(passages.take(labelled))])]
        folder.write(_name(self.scratch, unit.index), HeldOut.sum(parts).to_bytes())
        return {"units": [unit.index], "errors": []}

    def _documents(self, unit: Unit, folder: Folder) -> Iterator[Document]:
        """Yield the labelled documents of a unit that are not train.

        The scan kept them; where some moved since, the input is read again.
        """
        plan, splitter = self.plan, self.plan.splitter
        dropped = read_dropped(folder, self.scratch, unit.index, plan.dropped)
        columns = [label_columns(plan.recipe, table) for table in plan.recipe.input]
        records: Iterator[Document | Reject] = kept_documents(folder, self.scratch, unit.index)
        if plan.moved:
            records = read_unit(unit, plan.files, plan.recipe.input, plan.recipe.split.group, labels=columns)
        for record in records:
            used = dropped.used(record) if isinstance(record, Document) else record
            if isinstance(used, Document) and used.labels and splitter.split(used) != "train":
                yield used


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Yield documents in lists that fit into memory."""
    batch, characters = list[Document](), 0
    for document in documents:
        batch.append(document)
        characters += characters_of(document)
        if characters >= _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def merge_held_out(parts: Iterable[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    """Return what the looks at several units came to."""
    total: dict[str, list[Any]] = {"units": [], "errors": []}
    for part in parts:
        total = {name: sorted([*known, *part[name]]) for name, known in total.items()}
    return total


def found_held_out(folder: Folder, scratch: str, units: Iterable[int]) -> bytes:
    """Return what is known of all units, as it is written."""
    total = HeldOut.sum([])
    for unit in units:
        total = HeldOut.sum([total, HeldOut.from_bytes(folder.read(_name(scratch, unit)))])
    return total.to_bytes()


def _name(scratch: str, unit: int) -> str:
    """Return where what is known of a unit lies."""
    return f"{scratch}/{unit:05d}.held"
