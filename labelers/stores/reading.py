"""Reading from labelers.stores: what breaks off is read again a few times, with pauses.

The client of S3 tries again by itself, but not where an answer that says why is longer than what was asked for: small
files, and the ends of large ones.
"""

import io
import random
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.stores.opening import is_local

__all__ = ["open_to_read", "read_whole"]

_T = TypeVar("_T")

_ATTEMPTS = 6
_FIRST_PAUSE = 0.1  # seconds; each further one is twice as long
_LEAST = 4096  # bytes that are asked for, so that an answer that says what is wrong finds room
_PASSING = re.compile(r"AWS Error (?:INTERNAL_FAILURE|NETWORK|SLOW_DOWN|SERVICE_UNAVAIL|.*status (?:429|5\d\d))")


def read_whole(system: pafs.FileSystem, path: str) -> bytes:
    """Return the content of a file.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, also when it is tried again.
    """

    def read() -> bytes:
        with system.open_input_stream(path) as file:
            data: bytes = file.read()
        return data

    return read() if is_local(system) else _patiently(read, path)


def open_to_read(system: pafs.FileSystem, path: str) -> pa.NativeFile:
    """Open a file for random access."""
    file = system.open_input_file(path)
    return file if is_local(system) else pa.PythonFile(_Patient(file, path), mode="r")


def _patiently(call: Callable[[], _T], path: str) -> _T:
    """Return what a call returns, which is made again after a fault that may pass."""
    pause = _FIRST_PAUSE
    for attempt in range(_ATTEMPTS):
        try:
            return call()
        except OSError as error:
            passing = isinstance(error, ConnectionError | TimeoutError) or _PASSING.search(str(error))
            if not passing or attempt == _ATTEMPTS - 1:
                raise _named(error, path) from None
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (no secret: so that workers do not ask all at once)
        pause *= 2
    raise AssertionError("unreachable")


def _named(error: OSError, path: str) -> OSError:
    """Return an error that says which file was read; of a file that is not there, the error as it is."""
    if not str(error).startswith("AWS Error"):
        return error
    bucket, _, key = path.partition("/")
    return OSError(f"When reading key '{key}' in bucket '{bucket}': {error}")


class _Patient(io.RawIOBase):
    """A file of a store as a Python file."""

    def __init__(self, file: pa.NativeFile, path: str) -> None:
        super().__init__()
        self._file, self._path, self._place = file, path, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size()}[whence]
        self._place = start + offset
        return self._place

    def read(self, size: int = -1) -> Any:
        left = max(self._file.size() - self._place, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        start = max(self._place - max(_LEAST - wanted, 0), 0) if left < _LEAST else self._place
        stop = min(max(self._place + wanted, start + _LEAST), self._file.size())
        data = _patiently(lambda: self._file.read_at(stop - start, start), self._path)
        found = data[self._place - start : self._place - start + wanted]
        self._place += len(found)
        return found

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
