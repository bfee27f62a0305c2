"""Lines of text or JSON in a gzip file."""

import gzip
import sys
from collections.abc import Iterator, Mapping

from labelers.text.document import Document, Reject
from pipelines.formats.format import Format, LineFormat, OpenRange
from pipelines.formats.json_lines import JsonFormat
from pipelines.formats.text_lines import TextFormat

__all__ = ["ENDINGS", "GzipFormat"]


class GzipFormat(Format):
    """Lines in a gzip file, which is read from its start."""

    onward = True

    def __init__(self, inner: LineFormat) -> None:
        self._inner = inner

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (row, record); blank lines are no rows."""
        row, parser = 0, span.parser
        with gzip.GzipFile(fileobj=span.stream) as unpacked:
            for place, line, length in self._inner.lines(OpenRange(unpacked, parser, 0, sys.maxsize)):
                if length > parser.settings.max_record_bytes:
                    yield row, parser.reject(row, "too_long", line)
                elif not line.isspace() and line:
                    yield row, self._inner.record(parser, row, place, line)
                else:
                    continue
                row += 1


ENDINGS: Mapping[str, Format] = {"jsonl.gz": GzipFormat(JsonFormat()), "txt.gz": GzipFormat(TextFormat())}
