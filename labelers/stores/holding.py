"""Entries of the cache in which one process works at a time: a lock that ends with its process."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["HeldError", "drop", "held"]


class HeldError(Exception):
    """Another process works in an entry."""


@contextmanager
def held(entry: Path) -> Iterator[None]:
    """Be the one process that works in an entry while the body runs.

    Raises:
        HeldError: another one does.
    """
    lock = _lock_of(entry)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as file:
        _take(file)
        yield


def drop(entry: Path) -> bool:
    """Remove an entry with all that lies in it; return whether it is gone, which it is not if a process works in it."""
    try:
        if not _lock_of(entry).exists():
            shutil.rmtree(entry, ignore_errors=True)
            return True
        with held(entry):
            shutil.rmtree(entry, ignore_errors=True)
    except HeldError:
        return False
    return True


def _lock_of(entry: Path) -> Path:
    """Return the file that is locked: it lies beside the entry, and stays."""
    return entry.with_name(f"{entry.name}.lock")


def _take(file: IO[bytes]) -> None:
    """Lock a file until it is closed.

    Raises:
        HeldError: it is locked.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HeldError from None
    except OSError:  # nor has every network file system
        return
