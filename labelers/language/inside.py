"""Pairs of clauses within one sentence, linked by a connective between them: "I wanted to go, *but* she was ill".

What remains must be two clauses of which each stands for itself, so that the sentence is a plain one: no other
connective links clauses in it, and no clause in either argument hangs on something of the other.
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np

from labelers.language.asks import Arguments, fulfilled
from labelers.language.candidates import MOST, Candidates
from labelers.language.discourse import log_odds, score
from labelers.language.forms import BLOCKED, lexicon
from labelers.language.matches import Matches, match, match_partners
from labelers.language.shapes import VERBS, shapes, word_classes
from labelers.passages import BoolArray, IntArray, PassageBatch, ranges

__all__ = ["inside_candidates"]

LEAST = 3
"""Words that a clause must have."""

ANNOUNCED = 0.5
"""Probability that is enough where a partner announces the connective ("if ... then")."""

OTHER = 0.2
"""Probability from which another form counts as a second connective of the sentence."""

_COORDINATORS = frozenset({"and", "but", "or", "so", "yet"})
"""Forms whose second argument may hold commas: behind a subordinator these may end its clause."""

_DENSE = frozenset({"and", "or"})
"""Forms that also divide lists, so that the first argument may hold one comma at most."""

_HANGS = frozenset(
    {"be", "have", "do", "modal", "not", "say", "wh", "to", "time", "degree", "article", "possessive", "of", "than"}
)
"""Classes that do not end a clause that stands for itself: "He says", "It is", "some years", "they did not"."""

_MANNER = frozenset({"ly"})
"""Class of words that measure the subordinator behind them: "shortly after", "especially since"."""

_HALF = frozenset({"semicolon", "dash", "quote", "open", "close"})
"""Classes that neither argument holds."""

_BOUND = frozenset({"wh", "subordinator"})
"""Classes of words that make a clause of the first argument hang on something else."""

_SUBJECTS = frozenset(
    {"subject", "neutral", "there", "person", "possessive", "article", "this", "quantity", "number", "title", "upper"}
)
"""Classes that the second argument opens with."""


def inside_candidates(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of clauses of one sentence that a connective at a clause boundary links."""
    forms, types = lexicon(), shapes(batch)
    matches = match(batch)
    segment = batch.token_segments[matches.start]
    first, stop = batch.segments[segment], batch.segment_ends[segment]
    mark = matches.start - (types["mark"][batch.codes[matches.start - 1]] & (matches.start > first))
    ok = ~np.isnan(forms.keep_inside[matches.form]) & forms.usable(min_omission_rate)[matches.form]
    ok &= (mark > first) & (matches.end < stop)
    behind = types[batch.codes[np.minimum(matches.end, len(batch.codes) - 1)]]
    marked, pronoun = mark < matches.start, behind["opener"] & behind["clause"]
    divides = {"free": True, "mark": marked | pronoun, "comma": marked, "bare": ~marked}
    ok &= np.any([forms.parting[name][matches.form] & fits for name, fits in divides.items()], axis=0)
    ok &= ~_relative(batch, matches.end)
    ok &= _table(_SUBJECTS)[behind["class"]] & ~types["capital"][batch.codes[matches.start]]
    before = types[batch.codes[np.maximum(mark - 1, 0)]]
    ok &= ~before["link"] & ~_table(_HANGS)[before["class"]]
    ok &= _forms(_COORDINATORS)[matches.form] | ~_table(_MANNER)[before["class"]]
    odds = score(batch, matches)
    others = np.bincount(segment[(odds >= log_odds(OTHER)) & (matches.start > first)], minlength=len(batch.segments))
    ok &= (odds >= log_odds(min(threshold, ANNOUNCED))) & (others[segment] <= 1)
    matches, segment, odds, mark = matches.take(ok), segment[ok], odds[ok], mark[ok]
    first, stop = first[ok], stop[ok]
    form, partner, partner_end = match_partners(batch, matches.form, first, mark, within=True)
    found = Candidates.make(
        batch.segment_rows[segment],
        form=form,
        rate=forms.keep_inside[form],
        first=first,
        border=mark,
        stop=stop,
        cut=mark,
        resume=matches.end,
        start=matches.start,
        end=matches.end,
        partner=partner,
        partner_end=partner_end,
    )
    ok = ((odds >= log_odds(threshold)) | (partner >= 0)) & (form != BLOCKED)
    found, matches = found.take(ok), matches.take(ok)
    return found.take(_plain(batch, found, matches))


def _relative(batch: PassageBatch, place: IntArray) -> BoolArray:
    """Return which places "that" stands at, or behind the word there ("and that ...", "and all that ...")."""
    that, last = batch.vocabulary.find("that"), len(batch.codes) - 1
    found: BoolArray = (batch.codes[np.minimum(place, last)] == that) | (
        batch.codes[np.minimum(place + 1, last)] == that
    )
    return found


def _plain(batch: PassageBatch, found: Candidates, matches: Matches) -> BoolArray:
    """Return which pairs are two plain clauses, finished and not too long, that have what their form asks for."""
    first = _Clause.of(batch, found.first, found.border)
    second = _Clause.of(batch, found.resume, found.stop)
    ok = first.verbs & second.verbs & (first.half + second.half == 0) & (first.bound == 0)
    ok &= _forms(_COORDINATORS)[matches.form] | (second.commas == 0)
    ok &= ~_forms(_DENSE)[matches.form] | (first.commas <= 1)
    ok &= shapes(batch)["stop"][batch.codes[found.stop - 1]]
    ok &= ~np.isin(found.resume, match(batch, np.unique(found.resume)).start)
    found, index = found.take(ok), np.flatnonzero(ok)
    pairs = Arguments(batch, found.first, found.border, found.resume, found.stop)
    ok[index] = fulfilled(matches.form[index], pairs)
    return ok


@dataclass(frozen=True)
class _Clause:
    """What is asked of each of U arguments, arrays of length U."""

    verbs: BoolArray
    """It has enough words, not too many, and a verb among them."""
    commas: IntArray
    half: IntArray
    """Semicolons, dashes, quotes and brackets."""
    bound: IntArray
    """Words that make a clause hang on another one."""

    @classmethod
    def of(cls, batch: PassageBatch, start: IntArray, stop: IntArray) -> Self:
        """Count in these spans."""
        types, size = shapes(batch), stop - start
        seen = types[batch.codes[ranges(start, size)]]
        owner = np.repeat(np.arange(len(size)), size)

        def count(which: BoolArray) -> IntArray:
            found: IntArray = np.bincount(owner[which], minlength=len(size))
            return found

        words, classes = count(seen["word"]), seen["class"]
        verbs = (count(_table(VERBS)[classes]) > 0) & (words >= LEAST) & (words <= MOST)
        return cls(verbs, count(seen["comma"]), count(_table(_HALF)[classes]), count(_table(_BOUND)[classes]))


@cache
def _table(names: frozenset[str]) -> BoolArray:
    """Return for every class whether its name is one of those."""
    return np.array([name in names for name in word_classes()])


@cache
def _forms(names: frozenset[str]) -> BoolArray:
    """Return bool [forms]: which are those."""
    return np.array([form.form in names for form in lexicon().forms])
