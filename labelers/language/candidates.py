"""Pairs of arguments, and what goes from them: the connective that links them, its commas and its partner."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from labelers.edits import Edits
from labelers.language.casing import opening
from labelers.language.context_model import log_odds, score
from labelers.language.matches import Matches, match
from labelers.language.shapes import shapes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, ranges, running_total

__all__ = ["DOUBT", "MOST", "Candidates", "Uses", "pair_counts", "surviving"]

MOST = 80
"""Words that an argument may have: what is longer is a list, or a page without full stops."""

DOUBT = 0.1
"""Probability from which another use of the form in the second argument counts as a connective that survives there."""


@dataclass(frozen=True)
class Uses:
    """U places where a form may link its segment to the one before; all arrays of length U."""

    start: IntArray
    """int64: global position of the form's first token."""
    end: IntArray
    form: IntArray
    segment: IntArray
    cut: IntArray
    """int64: with the form goes ``[cut, resume)``."""
    resume: IntArray
    framed: BoolArray
    """It stands in a frame of its form, and what remains is well punctuated."""
    odds: FloatArray
    """Log odds that it is a connective here."""

    def __len__(self) -> int:
        """Return the number of uses."""
        return len(self.start)

    @classmethod
    def of(cls, matches: Matches, segment: IntArray, **arrays: Any) -> Self:
        """Return the uses of the matches."""
        return cls(matches.start, matches.end, matches.form, segment, **arrays)

    @classmethod
    def concat(cls, parts: Sequence["Uses"]) -> Self:
        """Return the uses of all parts, one part after the other."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def take(self, which: IntArray | BoolArray) -> Self:
        """Return the given uses."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


@dataclass(frozen=True)
class Candidates:
    """C pairs of arguments; all positions are global, all arrays of length C.

    The first argument is ``[first, border)``, the second ``[border, stop)``; of the second goes ``[cut, resume)``, in
    which the connective ``[start, end)`` stands. Without a connective all of these are ``border``.
    """

    rows: IntArray
    """int64, sorted."""
    form: IntArray
    """int64: number of the form in the lexicon, -1 for none."""
    rate: FloatArray
    """float64: the share of such pairs that is kept."""
    first: IntArray
    border: IntArray
    stop: IntArray
    cut: IntArray
    resume: IntArray
    start: IntArray
    end: IntArray
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
            hidden[ranges(start, end - start)] = True
        comma = shapes(batch)["comma"]
        before = comma[batch.codes[paired.partner - 1]] & (paired.partner > paired.first)
        behind = paired.partner_end + comma[batch.codes[paired.partner_end]]
        edits = Edits.concat(
            [
                _deletions(batch, marked.rows, marked.cut, marked.start, marked.resume),
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
        write_offsets=running_total(recased),
        codes=batch.vocabulary.recode(batch.codes[source], opening),
        origin=source,
        copies=source,
        label=np.full(len(rows), -1, np.int64),
    )


def pair_counts(batch: PassageBatch, found: Candidates) -> dict[str, IntArray]:
    """Return what `unmarked_rates` asks of pairs, int64 [C] each: words, quotes, and if it is a dialogue."""
    types = shapes(batch)
    words, quotes = (running_total(types[name][batch.codes]) for name in ("word", "quote"))
    return {
        "first": words[found.border] - words[found.first],
        "second": words[found.stop] - words[found.border] - words[found.resume] + words[found.cut],
        "quoted_first": np.minimum(quotes[found.border] - quotes[found.first], 1),
        "quoted_second": np.minimum(quotes[found.stop] - quotes[found.border], 1),
        "dialogue": batch.spoken[found.rows].astype(np.int64),
    }


def surviving(batch: PassageBatch, found: Candidates) -> BoolArray:
    """Return which pairs show their connective once more: in the second argument, or at the end of the first."""
    marked = np.flatnonzero(found.form >= 0)
    last = np.maximum(found.border - 3, found.first)
    spans = [(last, found.cut), (found.resume, found.stop)]
    looked_at = np.zeros(len(batch.codes), bool)
    for start, stop in spans:
        looked_at[ranges(start[marked], (stop - start)[marked])] = True
    again, size = match(batch, np.flatnonzero(looked_at)), len(batch.codes) + 1
    rows = batch.segment_rows[batch.token_segments[again.start]]
    again = again.take(np.isin(again.form * size + rows, found.form * size + found.rows))
    again = again.take(score(batch, again) >= log_odds(DOUBT))
    shown = np.zeros(len(found), bool)
    keys = np.sort(again.form * size + again.start)
    for start, stop in spans:
        low, high = (np.searchsorted(keys, found.form * size + edge) for edge in (start, stop))
        shown |= high > low
    return shown
