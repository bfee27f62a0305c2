"""The input: which files there are, the units they are cut into, and the documents that stand in a unit."""

import glob
import itertools
import os
from collections.abc import Iterator, Sequence

from pyarrow import fs

from pipelines.formats import count_parts, open_path, read_range
from pipelines.recipe import Input
from pipelines.records import Document, InputFile, Range, Reject, Turn, Unit

__all__ = [
    "REASONS",
    "Document",
    "InputFile",
    "Range",
    "Reject",
    "Turn",
    "Unit",
    "find_files",
    "make_units",
    "read_unit",
]

REASONS = (
    "undecodable",
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "too_long",
    "empty",
    "bad_token",
    "bad_segments",
    "bad_turns",
    "file",
)
"""Why a record, or with ``file`` a whole file, cannot be used."""

ENDINGS = (".jsonl.gz", ".jsonl", ".parquet", ".arrow", ".txt")
"""Endings of files that can be read; others are skipped and listed."""

_SPLITS = ("train", "validation", "test")
_MIB = 1 << 20


def find_files(settings: Input) -> tuple[list[InputFile], list[str]]:
    """Return the files of the input, sorted by name, and the names of those whose ending is unknown.

    Raises:
        FileNotFoundError: a path names nothing.
        ValueError: both files and splits are given, or nothing can be read.
    """
    _check_encoding(settings.encoding)
    given = {split: getattr(settings, split) for split in _SPLITS if getattr(settings, split)}
    if settings.files and given:
        raise ValueError("input has both `files` and splits of its own (train, validation, test); give one of them")
    found: dict[str, tuple[fs.FileInfo, str]] = {}
    for split, paths in (given or {"": settings.files}).items():
        for path in paths:
            for info, uri in _expand(path):
                found.setdefault(uri, (info, split or _own_split(uri)))
    if not found:
        raise ValueError("no input; give files, folders or globs of text, for example: auxloom build texts/ --out data")
    common = os.path.commonpath([os.path.dirname(uri) for uri in found]) if len(found) > 1 else ""
    usable, skipped = [], []
    for uri, (info, split) in found.items():
        name = os.path.relpath(uri, common) if common else os.path.basename(uri)
        ending = _ending(uri)
        if ending:
            usable.append(InputFile(name, uri, ending[1:], info.size, info.mtime.isoformat(), split))
        else:
            skipped.append(name)
    if not usable:
        listed = ", ".join(sorted(skipped)[:3])
        raise ValueError(f"nothing to read: {listed} have none of the endings {', '.join(ENDINGS)}")
    if not sum(file.size for file in usable):
        raise ValueError(f"nothing to read: {', '.join(file.name for file in usable[:3])} are empty")
    return sorted(usable, key=lambda file: file.name), sorted(skipped)


def _check_encoding(encoding: str) -> None:
    """Refuse an encoding in which lines cannot be found byte by byte."""
    try:
        fits = "\n".encode(encoding) == b"\n"
    except LookupError:
        raise ValueError(
            f"input.encoding {encoding!r} is unknown to Python; give a name such as utf-8 or cp1252"
        ) from None
    if not fits:
        raise ValueError(
            f"input.encoding {encoding!r} does not write a line break as one byte; convert the files to utf-8"
        )


def _expand(path: str) -> list[tuple[fs.FileInfo, str]]:
    """Return the files that a path, folder or glob names, with the path of each."""
    if "://" not in path and glob.has_magic(path) and not os.path.exists(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise FileNotFoundError(f"no file matches {path!r}; give files, folders or globs that exist")
        return [item for match in matches for item in _expand(match)]
    system, inner = open_path(path)
    info = system.get_file_info(inner)
    scheme = path.partition("://")[0] + "://" if "://" in path else ""
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(f"no such input: {path}; give a file, a folder or a glob that exists")
    if info.type == fs.FileType.File:
        return [(info, scheme + inner)]
    below = system.get_file_info(fs.FileSelector(inner, recursive=True))
    files = [item for item in below if item.type == fs.FileType.File and not _hidden(item.path[len(inner) :])]
    if not files:
        raise FileNotFoundError(f"the folder {path} holds no files; give one with {', '.join(ENDINGS)} files")
    shards = [item for item in files if _ending(item.path) == ".arrow"]
    if any(item.base_name in {"state.json", "dataset_dict.json"} for item in files) and shards:
        files = [item for item in shards if item.base_name.startswith("data-")]  # a dataset saved to disk
    return [(item, scheme + item.path) for item in files]


def _hidden(path: str) -> bool:
    """Tell whether a part of a path begins with . or _ ."""
    return any(part[:1] in {".", "_"} for part in path.strip("/").split("/"))


def _ending(path: str) -> str:
    """Return the known ending of a path, or nothing."""
    lower = path.lower()
    return next((ending for ending in ENDINGS if lower.endswith(ending)), "")


def _own_split(uri: str) -> str:
    """Return the split that a shard of a saved dataset lies in."""
    folder, name = os.path.split(uri)
    split = os.path.basename(folder)
    return split if name.startswith("data-") and uri.endswith(".arrow") and split in _SPLITS else ""


def make_units(files: Sequence[InputFile], unit_bytes: int, *, limit: int = 0) -> list[Unit]:
    """Cut the input into units of about ``unit_bytes`` (0: total / 64, between 1 and 64 MiB).

    With ``limit`` (`Input.limit`) a file is never cut, so that its first records can be counted. The cuts decide which
    shard a record goes to, never which records there are or what their ids are.
    """
    total = sum(file.size for file in files)
    size = unit_bytes or min(max(total // 64, _MIB), 64 * _MIB)
    units: list[Unit] = []
    ranges: list[Range] = []
    used = 0
    for number, file in enumerate(files):
        for piece, weight in _pieces(number, file, size, size - used, whole=bool(limit)):
            if ranges and used + weight > size:
                units.append(Unit(len(units), tuple(ranges)))
                ranges, used = [], 0
            ranges.append(piece)
            used += weight
    if ranges:
        units.append(Unit(len(units), tuple(ranges)))
    return units


def _pieces(number: int, file: InputFile, size: int, room: int, *, whole: bool) -> Iterator[tuple[Range, int]]:
    """Yield the ranges of one file that no unit divides, with their bytes; the first may fill a unit that has room."""
    if whole or file.format == "jsonl.gz":
        yield Range(number, 0, -1), file.size
    elif file.format in {"txt", "jsonl"}:
        start, room = 0, room if room > size // 2 else size
        while start < file.size:
            stop = min(start + room, file.size)
            yield Range(number, start, stop), stop - start
            start, room = stop, size
    else:
        parts = count_parts(file)
        for part in range(max(parts, 1)):
            yield Range(number, part, part + 1 if parts else -1), max(file.size // max(parts, 1), 1)


def read_unit(unit: Unit, files: Sequence[InputFile], settings: Input, group: str = "") -> Iterator[Document | Reject]:
    """Yield the documents of a unit in the order of the input, and a reject for each record that is none.

    Args:
        unit: what to read.
        files: all files of the input.
        settings: names of fields, encoding, limits.
        group: what stays on one side of a split: "" own id, else a block of 64 kB; "file"; or a kept field.
    """
    for part in unit.ranges:
        file = files[part.file]
        found = read_range(file, part.start, part.stop, settings, group)
        yield from itertools.islice(found, settings.limit or None)
