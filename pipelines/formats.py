"""The formats of the input: how the records of each are found in a part of a file and made into documents."""

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from pipelines.recipe import Input
from pipelines.records import Document, InputFile, Reject, Turn

__all__ = ["BLOCK", "count_parts", "open_path", "read_range"]

BLOCK = 65_536
"""Bytes of consecutive text that stay in one split where records bring no id of their own."""

BLOCK_ROWS = 256
"""The same for formats without byte offsets, in rows."""

_CHUNK = 1 << 18  # bytes read at a time: a unit may be one MiB, and reads little beyond its end
_SAMPLE = 1_000  # bytes of a bad record that its reject keeps
_ROWS = 1_024  # rows that become Python objects at a time
_BOM = b"\xef\xbb\xbf"
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")
_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowInvalid, pa.ArrowNotImplementedError)
_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int64": lambda value: isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63,
    "float64": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
}


def open_path(path: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or URI, and the path in it."""
    if "://" in path:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(path)
        return found
    return fs.LocalFileSystem(), os.path.abspath(path)


def count_parts(file: InputFile) -> int:
    """Return the row groups of a parquet file or the record batches of an arrow file; 0 where it cannot be read."""
    try:
        with _seekable(file) as source:
            if file.format == "parquet":
                return int(pq.ParquetFile(source).num_row_groups)
            return sum(1 for _ in _batches(source))
    except _UNREADABLE:
        return 0


def read_range(file: InputFile, start: int, stop: int, settings: Input, group: str) -> Iterator[Document | Reject]:
    """Yield every record of a part of a file, as a document or a reject; an unreadable file is one reject."""
    readers = {"txt": _read_txt, "jsonl": _read_jsonl, "jsonl.gz": _read_gz, "parquet": _read_rows, "arrow": _read_rows}
    maker = _Maker(file, settings, group)
    try:
        yield from readers[file.format](file, start, stop, settings, maker)
    except _UNREADABLE as error:
        yield Reject(file.name, 0, "file", f"not readable as .{file.format}: {error}"[:_SAMPLE])


class _BadRecordError(Exception):
    """A record that cannot be used; its argument is the reason."""


@dataclass(frozen=True)
class _Maker:
    """Makes documents from the records of one file."""

    file: InputFile
    settings: Input
    group: str

    def reject(self, place: int, reason: str, sample: bytes | str) -> Reject:
        """Return the reject of the record at a place."""
        data = sample if isinstance(sample, bytes) else sample.encode("utf-8", "backslashreplace")
        return Reject(self.file.name, place, reason, data[:_SAMPLE].decode("utf-8", "backslashreplace"))

    def text(self, place: int, data: bytes) -> Document | Reject:
        """Return the document of a line or paragraph."""
        try:
            text = data.decode(self.settings.encoding)
        except UnicodeDecodeError:
            return self.reject(place, "undecodable", data)
        if not _VISIBLE.search(text):
            return self.reject(place, "empty", data)
        name = self.file.name
        group = name if self.group else f"{name}:{place // BLOCK}"
        return Document(f"{name}:{place}", text, group=group, source=name, place=place)

    def line(self, place: int, data: bytes) -> Document | Reject:
        """Return the document of a line of JSON."""
        try:
            record = json.loads(data.decode(self.settings.encoding))
        except UnicodeDecodeError:
            return self.reject(place, "undecodable", data)
        except (ValueError, RecursionError):
            return self.reject(place, "not_json", data)
        return self.record(place, record, data)

    def record(self, place: int, record: Any, sample: bytes | str = "") -> Document | Reject:
        """Return the document of a record, given as nested Python values."""
        try:
            return self._document(place, record)
        except _BadRecordError as bad:
            return self.reject(place, str(bad), sample or repr(record))

    def _document(self, place: int, record: Any) -> Document:
        if not isinstance(record, Mapping):
            raise _BadRecordError("not_an_object")
        names, name = self.settings, self.file.name
        own = record.get(names.id)
        if own is not None and (not isinstance(own, str | int) or isinstance(own, bool)):
            raise _BadRecordError("wrong_type")
        fields = {key: _typed(record.get(key), kind) for key, kind in names.keep.items()}
        blocks = place // (BLOCK if self.file.format == "jsonl" else BLOCK_ROWS)
        identity = f"{name}:{place}" if own is None else str(own)
        group = f"{name}:{blocks}" if own is None else identity
        if self.group:
            chosen = name if self.group == "file" else fields.get(self.group)
            group = group if chosen is None else str(chosen)
        content = _content(record, names)
        return Document(id=identity, fields=fields, group=group, source=name, place=place, **content)


def _typed(value: Any, kind: str) -> Any:
    """Return the value of a declared field."""
    if value is not None and not _CHECKS[kind](value):
        raise _BadRecordError("wrong_type")
    return value


def _content(record: Mapping[str, Any], names: Input) -> dict[str, Any]:
    """Return what a record says: its turns, its tokens or its text, whichever it has first."""
    if record.get(names.turns) is not None:
        return {"turns": _turns(record[names.turns])}
    if record.get(names.tokens) is not None:
        return _tokens(record[names.tokens], record.get("segments"))
    text = record.get(names.text)
    if text is None:
        raise _BadRecordError("missing_field")
    if not isinstance(text, str):
        raise _BadRecordError("wrong_type")
    if not _clean(text):
        raise _BadRecordError("empty")
    return {"text": text}


def _clean(text: str) -> bool:
    """Tell whether a text holds something to see; one that no file can hold (a lone surrogate) is a reject."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _BadRecordError("undecodable") from None
    return bool(_VISIBLE.search(text))


def _turns(value: Any) -> tuple[Turn, ...]:
    """Return the turns that hold something to see."""
    if not isinstance(value, list):
        raise _BadRecordError("bad_turns")
    turns = []
    for item in value:
        if not isinstance(item, Mapping):
            raise _BadRecordError("bad_turns")
        role, text = item.get("role"), item.get("text")
        if not isinstance(role, str) or not isinstance(text, str) or not _clean(role):
            raise _BadRecordError("bad_turns")
        if _clean(text):
            turns.append(Turn(role, text))
    if not turns:
        raise _BadRecordError("empty")
    return tuple(turns)


def _tokens(value: Any, segments: Any) -> dict[str, Any]:
    """Return tokens that are split already, and the segments that came with them."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _BadRecordError("wrong_type")
    if not value:
        raise _BadRecordError("empty")
    if not all(_clean(item) and not re.search(r"\s", item) for item in value):
        raise _BadRecordError("bad_token")
    if segments is None:
        return {"tokens": tuple(value)}
    if not isinstance(segments, list) or not all(type(item) is int for item in segments):
        raise _BadRecordError("bad_segments")
    if segments[:1] != [0] or sorted(set(segments)) != segments or segments[-1] >= len(value):
        raise _BadRecordError("bad_segments")
    return {"tokens": tuple(value), "segments": tuple(segments)}


Lines = Iterator[tuple[int, bytes, bool]]
"""(byte offset, content without the line break, whether it was too long to keep whole)."""


def lines(source: BinaryIO, start: int, limit: int, chunk: int = _CHUNK) -> Lines:
    """Yield the lines of a stream that stands at byte ``start``; of one over ``limit`` bytes, only how it begins.

    No more than a chunk and a line of ``limit`` bytes is in memory at a time.
    """
    place, rest, dropped = start, b"", 0
    while block := source.read(chunk):
        *whole, tail = block.split(b"\n")
        for line in whole:
            size = len(rest) + dropped + len(line) + 1
            yield place, (rest + line[: limit + 1]).rstrip(b"\r"), size - 1 > limit
            place, rest, dropped = place + size, b"", 0
        room = max(limit + 1 - len(rest), 0)
        rest, dropped = rest + tail[:room], dropped + max(len(tail) - room, 0)
    if rest:
        yield place, rest.rstrip(b"\r"), len(rest) + dropped > limit


def _read_txt(file: InputFile, start: int, stop: int, settings: Input, maker: _Maker) -> Iterator[Document | Reject]:
    """Yield the lines of a text, or its paragraphs, that begin in [start, stop)."""
    found = _lines_from(file, start, settings)
    for place, data, long in found if settings.paragraphs == "line" else _paragraphs(file, start, found, settings):
        if 0 <= stop <= place:
            return
        if long:
            yield maker.reject(place, "too_long", data)
        elif data.strip():  # a blank line divides paragraphs, and is no record
            yield maker.text(place, data)


def _read_jsonl(file: InputFile, start: int, stop: int, settings: Input, maker: _Maker) -> Iterator[Document | Reject]:
    """Yield the records of the lines that begin in [start, stop)."""
    for place, data, long in _lines_from(file, start, settings):
        if 0 <= stop <= place:
            return
        if long:
            yield maker.reject(place, "too_long", data)
        elif data.strip():
            yield maker.line(place, data)


def _lines_from(file: InputFile, start: int, settings: Input) -> Lines:
    """Yield the lines of a file from the first that begins at or behind byte ``start``."""
    with _seekable(file) as source:
        source.seek(max(start - 1, 0))
        found = lines(source, max(start - 1, 0), settings.max_record_bytes)
        if start:
            next(found, None)  # the end of the line before
        for place, data, long in found:
            yield place, data.removeprefix(_BOM) if place == 0 else data, long


def _paragraphs(file: InputFile, start: int, found: Lines, settings: Input) -> Lines:
    """Yield what stands between blank lines, its line breaks as one space each."""
    inside = start > 0 and not _after_blank(file, start)
    parts: list[bytes] = []
    place, size, long = -1, 0, False
    for at, data, cut in found:
        if not data.strip():
            if parts and not inside:
                yield place, b" ".join(parts), long
            inside, parts, size, long = False, [], 0, False
            continue
        place = place if parts else at
        size += len(data) + 1
        long |= cut or size > settings.max_record_bytes
        parts = parts[:1] if long else [*parts, data]
    if parts and not inside:
        yield place, b" ".join(parts), long


def _after_blank(file: InputFile, start: int) -> bool:
    """Tell whether the first line that begins at or behind ``start`` follows a blank one."""
    with _seekable(file) as source:
        source.seek(max(start - BLOCK, 0))
        before = source.read(start - max(start - BLOCK, 0))
        rest = next(lines(source, start, _SAMPLE), (0, b"", False))[1] if not before.endswith(b"\n") else b""
    line = (before.removesuffix(b"\n") + rest).rpartition(b"\n")[2]
    return not line.strip()


def _read_gz(file: InputFile, start: int, stop: int, settings: Input, maker: _Maker) -> Iterator[Document | Reject]:  # noqa: ARG001
    """Yield the records of a compressed file; its rows count from 0."""
    with _seekable(file) as raw, gzip.open(raw) as source:
        for row, (_, data, long) in enumerate(lines(source, 0, settings.max_record_bytes)):  # type: ignore[arg-type]
            if long:
                yield maker.reject(row, "too_long", data)
            elif data.strip():
                yield maker.line(row, data.removeprefix(_BOM) if row == 0 else data)


def _read_rows(file: InputFile, start: int, stop: int, settings: Input, maker: _Maker) -> Iterator[Document | Reject]:
    """Yield the records of some row groups or record batches; rows count from the file's first."""
    wanted = {settings.id, settings.text, settings.tokens, settings.turns, "segments", *settings.keep}
    with _seekable(file) as source:
        row, parts = _parquet(source, start, stop, wanted) if file.format == "parquet" else _arrow(source, start, stop)
        for part in parts:
            columns = [name for name in part.schema.names if name in wanted]
            for at in range(0, part.num_rows, _ROWS):
                for record in part.select(columns).slice(at, _ROWS).to_pylist():
                    yield _sized(maker, row, record, settings.max_record_bytes)
                    row += 1


def _sized(maker: _Maker, row: int, record: Mapping[str, Any], limit: int) -> Document | Reject:
    """Return the document of a row, or its reject where its text is over the limit."""
    text = record.get(maker.settings.text)
    if isinstance(text, str) and len(text.encode("utf-8", "surrogatepass")) > limit:
        return maker.reject(row, "too_long", text[:_SAMPLE])
    return maker.record(row, record)


def _parquet(source: Any, start: int, stop: int, wanted: set[str]) -> tuple[int, Iterator[Any]]:
    """Return the number of the first row, and the row groups [start, stop); -1: all."""
    file = pq.ParquetFile(source)
    stop = file.num_row_groups if stop < 0 else stop
    before = sum(file.metadata.row_group(i).num_rows for i in range(start))
    columns = [name for name in file.schema_arrow.names if name in wanted]
    return before, (file.read_row_group(i, columns=columns) for i in range(start, stop))


def _arrow(source: Any, start: int, stop: int) -> tuple[int, Iterator[Any]]:
    """Return the number of the first row, and the record batches [start, stop); -1: all."""
    batches = list(_batches(source))  # memory-mapped: no row is read yet
    stop = len(batches) if stop < 0 else stop
    return sum(batch.num_rows for batch in batches[:start]), iter(batches[start:stop])


def _batches(source: Any) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of an Arrow file in the stream format or the file format."""
    try:
        yield from pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        source.seek(0)
        reader = pa.ipc.open_file(source)
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))


def _seekable(file: InputFile) -> Any:
    """Open a file for reading at any place; a local Arrow file is memory-mapped."""
    system, path = open_path(file.path)
    if file.format == "arrow" and isinstance(system, fs.LocalFileSystem):
        return pa.memory_map(path)
    return system.open_input_file(path)
