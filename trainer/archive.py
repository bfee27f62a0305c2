"""Archives of arrays as numpy reads them (.npz), written so that their arrays can be mapped into memory."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from trainer.files import replacing

__all__ = ["read_archive", "write_archive"]

_ALIGNED = 64  # bytes: the arrays begin at multiples of it, as they do in memory
_ENTRY = struct.Struct("<26xHH")  # what stands before the name of a member: the lengths of the name and of the padding
_PADDING = struct.Struct("<HH")  # opens the padding: a number that no program claims, and the bytes that follow
_UNCLAIMED = 0xD935


def write_archive(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays by their names; the same arrays give the same bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            begin = file.tell() + _ENTRY.size + len(member.filename.encode()) + _PADDING.size
            member.extra = _PADDING.pack(_UNCLAIMED, -begin % _ALIGNED) + bytes(-begin % _ALIGNED)
            with archive.open(member, "w") as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(values), allow_pickle=False)


def read_archive(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an archive by their names, mapped where they can be; what is written to them stays here.

    Mapped pages are the system's: it takes them back when it needs the memory, and processes share them.
    """
    with np.load(path) as plain, zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        made = {name: _mapped(path, file, member) for name, member in members.items()}
        return {name: plain[name] if values is None else values for name, values in made.items()}


def _mapped(path: Path, file: BinaryIO, member: zipfile.ZipInfo) -> npt.NDArray[Any] | None:
    """Return an array of an archive, mapped; None if it is packed, empty, or not where the processor wants it."""
    file.seek(member.header_offset)
    name, padding = _ENTRY.unpack(file.read(_ENTRY.size))
    file.seek(name + padding, 1)
    if member.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(file) != (1, 0):
        return None
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
    if 0 in shape or by_column or file.tell() % kind.itemsize:
        return None
    return np.asarray(np.memmap(path, kind, "c", file.tell(), shape))
