"""A first line that names the columns of a file of tokens."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.input.parse import Parser

__all__ = ["Header", "cells_of", "find_header", "is_header_of_tokens"]

_TOKENS = ("tokens", "token", "words", "word", "form", "forms")
"""What columns of tokens are called, in any case."""
_OTHERS = frozenset(
    (
        *("id", "idx", "index", "no", "num", "number", "tag", "tags", "label", "labels", "gold", "ner", "ne", "entity"),
        *("entities", "ner_tag", "ner_tags", "pos", "pos_tag", "pos_tags", "upos", "xpos", "lemma", "lemmas", "feats"),
        *(
            "chunk",
            "chunks",
            "chunk_tag",
            "chunk_tags",
            "iob",
            "bio",
            "bioes",
            "head",
            "heads",
            "deprel",
            "deps",
            "misc",
        ),
    )
)
"""What others are called, in any case."""

_COMMENT = re.compile(r"#\s*(?:global\.columns\s*=|columns\s*[:=])\s*(\S.*)$", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"
_DOCSTART = "-DOCSTART-"


@dataclass(frozen=True)
class Header:
    """The names of columns as a file gives them."""

    names: tuple[str, ...]
    place: int = -1
    """Byte offset of the line; -1 for a comment, which is no line of a sentence."""
    line: bytes = b""

    def without(self, place: int, data: bytes) -> bytes:
        """Return the lines of a sentence that begins at a place without the header, if it is among them."""
        line = self.line.removesuffix(b"\r")
        lines = data.split(b"\n")
        if place > self.place or line not in lines:
            return data
        lines.remove(line)
        return b"\n".join(lines)


def cells_of(line: str) -> list[str]:
    r"""Return the cells of a line: between tabs, or between spaces where there is no tab.

    Example:
        >>> cells_of("in May\tO"), cells_of("May  O")
        (['in May', 'O'], ['May', 'O'])
    """
    return [cell.strip() for cell in line.rstrip().split("\t")] if "\t" in line else line.split()


def find_header(head: bytes, parser: Parser) -> Header | None:
    """Return the header of a file, given its beginning.

    The first line that is no comment is one if each cell is the name of a column: one that the recipe gives, or that
    columns are commonly called by, one of them for tokens. No other cell may occur in its column as a value.
    """
    settings = parser.settings
    lines = list(_lines(head, settings.encoding))
    for number, (place, data, line) in enumerate(lines):
        told = _COMMENT.match(line)
        if told and not settings.columns:
            names = _named(told[1].split(), parser, common=False)
            if names:
                return Header(names)
        if not line.strip() or line.startswith(_DOCSTART) or (line.startswith("#") and "\t" not in line):
            continue
        cells = cells_of(line)
        names = _named(cells, parser, common=True)
        if names is None:
            return None
        tokens = names.index(settings.tokens) if settings.tokens in names else 0
        found = _are_values(cells, tokens, [item[2] for item in lines[number + 1 :]])
        return None if found else Header(names, place, data)
    return None


def _lines(head: bytes, encoding: str) -> Iterator[tuple[int, bytes, str]]:
    """Yield (byte offset, bytes, text) of each line."""
    place = len(_BOM) if head.startswith(_BOM) else 0
    for line in head[place:].split(b"\n"):
        yield place, line, line.decode(encoding, "replace").rstrip("\r")
        place += len(line) + 1


def _named(cells: Sequence[str], parser: Parser, *, common: bool) -> tuple[str, ...] | None:
    """Return the names of columns that cells give, None where they give none.

    Args:
        cells: of the header.
        parser: knows the names that the recipe gives.
        common: each cell must be a name that is known.
    """
    settings, folded = parser.settings, [cell.casefold() for cell in cells]
    if settings.columns:
        declared = [name.casefold() for name in settings.columns]
        return settings.columns if folded == declared[: len(folded)] and len(folded) > 1 else None
    asked = [name for label in parser.labels for name in (label.column, label.relations) if name]
    given = {name.casefold(): name for name in (*settings.where, *settings.keep, *asked)}
    tokens = next((name for name in (settings.tokens.casefold(), *_TOKENS) if name in folded), None)
    known = given.keys() | _OTHERS | {tokens}
    if tokens is None or len(cells) < 2 or len({*folded}) < len(cells) or (common and not known.issuperset(folded)):  # noqa: PLR2004
        return None
    names = [given.get(name, cell if common else name) for cell, name in zip(cells, folded, strict=True)]
    names[folded.index(tokens)] = settings.tokens
    for place, name in ((i, f"column{i + 1}") for i in range(1, len(names) - 1)):
        names[place] = name if name in asked and names[place] not in asked else names[place]
    if "tags" in asked and "tags" not in names and names[-1] not in (*asked, settings.tokens):
        names[-1] = "tags"  # as the last column is called without a header
    return tuple(names)


def _are_values(cells: Sequence[str], tokens: int, lines: Sequence[str]) -> bool:
    """Return whether one of the cells, that of tokens aside, is a value of its column further down."""
    rows = [cells_of(line) for line in lines if line.strip()]
    return any(
        name == cell
        for row in rows
        for place, (name, cell) in enumerate(zip(cells, row, strict=False))
        if place != tokens
    )


def is_header_of_tokens(lines: Sequence[str], parser: Parser) -> bool:
    """Return whether a table seems to be columns of tokens: a header, then single words, with blank lines between them.

    Args:
        lines: of the beginning of the file.
        parser: knows the names that the recipe gives.
    """
    names = _named(cells_of(lines[0]), parser, common=True) if lines else None
    if names is None or parser.settings.tokens not in names or all(line.strip() for line in lines):
        return False
    place = names.index(parser.settings.tokens)
    rows = [cells_of(line) for line in lines[1:] if line.strip()]
    return bool(rows) and all(
        len(row) > place and not row[place].startswith("[") and " " not in row[place] for row in rows
    )
