"""Dotted paths of columns (``"connective.arg1"``): what they stand for in a schema and in a row."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from labelers.task import SECOND, SOURCE

__all__ = ["column", "resolve", "tokens_of"]


def resolve(path: str, names: Mapping[str, Any] | pa.Schema | pa.StructType) -> tuple[str, ...]:
    """Return the names that a dotted path stands for, the outermost first; a name may contain dots itself.

    Args:
        path: names joined by dots.
        names: those that exist: a row, a schema or the type of a struct. Nobody knows what is below a null: there what
            is left of the path counts as one name.

    Raises:
        KeyError: there is no such column; the message lists those that there are.
        ValueError: it could be one of several columns.

    Example:
        >>> resolve("meta.source", {"meta.source": "news"}), resolve("meta.source", {"meta": {"source": "news"}})
        (('meta.source',), ('meta', 'source'))
        >>> resolve("meta.source", {"meta.source": "news", "meta": {"source": "club"}})
        Traceback (most recent call last):
        ValueError: column 'meta.source' could be 'meta.source' or 'meta' > 'source'; rename one of them
    """
    ways = list(_ways(path, names)) or list(_ways(path, names, beyond_null=True))[:1]
    if not ways:
        raise KeyError(_no_column(path, names))
    if len(ways) > 1:
        options = " or ".join(" > ".join(map(repr, way)) for way in ways)
        raise ValueError(f"column {path!r} could be {options}; rename one of them")
    return ways[0]


def _ways(path: str, names: Any, *, beyond_null: bool = False) -> Iterator[tuple[str, ...]]:
    """Yield all that a path may stand for, longer names first."""
    name, rest = path, ""
    while True:
        there, below = _look(names, name)
        if there and not rest:
            yield (name,)
        elif there:
            if beyond_null and below is None:
                yield (name, rest[1:])
            for way in _ways(rest[1:], below, beyond_null=beyond_null):
                yield (name, *way)
        name, dot, _ = name.rpartition(".")
        if not dot:
            return
        rest = path[len(name) :]


def _look(names: Any, name: str) -> tuple[bool, Any]:
    """Return whether a level has a name, and what is below it."""
    if isinstance(names, Mapping):
        return name in names, names.get(name)
    if isinstance(names, pa.Schema | pa.StructType):
        place = names.get_field_index(name)
        return (True, names.field(place).type) if place >= 0 else (False, None)
    return False, None


def _below(names: Any) -> Mapping[str, Any]:
    """Return the names of a level with what is below each; a value or a list has none below it."""
    if isinstance(names, pa.Schema | pa.StructType):
        return {field.name: field.type for field in names}
    return names if isinstance(names, Mapping) else {}


def _no_column(path: str, names: Any) -> str:
    """Return the sentence about a path of which only a part leads anywhere, if any does."""
    known, place, rest = _below(names), "it has", path
    while inner := [name for name in known if rest.startswith(f"{name}.") and _below(known[name])]:
        name = max(inner, key=len)
        known, place, rest = _below(known[name]), f"{name} holds", rest[len(name) + 1 :]
    return f"no column {path!r}; {place} {', '.join(known) or 'none'}"


def column(row: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted column path (see `resolve`) of one row, a dict as datasets or `to_pylist` give it.

    Example:
        >>> column({"connective": {"arg1": {"start": 0, "end": 3}}}, "connective.arg1")
        {'start': 0, 'end': 3}
    """
    value: Any = row
    for name in resolve(path, row):
        value = None if value is None else value[name]
    return value


def tokens_of(row: Mapping[str, Any], name: str) -> list[str]:
    """Return the tokens of the sequence `name` of one row: the view if the labeler edited, else the source.

    Example:
        >>> tokens_of({"tokens": ["a", "b"], "masking": {"status": 0}}, "masking")
        ['a', 'b']
        >>> tokens_of({"tokens": ["a", "b"], "second": {"tokens": ["c"]}}, SECOND)
        ['c']
    """
    struct = {} if name == SOURCE else row[name] or {}
    own: list[str] = struct.get("tokens") or []
    source: list[str] = row["tokens"]
    return own if own or name == SECOND else source
