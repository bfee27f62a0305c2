"""The features of a Hugging Face dataset: names of classes that its columns hold as numbers."""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["Names", "named_classes"]

Names = Callable[[Any], Any]
"""Puts names in the place of numbers, in a value of a column."""


def named_classes(schema: pa.Schema, columns: Container[str]) -> dict[str, Names]:
    """Return how to name the classes of those of the columns that have any.

    Args:
        schema: of the table, whose metadata holds the features.
        columns: names of columns.
    """
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {name: _names(features[name]) for name in schema.names if name in columns and name in features}
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: convert for name, convert in found.items() if convert is not None}


def _names(feature: Any) -> Names | None:
    """Return how to name the classes in values of a feature, None where there are none."""
    if isinstance(feature, list):
        return _of_list(feature[0]) if feature else None
    kind = feature.get("_type")
    if kind == "ClassLabel":
        return _of_class(feature["names"])
    if kind in ("Sequence", "List", "LargeList"):
        return _of_list(feature["feature"])
    return None if isinstance(kind, str) else _of_struct({name: _names(item) for name, item in feature.items()})


def _of_class(names: Sequence[str]) -> Names:
    """Return how to name a class; below 0 there is none."""

    def named(value: Any) -> Any:
        if isinstance(value, int) and value < len(names):
            return names[value] if value >= 0 else None
        return value

    return named


def _of_list(feature: Any) -> Names | None:
    """Return how to name the classes in a list, which as one of structs may be stored as a struct of lists."""
    convert = _names(feature)
    if convert is None:
        return None
    structs = isinstance(feature, Mapping) and not isinstance(feature.get("_type"), str)
    turned = _of_struct({name: _of_list(item) for name, item in feature.items()}) if structs else None

    def named(value: Any) -> Any:
        if isinstance(value, Mapping):
            return value if turned is None else turned(value)
        return value if value is None else [convert(item) for item in value]

    return named


def _of_struct(fields: Mapping[str, Names | None]) -> Names | None:
    """Return how to name the classes in a struct."""
    found = {name: convert for name, convert in fields.items() if convert is not None}
    if not found:
        return None

    def named(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: found[name](item) if name in found else item for name, item in value.items()}

    return named
