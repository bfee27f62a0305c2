"""The input files: which ones the paths, folders and globs of a recipe stand for, and how they are called."""

import glob
import json
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow.fs as pafs

from labelers.advice import RUN_DATASET
from labelers.stores.uri import apart, below, is_uri
from pipelines.folder.layout import PLAN, Folder
from pipelines.formats import ENDINGS_READ, ending_of
from pipelines.formats.format import locate
from pipelines.formats.guess import format_of
from pipelines.input.records import InputFile
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["find_files", "reaches"]

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class _Found:
    """A file before it has a name."""

    path: str
    root: str
    """The folder that was given, or the one the file lies in."""
    split: str
    info: pafs.FileInfo
    part: str = ""
    """Name of a dataset's split that is none of ours: the file is skipped."""
    input: int = 0
    """Which of the inputs it belongs to."""
    given: bool = False
    """It was named by itself, or by a glob, and not found in a folder."""


def find_files(inputs: Sequence[InputTable]) -> tuple[list[InputFile], list[str]]:
    """Return the files to read, sorted by name, and the names of those that are skipped for their ending.

    Folders are read recursively; in them, names that begin with ``.`` or ``_`` do not count, and of a Hugging Face
    dataset only its data files do, in their splits. Where some files have a split, all without one are train.

    Raises:
        ValueError: a path that matches nothing, nothing that can be read, a file in two splits or inputs, or an
            encoding that cannot be split into lines.
    """
    for table in inputs:
        _check_encoding(table.encoding)
    given = [(number, split, path) for number, table in enumerate(inputs) for split, path in _given(table)]
    if not given:
        raise ValueError("no input; give files, folders or globs, for example: auxloom build book.txt --out out")
    found: dict[str, _Found] = {}
    for number, split, path in given:
        for item in _find(path, split):
            first = found.setdefault(item.path, replace(item, input=number))
            if first.input != number:
                raise ValueError(f"{item.path} is in two inputs; give it in only one of them")
            if first.split != item.split:
                raise ValueError(f"{item.path} is in two splits; give it in only one of {', '.join(_SPLITS)}")
    if any(item.split for item in found.values()):
        found = {path: replace(item, split=item.split or "train") for path, item in found.items()}
    files, skipped = _named(list(found.values()), inputs)
    if not any(file.size for file in files):
        what = f"{len(files)} empty files" if files else f"{len(skipped)} files of other kinds"
        raise ValueError(f"nothing to read in {', '.join(path for *_, path in given)}: {what}; {_ENDINGS}")
    return files, skipped


_ENDINGS = f"auxloom reads {ENDINGS_READ}"


def _given(table: InputTable) -> list[tuple[str, str]]:
    """Return (split or nothing, path) of all that an input names."""
    files = [("", path) for path in table.files]
    return files + [(split, path) for split in _SPLITS for path in getattr(table, split)]


def _check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know, or whose line breaks are no single bytes."""
    try:
        plain = "\n".encode(encoding) == b"\n"
    except LookupError:
        raise ValueError(
            f"unknown encoding {encoding!r}; give one that Python knows, such as utf-8 or cp1252"
        ) from None
    if not plain:
        raise ValueError(f"files in {encoding} cannot be split into lines; convert them to utf-8 first")


def _find(path: str, split: str) -> list[_Found]:
    """Return the files that one given path stands for."""
    _check_name(path)
    bare, query = apart(path)
    bare = bare.rstrip("/") if is_uri(path) else path
    system, inner = locate(bare + query) if path else (None, "")
    info = system.get_file_info(inner) if system else None
    prefix = bare[: len(bare) - len(inner)] if is_uri(path) and bare.endswith(inner) else ""
    if info is not None and info.type == pafs.FileType.File:
        root = posixpath.dirname(bare) if prefix else os.path.dirname(os.path.abspath(path))
        return [_Found(bare + query, root, split, info, given=True)]
    if system and info is not None and info.type == pafs.FileType.Directory:
        if system.get_file_info(f"{inner}/{RUN_DATASET}/{PLAN}").type == pafs.FileType.File:
            raise ValueError(f"{path} is the folder of a run; give {below(path, RUN_DATASET)}")
        return _walk(system, inner, (prefix, query), split)
    matches = _matches(system, inner, (prefix, query)) if glob.has_magic(bare) else []
    if not matches:
        raise ValueError(f"no input at {path!r}; give a file, a folder, or a glob that matches files")
    return [item for match in matches for item in _find(match, split)]


def _check_name(path: str) -> None:
    """Refuse a path that is no UTF-8, which an id could not hold."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the name of the input {path!a} is not UTF-8; rename it") from None


def _matches(system: pafs.FileSystem, inner: str, uri: tuple[str, str]) -> list[str]:
    """Return the paths that a glob matches, sorted; of URIs, what stands before and behind them."""
    prefix, query = uri
    if not prefix:
        return sorted(glob.glob(inner, recursive=True))
    base = inner[: next(i for i, letter in enumerate(inner) if letter in "*?[")].rpartition("/")[0]
    infos = system.get_file_info(pafs.FileSelector(base, allow_not_found=True, recursive=True))
    return sorted(prefix + item.path + query for item in infos if fnmatchcase(item.path, inner))


def reaches(given: str, path: str) -> bool:
    """Return whether a path lies in what was given: in a folder, or in a folder or file that a glob may match.

    Args:
        given: a file, a folder or a glob.
        path: as the file system knows it; it need not exist.
    """
    place = Folder.at(given)
    if place.kind() == pafs.FileType.Directory:
        return f"{path}/".startswith(f"{place.path}/")
    if not glob.has_magic(apart(given)[0]):
        return False
    if is_uri(given):
        return fnmatchcase(path, place.path)
    parts, pattern = Path(path).parts, Path(place.path).parts
    return any(_matches_parts(parts[: i + 1], pattern) for i in range(len(parts)))


def _matches_parts(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a glob, of which ``**`` stands for any number."""
    if not path or not pattern:
        return not path and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches_parts(path, pattern[1:]) or _matches_parts(path[1:], pattern)
    return fnmatchcase(path[0], pattern[0]) and _matches_parts(path[1:], pattern[1:])


def _walk(system: pafs.FileSystem, folder: str, uri: tuple[str, str], split: str) -> list[_Found]:
    """Return the files of a folder, and of a dataset in it only its data files; see `_matches`."""
    prefix, query = uri
    root = folder if prefix else os.path.abspath(folder)
    infos = system.get_file_info(pafs.FileSelector(root, recursive=True))
    try:
        below = {posixpath.relpath(info.path, root): info for info in infos if info.type == pafs.FileType.File}
    except UnicodeDecodeError:
        for parent, _, names in os.walk(root):
            for name in names:
                _check_name(os.path.join(parent, name))
        raise
    datasets = {posixpath.dirname(name) for name in below if posixpath.basename(name) == "dataset_dict.json"}
    parts = {posixpath.dirname(name) for name in below if posixpath.basename(name) == "state.json"}
    data = {name for part in parts for name in _data_files(system, root, part)}
    found = []
    for name in sorted(below):
        if any(piece[0] in "._" for piece in name.split("/")):
            continue
        part = posixpath.dirname(name)
        if name not in data and any(_within(name, place) for place in datasets | parts):
            continue
        own = posixpath.basename(part) if name in data and posixpath.dirname(part) in datasets else ""
        stranger = own if own not in _SPLITS else ""
        item = _Found(prefix + below[name].path + query, prefix + root, split or own, below[name], stranger)
        found.append(item)
    return found


def _within(name: str, folder: str) -> bool:
    """Return whether a file lies in a folder or below it."""
    return folder == "" or name.startswith(f"{folder}/")


def _data_files(system: pafs.FileSystem, root: str, part: str) -> list[str]:
    """Return the data files of a Hugging Face dataset in one folder, which may hold cached ones besides."""
    with system.open_input_stream(posixpath.join(root, part, "state.json")) as stream:
        try:
            files = json.loads(stream.read())["_data_files"]
            return [posixpath.join(part, item["filename"]) for item in files]
        except (ValueError, KeyError, TypeError):
            return []


def _named(found: Sequence[_Found], inputs: Sequence[InputTable]) -> tuple[list[InputFile], list[str]]:
    """Return the files with names below their common folder, sorted, and the names of those of unknown kinds."""
    remote = {is_uri(item.path) for item in found}
    if len(remote) > 1:
        raise ValueError("local paths and URIs cannot be mixed; give all inputs as one or the other")
    roots = [item.root for item in found]
    common = posixpath.commonpath(roots) if roots else ""
    files, skipped = [], []
    for item in found:
        path = apart(item.path)[0] if is_uri(item.path) else os.path.abspath(item.path)
        name = posixpath.relpath(path, common)
        ending = format_of(ending_of(name), inputs[item.input], item.path, given=item.given)
        if item.part:
            skipped.append(f"{name} (split {item.part!r}; give its folder by itself to use it)")
        elif not ending:
            skipped.append(name)
        else:
            changed = item.info.mtime.isoformat() if item.info.mtime else ""
            files.append(InputFile(name, item.path, ending, item.info.size or 0, changed, item.split, input=item.input))
    return sorted(files, key=lambda file: file.name), sorted(skipped)
