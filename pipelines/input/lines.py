"""Lines and paragraphs of a stream of bytes, with the place of each, from any place of it on."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipelines.input.parse import SAMPLE

__all__ = ["lines_of", "paragraphs_of"]

_BLOCK = 1 << 20
"""Bytes that are read at a time."""

_BOM = b"\xef\xbb\xbf"


def lines_of(stream: Any, start: int, stop: int | None, most: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (offset, line, length) of each line that starts in [start, stop), without its break.

    Of a line longer than ``most`` only the start is kept, so that one of any length fits into memory.
    """
    place = max(0, start - 1)  # the line before ends at a break; the byte before shows whether it just did
    stream.seek(place)
    head, length = b"", 0
    while block := stream.read(_BLOCK):
        *whole, rest = block.split(b"\n")
        for part in whole:
            line, size = part, len(part)
            if length:
                line, size = _joined(head, length, part, most), length + size
                head, length = b"", 0
            if stop is not None and place >= stop:
                return
            if place >= start:
                yield place, _stripped(line, place), size
            place += size + 1
        head, length = _joined(head, length, rest, most), length + len(rest)
    if length and place >= start and (stop is None or place < stop):
        yield place, _stripped(head, place), length


def _joined(head: bytes, length: int, part: bytes, most: int) -> bytes:
    """Return what is kept of a line of ``length`` bytes that goes on."""
    if length + len(part) <= most:
        return head + part
    return (head[:SAMPLE] + part[:SAMPLE])[:SAMPLE]


def _stripped(line: bytes, place: int) -> bytes:
    """Return the line without the mark that may open a file and the carriage return that may end a line."""
    if place == 0:
        line = line.removeprefix(_BOM)
    return line.removesuffix(b"\r")


def paragraphs_of(stream: pa.NativeFile, start: int, stop: int, most: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (offset, paragraph, length) of each paragraph that starts in [start, stop), with its line breaks."""
    inside: bool | None = None  # a paragraph that started before the range goes on
    place, lines, length = 0, list[bytes](), 0
    for offset, line, size in lines_of(stream, start, None, most):
        if inside is None:
            inside = not _after_blank(stream, offset)
        blank = line.isspace() or not line
        if blank:
            if lines:
                yield place, b"\n".join(lines), length
            lines, length, inside = [], 0, False
        if not lines and offset >= stop:
            return
        if blank or inside:
            continue
        place = place if lines else offset
        length += size + 1
        if length <= most or not lines:
            lines.append(line)
    if lines:
        yield place, b"\n".join(lines), length


def _after_blank(stream: pa.NativeFile, place: int) -> bool:
    """Return whether the line before the one that starts at ``place`` is blank, or there is none."""
    position = stream.tell()
    try:
        return _blank_before(stream, place - 1)
    finally:
        stream.seek(position)


def _blank_before(stream: pa.NativeFile, end: int) -> bool:
    """Return whether the line that ends at ``end`` is blank, reading backwards."""
    while end > 0:
        begin = max(0, end - 4096)
        data = stream.read_at(end - begin, begin)
        line = data[data.rfind(b"\n") + 1 :]
        if (line.removeprefix(_BOM) if begin == 0 else line).strip():
            return False
        if len(line) < len(data):
            return True
        end = begin
    return True
