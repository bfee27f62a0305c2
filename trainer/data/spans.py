"""Spans among tags, with the semantics of conlleval (Tjong Kim Sang, Buchholz 2000)."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray

__all__ = ["BIO", "TagSpans", "tag_parts"]

BIO = "bio"
"""The scheme of a task whose classes are tags of spans."""


@dataclass(frozen=True)
class TagSpans:
    """Spans among I tags.

    Classes are O or one of B, I, E, S with a type: ``B-place``. A span opens at B and S, and at I and E where no span
    of the type is open; so both ways of writing BIO count alike.
    """

    opens: BoolArray
    closes: BoolArray
    types: IntArray
    """int64 [I]: number of the type of each tag, see `tag_parts`."""

    @classmethod
    def of(cls, tags: IntArray, edge: BoolArray, classes: tuple[str, ...]) -> Self:
        """Find the spans of tags [I]; ``edge`` marks where a row begins."""
        prefixes, kinds = tag_parts(classes)
        prefix, kind = prefixes[tags], kinds[tags]
        before = np.where(edge, "O", np.roll(prefix, 1))
        other = np.roll(kind, 1) != kind
        inside = prefix != "O"
        opens = inside & (np.isin(prefix, ["B", "S"]) | np.isin(before, ["E", "S", "O"]) | other)
        # a span ends where the next label is outside, opens another one or belongs to another row
        behind = np.append((opens | ~inside | edge)[1:], True)
        return cls(opens, inside & (behind | np.isin(prefix, ["E", "S"])), kind)

    def ends_of(self, mask: BoolArray) -> IntArray:
        """Return the index of the last label of the spans that open where ``mask`` holds."""
        closes = np.flatnonzero(self.closes)
        result: IntArray = closes[np.searchsorted(closes, np.flatnonzero(mask))]
        return result

    def also_in(self, other: "TagSpans") -> BoolArray:
        """Tell which labels open a span that others hold too, with its type and its end; bool [I]."""
        same = np.asarray(self.opens & other.opens & (self.types == other.types), bool)
        same[same] = self.ends_of(same) == other.ends_of(same)
        return same


def tag_parts(classes: tuple[str, ...]) -> tuple[npt.NDArray[np.str_], IntArray]:
    """Return the letter of each class and the number of its type, -1 for O.

    Raises:
        ValueError: a class is no tag of a span.

    Example:
        >>> letters, types = tag_parts(("O", "B-drug", "I-drug"))
        >>> letters.tolist(), types.tolist()
        (['O', 'B', 'I'], [-1, 1, 1])
    """
    wrong = [name for name in classes if not re.fullmatch(r"O|[BIES](-.*)?", name)]
    if wrong:
        raise ValueError(f"span_f1 requires classes such as O, B-place and I-place, not {', '.join(wrong)}; use tag_f1")
    types = [name[2:] for name in classes]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(types))}
    kinds = [-1 if name == "O" else numbers[kind] for name, kind in zip(classes, types, strict=True)]
    return np.array([name[0] for name in classes]), np.array(kinds, np.int64)
