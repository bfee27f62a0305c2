"""Finding labelers: those of this package by the names of their modules, any other by ``package.module:Class``."""

import contextlib
import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import typing
from typing import Any

import pydantic

import labelers
from labelers.advice import nearest
from labelers.labeler import Labeler

__all__ = ["load", "names"]


def names() -> list[str]:
    """Return the names of the labelers of this package, sorted: its modules that define one and can be imported."""
    found = []
    for module in pkgutil.iter_modules(labelers.__path__):
        with contextlib.suppress(ValueError):  # a broken one does not affect the others; `load` says what is wrong
            found += [module.name] if _find_own(module.name) else []
    return sorted(found)


def load(name: str, **options: Any) -> Labeler:
    """Return the labeler of that name with its options; ``package.module:Class`` names one from elsewhere.

    Raises:
        ValueError: no such labeler or option (the message lists the known ones and the nearest), a value of a type that
            the option does not have, or a module that cannot be imported.

    Example:
        >>> load("masking").name
        'masking'
    """
    module, _, attribute = name.partition(":")
    found = _find(module, attribute) if attribute else _find_own(name)
    if found is None and attribute:
        known = [key for key, _ in _defined(module)]
        hint = f"{module} has {', '.join(known) or 'none'}{nearest(attribute, known)}"
        raise ValueError(f"{name!r} is not a Labeler (a subclass of labelers.labeler.Labeler); {hint}")
    if found is None:
        all_names = names()
        hint = f"there are {', '.join(all_names)}{nearest(name, all_names)}, or give module:Class"
        raise ValueError(f"no labeler {name!r}; {hint}")
    known = [item.name for item in dataclasses.fields(found)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            allowed = f"it has {', '.join(known) or 'none'}{nearest(option, known)}"
            raise ValueError(f"labeler {name!r} has no option {option!r}; {allowed}")
    types = typing.get_type_hints(found)
    return found(**{option: _typed(name, option, value, types[option]) for option, value in options.items()})


def _typed(labeler: str, option: str, value: Any, kind: Any) -> Any:
    """Return the value of an option as its type: a list of a recipe as a tuple, a whole number as a float."""
    # a tuple of it, since pydantic takes no configuration for a dataclass by itself
    adapter = pydantic.TypeAdapter(tuple[kind], config=pydantic.ConfigDict(arbitrary_types_allowed=True))
    try:
        return adapter.validate_python((value,))[0]
    except pydantic.ValidationError as error:
        reasons = "; ".join(dict.fromkeys(item["msg"].lower() for item in error.errors()))
        raise ValueError(f"labeler {labeler!r}: {option} is {value!r}; {reasons}") from None


def _find_own(name: str) -> type[Labeler] | None:
    """Return the Labeler of a module of this package, None if it has no such module or that defines none."""
    known = name.isidentifier() and importlib.util.find_spec(f"labelers.{name}") is not None
    return _find(f"labelers.{name}", "") if known else None


def _find(module: str, attribute: str) -> type[Labeler] | None:
    """Return the Labeler that a module defines: the one of that name, or its only one."""
    for key, value in _defined(module):
        if attribute in (key, "" if value.__module__ == module else key):
            return value
    return None


def _defined(module: str) -> list[tuple[str, type[Labeler]]]:
    """Return the Labelers that stand in a module, by their names in it."""
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"cannot import {module!r} ({error}); is it installed, or in the current folder?") from None
    except Exception as error:
        raise ValueError(f"cannot import {module!r}: {type(error).__name__}: {error}; fix the module") from error
    classes = [(key, value) for key, value in vars(loaded).items() if isinstance(value, type)]
    return [(key, value) for key, value in classes if issubclass(value, Labeler) and not inspect.isabstract(value)]
