"""What a form asks of the two arguments that it links, beyond being a connective where it stands.

"So" opens a new topic as often as it draws a conclusion, and "instead" may name what another sentence further up
denied. The lexicon says which forms ask what (`labelers.language.forms.ConnectiveForm.asks`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.forms import lexicon
from labelers.language.shapes import VERBS, classes_among, shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges

__all__ = ["ASKS", "WORDS", "Arguments", "fulfilled", "is_one_of"]

WORDS: Mapping[str, str] = {
    "outcome": (
        "was were had did can could will would shall should may might must 'll \u2019ll 'd \u2019d ca wo cannot need "
        "needs said asked replied answered cried told thought knew meant believed felt hoped wished supposed wondered "
        "understood remembered agreed"
    ),
    "denial": (
        "not n't n\u2019t never no nor neither nobody nothing none nowhere without cannot hardly scarcely barely "
        "longer should ought expected wanted hoped supposed planned intended refused failed declined avoid"
    ),
    "talk": (
        "yes yeah yep no nope ok okay right alright sure well hey hi hello oh ah wow thanks thank please sorry great "
        "perfect good fine cool awesome nice excellent wonderful like anyway anyways sounds looks correct exactly "
        "absolutely hm hmm mm uh-huh"
    ),
    "answer": "no yes yeah yep nope nah ok okay sure sorry actually",
    "clitic": "'s \u2019s",
    "thanks": "thank thanks appreciate congratulate congratulations",
    "praise": (
        "great perfect good fine cool awesome nice excellent wonderful lovely right correct true ok okay sounds work "
        "works all enough helpful interesting amazing fantastic terrific alright"
    ),
    "pointer": "that this it which they those 's",
    "inquiry": (
        "ask asks asked asking wonder wonders wondered wondering know knows knew see saw notice noticed doubt doubts "
        "sure tell told check question inquire inquired enquired learn find remember care cares mind say decide guess "
        "show matter matters explain"
    ),
    "period": (
        "time times while moment moments second seconds minute minutes hour hours day days night nights week weeks "
        "month months year years decade decades century centuries"
    ),
}
"""Words by what they show about an argument."""

_SIGNS = {name: 1 << bit for bit, name in enumerate(WORDS)}

_BRIEF = 8
"""Words that an acknowledgement may have."""

_NEAR = 5
"""Tokens behind the form among which the verb of an outcome stands."""

_SUBJECTS = frozenset({"subject", "neutral", "there", "person", "possessive", "article", "this", "title", "upper"})
_LONG = 10
"""Tokens from which an argument needs no verb that the closed lists know."""

_POINTERS = frozenset({"this", "wh"})
_BINDING = frozenset({"article", "of", "possessive", "quantity", "preposition"})
"""Classes of words before a participle that is no verb: "a lot of unused buttons"."""

_PAST = frozenset({"past", "ed"})
_PRONOUNS = frozenset({"subject", "neutral"})
_BASE = frozenset({"base"})
_ASKING = frozenset({"be", "have", "do", "modal", "wh"})


@cache
def _signs() -> dict[str, int]:
    """Return for each word the bits of what it shows."""
    found: dict[str, int] = {}
    for name, words in WORDS.items():
        for word in words.split():
            found[word] = found.get(word, 0) | _SIGNS[name]
    return found


def _sign(texts: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return the bits of each type."""
    return np.fromiter(map(_signs().get, map(str.lower, texts), repeat(0)), np.int16, len(texts))


def is_one_of(batch: PassageBatch, place: IntArray, name: str) -> BoolArray:
    """Return which tokens, at global positions of any shape, are words of that name in `WORDS`."""
    found: BoolArray = batch.vocabulary.property(_sign)[batch.codes[place]] & _SIGNS[name] > 0
    return found


@dataclass(frozen=True)
class Arguments:
    """The two arguments of U uses; all positions are global, and what is asked of them is bool [U]."""

    batch: PassageBatch
    first: IntArray
    """Where the first argument starts."""
    border: IntArray
    """Where it ends."""
    second: IntArray
    """Where the second starts, without a form that opens it."""
    stop: IntArray
    """Where that ends."""

    def take(self, which: IntArray) -> Self:
        """Return the given ones."""
        return type(self)(self.batch, self.first[which], self.border[which], self.second[which], self.stop[which])

    def _is_one_of(self, place: IntArray, name: str) -> BoolArray:
        """Return which tokens are words of that name."""
        return is_one_of(self.batch, place, name)

    def _holds(self, start: IntArray, stop: IntArray, name: str) -> BoolArray:
        """Return which spans hold a word of that name."""
        size = stop - start
        owner = np.repeat(np.arange(len(size)), size)[self._is_one_of(ranges(start, size), name)]
        return np.bincount(owner, minlength=len(size)) > 0

    def _is(self, place: IntArray, names: frozenset[str]) -> BoolArray:
        """Return which tokens are of one of those classes."""
        found: BoolArray = classes_among(names)[shapes(self.batch)["class"][self.batch.codes[place]]]
        return found

    def _question(self, end: IntArray) -> BoolArray:
        """Return which arguments end with a question mark, a quote behind it aside."""
        question, codes = self.batch.vocabulary.find("?"), self.batch.codes
        found: BoolArray = (codes[end - 1] == question) | (codes[np.maximum(end - 2, 0)] == question)
        return found

    def statements(self) -> BoolArray:
        """Neither is a question."""
        return ~self._question(self.border) & ~self._question(self.stop)

    def earnest(self) -> BoolArray:
        """The first is not spent on thanks ("I thank the member."), on which nothing is built."""
        return ~self._holds(self.first, self.border, "thanks")

    def alike(self) -> BoolArray:
        """The second asks something only where the first does."""
        return self._question(self.border) | ~self._question(self.stop)

    def sober(self) -> BoolArray:
        """The second does not go on with a word of talk ("But yeah, ...", "And thank you")."""
        return ~self._is_one_of(self.second, "talk")

    def news(self) -> BoolArray:
        """The first is no mere acknowledgement ("Sure, that works.", "That sounds great."), to which nothing adds."""
        start, stop = self.first, self.border
        brief = stop - start <= _BRIEF
        praise = self._is_one_of(start, "pointer") & self._holds(start, stop, "praise")
        return ~(brief & (self._is_one_of(start, "talk") | praise))

    def denial(self) -> BoolArray:
        """The first holds what did not, should not or might not happen, which the second stands in for.

        An answer ("No, I am sorry.") denies what somebody else has said.
        """
        answers = self._is_one_of(self.first, "answer")
        return self._holds(self.first + 1, self.border, "denial") & ~answers

    def condition(self) -> BoolArray:
        """The first has no verb that an indirect question may follow ("He asked if she had left")."""
        return ~self._holds(self.first, self.border, "inquiry")

    def unmeasured(self) -> BoolArray:
        """The first does not end with a stretch of time, which the second measures ("two years before he left")."""
        return ~self._is_one_of(self.border - 1, "period")

    def outcome(self) -> BoolArray:
        """The second says what happened, or can or must happen: a verb of the past or a modal follows its subject."""
        place = self.second + np.arange(1, _NEAR)[:, None]
        inside = place < self.stop
        place = np.minimum(place, self.stop - 1)
        ended = np.logical_or.accumulate(~inside | shapes(self.batch)["comma"][self.batch.codes[place]])
        past = self._is(place, _PAST) & ~self._is(place - 1, _BINDING)
        verb = (self._is_one_of(place, "outcome") | past) & ~ended
        return self._is(np.minimum(self.second, self.stop - 1), _SUBJECTS) & verb.any(axis=0)

    def clause(self) -> BoolArray:
        """A clause follows and no bare phrase: it opens with a subject, or if it asks, with a verb or pronoun."""
        asks = self._question(self.stop)
        return self._is(self.second, _SUBJECTS) & ~asks | self._is(self.second, _ASKING | _PRONOUNS) & asks

    def verbal(self) -> BoolArray:
        """The second is long, or holds a verb or a pronoun; the "'s" of a noun is none ("Next, the king's horse.")."""
        size = self.stop - self.second
        place = ranges(self.second, size)
        clitic = self._is_one_of(place, "clitic")
        verb = self._is(place, VERBS | _PRONOUNS | {"there"}) & (~clitic | self._is(place - 1, _POINTERS))
        verbs = np.bincount(np.repeat(np.arange(len(size)), size)[verb], minlength=len(size))
        return np.asarray((size >= _LONG) | (verbs > 0))

    def single(self) -> BoolArray:
        """The second has no verb that follows another one at once: a fronted clause may end there without a comma."""
        size = self.stop - self.second
        place = ranges(self.second, size)
        twice = self._is(place, _BASE) & self._is(place - 1, _BASE | _PAST)
        return np.asarray(np.bincount(np.repeat(np.arange(len(size)), size)[twice], minlength=len(size)) == 0)


ASKS: Mapping[str, Callable[[Arguments], BoolArray]] = {
    "statements": Arguments.statements,
    "earnest": Arguments.earnest,
    "alike": Arguments.alike,
    "single": Arguments.single,
    "sober": Arguments.sober,
    "news": Arguments.news,
    "denial": Arguments.denial,
    "condition": Arguments.condition,
    "unmeasured": Arguments.unmeasured,
    "outcome": Arguments.outcome,
    "clause": Arguments.clause,
}
"""What forms may ask, by the name that stands in the lexicon."""


@cache
def _asking() -> Mapping[str, BoolArray]:
    """Return for each name of `ASKS` bool [forms]: which forms ask it."""
    return {name: np.array([name in form.asks.split() for form in lexicon().forms]) for name in ASKS}


def fulfilled(form: IntArray, pairs: Arguments) -> BoolArray:
    """Return bool [U]: which forms, int64 [U], have the arguments that they and all of them ask for."""
    ok = pairs.verbal()
    for name, forms in _asking().items():
        asked = np.flatnonzero(ok & forms[form])
        ok[asked] = ASKS[name](pairs.take(asked))
    return ok
