"""Folders of this machine in which a process works on a folder in a store.

They are entries of the cache, each with the files, and with a note of the list (`labelers.stores.published`) that this
machine wrote or read last. As long as the store has that list, nobody else has changed the folder, and the files here
are those of the store or newer; else they are fetched anew. What the store has counts.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from labelers.stores.copies import cache_folder, check_size
from labelers.stores.drafts import TEMPORARY
from labelers.stores.holding import HeldError, held
from labelers.stores.published import MISSING, PUBLISHED, FileList, ListedFile, StoreFolder
from labelers.stores.uri import apart

__all__ = ["WorkFolder", "files_at"]

_NOTE = "known.json"


def files_at(place: str) -> Path:
    """Return where the files of a folder in a store are worked on, on this machine."""
    return _entry(place) / "files"


def _entry(place: str) -> Path:
    """Return the entry of the cache for a URI, whatever settings stand in its query."""
    digest = hashlib.blake2b(apart(place)[0].rstrip("/").encode(), digest_size=12).hexdigest()
    return cache_folder() / f"run-{digest}"


class WorkFolder:
    """The files of a folder in a store, on this machine while one process works on them."""

    def __init__(self, place: str, order: Sequence[str]) -> None:
        """Look at nothing yet.

        Args:
            place: URI of the folder in the store.
            order: names of its files and folders, as they are uploaded: each is read only with those before it. They
                are removed in reverse.
        """
        self.files, self._entry = files_at(place), _entry(place)
        self._place, self._order, self._store = place, tuple(order), StoreFolder(place)
        self._known = FileList({})
        self._digests: dict[str, tuple[tuple[int, ...], ListedFile]] = {}

    @classmethod
    @contextmanager
    def opened(cls, place: str, order: Sequence[str]) -> Iterator[Self]:
        """Work on a folder while the body runs; arguments as those of the class.

        Raises:
            ValueError: another process of this machine works on it, or it holds something else.
        """
        work = cls(place, order)
        try:
            with held(work._entry):
                work._fetch()
                yield work
        except HeldError:
            raise ValueError(
                f"another process of this machine is writing to {place}; wait until it has ended, or give another "
                "folder"
            ) from None

    def _fetch(self) -> None:
        """Bring the files here to what the store has, unless they are that or newer."""
        mark = self._order[0]

        def fetched(found: FileList) -> FileList:
            if found.strange:
                raise ValueError(
                    f"{self._place} contains files that are not a run of auxloom ({found.strange}); give another folder"
                )
            found = replace(found, files={name: item for name, item in found.files.items() if self._is_own(name)})
            if found.data is not None and _digest(found.data) in self._noted() and self.files.is_dir():
                return found
            self._note()
            shutil.rmtree(self.files, ignore_errors=True)
            if found.files:
                check_size(self._place, sum(item.size for item in found.files.values()))
                self._store.copy(found.files, self.files)
            self._note(found.data)
            return found

        self._known = self._store.patiently(mark, fetched)

    @property
    def begun(self) -> bool:
        """Whether the store has anything."""
        return bool(self._known.files)

    def publish(self) -> None:
        """Bring the store to what the files here are.

        Raises:
            ValueError: another process has changed the folder in the store.
            OSError: the store does not take them; what it has can be read, and the next call uploads the rest.
        """
        own, known = self._own(), self._known.files
        if all(known.get(name) == item for name, item in own.items()) and not known.keys() - own.keys():
            return
        between = {name: _joined(known.get(name), own.get(name)) for name in {**known, **own}}
        self._write(FileList.of(between))
        for name in sorted(known.keys() - own.keys(), key=self._rank, reverse=True):
            self._store.remove(name)
        for name in sorted(own, key=self._rank):
            if known.get(name) != own[name]:
                self._store.upload(name, self.files / name)
        self._write(FileList.of(own))

    def clear(self) -> None:
        """Remove the files in the store, the list last."""
        known = self._known.files
        if not known:
            return
        self._write(FileList.of({name: _joined(item, None) for name, item in known.items()}))
        for name in sorted(known, key=self._rank, reverse=True):
            self._store.remove(name)
        self._store.remove(PUBLISHED)
        self._known = FileList({})
        self._note()

    def _write(self, new: FileList) -> None:
        """Replace the list, if it is that which is known here."""
        old = self._known.data
        if self._store.stored_list() != old:
            raise ValueError(
                f"another process has written to {self._place} meanwhile, so this one ends; let one of them work there"
            )
        self._note(old, new.data)
        self._store.write(PUBLISHED, new.data or b"")
        self._known = new
        self._note(new.data)

    def _own(self) -> dict[str, ListedFile]:
        """Return the files here that are published; only those that have changed are read."""
        found = {}
        for path in sorted(self.files.rglob("*")):
            name = path.relative_to(self.files).as_posix()
            if not path.is_file() or TEMPORARY in name or not self._is_own(name):
                continue
            facts = path.stat()
            stamp = facts.st_size, facts.st_mtime_ns, facts.st_ino
            if self._digests.get(name, ((), None))[0] != stamp:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                self._digests[name] = stamp, ListedFile((digest,), facts.st_size)
            found[name] = self._digests[name][1]
        return found

    def _is_own(self, name: str) -> bool:
        """Tell whether a file is one of those that are published; others in the store are left alone."""
        return name.partition("/")[0] in self._order

    def _rank(self, name: str) -> tuple[int, str]:
        """Return by what files are sorted for their upload."""
        return self._order.index(name.partition("/")[0]), name

    def _noted(self) -> list[str]:
        """Return the digests of the lists of which the files here may be."""
        try:
            found: list[str] = json.loads((self._entry / _NOTE).read_bytes())
        except (OSError, ValueError):
            return []
        return found

    def _note(self, *lists: bytes | None) -> None:
        """Note of which lists the files here may be."""
        self._entry.mkdir(parents=True, exist_ok=True)
        temporary = self._entry / f"{TEMPORARY}{_NOTE}"
        temporary.write_text(json.dumps([_digest(data) for data in lists if data is not None]))
        temporary.replace(self._entry / _NOTE)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _joined(old: ListedFile | None, new: ListedFile | None) -> ListedFile:
    """Return what a file may be while it changes."""
    missing = ListedFile((MISSING,), 0)
    before, after = old or missing, new or missing
    if old is not None and not old.digests:  # it was uploaded by other means
        return ListedFile((), max(before.size, after.size))
    return ListedFile(tuple(dict.fromkeys([*before.digests, *after.digests])), max(before.size, after.size))
