"""Reading a dataset: flat arrays equal the rows, and what is no dataset is told apart."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import SCHEMA, TASKS, make_row, write_dataset

from labelers.paths import column, tokens_of
from labelers.ragged import Ragged, ranges
from labelers.task import TASKS_KEY, Task
from trainer.data.dataset import Dataset, Split, Types
from trainer.score.rows import read_rows

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6)


def ragged(lists: list[list[int]]) -> Ragged:
    """Return lists as a Ragged."""
    flat = [value for item in lists for value in item]
    return Ragged.of(np.array([len(item) for item in lists]), np.array(flat, np.int64))


def unpacked(item: Ragged) -> list[list[int]]:
    """Return a Ragged as lists."""
    return [item.values[a:b].tolist() for a, b in zip(item.offsets[:-1], item.offsets[1:], strict=True)]


@given(LISTS, st.data())
def test_taken_lists_are_those_of_the_rows(lists: list[list[int]], data: st.DataObject) -> None:
    """`take` is indexing."""
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    assert unpacked(ragged(lists).take(np.array(rows, np.int64))) == [lists[row] for row in rows]


@given(LISTS, st.data())
def test_where_chooses_whole_lists(lists: list[list[int]], data: st.DataObject) -> None:
    """Each list comes from one or the other."""
    other = [[*item[::-1], 7] for item in lists]
    mask = data.draw(st.lists(st.booleans(), min_size=len(lists), max_size=len(lists)))
    chosen = ragged(lists).where(np.array(mask), ragged(other))
    assert unpacked(chosen) == [a if first else b for first, a, b in zip(mask, lists, other, strict=True)]


def test_a_slice_that_ends_before_it_begins_is_empty() -> None:
    """A null span has start and end -1."""
    lists = ragged([[1, 2, 3], [4]])
    sliced = lists.slice(np.array([0, 1, 0]), np.array([1, -1, 2]), np.array([3, -1, 1]))
    assert unpacked(sliced) == [[2, 3], [], []]


def test_spread_of_nothing_is_empty() -> None:
    """No ranges, no indices."""
    assert ranges(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 60 train rows."""
    return write_dataset(tmp_path_factory.mktemp("data") / "set", rows=60)


def test_rows_of_all_shards_stand_in_one_split(folder: Path) -> None:
    """Two shards, one split; the splits are there by name."""
    data = Dataset.open(folder)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 60, "validation": 10, "test": 10}
    assert [task.name for task in data.tasks] == [task.name for task in TASKS]


@pytest.mark.parametrize("name", ["source", "disfluency", "connective", "masking"])
def test_tokens_are_those_of_the_view(folder: Path, name: str) -> None:
    """A view that a labeler did not write is the source."""
    types = Types()
    tokens = Dataset.open(folder).splits["train"].tokens(name, types)
    texts = list(types.codes)
    assert [[texts[code] for code in row] for row in unpacked(tokens)] == [
        tokens_of(make_row(i), name) for i in range(60)
    ]


def test_origins_of_an_unedited_row_are_its_positions(folder: Path) -> None:
    """Rows that abstain have the identity, the others what stands in the row."""
    origins = unpacked(Dataset.open(folder).splits["train"].origins("disfluency"))
    expected = [make_row(i)["disfluency"]["origin"] or list(range(len(make_row(i)["tokens"]))) for i in range(60)]
    assert origins == expected


@pytest.mark.parametrize("path", ["connective.connective", "disfluency.swap", "topic.long"])
def test_integers_are_minus_one_where_null(folder: Path, path: str) -> None:
    """Booleans count as 0 and 1."""
    values = Dataset.open(folder).splits["train"].integers(path)
    expected = [column(make_row(i), path) for i in range(60)]
    assert values.tolist() == [-1 if value is None else int(value) for value in expected]


def test_spans_are_minus_one_where_null(folder: Path) -> None:
    """Start and end of each row."""
    spans = Dataset.open(folder).splits["train"].spans("disfluency.pair_view").tolist()
    expected = [column(make_row(i), "disfluency.pair_view") for i in range(60)]
    assert spans == [[-1, -1] if span is None else [span["start"], span["end"]] for span in expected]


def test_documents_are_numbered(folder: Path) -> None:
    """Four rows of the tiny dataset make a document."""
    assert Dataset.open(folder).splits["train"].documents().tolist() == [i // 4 for i in range(60)]


def test_an_unknown_column_is_named_with_the_known_ones(folder: Path) -> None:
    """The error lists what there is."""
    split = Dataset.open(folder).splits["train"]
    with pytest.raises(ValueError, match="no column 'nothing'; it has id, document"):
        split.column("nothing")
    with pytest.raises(ValueError, match=r"no column 'topic\.short'; topic holds status, long"):
        split.column("topic.short")


def test_names_of_columns_may_hold_dots() -> None:
    """At any level, also where another column has a part of the name."""
    rows = [{"a": {"b": 1, "c.d": {"e": 2}}, "a.f": {"start": 3, "end.x": 4}, "a.b.c": None}, {"a": None}]
    split = Split("train", pa.Table.from_pylist(rows, pa.Table.from_pylist(rows[:1]).schema))
    for path in ("a.b", "a.c.d.e", "a.f.start", "a.f.end.x"):
        assert split.integers(path).tolist() == [column(rows[0], path), -1]
    assert split.column("a.b.c").to_pylist() == [None, None]
    with pytest.raises(ValueError, match=r"no column 'a\.f\.b'; a\.f holds start, end\.x"):
        split.column("a.f.b")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(FileNotFoundError, match="no such folder"):
        Dataset.open(tmp_path / "nowhere")


def test_a_folder_that_is_no_dataset_is_an_error(tmp_path: Path) -> None:
    """It has no manifest and nothing of a build."""
    with pytest.raises(FileNotFoundError, match="is not a dataset"):
        Dataset.open(tmp_path)


def test_an_unfinished_dataset_is_an_error_that_names_the_cure(tmp_path: Path) -> None:
    """Shards without a manifest: the build did not end."""
    write_dataset(tmp_path, rows=8, manifest=False)
    with pytest.raises(FileNotFoundError, match=r"unfinished.*auxloom build"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("tasks", [None, ()])
def test_a_dataset_without_tasks_is_an_error(tmp_path: Path, tasks: tuple[()] | None) -> None:
    """Whether the key is missing or the list is empty."""
    write_dataset(tmp_path, rows=8, tasks=tasks)
    with pytest.raises(ValueError, match="has no tasks"):
        Dataset.open(tmp_path)


def test_a_task_of_an_unknown_kind_is_an_error(tmp_path: Path) -> None:
    """The error names the kind and the version that knows it."""
    task = dataclasses.replace(TASKS[0], kind="prophecy", extra={"needs": "9.9"}).to_json()
    write_dataset(tmp_path, rows=8)
    schema = SCHEMA.with_metadata({TASKS_KEY: json.dumps([task]).encode()})
    for shard in sorted((tmp_path / "train").glob("*.arrow")):
        with pa.OSFile(str(shard), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.Table.from_pylist([make_row(0)], schema=schema))
    with pytest.raises(ValueError, match=r"'prophecy'.*9\.9"):
        Dataset.open(tmp_path)


def test_a_shard_that_is_not_what_was_written_is_an_error(tmp_path: Path) -> None:
    """The error names it. Arrow reads wrong offsets as they are, and the process may end without a word."""
    write_dataset(tmp_path, rows=8)
    files = {path.relative_to(tmp_path).as_posix(): path for path in sorted(tmp_path.glob("*/*.arrow"))}
    facts = {name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in files.items()}
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats" / "00000.json").write_text(json.dumps({"files": facts}))
    assert len(Dataset.open(tmp_path).splits["train"]) == 8
    shard = files["train/data-00001-of-00002.arrow"]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ValueError, match=r"train/data-00001-of-00002\.arrow is damaged"):
        Dataset.open(tmp_path)
    shard.unlink()
    with pytest.raises(ValueError, match=r"train/data-00001-of-00002\.arrow is missing"):
        Dataset.open(tmp_path)


def test_a_dataset_without_train_rows_is_an_error(tmp_path: Path) -> None:
    """There is nothing to learn from."""
    write_dataset(tmp_path, rows=8)
    for shard in (tmp_path / "train").iterdir():
        shard.unlink()
    with pytest.raises(ValueError, match="no train rows"):
        Dataset.open(tmp_path)


def test_chosen_rows_are_read_from_every_chunk() -> None:
    """Columns of a choice, and of a choice or a part of one, are those of the rows that were chosen."""
    lists = [[number] * (number % 4) for number in range(23)]
    column = pa.chunked_array([pa.array(lists[:9]), pa.array(lists[9:9], pa.list_(pa.int64())), pa.array(lists[9:])])
    spans = pa.chunked_array([pa.array([{"start": n, "end": n + 1} if n % 5 else None for n in range(23)])])
    split, rows = Split("train", pa.table({"lists": column, "span": spans})), np.array([0, 3, 8, 9, 15, 22])
    chosen = split.chosen(rows)
    assert len(chosen) == 6
    assert chosen.ragged("lists").values.tolist() == split.ragged("lists").take(rows).values.tolist()
    assert chosen.spans("span").tolist() == split.spans("span")[rows].tolist()
    assert chosen.chosen(np.array([1, 4])).integers("span.start").tolist() == [3, -1]
    assert [part.spans("span")[:, 0].tolist() for part in chosen.parts(4)] == [[-1, 3, 8, 9], [-1, 22]]
    assert not split.chosen(rows[:0]).ragged("lists").values.size


def test_what_probes_read_takes_no_more_than_the_chosen_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No column of the split is read as a whole."""
    table = pa.table({"tokens": [["a"], ["b"], ["c"]], "document": ["x", "y", "z"], "label": [0, 1, 0]})
    task = Task(name="t.t", labeler="t", version=1, kind="passage", sequences=("source",), target="label")
    taken: list[int] = []
    column = Split.column

    def spy(split: Split, path: str) -> pa.ChunkedArray:
        value = column(split, path)
        taken.append(len(value))
        return value

    monkeypatch.setattr(Split, "column", spy)
    found = read_rows(Split("train", table), task, Types(), np.array([0, 2]))
    assert set(taken) == {2}
    assert found.labels.tolist() == [0, 0]
    assert found.rows.tolist() == [0, 2]
