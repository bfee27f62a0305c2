"""EncoderOutput: pieces spell the tokens, labels stand where their tokens do, what is cut is lost and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from encoding import encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_dataset import ROLES, TASKS, make_row, write_dataset

from labelers.paths import column, tokens_of
from labelers.task import Task
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset, Types
from trainer.data.inputs import Inputs, inputs_of
from trainer.data.tokenizer import BytePairs

ROWS = 60
PAD, CLS, SEP, MASK, ROLE_MASK, ROLE = range(6)
TRAINED = tuple(task for task in TASKS if task.kind != "generation")
BY_NAME = {task.name: task for task in TRAINED}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset."""
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("encode") / "set", rows=ROWS))


@pytest.fixture(scope="module")
def data(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    """The tiny dataset, encoded."""
    return encoded(dataset, TRAINED, tmp_path_factory.mktemp("run"))


def spelled(data: EncodedDataset, pieces: np.ndarray) -> str:
    """Return what pieces spell, special ones by their name."""
    special = data.tokenizer.names
    plain = data.tokenizer._tokenizer
    return "".join(f" {special[p]}" if p < len(special) else plain.decode([p - len(special)]) for p in pieces.tolist())


def rows_of(data: EncodedDataset, name: str) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the row of the split, its pieces, labels and spans for each train row that has a label of a task."""
    train, labels = data.splits["train"], data.splits["train"].targets[name]
    sequences = train.read(name)
    for number, place in enumerate(labels.where.tolist()):
        pieces = sequences.pieces[sequences.offsets[place] : sequences.offsets[place + 1]]
        part = slice(labels.offsets[number], labels.offsets[number + 1])
        yield int(sequences.rows[place]), pieces, labels.values[part], labels.spans[part]


def test_tags_stand_at_the_first_piece_of_their_token(data: EncodedDataset) -> None:
    """Every token of the view has its label, and the span spells the token."""
    seen = 0
    for row, pieces, label, spans in rows_of(data, "disfluency.tags"):
        tokens = tokens_of(make_row(row), "disfluency")
        assert label.tolist() == make_row(row)["disfluency"]["tags"]
        assert [spelled(data, pieces[a:b]).strip() for a, b, *_ in spans] == tokens
        seen += 1
    assert seen == ROWS


def test_spans_of_a_pair_spell_the_arguments(data: EncodedDataset) -> None:
    """Both arguments, in pieces of the view."""
    for row, pieces, label, spans in rows_of(data, "connective"):
        made = make_row(row)
        for span, (start, end) in zip(("arg1", "arg2"), spans.reshape(2, 2), strict=True):
            part = column(made, f"connective.{span}")
            expected = tokens_of(made, "connective")[part["start"] : part["end"]]
            assert spelled(data, pieces[start:end]).split() == expected
        assert label.tolist() == [made["connective"]["connective"]]


def test_a_pair_is_read_in_the_drawn_order(data: EncodedDataset) -> None:
    """``[CLS] a [SEP] b [SEP]`` with the corrupted side first where swap is true; the sides are the label's spans."""
    orders = set()
    for row, pieces, _, spans in rows_of(data, "disfluency.pair"):
        made = make_row(row)
        source = made["tokens"][slice(*made["disfluency"]["pair_source"].values())]
        other = tokens_of(made, "disfluency")[slice(*made["disfluency"]["pair_view"].values())]
        sides = [other, source] if made["disfluency"]["swap"] else [source, other]
        assert spelled(data, pieces).split() == ["[CLS]", *sides[0], "[SEP]", *sides[1], "[SEP]"]
        assert [spelled(data, pieces[a:b]).split() for a, b in spans.reshape(2, 2)] == sides
        orders.add(made["disfluency"]["swap"])
    assert orders == {True, False}


def test_the_second_side_begins_behind_the_first_separator(data: EncodedDataset) -> None:
    """What tells the sides apart for the encoder."""
    sequences = data.splits["train"].read("disfluency.pair")
    for row in range(len(sequences.rows)):
        pieces = sequences.pieces[sequences.offsets[row] : sequences.offsets[row + 1]]
        assert sequences.second[row] == np.flatnonzero(pieces == SEP)[0] + 1


def test_a_role_opens_each_turn_unless_it_is_hidden(data: EncodedDataset) -> None:
    """The role task sees [ROLE_MASK] at hidden turns; the words task sees all roles. Roles come from the classes."""
    assert data.tokenizer.roles == ROLES
    for row, pieces, label, spans in rows_of(data, "masking.role"):
        made = make_row(row)
        hidden, roles = made["masking"]["role_hidden"], made["roles"]
        shown = ["[ROLE_MASK]" if hide else f"[ROLE:{role}]" for hide, role in zip(hidden, roles, strict=True)]
        assert [word for word in spelled(data, pieces).split() if word.startswith("[ROLE")] == shown
        (start, end, *_) = spans[0]
        turn = next(i for i, value in enumerate(made["masking"]["role"]) if value >= 0)
        bounds = [*made["segments"], len(made["tokens"])]
        assert pieces[start] == ROLE_MASK
        assert spelled(data, pieces[start + 1 : end]).split() == made["tokens"][bounds[turn] : bounds[turn + 1]]
        assert label.tolist() == [ROLES.index(roles[turn])]
    for row, pieces, *_ in rows_of(data, "masking.word"):
        shown = [f"[ROLE:{role}]" for role in make_row(row)["roles"]]
        assert [word for word in spelled(data, pieces).split() if word.startswith("[ROLE")] == shown


def test_segments_are_spelled_by_their_spans(data: EncodedDataset) -> None:
    """Each segment of the row has its label."""
    for row, pieces, label, spans in rows_of(data, "topic.craft"):
        made = make_row(row)
        bounds = [*made["segments"], len(made["tokens"])]
        assert label.tolist() == made["topic"]["craft"]
        expected = [made["tokens"][a:b] for a, b in pairwise(bounds)]
        assert [spelled(data, pieces[a:b]).split() for a, b, *_ in spans] == expected


def test_a_passage_speaks_of_all_its_pieces(data: EncodedDataset) -> None:
    """Without [CLS] and [SEP]; its weight is the column's."""
    labels = data.splits["train"].targets["topic.long"]
    for row, pieces, label, spans in rows_of(data, "topic.long"):
        assert spelled(data, pieces[slice(*spans[0][:2])]).split() == make_row(row)["tokens"]
        assert label.tolist() == [make_row(row)["topic"]["long"]]
    assert labels.weight.tolist() == [make_row(row)["topic"]["confidence"] for row in range(ROWS)]


def test_words_that_may_never_be_masked_have_no_number(data: EncodedDataset) -> None:
    """The others carry theirs, with their draw, on every piece."""
    train = data.splits["train"].read("masking.word")
    for row in range(ROWS):
        part = slice(train.offsets[row], train.offsets[row + 1])
        made = make_row(row)
        known = {(w, d) for w, d in zip(train.word[part].tolist(), train.draw[part].tolist(), strict=True) if w >= 0}
        draws, never = made["masking"]["draw"], made["masking"]["never"]
        assert known == {(i, draws[i]) for i, no in enumerate(never) if not no}
    assert data.splits["train"].targets["masking.word"].candidates == sum(
        not no for row in range(ROWS) for no in make_row(row)["masking"]["never"]
    )


def test_rows_without_a_label_are_not_encoded(data: EncodedDataset) -> None:
    """A third of the rows abstains."""
    assert len(data.splits["train"].targets["connective"]) == ROWS - ROWS // 3
    assert len(data.splits["train"].read("connective").rows) == ROWS - ROWS // 3


def test_hidden_words_are_masked(dataset: Dataset, tmp_path: Path) -> None:
    """A column of bools per token hides words from the model, as whole words."""
    task = dataclasses.replace(BY_NAME["masking.role"], hide_tokens="masking.never")
    data = encoded(dataset, [task], tmp_path)
    for row, pieces, *_ in rows_of(data, "masking.role"):
        shown = [word for word in spelled(data, pieces).split() if not word.startswith("[ROLE")]
        made = make_row(row)
        hidden = ["[MASK]" if no else word for word, no in zip(made["tokens"], made["masking"]["never"], strict=True)]
        assert shown == ["[CLS]", *hidden, "[SEP]"]
        assert (pieces == MASK).sum() == sum(made["masking"]["never"])


@pytest.mark.parametrize("name", ["disfluency.pair", "connective", "disfluency.tags", "topic.craft", "masking.role"])
def test_a_label_beyond_the_cut_is_lost_and_counted(dataset: Dataset, tmp_path: Path, name: str) -> None:
    """What remains speaks of pieces that are there; the rest is counted."""
    data = encoded(dataset, [BY_NAME[name]], tmp_path, max_pieces=16)
    labels = data.splits["train"].targets[name]
    sequences = data.splits["train"].read(name)
    assert sequences.lengths.max() <= 16
    assert labels.lost > 0
    whole = ROWS if name in {"disfluency.tags", "topic.craft", "masking.role"} else ROWS - ROWS // 3
    assert labels.lost + len(labels) == whole
    for _, pieces, _, spans in rows_of(data, name):
        assert (spans.max(axis=1) < len(pieces)).all()
        assert pieces[0] == CLS
        assert pieces[-1] == SEP


def test_a_pair_loses_its_label_where_a_side_was_cut(data: EncodedDataset, dataset: Dataset, tmp_path: Path) -> None:
    """All those that are longer than the cut, and no other."""
    lengths = data.splits["train"].read("disfluency.pair").lengths
    longest = int(np.median(lengths))
    data = encoded(dataset, [BY_NAME["disfluency.pair"]], tmp_path, max_pieces=longest)
    assert data.splits["train"].targets["disfluency.pair"].lost == (lengths > longest).sum() > 0


def test_a_row_whose_labeler_abstained_has_no_label(dataset: Dataset, tmp_path: Path) -> None:
    """Whatever stands in the column."""
    task = dataclasses.replace(BY_NAME["topic.long"], status="connective.status")
    data = encoded(dataset, [task], tmp_path)
    assert [row for row, *_ in rows_of(data, "topic.long")] == [row for row in range(ROWS) if row % 3 != 2]


def test_cut_words_are_not_masked(dataset: Dataset, tmp_path: Path) -> None:
    """A word whose pieces are not all there is no target."""
    data = encoded(dataset, [BY_NAME["masking.word"]], tmp_path, max_pieces=12)
    whole = encoded(dataset, [BY_NAME["masking.word"]], tmp_path / "whole")
    for cut, full in zip(rows_of(data, "masking.word"), rows_of(whole, "masking.word"), strict=True):
        assert len(cut[1]) <= 12 < len(full[1])
    sequences = data.splits["train"].read("masking.word")
    full = whole.splits["train"].read("masking.word")
    for row in range(ROWS):
        word = sequences.word[sequences.offsets[row] : sequences.offsets[row + 1]]
        other = full.word[full.offsets[row] : full.offsets[row + 1]]
        for number in set(word.tolist()) - {-1}:
            assert (word == number).sum() == (other == number).sum()


def test_a_list_of_the_wrong_length_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    """Tags that do not fit the tokens they belong to."""
    task = dataclasses.replace(BY_NAME["disfluency.tags"], sequences=("source",))
    with pytest.raises(ValueError, match=r"disfluency.tags has \d+ entries in row 0 of train, which has \d+"):
        encoded(dataset, [task], tmp_path)


def test_joint_tasks_share_inputs_that_hide_all_targets() -> None:
    """Tasks of mode own keep theirs."""
    words, role, tags = (BY_NAME[name] for name in ("masking.word", "masking.role", "disfluency.tags"))
    own = inputs_of([words, role, tags])
    assert len(set(own.values())) == 3
    joint = inputs_of([dataclasses.replace(task, mode="joint", sequences=("woven",)) for task in (words, role, tags)])
    (reading,) = set(joint.values())
    assert reading == Inputs(
        sequences=("woven",), roles=True, hide_roles="masking.role_hidden", hide_tokens="masking.role_words",
        draw="masking.draw", exclude="masking.never", rate=0.15,
    )  # fmt: skip


def test_tasks_over_equal_sequences_share_their_pieces(dataset: Dataset, tmp_path: Path) -> None:
    """The topic tasks both read the source."""
    tasks: list[Task] = [BY_NAME["topic.long"], BY_NAME["topic.craft"]]
    assert len(encoded(dataset, tasks, tmp_path).splits["train"].sequences) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_every_token_has_pieces_and_none_is_special(data: EncodedDataset, tokens: list[str]) -> None:
    """Odd Unicode included; the pieces spell the token."""
    tokens = [text for text in tokens if text.encode("utf-8", "ignore").decode() == text] or ["a"]
    vocabulary = data.tokenizer
    pieces = vocabulary.encode(tokens)
    assert (pieces.lengths > 0).all()
    assert pieces.values.min() >= len(vocabulary.names)
    for text, start, end in zip(tokens, pieces.offsets[:-1], pieces.offsets[1:], strict=True):
        decoded = vocabulary._tokenizer.decode((pieces.values[start:end] - len(vocabulary.names)).tolist())
        assert decoded.removeprefix(" ") == text.removeprefix(" ")


def test_no_text_spells_a_special_piece(data: EncodedDataset) -> None:
    """A text that says [MASK] is text."""
    pieces = data.tokenizer.encode(["[MASK]", "[ROLE:Baker]"])
    assert pieces.values.min() >= len(data.tokenizer.names)


def test_a_vocabulary_is_what_it_was_when_it_is_read_again(data: EncodedDataset, tmp_path: Path) -> None:
    """Same pieces, same fingerprint."""
    data.tokenizer.save(tmp_path / "vocabulary.json")
    again = BytePairs.load(tmp_path / "vocabulary.json")
    assert again.fingerprint == data.tokenizer.fingerprint
    assert again.encode(["bread"]).values.tolist() == data.tokenizer.encode(["bread"]).values.tolist()


def test_a_vocabulary_is_learnt_alike_each_time(dataset: Dataset) -> None:
    """The fingerprint names the dataset's vocabulary, so learning must repeat."""
    split = dataset.splits["train"]
    assert BytePairs.learn(split, 400).fingerprint == BytePairs.learn(split, 400).fingerprint


def test_folded_pieces_are_equal_up_to_case(data: EncodedDataset) -> None:
    """Special ones equal nothing."""
    folded = data.tokenizer.folded()
    assert set(folded[: len(data.tokenizer.names)].tolist()) == {-1}
    upper, lower = (data.tokenizer.encode([text]).values for text in ("X", "x"))
    assert folded[upper].tolist() == folded[lower].tolist()
    assert folded[upper].tolist() != folded[data.tokenizer.encode(["y"]).values].tolist()


def test_types_are_coded_across_calls() -> None:
    """One code per string, whatever the chunk it stood in."""
    types = Types()
    assert types.encode(pa.array(["a", "b", "a"])).tolist() == [0, 1, 0]
    assert types.encode(pa.array(["c", "b"])).tolist() == [2, 1]
