"""The kinds of tasks, one module for each; here a kind is looked up, once and nowhere else."""

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

from labelers.task import Task

if TYPE_CHECKING:
    from trainer.kinds.kind import Kind

__all__ = ["find", "kind_of", "names", "untrained"]

LATER = ("generation",)
"""Kinds that a dataset may hold and that this version does not train yet."""


def names() -> list[str]:
    """Return the names of the kinds that can be trained, sorted: the modules of this package that define one.

    Example:
        >>> "passage" in names(), "kind" in names()
        (True, False)
    """
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in modules if hasattr(importlib.import_module(f"{__name__}.{name}"), "KIND")]


@functools.cache
def find(name: str) -> "Kind | None":
    """Return the kind of that name, None where this version knows it but cannot train it yet.

    ``package.module:NAME`` names a kind that is defined elsewhere.

    Raises:
        ValueError: no version up to this one knows such a kind.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Kind = getattr(
            importlib.import_module(module if attribute else f"{__name__}.{name}"), attribute or "KIND"
        )
    except (ImportError, AttributeError) as error:
        if name in LATER:
            return None
        known = ", ".join(dict.fromkeys([*names(), *LATER]))
        raise ValueError(f"is of kind {name!r}, which this version of auxloom does not know ({known})") from error
    return found


def kind_of(task: Task) -> "Kind":
    """Return the kind of a task that can be trained.

    Raises:
        ValueError: this version does not know it, or cannot train it yet.
    """
    try:
        found = find(task.kind)
    except ValueError as error:
        needs = task.extra.get("needs", "of a later version")
        raise ValueError(f"task {task.name!r} {error}; it needs auxloom {needs}") from None
    if found is None:
        raise ValueError(f"task {task.name!r} is of kind {task.kind!r}, which this version of auxloom cannot train yet")
    return found


def untrained(task: Task) -> str:
    """Return why a task cannot be trained, or nothing.

    Raises:
        ValueError: this version does not know its kind.

    Example:
        >>> untrained(Task(name="a.b", labeler="a", version=1, kind="generation", sequences=("source",),
        ...                target="tokens"))
        'there is no head for the kind generation yet'
    """
    if task.kind in LATER and find(task.kind) is None:
        return f"there is no head for the kind {task.kind} yet"
    return kind_of(task).untrained(task)
