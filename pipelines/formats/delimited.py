"""Tables of text with a header: a row, whose cells may hold line breaks between quotes, is a record."""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelers.text.document import Document, Reject
from pipelines.formats.cells import cell_readers
from pipelines.formats.format import Format, OpenRange, other_kind
from pipelines.input.lines import lines_of
from pipelines.input.parse import Parser

__all__ = ["ENDINGS", "DelimitedFormat"]

_HEAD = 65_536
_DELIMITERS = ",;\t|"


class _TooLongError(ValueError):
    """A row that is longer than a record may be."""


class _Lines:
    """The lines of a file for a reader of rows, which may be given back."""

    def __init__(self, span: OpenRange) -> None:
        settings = span.parser.settings
        self._lines = lines_of(span.stream, 0, None, settings.max_record_bytes)
        self._encoding, self._most = settings.encoding, settings.max_record_bytes
        self._again = deque[tuple[int, bytes, int]]()
        self._row: list[tuple[int, bytes, int]] = []
        self._size = 0

    def begin(self) -> None:
        """Begin a row."""
        self._row, self._size = [], 0

    @property
    def place(self) -> int:
        """Byte offset of the row."""
        return self._row[0][0] if self._row else 0

    @property
    def data(self) -> bytes:
        """The lines of the row."""
        return b"\n".join(line for _, line, _ in self._row)

    def give_back(self) -> None:
        """Give back all lines of the row but the first, so that one quote does not take the rest of a file."""
        self._again.extendleft(reversed(self._row[1:]))
        self._row = self._row[:1]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        """Return the next line; bytes that are no text stand in it as half surrogates, which no document may hold."""
        item = self._again.popleft() if self._again else next(self._lines)
        self._row.append(item)
        self._size += item[2] + 1
        if self._size > self._most:
            raise _TooLongError
        return item[1].decode(self._encoding, "surrogateescape") + "\n"


@dataclass(frozen=True)
class DelimitedFormat(Format):
    """Rows of cells between delimiters."""

    delimiter: str = ""
    """Empty: that of `,`, `;`, tab and `|` which is most frequent in the first line."""
    onward = True

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (byte offset, record) of the rows."""
        parser = span.parser
        kind = other_kind(span)
        if kind:
            yield 0, parser.reject(0, "file", f"{kind}, not text")
            return
        dialect = self._dialect(span)
        csv.field_size_limit(max(csv.field_size_limit(), parser.settings.max_record_bytes))
        names = list(parser.settings.columns)
        readers = cell_readers(parser)
        for place, cells, data in _rows(span, dialect):
            if not names and not isinstance(cells, str):
                names = [name.strip() for name in cells]
            elif isinstance(cells, str):
                yield place, parser.reject(place, cells, data)
            elif len(cells) > len(names):
                note = f"{len(cells)} cells in a table of {len(names)} columns"
                yield place, parser.reject(place, "bad_row", data, note)
            elif cells != names:
                yield place, _record(parser, place, data, dict(zip(names, cells, strict=False)), readers)

    def _dialect(self, span: OpenRange) -> dict[str, Any]:
        """Return how rows are written."""
        head = span.stream.read_at(_HEAD, 0).decode(span.parser.settings.encoding, "replace")
        lines = head.splitlines()[: -1 if len(head) > _HEAD // 2 else None]
        first = lines[0] if lines else ""
        delimiter = self.delimiter if self.delimiter in first else ""
        delimiter = delimiter or max(_DELIMITERS, key=first.count)
        quoted = _quoted(lines, delimiter)
        return {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE}


def _quoted(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether quotes enclose cells; tables with tabs often have them as they stand in the text."""
    width = lines[0].count(delimiter) + 1 if lines else 1
    plain = sum(line.count(delimiter) + 1 != width for line in lines)
    try:
        rows = list(csv.reader((line + "\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return False
    if delimiter == "\t" and not plain:
        cells = [cell for line in lines for cell in line.split(delimiter) if cell.startswith('"')]
        return bool(cells) and all(len(cell) > 1 and cell.endswith('"') for cell in cells)
    return sum(len(row) != len(rows[0]) for row in rows if row) <= plain if rows else True


def _rows(span: OpenRange, dialect: dict[str, Any]) -> Iterator[tuple[int, list[str] | str, bytes]]:
    """Yield (byte offset, cells or why there are none, the lines) of each row that is not blank."""
    lines = _Lines(span)
    reader = csv.reader(lines, strict=False, **dialect)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLongError) as error:
            lines.give_back()
            yield lines.place, "too_long" if isinstance(error, _TooLongError) else "bad_row", lines.data
            reader = csv.reader(lines, strict=False, **dialect)
            continue
        if any(cell.strip() for cell in cells):
            yield lines.place, cells, lines.data


def _record(
    parser: Parser, place: int, data: bytes, row: Mapping[str, str], readers: Mapping[str, Callable[[str], Any]]
) -> Document | Reject:
    """Return the document of a row; an empty cell says nothing, but a text is empty."""
    record: dict[str, Any] = {}
    for name, cell in row.items():
        if not cell.strip():
            record[name] = "" if name == parser.settings.text else None
        else:
            record[name] = readers[name](cell) if name in readers else cell
    try:
        return parser.record(place, place, record, data)
    except UnicodeEncodeError:
        return parser.reject(place, "undecodable", data)


ENDINGS: Mapping[str, Format] = {"csv": DelimitedFormat(), "tsv": DelimitedFormat("\t")}
