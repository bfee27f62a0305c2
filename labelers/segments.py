"""One segment of each row: drawing it, and where it stands."""

import numpy as np
import pyarrow as pa

from labelers.columns import span_column
from labelers.draws import Draws
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray

__all__ = ["pick_segments", "segment_spans"]


def pick_segments(marked: BoolArray, batch: PassageBatch, draws: Draws, purpose: str) -> IntArray:
    """Return int64 [P]: one of the marked segments of each row, -1 where there is none."""
    places = np.append(np.flatnonzero(marked), -1)
    count = np.bincount(batch.segment_rows[places[:-1]], minlength=len(batch))
    chosen = np.cumsum(count) - count + draws.integers(purpose, batch.keys, count)
    return places[np.where(count > 0, chosen, -1)]


def segment_spans(batch: PassageBatch, bounds: IntArray, segments: IntArray) -> pa.Array:
    """Return the span of one segment per row, in tokens from the row's first one; null where the segment is -1.

    ``bounds`` is int64 [S + 1]: where each segment starts in the sequence, and the sequence's length.
    """
    none = segments < 0
    at = np.where(none, 0, segments)
    row = bounds[batch.segment_offsets[:-1]]
    last = len(bounds) - 1  # a batch of rows without segments has no second bound
    start, end = (np.where(none, 0, bounds[np.minimum(at + side, last)] - row) for side in (0, 1))
    return span_column(start, end, ~none)
