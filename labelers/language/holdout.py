"""Which concepts of a dictionary are held out: exchanged in validation and test alone, and never in train.

A model that has seen in train which two names go together knows the answer wherever it meets them again. So no concept
stands on both sides. Its side is a digest of its id and follows no count and no seed: a model that was trained on one
dataset meets none of its concepts in the test of another one. Concepts are kept together

- if an exchange in them writes the same words, endings apart: "depended upon" and "relied upon" differ from their other
  names by the same word, and "vanished" is known to who knows "vanish";
- if their type has but a few, since a wrong name is one of the same type and the same side.

Of concepts that are kept together the smallest id decides.
"""

import hashlib
import re
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from labelers.language.differences import shared
from labelers.language.mentions import Names
from labelers.ragged import BoolArray, IntArray

__all__ = ["held_out"]

_SHARE = 0.13
"""Share of the concepts that is held out."""
_SALT = "paraphrase 87"
"""Of a few that were tried the one with which the package's own dictionary, too, has near this share of the mentions of
each kind of text, though a few of its concepts are most of them."""
_FEW = 6
"""Concepts of a type, those kept together counted once, from which on they may stand on different sides."""
_LARGEST = 0.1
"""Share of all concepts from which on those that are kept together are never held out."""

_ENDING = re.compile(r"(?<=..)(?:ly|ing|ed|es|s|e|y|i)+$")


def held_out(names: Names) -> BoolArray:
    """Return bool [n]: names of concepts that are held out.

    Example:
        >>> from labelers.language.dictionary import general
        >>> names = Names(general())
        >>> held = dict(zip(names.texts, held_out(names).tolist()))
        >>> held["movie"] == held["films"], held["relied upon"] == held["depends on"]
        (True, True)
    """
    several = np.flatnonzero(np.diff(names.offsets) > 1)
    together = _Together(several.tolist())
    for group in several.tolist():
        together.add(group, ("id", names.ids[group]))
        words = names.words[names.offsets[group] : names.offsets[group + 1]]
        for one, other in combinations(words, 2):
            together.add(group, _written(one, other))
    types = names.types[names.offsets[several]].tolist()
    first = together.first()
    many = {kind: set[int]() for kind in types}
    for group, kind in zip(several.tolist(), types, strict=True):
        many[kind].add(first[group])
    for group, kind in zip(several.tolist(), types, strict=True):
        if len(many[kind]) < _FEW:
            together.add(group, ("type", kind))
    held = np.zeros(len(names.ids), bool)
    held[_chosen(together.first(), names.ids)] = True
    by_name: BoolArray = held[names.groups]
    return by_name


class _Together:
    """Sets of numbers, joined where they have a key in common.

    Example:
        >>> together = _Together([1, 2, 3])
        >>> for number, key in ((1, "a"), (2, "b"), (3, "a")):
        ...     together.add(number, key)
        >>> together.first()
        {1: 1, 2: 2, 3: 1}
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        """Begin with each number alone."""
        self._above = {number: number for number in numbers}
        self._owner: dict[Hashable, int] = {}

    def add(self, number: int, key: Hashable) -> None:
        """Join a number with all those that have the key."""
        one, other = self._root(number), self._root(self._owner.setdefault(key, number))
        self._above[max(one, other)] = min(one, other)

    def _root(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def first(self) -> dict[int, int]:
        """Return the smallest number of each number's set."""
        return {number: self._root(number) for number in self._above}


def _written(one: Sequence[str], other: Sequence[str]) -> Hashable:
    """Return what two names do not share, endings and order apart; the names themselves if one is a part of the other.

    Example:
        >>> _written(("relied", "on"), ("relied", "upon")) == _written(("depends", "upon"), ("depends", "on"))
        True
        >>> _written(("vanish",), ("disappear",)) == _written(("vanished",), ("disappeared",))
        True
    """
    head, tail = shared(one, other)
    parts = [words[head : len(words) - tail] for words in (one, other)]
    if not all(parts):
        parts = [one, other]
    return frozenset(tuple(map(_stem, part)) for part in parts)


@lru_cache(1 << 16)
def _stem(word: str) -> str:
    """Return a word in lower case without what may be an ending."""
    return _ENDING.sub("", word.lower())


def _chosen(first: dict[int, int], ids: Sequence[str]) -> IntArray:
    """Return the concepts that are held out.

    Args:
        first: the smallest number of the concepts that each one is kept together with.
        ids: of all concepts.
    """
    sets: dict[int, list[int]] = {}
    for number, smallest in first.items():
        sets.setdefault(smallest, []).append(number)
    chosen = [
        number
        for numbers in sets.values()
        if len(numbers) < _LARGEST * len(first) and _share(min(ids[number] for number in numbers)) < _SHARE
        for number in numbers
    ]
    return np.array(chosen, np.int64)


def _share(name: str) -> float:
    """Return a number in [0, 1) that looks random, a function of the name alone."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, salt=_SALT.encode())
    return int.from_bytes(digest.digest(), "little") / 2**64
