"""Where the files of a dataset lie, and writing them so that nobody ever sees half of one."""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.advice import RUN_DATASET, no_dataset
from labelers.stores import drafts
from labelers.stores.drafts import TEMPORARY, draft_of
from labelers.stores.opening import is_local, is_whole, opened_place
from labelers.stores.reading import open_to_read, read_whole

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
    "digest_bytes",
    "digest_json",
    "is_dataset",
    "keys_name",
    "no_dataset_at",
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

_FEW = 100  # files that are removed one by one


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
    if indent is None:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass") + b"\n"
    data = io.BytesIO()  # json.dumps would collect all tokens of a plan in a list, several times its size
    with io.TextIOWrapper(data, "utf-8", "surrogatepass", newline="") as stream:
        json.dump(value, stream, ensure_ascii=False, sort_keys=True, indent=indent, separators=(",", ": "))
        stream.write("\n")
        stream.flush()
        return data.getvalue()


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
        return cls(*opened_place(place))

    def full(self, name: str) -> str:
        """Return the path of a name as the file system knows it."""
        return f"{self.path}/{name}" if name else self.path

    def kind(self, name: str = "") -> pafs.FileType:
        """Return whether a name is a file, a folder or nothing."""
        return self.fs.get_file_info(self.full(name)).type

    def is_file(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        if not self.whole:
            return bool(self.kind(name) == pafs.FileType.File)
        try:  # one request: a store that is asked what a name is looks for a folder, too
            self.fs.open_input_file(self.full(name)).close()
        except FileNotFoundError:
            return False
        return True

    def names(self, name: str = "") -> list[str]:
        """Return what lies in a folder, sorted, hidden names too; nothing where there is no such folder."""
        selector = pafs.FileSelector(self.full(name), allow_not_found=True)
        return sorted(info.base_name for info in self.fs.get_file_info(selector))

    def sizes(self, name: str = "") -> dict[str, int]:
        """Return the size in bytes of each file that lies in a folder, from one listing."""
        selector = pafs.FileSelector(self.full(name), allow_not_found=True)
        return {info.base_name: info.size for info in self.fs.get_file_info(selector) if info.is_file}

    def make(self, name: str = "") -> None:
        """Make a folder and those above it; an object store has none."""
        if not is_whole(self.fs):
            self.fs.create_dir(self.full(name), recursive=True)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return read_whole(self.fs, self.full(name))

    def read_if_there(self, name: str) -> bytes | None:
        """Return the content of a file; None where there is none."""
        try:
            return self.read(name)
        except FileNotFoundError:
            return None

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
        return is_local(self.fs)

    @property
    def whole(self) -> bool:
        """Whether it is in a store in which a file appears only as a whole, and there are no folders."""
        return is_whole(self.fs)

    def sync(self, names: Iterable[str]) -> None:
        """Have the disk hold which files lie in these folders; an object store does so by itself."""
        for name in names if self.local else ():
            with contextlib.suppress(PermissionError):  # Windows opens no folder
                drafts.sync(self.full(name))

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for random access, memory-mapped where it is local."""
        if self.local:
            return pa.memory_map(self.full(name))
        return open_to_read(self.fs, self.full(name))

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
        self.write(name, (self.read_if_there(name) or b"") + data)

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all that lies in it; nothing happens where there is none."""
        if self.whole:
            try:
                self.fs.delete_file(self.full(name))
            except FileNotFoundError:
                if self.names(name):
                    self.fs.delete_dir(self.full(name))
            return
        kind = self.kind(name)
        if kind == pafs.FileType.Directory:
            self.fs.delete_dir(self.full(name))
        elif kind == pafs.FileType.File:
            self.fs.delete_file(self.full(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder with all that lies in it; nothing happens where there is none.

        A store that keeps its objects in folders of a disk does not remove one together with what it holds, and fails
        after a minute of attempts. So few files in several folders are removed one by one, other files only if they
        cannot be removed at once.
        """
        if not self.whole:
            self.remove(name)
            return
        infos = self.fs.get_file_info(pafs.FileSelector(self.full(name), allow_not_found=True, recursive=True))
        if len(infos) > _FEW or all(info.is_file for info in infos):
            with contextlib.suppress(OSError):
                if infos:
                    self.fs.delete_dir(self.full(name))
                return
        for info in sorted(infos, key=lambda info: str(info.path), reverse=True):  # what is in a folder before it
            with contextlib.suppress(FileNotFoundError):
                (self.fs.delete_file if info.is_file else self.fs.delete_dir)(info.path)
        with contextlib.suppress(FileNotFoundError):
            self.fs.delete_dir(self.full(name))

    def clean(self) -> None:
        """Remove what broken runs left behind, here and one folder below; a store has nothing below."""
        for info in self.fs.get_file_info(pafs.FileSelector(self.path, allow_not_found=True)):
            if info.base_name.startswith(TEMPORARY):
                folder = info.type == pafs.FileType.Directory
                (self.remove_folder if folder else self.remove)(info.base_name)
            elif info.type == pafs.FileType.Directory and not self.whole:
                for inner in self.names(info.base_name):
                    if inner.startswith(TEMPORARY):
                        self.remove(f"{info.base_name}/{inner}")


def is_dataset(place: str) -> bool:
    """Return whether a path or URI is the folder of a dataset, finished or not.

    A file is not asked for what lies in it: some stores fail.
    """
    folder = Folder.at(place)
    return folder.kind() != pafs.FileType.File and folder.is_file(PLAN)


def no_dataset_at(folder: Folder, called: str) -> str:
    """Return the sentence about a folder that is not a dataset, for whoever calls it so."""
    return no_dataset(called, PLAN, inner=folder.is_file(f"{RUN_DATASET}/{PLAN}"))


class Pending:
    """A file that nobody reads before its commit; write, close, then commit or discard.

    It counts and digests what is written, so that no file is read again for its checksum.
    """

    closed = False

    def __init__(self, folder: Folder, name: str) -> None:
        """Begin a file."""
        self.name = name
        self.passing = name.startswith(TEMPORARY)  # it outlives no run, and need not outlive a power failure
        self._draft = draft_of(folder.fs, folder.full(name))
        self._sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Write bytes or a buffer."""
        self._sha256.update(data)
        size = memoryview(data).nbytes
        self.bytes += size
        self._draft.write(data)
        return size

    def flush(self) -> None:
        """Do nothing; Arrow's writer asks for it."""

    def close(self) -> None:
        """End writing: the disk holds the file."""
        self._draft.close(durable=not self.passing)

    def commit(self) -> None:
        """Give the file its own name, in the place of an earlier one; in an object store, all is uploaded here."""
        self._draft.commit()

    def discard(self) -> None:
        """Remove what has no name yet."""
        self._draft.discard()

    def facts(self) -> Mapping[str, Any]:
        """Return size and checksum."""
        return {"bytes": self.bytes, "sha256": self._sha256.hexdigest()}
