"""Edits, weaving, collisions and leaks, against slow and obvious readings of what they promise."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import passages

from labelers.edits import Edits, View, collisions, leaks, source_view, weave
from labelers.passages import PassageBatch


@dataclass
class Edit:
    """One edit as one would write it down: positions count in the row; a written token is (text, origin, copy)."""

    row: int
    start: int
    end: int
    written: list[tuple[str, int, int]]


def arrays(batch: PassageBatch, edits: list[Edit]) -> Edits:
    """Return the edits as arrays."""
    first = batch.offsets[[edit.row for edit in edits]] if edits else np.empty(0, np.int64)
    written = [(text, o, c, batch.offsets[edit.row]) for edit in edits for text, o, c in edit.written]
    return Edits(
        rows=np.array([edit.row for edit in edits], np.int64),
        start=np.array([edit.start for edit in edits], np.int64) + first,
        end=np.array([edit.end for edit in edits], np.int64) + first,
        write_offsets=np.cumsum([0, *(len(edit.written) for edit in edits)]),
        codes=batch.vocabulary.encode(text for text, *_ in written),
        origin=np.array([o + base if o >= 0 else -1 for _, o, _, base in written], np.int64),
        copies=np.array([c + base if c >= 0 else -1 for *_, c, base in written], np.int64),
        label=np.arange(len(edits)),
    )


@st.composite
def some_edits(draw: st.DrawFn, lengths: list[int]) -> list[Edit]:
    """Draw edits that do not overlap, sorted, each of any kind."""
    edits = []
    for row, length in enumerate(lengths):
        place = 0
        while place <= length:
            if draw(st.booleans()):
                edits.append(Edit(row, place, place, written(draw, row, place, place, length)))
            size = draw(st.integers(0, min(3, length - place)))
            if size and draw(st.booleans()):
                edits.append(Edit(row, place, place + size, written(draw, row, place, place + size, length)))
            place += max(size, 1)
    return edits


def written(draw: st.DrawFn, row: int, start: int, end: int, length: int) -> list[tuple[str, int, int]]:
    """Draw what an edit writes: new tokens, copies from anywhere in the row, one replaced token in another case."""
    tokens = [("new", -1, -1)] * draw(st.integers(0, 2))
    if length and draw(st.booleans()):
        copied = draw(st.integers(0, length - 1))
        tokens.append((f"r{row}t{copied}", -1, copied))
    if end > start and draw(st.booleans()):
        kept = draw(st.integers(start, end - 1))
        tokens += [(f"R{row}T{kept}", kept, kept)] * draw(st.integers(1, 2))
    return tokens if tokens or end > start else [("new", -1, -1)]


LENGTHS = st.lists(st.integers(0, 7), min_size=1, max_size=5)
EDITED = LENGTHS.flatmap(lambda lengths: st.tuples(st.just(lengths), some_edits(lengths)))


def make(lengths: list[int]) -> PassageBatch:
    """Return rows of distinct tokens r0t0, r0t1, ..."""
    return passages([" ".join(f"r{row}t{i}" for i in range(length)) for row, length in enumerate(lengths)])


def slow_weave(lengths: list[int], edits: list[Edit]) -> list[list[tuple[str, int, int]]]:
    """Return (text, origin, number of the edit) of each token of each row, place by place."""
    rows = []
    for row, length in enumerate(lengths):
        out: list[tuple[str, int, int]] = []
        until = 0
        for place in range(length + 1):
            for number, edit in enumerate(edits):
                if edit.row == row and edit.start == place:
                    out += [(text, origin, number) for text, origin, _ in edit.written]
                    until = max(until, edit.end)
            if until <= place < length:
                out.append((f"r{row}t{place}", place, -1))
        rows.append(out)
    return rows


def plain(batch: PassageBatch, view: View) -> list[list[tuple[str, int, int]]]:
    """Return (text, origin in the row, edit) of each token of each row of a view."""
    texts = batch.vocabulary.strings(view.codes).to_pylist()
    origin = np.where(view.origin >= 0, view.origin - batch.offsets[view.rows], -1).tolist()
    flat = list(zip(texts, origin, view.edit.tolist(), strict=True))
    return [flat[view.offsets[i] : view.offsets[i + 1]] for i in range(len(view))]


@given(EDITED)
def test_weave_applies_every_edit_at_its_place(case: tuple[list[int], list[Edit]]) -> None:
    """Tokens, origin and edit are those of a walk over the text."""
    lengths, edits = case
    batch = make(lengths)
    view = weave(batch, arrays(batch, edits))
    assert plain(batch, view) == slow_weave(lengths, edits)
    assert len(view) == len(lengths)
    assert (view.codes.dtype, view.origin.dtype) == (np.int64, np.int64)


@given(EDITED)
def test_the_source_can_be_had_back(case: tuple[list[int], list[Edit]]) -> None:
    """Kept tokens are the source's own; together with the replaced spans they are all of it."""
    lengths, edits = case
    batch = make(lengths)
    view, woven = weave(batch, arrays(batch, edits)), arrays(batch, edits)
    kept = view.edit < 0
    replaced = [np.arange(a, b) for a, b in zip(woven.start, woven.end, strict=True)]
    assert sorted([*view.origin[kept], *np.concatenate([[], *replaced])]) == list(range(len(batch.codes)))
    assert (batch.codes[view.origin[kept]] == view.codes[kept]).all()


@given(EDITED)
def test_touched_tokens_are_written_or_copied(case: tuple[list[int], list[Edit]]) -> None:
    """A token that an edit wrote, and a kept one whose form it shows."""
    lengths, edits = case
    batch = make(lengths)
    view = weave(batch, arrays(batch, edits))
    copied = {(edit.row, c) for edit in edits for *_, c in edit.written}
    expected = [
        [number >= 0 or (row, origin) in copied for _, origin, number in tokens]
        for row, tokens in enumerate(slow_weave(lengths, edits))
    ]
    assert view.touched.tolist() == [flag for row in expected for flag in row]


@given(EDITED)
def test_locate_finds_what_stands_behind_all_that_comes_before_a_place(case: tuple[list[int], list[Edit]]) -> None:
    """The ends of every source span map to the ends of what is left of it."""
    lengths, edits = case
    batch = make(lengths)
    view, rows = weave(batch, arrays(batch, edits)), slow_weave(lengths, edits)
    asked = [(row, place) for row, length in enumerate(lengths) for place in range(length + 1)]
    number = np.array([row for row, _ in asked])
    places = view.locate(batch, batch.offsets[number] + [place for _, place in asked], number)
    for (row, place), found in zip(asked, places.tolist(), strict=True):
        before = [i + 1 for i, (_, origin, _) in enumerate(rows[row]) if 0 <= origin < place]
        assert found == (len(rows[row]) if place == lengths[row] else max(before, default=0))


def test_no_edit_leaves_the_source() -> None:
    """The view without edits is the batch's own tokens, untouched."""
    batch = make([2, 0, 1])
    view = weave(batch, Edits.none())
    assert plain(batch, view) == [[("r0t0", 0, -1), ("r0t1", 1, -1)], [], [("r2t0", 0, -1)]]
    assert not view.touched.any()
    assert view.positions.tolist() == [0, 1, 0]
    assert plain(batch, source_view(batch)) == plain(batch, view)


@given(EDITED, st.randoms())
def test_order_sorts_what_take_and_concat_brought_together(case: tuple[list[int], list[Edit]], random: object) -> None:
    """Edits divided in two and joined again are the same after sorting."""
    lengths, edits = case
    batch = make(lengths)
    whole = arrays(batch, edits)
    first = np.array([random.random() < 0.5 for _ in edits], bool)  # type: ignore[attr-defined]
    joined = Edits.concat([whole.take(~first), whole.take(np.flatnonzero(first))])
    back = joined.take(joined.order())
    for name in ("rows", "start", "end", "write_offsets", "codes", "origin", "copies", "label"):
        assert getattr(back, name).tolist() == getattr(whole, name).tolist(), name
    assert back.writers.tolist() == [i for i, edit in enumerate(edits) for _ in edit.written]


TWO = LENGTHS.flatmap(lambda lengths: st.tuples(st.just(lengths), st.lists(some_edits(lengths), max_size=3)))


def collide(a: Edit, b: Edit) -> bool:
    """Return whether two edits touch, or one writes over what the other copies."""
    if a.row != b.row:
        return False
    touch = a.start <= b.end and b.start <= a.end
    return touch or any(y.start <= c < y.end for x, y in ((a, b), (b, a)) for *_, c in x.written)


@given(TWO)
def test_the_earlier_of_two_colliding_edits_is_made(case: tuple[list[int], list[list[Edit]]]) -> None:
    """An edit is lost exactly where it collides with one of an earlier part that was made."""
    lengths, parts = case
    batch = make(lengths)
    made: list[Edit] = []
    expected = []
    for part in parts:
        wins = [not any(collide(edit, other) for other in made) for edit in part]
        made += [edit for edit, win in zip(part, wins, strict=True) if win]
        expected.append(wins)
    assert [m.tolist() for m in collisions(batch, [arrays(batch, part) for part in parts])] == expected


@given(TWO)
def test_what_is_made_can_be_woven(case: tuple[list[int], list[list[Edit]]]) -> None:
    """The edits left over, sorted, give the view of a walk; each copied token still stands."""
    lengths, parts = case
    batch = make(lengths)
    made = collisions(batch, [arrays(batch, part) for part in parts])
    left = [e for part, wins in zip(parts, made, strict=True) for e, win in zip(part, wins, strict=True) if win]
    left.sort(key=lambda edit: (edit.row, edit.start, edit.end))
    assert plain(batch, weave(batch, arrays(batch, left))) == slow_weave(lengths, left)


def test_what_a_lost_edit_copied_may_be_written_over() -> None:
    """The second edit, which copies token 0, is lost to the first; so the third may delete token 0."""
    batch = make([6])
    parts = [Edit(0, 4, 5, []), Edit(0, 4, 4, [("r0t0", -1, 0)]), Edit(0, 0, 1, [])]
    assert [m.tolist() for m in collisions(batch, [arrays(batch, [edit]) for edit in parts])] == [
        [True],
        [False],
        [True],
    ]


def test_edits_of_neighbouring_rows_do_not_collide() -> None:
    """The end of a row and the start of the next are different places: a row depends on itself alone."""
    batch = make([2, 2])
    ending, opening = Edit(0, 1, 2, []), Edit(1, 0, 1, [])
    insertion = Edit(1, 0, 0, [("new", -1, -1)])
    for other in (opening, insertion):
        assert [m.tolist() for m in collisions(batch, [arrays(batch, [ending]), arrays(batch, [other])])] == [
            [True],
            [True],
        ]


@pytest.mark.parametrize(
    ("other", "made"),
    [
        (Edit(0, 2, 3, []), True),
        (Edit(0, 4, 5, []), False),  # inside
        (Edit(0, 6, 7, []), False),  # touches the end
        (Edit(0, 6, 6, [("new", -1, -1)]), False),  # inserts at the end
        (Edit(0, 7, 7, [("new", -1, -1)]), True),
        (Edit(0, 1, 1, [("r0t5", -1, 5)]), False),  # copies what is written over
        (Edit(0, 1, 1, [("r0t0", -1, 0)]), False),  # copies nothing of it, but touches the insertion at 1
        (Edit(0, 8, 8, [("r0t1", -1, 1)]), True),  # copies what the other copies
        (Edit(0, 9, 10, []), False),  # writes over what the other copies
    ],
)
def test_examples_of_collisions(other: Edit, made: bool) -> None:  # noqa: FBT001
    """Tokens 4 and 5 replaced after a copy of token 9 inserted at 1: who may still edit?"""
    batch = make([10])
    first = arrays(batch, [Edit(0, 1, 1, [("r0t9", -1, 9)]), Edit(0, 4, 6, [("new", -1, -1)])])
    assert collisions(batch, [first, arrays(batch, [other])])[1].tolist() == [made]


@given(EDITED, st.randoms())
def test_leaks_are_hidden_positions_that_can_be_read(case: tuple[list[int], list[Edit]], random: object) -> None:
    """A row leaks where a hidden token is left standing, kept in another case, or copied."""
    lengths, edits = case
    batch = make(lengths)
    hidden = np.array([random.random() < 0.2 for _ in batch.codes], bool)  # type: ignore[attr-defined]
    woven = arrays(batch, edits)
    expected = []
    for row, tokens in enumerate(slow_weave(lengths, edits)):
        shown = {origin for _, origin, _ in tokens if origin >= 0}
        shown |= {c for edit in edits if edit.row == row for *_, c in edit.written if c >= 0}
        expected.append(any(hidden[batch.offsets[row] + place] for place in shown))
    assert leaks(weave(batch, woven), woven, hidden).tolist() == expected
