"""Words that are written into a text: how it writes them, and what may stand in the place of which."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import numpy as np

from labelers.labeler import Avoid
from labelers.language.repair_profile import Fillers, RepairProfile, WordRates, parted
from labelers.language.words import is_clitic
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.vocabulary import Vocabulary

__all__ = ["Alternates", "Phrases", "WordTables", "Writing", "rates_of", "tables_of"]


@dataclass(frozen=True)
class Writing:
    """How a pool of text is written."""

    commas: bool = True
    """It has commas."""
    parts: bool = True
    """Clitics are tokens of their own: "it 's"."""
    capital: bool = True
    """ "I" is a capital."""

    @classmethod
    def of(cls, pool: PassageBatch | None) -> Self:
        """Look at a pool; without one a text is taken to be written as books are."""
        if pool is None or not len(pool.codes):
            return cls()
        counts = np.bincount(pool.codes, minlength=len(pool.vocabulary))
        texts = pool.vocabulary.texts
        whole = leaning = 0
        for code in np.flatnonzero(counts).tolist():
            if is_clitic(texts[code]):
                leaning += int(counts[code])
            elif parted(texts[code])[1]:
                whole += int(counts[code])

        def count(text: str) -> int:
            code = pool.vocabulary.find(text)
            return int(counts[code]) if 0 <= code < len(counts) else 0

        return cls(count(",") > 0, whole <= leaning, count("I") >= count("i"))

    def tokens(self, phrase: str) -> list[str]:
        """Return the tokens of words in small letters.

        Example:
            >>> Writing().tokens("i mean it's"), Writing(parts=False, capital=False).tokens("i'm")
            (['I', 'mean', 'it', "'s"], ["i'm"])
        """
        found: list[str] = []
        for word in phrase.split():
            if word == "," and not self.commas:
                continue
            head, tail = parted(word)
            head = "I" if head == "i" and self.capital else head
            found += [head, tail] if tail and self.parts else [head + tail]
        return found


@dataclass(frozen=True)
class Phrases:
    """Some texts as tokens: those of text i are ``codes[offsets[i]:offsets[i + 1]]``."""

    codes: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, vocabulary: Vocabulary, writing: Writing, texts: Iterable[str]) -> Self:
        """Return texts in small letters as they are written."""
        tokens = [writing.tokens(text) for text in texts]
        codes = vocabulary.encode(token for words in tokens for token in words)
        return cls(codes, running_total(np.array([len(words) for words in tokens], np.int64)))

    def holding(self, avoid: Avoid | None) -> BoolArray:
        """Return which of them hold a form that may not be inserted."""
        avoided = running_total(np.zeros(len(self.codes), bool) if avoid is None else avoid(self.codes))
        held: BoolArray = avoided[self.offsets[1:]] > avoided[self.offsets[:-1]]
        return held


@dataclass(frozen=True, eq=False)
class Alternates:
    """Property of types: the row of the words that may stand in the place of one, -1 for none."""

    table: Mapping[str, Mapping[str, float]]
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Number the words."""
        object.__setattr__(self, "_rows", {word: row for row, word in enumerate(self.table)})

    def __call__(self, texts: Sequence[str]) -> IntArray:
        """Return int64 for each text."""
        return np.fromiter((self._rows.get(text, -1) for text in texts), np.int64, len(texts))

    @property
    def words(self) -> list[str]:
        """All of them, row by row."""
        return [other for others in self.table.values() for other in others]

    @property
    def steps(self) -> IntArray:
        """float64: the row plus the share of its weights up to each word; what a draw falls below."""
        steps = [
            row + np.cumsum(list(others.values())) / sum(others.values())
            for row, others in enumerate(self.table.values())
        ]
        return np.concatenate([np.empty(0), *steps])


@dataclass(frozen=True, eq=False)
class WordTables:
    """What a profile says of single words."""

    starts: WordRates
    """Rates of the kinds of reparanda that stand before a word."""
    behind: WordRates
    """How often a reparandum goes on behind a word of its repair."""
    to: WordRates
    """How often it goes on to one."""
    alternates: Alternates


def tables_of(profile: RepairProfile) -> WordTables:
    """Return what a profile says of single words; the same object for equal profiles, so that it can be a property."""
    return _tables(profile.to_toml())


@cache
def _tables(profile: str) -> WordTables:
    """Return what a profile, given as its file, says of single words."""
    read = RepairProfile.model_validate(tomllib.loads(profile))
    starts = WordRates(read.starts, read.classes, read.everywhere)
    behind, to = (_single(table, read.goes_on) for table in (read.goes_on_behind, read.goes_on_to))
    return WordTables(starts, behind, to, Alternates(read.alternates))


def rates_of(fillers: Fillers) -> WordRates:
    """Return behind how many of a thousand words a filler stands; the same object for equal fillers."""
    return _filler_rates(fillers.model_dump_json())


@cache
def _filler_rates(fillers: str) -> WordRates:
    """Return the rates of fillers that are given as JSON."""
    read = Fillers.model_validate_json(fillers)
    return _single(read.behind, read.everywhere)


def _single(table: Mapping[str, float], everywhere: float) -> WordRates:
    """Return one rate for each word, from a table in which classes have a colon in front."""
    classes = {name[1:]: (rate,) for name, rate in table.items() if name[0] == ":"}
    return WordRates({name: (rate,) for name, rate in table.items() if name[0] != ":"}, classes, (everywhere,))
