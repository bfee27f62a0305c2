"""JSON lines: a line holds an object."""

from collections.abc import Mapping

from labelers.text.document import Document, Reject
from pipelines.formats.format import Format, LineFormat
from pipelines.input.parse import Parser

__all__ = ["ENDINGS", "JsonFormat"]


class JsonFormat(LineFormat):
    """A line holds a JSON object."""

    def record(self, parser: Parser, place: int, offset: int, line: bytes) -> Document | Reject:
        """Return the document of the object in a line."""
        return parser.line(place, offset, line)


ENDINGS: Mapping[str, Format] = {"jsonl": JsonFormat()}
