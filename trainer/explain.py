"""Mistakes in settings, described in the words of a recipe."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from labelers.advice import nearest

__all__ = ["HEADERS", "LATER", "explained"]

LATER = {
    "model": ("private", "orthogonal", "iterations", "align"),
    "task": ("depth", "reads", "pool", "head", "loss", "target", "decoder", "noise", "threshold", "level"),
    "phase": ("maximise",),
}
"""Keys that a later version will know."""

HEADERS = {"train": "[train]", "model": "[model]", "task": "[task.NAME]", "phase": "[[phase]]"}
"""How each table is written."""

_ELSEWHERE = {
    **dict.fromkeys(("encoder", "vocabulary", "max_pieces", "dropout", "head_dropout"), "it is a key of [model]"),
    "weights": "the weight of a task is a key of its table, [task.NAME] weight",
    "words_first": "write a [[phase]] with the tasks that mask words, followed by one with all tasks",
}
"""Keys that are looked for in [train], and where to write them."""


def explained(error: Any, forms: Mapping[str, type[BaseModel]]) -> str:
    """Say in words what one error of pydantic means; ``forms`` are the models of the tables by their names."""
    table, key, known = _address(error["loc"], forms)
    if not key and (known or error["type"] == "value_error"):
        text = error.get("ctx", {}).get("error", error["msg"])
        return f"{table} {text}"
    if not known:
        phases = f" in a recipe, {table}, for each phase" if table == HEADERS["phase"] else ""
        return f"{table} is {error['input']!r}; write a table{phases}"
    if error["type"] != "extra_forbidden":
        return f"{table} {key} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
    name = table.strip("[]").partition(".")[0]
    if key in LATER.get(name, ()):
        return f"{table} {key} is not in this version of auxloom yet; leave it out"
    if name == "train" and key in _ELSEWHERE:
        return f"[train] has no key {key!r}: {_ELSEWHERE[key]}"
    return f"{table} has no key {key!r}{nearest(key, known) or '; it has ' + ', '.join(known)}"


def _address(place: tuple[Any, ...], forms: Mapping[str, type[BaseModel]]) -> tuple[str, str, list[str]]:
    """Return the table of a place among the settings, the key in it and its keys; only a name where it is the table."""
    first, *rest = [str(part) for part in place] or [""]
    table = HEADERS.get(first)
    if first == "task" and rest:
        name, *rest = rest
        table = f'[task."{name}"]' if "." in name else f"[task.{name}]"
    elif first == "phase":
        rest = rest[1:]
    if table:
        return table, ".".join(rest), sorted(forms[first].model_fields) if rest else []
    return "[train]", ".".join([first, *rest]), sorted(set(forms["train"].model_fields) - set(HEADERS))
