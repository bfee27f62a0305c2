"""The recipe as a file: TOML, with paths relative to it, under what the command line says."""

import copy
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelers.stores.uri import is_uri
from pipelines.recipes.loading import file_options, find_own_modules
from pipelines.recipes.overrides import set_key
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe, table_name

__all__ = ["load_recipe", "read_toml"]


def load_recipe(path: str | Path, overrides: Sequence[str] = (), flags: Mapping[str, Any] | None = None) -> Recipe:
    """Read a TOML recipe, then apply ``flags`` (nested keys) and ``a.b=c`` overrides.

    Paths in the file are relative to it.

    Raises:
        RecipeError: no such file, no TOML, or a recipe that is not valid.
    """
    file = Path(path)
    data = read_toml(file)
    used = _overlaid(copy.deepcopy(data), overrides, flags or {}).with_
    _resolve(data, file.parent, used)
    return _overlaid(data, overrides, flags or {})


def read_toml(file: Path) -> dict[str, Any]:
    """Return the tables of a recipe file.

    Raises:
        RecipeError: no such file, or no TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"no recipe at {file}; give a .toml file") from None
    except IsADirectoryError:
        raise RecipeError(f"{file} is a folder, not a recipe; give a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is not valid TOML: {error}") from None


def _overlaid(data: dict[str, Any], overrides: Sequence[str], flags: Mapping[str, Any]) -> Recipe:
    """Return the recipe of nested keys, ``flags`` and overrides, the later ones first."""
    _merge(data, flags)
    for override in overrides:
        set_key(data, override)
    return make_recipe(data)


def _merge(data: dict[str, Any], flags: Mapping[str, Any]) -> None:
    """Lay nested keys over a recipe; what stands there for a table and is none is left to be refused."""
    for key, value in flags.items():
        if isinstance(value, Mapping) and isinstance(data.get(key), list):  # [[input]]: each of them
            for item in data[key]:
                _merge(item, value)
            continue
        table = data.setdefault(key, {}) if isinstance(value, Mapping) else None
        if isinstance(table, dict):
            _merge(table, value)
        elif table is None:
            data[key] = value


def _resolve(data: dict[str, Any], folder: Path, labelers: Sequence[str]) -> None:
    """Make the paths of a recipe file relative to its folder: of input, output, and the files that labelers need."""

    def join(value: Any) -> Any:
        if isinstance(value, list):
            return [join(item) for item in value]
        return value if not isinstance(value, str) or is_uri(value) else os.path.normpath(folder / value)

    places: list[tuple[Any, str]] = [(data, "out"), (data.get("plan"), "from")]
    inputs = data.get("input")
    for table in inputs if isinstance(inputs, list) else [inputs]:
        places += [(table, key) for key in ("files", "train", "validation", "test")]
    tables = data.get("labelers", {})
    for labeler in labelers:
        options = tables.get(table_name(labeler)) if isinstance(tables, dict) else None
        if isinstance(options, dict):
            find_own_modules(str(Path.cwd()))
            places += [(options, key) for key in file_options(labeler, options)]
    for table, key in places:
        if isinstance(table, dict) and table.get(key):
            table[key] = join(table[key])
