"""Rows of a dataset with labels that people made elsewhere."""

import dataclasses
from collections.abc import Iterator

from labelers.text.document import Reject
from pipelines.layers.matching import Matching, books, rejected_rows
from pipelines.rows.rows_source import RowsSource
from pipelines.rows.source import Part, Source

__all__ = ["JoinSource"]

_WHERE = "it could not be used where it was read; the report of `auxloom join` says why"


class JoinSource(Source):
    """The passages of a dataset's rows, with the labels of the annotated rows that they are matched with."""

    def __init__(self, rows: RowsSource, matching: Matching) -> None:
        """Read nothing yet.

        Args:
            rows: of the dataset.
            matching: of annotated rows to them.
        """
        self._rows, self._matching = rows, matching

    def check(self, unit: int) -> None:
        """Check that a unit of the dataset is finished, and that its files have their sizes."""
        self._rows.check(unit)

    def read(self, unit: int) -> Iterator[Part]:
        """Yield the passages of a unit's shards, a record batch at a time."""
        for part in self._rows.read(unit):
            labels = self._matching.labels(part.passages.ids)
            rejects = [
                Reject(part.passages.documents[row], 0, "rejected", part.passages.ids[row], _WHERE, name)
                for name, column in sorted(labels.items())
                for row in rejected_rows(column)
            ]
            records = dataclasses.replace(part.records, rejects=rejects, labels=books(labels))
            yield Part(dataclasses.replace(part.passages, fields=labels), records)
