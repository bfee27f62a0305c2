"""Dependency arcs of a document: the head of each token."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelers.ragged import IntArray
from labelers.text.document import BadLabel

__all__ = ["read_arcs"]


def read_arcs(
    label: tuple[Sequence[Any], Sequence[Any] | None], size: int, relations: Mapping[Any, int] | None
) -> tuple[IntArray, IntArray] | BadLabel:
    """Return head and relation of each token, -1 where it has none, or why they cannot be used.

    Args:
        label: heads as positions in the document, a root's its own, None or -1 for none; and names of relations.
        size: tokens of the document.
        relations: number of each relation; None: they have no names.

    Example:
        >>> heads, names = read_arcs(([1, 1], ["det", "root"]), 2, {"det": 0, "root": 1})
        >>> heads.tolist(), names.tolist()
        ([1, 1], [0, 1])
        >>> read_arcs(([1, 0], None), 2, None).reason
        'cycle'
    """
    heads, names = label
    if len(heads) != size:
        return BadLabel("wrong_length", f"{len(heads)} heads for {size} tokens")
    found = np.array([-1 if head is None else head for head in heads], np.int64)
    wrong = np.flatnonzero((found < -1) | (found >= size))
    if len(wrong):
        return BadLabel("bad_head", f"token {wrong[0]} has the head {found[wrong[0]]}; there are {size} tokens")
    at = _in_cycle(found)
    if at >= 0:
        return BadLabel("cycle", f"from token {at} the heads lead in a circle")
    named = _relations(names, size, relations)
    return named if isinstance(named, BadLabel) else (found, named)


def _relations(names: Sequence[Any] | None, size: int, known: Mapping[Any, int] | None) -> IntArray | BadLabel:
    """Return the number of the relation of each token, -1 where it has none."""
    if known is None or names is None:
        return np.full(size, -1)
    if len(names) != size:
        return BadLabel("wrong_length", f"{len(names)} relations for {size} tokens")
    found = [known.get(name, -2) for name in names]
    if min(found, default=0) < -1:
        return BadLabel("unknown_class", f"{names[found.index(-2)]!r} is none of the relations")
    return np.array(found, np.int64)


def _in_cycle(heads: IntArray) -> int:
    """Return a token from which heads lead in a circle, -1 where all lead to a root or a token without a head."""
    up = np.where(heads < 0, np.arange(len(heads)), heads)
    ends = up.copy()
    for _ in range(len(heads).bit_length()):  # each time twice as far
        ends = ends[ends]
    lost = np.flatnonzero(up[ends] != ends)
    return int(lost[0]) if len(lost) else -1
