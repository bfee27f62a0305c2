"""Where the files of a dataset lie, and writing them so that nobody ever sees half of one."""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.fs as pafs

__all__ = [
    "CARD",
    "DROPPED",
    "HELD_OUT",
    "LAYERS",
    "LOCK",
    "MANIFEST",
    "PLAN",
    "POOL",
    "REJECTS",
    "RUNS",
    "SPLITS",
    "STATS",
    "TEMPORARY",
    "Folder",
    "Pending",
    "check_place",
    "digest_bytes",
    "digest_json",
    "keys_name",
    "rejects_name",
    "shard_name",
    "stats_name",
    "to_json",
]

SPLITS = ("train", "validation", "test")
PLAN = "plan.json"
POOL = "pool.jsonl"
DROPPED = "dropped"
HELD_OUT = "held_out.keys"
STATS = "stats"
REJECTS = "rejects"
MANIFEST = "auxloom.json"
CARD = "README.md"
RUNS = "run.jsonl"
LOCK = ".lock"
LAYERS = "layers"
TEMPORARY = ".tmp-"
"""What every unfinished file's name begins with."""


_SECRET_USER = re.compile(r"^(?:s3://[^/?]*@|[^:/?]+://[^/@?]*:[^/@?]*@)", re.IGNORECASE)
_SECRET_KEY = re.compile(r"[?&][^=&]*(?:secret|password|token|account_key)[^=&]*=", re.IGNORECASE)


def check_place(place: str) -> None:
    """Refuse a URI with a secret: it would be stored in plans, printed in errors, and sent to workers.

    Raises:
        ValueError: it has one; the message does not repeat it.
    """
    if _SECRET_USER.match(place) or _SECRET_KEY.search(place):
        scheme = place.partition("://")[0]
        raise ValueError(
            f"the {scheme}:// URI contains credentials; leave them out, and set them in the environment of this "
            "command and of all workers (for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or use a role of the "
            "machine"
        )


def shard_name(split: str, unit: int, units: int) -> str:
    """Return the path of a unit's shard; sorted by name, shards are in the order of their units.

    Example:
        >>> shard_name("train", 3, 64), shard_name("train", 3, 160_000)
        ('train/data-00003-of-00064.arrow', 'train/data-000003-of-160000.arrow')
    """
    width = max(5, len(str(units)))
    return f"{split}/data-{unit:0{width}d}-of-{units:0{width}d}.arrow"


def stats_name(unit: int) -> str:
    """Return the path of a unit's commit mark."""
    return f"{STATS}/{unit:05d}.json"


def keys_name(unit: int) -> str:
    """Return the path of the passage keys of a unit: little-endian uint64, one per distinct passage of a document."""
    return f"{STATS}/{unit:05d}.keys"


def rejects_name(unit: int) -> str:
    """Return the path of the rejects of a unit."""
    return f"{REJECTS}/{unit:05d}.jsonl"


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    r"""Return a value as canonical JSON: keys sorted, UTF-8, one newline at the end.

    Example:
        >>> to_json({"b": 1, "a": "é"})
        b'{"a":"\xc3\xa9","b":1}\n'
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, separators=separators)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def digest_bytes(data: bytes) -> str:
    """Return the blake2b of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_json(value: Any) -> str:
    """Return the blake2b of a value's canonical JSON."""
    return hashlib.blake2b(to_json(value), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Folder:
    """A folder on a local disk or in an object store; names are relative to it."""

    fs: pafs.FileSystem
    path: str

    @classmethod
    def at(cls, place: str) -> Self:
        """Return the folder at a path or URI; it need not exist."""
        if "://" in place:
            check_place(place)
            return cls(*pafs.FileSystem.from_uri(place))
        return cls(pafs.LocalFileSystem(), str(Path(place).resolve()))

    def full(self, name: str) -> str:
        """Return the path of a name as the file system knows it."""
        return f"{self.path}/{name}" if name else self.path

    def kind(self, name: str = "") -> pafs.FileType:
        """Return whether a name is a file, a folder or nothing."""
        return self.fs.get_file_info(self.full(name)).type

    def is_file(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return bool(self.kind(name) == pafs.FileType.File)

    def names(self, name: str = "") -> list[str]:
        """Return what lies in a folder, sorted, hidden names too; nothing where there is no such folder."""
        selector = pafs.FileSelector(self.full(name), allow_not_found=True)
        return sorted(info.base_name for info in self.fs.get_file_info(selector))

    def sizes(self, name: str = "") -> dict[str, int]:
        """Return the size in bytes of each file that lies in a folder, from one listing."""
        selector = pafs.FileSelector(self.full(name), allow_not_found=True)
        return {info.base_name: info.size for info in self.fs.get_file_info(selector) if info.is_file}

    def make(self, name: str = "") -> None:
        """Make a folder and those above it."""
        self.fs.create_dir(self.full(name), recursive=True)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self.fs.open_input_stream(self.full(name)) as file:
            data: bytes = file.read()
        return data

    def read_json(self, name: str) -> Any:
        """Return the value of a JSON file.

        Raises:
            ValueError: it holds something else.
        """
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise ValueError(f"{self.full(name)} is damaged: it is not valid JSON ({error})") from None

    @property
    def local(self) -> bool:
        """Whether it lies in the file system of this machine."""
        return isinstance(self.fs, pafs.LocalFileSystem)

    def sync(self, names: Iterable[str]) -> None:
        """Have the disk hold which files lie in these folders; an object store does so by itself."""
        for name in names if self.local else ():
            with contextlib.suppress(PermissionError):  # Windows opens no folder
                _sync(self.full(name))

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for random access, memory-mapped where it is local."""
        if self.local:
            return pa.memory_map(self.full(name))
        return self.fs.open_input_file(self.full(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file as a whole: under a temporary name first, and safe from a power failure when this returns."""
        pending = Pending(self, name)
        try:
            pending.write(data)
            pending.close()
            pending.commit()
        except BaseException:
            pending.discard()
            raise
        if not pending.passing:
            self.sync([name.rpartition("/")[0]])

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file."""
        self.write(name, (self.read(name) if self.is_file(name) else b"") + data)

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all that lies in it; nothing happens where there is none."""
        kind = self.kind(name)
        if kind == pafs.FileType.Directory:
            self.fs.delete_dir(self.full(name))
        elif kind == pafs.FileType.File:
            self.fs.delete_file(self.full(name))

    def clean(self) -> None:
        """Remove what broken runs left behind, here and one folder below."""
        for name in self.names():
            if name.startswith(TEMPORARY):
                self.remove(name)
            elif self.kind(name) == pafs.FileType.Directory:
                for inner in self.names(name):
                    if inner.startswith(TEMPORARY):
                        self.remove(f"{name}/{inner}")


class Pending:
    """A file under a temporary name beside its own; write, close, then commit or discard.

    It counts and digests what is written, so that no file is read again for its checksum.
    """

    closed = False

    def __init__(self, folder: Folder, name: str) -> None:
        """Open a temporary file."""
        self._folder, self.name = folder, name
        parent, _, _ = name.rpartition("/")
        folder.make(parent)
        self.passing = name.startswith(TEMPORARY)  # it outlives no run, and need not outlive a power failure
        self._temporary = f"{parent}/{TEMPORARY}{secrets.token_hex(8)}".lstrip("/")
        self._file = folder.fs.open_output_stream(folder.full(self._temporary))
        self._sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Write bytes or a buffer."""
        self._sha256.update(data)
        size = memoryview(data).nbytes
        self.bytes += size
        self._file.write(data)
        return size

    def flush(self) -> None:
        """Do nothing; Arrow's writer asks for it."""

    def close(self) -> None:
        """End writing: the disk holds the file. An object store completes its upload here, under the temporary name."""
        self._file.close()
        if self._folder.local and not self.passing:
            _sync(self._folder.full(self._temporary))

    def commit(self) -> None:
        """Give the file its own name, in the place of an earlier one."""
        self._folder.fs.move(self._folder.full(self._temporary), self._folder.full(self.name))

    def discard(self) -> None:
        """Remove the temporary file."""
        try:
            self._file.close()
        finally:
            self._folder.remove(self._temporary)

    def facts(self) -> Mapping[str, Any]:
        """Return size and checksum."""
        return {"bytes": self.bytes, "sha256": self._sha256.hexdigest()}


def _sync(path: str) -> None:
    """Have the disk hold a file, or the list of names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
