"""Pairs of arguments that passages offer: those that a connective links, and those that none does."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labelers.discourse import log_odds, score, shapes
from labelers.edits import Edits
from labelers.forms import BLOCKED, Matches, lexicon, match, match_partners, unmarked_rates
from labelers.passages import BoolArray, IntArray, PassageBatch

__all__ = ["Candidates", "inside_candidates", "opening_candidates", "pair_counts", "surviving"]

LEAST = 3
"""Words that an argument between segments must have."""

LEAST_INSIDE = 2
"""Words that a clause of a sentence must have: a subject and a verb."""

LONG = 8
"""Words from which an argument between segments needs no verb or subject that the closed lists know."""

MOST = 60
"""Words that it may have: what is longer is a list, or a page without full stops."""

ANNOUNCED = 0.5
"""Probability that is enough where a partner announces the connective ("if ... then")."""

DOUBT = 0.1
"""Probability from which another use of the form in the second argument counts as a connective that survives there."""

FloatArray = npt.NDArray[np.float64]


def places(start: IntArray, end: IntArray) -> IntArray:
    """Return the positions in the spans ``[start, end)``, one span after the other."""
    size = end - start
    found: IntArray = np.arange(size.sum()) + np.repeat(start - np.cumsum(size) + size, size)
    return found


@dataclass(frozen=True)
class Candidates:
    """C pairs of arguments; all positions are global, all arrays of length C.

    The first argument is ``[first, mark)``; ``[mark, second)`` goes, within it the connective ``[start, end)``; the
    second argument is ``[second, stop)``. Without a connective, ``mark`` to ``second`` are one position.
    """

    rows: IntArray
    """int64, sorted."""
    form: IntArray
    """int64: number of the form in the lexicon, -1 for none."""
    rate: FloatArray
    """float64: the share of such pairs that is kept."""
    first: IntArray
    mark: IntArray
    start: IntArray
    end: IntArray
    second: IntArray
    stop: IntArray
    partner: IntArray
    """int64: where the partner of a paired form starts in the first argument, -1 for none."""
    partner_end: IntArray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.rows)

    @classmethod
    def make(cls, rows: IntArray, **arrays: Any) -> Self:
        """Return candidates of the given arrays; what is not given is -1."""
        blank = np.full(len(rows), -1, np.int64)
        return cls(rows=rows, **{f.name: arrays.get(f.name, blank) for f in fields(cls) if f.name != "rows"})

    def take(self, which: IntArray | BoolArray) -> Self:
        """Return the given pairs (indices or a mask)."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence["Candidates"]) -> Self:
        """Return the pairs of all parts, sorted by row."""
        joined = cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})
        return joined.take(np.argsort(joined.rows, kind="stable"))

    def removal(self, batch: PassageBatch) -> tuple[Edits, BoolArray]:
        """Return the edits that remove connectives and their partners, and bool [N]: the tokens of both."""
        marked, paired = self.take(self.form >= 0), self.take(self.partner >= 0)
        hidden = np.zeros(len(batch.codes), bool)
        for start, end in ((marked.start, marked.end), (paired.partner, paired.partner_end)):
            hidden[places(start, end)] = True
        comma = shapes(batch)["comma"]
        before = comma[batch.codes[paired.partner - 1]] & (paired.partner > paired.first)
        behind = paired.partner_end + comma[batch.codes[paired.partner_end]]
        edits = Edits.concat(
            [
                _deletions(batch, marked.rows, marked.mark, marked.start, marked.second),
                _deletions(batch, paired.rows, paired.partner - before, paired.partner, behind),
            ]
        )
        return edits.take(edits.order()), hidden


def _deletions(batch: PassageBatch, rows: IntArray, start: IntArray, word: IntArray, stop: IntArray) -> Edits:
    """Return edits that delete ``[start, stop)``; the capital of the token at ``word`` goes to the one at ``stop``."""
    types = shapes(batch)
    case = types["case"]
    recased = (case[batch.codes[word]] > 0) & (case[batch.codes[stop]] == 0) & types["word"][batch.codes[stop]]
    source = stop[recased]
    return Edits(
        rows=rows,
        start=start,
        end=stop + recased,
        write_offsets=np.concatenate([[0], np.cumsum(recased)]).astype(np.int64),
        codes=batch.vocabulary.recode(batch.codes[source], _capitalised),
        origin=source,
        copies=source,
        label=np.full(len(rows), -1, np.int64),
    )


def _capitalised(text: str) -> str:
    """Return the word with a capital, left alone where it has capitals of its own ("iPhone")."""
    return text[0].upper() + text[1:] if text.islower() else text


@dataclass(frozen=True)
class _Segments:
    """What is asked of every segment, arrays of length S."""

    words: IntArray
    commas: IntArray
    clauses: IntArray
    """Tokens that look like the verb or the subject of a clause."""
    quotes: IntArray
    ended: BoolArray
    """A full stop, question or exclamation mark closes it, quotes aside."""
    joined: BoolArray
    """It follows another segment of its passage and turn, and opens with a small letter if and only if that one does:
    a small letter behind a sentence with a capital goes on with it, as behind the "!" of a quotation."""

    @classmethod
    def of(cls, batch: PassageBatch) -> Self:
        """Count in one pass over the tokens: the counts share an int64, 16 bits each."""
        types = shapes(batch)
        packed = types["packed"][batch.codes]
        counts = np.add.reduceat(packed, batch.segments) if len(batch.segments) else packed
        rows = batch.segment_rows
        joined = np.concatenate([[False], rows[1:] == rows[:-1]])[: len(rows)]
        joined[batch.turns] = False
        lower = types["lower"][batch.codes[batch.segments]]
        joined &= lower == np.roll(lower, 1)
        last = batch.codes[batch.segment_ends - 1]
        before = batch.codes[np.maximum(batch.segment_ends - 2, batch.segments)]
        ended = types["stop"][last] | (types["quote"][last] & types["stop"][before])
        words, commas, clauses, quotes = (counts >> shift & 0xFFFF for shift in (0, 16, 32, 48))
        return cls(words, commas, clauses, quotes, ended, joined)

    def pairs(self) -> BoolArray:
        """Return which segments can be a second argument, after one that can be a first: both finished clauses."""
        clause = self.ended & ((self.clauses > 0) | (self.words >= LONG)) & (self.words <= MOST)
        fits = clause & (self.words >= LEAST)
        return self.joined & np.roll(fits, 1) & fits


def opening_candidates(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of adjacent segments: those whose second opens with a connective, and with no form at all."""
    forms = lexicon()
    about = _Segments.of(batch)
    matches = match(batch, batch.segments)
    segment = np.searchsorted(batch.segments, matches.start)
    opening = np.full(len(batch.segments), -1)
    opening[segment] = matches.form
    usable = forms.usable(min_omission_rate)
    alone = forms.alone[matches.form]
    second = matches.end + shapes(batch)["comma"][batch.codes[np.minimum(matches.end, len(batch.codes) - 1)]]
    ok = usable[matches.form] & ~np.isnan(forms.keep[matches.form])
    ok &= about.pairs()[segment]
    ok &= about.words[segment] >= LEAST + matches.end - matches.start
    ok &= (second < batch.segment_ends[segment]) & ~(alone & (about.commas[segment] > 0))
    ok &= (opening[segment] != opening[segment - 1]) & ~(forms.marked[matches.form] & (second == matches.end))
    matches, segment, second = matches.take(ok), segment[ok], second[ok]
    # "Thus saying, he left" tells the manner
    manner = shapes(batch)["ing"][batch.codes[second]] & (second == matches.end)
    ok = ~manner & shapes(batch)["word"][batch.codes[second]] & (score(batch, matches) >= log_odds(threshold))
    ok &= ~np.isin(second, match(batch, second).start)
    marked = _opening(batch, matches.take(ok), segment[ok], second[ok])
    return Candidates.concat([marked, _unmarked(batch, about, opening)])


def _opening(batch: PassageBatch, matches: Matches, segment: IntArray, second: IntArray) -> Candidates:
    """Return the pairs whose second segment opens with these connectives."""
    form, partner, partner_end = match_partners(
        batch, matches.form, batch.segments[segment - 1], batch.segment_ends[segment - 1], within=False
    )
    rows = batch.segment_rows[segment]
    found = Candidates.make(
        rows,
        form=form,
        rate=np.where(_dialogue(batch)[rows], lexicon().keep_dialogue[form], lexicon().keep[form]),
        first=batch.segments[segment - 1],
        mark=matches.start,
        start=matches.start,
        end=matches.end,
        second=second,
        stop=batch.segment_ends[segment],
        partner=partner,
        partner_end=partner_end,
    )
    return found.take(form != BLOCKED)


def _unmarked(batch: PassageBatch, about: _Segments, opening: IntArray) -> Candidates:
    """Return the pairs whose second segment opens with no form, kept as often as marked pairs of their kind are."""
    segment = np.flatnonzero((opening < 0) & about.pairs() & shapes(batch)["word"][batch.codes[batch.segments]])
    at = batch.segments[segment]
    rows = batch.segment_rows[segment]
    return Candidates.make(
        rows,
        rate=unmarked_rates(
            first=about.words[segment - 1],
            second=about.words[segment],
            quoted_first=np.minimum(about.quotes[segment - 1], 1),
            quoted_second=np.minimum(about.quotes[segment], 1),
            dialogue=_dialogue(batch)[rows].astype(np.int64),
        ),
        first=batch.segments[segment - 1],
        mark=at,
        start=at,
        end=at,
        second=at,
        stop=batch.segment_ends[segment],
    )


def _dialogue(batch: PassageBatch) -> BoolArray:
    """Return which rows have turns."""
    return np.diff(batch.turn_offsets) > 0


def pair_counts(batch: PassageBatch, found: Candidates) -> dict[str, IntArray]:
    """Return what `unmarked_rates` asks of pairs, int64 [C] each: words, quotes, and if it is a dialogue."""
    types = shapes(batch)
    words, quotes = (np.concatenate([[0], np.cumsum(types[name][batch.codes])]) for name in ("word", "quote"))
    return {
        "first": words[found.mark] - words[found.first],
        "second": words[found.stop] - words[found.second],
        "quoted_first": np.minimum(quotes[found.mark] - quotes[found.first], 1),
        "quoted_second": np.minimum(quotes[found.stop] - quotes[found.second], 1),
        "dialogue": _dialogue(batch)[found.rows].astype(np.int64),
    }


def inside_candidates(batch: PassageBatch, threshold: float, min_omission_rate: float) -> Candidates:
    """Return the pairs of clauses of one sentence that a connective at a clause boundary links."""
    forms, types = lexicon(), shapes(batch)
    matches = match(batch)
    segment = np.searchsorted(batch.segments, matches.start, side="right") - 1
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
        mark=mark,
        start=matches.start,
        end=matches.end,
        second=second,
        stop=stop,
        partner=partner,
        partner_end=partner_end,
    )
    sure = (odds[ok] >= log_odds(threshold)) | (partner >= 0)
    return found.take(sure & (form != BLOCKED) & ~np.isin(second, match(batch, np.unique(second)).start))


def _clause(batch: PassageBatch, start: IntArray, stop: IntArray) -> BoolArray:
    """Return which spans have enough words, not too many, and look like a clause."""
    types = shapes(batch)
    words = np.concatenate([[0], np.cumsum(types["word"][batch.codes])])
    clauses = np.concatenate([[0], np.cumsum(types["clause"][batch.codes])])
    count = words[stop] - words[start]
    fits: BoolArray = (count >= LEAST_INSIDE) & (count <= MOST) & (clauses[stop] > clauses[start])
    return fits


def surviving(batch: PassageBatch, found: Candidates) -> BoolArray:
    """Return which pairs show their connective once more: in the second argument, or at the end of the first."""
    marked = np.flatnonzero(found.form >= 0)
    spans = [(found.second, found.stop), (np.maximum(found.mark - 3, found.first), found.mark)]
    looked_at = np.concatenate([places(start[marked], stop[marked]) for start, stop in spans])
    again = match(batch, np.unique(looked_at))
    again = again.take(score(batch, again) >= log_odds(DOUBT))
    shown = np.zeros(len(found), bool)
    size = len(batch.codes) + 1
    keys = np.sort(again.form * size + again.start)
    for start, stop in spans:
        low, high = (np.searchsorted(keys, found.form * size + edge) for edge in (start, stop))
        shown |= high > low
    return shown & (found.form >= 0)
