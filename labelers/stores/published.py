"""Folders in stores whose files are replaced while others read them: a list says which bytes each file may have.

The list is the file ``published.json``. It is written before files change, with their old and their new digests, and
once more behind, with the new ones alone. So a process that is killed in between leaves each file with a digest that is
listed; and a reader takes no other file, for example one that was replaced while it was read.
"""

import json
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import pyarrow.fs as pafs

from labelers.stores.copies import cached, check_size, copy_file
from labelers.stores.drafts import TEMPORARY, draft_of
from labelers.stores.opening import opened_place
from labelers.stores.reading import read_whole
from labelers.stores.uri import apart

__all__ = ["MISSING", "PUBLISHED", "FileList", "ListedFile", "StoreFolder", "copy_of"]

PUBLISHED = "published.json"
"""Name of the list."""

MISSING = ""
"""Stands in a list in place of a digest where the file may not be there."""

_FORMAT = 1
_ATTEMPTS = 6
_FIRST_PAUSE = 0.2  # seconds; each further one is twice as long
_PART = 8 * 2**20  # bytes that are uploaded at a time

_T = TypeVar("_T")


class ListedFile(NamedTuple):
    """A file of a list."""

    digests: tuple[str, ...]
    """sha256; several: one of them; none: whatever it has."""
    size: int
    """In bytes, about: that of the last digest."""

    @property
    def sure(self) -> bool:
        """Whether it is there."""
        return MISSING not in self.digests


@dataclass(frozen=True)
class FileList:
    """The files of a folder in a store."""

    files: Mapping[str, ListedFile]
    data: bytes | None = None
    """The list as it is stored; None: there is none."""
    facts: Any = None
    """What a folder without a list, or one that is changing, is known by: names, sizes and times."""
    strange: str = ""
    """A file of somebody else, where there is nothing of ours."""

    @classmethod
    def of(cls, files: Mapping[str, ListedFile]) -> Self:
        """Return a list as it is written."""
        table = {name: {"bytes": item.size, "sha256": list(item.digests)} for name, item in files.items()}
        return cls(files, json.dumps({"format": _FORMAT, "files": table}, indent=1, sort_keys=True).encode() + b"\n")

    @classmethod
    def read(cls, data: bytes, place: str) -> Self:
        """Read a list.

        Raises:
            ValueError: it is damaged, or of a later version.
        """
        try:
            found = json.loads(data)
            files = {name: ListedFile(tuple(item["sha256"]), item["bytes"]) for name, item in found["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{PUBLISHED} in {place} is damaged; give another folder") from None
        if found.get("format") != _FORMAT:
            raise ValueError(f"{place} was written by a later version of auxloom; install it, or give another folder")
        return cls(files, data)

    @property
    def settled(self) -> bool:
        """Whether each file has one digest."""
        return self.data is not None and all(len(item.digests) == 1 for item in self.files.values())


class _ChangedError(Exception):
    """A file is not what the list says."""


class StoreFolder:
    """A folder in a store, with its list."""

    def __init__(self, place: str) -> None:
        """Look at nothing yet.

        Args:
            place: its URI.
        """
        self.place = place
        self._system, path = opened_place(place)
        self._path = path.rstrip("/")

    def stored_list(self) -> bytes | None:
        """Return the list as it is stored, None where there is none."""
        try:
            return read_whole(self._system, self._full(PUBLISHED))
        except FileNotFoundError:
            return None

    def listed(self, mark: str) -> FileList:
        """Return the files of the folder; without a list all, if the folder has a certain one."""
        data = self.stored_list()
        known = FileList.read(data, self.place) if data is not None else None
        if known and known.settled:
            return known
        infos = self._infos()
        facts = sorted((name, info.size, str(info.mtime)) for name, info in infos.items())
        if known:
            return FileList(known.files, data, facts)
        if mark not in infos:
            return FileList({}, strange=next(iter(infos), ""))
        return FileList({name: ListedFile((), info.size) for name, info in infos.items()}, facts=facts)

    def copy(self, files: Mapping[str, ListedFile], target: Path) -> None:
        """Copy files to a folder of this machine; a folder in it is copied with all its files, or not at all."""
        partial = set()
        for name, item in files.items():
            try:
                digest = copy_file(self._system, self._full(name), target / name)
            except FileNotFoundError:
                digest = MISSING
                partial.add(name.partition("/")[0])
            if item.digests and digest not in item.digests:
                raise _ChangedError(name)
        for name in partial:
            shutil.rmtree(target / name, ignore_errors=True)

    def patiently(self, mark: str, act: Callable[[FileList], _T]) -> _T:
        """Return what comes of copying the files of the folder, done again while they change.

        Args:
            mark: a file that a folder without a list must have.
            act: copies the files of a list.

        Raises:
            ValueError: they go on changing, or somebody else has changed them.
        """
        name, pause = "", _FIRST_PAUSE
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (no secret)
                pause *= 2
            try:
                return act(self.listed(mark))
            except _ChangedError as error:
                name = str(error)
        raise ValueError(
            f"{name} in {self.place} is not what {PUBLISHED} there says; if it is just being replaced, run the same "
            f"command again; if something else than auxloom has changed it, remove {PUBLISHED}"
        )

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        self._write(name, lambda write: write(data))

    def upload(self, name: str, source: Path) -> None:
        """Write a file as it is on this machine."""

        def pour(write: Callable[[bytes], None]) -> None:
            with source.open("rb") as file:
                while data := file.read(_PART):
                    write(data)

        self._write(name, pour)

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        try:
            self._system.delete_file(self._full(name))
        except FileNotFoundError:
            return

    def names(self) -> list[str]:
        """Return the names of all files below the folder."""
        return sorted(self._infos())

    def _write(self, name: str, pour: Callable[[Callable[[bytes], None]], None]) -> None:
        draft = draft_of(self._system, self._full(name))
        try:
            pour(draft.write)
            draft.close(durable=False)
            draft.commit()
        except BaseException:
            draft.discard()
            raise

    def _infos(self) -> dict[str, pafs.FileInfo]:
        """Return all whole files below the folder by their names in it."""
        infos = self._system.get_file_info(pafs.FileSelector(self._path, allow_not_found=True, recursive=True))
        names = {info.path[len(self._path) :].lstrip("/"): info for info in infos if info.is_file}
        return {name: info for name, info in names.items() if TEMPORARY not in name}

    def _full(self, name: str) -> str:
        return f"{self._path}/{name}"


def copy_of(place: str, mark: str, needless: Callable[[Mapping[str, ListedFile]], set[str]]) -> Path | None:
    """Return a copy of a folder in a store on this machine; None where there is nothing of ours.

    Args:
        place: its URI.
        mark: a file that it must have if it has no list.
        needless: says which of its files are not copied.

    Raises:
        ValueError: it is larger than the cache may be, or goes on changing.
    """
    folder = StoreFolder(place)

    def copied(found: FileList) -> Path | None:
        if not found.files:
            return None
        away = needless(found.files)
        files = {name: item for name, item in found.files.items() if name not in away}
        check_size(place, sum(item.size for item in files.values()))
        facts = [apart(place)[0], (found.data or b"").decode(), found.facts, sorted(away)]
        return cached(facts, lambda target: folder.copy(files, target))

    return folder.patiently(mark, copied)
