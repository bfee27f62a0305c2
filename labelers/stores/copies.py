"""Copies of what lies in stores, in the cache of this machine: what reads them maps files into memory.

A copy is an entry of the folder in ``AUXLOOM_CACHE``, else ``auxloom`` in the user's cache folder, named by what was
copied. It appears as a whole, and the longest unused ones go when all entries take more than ``AUXLOOM_CACHE_BYTES``.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from labelers.stores.drafts import TEMPORARY
from labelers.stores.holding import drop
from labelers.stores.opening import is_local, opened_place
from labelers.stores.reading import open_to_read
from labelers.stores.uri import apart, is_uri

__all__ = ["cache_folder", "cache_limit", "cached", "check_size", "copy_file", "dataset_folder"]

_LIMIT = 20 * 10**9  # bytes of all entries
_SIZES = "sizes.json"  # of all files of an entry
_PART = 8 * 2**20  # bytes that are copied at a time
_KEPT_AWAY = (".", "run.jsonl", "rejects/", "dropped/")  # how names begin that no reader of rows needs
_GOING = ("copy-", "run-")  # how entries are named that this module removes


def cache_folder() -> Path:
    """Return the folder of the cache."""
    if place := os.environ.get("AUXLOOM_CACHE"):
        return Path(place)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "auxloom"


def cache_limit() -> int:
    """Return how many bytes all entries of the cache may take.

    Raises:
        ValueError: ``AUXLOOM_CACHE_BYTES`` is no number of bytes.
    """
    given = os.environ.get("AUXLOOM_CACHE_BYTES", "")
    try:
        return int(given) if given else _LIMIT
    except ValueError:
        raise ValueError(f"AUXLOOM_CACHE_BYTES = {given!r} is not a number of bytes, for example {_LIMIT}") from None


def check_size(place: str, size: int) -> None:
    """Check that so many bytes may be copied.

    Raises:
        ValueError: the cache is not to be as large.
    """
    if size > (limit := cache_limit()):
        raise ValueError(
            f"{place} has {size:,} bytes, and the cache of this machine may have {limit:,}; raise AUXLOOM_CACHE_BYTES"
        )


def dataset_folder(place: str | Path) -> Path:
    """Return the folder of a dataset on this machine: its own, or that of a copy of what lies in a store.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is larger than the cache may be, or not to be reached.
    """
    if isinstance(place, Path) or not is_uri(place):
        return Path(place)
    system, path = opened_place(place)
    if is_local(system):
        return Path(path)
    files = _listed(system, path)
    if not files:
        raise FileNotFoundError(f"there is no dataset at {place}; give one that `auxloom build` wrote")
    check_size(place, sum(info.size for info in files.values()))
    facts = [apart(place)[0], sorted((name, info.size, str(info.mtime)) for name, info in files.items())]
    return cached(facts, lambda folder: _copy(system, files, folder))


def cached(facts: Any, fill: Callable[[Path], None]) -> Path:
    """Return the copy that some facts stand for, filled if it is not there.

    Args:
        facts: what its content depends on, as JSON has it.
        fill: writes the content into a new folder.
    """
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()
    folder = cache_folder() / f"copy-{digest}"
    if not (folder / _SIZES).is_file():
        _fill(folder, fill)
        _make_room(folder, cache_limit())
    with suppress(OSError):  # a cache of others may be read
        os.utime(folder)
    return folder


def _fill(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a copy under a temporary name, and give it its own."""
    temporary = folder.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}")
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        files = (item for item in temporary.rglob("*") if item.is_file())
        sizes = {item.relative_to(temporary).as_posix(): item.stat().st_size for item in files}
        (temporary / _SIZES).write_text(json.dumps(sizes))
        with suppress(OSError):  # another process was faster: its copy is the same
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _listed(system: pafs.FileSystem, path: str) -> dict[str, pafs.FileInfo]:
    """Return the files below a folder that readers of rows need, by their names in it."""
    infos = system.get_file_info(pafs.FileSelector(path, allow_not_found=True, recursive=True))
    files = {info.path[len(path) :].lstrip("/"): info for info in infos if info.is_file}
    return {name: info for name, info in files.items() if not name.startswith(_KEPT_AWAY) and "/.tmp-" not in name}


def _copy(system: pafs.FileSystem, files: Mapping[str, pafs.FileInfo], folder: Path) -> None:
    """Copy files into a folder."""
    for name, info in files.items():
        copy_file(system, info.path, folder / name)


def copy_file(system: pafs.FileSystem, path: str, target: Path) -> str:
    """Copy a file to this machine, a part at a time, and return its sha256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with open_to_read(system, path) as source, target.open("wb") as file:
        while data := source.read(_PART):
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def _make_room(kept: Path, limit: int) -> None:
    """Remove the copies that were not used for the longest time, as long as all entries take more than the limit."""
    sizes = {item: _size(item) for item in kept.parent.iterdir() if item.is_dir()}
    copies = [item for item in sizes if item.name.startswith(_GOING) and item != kept]
    for item in sorted(copies, key=lambda place: place.stat().st_mtime):
        if sum(sizes.values()) <= limit:
            break
        if drop(item):
            del sizes[item]


def _size(folder: Path) -> int:
    """Return how many bytes the files below a folder have."""
    return sum(item.stat().st_size for item in folder.rglob("*") if item.is_file())
