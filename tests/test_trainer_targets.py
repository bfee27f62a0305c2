"""Targets: labels of any form are kept, cut, weighted and left out alike, and reach the batch as they were placed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoding import encoded
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import TASKS, write_dataset
from toy_kinds import NumberKind

from labelers.ragged import Ragged
from trainer.data.batch import TaskSlice, collate
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset
from trainer.data.targets import LabelPlaces, Placed, one_part
from trainer.kinds import kind_of

ROWS = 24
(LONG,) = (task for task in TASKS if task.name == "topic.long")


def lists(rows: np.ndarray) -> Ragged:
    """Return 0, 1, 2 or 3 sub-words for each row."""
    lengths = rows % 4
    return Ragged.of(lengths, np.repeat(100 + rows, lengths))


FORMS: dict[str, tuple[Callable[[np.ndarray], Any], int]] = {
    "classes": (lambda rows: rows % 3, 3),
    "many classes": (lambda rows: 190 + rows % 3, 200),
    "missing classes": (lambda rows: np.where(rows % 3 == 2, -1, rows % 3), 2),
    "several classes": (lambda rows: np.stack([rows % 2 == 0, rows % 3 == 0, rows % 5 == 0], axis=1), 3),
    "vectors": (lambda rows: np.stack([rows / 7, rows / 9], axis=1), 0),
    "missing vectors": (lambda rows: np.where((rows % 3 == 2)[:, None], np.nan, np.stack([rows, -rows], axis=1)), 0),
    "arcs": (lambda rows: np.stack([300 + rows % 5, rows % 4], axis=1), 4),
    "sequences": (lists, 0),
}
DTYPES = {
    "classes": np.int8, "many classes": np.int16, "missing classes": np.int8, "several classes": bool,
    "vectors": np.float32, "missing vectors": np.float32, "arcs": np.int16, "sequences": np.int32,
}  # fmt: skip


class FormKind(NumberKind):
    """A row has a label of some form that follows from its number."""

    def __init__(self, make: Callable[[np.ndarray], Any]) -> None:
        self.make = make

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of whole rows."""
        last = places.last
        return Placed(np.arange(len(last)), self.make(places.rows), one_part(0 * last + 1, last))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset."""
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("targets") / "set", rows=ROWS))


def made(form: str, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch, **task: Any) -> EncodedDataset:
    """Return the dataset encoded for a task whose labels have a form."""
    make, classes = FORMS[form]
    kind = FormKind(make)
    monkeypatch.setattr("trainer.data.targets.kind_of", lambda _: kind)
    monkeypatch.setenv("AUXLOOM_CACHE", str(folder / "cache"))
    names = tuple(map(str, range(classes)))
    item = dataclasses.replace(LONG, **{"kind": "toy_kinds:NUMBER", "classes": names, "weight": None, **task})
    return encoded(dataset, [item], folder)


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_any_form_reach_the_batch(
    form: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is left out with its row; two buckets of lists of other lengths become one tensor."""
    data = made(form, dataset, tmp_path, monkeypatch)
    targets = data.splits["train"].targets[LONG.name]
    rows = np.array([row for row in range(ROWS) if not (form.startswith("missing") and row % 3 == 2)])
    assert targets.where.tolist() == rows.tolist()
    wanted, found = FORMS[form][0](rows), targets.values
    if isinstance(wanted, Ragged):
        assert isinstance(found, Ragged)
        assert np.asarray(found.offsets).tolist() == wanted.offsets.tolist()
        wanted, found = wanted.values, found.values
    assert np.asarray(found).dtype == DTYPES[form]
    assert np.allclose(found, wanted)
    first, last = np.array([0, 1]), np.array([2, 3])  # rows of 0 and 1, and of 2 and 3 sub-words
    (task,) = data.tasks
    label = collate(data, "train", [[TaskSlice(task, first)], [TaskSlice(task, last)]]).items[task.name].label
    assert len(label) == 4
    if form == "sequences":
        assert label.tolist() == [[-1, -1, -1], [101, -1, -1], [102, 102, -1], [103, 103, 103]]
    else:
        assert np.allclose(label.numpy(), FORMS[form][0](rows[:4]))
        integer = label.dtype in (torch.int64, torch.bool)
        assert integer == (DTYPES[form] is not np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_cut_is_lost_and_counted_whatever_its_form(
    form: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that says its part was cut goes with its row, and no other; weights stay with theirs."""
    whole = FormKind.place

    def cut(self: FormKind, places: LabelPlaces) -> Placed:
        return dataclasses.replace(whole(self, places), cut=places.rows % 4 == 1)

    monkeypatch.setattr(FormKind, "place", cut)
    data = made(form, dataset, tmp_path, monkeypatch, weight="topic.confidence")
    targets = data.splits["train"].targets[LONG.name]
    known = [row for row in range(ROWS) if not (form.startswith("missing") and row % 3 == 2)]
    kept = [row for row in known if row % 4 != 1]
    assert targets.where.tolist() == kept
    assert targets.lost == len(known) - len(kept)
    assert targets.weight.tolist() == [0.5 if row % 2 else 1.0 for row in kept]
    assert np.diff(targets.offsets).tolist() == [1] * len(kept)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=30))
def test_labels_below_nothing_are_missing(values: list[int]) -> None:
    """And NaN; of several classes none is."""
    some = np.array(values)
    spans = np.zeros((len(some), 4), np.int64)
    placed = Placed(np.arange(len(some)), some, spans)
    assert placed.known.tolist() == [value >= 0 for value in values]
    assert placed.take(placed.known).values.tolist() == [value for value in values if value >= 0]
    floats = np.where(some < 0, np.nan, some)
    assert Placed(np.arange(len(some)), floats, spans).known.tolist() == placed.known.tolist()
    assert Placed(np.arange(len(some)), some > 2, spans).known.all()


def test_the_kind_is_asked_where_it_is_looked_up() -> None:
    """What these tests replace."""
    assert kind_of(LONG).__class__.__name__ == "PassageKind"
