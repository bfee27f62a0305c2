"""Profiles of repairs: how often, where and how speakers start anew, as counted in annotated speech.

A profile is a TOML file of shares and weights; `labelers.language.repair_learning` counts one. Four kinds of reparanda
are told apart: a *repeat* of what the repair says, a word that was *cut* off and is then said, a *substitute* that the
repair takes up with another word, and a *restart*, a beginning that nothing takes up.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labelers.labeler import Resource
from labelers.language.shapes import ENDINGS, listed_words
from labelers.ragged import IntArray
from labelers.vocabulary import Vocabulary

__all__ = [
    "CUT",
    "KINDS",
    "REPEAT",
    "RESTART",
    "SHIPPED",
    "SUBSTITUTE",
    "UNLISTED",
    "Band",
    "Fillers",
    "KindShape",
    "RepairProfile",
    "WordRates",
    "parted",
    "read_profile",
    "shipped_profile",
    "word_class",
]

KINDS = ("repeat", "cut", "substitute", "restart")
REPEAT, CUT, SUBSTITUTE, RESTART = range(len(KINDS))
SHIPPED = ("switchboard", "corrections")
"""Profiles of the package, `lexicons/NAME.toml`."""
UNLISTED = (*ENDINGS, "word", "digit")
"""Classes of `word_class` that no list of the package has: open ones, and numbers."""

_FORMAT = 1
_TABLES = ("classes", "starts")
_MAPPINGS = ("phrases", *_TABLES, "goes_on_behind", "goes_on_to", "alternates")
_FILLERS = ("first", "phrases", "behind")
_APOSTROPHES = ("'", "\u2019")

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Weights = Annotated[tuple[Weight, ...], Field(min_length=1)]
PhraseWeights = Annotated[Mapping[str, Weight], Field(min_length=1)]
Rates = tuple[Weight, Weight, Weight, Weight]


class _Part(BaseModel):
    """A part of a profile: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _some(self) -> "_Part":
        """Refuse weights of which none is above zero."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            values = value.values() if isinstance(value, Mapping) else value
            flat = isinstance(value, tuple | Mapping) and all(isinstance(item, float) for item in values)
            if flat and value and not sum(values) and name not in _MAY_BE_ZERO:
                raise ValueError(f"{name}: at least one weight must be above 0")
        return self


_MAY_BE_ZERO = ("everywhere", "opening", "goes_on_behind", "goes_on_to", "behind")


class Band(_Part):
    """Utterances of similar length."""

    words: Annotated[int, Field(ge=1)]
    """Up to so many; the last band holds all longer ones too."""
    rate: Share
    """Share of them that hold a repair."""
    places: Weights
    """Weights of 1, 2, ... places in those that hold one."""


class KindShape(_Part):
    """What reparanda of one kind look like."""

    lengths: Weights
    """Weights of 1, 2, ... words."""
    interregnum: Share = 0.0
    """Share that an editing phrase follows."""
    cut: Share = 0.0
    """Share whose last word is broken off."""


class Fillers(_Part):
    """Words that fill a pause and discourse markers, where no reparandum stands before them."""

    opening: Share
    """Share of utterances that begin with one."""
    everywhere: Weight
    """Of words that another one follows: behind how many of a thousand one stands."""
    comma_before: Share
    """Share of those inside an utterance that a comma stands before."""
    comma_behind: Share
    first: PhraseWeights
    """Weights of those that begin an utterance."""
    phrases: PhraseWeights
    """Weights of all others."""
    behind: Mapping[str, Weight]
    """As `everywhere`: of classes of words, whose names have a colon in front, and of single words."""


class RepairProfile(_Part):
    """How repairs are made."""

    format: int = _FORMAT
    source: str = ""
    """What it was counted in."""
    utterances: int = 0
    words: int = 0
    repairs: int = 0
    rate: Share
    """Share of utterances that hold a repair."""
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]
    chain: Weights
    """Weights of 1, 2, ... reparanda in a row."""
    opening: tuple[Weight, Weight] = (1.0, 1.0)
    """How many times more often repairs begin at the first and at the second word than such words predict."""
    comma: Share
    """Share of reparanda that a comma stands behind, where no editing phrase follows."""
    comma_before_phrase: Share
    comma_behind_phrase: Share
    stems: Weights
    """Weights of 1, 2, ... letters of a word broken off."""
    first: Share
    """Share of substitutes of two words or more whose first word is another one; the last is in the others."""
    new: Weights
    """Weights of 1, 2, ... words of a substitute that the repair does not take up."""
    head: Share
    """Share of restarts that begin with another form of the next word: "they have a, they're"."""
    kinds: Mapping[str, KindShape]
    phrases: Mapping[str, Weight]
    """Weights of editing phrases."""
    everywhere: Rates
    """Of all words: how many of a thousand a reparandum of each kind stands before."""
    classes: Mapping[str, Rates]
    """The same of classes of words."""
    starts: Mapping[str, Rates]
    """The same of single words."""
    goes_on: Share
    """Of words that a reparandum shares with its repair: how often it goes on behind them."""
    goes_on_behind: Mapping[str, Share]
    """The same of classes of words, whose names have a colon in front, and of single words."""
    goes_on_to: Mapping[str, Share]
    """The same by the word that the repair says next: how often the reparandum goes on to it."""
    alternates: Mapping[str, Mapping[str, Weight]]
    """What was said in the place of a word: weights by the word that the repair says."""
    fillers: Fillers | None = None
    """None: it has none."""

    @model_validator(mode="after")
    def _whole(self) -> "RepairProfile":
        """Refuse a profile that lacks a kind or is of another format."""
        if self.format != _FORMAT:
            raise ValueError(f"format is {self.format}; this version of auxloom reads format {_FORMAT}")
        if sorted(self.kinds) != sorted(KINDS):
            raise ValueError(f"kinds must be {', '.join(KINDS)}")
        if not sum(self.everywhere):
            raise ValueError("everywhere: at least one rate must be above 0")
        return self

    def shapes(self) -> tuple[KindShape, ...]:
        """Return the kinds in the order of `KINDS`."""
        return tuple(self.kinds[name] for name in KINDS)

    def weighted(self, kinds: Sequence[float] | None) -> "RepairProfile":
        """Return it with kinds in other shares; None is as it is."""
        if not kinds:
            return self
        scale = sum(self.everywhere) / sum(kinds)
        wanted = [scale * weight for weight in kinds]

        def scaled(rates: Rates) -> Rates:
            # a kind that was never counted stands before all words alike
            parts = zip(rates, self.everywhere, wanted, strict=True)
            repeat, cut, substitute, restart = (rate * new / old if old else new for rate, old, new in parts)
            return repeat, cut, substitute, restart

        tables = {name: {key: scaled(rates) for key, rates in getattr(self, name).items()} for name in _TABLES}
        return self.model_copy(update={"everywhere": scaled(self.everywhere), **tables})

    def replaced(self, comma: float | None, interregnum: float | None) -> "RepairProfile":
        """Return it with other shares of commas and of editing phrases; None is as it is."""
        new: dict[str, Any] = {}
        if comma is not None:
            new |= dict.fromkeys(("comma", "comma_before_phrase", "comma_behind_phrase"), comma)
            if self.fillers:
                new["fillers"] = self.fillers.model_copy(update={"comma_before": comma, "comma_behind": comma})
        if interregnum is not None:
            shapes = self.kinds.items()
            new["kinds"] = {name: shape.model_copy(update={"interregnum": interregnum}) for name, shape in shapes}
        return self.model_copy(update=new) if new else self

    def to_toml(self) -> str:
        """Return it as a TOML file."""
        data = self.model_dump(mode="json")
        bands, kinds, fillers = (data.pop(name) for name in ("bands", "kinds", "fillers"))
        tables = [(f"kinds.{name}", kinds[name]) for name in KINDS]
        tables += [(name, data.pop(name)) for name in _MAPPINGS]
        if fillers:
            inner = [(f"fillers.{name}", fillers.pop(name)) for name in _FILLERS]
            tables += [("fillers", fillers), *inner]
        parts = ["# How speakers repair what they say: a profile of the labeler disfluency.", *_lines(data)]
        for band in bands:
            parts += ["", "[[bands]]", *_lines(band)]
        for name, table in tables:
            parts += ["", f"[{name}]", *_lines(table)]
        return "\n".join(parts) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    """Return the lines of a TOML table."""
    return [
        f"{key if key.isidentifier() and key.isascii() else _toml(key)} = {_toml(value)}"
        for key, value in table.items()
    ]


def _toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@cache
def shipped_profile(name: str) -> Resource:
    """Return the file of a profile of the package."""
    return Resource(name, {"": files("labelers").joinpath("lexicons", f"{name}.toml").read_bytes()})


@cache
def read_profile(source: str | Resource) -> RepairProfile:
    """Return a profile of the package, or that of a file.

    Raises:
        ValueError: the file is no profile; the message says what is wrong with it.
    """
    if isinstance(source, str):
        return read_profile(shipped_profile(source))
    if "" not in source.files:
        raise ValueError(f"profile {source.name} is a folder; give a file that `auxloom profile disfluency` wrote")
    try:
        return RepairProfile.model_validate(tomllib.loads(source.files[""].decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"profile {source.name} is not a TOML file ({error}); write one with {_COMMAND}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        text = f"{place}: {message[:1].lower()}{message[1:]}" if place else message
        raise ValueError(f"profile {source.name}: {text}; write one with {_COMMAND}") from None


_COMMAND = "`auxloom profile disfluency FILE --out PROFILE.toml`"


def parted(text: str) -> tuple[str, str]:
    """Return a written word as the word and the clitic that leans on it.

    Example:
        >>> parted("they're"), parted("don't"), parted("gate")
        (('they', "'re"), ('do', "n't"), ('gate', ''))
    """
    for mark in _APOSTROPHES:
        if text.lower().endswith(f"n{mark}t") and len(text) > 3:  # noqa: PLR2004  (a letter before "n't")
            return text[:-3], text[-3:]
        head, found, tail = text.partition(mark)
        if found and head and tail:
            return head, mark + tail
    return text, ""


def word_class(text: str) -> str:
    """Return the class of a written word, of the package's lists or by its ending, with a mark if a clitic leans on it.

    Example:
        >>> [word_class(text) for text in ("The", "they're", "gate", "gates", "42")]
        ['article', "subject'", 'word', 's', 'digit']
    """
    head, tail = parted(text.lower())
    name = listed_words().get(head, "")
    if not name:
        long = len(head) > 4  # noqa: PLR2004  (letters that a word must have for its ending to count)
        ending = next((ending for ending in ENDINGS if long and head.endswith(ending)), "word")
        name = "digit" if head[:1].isdigit() else ending
    return name + "'" * bool(tail)


class WordRates:
    """Property of types: the row of `table` with the rates of a written word, of its class, or of all.

    It is equal to itself alone.
    """

    def __init__(
        self, words: Mapping[str, Sequence[float]], classes: Mapping[str, Sequence[float]], everywhere: Sequence[float]
    ) -> None:
        """Lay out the rates."""
        self._words = {name: row for row, name in enumerate(words)}
        self._classes = {name: row for row, name in enumerate(classes, len(words))}
        self._other = len(words) + len(classes)
        self.table: npt.NDArray[np.float64] = np.array([*words.values(), *classes.values(), everywhere], np.float64)
        """float64 [rows, rates]."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return int32 for each text."""
        rows = (self._words.get(text, self._classes.get(word_class(text), self._other)) for text in texts)
        return np.fromiter(rows, np.int32, len(texts))

    def of(self, vocabulary: Vocabulary, types: IntArray) -> npt.NDArray[np.float64]:
        """Return the rates of types: float64 [..., rates]."""
        rates: npt.NDArray[np.float64] = self.table[vocabulary.property(self).take(types)]
        return rates
