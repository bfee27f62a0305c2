"""Files of a run: where they lie, what they are called, and writing them so that nobody ever sees half of one."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.stores import drafts

__all__ = ["TEMPORARY", "ArrayFile", "abandoned", "places", "remove", "replacing", "write"]

TEMPORARY = ".tmp-"
"""What every unfinished file's name begins with."""

_DAY = 86_400  # seconds
_SHOWN = 40  # characters of a task's name in the names of its files


def places(names: Sequence[str]) -> dict[str, str]:
    """Return for each task's name one that can stand in a path or a module's address, whatever the name holds.

    It begins with the number of the task, so that no two are equal, and goes on with as much of the name as is plain.

    Example:
        >>> places(["disfluency.tags", "../x", ".."])
        {'disfluency.tags': '0-disfluency_tags', '../x': '1-_x', '..': '2-_'}
    """
    plain = (re.sub(r"[^A-Za-z0-9]+", "_", name)[:_SHOWN] for name in names)
    return {name: f"{number}-{text}" for number, (name, text) in enumerate(zip(names, plain, strict=True))}


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it takes the name at the end, or goes if anything fails.

    Its name holds the number of the process and is drawn, so that two processes that write one file do so one after the
    other, each whole.

    Args:
        path: the file, or a folder that is not there yet.
        sync: return only when the bytes are on the disk.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}")
    try:
        yield temporary
        if sync:
            drafts.sync(str(temporary))
        temporary.replace(path)
        if sync:
            drafts.sync(str(path.parent))
    except BaseException:
        remove(temporary)
        raise


def abandoned(temporary: Path, now: float) -> bool:
    """Tell whether what `replacing` gave was left by a process that was killed, and may be removed.

    The process is not there any more, and for a day nothing was written: it may be one of another machine.
    """
    if _runs(temporary.name.removeprefix(TEMPORARY).partition("-")[0]):
        return False
    written = [temporary.stat().st_mtime, *(inner.stat().st_mtime for inner in temporary.rglob("*"))]
    return now - max(written) > _DAY


def _runs(number: str) -> bool:
    """Tell whether there is a process of a number on this machine."""
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # that of another user
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write(path: Path, data: str | bytes) -> None:
    """Write a file as a whole, text as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


class ArrayFile:
    """A NumPy file to which rows are added at the end; it is whole once it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._kind: tuple[np.dtype[Any], tuple[int, ...]] | None = None
        self.size = 0
        """Rows so far."""

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows, all of one type and shape."""
        kind = rows.dtype, rows.shape[1:]
        if self._kind is None:
            self._kind = kind
            self._write_header()
        if kind != self._kind:
            raise TypeError(f"rows of {kind} cannot be added to rows of {self._kind}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.size += len(rows)

    def close(self) -> None:
        """End the file."""
        if self._kind is not None:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        """Write what NumPy reads first; it has room for a first axis that grows."""
        dtype, shape = self._kind or (np.dtype(np.int64), ())
        header = {"descr": dtype.str, "fortran_order": False, "shape": (self.size, *shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
