"""A look at the first records of a file: which columns they have, and what stands in them."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from labelers.text.document import Document, Reject
from pipelines.formats import FORMATS
from pipelines.input.parse import Parser
from pipelines.input.records import InputFile
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["LOOKED_AT", "Column", "columns_of", "first_records", "look_into", "names_in"]

LOOKED_AT = 1000
"""Records that are looked at."""

_SHOWN = 10
_LONGEST = 40  # characters of a value that are shown


class _Everything(Container[str]):
    """All names."""

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True)
class _Looker(Parser):
    """Keeps records as they are."""

    found: list[Mapping[str, Any]] = field(default_factory=list)
    named: list[tuple[str, ...]] = field(default_factory=list)
    """The columns, where the file itself names them."""

    def with_columns(self, names: tuple[str, ...]) -> Self:
        """Note the names."""
        self.named.append(names)
        return super().with_columns(names)

    @property
    def columns(self) -> Container[str]:
        """All fields."""
        return _Everything()

    @property
    def class_columns(self) -> Container[str]:
        """All fields."""
        return _Everything()

    def record(self, place: int, offset: int, record: Any, line: bytes | None = None, **more: Any) -> Document | Reject:  # noqa: ARG002
        """Keep a record."""
        if not isinstance(record, Mapping):
            return self.reject(place, "not_an_object", line or b"")
        # where sentences begin is no column of a file that has a token on each line
        made = {"segments"} if "group" in more else set()
        self.found.append({name: value for name, value in record.items() if name not in made})
        return Document("")

    def text(self, place: int, offset: int, text: str) -> Document | Reject:  # noqa: ARG002
        """Keep a text as a record."""
        self.found.append({self.settings.text: text})
        return Document("")


def first_records(
    file: InputFile, table: InputTable, most: int = LOOKED_AT
) -> tuple[list[Mapping[str, Any]], list[Reject]]:
    """Return the first records of a file as they are, and those among them that cannot be read."""
    records, rejects, _ = look_into(file, table, most)
    return records, rejects


def look_into(
    file: InputFile, table: InputTable, most: int = LOOKED_AT
) -> tuple[list[Mapping[str, Any]], list[Reject], list[str]]:
    """Return the first records of a file, those that cannot be read, and the columns that its header names, if any."""
    form = FORMATS[file.format]
    looker = _Looker(file, table)
    read = islice(form.read(looker, 0, file.size if form.bytewise else form.parts(file.path)), most)
    rejects = [item for item in read if isinstance(item, Reject)]
    return looker.found, rejects, list(looker.named[0]) if looker.named else []


def names_in(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the columns of some records, in the order in which they come up."""
    return list(dict.fromkeys(name for record in records for name in record))


@dataclass
class Column:
    """What stands at a path of records."""

    path: str
    given: int = 0
    """Records that have something there."""
    types: Counter[str] = field(default_factory=Counter)
    values: Counter[Any] = field(default_factory=Counter)
    """Single values; of a list, those in it."""
    sizes: list[int] = field(default_factory=list)
    """Of lists, by record."""
    aligned: int = 0
    """Records in which it is a list as long as the tokens."""

    def to_json(self) -> dict[str, Any]:
        """Return what is printed of it."""
        shown = [[_short(value), n] for value, n in self.values.most_common(_SHOWN)]
        return {
            "column": self.path,
            "records": self.given,
            "types": dict(self.types.most_common()),
            "distinct": len(self.values),
            "values": shown,
        }


def _short(value: Any) -> str:
    """Return a value as it is shown."""
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def columns_of(records: Sequence[Mapping[str, Any]], tokens: str) -> list[Column]:
    """Return what stands at each path of some records.

    Args:
        records: the records.
        tokens: name of the field with tokens.

    Example:
        >>> [column.path for column in columns_of([{"turns": [{"act": "ask"}], "meta": {"by": "me"}}], "tokens")]
        ['turns.act', 'meta.by']
    """
    columns: dict[str, Column] = {}
    for record in records:
        words = record.get(tokens)
        count = len(words) if isinstance(words, list) else -1
        for path, value in _paths("", record):
            _add(columns.setdefault(path, Column(path)), value, count)
    return list(columns.values())


def _paths(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of all that a record holds; a path through a list of objects gives a list."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _paths(f"{path}.{name}" if path else str(name), item)
    elif (
        isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value) and not _are_spans(value)
    ):
        for name in dict.fromkeys(name for item in value for name in item):
            yield f"{path}.{name}", [item.get(name) for item in value]
    else:
        yield path, value


def _are_spans(value: Sequence[Any]) -> bool:
    """Return whether objects are spans: they have a label, and a start and an end."""
    return all("label" in item and ("start" in item or "start_offset" in item) for item in value)


def _add(column: Column, value: Any, tokens: int) -> None:
    """Note a value of a column."""
    if value is None:
        return
    column.given += 1
    if not isinstance(value, list):
        column.types[type(value).__name__] += 1
        column.values[value] += 1
        return
    kinds = sorted({_kind(item) for item in value if item is not None})
    column.types[f"list of {' and '.join(kinds) or 'nothing'}"] += 1
    column.sizes.append(len(value))
    column.aligned += len(value) == tokens
    column.values.update(_value(item) for item in value if item is not None)


def _kind(item: Any) -> str:
    """Return the type of an item of a list."""
    if isinstance(item, Mapping):
        return "span" if _are_spans([item]) else "object"
    if isinstance(item, list):
        return "span" if len(item) == 3 and isinstance(item[2], str) else "list"  # noqa: PLR2004
    return type(item).__name__


def _value(item: Any) -> Any:
    """Return what is counted of an item: the label of a span."""
    if isinstance(item, Mapping):
        return str(item.get("label", "object"))
    if isinstance(item, list):
        return str(item[-1]) if item else ""
    return item
