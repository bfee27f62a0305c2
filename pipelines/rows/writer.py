"""Rows into Arrow files whose bytes depend on the rows alone."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from labelers.task import Task
from pipelines.folder.books import RowBook
from pipelines.folder.fingerprint import Fingerprint
from pipelines.folder.layout import Folder, Pending
from pipelines.folder.schema import BATCH_ROWS

__all__ = ["ShardWriter"]


_END = b"\xff\xff\xff\xff\0\0\0\0"  # closes a stream of Arrow messages


class ShardWriter:
    """Writes the rows of one split of one unit as an Arrow stream, and counts them.

    Record batches have exactly `BATCH_ROWS` rows, but for the last, however the rows come in; a slice would carry
    bytes of its neighbours, so that each batch is made of fresh arrays.
    """

    def __init__(self, folder: Folder, name: str, schema: pa.Schema, tasks: Sequence[Task]) -> None:
        """Open a temporary file."""
        self.file = Pending(folder, name)
        self.book, self.fingerprint = RowBook(tasks), Fingerprint()
        self._schema = schema
        self._messages = [schema.serialize()]  # not written yet: a full disk is met only when the file is known to all
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows of the schema."""
        if rows.num_rows:
            self.book.add(rows)
            self.fingerprint.add(rows)
        start = 0
        while self._rows + rows.num_rows - start >= BATCH_ROWS:
            wanted = BATCH_ROWS - self._rows
            self._waiting.append(rows.slice(start, wanted))
            self._flush()
            start += wanted
        if start < rows.num_rows:
            self._waiting.append(rows.slice(start))
            self._rows += rows.num_rows - start

    def _flush(self) -> None:
        """Write the rows that wait as one record batch."""
        columns = [pa.concat_arrays([part.column(i) for part in self._waiting]) for i in range(len(self._schema.names))]
        batch = pa.record_batch(columns, schema=self._schema)
        self._messages.append(batch.serialize())
        self._waiting, self._rows = [], 0
        self._send()

    def close(self) -> None:
        """Write what waits and end the stream."""
        if self._rows:
            self._flush()
        self._messages.append(_END)
        self._send()
        self.file.close()

    def _send(self) -> None:
        """Write the messages that are made."""
        for message in self._messages:
            self.file.write(message)
        self._messages = []

    def facts(self) -> dict[str, Any]:
        """Return what a commit mark says of the split: book and column checksums."""
        return {**self.book.to_json(), "columns": self.fingerprint.to_json()["columns"]}
