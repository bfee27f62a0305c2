"""Dictionaries of concepts and their names: tab-separated files, and the general English of this package.

A concept with one name has nothing to be replaced by, but still takes its words out of reach of shorter names: the
line ``for ever and ever`` keeps ``for ever`` from being found in it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import chain

from labelers.language.tables import numbered_rows

__all__ = ["FUNCTION_WORDS", "Concept", "clean_names", "general", "plural", "read_tsv", "takes_an"]

_SHORTEST = 3
"""Characters of the shortest name: shorter ones are initials and symbols that stand for much else."""

_HEADER_CAPITALS = 0.9
"""From this share of names with a capital on, capitals are the convention of the file and say nothing about a name."""

_GRAMMAR = """
    a about above after again against all am an and any are as at be because been before being below between both
    but by can could did do does doing down during each else ever every few for from further had has have having he
    her here hers herself him himself his how i if in into is it its itself just least less like many may me might
    mine more most much must my myself neither never no nor not now of off on once one only or other our ours
    ourselves out over own same shall she should since so some such than that the their theirs them themselves then
    there these they this those through thus till to too two under until up upon us very was we well were what
    whatever when where whether which while who whom whose why will with within without would yes yet you your yours
    yourself
"""
FUNCTION_WORDS = frozenset(_GRAMMAR.split())
"""Words of grammar; none of them alone is a name of a concept."""


@dataclass(frozen=True)
class Concept:
    """One thing and the names that it goes by."""

    id: str
    names: tuple[str, ...]
    """Distinct; a name with a capital in it is found only where it is written so."""
    type: str = ""
    """What it may be confused with: a wrong name is taken from another concept of the same type. Concepts whose type
    is ``noun``, or begins with ``noun.``, are found in the plural as well."""
    titled: bool = False
    """Its names may have a capital inside a sentence; common words with one are taken for parts of proper names."""


def read_tsv(data: bytes, source: str) -> tuple[Concept, ...]:
    r"""Read concepts from lines of ``id, name, synonyms, type``, divided by tabs; synonyms are divided by ``|``.

    A first line that names columns ``id`` and ``name`` says where they stand, and other columns are passed over;
    ``synonyms`` and ``type`` may be missing. Empty lines and lines that begin with ``#`` say nothing.

    Raises:
        ValueError: the message names the source, the line, and what is wrong with it.

    Example:
        >>> read_tsv(b"id\tname\tsynonyms\nC1\tvinegar\tacetic acid\n", "names.tsv")
        (Concept(id='C1', names=('vinegar', 'acetic acid'), type='', titled=False),)
    """
    rows = numbered_rows(data, f"dictionary {source}")
    first = next(rows, None)
    if first is None:
        raise ValueError(f"dictionary {source}: no line with a concept; give id, name and synonyms, separated by tabs")
    header = [item.strip().lower() for item in first[1]]
    columns = {key: place for place, key in enumerate(header)} if {"id", "name"} <= set(header) else {}
    found: dict[str, Concept] = {}
    for number, fields in rows if columns else chain([first], rows):
        try:
            concept = _concept(fields, columns, len(header))
        except ValueError as error:
            raise ValueError(f"dictionary {source}, line {number}: {error}") from None
        if concept.id in found:
            raise ValueError(
                f"dictionary {source}, line {number}: the id {concept.id!r} already occurs in an earlier line"
            )
        found[concept.id] = concept
    if not found:
        raise ValueError(f"dictionary {source}: no line with a concept after the line of column names")
    return tuple(_plain_capitals(list(found.values())))


def _concept(fields: Sequence[str], columns: Mapping[str, int], width: int) -> Concept:
    """Return the concept of one line; a ValueError says what is wrong with the line."""
    if columns and len(fields) != width:
        raise ValueError(f"{len(fields)} columns, but the first line names {width}")
    if not columns and not 2 <= len(fields) <= 4:  # noqa: PLR2004  (id and name, then synonyms and type)
        raise ValueError(f"{len(fields)} columns; give id, name, synonyms (separated by '|') and optionally a type")
    places = columns or {"id": 0, "name": 1, "synonyms": 2, "type": 3}

    def get(key: str) -> str:
        place = places.get(key, len(fields))
        return fields[place].strip() if place < len(fields) else ""

    for key in ("id", "name"):
        if not get(key):
            raise ValueError(f"no {key}")
    return Concept(get("id"), clean_names([get("name"), *get("synonyms").split("|")]), get("type"))


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names that can stand for a concept: no initials, no words of grammar."""
    tidy = dict.fromkeys(" ".join(name.split()) for name in names)
    return tuple(name for name in tidy if len(name) >= _SHORTEST and name.lower() not in FUNCTION_WORDS)


def _plain_capitals(concepts: list[Concept]) -> list[Concept]:
    """Lower the first letters of names where nearly all names of a file begin with a capital."""
    names = [name for concept in concepts for name in concept.names if name[0].isalpha()]
    if sum(name[0].isupper() for name in names) < _HEADER_CAPITALS * len(names):
        return concepts
    return [replace(item, names=tuple(dict.fromkeys(map(_lowered, item.names))), titled=True) for item in concepts]


def _lowered(name: str) -> str:
    """Return a name in lower case, save the words that hold a capital behind their first letter (``DNAse``)."""
    return " ".join(
        word.lower() if len(word) > 1 and word[1:] == word[1:].lower() else word for word in name.split(" ")
    )


@cache
def general() -> tuple[Concept, ...]:
    """Return the concepts of general English that come with the package."""
    path = files("labelers").joinpath("lexicons", "paraphrase.tsv")
    return read_tsv(path.read_bytes(), path.name)


_PLURALS = (
    (re.compile(r"(?<!\bhu)(?<!\bger)(?<!\bro)(?<!\bsha)(?<!\bo)man$"), "men"),
    (re.compile(r"(s|x|z|ch|sh)$"), r"\1es"),
    (re.compile(r"(?<=[^aeiou])y$"), "ies"),
    (re.compile(r"$"), "s"),
)


def plural(name: str) -> str:
    """Return the regular plural of a noun.

    Example:
        >>> [plural(name) for name in ("film", "dead body", "fox", "seaman")]
        ['films', 'dead bodies', 'foxes', 'seamen']
    """
    return next(pattern.sub(text, name, count=1) for pattern, text in _PLURALS if pattern.search(name))


_SAYS_A = re.compile(r"(?i)(?:uni(?!n|m)|unanim|u[bcfmrst][aeiou]|eu|ew|once|one|ouija)")
_SAYS_AN = re.compile(r"(?i)(?:[aeiou]|hour|heir|honest|honou?r)")


def takes_an(word: str) -> bool:
    """Tell whether ``an`` stands before a word, by its spelling.

    Example:
        >>> [takes_an(word) for word in ("enormous", "huge", "honest", "useful", "uncommon", "ugly")]
        [True, False, True, False, True, True]
    """
    return bool(_SAYS_AN.match(word)) and not _SAYS_A.match(word)
