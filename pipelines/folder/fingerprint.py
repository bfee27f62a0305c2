"""Checksums of columns, whatever files the rows are divided into: those of parts combine into that of the whole."""

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.folder.layout import digest_json

__all__ = ["Fingerprint", "combine_crc", "rows_digest"]

_POLYNOMIAL = 0xEDB88320  # CRC-32 of IEEE 802.3, bits reversed, as zlib has it
_ONE = 1 << 31  # the polynomial 1, bits reversed


def _multiply(a: int, b: int) -> int:
    """Return the product of two polynomials over GF(2), modulo that of CRC-32."""
    product, bit = 0, _ONE
    while bit:
        if a & bit:
            product ^= b
        b = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
        bit >>= 1
    return product


def _squares() -> Iterator[int]:
    """Yield x to the power of 8 * 2**k for k = 0, 1, ... as far as a length of 64 bits goes."""
    power = _ONE >> 8
    for _ in range(64):
        yield power
        power = _multiply(power, power)


_SQUARES = tuple(_squares())


@lru_cache(maxsize=256)  # columns of one width have the same length in each unit
def _shift(length: int) -> int:
    """Return x to the power of 8 * length."""
    result = _ONE
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            result = _multiply(result, _SQUARES[bit])
    return result


def combine_crc(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two strings of bytes one after the other, from that of each and the length of the second.

    Example:
        >>> combine_crc(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
        True
    """
    return _multiply(_shift(length), first) ^ second


class Fingerprint:
    """Rows, and per column at the leaves of a schema the number of bytes and their CRC-32.

    Example:
        >>> whole, part = Fingerprint(), Fingerprint()
        >>> whole.add(pa.record_batch({"a": ["x", "yz"]}))
        >>> for text in ("x", "yz"):
        ...     single = Fingerprint()
        ...     single.add(pa.record_batch({"a": [text]}))
        ...     part.merge(single.to_json())
        >>> part.to_json() == whole.to_json()
        True
    """

    def __init__(self) -> None:
        """Start with no rows."""
        self.rows = 0
        self._columns: dict[str, tuple[int, int]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch behind those that were added before."""
        self.rows += batch.num_rows
        for field, array in zip(batch.schema, batch.columns, strict=True):
            for path, data in _leaves(array, field.name):
                size, crc = self._columns.get(path, (0, 0))
                self._columns[path] = (size + memoryview(data).nbytes, zlib.crc32(data, crc))

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the rows of another fingerprint, given as JSON, behind the own ones."""
        self.rows += other["rows"]
        for path, (length, later) in other["columns"].items():
            size, crc = self._columns.get(path, (0, 0))
            self._columns[path] = (size + length, combine_crc(crc, later, length))

    def to_json(self) -> dict[str, Any]:
        """Return rows and columns as a JSON object."""
        return {"rows": self.rows, "columns": {path: list(value) for path, value in self._columns.items()}}


def rows_digest(splits: Mapping[str, Fingerprint]) -> str:
    """Return the blake2b of all rows: equal where rows and their order are, however they lie in files."""
    return digest_json({name: item.to_json() for name, item in splits.items() if item.rows})


def _leaves(array: pa.Array, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, bytes) of what an array is made of, one byte or more per value, none shared between rows."""
    if pa.types.is_list(array.type):
        yield f"{path}#", _lengths(array)
        yield from _leaves(array.flatten(), f"{path}[]")
        return
    if not path.endswith("[]"):
        yield f"{path}?", _valid(array)
    if pa.types.is_struct(array.type):
        for field, child in zip(array.type, array.flatten(), strict=True):
            yield from _leaves(child, f"{path}.{field.name}")
    elif pa.types.is_string(array.type):
        yield f"{path}#", _lengths(array)
        yield path, _text(pc.fill_null(array, "") if array.null_count else array)
    else:
        yield path, _values(array)


def _values(array: pa.Array) -> Any:
    """Return the bits of the numbers, a byte per boolean; zero for null."""
    if pa.types.is_boolean(array.type):
        values = _bits(array, 1)
    else:
        kind = np.dtype(f"u{array.type.byte_width}")  # the bytes count, whatever they stand for
        values = np.frombuffer(array.buffers()[1] or b"", kind)[array.offset :][: len(array)]
    return np.where(_bits(array, 0), values, values.dtype.type(0)) if array.null_count else values


def _valid(array: pa.Array) -> Any:
    """Return a byte per value: 0 where it is null."""
    return _bits(array, 0) if array.null_count else np.ones(len(array), np.uint8)


def _bits(array: pa.Array, buffer: int) -> Any:
    """Return a byte for each of an array's bits in one of its buffers."""
    bits = np.frombuffer(array.buffers()[buffer] or b"", np.uint8)
    return np.unpackbits(bits, count=array.offset + len(array), bitorder="little")[array.offset :]


def _lengths(array: pa.Array) -> Any:
    """Return the length of each list or text, in elements or bytes."""
    start = array.offset
    offsets = np.frombuffer(array.buffers()[1] or b"", np.int32)[start : start + len(array) + 1]
    return offsets[1:] - offsets[:-1]


def _text(array: pa.Array) -> Any:
    """Return the bytes of all texts, one after the other."""
    if not len(array):
        return b""
    _, offsets, data = array.buffers()
    first, *_, last = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1][[0, -1]]
    return memoryview(data)[first:last] if data is not None else b""
