"""Words that speakers add to a text: insertions before its units, with the capitals that follow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.edits import Edits
from labelers.language.casing import Letters, letters, lower_first, upper_first
from labelers.language.composing import Composed, Piece, compose
from labelers.language.material import Material
from labelers.ragged import IntArray

__all__ = ["INTERREGNUM", "KEPT", "REPARANDUM", "Spoken", "inserted", "merged"]

KEPT, REPARANDUM, INTERREGNUM = range(3)
"""Tags of written tokens: O, D, I."""


@dataclass(frozen=True)
class Spoken:
    """Additions to a text."""

    edits: Edits
    tags: npt.NDArray[np.int8]
    """int8 [W]: O, D or I for each token written."""
    taken_up: IntArray
    """int64 [E]: global position behind the last token of the text that takes up what was said; the place for none."""


def inserted(text: Material, rows: IntArray, units: IntArray, said: Composed) -> tuple[Edits, npt.NDArray[np.int8]]:
    """Insert words before units of a text; a unit's own word stands with them where it loses its capital.

    Args:
        text: what is inserted into.
        rows: int64 [E], of the units.
        units: int64 [E]: the unit before which each insertion stands.
        said: the E insertions.

    Returns:
        The edits, and the tag of each token that they write.
    """
    start = text.ngrams.start[units]
    lowered = text.movable(start)
    own = Piece.copy(text.batch.codes, start, start + lowered, KEPT)
    whole = compose([Piece(np.diff(said.offsets), said.codes, KEPT), own])
    opens = ~np.isin(np.arange(len(whole.codes)), whole.offsets[1:][lowered] - 1)
    tags, copies = whole.tags, whole.copies.copy()
    tags[opens], copies[opens] = said.tags, said.copies
    origin = np.where(opens, -1, copies)
    codes = _cased(text, whole, copies, start)
    label = np.full(len(rows), -1)
    return Edits(rows, start, start + lowered, whole.offsets, codes, origin, copies, label), tags


def merged(parts: Sequence[Spoken]) -> Spoken:
    """Return additions that were made apart, in the order of the text."""
    edits = Edits.concat([part.edits for part in parts])
    order = edits.order()
    tags = np.concatenate([part.tags for part in parts])
    written = Edits(  # the tags travel as an edit's codes do
        edits.rows, edits.start, edits.end, edits.write_offsets, tags, edits.origin, edits.copies, edits.label
    )
    taken_up = np.concatenate([part.taken_up for part in parts])
    return Spoken(edits.take(order), written.take(order).codes.astype(np.int8), taken_up[order])


def _cased(text: Material, whole: Composed, copies: IntArray, start: IntArray) -> IntArray:
    """Return the codes of all tokens, the capital of an opening word in front."""
    vocabulary = text.batch.vocabulary
    codes, heads = whole.codes.copy(), whole.offsets[:-1]
    capital = vocabulary.derived(letters)[text.batch.codes[start]] & Letters.CAPITAL.value > 0
    capital &= text.ngrams.opens.take(start)
    movable = text.movable(start)
    # what copies or begins the opening word again is no opening word
    again = np.repeat(movable, np.diff(whole.offsets)) & (copies == np.repeat(start, np.diff(whole.offsets)))
    again[heads] = False
    codes[again] = vocabulary.recode(codes[again], lower_first)
    codes[heads[capital]] = vocabulary.recode(codes[heads[capital]], upper_first)
    return codes
