"""Pairs of clauses within one sentence, linked by a connective between them: "I wanted to go, *but* she was ill".

What remains must be two clauses of which each stands for itself, so that the sentence is a plain one: no other
connective links clauses in it, and no clause in either argument hangs on something of the other.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from labelers.language.asks import Arguments, fulfilled
from labelers.language.candidates import MOST, Candidates
from labelers.language.context_model import log_odds, score
from labelers.language.forms import BLOCKED, forms_among, lexicon
from labelers.language.matches import Matches, inside_openers, match, match_partners, openers
from labelers.language.shapes import VERBS, classes_among, shape, shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, ranges
from labelers.vocabulary import Vocabulary

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

_PARTNERED = frozenset({"then"})
"""Forms that a subordinator may announce: "If he comes, *then* we leave"."""

_HANGS = frozenset(
    {
        "filler",
        "be",
        "have",
        "do",
        "modal",
        "not",
        "say",
        "wh",
        "to",
        "time",
        "degree",
        "article",
        "possessive",
        "of",
        "than",
    }
)
"""Classes that do not end a clause that stands for itself ("He says", "It is"), or that measure what follows."""

_MANNER = frozenset({"ly"})
"""Class of words that measure the subordinator behind them: "shortly after", "especially since"."""

_HALF = frozenset({"semicolon", "dash", "quote", "open", "close"})
"""Classes of marks that neither argument holds."""

_BOUND = frozenset({"wh", "subordinator"})
"""Classes of words that make a clause hang on something else."""

_SUBJECTS = frozenset(
    {"subject", "neutral", "there", "person", "possessive", "article", "this", "quantity", "number", "title", "upper"}
)
"""Classes that the second argument opens with."""


def inside_candidates(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of clauses of one sentence that a connective at a clause boundary links."""
    forms = lexicon()
    matches = _dividing(batch, match(batch, _followed(batch, inside_openers(batch))), min_omission_rate)
    matches = matches.take(_plain(batch, matches))
    matches, odds = _alone(batch, matches)
    likely = odds >= log_odds(min(threshold, ANNOUNCED))
    matches, odds = matches.take(likely), odds[likely]
    segment, mark = batch.token_segments[matches.start], _marks(batch, matches)
    first, stop = batch.segments[segment], batch.segment_ends[segment]
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
    return found.take(((odds >= log_odds(threshold)) | (partner >= 0)) & (form != BLOCKED))


def _followed(batch: PassageBatch, places: IntArray) -> IntArray:
    """Return those of the places that a subject may follow, or that open a form of several words."""
    behind = batch.codes[np.minimum(places + 1, len(batch.codes) - 1)]
    several = {form.form.split()[0] for form in lexicon().forms if form.inside and " " in form.form}
    numbers = [batch.vocabulary.find(word) for word in sorted(several)]
    kept: IntArray = places[
        classes_among(_SUBJECTS)[shapes(batch)["class"][behind]] | np.isin(batch.codes[places], numbers)
    ]
    return kept


def _marks(batch: PassageBatch, matches: Matches) -> IntArray:
    """Return where the first arguments end: at the form, or at the mark before it."""
    first = batch.segments[batch.token_segments[matches.start]]
    marked = shapes(batch)["mark"][batch.codes[matches.start - 1]] & (matches.start > first)
    place: IntArray = matches.start - marked
    return place


def _dividing(batch: PassageBatch, matches: Matches, min_omission_rate: float) -> Matches:
    """Return the matches that stand where a clause may end and another one begin, by the words around them."""
    forms, types = lexicon(), shapes(batch)
    segment, mark = batch.token_segments[matches.start], _marks(batch, matches)
    ok = ~np.isnan(forms.keep_inside[matches.form]) & forms.usable(min_omission_rate)[matches.form]
    ok &= (mark > batch.segments[segment]) & (matches.end < batch.segment_ends[segment])
    matches, mark = matches.take(ok), mark[ok]
    behind, before = types[batch.codes[matches.end]], types[batch.codes[mark - 1]]
    marked, pronoun = mark < matches.start, behind["opener"] & behind["clause"]
    divides = {"free": True, "mark": marked | pronoun, "comma": marked, "bare": ~marked}
    ok = np.any([forms.parting[name][matches.form] & fits for name, fits in divides.items()], axis=0)
    ok &= ~_relative(batch, matches.end)
    ok &= classes_among(_SUBJECTS)[behind["class"]] & ~types["capital"][batch.codes[matches.start]]
    ok &= ~before["link"] & ~classes_among(_HANGS)[before["class"]]
    ok &= forms_among(*_COORDINATORS)[matches.form] | ~classes_among(_MANNER)[before["class"]]
    return matches.take(ok)


def _alone(batch: PassageBatch, matches: Matches) -> tuple[Matches, FloatArray]:
    """Return the matches that no other likely connective stands beside in their segments, and their log odds."""
    segments = np.unique(batch.token_segments[matches.start])
    first = batch.segments[segments]
    every = match(batch, openers(batch, ranges(first + 1, batch.segment_ends[segments] - first - 1)))
    odds, segment = score(batch, every), batch.token_segments[every.start]
    likely = np.bincount(segment[odds >= log_odds(OTHER)], minlength=len(batch.segments))
    size = len(lexicon().forms)
    ok = np.isin(every.start * size + every.form, matches.start * size + matches.form) & (likely[segment] <= 1)
    return every.take(ok), odds[ok]


def _relative(batch: PassageBatch, place: IntArray) -> BoolArray:
    """Return which places "that" stands at, or behind the word there ("and that ...", "and all that ...")."""
    that, last = batch.vocabulary.find("that"), len(batch.codes) - 1
    found: BoolArray = (batch.codes[np.minimum(place, last)] == that) | (
        batch.codes[np.minimum(place + 1, last)] == that
    )
    return found


def _plain(batch: PassageBatch, matches: Matches) -> BoolArray:
    """Return which matches divide two plain clauses, finished and not too long, that have what the form asks for."""
    segment = batch.token_segments[matches.start]
    pairs = Arguments(batch, batch.segments[segment], _marks(batch, matches), matches.end, batch.segment_ends[segment])
    ok = shapes(batch)["stop"][batch.codes[pairs.stop - 1]]
    ok &= ~np.isin(pairs.second, match(batch, np.unique(pairs.second)).start)
    index = np.flatnonzero(ok)
    pairs, form = pairs.take(index), matches.form[index]
    partnered = forms_among(*_PARTNERED)[form]  # by the first token, as far as it is one
    first = _Clause.of(batch, pairs.first + partnered, pairs.border)
    second = _Clause.of(batch, pairs.second, pairs.stop)
    plain = first.verbs & second.verbs & (first.broken + second.broken == 0)
    plain &= forms_among(*_COORDINATORS)[form] | (second.commas == 0)
    plain &= ~forms_among(*_DENSE)[form] | (first.commas <= 1)
    index, pairs, form = index[plain], pairs.take(np.flatnonzero(plain)), form[plain]
    found = np.zeros(len(matches), bool)
    found[index] = fulfilled(form, pairs)
    return found


@dataclass(frozen=True)
class _Clause:
    """What is asked of each of U arguments, arrays of length U."""

    verbs: BoolArray
    """It has enough words, not too many, and a verb among them."""
    commas: IntArray
    broken: IntArray
    """Semicolons, dashes, quotes, brackets, and words that make a clause hang on another one."""

    @classmethod
    def of(cls, batch: PassageBatch, start: IntArray, stop: IntArray) -> Self:
        """Count in these spans, none of which is empty or ends with "to"."""
        size = stop - start
        codes = batch.codes[ranges(start, size)]
        packed = batch.vocabulary.derived(_packed)[codes]
        packed[1:] &= ~np.where(codes[:-1] == batch.vocabulary.find("to"), 0xFFFF << _PACKED["verb"], 0)
        counts = np.add.reduceat(packed, np.cumsum(size) - size) if len(size) else packed
        words, verbs, commas, half = (counts >> shift & 0xFFFF for shift in _PACKED.values())
        return cls((verbs > 0) & (words >= LEAST) & (words <= MOST), commas, half)


_PACKED = {"word": 0, "verb": 16, "comma": 32, "half": 48}
"""Shift of each count in an int64 that holds all of a clause; a verb behind "to" makes no clause."""


def _packed(vocabulary: Vocabulary, new: slice) -> IntArray:
    """Return the int64 that each type adds to the counts of its clause."""
    types = vocabulary.property(shape)[new]
    packed = np.zeros(len(types), np.int64)
    counted = {"word": types["word"], "verb": classes_among(VERBS)[types["class"]], "comma": types["comma"]}
    counted["half"] = classes_among(_HALF | _BOUND)[types["class"]]
    for field, shift in _PACKED.items():
        packed += counted[field].astype(np.int64) << shift
    return packed
