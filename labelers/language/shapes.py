"""What a token is by its form alone: a coarse class, and the shape that follows from it."""

import operator
from collections.abc import Sequence
from functools import cache
from itertools import compress

import numpy as np
import numpy.typing as npt

from labelers.language.tables import lexicon_rows
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray

__all__ = ["ENDINGS", "VERBS", "classes_among", "is_open", "listed_words", "shape", "shapes", "word_classes"]

_STEM = 4
"""Letters that a word must exceed for its ending to count."""

ENDINGS = ("ly", "ing", "ed", "s")
"""Classes of words that no list has, by their ending."""

VERBS = frozenset({"be", "have", "do", "modal", "past", "third", "say", "base", "ed"})
_FINITE = frozenset({"be", "have", "do", "modal", "past", "ed"})
_SUBJECTS = frozenset({"subject", "neutral", "there"})
_OPENERS = _SUBJECTS | {"person", "possessive", "article", "this", "quantity", "number", "digit", "upper", "title"}
_LINKS = frozenset({"degree", "coordinator", "but", "this", "article", "preposition", "to", "of", "possessive", "as"})


@cache
def listed_words() -> dict[str, str]:
    """Return the class of each word of the package's word classes; the first line that holds it counts."""
    words: dict[str, str] = {}
    for name, listed in lexicon_rows("word_classes.tsv"):
        for word in listed.split(" "):
            words.setdefault(word, name)
    return words


@cache
def word_classes() -> dict[str, int]:
    """Return the number of each coarse class by its name: first those that the form of other words decides."""
    names = ["edge", "digit", "upper", "title", *ENDINGS, "word", "mark", *listed_words().values()]
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


@cache
def classes_among(names: frozenset[str]) -> BoolArray:
    """Return for every coarse class whether its name is one of those."""
    return np.array([name in names for name in word_classes()])


def _class(text: str, listed: str | None) -> str:
    """Return the coarse class of a token by its form, ``listed`` if its lower-case form has one."""
    shouted = len(text) > 1 and text.isupper()
    if listed and not shouted:
        return listed
    if not text[0].isalpha():
        return "digit" if text[0].isdigit() else "mark"
    if text[0].isupper():
        return "upper" if shouted else "title"
    if len(text) <= _STEM or not text.endswith(ENDINGS):
        return "word"
    return next(filter(text.endswith, ENDINGS))


def _classes(texts: Sequence[str], small: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return the number of the class of each text, given the texts in small letters too."""
    names = map(_class, texts, map(listed_words().get, small))
    return np.fromiter(map(word_classes().__getitem__, names), np.int8, len(texts))


def is_open(word: str) -> bool:
    """Return whether a lower-case word stands in no closed class."""
    return word not in listed_words()


def _case(text: str) -> int:
    """Return 0 for lower case, 1 for a capital, 2 for capitals only."""
    return 0 if not text[0].isupper() else 2 if text.isupper() and len(text) > 1 else 1


_FIELDS = {
    "comma": frozenset({"comma"}),
    "mark": frozenset({"comma", "semicolon", "dash"}),
    "stop": frozenset({"stop"}),
    "quote": frozenset({"quote"}),
    "clause": VERBS | _SUBJECTS,
    "opener": _OPENERS,
    "link": _LINKS,
    "ing": frozenset({"ing"}),
    "gone": frozenset({"gone"}),
    "finite": _FINITE,
}
"""Fields of a shape that its class alone decides, or nearly so."""

_UNLIKE = {"-": "mark", "...": "mark", "you": "clause"}
"""Tokens that one of these fields does not hold for: "Thank you" is no clause."""

_SHAPE = np.dtype(
    [(name, np.int8) for name in ("class", "small", "case")]
    + [(name, bool) for name in ("word", "lower", "capital", *_FIELDS)]
)


@cache
def _class_shapes() -> npt.NDArray[np.void]:
    """Return the record of each class, with the fields that it decides."""
    out = np.zeros(len(word_classes()), _SHAPE)
    out["class"] = out["small"] = np.arange(len(out))
    for field, classes in _FIELDS.items():
        out[field] = [name in classes for name in word_classes()]
    return out


def shape(texts: Sequence[str]) -> npt.NDArray[np.void]:
    """Return what each type is by its form: a record of the fields that `shapes` describes."""
    small, first = list(map(str.lower, texts)), [text[0] for text in texts]
    out = _class_shapes()[_classes(texts, small)]
    out["capital"] = list(map(operator.ne, texts, small))
    lowered = list(compress(small, out["capital"]))
    out["small"][out["capital"]] = _classes(lowered, lowered)
    out["case"] = list(map(_case, texts))
    out["word"], out["lower"] = list(map(str.isalnum, first)), list(map(str.islower, first))
    for i in [i for i, text in enumerate(small) if text in _UNLIKE]:
        out[_UNLIKE[small[i]]][i] = False
    out["clause"] |= np.array([text.endswith("ed") for text in texts], bool) & ~out["capital"]
    return out


def shapes(batch: PassageBatch) -> npt.NDArray[np.void]:
    """Return per type of the batch's vocabulary what it is by its form.

    Fields: ``class`` (the number of its coarse class), ``small`` (of that which it has in small letters), ``case`` (0
    lower, 1 capital, 2 capitals only), ``word``, ``lower`` (opens with a small letter), ``capital`` (holds one),
    ``comma``, ``mark`` (between clauses), ``stop`` (ends a sentence), ``quote``, ``clause`` (verb or subject, as far as
    closed lists tell), ``opener`` (can open a clause with a subject), ``link`` (binds what follows to itself), ``ing``
    and ``gone`` (participles) and ``finite`` (a verb, before its subject in questions and inversions).
    """
    return batch.vocabulary.property(shape)
