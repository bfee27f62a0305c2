"""Documents: the records of which passages are made, and those of which none can be made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["FIELD_TYPES", "FILTERED", "LABEL_REASONS", "BadLabel", "Document", "Reject", "Spans", "Turn"]

FIELD_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}
"""Types of kept input fields, by the names that a recipe gives them."""


LABEL_REASONS = (
    "wrong_type",
    "wrong_length",
    "bad_scheme",
    "unknown_class",
    "bad_span",
    "overlap",
    "bad_head",
    "cycle",
    "not_a_number",
)
"""Why a label cannot be used; the record and its other labels can."""

FILTERED = "filtered"
"""Why a record is left out that was not asked for: this is not an error, and no list of rejects contains it."""


@dataclass(frozen=True, slots=True)
class BadLabel:
    """A label that cannot be used."""

    reason: str
    """One of `LABEL_REASONS`."""
    note: str = ""
    """What is wrong with it."""


@dataclass(frozen=True, slots=True)
class Spans:
    """The labelled spans of a text."""

    items: tuple[tuple[int, int, str], ...]
    """(start, end, label) in code points of the text as it was given."""


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
    spaces: tuple[bool, ...] | None = None
    """Whether a space follows each of the ``tokens``; None: one does."""
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
    labels: Mapping[str, Any] = field(default_factory=dict)
    """Labels that people made, by the name of the label space; those that the record does not have are left out. A
    class as str, int (an index of declared classes) or bool, lists as tuples, a number as float, `Spans`, for arcs
    (heads, relations), or `BadLabel`."""
    whole: bool | None = None
    """It is one row or none, since something speaks of all of it; None: it is if it has tokens and kept fields."""


@dataclass(frozen=True)
class Reject:
    """An input record, or a whole file, that could not be used."""

    source: str
    """Name of the file."""
    place: int
    """Byte offset, or row in parquet, arrow and gz files."""
    reason: str
    """One of `pipelines.input.units.REASONS`, or `FILTERED`; of a label, one of `LABEL_REASONS`."""
    sample: str = ""
    """What was found there, at most 1 kB of it."""
    note: str = ""
    """What is wrong with it, where the reason alone does not say."""
    task: str = ""
    """The label that could not be used, where the record itself could."""
