"""Cells of a table: what the string in each is to the parser of records."""

import ast
import json
from collections.abc import Callable
from typing import Any

from pipelines.input.parse import Parser

__all__ = ["cell_readers"]

_LISTS = ("token", "segment", "turn", "arc")
_BETWEEN = "|;,"


def cell_readers(parser: Parser) -> dict[str, Callable[[str], Any]]:
    """Return how the cells of the columns are read that are no strings; what cannot be read so stays a string."""
    names = parser.settings
    readers: dict[str, Callable[[str], Any]] = {
        names.tokens: _words,
        names.turns: _literal,
        "segments": _literal,
        **({names.second: _literal} if names.second else {}),
    }
    for label in parser.labels:
        if label.kind == "regression" and label.level == "passage":
            readers[label.column] = _number
        elif label.kind == "multilabel":
            readers[label.column] = _several
        elif label.kind in _LISTS or label.kind == "regression":
            for column in (label.column, label.relations) if label.relations else (label.column,):
                readers[column] = _words if label.kind == "token" else _literal
        else:
            readers.pop(label.column, None)
    types: dict[str, Callable[[str], Any]] = {"int64": _whole, "float64": _number, "bool": _truth}
    return readers | {name: types[kind] for name, kind in names.keep.items() if kind in types}


def _literal(cell: str) -> Any:
    """Return the list or object that a cell has as JSON or as Python prints it, else the cell.

    Example:
        >>> _literal('["a", "b"]'), _literal("['a', 'b']"), _literal("a")
        (['a', 'b'], ['a', 'b'], 'a')
    """
    text = cell.strip()
    if not text.startswith(("[", "{")):
        return cell
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def _words(cell: str) -> Any:
    """Return a list: as such, or words between spaces."""
    found = _literal(cell)
    return cell.split() if isinstance(found, str) else found


def _several(cell: str) -> Any:
    """Return a list of classes: as such, or between the first of ``|``, ``;`` and comma that there is."""
    found = _literal(cell)
    if not isinstance(found, str):
        return found
    mark = next((mark for mark in _BETWEEN if mark in cell), None)
    return [part for item in cell.split(mark) if (part := item.strip())] if mark else [cell.strip()]


def _number(cell: str) -> Any:
    """Return a number."""
    try:
        return float(cell)
    except ValueError:
        return cell


def _whole(cell: str) -> Any:
    """Return an integer."""
    try:
        return int(cell)
    except ValueError:
        return cell


def _truth(cell: str) -> Any:
    """Return true or false."""
    return {"true": True, "1": True, "false": False, "0": False}.get(cell.strip().lower(), cell)
