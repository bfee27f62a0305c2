"""Which of the columns of a file may be labels, and how a recipe declares them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from labelers.text.tags import find_scheme
from pipelines.labels.look import Column
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["Suggestion", "suggest"]

_MOST_CLASSES = 100
_REPEATED = 2
"""A class stands in so many records, on average."""
_WORDS = 4
"""Words that a text has, on average, at least."""
_NEARLY = 0.9
_NO_LABELS = (
    "id",
    "doc",
    "document",
    "file",
    "segments",
    "spaces",
    "ws",
    "start",
    "end",
    "text",
    "role",
    "lemma",
    "misc",
    "deps",
    "form",
)
_RELATIONS = ("deprel", "relations", "rels", "deprels")


@dataclass
class Suggestion:
    """What a recipe may say of a file."""

    input: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """What is known of a label besides, such as the scheme of its tags."""

    @property
    def toml(self) -> str:
        """The tables of a recipe."""
        tables = {"input": self.input} if self.input else {}
        tables |= {f"labels.{_key(name)}": table for name, table in self.labels.items()}
        parts = []
        for name, table in tables.items():
            note = self.notes.get(name.partition(".")[2].strip('"'), "")
            lines = [f"[{name}]" + (f"  # {note}" if note else "")]
            parts.append("\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]))
        return "\n\n".join(parts)

    @property
    def options(self) -> list[str]:
        """The same for the command line."""
        found = [f"--set input.{key}={value}" for key, value in self.input.items()]
        for name, table in self.labels.items():
            column = f":{table['column']}" if "column" in table else ""
            found.append(f"--label {name}={table['kind']}{column}")
            rest = {key: value for key, value in table.items() if key not in ("kind", "column")}
            found += [f"--set labels.{name}.{key}={value}" for key, value in rest.items()]
        return found


def _key(name: str) -> str:
    """Return a name as a key of TOML."""
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else json.dumps(name)


def suggest(
    columns: Sequence[Column], records: Sequence[Mapping[str, Any]], table: InputTable, *, tables: bool = False
) -> Suggestion:
    """Return what a recipe may say of a file with these columns.

    Args:
        columns: all that it has.
        records: the first ones.
        table: the names of fields.
        tables: it is a table of text, in which a number is a string.
    """
    found = Suggestion()
    names = {column.path.partition(".")[0] for column in columns}
    texts = [column.path for column in columns if _is_text(column)]
    if not names & {table.text, table.tokens, table.turns} and texts:
        found.input = dict(zip(("text", "second"), texts, strict=False))
    own = {table.text, table.tokens, table.id, *found.input.values()}
    for column in columns:
        last = column.path.rpartition(".")[2]
        if column.path in own or last in _NO_LABELS or last in _RELATIONS or _is_text(column):
            continue
        label = _label(column, len(records), table, pair="second" in found.input, tables=tables)
        if label is None:
            continue
        name = last if last not in found.labels else column.path.replace(".", "_")
        if label["kind"] == "arc":
            named = next((item for item in _RELATIONS if item in names), "")
            label |= {"relations": named} if named else {}
        elif label["kind"] == "token":
            scheme = _scheme(records, column)
            found.notes |= {name: f"spans, {scheme}"} if scheme else {}
        found.labels[name] = ({"column": column.path} if column.path != name else {}) | label
    return found


def _is_text(column: Column) -> bool:
    """Return whether strings are texts, nearly all of them different and of several words."""
    if set(column.types) != {"str"} or not column.given:
        return False
    words = sum(str(value).count(" ") + 1 for value in column.values)
    return words >= _WORDS * len(column.values) and _REPEATED * len(column.values) > column.given


def _label(column: Column, records: int, table: InputTable, *, pair: bool, tables: bool) -> dict[str, str] | None:
    """Return the table of a column as a label, None for one that is none."""
    kinds = {kind.removeprefix("list of ") for kind in column.types} - {"nothing"}
    listed = any(kind.startswith("list") for kind in column.types)
    if listed and kinds == {"span"}:
        return {"kind": "token"}
    if kinds - {"str", "int", "bool", "float"} or not column.values or not column.given:
        return None
    if not listed:
        return _single(column, records, kinds, pair=pair, tables=tables)
    if column.path.startswith(f"{table.turns}."):
        return {"kind": "turn"} if _classes(column, sum(column.sizes)) else None
    return _listed(column, kinds)


def _listed(column: Column, kinds: set[str]) -> dict[str, str] | None:
    """Return the table of a column of lists."""
    aligned = column.aligned >= _NEARLY * column.given
    if aligned and kinds == {"int"} and column.path.rpartition(".")[2] in ("head", "heads"):
        return {"kind": "arc"}
    if aligned and "float" in kinds:
        return {"kind": "regression", "level": "token"}
    if not _classes(column, sum(column.sizes)) or "float" in kinds:
        return None
    if aligned:
        return {"kind": "token"}
    return {"kind": "multilabel"} if len(column.values) > 1 else None


def _single(column: Column, records: int, kinds: set[str], *, pair: bool, tables: bool) -> dict[str, str] | None:
    """Return the table of a label of whole records."""
    numbers = kinds <= {"int", "float"} or (tables and all(map(_is_number, column.values)))
    if numbers and (not _classes(column, column.given) or "float" in kinds or _broken(column)):
        return {"kind": "regression"} if records > 1 else None
    if len(column.values) > 1 and _classes(column, column.given):
        return {"kind": "pair" if pair else "passage"}
    return None


def _classes(column: Column, count: int) -> bool:
    """Return whether values are few enough to be classes."""
    return len(column.values) <= _MOST_CLASSES and _REPEATED * len(column.values) <= max(count, 2 * _REPEATED)


def _is_number(value: Any) -> bool:
    """Return whether a cell is a number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _broken(column: Column) -> bool:
    """Return whether some numbers have a fraction."""
    return any(not float(value).is_integer() for value in column.values if float(value) - float(value) == 0)


def _scheme(records: Sequence[Mapping[str, Any]], column: Column) -> str:
    """Return the scheme of the tags of a column, nothing for tags without."""
    if "list of span" in column.types:
        return "bio"
    pairs: dict[tuple[str, str], int] = {}
    for record in records:
        tags = record.get(column.path)
        if isinstance(tags, list):
            for pair in pairwise(["", *(str(tag) for tag in tags if tag is not None)]):
                pairs[pair] = pairs.get(pair, 0) + 1
    return find_scheme(pairs)
