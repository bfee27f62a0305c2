"""Files that nobody reads before they are whole: under a temporary name beside their own, or held back from a store."""

import mmap
import os
import secrets
import tempfile
import threading
from abc import ABC, abstractmethod
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.stores.opening import is_local, is_whole

__all__ = ["TEMPORARY", "Draft", "draft_of", "sync"]

TEMPORARY = ".tmp-"
"""What every unfinished file's name begins with."""

_HELD = 8 * 2**20  # bytes of a file that are held in memory; of a larger one, all are on the disk


class Draft(ABC):
    """A file that is written; it has no name before its commit."""

    @abstractmethod
    def write(self, data: Any) -> None:
        """Add bytes."""

    @abstractmethod
    def close(self, *, durable: bool) -> None:
        """End writing; if ``durable``, what was written outlives a power failure where the file system has a disk."""

    @abstractmethod
    def commit(self) -> None:
        """Give the file its name, in the place of an earlier one."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what has no name; a file that has got it stays."""


def draft_of(system: pafs.FileSystem, path: str) -> Draft:
    """Return an empty draft of a file."""
    return _Upload(system, path) if is_whole(system) else _Renamed(system, path)


class _Renamed(Draft):
    """A file with a temporary name, on file systems that can rename."""

    def __init__(self, system: pafs.FileSystem, path: str) -> None:
        self._system, self._path = system, path
        parent, _, _ = path.rpartition("/")
        system.create_dir(parent, recursive=True)
        self._temporary = f"{parent}/{TEMPORARY}{secrets.token_hex(8)}"
        self._file = system.open_output_stream(self._temporary)

    def write(self, data: Any) -> None:
        self._file.write(data)

    def close(self, *, durable: bool) -> None:
        self._file.close()
        if durable and is_local(self._system):
            sync(self._temporary)

    def commit(self) -> None:
        self._system.move(self._temporary, self._path)

    def discard(self) -> None:
        try:
            self._file.close()
        finally:
            if self._system.get_file_info(self._temporary).is_file:
                self._system.delete_file(self._temporary)


class _Upload(Draft):
    """A file that is held here until it is whole: a store publishes whatever it has got when an upload ends.

    Nothing of it is ever removed from the store, where another attempt may have put the same file meanwhile.
    """

    def __init__(self, system: pafs.FileSystem, path: str) -> None:
        self._system, self._path, self._size = system, path, 0
        self._held = tempfile.SpooledTemporaryFile(max_size=_HELD)  # noqa: SIM115  (closed by commit or discard)

    def write(self, data: Any) -> None:
        self._size += memoryview(data).nbytes
        self._held.write(data)

    def close(self, *, durable: bool) -> None:
        """Do nothing: the store keeps the file from its commit on."""

    def commit(self) -> None:
        upload = _Uploading(self._system, self._path, self._held, self._size)
        upload.start()
        upload.join()  # Ctrl-C ends this wait, not the upload
        self._held.close()
        if upload.error:
            raise upload.error

    def discard(self) -> None:
        self._held.close()


class _Uploading(threading.Thread):
    """Uploads a file. An exception in the middle would publish a part of it: in this thread, Ctrl-C raises none."""

    def __init__(self, system: pafs.FileSystem, path: str, held: Any, size: int) -> None:
        super().__init__(name=f"upload of {path}")
        self._system, self._path, self._held, self._size = system, path, held, size
        self.error: Exception | None = None

    def run(self) -> None:
        """Open the file, write all of it, and close it."""
        try:
            file = self._system.open_output_stream(self._path)
            file.write(self._data())
            file.close()
        except Exception as error:  # noqa: BLE001  (raised by who waits)
            self.error = error

    def _data(self) -> pa.Buffer:
        """Return all bytes; of a large file, as they are mapped from the disk."""
        self._held.seek(0)
        if self._size <= _HELD:
            return pa.py_buffer(self._held.read())
        return pa.py_buffer(mmap.mmap(self._held.fileno(), 0, access=mmap.ACCESS_READ))


def sync(path: str) -> None:
    """Have the disk hold a file, or the list of names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
