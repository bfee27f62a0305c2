"""Pairs of adjacent segments: those that a connective in the second links, and those that none does."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from labelers.language.asks import Arguments, fulfilled
from labelers.language.candidates import MOST, Candidates, Uses
from labelers.language.context_model import log_odds, score
from labelers.language.forms import BLOCKED, lexicon, unmarked_rates
from labelers.language.matches import Matches, match, match_partners
from labelers.language.medial import medial_uses
from labelers.language.shapes import shape, shapes, word_classes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["segment_pairs"]

LEAST = 3
"""Words that an argument must have."""

LONG = 8
"""Words from which an argument needs no verb or subject that the closed lists know."""

CLEAR = 9
"""Words, that of the mark included, that an argument must have for each mark of a transcriber in it: what has fewer is
given up or started anew."""

SOON = 8
"""Tokens behind a connective in which a speaker who starts over does so."""
DASH = 4
"""Likewise behind one that opens its segment, where a dash shows it: "And my -- no, I left"."""

_PACKED = {"word": 0, "comma": 16, "clause": 32, "quote": 48}
"""Shift of each field of a shape that segments count, in an int64 that holds all their counts."""


def _packed(vocabulary: Vocabulary, new: slice) -> IntArray:
    """Return the int64 that each type adds to the counts of its segment."""
    types = vocabulary.property(shape)[new]
    packed = np.zeros(len(types), np.int64)
    for field, shift in _PACKED.items():
        packed += types[field].astype(np.int64) << shift
    return packed


@dataclass(frozen=True)
class _Segments:
    """What is asked of every segment, arrays of length S."""

    words: IntArray
    commas: IntArray
    clauses: IntArray
    """Tokens that look like the verb or the subject of a clause."""
    quotes: IntArray
    ended: BoolArray
    """A full stop, question or exclamation mark closes it, quotes aside, it did not break off before that, and the
    marks of a transcriber in it are few."""
    joined: BoolArray
    """It follows another segment of its passage and turn, and opens with a small letter if and only if that one does:
    a small letter behind a sentence with a capital goes on with it, as behind the "!" of a quotation."""

    @classmethod
    def of(cls, batch: PassageBatch) -> Self:
        """Count in one pass over the tokens: the counts share an int64, 16 bits each."""
        types = shapes(batch)
        packed = batch.vocabulary.derived(_packed).take(batch.codes)
        counts = np.add.reduceat(packed, batch.segments) if len(batch.segments) else packed
        rows = batch.segment_rows
        joined = np.concatenate([[False], rows[1:] == rows[:-1]])[: len(rows)]
        joined[batch.turns] = False
        lower = types["lower"][batch.codes[batch.segments]]
        joined &= lower == np.roll(lower, 1)
        last = batch.codes[batch.segment_ends - 1]
        before = batch.codes[np.maximum(batch.segment_ends - 2, batch.segments)]
        broken = batch.vocabulary.find("}")  # a mark of a transcriber that a turn may break off with
        ended = (types["stop"][last] & (before != broken)) | (types["quote"][last] & types["stop"][before])
        words, commas, clauses, quotes = (counts >> shift & 0xFFFF for shift in _PACKED.values())
        marks = batch.token_segments[np.flatnonzero(batch.codes == broken)]
        marked = np.bincount(marks, minlength=len(rows))
        return cls(words, commas, clauses, quotes, ended & (marked * CLEAR <= words), joined)

    def pairs(self) -> BoolArray:
        """Return which segments can be a second argument, after one that can be a first: both finished clauses."""
        clause = self.ended & ((self.clauses > 0) | (self.words >= LONG)) & (self.words <= MOST)
        fits = clause & (self.words >= LEAST)
        return self.joined & np.roll(fits, 1) & fits


def segment_pairs(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of adjacent segments with one connective in the second, at its opening or inside, or with none.

    A second segment that may hold any other connective is in no pair.
    """
    about, matches = _Segments.of(batch), match(batch, batch.segments)
    pairs = about.pairs()
    inside = medial_uses(batch, pairs)
    opening, segment = np.full(len(batch.segments), -1), np.searchsorted(batch.segments, matches.start)
    opening[segment] = matches.form
    uses = np.bincount(inside.segment, minlength=len(batch.segments)) + (opening >= 0)
    found = Uses.concat([_openings(batch, about, matches.take(pairs[segment])), inside.take(inside.framed)])
    ok = (uses[found.segment] == 1) & (found.odds >= log_odds(threshold))
    ok &= about.words[found.segment] >= LEAST + found.end - found.start
    ok &= (opening[found.segment - 1] != found.form) & ~_starts_over(batch, found)
    ok &= lexicon().usable(min_omission_rate)[found.form] & ~np.isnan(lexicon().keep[found.form])
    found = found.take(ok)
    found = found.take(fulfilled(found.form, _arguments(batch, found)))
    return Candidates.concat([_marked(batch, found), _unmarked(batch, about, pairs & (uses == 0))])


def _arguments(batch: PassageBatch, found: Uses) -> Arguments:
    """Return the arguments of uses in segments that follow another one."""
    second = batch.segments[found.segment]
    return Arguments(
        batch,
        batch.segments[found.segment - 1],
        second,
        np.where(found.cut == second, found.resume, second),
        batch.segment_ends[found.segment],
    )


def _openings(batch: PassageBatch, about: _Segments, matches: Matches) -> Uses:
    """Return the connectives among the forms that open segments; the comma behind them goes with them."""
    forms, types = lexicon(), shapes(batch)
    segment = np.searchsorted(batch.segments, matches.start)
    resume = matches.end + types["comma"][batch.codes[np.minimum(matches.end, len(batch.codes) - 1)]]
    ok = forms.opens[matches.form] & (resume < batch.segment_ends[segment])
    ok &= ~(forms.alone[matches.form] & (about.commas[segment] > 0))
    ok &= ~(forms.marked[matches.form] & (resume == matches.end))
    ok &= ~(forms.bare[matches.form] & (resume > matches.end))
    matches, segment, resume = matches.take(ok), segment[ok], resume[ok]
    next_type = types[batch.codes[resume]]
    # "Thus saying, he left" tells the manner, "Also known as ..." a name, "Thus far" a time; "Then came the rain" would
    # be left with its verb before its subject
    bound = next_type["ing"] | next_type["gone"] | (next_type["finite"] & ~_asks(batch, segment))
    bound |= batch.codes[resume] == batch.vocabulary.find("far")
    ok = next_type["word"] & ~(bound & (resume == matches.end)) & ~np.isin(resume, match(batch, resume).start)
    matches, segment, resume = matches.take(ok), segment[ok], resume[ok]
    return Uses.of(
        matches,
        segment,
        cut=matches.start,
        resume=resume,
        framed=np.ones(len(matches), bool),
        odds=score(batch, matches),
    )


def _starts_over(batch: PassageBatch, found: Uses) -> BoolArray:
    """Return which uses a transcriber's mark or a dash follows soon: what the connective opened is given up."""
    place = np.minimum(found.end + np.arange(SOON)[:, None], batch.segment_ends[found.segment] - 1)
    codes, opens = batch.codes[place], found.start == batch.segments[found.segment]
    dash = (shapes(batch)["class"][codes[:DASH]] == word_classes()["dash"]).any(axis=0)
    over: BoolArray = (codes == batch.vocabulary.find("}")).any(axis=0) | (opens & dash)
    return over


def _asks(batch: PassageBatch, segment: IntArray) -> BoolArray:
    """Return which segments end with a question mark, a quote behind it aside."""
    question, end = batch.vocabulary.find("?"), batch.segment_ends[segment]
    found: BoolArray = (batch.codes[end - 1] == question) | (batch.codes[np.maximum(end - 2, 0)] == question)
    return found


def _marked(batch: PassageBatch, found: Uses) -> Candidates:
    """Return the pairs that these connectives link."""
    first, border = batch.segments[found.segment - 1], batch.segments[found.segment]
    form, partner, partner_end = match_partners(batch, found.form, first, border, within=False)
    rows = batch.segment_rows[found.segment]
    pairs = Candidates.make(
        rows,
        form=form,
        rate=np.where(batch.spoken[rows], lexicon().keep_dialogue[form], lexicon().keep[form]),
        first=first,
        border=border,
        stop=batch.segment_ends[found.segment],
        cut=found.cut,
        resume=found.resume,
        start=found.start,
        end=found.end,
        partner=partner,
        partner_end=partner_end,
    )
    return pairs.take(form != BLOCKED)


def _unmarked(batch: PassageBatch, about: _Segments, free: BoolArray) -> Candidates:
    """Return the pairs whose second segment is free of connectives, kept as often as marked pairs of their kind are."""
    segment = np.flatnonzero(free & shapes(batch)["word"][batch.codes[batch.segments]])
    at = batch.segments[segment]
    rows = batch.segment_rows[segment]
    return Candidates.make(
        rows,
        rate=unmarked_rates(
            first=about.words[segment - 1],
            second=about.words[segment],
            quoted_first=np.minimum(about.quotes[segment - 1], 1),
            quoted_second=np.minimum(about.quotes[segment], 1),
            dialogue=batch.spoken[rows].astype(np.int64),
        ),
        first=batch.segments[segment - 1],
        border=at,
        stop=batch.segment_ends[segment],
        cut=at,
        resume=at,
        start=at,
        end=at,
    )
