"""How likely a string of the lexicon's forms is a connective where it stands: a linear model over closed features.

It is in the line of Pitler and Nenkova 2009 (https://aclanthology.org/P09-2004) and Lin, Ng and Kan 2014
(https://doi.org/10.1017/S1351324912000307), but without a parser. ``benchmarks/train_connectives.py`` made its weights.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from labelers.language.forms import lexicon
from labelers.language.matches import Matches
from labelers.language.shapes import VERBS, classes_among, shapes, word_classes
from labelers.language.tables import lexicon_rows
from labelers.passages import PassageBatch
from labelers.ragged import FloatArray, IntArray

__all__ = ["RULE", "TEMPLATES", "ContextModel", "Features", "features", "log_odds", "model", "score"]

RULE = math.log(0.77 / 0.23)
"""Log odds of a form that opens a segment with what its rule wants behind it. They lie below the threshold of
`labelers.language.discourse`, because the annotation that it was measured on leaves connectives of several words ("for
example") out."""

_REACH = 4
"""Tokens looked at on either side of a match."""

_AHEAD = 8
"""Tokens searched for the nearest verb on either side."""

_STOPS = frozenset({"comma", "semicolon", "stop", "dash", "edge", "close"})
"""Classes at which that search ends."""

TEMPLATES: tuple[tuple[str, ...], ...] = (
    ("form",),
    ("form", "case", "opens"),
    ("form", "opens", "class+1"),
    ("form", "left"),
    ("form", "right"),
    ("form", "verb-1", "verb+1"),
    ("form", "class-1", "verb+1"),
    ("form", "word-1"),
    ("form", "word+1"),
    ("form", "word-2"),
    ("form", "word+2"),
    ("word-1",),
    ("word+1",),
    ("word-2",),
    ("word+2",),
    ("form", "class-1"),
    ("form", "class+1"),
    ("form", "class-2"),
    ("form", "class+2"),
    ("form", "class-3"),
    ("form", "class+3"),
    ("class+4",),
    ("form", "ending-1"),
    ("form", "ending+1"),
    ("ending+2",),
    ("class-1", "class+1"),
    ("class+1", "class+2"),
    ("class-2", "class-1"),
    ("class+1", "class+2", "class+3"),
    ("form", "class-1", "class+1"),
    ("form", "class+1", "class+2"),
    ("form", "class-2", "class-1"),
    ("form", "verb+1", "class+1"),
    ("form", "verb-1", "class-1"),
    ("form", "left", "class+1"),
    ("form", "right", "class-1"),
    ("form", "class+1", "class+2", "verb+1"),
)
"""Each feature is the conjunction of these values around a match; the number is the distance from its edge."""

_KINDS = {value: value.rstrip("+-1234") for template in TEMPLATES for value in template}
"""What kind of value each is, at whatever distance."""


def log_odds(probability: float) -> float:
    """Return the log odds of a probability, infinite at 0 and 1."""
    return (
        math.log(probability / (1 - probability)) if 0 < probability < 1 else math.copysign(math.inf, probability - 0.5)
    )


_TYPE = np.dtype([("word", np.int32), ("ending", np.int32)])


@dataclass(frozen=True)
class Features:
    """What each of C matches is seen as: per value of `TEMPLATES` an int64 [C], and how many numbers it has."""

    values: Mapping[str, IntArray]
    sizes: Mapping[str, int]

    def key(self, template: tuple[str, ...]) -> tuple[IntArray, int]:
        """Return (int64 [C]: one number for the conjunction of the template's values, how many there are)."""
        sizes = [self.sizes[name] for name in template]
        return np.ravel_multi_index([self.values[name] for name in template], sizes), math.prod(sizes)


def features(batch: PassageBatch, matches: Matches, model: "ContextModel") -> Features:
    """Return the values that the model's features are made of, for each match."""
    types, classes = batch.vocabulary.property(model), shapes(batch)
    segment = batch.token_segments[matches.start]
    row = batch.segment_rows[segment]
    values: dict[str, IntArray] = {
        "form": matches.form,
        "case": classes["case"][batch.codes[matches.start]],
        "opens": (batch.segments[segment] == matches.start).astype(np.int64),
        "left": np.minimum(matches.start - batch.segments[segment], 9),
        "right": np.minimum(batch.segment_ends[segment] - matches.end, 9),
    }
    first, last = batch.offsets[row], batch.offsets[row + 1]
    tables = {"word": types["word"], "ending": types["ending"], "class": classes["class"]}
    for side, edge in ((-1, matches.start - 1), (1, matches.end)):
        place = edge + side * np.arange(_AHEAD)[:, None]  # [_AHEAD, C]: the tokens on this side, from the match on
        inside, codes = (place >= first) & (place < last), batch.codes[np.clip(place, first, last - 1)]
        for name, table in tables.items():
            seen = np.where(inside, table[codes], 0)  # the class 0 is that of the edge
            values |= {f"{name}{side * (far + 1):+d}": seen[far] for far in range(_REACH)}
        values[f"verb{side:+d}"] = _nearest_verb(seen)
    return Features(values, model.sizes)


def _nearest_verb(classes: npt.NDArray[np.int8]) -> IntArray:
    """Return how far the first verb is, 1 to 4 for all from the fourth token on, 0 for none before a stop; int64 [C].

    Args:
        classes: int8 [T, C]: classes of the T tokens on one side of each of C matches.
    """
    verb, stop = classes_among(VERBS)[classes], classes_among(_STOPS)[classes]
    stop[0] = False  # a stop beside the match itself closes nothing: ", but" and "However ,"
    far = np.argmax(verb | stop, axis=0)
    return np.where(verb[far, np.arange(len(far))], np.minimum(far, 3) + 1, 0)


@dataclass(frozen=True)
class ContextModel:
    """A table of weights for conjunctions of values; as a property it numbers the types that it knows.

    It equals itself alone, so that a vocabulary keeps one property per model.
    """

    words: tuple[str, ...]
    """Words that have a weight."""
    endings: tuple[str, ...]
    """Last three letters that have one."""
    bias: float = 0.0
    weights: tuple[FloatArray, ...] = ()
    """For each template, the weight of each key."""

    def __eq__(self, other: object) -> bool:
        """Compare by identity: the tables are large and made once."""
        return self is other

    def __hash__(self) -> int:
        """Hash by identity."""
        return id(self)

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.void]:
        """Return the numbers of each type's word and ending."""
        words, endings = self._numbers
        small, out = list(map(str.lower, texts)), np.zeros(len(texts), _TYPE)
        out["word"] = [words.get(text, 0) for text in small]
        out["ending"] = [endings.get(text[-3:], 0) for text in small]
        return out

    @cached_property
    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the number, from 1 on, of each word and ending."""
        words, endings = ({text: i for i, text in enumerate(texts, 1)} for texts in (self.words, self.endings))
        return words, endings

    def names(self) -> dict[str, list[str]]:
        """Return what the numbers of each kind of value stand for."""
        distances = [str(i) for i in range(10)]
        return {
            "form": [form.form for form in lexicon().forms],
            "case": distances[:3],
            "opens": distances[:2],
            "left": distances,
            "right": distances,
            "verb": distances[:5],
            "word": ["*", *self.words],
            "ending": ["*", *self.endings],
            "class": list(word_classes()),
        }

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Return how many numbers each value of the templates has."""
        names = self.names()
        return {value: len(names[_KINDS[value]]) for template in TEMPLATES for value in template}


@cache
def model() -> ContextModel:
    """Return the model of the package, read from ``lexicons/connective_weights.tsv``."""
    (_, bias), *rows = lexicon_rows("connective_weights.tsv")
    read = [(TEMPLATES[int(number)], values) for number, *values in rows]
    named: dict[str, set[str]] = {"word": set(), "ending": set()}
    for template, values in read:
        for value, text in zip(template, values[:-1], strict=True):
            named.setdefault(_KINDS[value], set()).add(text)
    words, endings = (tuple(sorted(named[kind] - {"*"})) for kind in ("word", "ending"))
    blank = ContextModel(words, endings)
    numbers = {kind: {text: i for i, text in enumerate(texts)} for kind, texts in blank.names().items()}
    sizes = blank.sizes
    tables = {template: np.zeros(math.prod(sizes[value] for value in template)) for template in TEMPLATES}
    for template, values in read:
        key = 0
        for value, text in zip(template, values[:-1], strict=True):
            key = key * sizes[value] + numbers[_KINDS[value]][text]
        tables[template][key] = float(values[-1])
    return ContextModel(blank.words, blank.endings, float(bias), tuple(tables[template] for template in TEMPLATES))


def score(batch: PassageBatch, matches: Matches, chosen: ContextModel | None = None) -> FloatArray:
    """Return the log odds, float64 [C], that each match is a connective where it stands."""
    chosen = chosen or model()
    seen = features(batch, matches, chosen)
    total = np.full(len(matches), chosen.bias)
    for template, weights in zip(TEMPLATES, chosen.weights, strict=False):
        total += weights.take(seen.key(template)[0])
    ruled = _ruled()[seen.key(("form", "class+1"))[0]] & (seen.values["opens"] == 1)
    return np.where(ruled, np.maximum(total, RULE), total)


@cache
def _ruled() -> npt.NDArray[np.bool_]:
    """Return for every form and class whether the form is a connective before that class where it opens a segment."""
    return np.array([name in form.rule.split("|") for form in lexicon().forms for name in word_classes()])
