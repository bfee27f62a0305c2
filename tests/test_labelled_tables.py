"""Labels in tables: cells of text, structs and lists of Parquet and Arrow, names of classes in Hugging Face files."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from columns_files import documents, records

from labelers.text.document import BadLabel, Reject
from pipelines.formats.class_names import named_classes

MOOD = {"mood": {"kind": "passage"}}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_row_of_a_table_is_a_record(tmp_path: Path) -> None:
    """With its line breaks between quotes; its id is its place, and an empty cell says nothing."""
    text = 'text,mood\r\n"It rained, hard.\nWe left.",sad\r\nIt snowed.,\r\n'
    one, two = documents(write(tmp_path, "a.csv", text), MOOD)
    assert (one.text, one.labels, one.id) == ("It rained, hard.\nWe left.", {"mood": "sad"}, "a.csv:11")
    assert (two.text, two.labels, two.whole) == ("It snowed.", {}, False)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_first_line_tells_the_delimiter(tmp_path: Path, mark: str) -> None:
    """Of a .csv file; a byte-order mark is no part of a name."""
    text = "\ufefftext,mood\nIt rained.,sad\n".replace(",", mark)
    (one,) = documents(write(tmp_path, "a.csv", text), MOOD)
    assert (one.text, one.labels) == ("It rained.", {"mood": "sad"})


def test_quotes_in_tables_with_tabs_stand_as_they_are(tmp_path: Path) -> None:
    """Unless they enclose cells."""
    plain = documents(write(tmp_path, "a.tsv", 'text\tmood\n"No", she said.\tsad\n'), MOOD)
    assert plain[0].text == '"No", she said.'
    quoted = documents(write(tmp_path, "b.tsv", 'text\tmood\n"No\tnever."\t"sad"\n'), MOOD)
    assert (quoted[0].text, quoted[0].labels) == ("No\tnever.", {"mood": "sad"})


def test_a_table_without_a_header_has_the_columns_that_a_recipe_names(tmp_path: Path) -> None:
    """A class that looks like a number is a string."""
    found = documents(write(tmp_path, "a.csv", "1,It rained.\n0,It snowed.\n"), MOOD, columns=["mood", "text"])
    assert [item.labels["mood"] for item in found] == ["1", "0"]


def test_cells_are_lists_and_numbers_where_labels_are(tmp_path: Path) -> None:
    """As JSON, as Python prints them, or words between spaces; what is no number is told."""
    text = (
        "tokens\ttags\ttopics\tscore\n"
        '["Oslo", "is"]\t["B-x", "O"]\tsea|art\t0.5\n'
        "['far', 'off']\tO O\t['sea']\tmany\n"
        "So far\tO O\tsea\tnan\n"
    )
    labels = {"ner": {"column": "tags"}, "topics": {"kind": "multilabel"}, "score": {"kind": "regression"}}
    one, two, three = documents(write(tmp_path, "a.tsv", text), labels)
    assert (one.tokens, one.labels) == (("Oslo", "is"), {"ner": ("B-x", "O"), "topics": ("sea", "art"), "score": 0.5})
    assert (two.tokens, two.labels["ner"], two.labels["topics"]) == (("far", "off"), ("O", "O"), ("sea",))
    assert isinstance(two.labels["score"], BadLabel)
    assert (three.tokens, three.labels["score"] == three.labels["score"]) == (("So", "far"), False)


def test_kept_fields_of_a_table_have_their_types(tmp_path: Path) -> None:
    """Integers, numbers and booleans; what is none is a reject."""
    text = "text,n,x,b\nIt rained.,3,0.5,true\nIt snowed.,three,1,no\n"
    keep = {"n": "int64", "x": "float64", "b": "bool"}
    one, two = records(write(tmp_path, "a.csv", text), keep=keep)
    assert not isinstance(one, Reject)
    assert one.fields == {"n": 3, "x": 0.5, "b": True}
    assert isinstance(two, Reject)
    assert two.reason == "wrong_type"


def test_rows_that_cannot_be_read_are_rejects(tmp_path: Path) -> None:
    """Too many cells, an open quote that would take the rest of the file, bytes that are no text, an empty text."""
    text = (
        b"text,mood\n"
        + b'"One, two, three.",sad\n' * 3
        + b'a,b,c\n"open,sad\n\xffx,sad\n,sad\nIt rained.,\xff\n'
        + b"It snowed.,glad\n" * 9
    )
    found = records(write(tmp_path, "a.csv", text), max_record_bytes=100)
    bad = [(item.place, item.reason) for item in found if isinstance(item, Reject)]
    assert bad == [(79, "bad_row"), (85, "too_long"), (95, "undecodable"), (102, "empty")]
    assert [item.text for item in found if not isinstance(item, Reject)][-9:] == ["It snowed."] * 9
    (other,) = records(write(tmp_path, "b.csv", b"PK\x03\x04"))
    assert isinstance(other, Reject)
    assert other.reason == "file"
    assert records(write(tmp_path, "c.csv", "\n\n")) == []


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """As in lines of JSON."""
    (bad,) = records(write(tmp_path, "a.csv", "sentence,mood\nIt rained.,sad\n"))
    assert isinstance(bad, Reject)
    assert bad.note == "no field 'text'; the record has sentence, mood"


CLASS = {"_type": "ClassLabel", "names": ["bad", "good"]}
FEATURES: dict[str, Any] = {
    "text": {"_type": "Value", "dtype": "string"},
    "mood": CLASS,
    "old": {"_type": "Sequence", "feature": CLASS},
    "new": {"_type": "List", "feature": CLASS},
    "brackets": [CLASS],
    "deep": {"parts": {"_type": "Sequence", "feature": {"kind": CLASS, "n": {"_type": "Value", "dtype": "int64"}}}},
    "empty": [],
}


def table() -> pa.Table:
    """Return a table as Hugging Face datasets write it."""
    rows = [
        {
            "text": "It rained.", "mood": 1, "old": [0, -1], "new": [1], "brackets": [0],
            "deep": {"parts": [{"kind": 1, "n": 1}]}, "empty": [],
        },
        {"text": "It snowed.", "mood": -1, "old": None, "new": [], "brackets": None, "deep": None, "empty": None},
    ]  # fmt: skip
    found = pa.Table.from_pylist(rows)
    return found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_numbers_of_classes_become_their_names(tmp_path: Path, ending: str) -> None:
    """Wherever they stand; below 0 there is none, and a kept field stays a number."""
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        pq.write_table(table(), path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table().schema) as writer:
            writer.write_table(table())
    labels = MOOD | {
        "kinds": {"kind": "segment", "column": "deep.parts.kind"},
        "old": {"kind": "segment"},
        "new": {"kind": "multilabel"},
        "brackets": {"kind": "segment"},
    }
    one, two = documents(path, labels)
    assert one.labels == {
        "mood": "good", "kinds": ("good",), "old": ("bad", None), "new": ("good",), "brackets": ("bad",)
    }  # fmt: skip
    assert two.labels == {"new": ()}
    kept = documents(path, keep={"mood": "int64"})
    assert [item.fields["mood"] for item in kept] == [1, -1]


def test_features_may_be_missing_or_of_another_form() -> None:
    """Then numbers stay numbers; a list of structs may be stored as a struct of lists."""
    schema = pa.schema([("mood", pa.int64())])
    assert named_classes(schema, {"mood"}) == {}
    assert named_classes(schema.with_metadata({"huggingface": "[]"}), {"mood"}) == {}
    parts = {"parts": FEATURES["deep"]["parts"]}
    data = json.dumps({"info": {"features": parts}})
    names = named_classes(pa.schema([("parts", pa.null())]).with_metadata({"huggingface": data}), {"parts"})
    assert names["parts"]({"kind": [1, 0], "n": [1, 2]}) == {"kind": ["good", "bad"], "n": [1, 2]}
    assert names["parts"]([{"kind": 7}, {"kind": None}, None]) == [{"kind": 7}, {"kind": None}, None]


def test_a_class_of_a_column_with_gaps_is_a_number_with_a_fraction(tmp_path: Path) -> None:
    """A gap is no label."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a b", "c d", "e f"], "mood": [1.0, float("nan"), 0.5]}), path)
    one, two, three = documents(path, MOOD)
    assert (one.labels, two.labels) == ({"mood": 1}, {})
    assert isinstance(three.labels["mood"], BadLabel)


def test_a_saved_dataset_has_the_names_that_its_features_have(tmp_path: Path) -> None:
    """The oracle: `datasets` itself, which wrote it."""
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features({"text": datasets.Value("string"), "mood": names, "parts": [{"kind": names}]})
    rows = {
        "text": ["It rained.", "It snowed."],
        "mood": [1, 0],
        "parts": [[{"kind": 0}, {"kind": 1}], [{"kind": 1}]],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    found = documents(tmp_path / "saved", MOOD | {"parts": {"kind": "segment", "column": "parts.kind"}})
    assert [item.labels for item in found] == [
        {"mood": names.int2str(1), "parts": ("bad", "good")},
        {"mood": names.int2str(0), "parts": ("good",)},
    ]
