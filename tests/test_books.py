"""Books of labels that people make: sets of classes, numbers and trees are counted as what they are."""

from typing import Any

import pyarrow as pa
import pytest

from labelers.task import Task
from pipelines.folder.books import RowBook

NAN = float("nan")
SCHEMA = pa.schema([
    pa.field("tokens", pa.list_(pa.string())),
    pa.field("genre", pa.struct([pa.field("status", pa.int8()), pa.field("labels", pa.list_(pa.bool_()))])),
    pa.field("grade", pa.struct([pa.field("status", pa.int8()), pa.field("value", pa.float32())])),
    pa.field("pace", pa.struct([pa.field("status", pa.int8()), pa.field("values", pa.list_(pa.float32()))])),
    pa.field(
        "tree",
        pa.struct([
            pa.field("status", pa.int8()),
            pa.field("heads", pa.list_(pa.int32())),
            pa.field("relations", pa.list_(pa.int8())),
        ]),
    ),
])  # fmt: skip


def a_task(name: str, kind: str, column: str, **values: Any) -> Task:
    """Return a task whose labels people made."""
    return Task(
        name=name, labeler=name, version=1, kind=kind, sequences=("source",), target=f"{name}.{column}",
        status=f"{name}.status", reasons=("unlabelled", "rejected", "copy"), gold=True, **values,
    )  # fmt: skip


GENRE = a_task("genre", "multilabel", "labels", classes=("tale", "song", "play"), multi=True)
GRADE = a_task("grade", "regression", "value")
PACE = a_task("pace", "regression", "values", level="token")
TREE = a_task("tree", "arc", "heads", relations="tree.relations", classes=("root", "det"), level="token")
BARE = a_task("tree", "arc", "heads", level="token")

ROW = {
    "tokens": ["the", "end"],
    "genre": {"status": 0, "labels": [True, False, True]},
    "grade": {"status": 0, "value": 0.0},
    "pace": {"status": 0, "values": [0.0, NAN]},
    "tree": {"status": 0, "heads": [1, 1], "relations": [1, 0]},
}
NONE = {
    "tokens": ["x"],
    "genre": {"status": 2, "labels": []},
    "grade": {"status": 2, "value": None},
    "pace": {"status": 2, "values": []},
    "tree": {"status": 2, "heads": [], "relations": []},
}


def counted(task: Task, *rows: dict[str, Any]) -> dict[str, Any]:
    """Return the book of one task over some rows, of which the first is left out by a slice."""
    batch = pa.RecordBatch.from_pylist([ROW, *rows], schema=SCHEMA).slice(1)
    book = RowBook([task])
    book.add(batch)
    found: dict[str, Any] = book.to_json()
    return found


@pytest.mark.parametrize(
    ("task", "counts"),
    [
        (GENRE, {"tale": 2, "song": 0, "play": 1}),
        (GRADE, {"labels": 2}),
        (PACE, {"labels": 3}),
        (TREE, {"root": 2, "det": 1}),
        (BARE, {"labels": 3}),
    ],
)
def test_labels_are_counted_as_what_they_are(task: Task, counts: dict[str, int]) -> None:
    """Rows in which a class holds, numbers, and arcs by their relation; what is missing is not counted."""
    other = ROW | {
        "genre": {"status": 0, "labels": [True, False, False]},
        "grade": {"status": 0, "value": -3.5},
        "pace": {"status": 0, "values": [1.5, 2.5]},
        "tree": {"status": 0, "heads": [0, -1], "relations": [0, -1]},
    }
    found = counted(task, ROW, NONE, other)
    assert found["tasks"] == {task.name: counts}
    assert found["labelers"][task.name] == {"written": 3, "labelled": 2, "abstained": {"unlabelled": 1}}


def test_no_rows_have_no_labels() -> None:
    """The book names all classes."""
    assert counted(GENRE)["tasks"] == {"genre": {"tale": 0, "song": 0, "play": 0}}
    assert counted(TREE, NONE)["tasks"] == {"tree": {"root": 0, "det": 0}}


@pytest.mark.parametrize(
    ("task", "changed", "message"),
    [
        (GENRE, {"genre": {"status": 0, "labels": [True]}}, "task 'genre' has a label of 1 values, but 3 classes"),
        (TREE, {"tree": {"status": 0, "heads": [2, 0], "relations": [0, 0]}}, "has head 2 in a row of 2 tokens"),
        (TREE, {"tree": {"status": 0, "heads": [0, -2], "relations": [0, 0]}}, "has head -2 in a row of 2 tokens"),
        (TREE, {"tree": {"status": 0, "heads": [0, 0], "relations": [0, 2]}}, "task 'tree' has label 2, but 2 classes"),
    ],
)
def test_a_label_that_cannot_be_is_an_error(task: Task, changed: dict[str, Any], message: str) -> None:
    """`auxloom verify` tells of it."""
    with pytest.raises(ValueError, match=message):
        counted(task, ROW | changed)
