"""Rows of a dataset with labels that people made elsewhere."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from labelers.label_space import LABELLED
from labelers.text.document import Reject
from pipelines.layers.matching import Matching, rejected_rows
from pipelines.rows.rows_source import RowsSource
from pipelines.rows.source import Part, Source

__all__ = ["JoinSource", "label_books"]


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
                self._reject(name, part.passages.documents[row], part.passages.ids[row])
                for name, column in sorted(labels.items())
                for row in rejected_rows(column)
            ]
            records = dataclasses.replace(part.records, rejects=rejects, labels=label_books(labels, rejects))
            yield Part(dataclasses.replace(part.passages, fields=labels), records)

    def _reject(self, name: str, document: str, row: str) -> Reject:
        """Return the reject of a row's label: the reason is that of the annotations, the sample the row."""
        why = self._matching.why(name, row)
        place = f"{why.source}:{why.place}" if why.source else "in the annotations"
        return Reject(document, 0, why.reason, row, f"{place}: {why.note}" if why.note else place, name)


def label_books(columns: Mapping[str, pa.StructArray], rejects: Sequence[Reject] = ()) -> dict[str, Counter[str]]:
    """Return for each label space of how many rows labels were read, used, and rejected for which reason."""
    found = {}
    for name, column in columns.items():
        used = int(np.count_nonzero(column.field("status").to_numpy() == LABELLED))
        reasons = Counter(item.reason for item in rejects if item.task == name)
        found[name] = Counter({"read": used + reasons.total(), "used": used}) + reasons
    return found
