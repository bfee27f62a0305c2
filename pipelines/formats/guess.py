"""By which format a file of columns is read, where its ending alone does not determine it."""

import re

from pipelines.formats.column_header import is_header_of_tokens
from pipelines.formats.format import UNREADABLE, opened
from pipelines.formats.packed_files import packed_head, packing_of
from pipelines.input.parse import Parser
from pipelines.input.records import InputFile
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["format_of", "looks_like_columns"]

_HEAD = 65_536
_CHOSEN = {"conll": "conll", "conllu": "conllu", "table": "csv"}
"""The ending whose format reads a file that a recipe says is of this form."""

_GUESSED = "tsv"
_TAG = re.compile(r"\t(?:O|[BIESLU]-[^\t]+)\s*$")
"""At the end of a line, a tag of a token: a file of one sentence has no blank line."""

_FREE = ("", "txt", "tsv", "csv", "conll", "conllup", "iob", "iob2", "bio", "conllu")
"""Endings of files that may be columns; the others are what they say."""


def format_of(ending: str, table: InputTable, path: str, *, given: bool) -> str:
    """Return the ending that stands for the format of a file, empty where none reads it.

    Args:
        ending: of its name; empty for one that no format has.
        table: how the recipe says that it is read.
        path: of the file.
        given: it was named by itself, and not found in a folder.
    """
    packing = packing_of(path)
    behind = f".{packing}" if packing else ""
    plain = ending.removesuffix(behind)
    if table.format:
        return _CHOSEN[table.format] + behind if plain in _FREE and (plain or given) else ending
    if plain != _GUESSED:
        return ending
    try:
        with opened(path) as stream:
            head = packed_head(stream, packing) if packing else stream.read(_HEAD)
    except UNREADABLE:  # reading it will say so
        return ending
    return f"conll{behind}" if looks_like_columns(head.decode(table.encoding, "replace"), table) else ending


def looks_like_columns(head: str, table: InputTable) -> bool:
    r"""Return whether a file begins as columns of tokens do: with blank lines or tags of spans, and not as a table.

    Example:
        >>> looks_like_columns("Rome\tB-x\nfell\tO\n\nYes\tO\n", InputTable())
        True
        >>> looks_like_columns("text\tlabel\nRome fell\t1\n", InputTable())
        False
    """
    lines = head.removeprefix("\ufeff").rstrip().splitlines()
    if is_header_of_tokens(lines, Parser(InputFile("", "", "", 0, ""), table)):
        return True
    if not lines or (not lines[0].startswith("#") and _names_a_field(lines[0], table)):
        return False
    return table.tokens in table.columns or any(not line.strip() or _TAG.search(line) for line in lines)


def _names_a_field(line: str, table: InputTable) -> bool:
    """Return whether the first line has the name of a field that records have."""
    cells = [cell.strip().strip('"') for cell in line.split("\t")]
    fields = {table.text, table.tokens, table.turns, table.id, *table.keep}
    return len(cells) > 1 and not fields.isdisjoint(cells)
