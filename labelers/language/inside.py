"""Pairs of clauses within one sentence, linked by a connective between them: "I wanted to go, *but* she was ill"."""

import numpy as np

from labelers.language.candidates import MOST, Candidates
from labelers.language.discourse import log_odds, score
from labelers.language.forms import BLOCKED, lexicon, match, match_partners
from labelers.language.shapes import shapes
from labelers.passages import BoolArray, IntArray, PassageBatch, running_total

__all__ = ["inside_candidates"]

LEAST = 2
"""Words that a clause must have: a subject and a verb."""

ANNOUNCED = 0.5
"""Probability that is enough where a partner announces the connective ("if ... then")."""


def inside_candidates(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of clauses of one sentence that a connective at a clause boundary links."""
    forms, types = lexicon(), shapes(batch)
    matches = match(batch)
    segment = batch.token_segments[matches.start]
    first, stop = batch.segments[segment], batch.segment_ends[segment]
    mark = matches.start - (types["mark"][batch.codes[matches.start - 1]] & (matches.start > first))
    second = matches.end + types["comma"][batch.codes[np.minimum(matches.end, len(batch.codes) - 1)]]
    ok = forms.usable(min_omission_rate)[matches.form] & (mark > first) & (second < stop)
    before, behind = batch.codes[np.maximum(mark - 1, 0)], batch.codes[np.minimum(second, len(batch.codes) - 1)]
    pronoun = types["opener"] & types["clause"]
    ok &= forms.free[matches.form] | (mark < matches.start) | pronoun[behind]
    ok &= types["opener"][behind] & ~types["link"][before]
    odds = score(batch, matches)
    ok &= ~np.isnan(forms.keep_inside[matches.form]) & (odds >= log_odds(min(threshold, ANNOUNCED)))
    for lower, upper in ((first, mark), (second, stop)):
        ok &= _clause(batch, lower, np.maximum(upper, lower))
    matches, first, mark, second, stop = matches.take(ok), first[ok], mark[ok], second[ok], stop[ok]
    form, partner, partner_end = match_partners(batch, matches.form, first, mark, within=True)
    found = Candidates.make(
        batch.segment_rows[segment[ok]],
        form=form,
        rate=forms.keep_inside[form],
        first=first,
        border=mark,
        stop=stop,
        cut=mark,
        resume=second,
        start=matches.start,
        end=matches.end,
        partner=partner,
        partner_end=partner_end,
    )
    sure = (odds[ok] >= log_odds(threshold)) | (partner >= 0)
    return found.take(sure & (form != BLOCKED) & ~np.isin(second, match(batch, np.unique(second)).start))


def _clause(batch: PassageBatch, start: IntArray, stop: IntArray) -> BoolArray:
    """Return which spans have enough words, not too many, and look like a clause."""
    types = shapes(batch)
    words, clauses = (running_total(types[name][batch.codes]) for name in ("word", "clause"))
    count = words[stop] - words[start]
    fits: BoolArray = (count >= LEAST) & (count <= MOST) & (clauses[stop] > clauses[start])
    return fits
