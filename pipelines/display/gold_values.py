"""Labels of each kind that people make, as text on the screen: spans with their words, arcs, classes of turns."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from labelers.paths import column
from labelers.task import Task
from pipelines.display.sheet import Row, spelt_out, tagged_spans

__all__ = ["gold_value"]

_MOST = 12
"""Classes of tokens that are counted; the others are only said to be there."""


def gold_value(row: Row, task: Task) -> str:
    """Return the label of a row as text.

    Example:
        >>> tags = Task(name="ner", kind="token", version=1, labeler="ner", target="ner.tags", level="token", gold=True,
        ...     classes=("O", "B-x", "I-x"), scheme="bio", sequences=("source",))
        >>> gold_value({"tokens": ["Old", "Town", "fell"], "ner": {"tags": [1, 2, 0]}}, tags)
        'x Old Town'
    """
    value = column(row, task.target)
    if value is None or value == []:
        return "none"
    if task.kind in _VALUES:
        return spelt_out(_VALUES[task.kind](row, task, value)) or "none"
    return spelt_out(_name(task, value))


def _tags(row: Row, task: Task, tags: list[int]) -> str:
    """Return the spans that tags describe, or how many tokens have each tag."""
    if not task.scheme:
        return _counted(task, tags)
    words = row["tokens"]
    spans = [f"{kind} {' '.join(words[start:end])}" for start, end, kind in tagged_spans(task.classes, tags)]
    return "; ".join(spans) or "no spans"


def _several(_: Row, task: Task, value: list[bool]) -> str:
    """Return the classes that hold."""
    return ", ".join(_name(task, i) for i, holds in enumerate(value) if holds) or "no class"


def _numbers(_: Row, _task: Task, value: Any) -> str:
    """Return the number, or how many tokens have one and what their mean is."""
    if not isinstance(value, list):
        return f"{value:.3g}"
    known = [number for number in value if not math.isnan(number)]
    return f"{len(known)} numbers, mean {sum(known) / len(known):.3g}" if known else "none"


def _parts(_: Row, task: Task, value: list[int]) -> str:
    """Return the class of each segment or turn."""
    return ", ".join(f"{task.kind} {i} {_name(task, item)}" for i, item in enumerate(value, 1) if item >= 0)


def _name(task: Task, value: int) -> str:
    """Return the name of a class."""
    return task.classes[value] if 0 <= value < len(task.classes) else str(value)


def _counted(task: Task, values: list[int]) -> str:
    """Return how many tokens have each class, the most frequent first."""
    counts = Counter(value for value in values if value >= 0).most_common()
    more = f", and {len(counts) - _MOST} more classes" if len(counts) > _MOST else ""
    return ", ".join(f"{n} {_name(task, value)}" for value, n in counts[:_MOST]) + more or "none"


def _arcs(row: Row, task: Task, heads: list[int]) -> str:
    """Return arcs as relation(head, dependent), the root first as it is one of itself."""
    names: Any = column(row, task.relations) if task.relations else None
    words = row["tokens"]
    arcs = []
    for place, head in enumerate(heads):
        name = _name(task, names[place]) if names and names[place] >= 0 else "root" if head == place else "arc"
        if head >= 0:
            arcs.append(f"{name}({words[place]})" if head == place else f"{name}({words[head]}, {words[place]})")
    return " ".join(arcs)


_VALUES: Mapping[str, Callable[[Row, Task, Any], str]] = {
    "token": _tags,
    "multilabel": _several,
    "segment": _parts,
    "turn": _parts,
    "arc": _arcs,
    "regression": _numbers,
}
