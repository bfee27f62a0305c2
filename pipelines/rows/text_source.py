"""Rows from text: records are read, repeated ones left out, the others cut into passages and given splits."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from labelers.text.document import FILTERED, Document, Reject
from pipelines.folder.layout import DROPPED, SPLITS, Folder
from pipelines.input.changes import check_inputs
from pipelines.input.dropped import read_dropped
from pipelines.input.records import known_files
from pipelines.input.units import read_unit
from pipelines.labels.record_labels import label_columns
from pipelines.plans.plan import Plan
from pipelines.rows.cutter import Cutter, characters_of
from pipelines.rows.source import Part, Records, Source

__all__ = ["TextSource"]

BATCH_CHARACTERS = 2_000_000
"""A part ends here at the latest, whatever the number of its documents: it bounds memory."""


class TextSource(Source):
    """The passages of the text that a plan lists."""

    def __init__(self, plan: Plan, folder: Folder, cutter: Cutter, batch: int) -> None:
        """Read nothing yet.

        Args:
            plan: what there is to read, which splits it falls into, and which records repeat others.
            folder: in which the plan lies.
            cutter: of the plan's recipe.
            batch: documents of a part, about.
        """
        self._plan, self._folder, self._cutter = plan, folder, cutter
        copies = plan.recipe.copies  # each is a row to label
        self._documents, self._characters = batch / copies, BATCH_CHARACTERS / copies
        self._splitter = plan.splitter
        self._order = {file.name: i for i, file in known_files(plan.files)}

    def check(self, unit: int) -> None:
        """Check that the input files of a unit are what they were when it was planned."""
        for name in check_inputs(self._plan.files, self._plan.units[unit].ranges):
            raise OSError(f"the input file {name} changed since the plan was made; start again with --overwrite")

    def read(self, unit: int) -> Iterator[Part]:
        """Yield the passages of a unit."""
        for documents, records in self._batches(unit):
            yield self._part(documents, records)

    def _batches(self, unit: int) -> Iterator[tuple[list[Document], Records]]:
        """Yield the documents that are used, and the book of all that was read with them."""
        recipe, dropped = self._plan.recipe, read_dropped(self._folder, DROPPED, unit, self._plan.dropped)
        documents, records, characters = list[Document](), Records(), 0
        columns = [label_columns(recipe, table) for table in recipe.input]
        unit_records = read_unit(
            self._plan.units[unit], self._plan.files, recipe.input, recipe.split.group, labels=columns
        )
        for record in unit_records:
            records.read += 1
            used = record if isinstance(record, Reject) else dropped.used(record)
            if isinstance(used, Reject) and used.reason == FILTERED:
                records.filtered += 1
            elif isinstance(used, Reject):
                records.rejects.append(used)
            elif used is None:
                records.duplicate += 1
            else:
                documents.append(used)
                characters += characters_of(used)
            if len(documents) >= self._documents or characters >= self._characters:
                yield documents, records
                documents, records, characters = [], Records(), 0
        if records.read:
            yield documents, records

    def _part(self, documents: Sequence[Document], records: Records) -> Part:
        """Return the passages of documents."""
        split_of = {document.id: SPLITS.index(self._splitter.split(document)) for document in documents}
        # sorted by split, the rows of each split lie together, and one pass labels all
        ordered = sorted(documents, key=lambda document: split_of[document.id])
        batch, cut = self._cutter.cut_labelled(ordered)
        records.add(cut)
        # a part is a stretch of the input, so that what is in order in each is so in all
        records.rejects.sort(key=lambda item: (self._order[item.source], item.place, item.task))
        splits = np.array([split_of[name] for name in batch.documents], np.int8)
        return Part(dataclasses.replace(batch, splits=splits), records)
