"""Labels that cannot be used, and those that can: what becomes of them between a file and the rows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from columns_files import labelled, records
from command import run
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from small import built, manifest, rows, text

from labelers.label_space import LabelSpace, class_numbers
from labelers.text.document import Document, Reject, Turn
from labelers.text.gold import read_gold
from labelers.text.segmenter import Segmenter
from labelers.text.tags import TagReader, bio_classes, find_scheme
from pipelines.recipes.recipe import RecipeError, make_recipe

WORDS = ("Gulls", "cry", "over", "Old", "Harbour")
NER = {"ner": {"column": "tags"}}
TREE = {"dep": {"kind": "arc", "column": "head", "relations": "deprel"}}


def lines(folder: Path, *items: Any) -> Path:
    """Write JSON lines."""
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def tagged(*tags: str) -> dict[str, Any]:
    """Return a record with so many tags."""
    return {"tokens": list(WORDS), "tags": list(tags)}


GOOD = tagged("O", "O", "O", "B-place", "I-place")


@pytest.mark.parametrize(
    ("record", "reason", "note"),
    [
        (tagged("O", "O", "O", "O", "I-place"), "bad_scheme", "tag 4 is 'I-place' behind 'O'"),
        (tagged("I-place", "O", "O", "O", "O"), "bad_scheme", "tag 0 is 'I-place' behind the beginning"),
        (tagged("O", "O", "O", "B-place", "I-bird"), "bad_scheme", "tag 4 is 'I-bird' behind 'B-place'"),
        (tagged(*["O"] * 6), "wrong_length", "6 tags for 5 tokens"),
        ({"tokens": list(WORDS), "tags": "O"}, "wrong_type", "'O' is not a list"),
        ({"tokens": list(WORDS), "tags": ["O", 1, "O", "O", "O"]}, "wrong_type", "a list of int, str"),
    ],
)
def test_tags_that_cannot_be_used(tmp_path: Path, record: Any, reason: str, note: str) -> None:
    """The row stays, without them; the book names task, reason and place."""
    found, book = labelled(lines(tmp_path, GOOD, record, GOOD), NER)
    assert [row["status"] for row in found["ner"]] == [0, 3, 0]
    assert found["ner"][1]["tags"] == []
    (reject,) = book.rejects
    assert (reject.task, reject.reason) == ("ner", reason)
    assert reject.note.startswith(note)
    assert (reject.source, reject.place) == ("a.jsonl", len(json.dumps(GOOD)) + 1)
    assert book.label_books() == {"ner": {"read": 3, "used": 2, "rejected": {reason: 1}}}
    assert (book.used, book.to_json()["rejected"]) == (3, {})


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([[0, 99, "bird"]], "bad_span"),
        ([[3, 3, "bird"]], "bad_span"),
        ([[0, 4, "bird"]], "bad_span"),
        ([[0, 9, "bird"], [6, 9, "bird"]], "overlap"),
        ([{"start": 0, "label": "bird"}], "wrong_type"),
    ],
)
def test_spans_that_cannot_be_used(tmp_path: Path, spans: Any, reason: str) -> None:
    """Outside of the text, empty, inside a word, over each other, or none."""
    good = {"text": "Gulls cry.", "tags": [[0, 5, "bird"]]}
    found, book = labelled(lines(tmp_path, good, {"text": "Gulls cry.", "tags": spans}), NER)
    assert [row["tags"] for row in found["ner"]] == [[1, 0, 0], []]
    assert [(item.task, item.reason) for item in book.rejects] == [("ner", reason)]


@pytest.mark.parametrize(
    ("heads", "reason"),
    [
        ([1, 1, 1, 4, 9], "bad_head"),
        ([1, 1, 1, 4, -2], "bad_head"),
        ([1, 0, 1, 4, 1], "cycle"),
        ([1, 1], "wrong_length"),
        (["1", 1, 1, 4, 1], "wrong_type"),
    ],
)
def test_arcs_that_cannot_be_used(tmp_path: Path, heads: Any, reason: str) -> None:
    """To a token that is not there, in a circle, too few, no integers."""
    good = {"tokens": WORDS, "head": [1, 1, 4, 4, 1], "deprel": ["nsubj", "root", "case", "amod", "obl"]}
    found, book = labelled(lines(tmp_path, good, {**good, "head": heads}), TREE)
    assert [row["heads"] for row in found["dep"]] == [[1, 1, 4, 4, 1], []]
    assert [(item.task, item.reason) for item in book.rejects] == [("dep", reason)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("ugly", "unknown_class"), (2, "unknown_class"), (-1, "unknown_class"), ({"a": 1}, "wrong_type")],
)
def test_classes_outside_the_declared_ones(tmp_path: Path, value: Any, reason: str) -> None:
    """A number counts the declared classes."""
    labels = {"mood": {"kind": "passage", "classes": ["good", "bad"]}}
    path = lines(tmp_path, {"text": "So far.", "mood": 1}, {"text": "So far.", "mood": value})
    found, book = labelled(path, labels)
    assert [(row["status"], row["label"]) for row in found["mood"]] == [(0, 1), (3, None)]
    assert [(item.task, item.reason) for item in book.rejects] == [("mood", reason)]


@pytest.mark.parametrize(("value", "reason"), [("nan", "not_a_number"), ("inf", "not_a_number"), ("x", "wrong_type")])
def test_what_is_no_number(tmp_path: Path, value: str, reason: str) -> None:
    """In JSON it is no record at all."""
    path = tmp_path / "a.csv"
    path.write_text(f"text,score\nSo far.,0.5\nSo good.,{value}\n")
    found, book = labelled(path, {"score": {"kind": "regression"}})
    assert [row["value"] for row in found["score"]] == [0.5, None]
    assert [(item.task, item.reason) for item in book.rejects] == [("score", reason)]
    (tmp_path / "b.jsonl").write_text('{"text": "So far.", "score": NaN}\n')
    (bad,) = records(tmp_path / "b.jsonl", {"score": {"kind": "regression"}})
    assert isinstance(bad, Reject)
    assert bad.reason == "not_json"


def test_a_column_that_some_rows_lack_leaves_them_unlabelled(tmp_path: Path) -> None:
    """As null does."""
    path = lines(tmp_path, {"text": "So far.", "mood": "good"}, {"text": "So good."}, {"text": "Gone.", "mood": None})
    found, book = labelled(path, {"mood": {"kind": "passage"}})
    assert [row["status"] for row in found["mood"]] == [0, 2, 2]
    assert book.label_books()["mood"] == {"read": 1, "used": 1, "rejected": {}}


def test_a_column_of_mixed_types_has_the_classes_that_it_spells(tmp_path: Path) -> None:
    """A number, the same as a string, a boolean; a number is the class of its name."""
    values = [5, "1", 1, True, "good"]
    found, _ = labelled(
        lines(tmp_path, *({"text": "So far.", "mood": v} for v in values)), {"mood": {"kind": "passage"}}
    )
    classes = ("1", "5", "good", "true")
    assert [classes[row["label"]] for row in found["mood"]] == ["5", "1", "1", "true", "good"]
    assert class_numbers(["-1", "1", "01"]) == {"-1": 0, "1": 1, "01": 2, -1: 0, 1: 1}


def test_over_a_thousand_classes_are_text(tmp_path: Path) -> None:
    """Nobody learns them."""
    path = lines(tmp_path, *({"text": "So far.", "mood": f"m{i}"} for i in range(1001)))
    with pytest.raises(
        RecipeError, match=r"\[labels.mood\] has 1,001 classes \('m0', 'm1', .*check that 'mood' is the column"
    ):
        labelled(path, {"mood": {"kind": "passage"}})


def test_a_label_that_no_record_has_is_told_with_the_columns(tmp_path: Path) -> None:
    """By the build, which looks at the input; nothing is written for it."""
    with pytest.raises(RecipeError) as found:
        built(lines(tmp_path, GOOD), tmp_path / "out", labels={"ner": {"column": "tag"}})
    with pytest.raises(RecipeError, match=r"no usable record .*records have words, tags; check \[input\] text"):
        built(lines(tmp_path, {"words": ["a"], "tags": ["O"]}), tmp_path / "out", labels=NER)
    assert "[labels.ner] in its column 'tag' (did you mean 'tags'?); the columns are tokens, tags;" in str(found.value)


def test_a_label_may_not_have_the_name_of_a_labeler() -> None:
    """Their columns would be one."""
    with pytest.raises(RecipeError, match=r"\[labels.masking\] has the name of a labeler"):
        make_recipe({"with": ["masking"], "labels": {"masking": {}}})


def test_too_many_labels_that_cannot_be_used_fail_a_build(tmp_path: Path) -> None:
    """The dataset is complete all the same; books and rejects say what is wrong with which."""
    good, bad = [GOOD] * 30, [tagged("O")] * 11
    path = lines(tmp_path, *good, *bad)
    report = built(path, tmp_path / "out", labels=NER)
    assert (report.exit_code, report.complete) == (1, True)
    books = {"ner": {"read": 41, "used": 30, "rejected": {"wrong_length": 11}}}
    assert manifest(tmp_path / "out")["labels"] == books
    (file,) = (tmp_path / "out" / "rejects").iterdir()
    first, *_ = (json.loads(line) for line in file.read_text().splitlines())
    place = sum(len(json.dumps(item)) + 1 for item in good)
    assert (first["task"], first["reason"], first["place"]) == ("ner", "wrong_length", place)
    assert built(path, tmp_path / "more", labels=NER, max_label_reject_rate=0.5).exit_code == 0


def test_labels_and_splits_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labelled files beside raw text, which is train."""
    raw = tmp_path / "raw.txt"
    raw.write_text(text(40))
    for name in ("train", "test"):
        (tmp_path / f"{name}.tsv").write_text("Gulls\tO\ncry\tO\n\nOslo\tB-place\nsleeps\tO\n\n" * 3)
    out = tmp_path / "out"
    code = run(
        monkeypatch, "build", raw, "--train", tmp_path / "train.tsv", "--test", tmp_path / "test.tsv",
        "--label", "ner=token:tags", "--out", out, "--with", "masking",
    )  # fmt: skip
    assert code == 0
    assert [len(rows(out, split)) for split in ("train", "test")] == [46, 6]
    assert sum(row["ner"]["status"] == 0 for row in rows(out, "train")) == 6


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("ner", "is not of the form NAME=KIND"),
        ("ner=token:", "is not of the form NAME=KIND"),
        ("ner=tokens", "unknown kind 'tokens' (did you mean 'token'?)"),
    ],
)
def test_a_label_option_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    """The error says what it should look like."""
    assert run(monkeypatch, "show", "a.txt", "--label", option) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def in_scheme(spans: Sequence[tuple[int, int, str]], size: int, scheme: str) -> list[str]:
    """Return the tags of spans."""
    tags, last, kind_before = ["O"] * size, -1, ""
    for start, end, kind in spans:
        touch = start == last and kind == kind_before
        first = "B" if scheme != "iob1" or touch else "I"
        tags[start:end] = [f"{first}-{kind}", *[f"I-{kind}"] * (end - start - 1)]
        if scheme == "bioes":
            tags[end - 1] = f"{'S' if end - start == 1 else 'E'}-{kind}"
        last, kind_before = end, kind
    return tags


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("xy")), max_size=6),
    st.sampled_from(["bio", "iob1", "bioes"]),
)
def test_tags_of_any_scheme_tell_of_the_same_spans_as_bio(parts: list[tuple[int, int, str]], scheme: str) -> None:
    """The oracle: what seqeval finds in either. The scheme is found where it shows."""
    spans, place = [], 0
    for gap, length, kind in parts:
        spans.append((place + gap, place + gap + length, kind))
        place += gap + length
    tags = in_scheme(spans, place, scheme)
    classes = bio_classes({"B-x", "B-y"}, "ner")
    values, bad = TagReader(LabelSpace("ner", "token", classes=classes, scheme=scheme)).read([tags], scheme)
    assert bad == {}
    expected = [(kind, start, end - 1) for start, end, kind in spans]
    assert get_entities([classes[value] for value in values]) == expected
    pairs = dict.fromkeys(zip(["", *tags], tags, strict=False), 1)
    assert find_scheme(pairs) in ((scheme,) if scheme == "bioes" and spans else ("bio", "iob1", ""))


KINDS = [
    LabelSpace("pos", "token", classes=("A", "B", "C")),
    LabelSpace("claim", "segment", classes=("A", "B", "C")),
    LabelSpace("time", "regression", level="token"),
    LabelSpace("dep", "arc", classes=("A", "B", "C"), relations=True),
]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=12), st.integers(8, 20))
def test_rows_joined_give_the_labels_of_their_document(parts: list[tuple[int, int]], most: int) -> None:
    """Of all kinds that are cut with the text; of arcs those that lie within a row."""
    starts = np.cumsum([0, *(length for length, _ in parts)]).tolist()
    size, classes = starts.pop(), tuple("ABC"[kind] for _, kind in parts)
    names = tuple("ABC"[i % 3] for i in range(size))
    heads = tuple(max(i - 1, 0) for i in range(size))
    numbers = tuple(float(i) for i in range(size))
    labels = {"pos": names, "claim": classes, "time": numbers, "dep": (heads, names)}
    document = Document("a", tokens=("w",) * size, segments=tuple(starts), labels=labels, whole=False)
    cut, _ = Segmenter(max_tokens=most).cut([document])
    found = {name: column.to_pylist() for name, column in read_gold(cut, KINDS).columns.items()}
    assert tuple("ABC"[tag] for row in found["pos"] for tag in row["tags"]) == names
    assert tuple("ABC"[tag] for row in found["claim"] for tag in row["labels"] if tag >= 0) == classes
    assert tuple(value for row in found["time"] for value in row["values"]) == numbers
    first = 0
    for row in found["dep"]:
        for place, (head, relation) in enumerate(zip(row["heads"], row["relations"], strict=True)):
            inside = heads[first + place] >= first
            assert (head, relation) == ((heads[first + place] - first, (first + place) % 3) if inside else (-1, -1))
        first += len(row["heads"])


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=12), st.integers(8, 20))
def test_turns_joined_give_the_labels_of_their_dialogue(parts: list[tuple[int, int]], most: int) -> None:
    """One that is cut has its label once."""
    turns = tuple(Turn("AB"[i % 2], "word " * length) for i, (length, _) in enumerate(parts))
    classes = tuple("ABC"[kind] for _, kind in parts)
    cut, _ = Segmenter(max_tokens=most).cut([Document("a", turns=turns, labels={"act": classes}, whole=False)])
    column = read_gold(cut, [LabelSpace("act", "turn", classes=("A", "B", "C"))]).columns["act"]
    assert tuple("ABC"[tag] for row in column.to_pylist() for tag in row["labels"] if tag >= 0) == classes


def test_files_in_bio_and_in_iob1_are_read_together(tmp_path: Path) -> None:
    """B opens a span in both; only I after an outside tells them apart."""
    older = [tagged("I-place", "I-place", "O", "I-place", "B-place")] * 3
    found, book = labelled(lines(tmp_path, *older, GOOD), NER)
    assert found["ner"][0]["tags"] == [1, 2, 0, 1, 1]
    assert found["ner"][3]["tags"] == [0, 0, 0, 1, 2]
    assert book.label_books()["ner"]["rejected"] == {}


def test_labels_of_another_kind_are_told_before_anything_is_built(tmp_path: Path) -> None:
    """With what is wrong with most of them."""
    path = lines(tmp_path, *[GOOD] * 5)
    with pytest.raises(
        RecipeError, match=r"none of the 5 labels of \[labels.ner\] .* is of kind passage \(wrong_type: "
    ):
        built(path, tmp_path / "out", **{"with": [], "labels": {"ner": {"kind": "passage", "column": "tags"}}})


def test_tags_that_are_all_missing_are_no_label(tmp_path: Path) -> None:
    """As a column of underscores has them."""
    found, book = labelled(lines(tmp_path, GOOD, {"tokens": list(WORDS), "tags": [None] * 5}), NER)
    assert [row["status"] for row in found["ner"]] == [0, 2]
    assert book.label_books()["ner"]["read"] == 1
