"""What input is made of: files, and the ranges and units that they are cut into."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn, TypeVar, overload

__all__ = [
    "InputFile",
    "Piece",
    "Range",
    "Some",
    "SomeFiles",
    "Unit",
    "known_files",
    "splits_given",
    "total_bytes",
]

_T = TypeVar("_T")

Piece = tuple[int, int, str]
"""Start and stop of a part of a file in bytes, and the blake2b of what stands there."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read."""

    name: str
    """Path below the inputs' common folder: the only path that may stand in an output."""
    path: str
    """Where to open it: a local path or a URI."""
    format: str
    """Its ending, by which `pipelines.formats.FORMATS` knows how to read it: txt, jsonl.gz, conll.xz."""
    size: int
    modified: str
    """When it was last changed, ISO 8601, to detect later changes."""
    split: str = ""
    """train, validation or test where the input comes in splits, else empty."""
    pieces: tuple[Piece, ...] = ()
    """Digests of its bytes: of each range, or of the whole. They are missing where not all of it was read."""
    input: int = 0
    """Which of the recipe's inputs it belongs to."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; the input stands in it where there are several."""
        return {key: value for key, value in asdict(self).items() if key != "input" or value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "InputFile":
        """Read one; a plan of an earlier version has no pieces."""
        pieces = tuple((start, stop, digest) for start, stop, digest in data.get("pieces", ()))
        return cls(**{**data, "pieces": pieces})


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a file: bytes of lines, row groups or record batches of a table, or the whole."""

    file: int
    """Index into the files."""
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What is read and written in one go: consecutive ranges of about equal size in all."""

    index: int
    ranges: tuple[Range, ...]

    def to_json(self) -> list[list[int]]:
        """Return file, start and stop of each range; the index is told by the place of the unit among all."""
        return [[part.file, part.start, part.stop] for part in self.ranges]

    @classmethod
    def from_json(cls, index: int, data: Sequence[Sequence[int]]) -> "Unit":
        """Read one."""
        return cls(index, tuple(Range(*part) for part in data))


class Some(Sequence[_T]):
    """A few elements of a long sequence, at the places that they have in it; the others are not known.

    Example:
        >>> some = Some({7: "h"}, 26)
        >>> len(some), some[7]
        (26, 'h')
    """

    def __init__(self, known: Mapping[int, _T], count: int) -> None:
        """Keep them.

        Args:
            known: the elements by their places.
            count: how many there are in all.
        """
        self.known, self._count = known, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> _T: ...
    @overload
    def __getitem__(self, place: slice) -> NoReturn: ...
    def __getitem__(self, place: int | slice) -> _T:
        if isinstance(place, slice) or place not in self.known:
            raise LookupError(f"of {self._count:,} elements only {sorted(self.known)[:3]} ... are known, not {place}")
        return self.known[place]

    def __iter__(self) -> NoReturn:
        raise LookupError(f"of {self._count:,} elements only {len(self.known):,} are known")


class SomeFiles(Some[InputFile]):
    """A few of the files of a build, and what must be known of all of them."""

    def __init__(self, known: Mapping[int, InputFile], count: int, size: int, splits: frozenset[str]) -> None:
        """Keep them.

        Args:
            known: the files by their places.
            count: how many there are in all.
            size: bytes of all of them.
            splits: those that some come in.
        """
        super().__init__(known, count)
        self.size, self.splits = size, splits


def known_files(files: Sequence[InputFile]) -> Iterator[tuple[int, InputFile]]:
    """Yield the files that are known, each with its place among all."""
    return iter(files.known.items()) if isinstance(files, SomeFiles) else enumerate(files)


def total_bytes(files: Sequence[InputFile]) -> int:
    """Return the bytes of all files."""
    return files.size if isinstance(files, SomeFiles) else sum(file.size for file in files)


def splits_given(files: Sequence[InputFile]) -> frozenset[str]:
    """Return the splits that some files come in."""
    return files.splits if isinstance(files, SomeFiles) else frozenset(file.split for file in files if file.split)
