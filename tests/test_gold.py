"""Labels that people made: what a label space declares, and how labels travel from documents to rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.label_space import COPY, REASONS, LabelSpace, blank, hidden
from labelers.task import Task
from labelers.text.document import BadLabel, Document, Spans, Turn
from labelers.text.gold import GoldLabels, read_gold
from labelers.text.segmenter import Segmenter

NER = LabelSpace("ner", "token", classes=("O", "B-x", "I-x"), scheme="bio")
SPACES = [
    NER,
    LabelSpace("pos", "token", classes=("ADJ", "NOUN")),
    LabelSpace("mood", "passage", classes=("bad", "good")),
    LabelSpace("topics", "multilabel", classes=("art", "sea")),
    LabelSpace("act", "turn", classes=("ask", "tell")),
    LabelSpace("claim", "segment", classes=("no", "yes")),
    LabelSpace("entails", "pair", classes=("no", "yes")),
    LabelSpace("score", "regression"),
    LabelSpace("times", "regression", level="token"),
    LabelSpace("deps", "arc", classes=("det", "root"), relations=True),
]


def read(space: LabelSpace, *documents: Document, most: int = 128) -> tuple[list[dict[str, Any]], GoldLabels]:
    """Return the labels of the rows of documents, and what else was found."""
    cut, _ = Segmenter(max_tokens=most).cut(documents)
    found = read_gold(cut, [space])
    return found.columns[space.name].to_pylist(), found


def spoken(*labels: Any, text: str = "It rained. We left.") -> Document:
    """Return a dialogue with a label for each turn."""
    turns = tuple(Turn("ABAB"[i], text) for i in range(len(labels)))
    return Document("d", turns=turns, labels={"act": labels})


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_label_space_declares_a_column_that_its_task_reads(space: LabelSpace) -> None:
    """The task is gold, survives JSON, and its paths lead to columns of the struct."""
    task, names = space.task, {field.name for field in space.column.type}
    assert task == Task.from_json(task.to_json())
    assert (task.gold, task.constructed, task.reasons) == (True, False, REASONS)
    paths = [task.target, task.status, *([task.relations] if task.relations else [])]
    assert {path.removeprefix(f"{space.name}.") for path in paths} == names
    assert (task.multi, task.roles) == (space.kind == "multilabel", space.kind == "turn")


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_rows_without_a_label_have_the_columns_of_those_with_one(space: LabelSpace) -> None:
    """Lists are empty, all else is null, and the status says why."""
    rows = blank(space.column.type, [2, 4]).to_pylist()
    assert [row.pop("status") for row in rows] == [2, 4]
    assert all(value in ([], None) for row in rows for value in row.values())


def test_metrics_follow_from_the_labels() -> None:
    """Spans, tags with and without an outside, arcs with and without names; a recipe may ask for another."""
    found = {space.name: space.task.metric for space in SPACES}
    assert (found["ner"], found["pos"], found["deps"]) == ("span_f1", "accuracy", "las")
    assert replace(NER, scheme="").task.metric == "tag_f1"
    assert replace(SPACES[-1], relations=False).task.metric == "uas"
    assert replace(NER, metric="accuracy").task.metric == "accuracy"


def test_tags_are_cut_with_their_tokens() -> None:
    """A span that a row begins in the middle of begins there; rows of unlabelled documents have none."""
    tokens = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
    tags = ("O", "O", "O", "O", "O", "O", "B-x", "I-x", "I-x", "I-x")
    rows, _ = read(
        NER, Document("a", tokens=tokens, labels={"ner": tags}, whole=False), Document("b", tokens=("x",)), most=8
    )
    assert [row["tags"] for row in rows] == [[0] * 6 + [1, 2], [1, 2], []]
    assert [row["status"] for row in rows] == [0, 0, 2]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=60), st.integers(8, 20))
def test_the_labels_of_all_rows_are_those_of_the_document(values: list[int], most: int) -> None:
    """Whatever the cut: no label is lost, and none moves."""
    tokens = tuple(["one", "two", ".", "three"][i % 4] for i in range(len(values)))
    names = tuple(("ADJ", "NOUN")[value] for value in values)
    document = Document("a", tokens=tokens, labels={"pos": names}, whole=False)
    rows, _ = read(SPACES[1], document, most=most)
    assert [tag for row in rows for tag in row["tags"]] == values


def test_spans_of_a_text_become_tags() -> None:
    """Their ends must be those of tokens, and they may not overlap."""
    text = "We saw Old Harbour, and left."
    rows, _ = read(NER, Document("a", text, labels={"ner": Spans(((7, 18, "x"),))}))
    assert rows[0]["tags"] == [0, 0, 1, 2, 0, 0, 0, 0]
    assert read(NER, Document("a", text, labels={"ner": Spans(())}))[0][0] == {"status": 0, "tags": [0] * 8}
    for spans, reason in (
        (((8, 18, "x"),), "bad_span"),
        (((7, 17, "x"),), "bad_span"),
        (((7, 18, "x"), (11, 18, "x")), "overlap"),
        (((7, 18, "y"),), "unknown_class"),
    ):
        rows, found = read(NER, Document("a", text, labels={"ner": Spans(spans)}, source="f", place=3))
        assert rows == [{"status": 3, "tags": []}]
        assert [(item.reason, item.task, item.source, item.place) for item in found.rejects] == [
            (reason, "ner", "f", 3)
        ]
        assert found.books["ner"] == {"read": 1, reason: 1}


def test_a_record_has_a_class_several_or_a_number() -> None:
    """By name, by the number of a declared class, or as a boolean."""
    values: list[tuple[int, Any, Any]] = [
        (2, "good", 1),
        (2, 0, 0),
        (3, ("sea",), [False, True]),
        (3, (), [False, False]),
        (3, (0, 1), [True, True]),
        (7, 2.5, 2.5),
    ]
    for number, label, wanted in values:
        rows, _ = read(SPACES[number], Document("a", tokens=("x",), labels={SPACES[number].name: label}))
        assert rows[0][SPACES[number].target] == wanted
    truth = LabelSpace("mood", "passage", classes=("false", "true"))
    assert read(truth, Document("a", tokens=("x",), labels={"mood": True}))[0][0]["label"] == 1
    for number, label, reason in ((2, "dull", "unknown_class"), (3, ("sky",), "unknown_class")):
        rows, found = read(SPACES[number], Document("a", tokens=("x",), labels={SPACES[number].name: label}))
        assert (rows[0]["status"], found.rejects[0].reason) == (3, reason)
    rows, found = read(SPACES[7], Document("a", tokens=("x",), labels={"score": float("nan")}))
    assert (rows[0], found.rejects[0].reason) == ({"status": 3, "value": None}, "not_a_number")


def test_turns_have_labels_and_a_turn_that_is_cut_has_it_once() -> None:
    """The second half of a long turn says something else, or nothing."""
    assert read(SPACES[4], spoken("ask", None, "tell"))[0][0]["labels"] == [0, -1, 1]
    rows, _ = read(SPACES[4], spoken("ask", "tell", text="It rained and rained. We all left at once."), most=8)
    assert [row["labels"] for row in rows] == [[0], [-1], [1], [-1]]
    rows, found = read(SPACES[4], replace(spoken("ask", "tell"), labels={"act": ("ask",)}))
    assert (rows[0], found.rejects[0].reason) == ({"status": 3, "labels": []}, "wrong_length")


def test_segments_have_labels() -> None:
    """As many as the record has segments."""
    document = Document("a", tokens=("x", ".", "y", "."), segments=(0, 2), labels={"claim": ("yes", "no")})
    assert read(SPACES[5], document)[0][0]["labels"] == [1, 0]


def test_numbers_of_tokens_may_be_missing() -> None:
    """A token without one has none; infinity is no number."""
    document = Document("a", tokens=("x", "y"), labels={"times": (1.5, None)})
    first, second = read(SPACES[8], document)[0][0]["values"]
    assert first == 1.5
    assert np.isnan(second)
    wrong = replace(document, labels={"times": (1.5, float("inf"))})
    assert read(SPACES[8], wrong)[1].rejects[0].reason == "not_a_number"


def test_arcs_lead_to_places_in_the_row() -> None:
    """An arc into another row is lost; heads out of the document and circles are rejected."""
    tokens, heads = ("a", "b", "c", "d", "e", "f", "g", ".", "i", "j"), (0, 0, 1, 2, 3, 4, 5, 6, 9, 9)
    document = Document("a", tokens=tokens, labels={"deps": (heads, ("root",) + ("det",) * 8 + ("root",))}, whole=False)
    rows, _ = read(SPACES[9], document, most=8)
    assert [row["heads"] for row in rows] == [[0, 0, 1, 2, 3, 4, 5, 6], [1, 1]]
    assert [row["relations"] for row in rows] == [[1, 0, 0, 0, 0, 0, 0, 0], [0, 1]]
    crossing = replace(document, labels={"deps": ((*heads[:8], 0, 9), None)})
    assert read(SPACES[9], crossing, most=8)[0][1]["heads"] == [-1, 1]
    for wrong, reason in (((10, *heads[1:]), "bad_head"), ((1, 0, *heads[2:]), "cycle"), (heads[1:], "wrong_length")):
        assert read(SPACES[9], replace(document, labels={"deps": (wrong, None)}))[1].rejects[0].reason == reason


def test_a_bad_label_nulls_itself_alone() -> None:
    """The row is there, and so are the other labels of the record."""
    document = Document("a", tokens=("x",), labels={"ner": BadLabel("wrong_type", "3 is not a list"), "mood": "good"})
    cut, rejects = Segmenter().cut([document])
    found = read_gold(cut, [NER, SPACES[2]])
    assert not rejects
    assert found.columns["ner"].to_pylist() == [{"status": 3, "tags": []}]
    assert found.columns["mood"].to_pylist() == [{"status": 0, "label": 1}]


def test_a_label_of_all_of_a_record_keeps_it_whole() -> None:
    """It is one row, or a reject; a record without one is cut like any other."""
    document = Document("a", "One two three. Four five six. Seven eight.", whole=True)
    segmenter = Segmenter(max_tokens=8)
    cut, rejects = segmenter.cut([document, replace(document, id="b", whole=False)])
    assert [reject.reason for reject in rejects] == ["too_long"]
    assert set(cut.batch.documents) == {"b"}
    assert len(Segmenter(max_tokens=20).cut([document])[0].batch) == 1


def test_labels_are_hidden_in_copies() -> None:
    """Those of other rows stay."""
    column = pa.array([{"status": 0, "tags": [1]}, {"status": 0, "tags": [2]}], NER.column.type)
    assert hidden(column, np.array([False, True]), COPY).to_pylist() == [
        {"status": 0, "tags": [1]},
        {"status": 4, "tags": []},
    ]
