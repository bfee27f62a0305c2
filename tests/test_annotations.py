"""Records as annotation tools write them: spans in their offsets, answers, tokens that are objects."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from columns_files import documents
from hypothesis import given
from hypothesis import strategies as st

from labelers.label_space import LabelSpace
from labelers.text.document import BadLabel, Document, Spans
from labelers.text.gold import read_gold
from labelers.text.segmenter import Segmenter
from pipelines.labels.annotations import plain_record
from pipelines.labels.record_labels import LabelColumn, read_labels

NER = LabelColumn("ner", "spans", "token")
TEXT = "Zoë 🌧 saw Oslo."
TOKENS = [
    {"text": "Zoë", "start": 0, "end": 3, "id": 0, "ws": True},
    {"text": "\n", "start": 4, "end": 5, "id": 1, "ws": False},
    {"text": "saw", "start": 6, "end": 9, "id": 2, "ws": True},
    {"text": "Oslo", "start": 10, "end": 14, "id": 3, "ws": False},
]


def read(record: dict[str, Any], column: LabelColumn = NER) -> Any:
    """Return the label of a record with a text."""
    return read_labels(record, [column], record.get("text", "")).get(column.name)


@pytest.mark.parametrize(
    "spans",
    [
        [{"start": 10, "end": 14, "label": "place"}],
        [{"start_offset": 10, "end_offset": 14, "label": "place", "id": 7}],
        [[10, 14, "place"]],
    ],
)
def test_spans_have_several_forms(spans: list[Any]) -> None:
    """Prodigy's objects, Doccano's, and lists."""
    assert read({"text": TEXT, "spans": spans}) == Spans(((10, 14, "place"),))


def test_no_spans_are_a_label_and_none_is_not() -> None:
    """An empty list says that there is nothing to find."""
    assert read({"text": TEXT, "spans": []}) == Spans(())
    assert read({"text": TEXT}) is None
    assert read({"text": TEXT, "spans": None}) is None


@pytest.mark.parametrize(("offsets", "start", "end"), [("codepoint", 10, 14), ("utf16", 11, 15), ("byte", 14, 18)])
def test_offsets_may_count_other_units(offsets: str, start: int, end: int) -> None:
    """Bytes of UTF-8 and units of UTF-16 differ from code points behind the first letter beyond them."""
    column = LabelColumn("ner", "spans", "token", offsets=offsets)
    assert read({"text": TEXT, "spans": [[start, end, "place"]]}, column) == Spans(((10, 14, "place"),))
    inside = read({"text": TEXT, "spans": [[start, 99, "place"]]}, column)
    assert (inside.reason, "not in the text" in inside.note) == ("bad_span", True)


def test_spans_become_tags_of_tokens_that_are_objects(tmp_path: Path) -> None:
    """White space is a token to some, and is left out."""
    record = {"text": TEXT, "tokens": TOKENS, "spans": [{"start": 10, "end": 14, "label": "place"}]}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))
    (one,) = documents(path, {"ner": {"column": "spans"}})
    assert (one.tokens, one.labels) == (("Zoë", "saw", "Oslo"), {"ner": ("O", "O", "B-place")})


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([[10, 13, "x"]], "bad_span"),
        ([[11, 14, "x"]], "bad_span"),
        ([[90, 94, "x"]], "bad_span"),
        ([[6, 14, "x"], [10, 14, "x"]], "overlap"),
        ([{"start": 1}], "wrong_type"),
    ],
)
def test_spans_that_do_not_fit_tokens_are_bad_labels(spans: list[Any], reason: str) -> None:
    """The record itself can be used."""
    found = plain_record({"tokens": TOKENS, "spans": spans}, "tokens", [NER])
    assert isinstance(found["spans"], BadLabel)
    assert found["spans"].reason == reason
    assert read_labels(found, [NER], "")["ner"].reason == reason


def test_tokens_without_places_have_none_for_spans() -> None:
    """Spans of no tokens in particular."""
    found = plain_record({"tokens": [{"text": "a"}], "spans": []}, "tokens", [NER])
    assert found["spans"].reason == "wrong_type"
    assert plain_record({"tokens": [{"text": "a"}]}, "tokens", [])["tokens"] == [{"text": "a"}]


@pytest.mark.parametrize(("answer", "kept"), [("accept", True), ("reject", False), ("ignore", False), ("Oslo", True)])
def test_an_answer_that_was_not_accepted_leaves_a_record_without_labels(answer: str, *, kept: bool) -> None:
    """Another field of that name may say anything."""
    found = plain_record({"text": TEXT, "spans": [], "answer": answer}, "tokens", [NER])
    assert ("spans" in found) == kept


def test_classes_have_several_forms() -> None:
    """A list of one, and the classes that hold."""
    mood = LabelColumn("mood", "label", "passage")
    assert read({"text": TEXT, "label": ["good"]}, mood) == "good"
    assert read({"text": TEXT, "label": []}, mood) is None
    assert read({"text": TEXT, "label": ["good", "bad"]}, mood).reason == "wrong_type"
    assert read({"text": TEXT, "cats": {"sea": 1.0, "art": 0}}, LabelColumn("t", "cats", "multilabel")) == ("sea",)


@given(
    st.text(st.sampled_from("ab .,!-'é🌧"), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3),
)
def test_spans_become_the_tags_that_spacy_would_give_them(text: str, places: list[tuple[int, int]]) -> None:
    """The oracle: `char_span` with strict borders, on our tokens; where it finds none, the label is bad."""
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    spans = sorted({(start, end, "x") for start, end in places if start < end <= len(text)})
    cut, rejects = Segmenter(max_tokens=2048).cut([Document("a", text, labels={"ner": Spans(tuple(spans))})])
    if rejects:
        return
    words = [text[start:end] for start, end in zip(cut.positions.starts, cut.positions.ends, strict=True)]
    gaps = [text[end] == " " if end < len(text) else False for end in cut.positions.ends.tolist()]
    shift = cut.positions.starts[0]
    doc = Doc(Vocab(), words=words, spaces=gaps)
    if doc.text.rstrip() != text.strip():
        return  # several spaces in a row are no word of ours
    found = [doc.char_span(start - shift, end - shift, label) for start, end, label in spans if start >= shift]
    space = LabelSpace("ner", "token", classes=("O", "B-x", "I-x"), scheme="bio")
    (row,) = read_gold(cut, [space]).columns["ner"].to_pylist()
    touching = any(one[1] > two[0] for one, two in pairwise(spans))
    if len(found) < len(spans) or None in found or touching:
        assert row == {"status": 3, "tags": []}
    else:
        tags = [0] * len(doc)
        for span in found:
            tags[span.start : span.end] = [1, *[2] * (len(span) - 1)]
        assert row["tags"] == tags
