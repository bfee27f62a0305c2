"""Edits, and weaving them into views: what a labeler changes in a text, kept separate from the changed text.

An edit replaces source tokens [start, end) by other tokens. All positions are global, into the N tokens of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ragged_take, ranges, running_total

__all__ = ["Edits", "View", "collisions", "leaks", "source_view", "weave"]


@dataclass(frozen=True)
class Edits:
    """E edits, in the order of (row, start), that write W tokens in all.

    No written span overlaps another; where an insertion and a replacement start at one token, the insertion stands
    first.
    """

    rows: IntArray
    """int64 [E]: row of each edit."""
    start: IntArray
    """int64 [E]: global position of the first source token replaced; an insertion (start == end) stands before it."""
    end: IntArray
    """int64 [E]: global position behind the last source token replaced."""
    write_offsets: IntArray
    """int64 [E + 1]: tokens written by each edit; none is a deletion."""
    codes: IntArray
    """int64 [W]: types of the tokens written."""
    origin: IntArray
    """int64 [W]: global source position that the token still stands for (a re-cased token), -1 where it is new."""
    copies: IntArray
    """int64 [W]: global source position whose form it shows (a repeat, a re-cased token), -1 for none."""
    label: IntArray
    """int64 [E]: a number of the labeler's own, -1 for none."""

    def __len__(self) -> int:
        """Return the number of edits."""
        return len(self.rows)

    @cached_property
    def writers(self) -> IntArray:
        """int64 [W]: the edit that writes each token."""
        return np.repeat(np.arange(len(self)), np.diff(self.write_offsets))

    @classmethod
    def none(cls) -> Self:
        """Return no edits."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, np.zeros(1, np.int64), empty, empty, empty, empty)

    def take(self, edits: IntArray) -> Self:
        """Return the given edits (indices or a mask), in the given order."""
        edits = np.flatnonzero(edits) if np.asarray(edits).dtype == bool else np.asarray(edits, np.int64)
        written, offsets = ragged_take(self.write_offsets, edits)
        return type(self)(
            rows=self.rows[edits],
            start=self.start[edits],
            end=self.end[edits],
            write_offsets=offsets,
            codes=self.codes[written],
            origin=self.origin[written],
            copies=self.copies[written],
            label=self.label[edits],
        )

    @classmethod
    def concat(cls, parts: Sequence["Edits"]) -> Self:
        """Return the edits of all parts, in the order of the parts; `sorted` brings them into the order of rows."""
        lengths = np.concatenate([np.diff(part.write_offsets) for part in parts])
        return cls(
            rows=np.concatenate([part.rows for part in parts]),
            start=np.concatenate([part.start for part in parts]),
            end=np.concatenate([part.end for part in parts]),
            write_offsets=running_total(lengths),
            codes=np.concatenate([part.codes for part in parts]),
            origin=np.concatenate([part.origin for part in parts]),
            copies=np.concatenate([part.copies for part in parts]),
            label=np.concatenate([part.label for part in parts]),
        )

    def order(self) -> IntArray:
        """Return the indices that sort the edits by row, start and end (an insertion before a replacement)."""
        return np.lexsort((self.end, self.start, self.rows))


@dataclass(frozen=True)
class View:
    """A token sequence per row that an encoder reads: M tokens in P rows."""

    codes: IntArray
    """int64 [M]."""
    offsets: IntArray
    """int64 [P + 1]."""
    origin: IntArray
    """int64 [M]: global source position of each token, -1 where inserted."""
    edit: IntArray
    """int64 [M]: index of the edit that wrote the token, -1 where the source's own token stands."""
    touched: BoolArray
    """bool [M]: written by an edit, or copied by one: what a mask must leave alone."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1

    @cached_property
    def rows(self) -> IntArray:
        """int64 [M]: the row of each token."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def positions(self) -> IntArray:
        """int64 [M]: the position of each token in its row of the view."""
        positions: IntArray = np.arange(len(self.codes)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        return positions

    def locate(self, batch: PassageBatch, positions: IntArray, rows: IntArray) -> IntArray:
        """Return where in its row of the view each global source position begins: behind all that stands before it.

        Spans [start, end) of the source map to spans of the view by their two ends. What was inserted between two
        source tokens belongs to the later one, so that what a speaker repeats at the start of a sentence stands in
        that sentence; the end of a row is the end of its view.
        """
        # place behind the last kept token up to each position; the last one is that of tokens without an origin
        behind = np.zeros(len(batch.codes) + 2, np.int64)
        behind[1:][self.origin] = np.arange(1, len(self.codes) + 1)
        places = np.maximum(np.maximum.accumulate(behind[:-1])[positions], self.offsets[rows])
        ends = positions >= batch.offsets[rows + 1]
        return np.where(ends, self.offsets[rows + 1], places) - self.offsets[rows]


def source_view(batch: PassageBatch) -> View:
    """Return the view without edits: the batch's own tokens."""
    n = len(batch.codes)
    return View(batch.codes, batch.offsets, np.arange(n), np.full(n, -1), np.zeros(n, bool))


def weave(batch: PassageBatch, edits: Edits) -> View:
    """Apply the edits (sorted, none overlapping) in one pass and return the view.

    The view's ``edit`` counts in the order of ``edits``.
    """
    if not len(edits):
        return source_view(batch)
    n, written = len(batch.codes), np.diff(edits.write_offsets)
    # [2 E + 1] runs of tokens: what stands before an edit, what it writes, and at last what stands behind all edits;
    # a written token counts as position N + w behind the N source tokens
    first, size = np.empty(2 * len(edits) + 1, np.int64), np.empty(2 * len(edits) + 1, np.int64)
    first[0], first[2::2], first[1::2] = 0, edits.end, n + edits.write_offsets[:-1]
    size[:-1:2], size[-1], size[1::2] = edits.start - first[:-1:2], n - first[-1], written
    offsets = running_total(size)
    place = np.repeat(first - offsets[:-1], size)
    place += np.arange(len(place))
    copied = np.zeros(n + len(edits.codes), bool)
    copied[edits.copies[edits.copies >= 0]] = True
    copied[n:] = True
    codes, touched = np.concatenate([batch.codes, edits.codes]).take(place), copied.take(place)
    origin, edit, own = place, np.full(len(place), -1), ranges(offsets[1:-1:2], written)
    origin[own], edit[own] = edits.origin, edits.writers
    grown = np.bincount(edits.rows, weights=written - (edits.end - edits.start), minlength=len(batch))
    return View(codes, batch.offsets + running_total(grown.astype(np.int64)), origin, edit, touched)


def collisions(batch: PassageBatch, parts: Sequence[Edits]) -> list[BoolArray]:
    """Decide which edits of several labelers are made: per part a bool [E], true where the edit is made.

    Two edits of different parts collide where the span that one writes over meets the span that the other writes over
    or copies from, or where the two spans written over touch. The earlier part wins, and its edits are all made or lost
    before the next part is looked at.
    """
    size = 2 * len(batch.codes) + len(batch)
    written, copied = np.zeros(size, bool), np.zeros(size, bool)
    made = []
    for part in parts:
        # places alternate gaps and tokens, and each row ends with a gap of its own: in row r the gap before token i is
        # place 2i + r, the token is place 2i + r + 1
        first = 2 * part.start + part.rows
        length = 2 * (part.end - part.start) + 1
        offsets = running_total(length)
        places = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], length)
        owner = np.repeat(np.arange(len(part)), length)
        sources = np.flatnonzero(part.copies >= 0)
        copy_owner = part.writers[sources]
        copy_places = 2 * part.copies[sources] + part.rows[copy_owner] + 1
        hit = np.zeros(len(part), bool)
        hit[owner[written[places] | copied[places]]] = True
        hit[copy_owner[written[copy_places]]] = True
        made.append(~hit)
        written[places[~hit[owner]]] = True
        copied[copy_places[~hit[copy_owner]]] = True
    return made


def leaks(view: View, edits: Edits, hidden: BoolArray) -> BoolArray:
    """Return bool [P]: rows in which a hidden source position, or a copy of it, can still be read in the view.

    ``hidden`` is bool [N] over source positions; ``edits`` are those that the view was woven from.
    """
    if not len(edits):
        seen = hidden.take(view.origin)
    else:
        spare = np.append(hidden, False)  # place -1
        seen = spare.take(view.origin)
        inserted = np.flatnonzero(view.edit >= 0)  # in the order in which the edits write them
        seen[inserted] |= spare[edits.copies]
    rows = np.searchsorted(view.offsets, np.flatnonzero(seen), side="right") - 1
    return np.bincount(rows, minlength=len(view)) > 0
