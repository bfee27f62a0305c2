"""Input: which files are read, how they are cut, what becomes of each record."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelers.text.document import Document, Reject, Turn
from pipelines.input.find import find_files
from pipelines.input.records import Range, Unit
from pipelines.input.units import REASONS, make_units, read_unit
from pipelines.recipes.recipe_tables import InputTable


def records(path: Path, unit_bytes: int = 0, group: str = "", **options: Any) -> list[Document | Reject]:
    """Return all records of a path, read unit by unit."""
    form = InputTable(files=(str(path),), **options)
    files, _ = find_files((form,))
    units = make_units(files, unit_bytes, (form,))
    return [item for unit in units for item in read_unit(unit, files, (form,), group)]


def write(folder: Path, name: str, data: bytes | Sequence[Any]) -> Path:
    """Write bytes, or one JSON line per object."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(data, bytes):
        data = b"".join(json.dumps(item).encode() + b"\n" for item in data)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def texts(items: Sequence[Document | Reject]) -> list[str]:
    """Return texts, and reasons of rejects in angle brackets."""
    return [f"<{item.reason}>" if isinstance(item, Reject) else item.text for item in items]


def test_a_line_of_text_is_a_document_named_by_its_byte_offset(tmp_path: Path) -> None:
    """Line ends of both kinds, a byte order mark and blank lines are no part of a document."""
    path = write(tmp_path, "a.txt", "\ufeffÉtude one.\r\n\n  \nTwo\x00.\nThree".encode())
    found = records(path)
    assert [(item.id, item.text) for item in found] == [
        ("a.txt:0", "Étude one."),
        ("a.txt:20", "Two\x00."),
        ("a.txt:26", "Three"),
    ]
    assert {item.group for item in found} == {"a.txt:0"}


def test_paragraphs_between_blank_lines_are_documents_on_request(tmp_path: Path) -> None:
    """With their inner line breaks, of which the recipe says what they mean."""
    path = write(tmp_path, "a.txt", b"\n\nOne\ntwo\r\nthree.\n \nFour\n\n\n")
    found = records(path, paragraphs="blank")
    assert [(item.id, item.text) for item in found] == [("a.txt:2", "One\ntwo\nthree."), ("a.txt:20", "Four")]


LINES = st.lists(st.sampled_from([b"", b" ", b"a", b"bc d", b"x" * 9, b"\xc3\xa9", b"\r"]), max_size=12)


@given(lines=LINES, end=st.sampled_from([b"", b"\n"]), blank=st.booleans(), size=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_where_a_unit_ends_changes_no_record(
    tmp_path_factory: pytest.TempPathFactory, *, lines: list[bytes], end: bytes, blank: bool, size: int
) -> None:
    """The records of many small units are those of a single one, in the same order, for lines and paragraphs."""
    data = b"\n".join(lines) + end + b"z"
    path = write(tmp_path_factory.mktemp("units"), "a.txt", data)
    mode = "blank" if blank else "line"
    whole = records(path, len(data), paragraphs=mode)
    assert records(path, size, paragraphs=mode) == whole
    expected = [line.strip() for line in data.split(b"\n") if line.strip()]
    assert " ".join(texts(whole)).split() == b" ".join(expected).decode().split()


def test_a_line_of_any_length_is_rejected_without_being_held(tmp_path: Path) -> None:
    """Only its start is kept, and the lines around it are read."""
    path = write(tmp_path, "a.txt", b"before\n" + b"y" * 5_000_000 + b"\nafter\n" + b"w" * 3_000_000)
    found = records(path, 700_000)
    assert texts(found) == ["before", "<too_long>", "after", "<too_long>"]
    assert [item.place for item in found] == [0, 7, 5_000_008, 5_000_014]
    assert found[1].sample == "y" * 1000
    path = write(tmp_path, "b.txt", b"p\n\n" + b"q" * 30 + b"\n" + b"q" * 30 + b"\nq\n\nr\n")
    assert texts(records(path, paragraphs="blank", max_record_bytes=40)) == ["p", "<too_long>", "r"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "\xff"}', "undecodable"),
        (b'{"text": "half \\ud83d"}', "undecodable"),
        (b'{"id": "\\udc00", "text": "a"}', "undecodable"),
        (b'{"text": "a"', "not_json"),
        (b'{"text": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'["text"]', "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"words": "a"}', "missing_field"),
        (b'{"text": null}', "wrong_type"),
        (b'{"text": ["a"]}', "wrong_type"),
        (b'{"text": "a", "id": 1.5}', "wrong_type"),
        (b'{"text": "a", "id": true}', "wrong_type"),
        (b'{"text": "a", "id": ""}', "wrong_type"),
        (b'{"tokens": "a b"}', "wrong_type"),
        (b'{"tokens": ["a", 1]}', "wrong_type"),
        (b'{"text": ""}', "empty"),
        (b'{"text": " \\u0007\\u200a\\n "}', "empty"),
        (b'{"tokens": []}', "empty"),
        (b'{"turns": []}', "empty"),
        (b'{"turns": [{"role": "a", "text": " "}]}', "empty"),
        (b'{"tokens": ["a", ""]}', "bad_token"),
        (b'{"tokens": ["a", "b c"]}', "bad_token"),
        (b'{"tokens": ["a", "\\u00a0"]}', "bad_token"),
        (b'{"tokens": ["a", "b"], "segments": [1]}', "bad_segments"),
        (b'{"tokens": ["a", "b"], "segments": [0, 2]}', "bad_segments"),
        (b'{"tokens": ["a", "b"], "segments": [0, 0]}', "bad_segments"),
        (b'{"tokens": ["a", "b"], "segments": ["0"]}', "wrong_type"),
        (b'{"turns": "a"}', "bad_turns"),
        (b'{"turns": ["a"]}', "bad_turns"),
        (b'{"turns": [{"text": "a"}]}', "bad_turns"),
        (b'{"turns": [{"role": " ", "text": "a"}]}', "bad_turns"),
    ],
)
def test_a_record_that_cannot_be_used_is_rejected_with_its_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    """The records around it are read, and the reject says where and what was found."""
    path = write(tmp_path, "a.jsonl", b'{"text": "before"}\n' + line + b'\n{"text": "after"}\n')
    before, found, after = records(path)
    assert (before.text, after.text) == ("before", "after")
    assert isinstance(found, Reject)
    assert (found.source, found.place, found.reason) == ("a.jsonl", 19, reason)
    assert found.sample.encode() == line[:1000].decode(errors="replace").encode()[:1000]
    assert reason in REASONS


def test_text_that_is_not_in_the_encoding_is_rejected_and_another_encoding_reads_it(tmp_path: Path) -> None:
    """A bad line costs only itself."""
    path = write(tmp_path, "a.txt", b"caf\xe9\nplain\n\x07\n")
    assert texts(records(path)) == ["<undecodable>", "plain", "<empty>"]
    assert texts(records(path, encoding="cp1252")) == ["café", "plain", "<empty>"]


@pytest.mark.parametrize("text", ["😀 🎉", "שלום עולם", "e\u0301tude", "a\u202eb", "\u200b"])
def test_odd_text_is_a_document(tmp_path: Path, text: str) -> None:
    """Emoji, right-to-left and combining text are for the labelers to judge."""
    assert texts(records(write(tmp_path, "a.jsonl", [{"text": text}]))) == [text]


def test_the_record_names_itself_and_brings_fields(tmp_path: Path) -> None:
    """Own ids also group; a missing id is the place in the file; declared fields keep their types."""
    rows = [
        {"id": "x", "text": "a", "n": 1, "s": "u", "b": True, "f": 2},
        {"id": 7, "text": "b", "n": None, "s": None, "b": None, "f": None},
        {"text": "c", "n": 3, "s": "v", "b": False, "f": 0.5},
    ]
    keep = {"n": "int64", "s": "string", "b": "bool", "f": "float64"}
    path = write(tmp_path, "a.jsonl", rows)
    found = records(path, keep=keep)
    place = len(json.dumps(rows[0])) + len(json.dumps(rows[1])) + 2
    assert [(item.id, item.group) for item in found] == [("x", "x"), ("7", "7"), (f"a.jsonl:{place}", "a.jsonl:0")]
    assert [dict(item.fields) for item in found] == [{name: row[name] for name in keep} for row in rows]
    assert [item.group for item in records(path, group="file")] == ["a.jsonl"] * 3
    assert [item.group for item in records(path, group="s", keep=keep)] == ["u", "7", "v"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int64", True), ("int64", 2**63), ("int64", "1"), ("bool", 1), ("string", 1), ("float64", True)],
)
def test_a_field_of_another_type_rejects_the_record(tmp_path: Path, kind: str, value: Any) -> None:
    """Nothing is converted silently, and a field that is not there is missing."""
    path = write(tmp_path, "a.jsonl", [{"text": "a", "x": value}, {"text": "b"}])
    assert texts(records(path, keep={"x": kind})) == ["<wrong_type>", "<missing_field>"]


def test_tokens_and_turns_are_taken_over(tmp_path: Path) -> None:
    """Tokens come before turns and text; turns without a word are left out."""
    turns = [{"role": "Ann ", "text": "Hi."}, {"role": "Bob", "text": " "}, {"role": "Bob", "text": "Bye."}]
    path = write(
        tmp_path,
        "a.jsonl",
        [{"text": "no", "tokens": ["a", "b."], "segments": [0, 1]}, {"turns": turns, "text": "no"}],
    )
    first, second = records(path)
    assert (first.text, first.tokens, first.segments, first.turns) == ("", ("a", "b."), (0, 1), None)
    assert second.turns == (Turn("Ann", "Hi."), Turn("Bob", "Bye."))
    assert texts(records(path, max_record_bytes=70)) == ["", "<too_long>"]


def table(rows: int) -> pa.Table:
    """Return a table of texts with an id in every second row."""
    return pa.table(
        {"id": [f"r{i}" if i % 2 else None for i in range(rows)], "text": [f"text {i}" for i in range(rows)]}
    )


def write_arrow(path: Path, content: pa.Table, *, stream: bool, rows: int = 3) -> Path:
    """Write an IPC file or stream with a few rows per batch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(str(path), content.schema) as writer:
        writer.write_table(content, rows)
    return path


def table_files(folder: Path) -> Iterator[Path]:
    """Yield one table in every format of tables."""
    pq.write_table(table(10), folder / "a.parquet", row_group_size=3)
    yield folder / "a.parquet"
    yield write_arrow(folder / "f" / "a.arrow", table(10), stream=False)
    yield write_arrow(folder / "s" / "a.arrow", table(10), stream=True)


def test_tables_are_read_in_parts_and_named_by_row(tmp_path: Path) -> None:
    """Row groups and record batches are cut into units; ids count rows of the file."""
    for path in table_files(tmp_path):
        whole = records(path)
        assert [item.id for item in whole] == [f"r{i}" if i % 2 else f"{path.name}:{i}" for i in range(10)]
        assert texts(whole) == [f"text {i}" for i in range(10)]
        assert records(path, 1) == whole
        form = InputTable(files=(str(path),))
        files, _ = find_files((form,))
        assert [unit.ranges for unit in make_units(files, 1)] == [(Range(0, i, i + 1),) for i in range(4)]
        assert texts(records(path, text="body")) == ["<missing_field>"] * 10
        assert texts(records(path, limit=5)) == [f"text {i}" for i in range(5)]


def test_fields_whose_names_hold_dots_are_kept(tmp_path: Path) -> None:
    """From lines and from tables, beside a field that has a part of the name."""
    rows = [{"text": f"Line {i}.", "meta.source": f"s{i}", "meta": {"source": "x"}} for i in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), path := tmp_path / "a.parquet")
    for file in (path, write(tmp_path, "a.jsonl", rows)):
        found = [item for item in records(file, keep={"meta.source": "string"}) if isinstance(item, Document)]
        assert [item.fields for item in found] == [{"meta.source": f"s{i}"} for i in range(3)]


def test_a_table_with_bytes_that_are_no_text_loses_only_those_rows(tmp_path: Path) -> None:
    """Parquet written elsewhere may hold any bytes in a string column."""
    raw = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary()).cast(pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(pa.table({"text": bad}), tmp_path / "a.parquet")
    assert texts(records(tmp_path / "a.parquet")) == ["good", "<undecodable>", "fine"]


def test_gzipped_lines_are_one_range_and_named_by_row(tmp_path: Path) -> None:
    """Blank lines are no rows."""
    path = write(tmp_path, "a.jsonl.gz", b'{"text": "a"}\n\n{"text": \n{"text": "b"}')
    found = records(path, 1)
    assert texts(found) == ["a", "<not_json>", "b"]
    assert [item.place for item in found] == [0, 1, 2]
    assert found[2].id == "a.jsonl.gz:2"


@pytest.mark.parametrize("paragraphs", ["line", "blank"])
def test_gzipped_text_is_read_as_text_is(tmp_path: Path, paragraphs: str) -> None:
    """But for ids, which count documents: rows are places, and blocks are of the unpacked text."""
    data = b"\xef\xbb\xbfOne\ntwo.\r\n\n\nThree.\n\xff\n\n" + b"Four.\n\n" * 3000
    plain = records(write(tmp_path, "p.txt", data), paragraphs=paragraphs)
    packed = records(write(tmp_path, "z.txt.gz", data), paragraphs=paragraphs)
    assert texts(packed) == texts(plain)
    assert [item.place for item in packed] == list(range(len(packed)))
    documents = [item for item in packed if isinstance(item, Document)]
    assert documents[-1].id == f"z.txt.gz:{len(packed) - 1}"
    assert (
        len({item.group for item in documents}) == len({item.group for item in plain if isinstance(item, Document)}) > 1
    )


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (b'{"body": "a", "title": "b"}', "no field 'text'; the record has body, title"),
        (b"{}", "no field 'text'; the record has none"),
        (b'{"turns": [{"role": "a", "text": "b"}, null]}', "turn 2 is null, not an object with role and text"),
        (b'{"turns": [["a"]]}', "turn 1 is a list, not an object with role and text"),
        (b'{"turns": [true]}', "turn 1 is a boolean, not an object with role and text"),
        (b'{"turns": [{"role": "a", "text": null}]}', "turn 1: text is null, not a string"),
        (b'{"turns": [{"role": 3, "text": "b"}]}', "turn 1: role is a number, not a string"),
        (b'{"turns": [{"role": "", "text": "b"}]}', "turn 1: role is empty"),
        (b'{"text": 3}', ""),
    ],
)
def test_a_reject_says_what_is_wrong_where_the_reason_does_not(tmp_path: Path, line: bytes, note: str) -> None:
    """Which field is missing and which there are, and which turn is none."""
    (item,) = records(write(tmp_path, "a.jsonl", line))
    assert isinstance(item, Reject)
    assert item.note == note


def test_a_missing_column_is_named_without_those_that_were_not_read(tmp_path: Path) -> None:
    """Of a table only the columns that matter are read."""
    pq.write_table(pa.table({"id": ["a"], "body": ["b"]}), tmp_path / "a.parquet")
    (item,) = records(tmp_path / "a.parquet")
    assert isinstance(item, Reject)
    assert (item.reason, item.note) == ("missing_field", "no field 'text'")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl.gz"])
def test_a_file_that_is_not_what_its_ending_says_is_one_reject(tmp_path: Path, name: str) -> None:
    """The other files are read."""
    (tmp_path / name).write_bytes(b"just a line of text\n" * 50)
    write(tmp_path, "b.txt", b"fine\n")
    found = records(tmp_path, 10)
    assert texts(found) == ["<file>", "fine"]
    assert found[0].source == name
    kind, _, told = found[0].sample.partition(": ")
    assert (kind in {"ArrowInvalid", "BadGzipFile"}, "\n" in told, str(tmp_path) in told) == (True, False, False)
    assert len(told.split()) > 3


def test_a_packed_file_named_as_text_is_one_reject(tmp_path: Path) -> None:
    """Whatever the number of units it was cut into."""
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"text\n" * 100, mtime=0))
    pq.write_table(table(3), tmp_path / "b.jsonl")
    assert texts(records(tmp_path, 7)) == ["<file>", "<file>"]


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    """A cut gzip file yields its readable lines and a reject; one that is gone, a reject."""
    data = gzip.compress(b"".join(b'{"text": "line %d"}\n' % i for i in range(200_000)))
    (tmp_path / "a.jsonl.gz").write_bytes(data[: len(data) // 2])
    found = records(tmp_path / "a.jsonl.gz")
    assert texts(found[:2]) == ["line 0", "line 1"]
    assert texts(found[-1:]) == ["<file>"]
    form = InputTable(files=(str(tmp_path),))
    write(tmp_path, "b.txt", b"fine\nfine\n")
    files, _ = find_files((form,))
    units = make_units(files, 5)
    (tmp_path / "b.txt").unlink()
    assert len([unit for unit in units for part in unit.ranges if part.file == 1]) > 1
    found = [item for unit in units for item in read_unit(unit, files, (form,))]
    rejects = [item for item in found if isinstance(item, Reject)]
    assert [item.source for item in rejects] == ["a.jsonl.gz", "b.txt"]
    assert rejects[0].sample == "EOFError: Compressed file ended before the end-of-stream marker was reached"
    assert rejects[1].sample == "FileNotFoundError: No such file or directory"


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz"])
def test_a_limit_counts_the_records_of_each_file(tmp_path: Path, name: str) -> None:
    """Also where the file would be cut into several units."""
    write(tmp_path, name, [{"text": f"line {i}"} for i in range(100)])
    write(tmp_path, "b.txt", b"one\ntwo\n")
    found = records(tmp_path, 50, limit=3)
    assert [item.source for item in found] == [name] * 3 + ["b.txt"] * 2


def test_units_are_equal_and_small_files_share_one(tmp_path: Path) -> None:
    """Units follow the files and cover each byte once; the default is between 1 and 64 MiB."""
    for i in range(10):
        write(tmp_path, f"{i}.txt", b"x" * (10 if i else 1000))
    write(tmp_path, "a.txt", b"")
    files, _ = find_files((InputTable(files=(str(tmp_path),)),))
    units = make_units(files, 500)
    assert [unit.index for unit in units] == [0, 1, 2]
    sizes = [sum(part.stop - part.start for part in unit.ranges) for unit in units]
    assert max(sizes) <= 500
    assert sum(sizes) == 1090
    assert min(sizes) >= max(sizes) - 2
    assert all(part.start < part.stop for unit in units for part in unit.ranges)
    flat = [part for unit in units for part in unit.ranges]
    assert flat == sorted(flat, key=lambda part: (part.file, part.start))
    assert units[2].ranges[1:] == tuple(Range(i, 0, 10) for i in range(1, 10))
    assert len(make_units(files, 0)) == 1
    assert make_units(files, 10_000) == [Unit(0, (Range(0, 0, 1000), *(Range(i, 0, 10) for i in range(1, 10))))]


def test_folders_are_read_recursively_in_the_order_of_names(tmp_path: Path) -> None:
    """Hidden names do not count, unknown endings are listed."""
    for name in ("b/2.txt", "b/1.JSONL", "a.txt", ".hidden/x.txt", "_tmp.txt", "b/readme.md"):
        write(tmp_path, name, b"{}\n")
    files, skipped = find_files((InputTable(files=(str(tmp_path),)),))
    assert [(file.name, file.format) for file in files] == [
        ("a.txt", "txt"),
        ("b/1.JSONL", "jsonl"),
        ("b/2.txt", "txt"),
    ]
    assert skipped == ["b/readme.md"]
    assert all(file.size == 3 and file.modified for file in files)


def test_names_are_paths_below_the_common_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the input lies and however it is given, its names are the same; a file given twice is read once."""
    for name in ("x/a.txt", "x/y/b.txt", "x/y/c.txt"):
        write(tmp_path, name, b"text\n")
    for given_paths in (["x/a.txt", "x/y"], [str(tmp_path / "x")], ["x/**/*.txt", "x/a.txt"], [f"file://{tmp_path}/x"]):
        monkeypatch.chdir(tmp_path)
        files, _ = find_files((InputTable(files=tuple(given_paths)),))
        assert [file.name for file in files] == ["a.txt", "y/b.txt", "y/c.txt"]
        assert [texts(list(read_unit(unit, files, (InputTable(),)))) for unit in make_units(files, 0)] == [["text"] * 3]
    assert [file.name for file in find_files((InputTable(files=("x/y/b.txt",)),))[0]] == ["b.txt"]


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """Each file has the split that it was given to, and cannot have two."""
    for name in ("a.txt", "b.txt", "c.txt"):
        write(tmp_path, name, b"text\n")
    form = InputTable(train=(str(tmp_path / "c.txt"), str(tmp_path / "a.txt")), test=(str(tmp_path / "b.txt"),))
    files, _ = find_files((form,))
    assert [(file.name, file.split) for file in files] == [("a.txt", "train"), ("b.txt", "test"), ("c.txt", "train")]
    with pytest.raises(ValueError, match=r"a\.txt is in two splits"):
        find_files((InputTable(train=(str(tmp_path),), test=(str(tmp_path / "a.txt"),)),))


def test_of_a_hugging_face_dataset_only_the_data_files_are_read(tmp_path: Path) -> None:
    """With their splits; caches of `map` in the folder and splits of other names are not."""
    for part in ("train", "validation", "extra"):
        write_arrow(tmp_path / "d" / part / "data-00000-of-00001.arrow", table(2), stream=True)
        write_arrow(tmp_path / "d" / part / "cache-1.arrow", table(2), stream=True)
        write(tmp_path, f"d/{part}/state.json", b'{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
        write(tmp_path, f"d/{part}/dataset_info.json", b"{}")
    write(tmp_path, "d/dataset_dict.json", b'{"splits": ["train", "validation", "extra"]}')
    write(tmp_path, "d/rejects/0.jsonl", b'{"text": "no"}\n')
    files, skipped = find_files((InputTable(files=(str(tmp_path / "d"),)),))
    assert [(file.name, file.split) for file in files] == [
        ("train/data-00000-of-00001.arrow", "train"),
        ("validation/data-00000-of-00001.arrow", "validation"),
    ]
    assert skipped == ["extra/data-00000-of-00001.arrow (split 'extra'; give its folder by itself to use it)"]
    files, _ = find_files((InputTable(files=(str(tmp_path / "d" / "extra"),)),))
    assert [(file.name, file.split) for file in files] == [("data-00000-of-00001.arrow", "")]


@pytest.mark.parametrize("given_path", ["in", "in/*", "in/n\udcff.txt"])
def test_a_name_that_is_no_utf8_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_path: str
) -> None:
    """In a folder, by a glob, or given by itself."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "in/n\udcff.txt", b"text\n")
    with pytest.raises(ValueError, match=r"in/n\\udcff\.txt' is not UTF-8; rename it"):
        find_files((InputTable(files=(given_path,)),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"files": ["nowhere.txt"]}, "no input at 'nowhere.txt'"),
        ({"files": [""]}, "no input at ''"),
        ({"files": ["*.none"]}, "no input at '\\*.none'"),
        ({}, "no input; give files"),
        ({"files": ["a.txt"], "train": ["a.txt"]}, "a.txt is in two splits"),
        ({"files": ["empty.txt"]}, "nothing to read in empty.txt: 1 empty files"),
        ({"files": ["hollow"]}, "nothing to read in hollow: 0 files of other kinds; auxloom reads"),
        ({"files": ["a.md"]}, "1 files of other kinds"),
        ({"files": ["a.txt"], "encoding": "utf-17"}, "unknown encoding 'utf-17'"),
        ({"files": ["a.txt"], "encoding": "utf-16"}, "convert them to utf-8"),
        ({"files": ["a.txt", "file:///a.txt"]}, "no input at 'file:///a.txt'"),
    ],
)
def test_input_that_cannot_be_read_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    """Nothing to read is no build."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.txt", b"text\n")
    write(tmp_path, "a.md", b"text\n")
    write(tmp_path, "empty.txt", b"")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(ValueError, match=message):
        find_files((InputTable(**options),))
