"""What input is made of: files, the ranges and units they are cut into, the documents read from them, the rejects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Document", "InputFile", "Piece", "Range", "Reject", "Turn", "Unit"]

Piece = tuple[int, int, str]
"""Start and stop of a part of a file in bytes, and the blake2b of what stands there."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says at a time."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One record of the input that can be used: a text, tokens that are split already, or a dialogue."""

    id: str
    """The record's own id, else ``<file>:<byte offset or row>``."""
    text: str = ""
    tokens: tuple[str, ...] | None = None
    segments: tuple[int, ...] | None = None
    """Index of each segment's first token; only beside ``tokens``."""
    turns: tuple[Turn, ...] | None = None
    """The turns of a dialogue that hold a word; an empty turn is left out."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Kept input fields."""
    group: str = ""
    """Documents of one group stay in one split."""
    source: str = ""
    """Name of the file it came from."""
    place: int = 0
    """Byte offset or row in that file."""


@dataclass(frozen=True)
class Reject:
    """An input record, or a whole file, that could not be used."""

    source: str
    """Name of the file."""
    place: int
    """Byte offset, or row in parquet, arrow and gz files."""
    reason: str
    """One of `pipelines.sources.REASONS`."""
    sample: str = ""
    """What was found there, at most 1 kB of it."""
    note: str = ""
    """What is wrong with it, where the reason alone does not tell."""


@dataclass(frozen=True)
class InputFile:
    """A file to read."""

    name: str
    """Path below the inputs' common folder: the only path that may stand in an output."""
    path: str
    """Where to open it: a local path or a URI."""
    format: str
    """txt, jsonl, txt.gz, jsonl.gz, parquet or arrow."""
    size: int
    modified: str
    """When it was last changed, ISO 8601, to tell whether it changed since."""
    split: str = ""
    """train, validation or test where the input comes in splits, else empty."""
    pieces: tuple[Piece, ...] = ()
    """Digests of its bytes: of each range, or of the whole. They are missing where not all of it was read."""


@dataclass(frozen=True)
class Range:
    """A part of a file: bytes of txt and jsonl, row groups of parquet, record batches of arrow, all of a gz."""

    file: int
    """Index into the files."""
    start: int
    stop: int


@dataclass(frozen=True)
class Unit:
    """What is read and written in one go: consecutive ranges of about equal size in all."""

    index: int
    ranges: tuple[Range, ...]
