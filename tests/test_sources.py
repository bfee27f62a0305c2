"""The input: every format, every bad record, and cuts that change nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recipe import Input
from pipelines.sources import REASONS, Document, Reject, find_files, make_units, read_unit


def read(settings: Input, unit_bytes: int = 1 << 20, group: str = "") -> list[Document | Reject]:
    """Return every record of an input."""
    files, _ = find_files(settings)
    units = make_units(files, unit_bytes, limit=settings.limit)
    return [item for unit in units for item in read_unit(unit, files, settings, group)]


def write(path: Path, data: bytes | str) -> str:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def jsonl(path: Path, *records: Any) -> str:
    """Write records as lines of JSON; a string stands as it is."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in records]
    return write(path, "\n".join(lines) + "\n")


def test_a_line_of_text_is_a_document_named_by_its_byte_offset(tmp_path: Path) -> None:
    """Offsets count bytes, not characters; blank lines are no records; both line ends are understood."""
    path = write(tmp_path / "a.txt", "\ufeffÜber uns.\r\n\n  \nSecond line.\nlast")
    found = read(Input(files=path))
    assert [(item.id, item.text) for item in found] == [
        ("a.txt:0", "Über uns."),
        ("a.txt:19", "Second line."),
        ("a.txt:32", "last"),
    ]


def test_a_paragraph_between_blank_lines_is_a_document_if_asked(tmp_path: Path) -> None:
    """Inner line breaks become one space each."""
    path = write(tmp_path / "a.txt", "one\ntwo\n\n\nthree\n")
    found = read(Input(files=path, paragraphs="blank"))
    assert [(item.id, item.text) for item in found] == [("a.txt:0", "one two"), ("a.txt:10", "three")]


TEXT = st.lists(st.sampled_from(["", " ", "a", "some words here", "é", "x" * 40]), max_size=12)


@given(TEXT, st.integers(1, 60), st.sampled_from(["line", "blank"]), st.sampled_from(["\n", "\r\n"]))
def test_cuts_change_no_record(lines: list[str], size: int, paragraphs: Any, end: str) -> None:
    """Whatever the size of a unit, the records and their ids are those of the whole file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.txt", "first" + end + end.join(lines))
        settings = Input(files=path, paragraphs=paragraphs)
        assert read(settings, size) == read(settings, 1 << 30)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"text": "broken', "not_json"),
        ("[" * 100_000, "not_json"),
        ("[1, 2]", "not_an_object"),
        ({"body": "x"}, "missing_field"),
        ({"text": 3}, "wrong_type"),
        ({"text": "x", "id": [1]}, "wrong_type"),
        ({"text": "x", "year": "1999"}, "wrong_type"),
        ({"text": " \u0007\u200b\n"}, "empty"),
        ('{"text": "\\ud800"}', "undecodable"),
        ({"tokens": []}, "empty"),
        ({"tokens": ["a", ""]}, "bad_token"),
        ({"tokens": ["a b"]}, "bad_token"),
        ({"tokens": "a b"}, "wrong_type"),
        ({"tokens": ["a", "b"], "segments": [1]}, "bad_segments"),
        ({"tokens": ["a", "b"], "segments": [0, 2]}, "bad_segments"),
        ({"turns": [{"role": "A"}]}, "bad_turns"),
        ({"turns": [{"role": "", "text": "x"}]}, "bad_turns"),
        ({"turns": "A: x"}, "bad_turns"),
        ({"turns": [{"role": "A", "text": " "}]}, "empty"),
        ({"text": "y" * 600}, "too_long"),
    ],
)
def test_a_bad_record_is_one_reject_and_the_next_is_read(tmp_path: Path, record: Any, reason: str) -> None:
    """The reject says where, why, and shows a part of it."""
    path = jsonl(tmp_path / "a.jsonl", {"text": "before"}, record, {"text": "after"})
    limit = 200_000 if isinstance(record, str) else 500
    first, bad, last = read(Input(files=path, keep={"year": "int64"}, max_record_bytes=limit))
    assert (first.text, last.text) == ("before", "after")
    assert (bad.source, bad.place, bad.reason) == ("a.jsonl", 19, reason)
    assert reason in REASONS
    assert len(bad.sample) <= 1000


@pytest.mark.parametrize("text", ["😀😀", "שלום עולם", "e\u0301\u0323", "\u202eabc"])
def test_odd_text_is_text(tmp_path: Path, text: str) -> None:
    """Emoji, right-to-left and combining characters are documents; labelers abstain where they must."""
    (found,) = read(Input(files=jsonl(tmp_path / "a.jsonl", {"text": text})))
    assert found.text == text


def test_undecodable_bytes_are_rejected_and_other_encodings_read(tmp_path: Path) -> None:
    """A line that is no UTF-8 is a reject; told its encoding, it is text."""
    path = write(tmp_path / "a.txt", "good\ncaf\xe9\n".encode("latin-1"))
    good, bad = read(Input(files=path))
    assert (good.text, bad.reason, bad.sample) == ("good", "undecodable", "caf\\xe9")
    assert read(Input(files=path, encoding="latin-1"))[1].text == "café"


def test_a_very_long_line_is_never_held_whole(tmp_path: Path) -> None:
    """A line of many times the limit becomes one reject, in little memory, and the next line is read."""
    import tracemalloc

    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(b"word " * 200_000)  # 200 MB in one line
        file.write(b"\nnext\n")
    settings = Input(files=str(path))
    tracemalloc.start()
    bad, good = read(settings, 1 << 30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (bad.reason, good.text, good.place) == ("too_long", "next", 200_000_001)
    assert peak < 16 << 20


def test_ids_fields_and_groups(tmp_path: Path) -> None:
    """A record's own id names and groups it; without one, blocks of 64 kB stay together; a field or the file may."""
    path = jsonl(tmp_path / "a.jsonl", {"id": 7, "text": "x", "year": 1999}, {"text": "y" * 65_536}, {"text": "z"})
    settings = Input(files=path, keep={"year": "int64"})
    own, first, second = read(settings)
    assert (own.id, own.group, own.fields) == ("7", "7", {"year": 1999})
    assert (first.id, first.group, first.fields) == ("a.jsonl:37", "a.jsonl:0", {"year": None})
    assert second.group == "a.jsonl:1"
    assert [item.group for item in read(settings, group="file")] == ["a.jsonl"] * 3
    assert read(settings, group="year")[0].group == "1999"


def test_dialogues_and_ready_tokens(tmp_path: Path) -> None:
    """Turns keep their roles, silent turns are left out; tokens and segments stand as they came."""
    path = jsonl(
        tmp_path / "a.jsonl",
        {"turns": [{"role": "A", "text": "Hi."}, {"role": "B", "text": ""}, {"role": "A", "text": "Well?"}]},
        {"tokens": ["I", "see", "."], "segments": [0]},
    )
    talk, ready = read(Input(files=path))
    assert [(turn.role, turn.text) for turn in talk.turns] == [("A", "Hi."), ("A", "Well?")]
    assert (ready.tokens, ready.segments) == (("I", "see", "."), (0,))


@pytest.mark.parametrize("ending", ["jsonl.gz", "parquet", "arrow", "file.arrow"])
def test_row_formats_are_named_by_row_and_read_the_same_in_parts(tmp_path: Path, ending: str) -> None:
    """Compressed JSON, parquet and both Arrow formats give the same records, whatever the unit."""
    path = tmp_path / f"a.{ending}"
    texts = [f"text number {i}" for i in range(2500)]
    table = pa.table({"text": texts, "other": list(range(2500))})
    if ending == "jsonl.gz":
        path.write_bytes(gzip.compress("".join(json.dumps({"text": text}) + "\n" for text in texts).encode()))
    elif ending == "parquet":
        pq.write_table(table, path, row_group_size=300)
    else:
        new = pa.ipc.new_stream if ending == "arrow" else pa.ipc.new_file
        with new(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=300)
    found = read(Input(files=str(path)), 1 << 30)
    assert [item.text for item in found] == texts
    assert found[1234].id == f"a.{ending}:1234"
    assert read(Input(files=str(path)), 2000) == found


def test_a_saved_dataset_keeps_its_splits(tmp_path: Path) -> None:
    """A folder that `save_to_disk` wrote is read by its shards, each in its own split."""
    import datasets

    data = datasets.DatasetDict(
        train=datasets.Dataset.from_dict({"text": ["a", "b"]}), test=datasets.Dataset.from_dict({"text": ["c"]})
    )
    data.save_to_disk(tmp_path / "saved")
    files, _ = find_files(Input(files=str(tmp_path / "saved")))
    assert [(file.split, file.format) for file in files] == [("test", "arrow"), ("train", "arrow")]
    assert [item.text for item in read(Input(files=str(tmp_path / "saved")))] == ["c", "a", "b"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet", "a.arrow"])
def test_a_file_that_is_not_what_its_ending_says_is_one_reject(tmp_path: Path, name: str) -> None:
    """The other files are read."""
    write(tmp_path / "in" / name, "plain text, whatever the name says")
    write(tmp_path / "in" / "b.txt", "fine")
    found = read(Input(files=str(tmp_path / "in")))
    assert sorted(type(item).__name__ for item in found) == ["Document", "Reject"]
    (bad,) = [item for item in found if isinstance(item, Reject)]
    assert (bad.source, bad.reason) == (name, "file")


def test_folders_are_read_in_order_without_hidden_and_unknown_files(tmp_path: Path) -> None:
    """Names come from the common folder; what begins with . or _ is not seen; unknown endings are listed."""
    for name in ("b/2.txt", "a.txt", ".git/x.txt", "_cache/y.txt", "b/notes.pdf"):
        write(tmp_path / name, "text")
    files, skipped = find_files(Input(files=str(tmp_path)))
    assert [file.name for file in files] == ["a.txt", "b/2.txt"]
    assert skipped == ["b/notes.pdf"]
    again, _ = find_files(Input(files=(str(tmp_path / "b"), str(tmp_path / "*.txt"))))
    assert again == files


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """Files under train, validation and test carry their split."""
    train, test = write(tmp_path / "1.txt", "a"), write(tmp_path / "2.txt", "b")
    files, _ = find_files(Input(train=train, test=test))
    assert [file.split for file in files] == ["train", "test"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no input; give files"),
        ({"files": "{}/none"}, "no such input"),
        ({"files": "{}/*.md"}, "no file matches"),
        ({"files": "{}/void"}, "holds no files"),
        ({"files": "{}/x.pdf"}, "none of the endings .jsonl.gz"),
        ({"files": "{}/empty.txt"}, "are empty"),
        ({"files": "{}/x.txt", "train": "{}/x.txt"}, "give one of them"),
        ({"files": "{}/x.txt", "encoding": "utf-16"}, "convert the files to utf-8"),
        ({"files": "{}/x.txt", "encoding": "klingon"}, "unknown to Python"),
    ],
)
def test_input_that_cannot_be_found_is_told(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    """The error says what was given and what to do."""
    (tmp_path / "void").mkdir()
    for name, text in (("x.pdf", "x"), ("empty.txt", ""), ("x.txt", "x")):
        write(tmp_path / name, text)
    given = {key: value.format(tmp_path) for key, value in settings.items()}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_files(Input(**given))


def test_a_limit_reads_the_first_records_of_each_file(tmp_path: Path) -> None:
    """Exactly so many, however small the units are."""
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, "".join(f"line {i}\n" for i in range(50)))
    found = read(Input(files=str(tmp_path), limit=3), 10)
    assert [item.id for item in found] == ["a.txt:0", "a.txt:7", "a.txt:14", "b.txt:0", "b.txt:7", "b.txt:14"]


def test_small_files_share_a_unit_and_large_ones_are_cut(tmp_path: Path) -> None:
    """Units have about the size that was asked for, and cover every byte once."""
    for i in range(10):
        write(tmp_path / f"{i}.txt", "x" * 10)
    write(tmp_path / "9large.txt", "y" * 1000)
    files, _ = find_files(Input(files=str(tmp_path)))
    units = make_units(files, 100)
    sizes = [sum(part.stop - part.start for part in unit.ranges) for unit in units]
    assert sum(sizes) == 1100
    assert sizes == [100] * 11
    assert [unit.index for unit in units] == list(range(11))
