"""Plain text: a line, or a paragraph between blank lines, is a document."""

from collections.abc import Iterator, Mapping

from labelers.text.document import Document, Reject
from pipelines.formats.format import Format, LineFormat, OpenRange
from pipelines.input.lines import paragraphs_of
from pipelines.input.parse import Parser

__all__ = ["ENDINGS", "TextFormat"]


class TextFormat(LineFormat):
    """A line, or a paragraph between blank lines, is a document."""

    def lines(self, span: OpenRange) -> Iterator[tuple[int, bytes, int]]:
        """Yield lines, or paragraphs where the settings say so."""
        if span.parser.settings.paragraphs == "line":
            return super().lines(span)
        return paragraphs_of(span.stream, span.start, span.stop, span.parser.settings.max_record_bytes)

    def record(self, parser: Parser, place: int, offset: int, line: bytes) -> Document | Reject:
        """Return the document that a line is."""
        try:
            return parser.text(place, offset, line.decode(parser.settings.encoding))
        except UnicodeDecodeError:
            return parser.reject(place, "undecodable", line)


ENDINGS: Mapping[str, Format] = {"txt": TextFormat()}
