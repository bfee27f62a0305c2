"""Single settings that a command line lays over a recipe: KEY=VALUE."""

import tomllib
from typing import Any

from pipelines.recipe import RecipeError

__all__ = ["set_key"]


def set_key(data: dict[str, Any], override: str) -> None:
    """Apply one ``a.b=c`` override; the value is read as TOML, and as a plain string where it is none.

    Raises:
        RecipeError: no ``=``, or a key below a value that is no table.

    Example:
        >>> data = {}
        >>> set_key(data, "labelers.disfluency.rate=0.3")
        >>> data
        {'labelers': {'disfluency': {'rate': 0.3}}}
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"cannot read {override!r}; write KEY=VALUE, for example labelers.disfluency.rate=0.3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for name in tables:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise RecipeError(f"cannot set {key!r}: {name!r} is a value, not a table")
    data[last] = value
