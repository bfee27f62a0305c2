"""Single settings that a command line lays over a recipe: KEY=VALUE."""

import re
import tomllib
from typing import Any

from pipelines.recipes.recipe import RecipeError

__all__ = ["set_key"]

_EXAMPLE = "labelers.disfluency.rate=0.3"
_KEYS = (
    "a key is one or more names joined by dots; a name with anything but letters, digits, - and _ must be quoted, for "
    """example 'task."disfluency.tags".weight=2.0'"""
)


def set_key(data: dict[str, Any], override: str) -> None:
    """Apply one ``a.b=c`` override; the key is read as TOML, and so is the value, or as a plain string if it is none.

    Raises:
        RecipeError: no ``=``, what is no key of TOML, or a key below a value that is no table.

    Example:
        >>> data = {}
        >>> set_key(data, "labelers.disfluency.rate=0.3")
        >>> set_key(data, 'task."disfluency.tags".weight=2')
        >>> data
        {'labelers': {'disfluency': {'rate': 0.3}}, 'task': {'disfluency.tags': {'weight': 2}}}
    """
    path, text = _divided(override)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = path
    for name in tables:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            key, kind = ".".join(path), "list" if isinstance(data, list) else "value"
            raise RecipeError(f"cannot set {key!r}: {name!r} is a {kind}, not a table")
    data[last] = value


def _divided(override: str) -> tuple[list[str], str]:
    """Return the names of the key, and what stands behind the first ``=`` that is no part of one."""
    places = [match.start() for match in re.finditer("=", override)]
    if not places or not override[: places[0]].strip():
        raise RecipeError(f"cannot read {override!r}; write KEY=VALUE, for example {_EXAMPLE}")
    for place in places:
        names = _names(override[:place])
        if names:
            return names, override[place + 1 :]
    raise RecipeError(f"cannot read the key of {override!r}; {_KEYS}")


def _names(key: str) -> list[str]:
    """Return the names that a dotted key of TOML joins; none where it is no such key."""
    try:
        table: Any = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError:
        return []
    names = []
    while isinstance(table, dict):
        if len(table) != 1:  # a comment, or more than a key
            return []
        ((name, table),) = table.items()
        names.append(name)
    return names
