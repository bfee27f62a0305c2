"""Columns of tokens: a token on each line with its tags beside it, sentences between blank lines."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from labelers.text.document import Document, Reject
from pipelines.formats.column_header import Header, cells_of, find_header
from pipelines.formats.format import Format, OpenRange, other_kind
from pipelines.formats.token_blocks import HEAD, Sentence, blocks_of, head_indices, is_marked, joined
from pipelines.input.parse import Parser

__all__ = ["ENDINGS", "BadRowError", "ColumnsFormat", "ConllFormat", "comment_of"]

_COMMENT = re.compile(r"#[ \t]*(newdoc\b(?: id)?|newpar\b(?: id)?|[A-Za-z][\w.:]*)[ ]*(?:=[ ]*(.*)|)$")
_NO_WORD = re.compile(r"\d+[-.]\d+")
_BARE = ("newdoc", "newpar")
_DOCSTART = "-DOCSTART-"


class BadRowError(ValueError):
    """A line that cannot be one of its format; the argument says why."""


class ColumnsFormat(Format):
    """A token on each line; what stands between blank lines is a sentence.

    A document that the file marks is read with the range in which it begins.
    """

    bytewise = onward = True

    def records(self, span: OpenRange) -> Iterator[tuple[int, Document | Reject]]:
        """Yield (byte offset, record) of the sentences or documents that begin in the range."""
        parser, settings = span.parser, span.parser.settings
        kind = other_kind(span)
        if kind:
            if span.start == 0:
                yield 0, parser.reject(0, "file", f"{kind}, not text")
            return
        header = self.header(span.stream.read_at(HEAD, 0), parser)
        if header is not None:
            parser = parser.with_columns(header.names)
        marked = is_marked(span.stream)
        whole = settings.record == "document" or (settings.record == "auto" and marked)
        most = settings.max_record_bytes
        blocks = blocks_of(span.stream, span.start, span.stop, most, marked=marked or whole)
        if header is not None:
            blocks = ((document, at, header.without(at, data), size) for document, at, data, size in blocks)
            blocks = (block for block in blocks if block[2])
        yield from _documents(self, parser, blocks) if whole else _sentences(self, parser, blocks)

    def header(self, head: bytes, parser: Parser) -> Header | None:  # noqa: ARG002
        """Return the names of columns that the beginning of a file gives, None where it gives none."""
        return None

    @abstractmethod
    def parse(self, parser: Parser, text: str) -> Sentence | None:
        """Return the sentence of some lines, None where they hold no token.

        Raises:
            BadRowError: a line cannot be read.
        """


_Blocks = Iterator[tuple[int | None, int, bytes, int]]


def _sentences(form: ColumnsFormat, parser: Parser, blocks: _Blocks) -> Iterator[tuple[int, Document | Reject]]:
    """Yield a record for each sentence; those of one document stay on one side of the split."""
    named, name, opening = -1, "", dict[str, str]()
    for document, place, data, length in blocks:
        found = _parsed(form, parser, place, data, length)
        if isinstance(found, Sentence):
            if document is not None and document != named:
                named, name, opening = document, f"{parser.file.name}:{document}", found.comments
            name = found.comments.get("newdoc id", name)
            if found.count:
                own = found.comments.get("sent_id", "")
                found.comments = {**opening, **found.comments}
                yield place, _record(parser, place, found, [0], own=own, group=name)
        elif found is not None:
            yield place, found


def _documents(form: ColumnsFormat, parser: Parser, blocks: _Blocks) -> Iterator[tuple[int, Document | Reject]]:
    """Yield a record for each document."""
    for place, parts in groupby(blocks, lambda block: block[0]):
        sentences, wrong, size = list[Sentence](), None, 0
        own, said = "", dict[str, str]()
        for _, at, data, length in parts:
            size += length
            if wrong is not None:
                continue
            if size > parser.settings.max_record_bytes:
                wrong = parser.reject(place or 0, "too_long", data)
                continue
            found = _parsed(form, parser, at, data, length)
            if isinstance(found, Reject):
                wrong = parser.reject(place or 0, found.reason, data, found.note)
            elif found is not None:
                own = own or found.comments.get("newdoc id", "")
                said = {**found.comments, **said}
                sentences += [found] * bool(found.count)
        if wrong is not None:
            yield place or 0, wrong
        elif sentences:
            whole, starts = joined(sentences)
            whole.comments = said
            yield place or 0, _record(parser, place or 0, whole, starts, own=own, group=own)


def _parsed(form: ColumnsFormat, parser: Parser, place: int, data: bytes, length: int) -> Sentence | Reject | None:
    """Return the sentence of some lines, or why they are none."""
    if length > parser.settings.max_record_bytes:
        return parser.reject(place, "too_long", data)
    try:
        return form.parse(parser, data.decode(parser.settings.encoding))
    except UnicodeDecodeError:
        return parser.reject(place, "undecodable", data)
    except BadRowError as error:
        return parser.reject(place, "bad_row", data, str(error))


def _record(
    parser: Parser, place: int, whole: Sentence, starts: list[int], *, own: str, group: str
) -> Document | Reject:
    """Return the document of a record."""
    names = parser.settings
    columns = {name: values for name, values in whole.columns.items() if name != names.id}
    asked = names.where.keys() | names.keep.keys()
    comments = {name: value for name, value in whole.comments.items() if name in asked}
    record: dict[str, Any] = {**comments, **columns, "segments": starts} | ({names.id: own} if own else {})
    return parser.record(place, place, record, group=group, spaces=whole.spaces)


def comment_of(line: str) -> tuple[str, str] | None:
    """Return key and value of a comment, None where a line is none that is known by its form.

    Example:
        >>> comment_of("# sent_id = a-1"), comment_of("# newdoc"), comment_of("#NFL O")
        (('sent_id', 'a-1'), ('newdoc', ''), None)
    """
    found = _COMMENT.match(line)
    if not found or (found[2] is None and found[1] not in _BARE):
        return None
    return found[1], (found[2] or "").strip()


class ConllFormat(ColumnsFormat):
    """Columns that the recipe or a header names: between tabs, or between spaces where a line has no tab."""

    def header(self, head: bytes, parser: Parser) -> Header | None:
        """Return the header of a file."""
        return find_header(head, parser)

    def parse(self, parser: Parser, text: str) -> Sentence | None:
        """Return the sentence of some lines."""
        lines = [line for line in text.split("\n") if not line.startswith(_DOCSTART)]
        comments, lines = _without_comments(lines)
        if not lines:
            return Sentence({}, 0, comments)
        rows = _cells(lines)
        names = _names(parser, max(map(len, rows)))
        if names[0] == parser.settings.id:  # as in CoNLL-U, numbers of tokens of several words, and of empty nodes
            rows = [row for row in rows if not _NO_WORD.fullmatch(row[0])] or rows
        columns = {name: [row[i] for row in rows if len(row) > i] for i, name in enumerate(names)}
        sentence = Sentence({name: values for name, values in columns.items() if values}, len(rows), comments)
        _read_numbers(parser, sentence)
        return sentence


def _without_comments(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return what the comments at the beginning of a sentence say, and the lines behind them.

    A token may be ``#``: a line that begins so is a comment if it has the form of one, or other columns than the
    last line of the sentence.
    """
    comments = dict[str, str]()
    remarks = all(line.startswith("# ") and "\t" not in line for line in lines)
    for number, line in enumerate(lines):
        known = comment_of(line) if line.startswith("#") else None
        odd = "\t" not in line and len(line.split()) != len(lines[-1].split())
        if known:
            comments.setdefault(*known)
        elif not (line.startswith("#") and (remarks or odd)):
            return comments, lines[number:]
    return comments, []


def _cells(lines: list[str]) -> list[list[str]]:
    """Return the columns of each line."""
    rows = [cells_of(line) for line in lines]
    if len({len(row) for row in rows}) > 1:  # tabs and spaces mixed
        spaced = [line.split() for line in lines]
        if len({len(row) for row in spaced}) == 1:
            return spaced
    return rows


def _names(parser: Parser, width: int) -> list[str]:
    """Return the names of so many columns."""
    given = list(parser.settings.columns)
    if not given:
        given = [parser.settings.tokens, *(f"column{i}" for i in range(2, width)), "tags"]
    return [*given, *(f"column{i}" for i in range(len(given) + 1, width + 1))][:width]


def _read_numbers(parser: Parser, sentence: Sentence) -> None:
    """Read the columns of heads and of numbers, which the label spaces name."""
    for label in parser.labels:
        values = sentence.columns.get(label.column)
        if values is not None and label.kind == "arc" and label.column not in sentence.heads:
            sentence.columns[label.column] = head_indices(values)
            sentence.heads += (label.column,)
        elif values is not None and label.kind == "regression" and isinstance(values[0], str):
            sentence.columns[label.column] = [_number(item) for item in values]


def _number(cell: str) -> Any:
    """Return the number of a cell, None for none, and what is no number as it is."""
    try:
        return None if cell in ("_", "") else float(cell)
    except ValueError:
        return cell


ENDINGS: Mapping[str, Format] = dict.fromkeys(("conll", "conllup", "iob", "iob2", "bio"), ConllFormat())
