"""The task and its JSON: the contract between a dataset and whoever reads it."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.task import TASKS_KEY, Task, column, read_tasks, tasks, tokens_of, write_tasks

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
)


def a_task(**values: Any) -> Task:
    """Return a small task."""
    known = {"name": "t", "labeler": "l", "version": 1, "kind": "token", "sequences": ("source",), "target": "l.tags"}
    return Task(**(known | values))


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
