"""One segment of each row: one of those marked, whichever rows stand around, and its span in the row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from passages import passages

from labelers.draws import Draws
from labelers.segments import pick_segments, segment_spans

ROWS = st.lists(st.lists(st.sampled_from(["It rained .", "We left .", "Nobody spoke ."]), max_size=4), max_size=5)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_a_marked_segment_of_each_row_is_drawn(rows: list[list[str]], random: object, seed: int) -> None:
    """None where none is marked; a row alone draws what it draws among others, and the span is that of the segment."""
    batch = passages([" ".join(row) for row in rows])
    marked = np.array([random.random() < 0.6 for _ in batch.segments], bool)  # type: ignore[attr-defined]
    draws = Draws(seed, "example", 1)
    chosen = pick_segments(marked, batch, draws, "one")
    spans = segment_spans(batch, np.append(batch.segments, len(batch.codes)), chosen).to_pylist()
    for row in range(len(batch)):
        own = slice(*batch.segment_offsets[row : row + 2])
        able = np.flatnonzero(marked[own])
        alone = pick_segments(marked[own], batch.take(np.array([row])), draws, "one")
        assert (spans[row] is None) == (chosen[row] < 0) == (not len(able))
        if spans[row] is not None:
            place = chosen[row] - own.start
            assert place in able
            assert place == alone[0]
            assert batch.segments[chosen[row]] == batch.offsets[row] + spans[row]["start"]
            assert batch.segment_ends[chosen[row]] == batch.offsets[row] + spans[row]["end"]
