"""Finding connectives: which strings of the lexicon's forms link two clauses or sentences where they stand.

Most forms have other uses ("and" joins nouns, "so" is a degree word). The model of `labelers.language.context_model`
decides, and a few rules. ``benchmarks/connectives.py`` measures it.
"""

import math
from dataclasses import dataclass

import numpy as np

from labelers.language.asks import is_one_of
from labelers.language.context_model import log_odds, score
from labelers.language.forms import forms_among
from labelers.language.matches import Matches, match
from labelers.language.shapes import classes_among, shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray

__all__ = ["ABSTAINS", "THRESHOLD", "Connectives", "barred", "find_connectives"]

THRESHOLD = 0.78
"""Probability from which a match counts as a connective: cross-validated precision 0.93, recall 0.62."""

ABSTAINS = ("or",)
"""Forms that `find_connectives` leaves alone: a tenth of their uses is found at that precision."""

_EASE = math.log(0.78 / 0.22) - math.log(0.65 / 0.35)
"""Log odds by which `find_connectives` is easier on "so": inside a sentence 0.65 is as sure as 0.78 is elsewhere."""


@dataclass(frozen=True)
class Connectives:
    """C connectives found in a batch."""

    start: IntArray
    """int64 [C]: global position of the first token."""
    end: IntArray
    """int64 [C]: global position behind the last token."""
    form: IntArray
    """int64 [C]: number of the form in the lexicon."""
    score: FloatArray
    """float64 [C]: probability that it is a connective here."""

    def __len__(self) -> int:
        """Return the number of connectives."""
        return len(self.start)


def barred(batch: PassageBatch, matches: Matches) -> BoolArray:
    """Return which matches link nothing whatever the model says.

    They are forms of `ABSTAINS`, questions and comparisons ("know when", "sure if", "than if"), reasons that are said
    of something ("It is because"), and a "so" that opens a segment, as half of those open a new topic.
    """
    segment = batch.token_segments[matches.start]
    first = batch.segments[segment]
    before = np.maximum(matches.start - 1, first)
    classes = shapes(batch)["class"][batch.codes[before]]
    bound = classes_among(frozenset({"be", "than"}))[classes] | is_one_of(batch, before, "inquiry")
    barred = forms_among("if", "when")[matches.form] & bound
    barred |= forms_among("because")[matches.form] & classes_among(frozenset({"be"}))[classes]
    barred |= forms_among("so")[matches.form] & (matches.start == first)
    return np.asarray(barred | forms_among(*ABSTAINS)[matches.form])


def find_connectives(batch: PassageBatch, threshold: float = THRESHOLD, *, at: IntArray | None = None) -> Connectives:
    """Mark the connectives of a batch; nothing is removed.

    Args:
        batch: P passages, in English.
        threshold: the least probability that counts.
        at: global positions, sorted, to look at; None for all.
    """
    matches = match(batch, at)
    matches = matches.take(~barred(batch, matches))
    odds = score(batch, matches)
    found = odds + _EASE * forms_among("so")[matches.form] >= log_odds(threshold)
    taken = matches.take(found)
    return Connectives(taken.start, taken.end, taken.form, 1 / (1 + np.exp(-odds[found])))
