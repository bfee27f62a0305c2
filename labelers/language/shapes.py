"""What a token is by its form alone: a coarse class, and the shape that follows from it."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.passages import PassageBatch, Vocabulary

__all__ = ["VERBS", "case_of", "is_open", "listed_words", "shapes", "word_class", "word_classes"]

_STEM = 4
"""Letters that a word must exceed for its ending to count."""

VERBS = frozenset({"be", "have", "do", "modal", "past", "third", "say", "base"})
_FINITE = frozenset({"be", "have", "do", "modal", "past", "ed"})
_SUBJECTS = frozenset({"subject", "neutral", "there"})
_OPENERS = _SUBJECTS | {"person", "possessive", "article", "this", "quantity", "number", "digit", "upper", "title"}
_LINKS = frozenset({"degree", "coordinator", "but", "this", "article", "preposition", "to", "of", "possessive", "as"})


@cache
def listed_words() -> dict[str, str]:
    """Return the class of each word of the package's word classes; the first line that holds it counts."""
    words: dict[str, str] = {}
    for name, listed in rows_of("word_classes.tsv"):
        for word in listed.split(" "):
            words.setdefault(word, name)
    return words


@cache
def word_classes() -> dict[str, int]:
    """Return the number of each coarse class by its name: first those that the form of other words decides."""
    names = ["edge", "digit", "upper", "title", "ly", "ing", "ed", "s", "word", "mark", *listed_words().values()]
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


@lru_cache(1 << 14)  # several properties ask for the same new types
def word_class(text: str) -> str:
    """Return the coarse class of a token by its form."""
    shouted = len(text) > 1 and text.isupper()
    known = "" if shouted else listed_words().get(text.lower())
    if known:
        return known
    if not text[0].isalpha():
        return "digit" if text[0].isdigit() else "mark"
    if text[0].isupper():
        return "upper" if shouted else "title"
    return next((ending for ending in ("ly", "ing", "ed", "s") if len(text) > _STEM and text.endswith(ending)), "word")


def is_open(word: str) -> bool:
    """Return whether a lower-case word stands in no closed class."""
    return word not in listed_words()


def case_of(text: str) -> int:
    """Return 0 for lower case, 1 for a capital, 2 for capitals only."""
    return 0 if not text[0].isupper() else 2 if text.isupper() and len(text) > 1 else 1


_SHAPE = np.dtype(
    [
        (name, bool)
        for name in (
            "word",
            "comma",
            "mark",
            "stop",
            "quote",
            "clause",
            "opener",
            "link",
            "ing",
            "finite",
            "asks",
            "broken",
        )
    ]
    + [("lower", bool), ("case", np.int8), ("packed", np.int64)]
)


def _shape(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.void]:  # noqa: ARG001
    """Return the record of each type."""
    out = np.zeros(len(texts), _SHAPE)
    names = list(map(word_class, texts))
    out["word"] = [text[0].isalnum() for text in texts]
    out["lower"] = [text[0].islower() for text in texts]
    out["case"] = list(map(case_of, texts))
    for field, classes in _FIELDS.items():
        out[field] = [name in classes for name in names]
    out["asks"] = [text == "?" for text in texts]
    out["broken"] = [text == "}" for text in texts]
    out["mark"][[i for i, text in enumerate(texts) if text in {"-", "..."}]] = False
    out["clause"][[i for i, text in enumerate(texts) if text.lower() == "you"]] = False  # "Thank you"
    out["clause"][[i for i, text in enumerate(texts) if text.endswith("ed")]] = True
    for field, shift in _PACKED:
        out["packed"] += out[field].astype(np.int64) << shift
    return out


_FIELDS = {
    "comma": frozenset({"comma"}),
    "mark": frozenset({"comma", "semicolon", "dash"}),
    "stop": frozenset({"stop"}),
    "quote": frozenset({"quote"}),
    "clause": VERBS | _SUBJECTS,
    "opener": _OPENERS,
    "link": _LINKS,
    "ing": frozenset({"ing"}),
    "finite": _FINITE,
}
"""Fields of a shape that its class alone decides, or nearly so."""

_PACKED = (("word", 0), ("comma", 16), ("clause", 32), ("quote", 48))


def shapes(batch: PassageBatch) -> npt.NDArray[np.void]:
    """Return per type of the batch's vocabulary what it is by its form.

    Fields: ``word``, ``comma``, ``mark`` (between clauses), ``stop`` (ends a sentence), ``quote``, ``clause`` (verb or
    subject, as far as closed lists tell), ``opener`` (can open a clause with a subject), ``link`` (binds what follows
    to itself), ``ing`` (a participle), ``finite`` (a verb, before its subject in questions and inversions), ``asks`` (a
    question mark), ``broken`` (a mark of a transcriber that a turn may break off with), ``lower`` (opens with a small
    letter), ``case`` (0 lower, 1 capital, 2 capitals only) and ``packed`` (word, comma, clause and quote as 1 << 0, 16,
    32 and 48).
    """
    return batch.vocabulary.property(_shape)
