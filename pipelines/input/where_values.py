"""Which records an input asks for: by the values of their fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.labels.record_labels import value_at

__all__ = ["is_asked_for", "met"]

_SHOWN = 5  # values of a path that an error names


def is_asked_for(record: Mapping[str, Any], where: Mapping[str, Sequence[str | int | float]]) -> bool:
    """Return whether a record has one of the values that are asked for at each path; of a list, one of it is enough.

    Values are compared as they are written, since a cell of a table is a string; a whole number is the same with and
    without a fraction of zero, as a column with gaps may have it.

    Example:
        >>> is_asked_for({"type": "implicit", "meta": {"year": 1871.0}}, {"type": ["implicit"], "meta.year": [1871]})
        True
        >>> is_asked_for({"topics": ["sea", "art"]}, {"topics": ["sea"]}), is_asked_for({}, {"type": ["implicit"]})
        (True, False)
    """
    return all(not _values(record, path).isdisjoint(map(_text, allowed)) for path, allowed in where.items())


def met(records: Sequence[Mapping[str, Any]], where: Mapping[str, Sequence[str | int | float]]) -> str:
    """Return what stands in some records at the paths of what is asked for.

    Example:
        >>> met([{"type": "implicit"}, {"type": "explicit"}], {"type": ["Implicit"], "kind": ["x"]})
        "'type' must be Implicit, but is implicit or explicit; 'kind' must be x, but is missing"
    """
    unmet = []
    for path, allowed in where.items():
        values = list(dict.fromkeys(value for record in records for value in sorted(_values(record, path))))
        found = f"is {' or '.join(values[:_SHOWN])}{' or others' * (len(values) > _SHOWN)}" if values else "is missing"
        unmet.append(f"{path!r} must be {' or '.join(map(_text, allowed))}, but {found}")
    return "; ".join(unmet)


def _values(record: Mapping[str, Any], path: str) -> set[str]:
    """Return what stands at a path of a record."""
    found = value_at(record, path)
    return {_text(value) for value in (found if isinstance(found, list | tuple) else [found]) if value is not None}


def _text(value: Any) -> str:
    """Return a value as it is written."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
