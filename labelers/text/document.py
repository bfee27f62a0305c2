"""Documents: the records of which passages are made, and those of which none can be made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["FIELD_TYPES", "Document", "Reject", "Turn"]

FIELD_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}
"""Types of kept input fields, by the names that a recipe gives them."""


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
    second: str | tuple[str, ...] | None = None
    """A second text beside it, or its tokens."""


@dataclass(frozen=True)
class Reject:
    """An input record, or a whole file, that could not be used."""

    source: str
    """Name of the file."""
    place: int
    """Byte offset, or row in parquet, arrow and gz files."""
    reason: str
    """One of `pipelines.units.REASONS`."""
    sample: str = ""
    """What was found there, at most 1 kB of it."""
    note: str = ""
    """What is wrong with it, where the reason alone does not tell."""
