"""What a format is: how its files are opened, cut into ranges and read.

A format is one module of this package with a constant ``ENDINGS``, the formats that it defines by the endings of
their files. It derives from `LineFormat` where a line is a record, from `TableFormat` where it can give record
batches, and else from `Format`.
"""

import lzma
import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.stores.faults import is_fault
from labelers.stores.opening import opened_place
from labelers.stores.reading import open_to_read
from labelers.stores.uri import is_uri
from labelers.text.document import Document, Reject
from pipelines.formats.class_names import named_classes
from pipelines.input.changes import PieceDigest
from pipelines.input.lines import lines_of
from pipelines.input.parse import Parser

__all__ = ["ROWS", "UNREADABLE", "Format", "LineFormat", "OpenRange", "TableFormat", "locate", "opened", "other_kind"]

ROWS = 1024
"""Rows that are read at a time."""

_ROW_BYTES = 256
"""What a row of a table counts for in the blocks of text that stay in one split: a short paragraph."""

_MAGIC: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"PK\x03\x04": "zip",
    b"%PDF-": "pdf",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"SQLite format": "sqlite",
}
"""How files begin that are no text in an encoding with single-byte line breaks."""

UNREADABLE = (OSError, pa.ArrowException, EOFError, zlib.error, lzma.LZMAError)
"""What reading a file raises that cannot be read."""


def locate(path: str) -> tuple[pafs.FileSystem, str]:
    """Return the file system of a local path or URI, and the path in it."""
    return opened_place(path) if is_uri(path) else (pafs.LocalFileSystem(), path)


@contextmanager
def opened(path: str) -> Iterator[pa.NativeFile]:
    """Open a file for random access."""
    system, inner = locate(path)
    with open_to_read(system, inner) as stream:
        yield stream


def _told(error: Exception) -> str:
    """Return kind and first line of an error, without the path that one of the system names."""
    number = error.errno if isinstance(error, OSError) else None
    text = os.strerror(number) if number else str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@dataclass(frozen=True)
class OpenRange:
    """An open file, and which range of it is to be read."""

    stream: Any
    parser: Parser
    start: int
    stop: int


def other_kind(span: OpenRange) -> str:
    """Return what a file that should be text is by its first bytes, nothing where it may be text."""
    begin = span.stream.read(16)
    return next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), "")


class Format(ABC):
    """A file format."""

    bytewise: ClassVar[bool] = False
    """Ranges are of bytes; otherwise of `parts`."""
    onward: ClassVar[bool] = False
    """A range is read from its first byte to its last; otherwise here and there."""

    def parts(self, path: str) -> int:  # noqa: ARG002
        """Return how many parts a file can be cut into where ranges are not of bytes; 1 where it is read as a whole."""
        return 1

    def piece(self, size: int, start: int, stop: int) -> PieceDigest | None:
        """Return an empty digest for a range of a file of so many bytes; that of the first part is of the file."""
        if self.bytewise:
            return PieceDigest(start, stop)
        return PieceDigest(0, size) if start == 0 else None

    def read(
        self, parser: Parser, start: int, stop: int, digest: PieceDigest | None = None
    ) -> Iterator[Document | Reject]:
        """Yield the records of a range; a file that cannot be read is one reject, of its first range.

        Once all are read, a digest is complete.
        """
        last = -1 if start == 0 else None  # of a file that cannot be opened, the first range alone says so
        try:
            with opened(parser.file.path) as stream:
                last = start - 1 if self.bytewise else -1
                source = digest.over(stream) if digest and self.onward else stream
                for place, item in self.records(OpenRange(source, parser, start, stop)):
                    yield item
                    last = place
                if digest:
                    digest.finish(stream)
        except UNREADABLE as error:
            if is_fault(error):  # the file may be as it should be
                raise
            if last is not None:
                yield parser.reject(last + 1, "file", _told(error))

    @abstractmethod
    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (place, record) of an open file."""


class LineFormat(Format):
    """Records are lines."""

    bytewise = onward = True

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (byte offset, record) of the lines that start in the range."""
        kind = other_kind(span)
        if kind:
            if span.start == 0:
                yield 0, span.parser.reject(0, "file", f"{kind}, not text")
            return
        for place, line, length in self.lines(span):
            if length > span.parser.settings.max_record_bytes:
                yield place, span.parser.reject(place, "too_long", line)
            elif not line.isspace() and line:
                yield place, self.record(span.parser, place, place, line)

    def lines(self, span: OpenRange) -> Iterator[tuple[int, bytes, int]]:
        """Yield (byte offset, line, its length) of the lines that start in the range."""
        return lines_of(span.stream, span.start, span.stop, span.parser.settings.max_record_bytes)

    @abstractmethod
    def record(self, parser: Parser, place: int, offset: int, line: bytes) -> Document | Reject:
        """Return the record of one line that begins at so many bytes of text."""


class TableFormat(Format):
    """A row of a table is a record."""

    @abstractmethod
    def batches(self, span: OpenRange, columns: Container[str]) -> Iterator[tuple[int, Any]]:
        """Yield (first row, record batch) of the parts, with the columns that are there."""

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (row, record)."""
        parser, names = span.parser, None
        for first, batch in self.batches(span, parser.columns):
            names = named_classes(batch.schema, parser.class_columns) if names is None else names
            for begin in range(0, batch.num_rows, ROWS):
                for row, record in enumerate(_rows(batch.slice(begin, ROWS)), first + begin):
                    if record is None:
                        yield row, parser.reject(row, "undecodable", "")
                    else:
                        named = {name: convert(record.get(name)) for name, convert in (names or {}).items()}
                        yield row, parser.record(row, row * _ROW_BYTES, {**record, **named} if named else record)


def _rows(batch: Any) -> list[dict[str, Any] | None]:
    """Return the rows of a batch, None for one whose bytes are no UTF-8."""
    try:
        rows: list[dict[str, Any] | None] = batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        half = batch.num_rows // 2
        return _rows(batch.slice(0, half)) + _rows(batch.slice(half))
    return rows
