"""Passages as arrays: the vocabulary, its properties, and gathering rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import dialogue, passages

from labelers.passages import PassageBatch, row_keys
from labelers.ragged import ragged_take
from labelers.vocabulary import Growing, Vocabulary
from pipelines.rows.labelling import copied

TURN = st.tuples(st.sampled_from("AB"), st.lists(st.sampled_from(["a", "b", ".", "?"]), min_size=1).map(" ".join))
DIALOGUE = st.lists(TURN, max_size=4)


class Lengths:
    """A property that remembers what it was asked."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return the length of each text."""
        self.asked.append(list(texts))
        return np.array([len(text) for text in texts], np.int16)


def test_codes_follow_the_order_of_meeting() -> None:
    """A text keeps its code; an unknown one is not met by looking for it."""
    vocabulary = Vocabulary()
    assert vocabulary.encode(["b", "a", "b"]).tolist() == [0, 1, 0]
    assert (vocabulary.find("a"), vocabulary.find("c"), len(vocabulary)) == (1, -1, 2)
    assert vocabulary.code("c") == 2
    assert vocabulary.encode([]).dtype == np.int64


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3)))
def test_arrow_strings_are_encoded_like_python_ones(texts: list[str]) -> None:
    """One array, chunks, or a slice of more: the codes are the same, and the texts come back."""
    array = pa.array(texts, pa.string())
    expected = Vocabulary().encode(texts)
    chunks = pa.chunked_array([array[:1], array[1:]], pa.string())
    sliced = pa.array(["zzz", *texts], pa.string())[1:]
    for given_ in (array, chunks, sliced):
        vocabulary = Vocabulary()
        codes = vocabulary.encode_arrow(given_)
        assert (codes.tolist(), codes.dtype) == (expected.tolist(), np.int64)
        assert vocabulary.strings(codes).to_pylist() == texts


def test_strings_grow_with_the_vocabulary() -> None:
    """Types met after the first call are found as well."""
    vocabulary = Vocabulary()
    assert vocabulary.strings(vocabulary.encode(["a"])).to_pylist() == ["a"]
    assert vocabulary.strings(vocabulary.encode(["b", "a"])).to_pylist() == ["b", "a"]


@given(st.lists(st.lists(st.text("ab", max_size=9), max_size=20), max_size=6))
def test_a_property_is_computed_once_per_type(batches: list[list[str]]) -> None:
    """However the vocabulary grows, the values are right and no type is asked for twice."""
    vocabulary, lengths = Vocabulary(), Lengths()
    for texts in batches:
        codes = vocabulary.encode(texts)
        assert vocabulary.property(lengths)[codes].tolist() == [len(text) for text in texts]
        assert len(vocabulary.property(lengths)) == len(vocabulary)
    assert [text for asked in lengths.asked for text in asked] == vocabulary.texts


def test_a_property_of_no_type_has_its_dtype() -> None:
    """An empty batch over an empty vocabulary needs no special case."""
    assert Vocabulary().property(Lengths()).dtype == np.int16


def itself(texts: Sequence[str]) -> np.ndarray:
    """Return each text, as wide as the longest of them."""
    return np.array(texts, dtype=np.str_)


def test_a_property_takes_wider_values_later() -> None:
    """The values of the first types do not decide how long a text or how large a number may be."""
    vocabulary = Vocabulary()
    vocabulary.encode(["ab"])
    vocabulary.property(itself)
    codes = vocabulary.encode(["ab", "harbour"])
    assert vocabulary.property(itself)[codes].tolist() == ["ab", "harbour"]


def lower(vocabulary: Vocabulary, new: slice) -> np.ndarray:
    """Return the code of each type in lower case, a new type where need be."""
    return vocabulary.encode(text.lower() for text in vocabulary.texts[new])


def test_what_is_derived_may_add_types() -> None:
    """Types that it adds have a value too."""
    vocabulary = Vocabulary()
    codes = vocabulary.encode(["Tea", "FOR", "two"])
    values = vocabulary.derived(lower)
    assert vocabulary.strings(values[codes]).to_pylist() == ["tea", "for", "two"]
    assert (len(values), values[vocabulary.find("tea")]) == (5, vocabulary.find("tea"))


class Doubled:
    """A value that follows from a property of the same types, and remembers which it was asked for."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.lengths, self.asked = Lengths(), []

    def __call__(self, vocabulary: Vocabulary, new: slice) -> np.ndarray:
        """Return twice the length of each new type."""
        self.asked += vocabulary.texts[new]
        return 2 * vocabulary.property(self.lengths)[new]


@given(st.lists(st.lists(st.text("ab", max_size=9), max_size=20), max_size=6))
def test_what_is_derived_from_a_property_is_computed_once_per_type(batches: list[list[str]]) -> None:
    """However the vocabulary grows, both have the same types in the same places."""
    vocabulary, doubled = Vocabulary(), Doubled()
    for texts in batches:
        codes = vocabulary.encode(texts)
        assert vocabulary.derived(doubled)[codes].tolist() == [2 * len(text) for text in texts]
    assert doubled.asked == vocabulary.texts == [text for asked in doubled.lengths.asked for text in asked]


@given(st.lists(st.text("aAbB", max_size=2)))
def test_recode_changes_each_type_once(texts: list[str]) -> None:
    """The same as changing every text, at one call per type."""
    vocabulary, seen = Vocabulary(), []
    codes = vocabulary.encode(texts)
    changed = vocabulary.recode(codes, lambda text: seen.append(text) or text.upper())
    assert vocabulary.strings(changed).to_pylist() == [text.upper() for text in texts]
    assert sorted(seen) == sorted(set(texts))
    assert changed.dtype == np.int64


@given(st.lists(st.lists(st.integers(0, 9))))
def test_a_growing_array_holds_all_that_was_added(parts: list[list[int]]) -> None:
    """In order, however much is added at a time, and what was taken of it before stays as it was."""
    growing, expected = Growing(np.int64), list[int]()
    for part in parts:
        before, known = growing.values, list(expected)
        growing.add(np.array(part, np.int64))
        expected += part
        assert growing.values.tolist() == expected
        assert before.tolist() == known


def test_row_keys_follow_the_id_alone() -> None:
    """Distinct ids have distinct keys, also ids that no valid UTF-8 can hold."""
    ids = [f"d{i}/0" for i in range(1000)] + ["\ud800"]
    keys = row_keys(ids)
    assert len(np.unique(keys)) == len(ids)
    assert row_keys(ids[::-1]).tolist() == keys[::-1].tolist()
    assert row_keys([]).shape == (0,)


@given(st.lists(st.lists(st.integers())), st.data())
def test_ragged_take_gathers_rows(rows: list[list[int]], data: st.DataObject) -> None:
    """The same as picking from a list of lists; rows may come twice, or not at all."""
    offsets = np.cumsum([0, *map(len, rows)])
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1)) if rows else st.just([]))
    indices, starts = ragged_take(offsets, np.array(picked, np.int64))
    flat = [value for row in rows for value in row]
    assert [flat[i] for i in indices] == [value for row in picked for value in rows[row]]
    assert starts.tolist() == np.cumsum([0, *(len(rows[row]) for row in picked)]).tolist()


def plain(batch: PassageBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch, all positions counted from the row's first token or segment."""
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    result = []
    for i in range(len(batch)):
        t, s, u = (slice(o[i], o[i + 1]) for o in (batch.offsets, batch.segment_offsets, batch.turn_offsets))
        result.append(
            {
                "id": batch.ids[i],
                "document": batch.documents[i],
                "key": int(batch.keys[i]),
                "tokens": tokens[t],
                "spaces": batch.spaces[t].tolist(),
                "segments": (batch.segments[s] - batch.offsets[i]).tolist(),
                "turns": (batch.turns[u] - batch.segment_offsets[i]).tolist(),
                "roles": batch.vocabulary.strings(batch.roles[u]).to_pylist(),
                "fields": {name: values[i].as_py() for name, values in batch.fields.items()},
            }
        )
    return result


@given(st.lists(DIALOGUE, min_size=1), st.data())
def test_take_gathers_whole_rows(rows: list[list[tuple[str, str]]], data: st.DataObject) -> None:
    """Every array of the batch follows its row."""
    batch = dialogue(rows)
    batch.fields["n"] = pa.array(range(len(rows)))
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    expected = plain(batch)
    assert plain(batch.take(np.array(picked, int))) == [expected[i] for i in picked]


@given(st.lists(DIALOGUE, min_size=1))
def test_derived_arrays_agree_with_a_walk(rows: list[list[tuple[str, str]]]) -> None:
    """Row, position, segment and turn of each token, as a loop over the text finds them."""
    batch = dialogue(rows)
    row_of, position, segment_of, turn_of, turn_of_segment = [], [], [], [], []
    segment = turn = -1
    for number, row in enumerate(rows):
        place = 0
        for _, text in row:
            turn, opens = turn + 1, True
            for token in text.split():
                if opens:
                    segment += 1
                    turn_of_segment.append(turn)
                opens = token in {".", "!", "?"}
                row_of.append(number)
                position.append(place)
                segment_of.append(segment)
                turn_of.append(turn)
                place += 1
    assert batch.rows.tolist() == row_of
    assert batch.positions.tolist() == position
    assert batch.token_segments.tolist() == segment_of
    assert batch.segment_turns.tolist() == turn_of_segment
    assert batch.segment_turns[batch.token_segments].tolist() == turn_of
    assert batch.segment_rows.tolist() == [row_of[start] for start in batch.segments]
    assert batch.segment_ends.tolist() == [*batch.segments.tolist(), len(row_of)][1:]


def test_rows_without_turns_have_no_turn() -> None:
    """Plain text beside a dialogue: its segments belong to no turn, -1."""
    text, talk = passages(["a . b ."]), dialogue([[("A", "a ."), ("B", "b .")]])
    assert text.segment_turns.tolist() == [-1, -1]
    both = PassageBatch(
        vocabulary=text.vocabulary,
        ids=["d/0", "d/1", "d/2"],
        documents=["d"] * 3,
        codes=np.tile(text.codes, 3),
        offsets=np.array([0, 4, 8, 12]),
        spaces=np.tile(text.spaces, 3),
        segments=np.arange(0, 12, 2),
        segment_offsets=np.array([0, 2, 4, 6]),
        turns=talk.turns + 2,
        turn_offsets=np.array([0, 0, 2, 2]),
        roles=text.vocabulary.encode(["A", "B"]),
    )
    assert both.segment_turns.tolist() == [-1, -1, 0, 1, -1, -1]


def test_rows_are_train_unless_they_are_given_a_split() -> None:
    """Rows that are taken keep theirs, in any order and however often."""
    batch = passages(["a", "b", "c"])
    assert (batch.splits.tolist(), batch.splits.dtype) == ([0, 0, 0], np.int8)
    given_ = replace(batch, splits=np.array([0, 1, 2], np.int8))
    assert given_.take(np.array([2, 0, 0])).splits.tolist() == [2, 0, 0]
    assert copied(given_, 2).splits.tolist() == [0, 0, 1, 1, 2, 2]
    assert given_.take(np.array([], np.int64)).splits.tolist() == []


def test_there_is_a_split_for_each_row_or_for_none() -> None:
    """Anything else is an error at once."""
    with pytest.raises(ValueError, match="2 splits for 1 passages; give one for each, or none"):
        replace(passages(["a"]), splits=np.array([0, 1], np.int8))


@pytest.mark.parametrize("name", ["rows", "positions", "segment_ends", "segment_rows", "token_segments", "keys"])
def test_an_empty_batch_has_empty_arrays(name: str) -> None:
    """No passage is a batch too."""
    batch = passages(["a b ."]).take(np.array([], np.int64))
    assert len(batch) == 0
    assert getattr(batch, name).tolist() == []
