"""The task and its JSON: the contract between a dataset and whoever reads it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelers.paths import column, resolve, tokens_of
from labelers.task import SECOND, TASKS_KEY, Task, read_tasks, tasks, write_tasks

names = st.text(min_size=1)
columns = st.lists(names, max_size=3).map(tuple)
any_task = st.builds(
    Task,
    name=names,
    labeler=names,
    version=st.integers(1, 99),
    kind=names,
    sequences=st.lists(names, min_size=1, max_size=2).map(tuple),
    target=names,
    spans=columns,
    classes=columns,
    status=names,
    reasons=columns,
    weight=st.none() | names,
    swap=st.none() | names,
    roles=st.booleans(),
    exclude=st.none() | names,
    rate=st.none() | st.floats(0, 1),
    hide_roles=st.none() | names,
    hide_tokens=st.none() | names,
    multi=st.booleans(),
    dimension=st.none() | st.integers(1, 1000),
    level=names,
    metric=names,
    primary=st.booleans(),
    mode=st.sampled_from(["own", "joint"]),
    paper=names,
    gold=st.booleans(),
    scheme=st.sampled_from(["", "bio"]),
    relations=st.none() | names,
    on=st.just("") | names,
)


def a_task(**values: Any) -> Task:
    """Return a small task."""
    known = {"name": "t", "labeler": "l", "version": 1, "kind": "token", "sequences": ("source",), "target": "l.tags"}
    return Task(**(known | values))


@settings(max_examples=25)
@given(any_task)
def test_a_task_survives_json(task: Task) -> None:
    """What is written as text is read as the same task."""
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


@given(st.lists(any_task, max_size=3))
def test_tasks_survive_a_schema(items: list[Task]) -> None:
    """The schema's own metadata stays beside them."""
    schema = write_tasks(pa.schema([("id", pa.string())], metadata={"theirs": "x"}), items)
    assert read_tasks(schema) == items
    assert schema.metadata[b"theirs"] == b"x"


def test_a_schema_without_tasks_has_none() -> None:
    """No metadata, or only that of others."""
    assert read_tasks(pa.schema([])) == []
    assert read_tasks(pa.schema([], metadata={"theirs": "x"})) == []


def test_an_unknown_key_is_kept() -> None:
    """A later version's key is read, kept and written again."""
    data = a_task().to_json() | {"curriculum": {"from": 3}}
    task = Task.from_json(data)
    assert task.extra == {"curriculum": {"from": 3}}
    assert task.to_json() == data


def test_a_task_of_an_unknown_kind_is_read() -> None:
    """Who only shows or describes a dataset needs to know no kind; who trains refuses those that it does not know."""
    data = a_task().to_json() | {"kind": "hologram", "needs": "0.9"}
    task = Task.from_json(data)
    assert (task.kind, task.extra) == ("hologram", {"needs": "0.9"})
    assert task.to_json() == data


def write(path: Path, items: list[Task]) -> None:
    """Write an empty Arrow stream with tasks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = write_tasks(pa.schema([("id", pa.string())]), items)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema):
        pass


def test_tasks_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    """A dataset's folder or the folder of one split."""
    write(tmp_path / "train" / "data-00000-of-00001.arrow", [a_task(classes=("O", "D"))])
    assert tasks(tmp_path) == tasks(tmp_path / "train") == [a_task(classes=("O", "D"))]


def test_a_folder_without_arrow_files_is_an_error(tmp_path: Path) -> None:
    """The message names the folder and what to give."""
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path.name}.*auxloom build"):
        tasks(tmp_path)


def test_the_key_of_the_metadata_is_the_published_one() -> None:
    """Readers in other languages look for it."""
    assert TASKS_KEY == b"auxloom.tasks"
    assert TASKS_KEY in write_tasks(pa.schema([]), [a_task()]).metadata


ROW = {
    "tokens": ["a", "b"],
    "edited": {"status": 0, "tokens": ["b"], "tags": [0]},
    "left": {"status": 2, "tokens": [], "tags": []},
    "absent": None,
    "woven": {"tokens": ["a", "a", "b"]},
}


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("source", ["a", "b"]), ("edited", ["b"]), ("left", ["a", "b"]), ("absent", ["a", "b"]), ("woven", list("aab"))],
)
def test_a_view_is_the_source_where_nothing_was_edited(name: str, tokens: list[str]) -> None:
    """The labeler's tokens if it has some, else the row's."""
    assert tokens_of(ROW, name) == tokens


def test_a_column_is_found_by_its_path() -> None:
    """A null on the way gives null, a name that is not there an error."""
    assert column(ROW, "edited.tags") == [0]
    assert column(ROW, "absent.tags.start") is None
    with pytest.raises(KeyError):
        column(ROW, "edited.tag")


def test_a_second_text_is_a_sequence_of_its_own() -> None:
    """Also an empty one, for which the source does not stand in."""
    assert tokens_of({"tokens": ["a"], "second": {"tokens": ["b", "c"]}}, SECOND) == ["b", "c"]
    assert tokens_of({"tokens": ["a"], "second": {"tokens": []}}, SECOND) == []


NAME = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=3).map(".".join)
NESTED = st.recursive(
    st.integers(0, 9), lambda inner: st.dictionaries(NAME, inner, min_size=1, max_size=3), max_leaves=8
)


def columns_of(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the names on the way to each column of nested dicts, and what it holds."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield (*before, name), inner
        yield from columns_of(inner, (*before, name))


@given(st.dictionaries(NAME, NESTED, min_size=1, max_size=4))
def test_names_with_dots_are_found_again(row: dict[str, Any]) -> None:
    """In a row and in its schema alike; a path that two columns have is an error that names both."""
    found = list(columns_of(row))
    paths = [".".join(names) for names, _ in found]
    schema = pa.Table.from_pylist([row]).schema
    for path, (names, value) in zip(paths, found, strict=True):
        if paths.count(path) == 1:
            assert column(row, path) == value
            assert resolve(path, row) == resolve(path, schema) == names
        else:
            for level in (row, schema):
                with pytest.raises(ValueError, match=r"could be .*; rename one of them"):
                    resolve(path, level)


@given(st.dictionaries(NAME, NESTED, max_size=4), NAME)
def test_a_name_that_is_not_there_is_not_found(row: dict[str, Any], path: str) -> None:
    """Whatever dots stand in it and in the others."""
    if path not in {".".join(names) for names, _ in columns_of(row)}:
        with pytest.raises(KeyError, match="no column"):
            column(row, path)


def test_what_is_below_a_null_is_null() -> None:
    """A row does not tell what it could hold; what is there comes first."""
    row = {"meta": None, "meta.source": "news", "other": {"place": None}}
    assert column(row, "meta.source") == "news"
    assert column(row, "meta.title") is None
    assert column(row, "other.place.start") is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("edited.tag", "no column 'edited.tag'; edited holds status, tokens, tags"),
        ("tags", "no column 'tags'; it has tokens, edited, left, absent, woven"),
        ("tokens.a", "no column 'tokens.a'; it has tokens, edited, left, absent, woven"),
    ],
)
def test_a_column_that_is_not_there_is_an_error_that_names_others(path: str, message: str) -> None:
    """Those at the place that the path leads to."""
    with pytest.raises(KeyError) as raised:
        column(ROW, path)
    assert raised.value.args == (message,)
