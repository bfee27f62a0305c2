"""What input is made of: files, and the ranges and units that they are cut into."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["InputFile", "Piece", "Range", "Unit"]

Piece = tuple[int, int, str]
"""Start and stop of a part of a file in bytes, and the blake2b of what stands there."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Range:
    """A part of a file: bytes of lines, row groups or record batches of a table, or the whole."""

    file: int
    """Index into the files."""
    start: int
    stop: int


@dataclass(frozen=True)
class Unit:
    """What is read and written in one go: consecutive ranges of about equal size in all."""

    index: int
    ranges: tuple[Range, ...]
