"""Whether input is what it was: by size and time where they are equal, else by the digests of its bytes."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.fs as pafs

from labelers.stores.reading import open_to_read
from pipelines.folder.layout import Folder
from pipelines.input.records import InputFile, Piece, Range

__all__ = ["PieceDigest", "changed_inputs", "check_inputs"]

_CHUNK = 1 << 20
_read: dict[tuple[str, str, int], str] = {}  # digests of pieces by path, time and start, each read once in a process


class PieceDigest:
    """The blake2b of a part of a file, taken from what somebody else reads of it as far as that goes.

    Example:
        >>> import io
        >>> digest = PieceDigest(2, 5)
        >>> digest.over(io.BytesIO(b"abcdef")).read(4)
        b'abcd'
        >>> digest.finish(io.BytesIO(b"abcdef"))
        >>> digest.hex == hashlib.blake2b(b"cde", digest_size=16).hexdigest()
        True
    """

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop, self.hex = start, stop, ""
        self._place = start
        self._digest = hashlib.blake2b(digest_size=16)

    def over(self, stream: Any) -> "_Overheard":
        """Return a stream that updates this digest with what is read from another."""
        return _Overheard(stream, self)

    def add(self, place: int, data: bytes) -> None:
        """Take bytes that stand at a place of the file: those of them that come next."""
        if place <= self._place < min(place + len(data), self.stop):
            fresh = memoryview(data)[self._place - place : self.stop - place]
            self._digest.update(fresh)
            self._place += len(fresh)

    def finish(self, stream: Any) -> None:
        """Read what nobody has read; ``hex`` stays empty where the file ends too early."""
        if self._place < self.stop:
            stream.seek(self._place)
        while self._place < self.stop and (data := stream.read(min(_CHUNK, self.stop - self._place))):
            self.add(self._place, data)
        if self._place >= self.stop:
            self.hex = self._digest.hexdigest()


class _Overheard:
    """A stream that updates a digest with what is read from it."""

    def __init__(self, stream: Any, digest: PieceDigest) -> None:
        self._stream, self._digest = stream, digest
        self.seek, self.tell, self.read_at = stream.seek, stream.tell, getattr(stream, "read_at", None)

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        place = self._stream.tell()
        data: bytes = self._stream.read() if size < 0 else self._stream.read(size)
        self._digest.add(place, data)
        return data


def check_inputs(files: Sequence[InputFile], ranges: Sequence[Range]) -> Iterator[str]:
    """Yield the name of each file whose ranges hold something else than when they were planned.

    A file of equal size and another time is read: another time alone, of a copy for example, is no change.
    """
    for number in sorted({part.file for part in ranges}):
        file = files[number]
        folder = Folder.at(file.path)
        info = folder.fs.get_file_info(folder.path)
        modified = "" if info.mtime is None else info.mtime.isoformat()
        if info.type != pafs.FileType.File or info.size != file.size:
            yield file.name
        elif modified != file.modified:
            starts = {part.start for part in ranges if part.file == number}
            pieces = [piece for piece in file.pieces if piece[0] in starts or piece[1] == file.size > 0 == piece[0]]
            if len(pieces) < (1 if len(file.pieces) == 1 else len(starts)) or not _same(folder, modified, pieces):
                yield file.name


def changed_inputs(old: Sequence[InputFile], new: Sequence[InputFile]) -> tuple[list[str], list[str]]:
    """Return the names of the files that hold other bytes now, and of those of which nobody knows what they held.

    Args:
        old: as they stand in a plan.
        new: as they are found now, with the same names and sizes. One of the same time is taken for the same.
    """
    changed, unknown = [], []
    for before, now in zip(old, new, strict=True):
        if before.modified == now.modified:
            continue
        if sum(stop - start for start, stop, _ in before.pieces) < before.size:
            unknown.append(now.name)
        elif not _same(Folder.at(now.path), now.modified, before.pieces):
            changed.append(now.name)
    return changed, unknown


def _same(folder: Folder, modified: str, pieces: Sequence[Piece]) -> bool:
    """Return whether a file holds the bytes that the digests of its pieces describe."""
    return all(_digest(folder, modified, start, stop) == known for start, stop, known in pieces)


def _digest(folder: Folder, modified: str, start: int, stop: int) -> str:
    """Return the digest of a piece of a file that was last changed at some time."""
    key = (folder.path, modified, start)
    if key not in _read:
        digest = PieceDigest(start, stop)
        with open_to_read(folder.fs, folder.path) as stream:
            digest.finish(stream)
        _read[key] = digest.hex
    return _read[key]
