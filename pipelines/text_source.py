"""Rows from text: records are read, repeated ones left out, the others cut into passages and given splits."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from labelers.label_space import LabelSpace
from labelers.passages import PassageBatch
from labelers.text.cutting import CutDocuments
from labelers.text.document import Document, Reject
from labelers.text.gold import read_gold
from labelers.text.segmenter import Segmenter
from pipelines.changes import check_inputs
from pipelines.layout import DROPPED, SPLITS, Folder, digest_json
from pipelines.plan import Plan
from pipelines.recipe import Recipe
from pipelines.record_labels import label_columns
from pipelines.source import Part, Records, Source
from pipelines.units import read_unit

__all__ = ["Cutter", "TextSource"]

BATCH_CHARACTERS = 2_000_000
"""A part ends here at the latest, whatever the number of its documents: it bounds memory."""

_REPEATED = "repeated_id"

_Dropped = Mapping[tuple[str, int], tuple[str, str]]
"""The (reason, first place) of each record that repeats another, by its (source, place)."""


class Cutter:
    """Cuts documents into passages as a recipe says; where its vocabulary is full it starts a new one."""

    def __init__(self, recipe: Recipe, spaces: Sequence[LabelSpace] = ()) -> None:
        """Start with an empty vocabulary; passages get the labels of these spaces."""
        self._recipe, self._spaces = recipe, spaces
        self._segmenter = self._start()

    def _start(self) -> Segmenter:
        """Return a segmenter with an empty vocabulary."""
        text, keep = self._recipe.text, self._recipe.keep
        limit = self._recipe.passage.max_tokens
        return Segmenter(text.lang, limit, newline=text.newline, normalise=text.normalise, keep=keep)

    def cut(self, documents: Sequence[Document]) -> tuple[PassageBatch, list[Reject]]:
        """Return the passages of documents, and a reject for each document that has none."""
        cut, rejects = self._cut(documents)
        return cut.batch, rejects

    def cut_labelled(self, documents: Sequence[Document]) -> tuple[PassageBatch, Records]:
        """Return the passages of documents with their labels, and the book of both."""
        cut, rejects = self._cut(documents)
        found = read_gold(cut, self._spaces)
        fields = {**cut.batch.fields, **found.columns}
        records = Records(used=len(documents) - len(rejects), rejects=[*rejects, *found.rejects], labels=found.books)
        return dataclasses.replace(cut.batch, fields=fields), records

    def _cut(self, documents: Sequence[Document]) -> tuple[CutDocuments, list[Reject]]:
        """Cut documents."""
        if self._segmenter.full:
            self._segmenter = self._start()
        return self._segmenter.cut(documents)


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
        self._order = {file.name: i for i, file in enumerate(plan.files)}

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
        recipe, dropped = self._plan.recipe, self._read_dropped(unit)
        documents, records, characters = list[Document](), Records(), 0
        columns = [label_columns(recipe, table) for table in recipe.input]
        unit_records = read_unit(
            self._plan.units[unit], self._plan.files, recipe.input, recipe.split.group, labels=columns
        )
        for record in unit_records:
            records.read += 1
            if isinstance(record, Reject):
                records.rejects.append(record)
            elif not _repeats(record, dropped, records):
                documents.append(record)
                characters += _characters(record)
            if len(documents) >= self._documents or characters >= self._characters:
                yield documents, records
                documents, records, characters = [], Records(), 0
        if records.read:
            yield documents, records

    def _read_dropped(self, unit: int) -> _Dropped:
        """Return which records of a unit the plan found to repeat another."""
        digest = (self._plan.dropped or {}).get(str(unit))
        if digest is None:
            return {}
        lines = self._folder.read_json(f"{DROPPED}/{unit:05d}.json")
        if digest_json(lines) != digest:
            raise OSError(f"{DROPPED}/{unit:05d}.json does not match the plan; start again with --overwrite")
        return {(source, place): (reason, first) for source, place, reason, first in lines}

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


def _repeats(document: Document, dropped: _Dropped, records: Records) -> bool:
    """Book a record that repeats an earlier one, and return whether it does."""
    if not dropped:
        return False
    reason, first = dropped.get((document.source, document.place), ("", ""))
    if reason == _REPEATED:
        sample = f"id {document.id[:200]!r} stands first at {first}"
        records.rejects.append(Reject(document.source, document.place, reason, sample))
    elif reason:
        records.duplicate += 1
    return bool(reason)


def _characters(document: Document) -> int:
    """Return about how long a document is."""
    second = _length(document.second) if document.second else 0
    if document.turns is not None:
        return second + sum(len(turn.text) for turn in document.turns)
    return second + (len(document.text) if document.tokens is None else _length(document.tokens))


def _length(text: str | Sequence[str]) -> int:
    """Return about how many characters a text or a list of tokens has."""
    return len(text) if isinstance(text, str) else 6 * len(text)
