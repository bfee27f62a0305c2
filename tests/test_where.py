"""Rows that have a label: which count, and which labelers and tasks a name stands for."""

import re

import pyarrow as pa
import pytest

from labelers.task import Task
from pipelines.display.where import find_tasks, labelled


def a_task(target: str, kind: str, **values: object) -> Task:
    """Return a task of the labeler ``toy``."""
    known = {"name": target, "labeler": "toy", "version": 1, "sequences": ("source",), "target": target}
    return Task(kind=kind, **(known | values))  # type: ignore[arg-type]


NAN = float("nan")
BATCH = pa.RecordBatch.from_pylist([
    {"toy": {"status": 0, "one": 1, "tags": [-1, 0], "draw": [10, 200], "never": [False, False], "weight": 1.0,
             "set": [False, False], "numbers": [NAN], "heads": [-1, 1]}},
    {"toy": {"status": 1, "one": None, "tags": [-1, -1], "draw": [10, 200], "never": [True, False], "weight": 0.0,
             "set": [True, False], "numbers": [NAN, 0.0], "heads": [-1]}},
    {"toy": {"status": 2, "one": 0, "tags": [], "draw": [1], "never": [False], "weight": 0.5,
             "set": [], "numbers": [], "heads": [0]}},
    {"toy": {"status": 100, "one": None, "tags": [1], "draw": [], "never": [], "weight": 1.0}},
    {"toy": {"status": 0, "one": 0, "tags": [1], "draw": [38, 39], "never": [False, False], "weight": 0.0}},
])  # fmt: skip


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        (a_task("toy.one", "passage", classes=("a", "b")), [0, 2, 4]),
        (a_task("toy.one", "passage", classes=("a", "b"), status="toy.status"), [0, 4]),
        (a_task("toy.one", "passage", classes=("a", "b"), weight="toy.weight"), [0, 2]),
        (a_task("toy.tags", "token", classes=("a", "b"), status="toy.status"), [0, 4]),
        (a_task("toy.tags", "generation"), [0, 1, 3, 4]),
        (a_task("toy.draw", "masked_lm", rate=0.15, exclude="toy.never", status="toy.status"), [0, 4]),
        (a_task("toy.draw", "masked_lm", rate=0.15), [0, 1, 2, 4]),
        (a_task("toy.set", "multilabel", classes=("a", "b")), [0, 1]),
        (a_task("toy.numbers", "regression", level="token"), [1]),
        (a_task("toy.heads", "arc"), [0, 2]),
        (a_task("toy.heads", "arc", relations="toy.tags", classes=("a", "b")), [0, 2]),
    ],
)
def test_a_row_has_a_label_where_something_is_to_be_learnt(task: Task, rows: list[int]) -> None:
    """Not where the labeler abstained, the label weighs nothing, all tags are -1, or no word may be masked."""
    assert labelled(BATCH, [task]).nonzero()[0].tolist() == rows


def test_names_of_columns_may_hold_dots() -> None:
    """That of a labeler and those of its columns."""
    batch = pa.RecordBatch.from_pylist([
        {"my.toy": {"status": 0, "one.more": 1, "one": 0}, "my": 3}, {"my.toy": {"status": 2, "one.more": 1}},
    ])  # fmt: skip
    task = a_task("my.toy.one.more", "passage", classes=("a", "b"), status="my.toy.status", labeler="my.toy")
    assert labelled(batch, [task]).tolist() == [True, False]


def test_a_part_of_a_batch_is_looked_at_by_itself() -> None:
    """A slice has the rows of its place, and several tasks are taken together."""
    tags = a_task("toy.tags", "token", classes=("a", "b"))
    one = a_task("toy.one", "passage", classes=("a", "b"))
    assert labelled(BATCH.slice(1, 3), [tags]).tolist() == [False, False, True]
    assert labelled(BATCH.slice(1, 3), [tags, one]).tolist() == [False, True, True]


def test_a_name_is_a_labelers_or_a_tasks() -> None:
    """A labeler stands for all of its tasks, also where one has the same name."""
    tasks = [a_task("toy", "passage"), a_task("toy.tags", "token"), a_task("topic", "passage", labeler="")]
    assert find_tasks(tasks, "toy") == find_tasks(tasks, "my.module:Toy") == tasks[:2]
    assert find_tasks(tasks, "toy.tags") == tasks[1:2]
    assert find_tasks(tasks, "topic") == tasks[2:]
    told = "no labeler or task 'toy.tag' (did you mean 'toy.tags'?); there are toy, toy.tags, topic"
    with pytest.raises(ValueError, match=re.escape(told)):
        find_tasks(tasks, "toy.tag")
