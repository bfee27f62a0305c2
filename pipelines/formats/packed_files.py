"""Compressed files: each format of text that is read from first byte to last may be packed, and is read as a whole."""

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa

from labelers.text.document import Document, Reject
from pipelines.formats.format import Format, LineFormat, OpenRange

__all__ = ["PACKINGS", "PackedFormat", "packed_head", "packing_of"]

_HEAD = 65_600
"""Bytes at the beginning that may be read again: a format looks at them to detect what it is, and then reads them."""


class _Plain:
    """What Arrow wants a file of Python to have."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self.read, self.tell = stream.read, stream.tell

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it is read onward."""
        return False

    def close(self) -> None:
        """Leave it open to who opened it."""


PACKINGS: Mapping[str, Callable[[Any], Any]] = {
    "gz": lambda stream: gzip.GzipFile(fileobj=stream),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": lambda stream: pa.CompressedInputStream(pa.PythonFile(_Plain(stream), mode="r"), "zstd"),
}
"""How a packed stream is opened, by the last ending of the file's name."""


class _Unpacked:
    """The bytes of a packed file, of which the first can be read again."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._place = stream, 0
        self._head: bytes = _read(stream, _HEAD)

    def read(self, size: int) -> bytes:
        """Read on."""
        found = self._head[self._place : self._place + size] if self._place < len(self._head) else b""
        if not found:
            found = self._stream.read(size)
        self._place += len(found)
        return found

    def seek(self, place: int) -> None:
        """Go to a place at the beginning, before anything behind it is read, or stay."""
        if place != self._place and max(place, self._place) > len(self._head):
            raise OSError(f"a packed file cannot be read from byte {place} on")
        self._place = place

    def tell(self) -> int:
        """Return where it is."""
        return self._place

    def read_at(self, size: int, place: int) -> bytes:
        """Read at a place at the beginning."""
        return self._head[place : place + size]


def _read(stream: Any, size: int) -> bytes:
    """Return so many bytes of a stream, fewer only where it ends."""
    parts, left = list[bytes](), size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def packing_of(name: str) -> str:
    """Return how a file is packed, by its name; empty where it is not.

    Example:
        >>> packing_of("A.TSV.GZ"), packing_of("gz")
        ('gz', '')
    """
    ending = name.lower().rpartition(".")[2]
    return ending if ending in PACKINGS and "." in name else ""


def packed_head(stream: Any, packing: str) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with closing(PACKINGS[packing](stream)) as unpacked:
        return _read(unpacked, _HEAD)


class PackedFormat(Format):
    """Files of another format that are packed; the place of a record is its byte offset in the unpacked text.

    That of a line is its number, blank ones aside.
    """

    onward = True

    def __init__(self, inner: Format, packing: str) -> None:
        self._inner, self._open = inner, PACKINGS[packing]

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (place, record)."""
        with closing(self._open(span.stream)) as stream:
            unpacked = OpenRange(_Unpacked(stream), span.parser, 0, sys.maxsize)
            if isinstance(self._inner, LineFormat):
                yield from _lines(self._inner, unpacked)
            else:
                yield from self._inner.records(unpacked)


def _lines(form: LineFormat, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
    """Yield (row, record); blank lines are no rows."""
    row, parser = 0, span.parser
    for place, line, length in form.lines(span):
        if length > parser.settings.max_record_bytes:
            yield row, parser.reject(row, "too_long", line)
        elif not line.isspace() and line:
            yield row, form.record(parser, row, place, line)
        else:
            continue
        row += 1
