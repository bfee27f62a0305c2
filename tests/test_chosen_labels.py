"""A run on some of the labels of a dataset: a sample of the primary, some tasks, some rows, or permuted labels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoding import encoded
from gold_dataset import NER, PLAIN_TASKS, TOPIC, write_gold

from trainer.data.cache import EncodedDataset
from trainer.data.chosen_labels import chosen_labels
from trainer.data.dataset import Dataset
from trainer.data.permuted import permuted_targets
from trainer.data.targets import Targets
from trainer.folder import RunFolder
from trainer.run import Run
from trainer.settings import make_settings

TASKS = (*PLAIN_TASKS, NER, TOPIC)
SPLITS = {"train": range(48), "validation": range(48, 60), "test": range(60, 68)}
QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 4, "epochs": 2, "steps_per_epoch": 2,
    "threads": 1, "device": "cpu", "primary": "ner",
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Constructed tasks, and two that people labelled in half of the train rows."""
    folder = tmp_path_factory.mktemp("chosen") / "set"
    return Dataset.open(write_gold(folder, TASKS, SPLITS, labelled={"train": 24}))


@pytest.fixture(scope="module")
def data(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    """The dataset, encoded."""
    return encoded(dataset, TASKS, tmp_path_factory.mktemp("chosen"))


def rows_of(data: EncodedDataset, task: str, split: str = "train") -> set[int]:
    """Return the rows of a split in which a task has a label."""
    part = data.splits[split]
    return set(part.read(task).rows[part.targets[task].where].tolist())


def choose(data: EncodedDataset, dataset: Dataset, **given: Any) -> EncodedDataset:
    """Return what a run with some settings is trained on."""
    return chosen_labels(data, dataset, make_settings({"primary": "ner", **given}))


def test_a_sample_of_fewer_labels_is_part_of_one_of_more(data: EncodedDataset, dataset: Dataset) -> None:
    """With the same seed; the validation rows are no more either, and other tasks and the test split stay whole."""
    small, large = (choose(data, dataset, labels=count) for count in (5, 17))
    assert rows_of(small, "ner") < rows_of(large, "ner") < rows_of(data, "ner")
    assert (len(rows_of(small, "ner")), len(rows_of(large, "ner"))) == (5, 17)
    assert rows_of(small, "ner", "validation") < rows_of(data, "ner", "validation")
    assert (len(rows_of(small, "ner", "validation")), len(rows_of(large, "ner", "validation"))) == (5, 12)
    assert rows_of(small, "ner", "test") == rows_of(data, "ner", "test")
    assert rows_of(small, "disfluency.tags") == rows_of(data, "disfluency.tags")
    assert rows_of(choose(data, dataset, labels=5, seed=1), "ner") != rows_of(small, "ner")


def test_labels_that_are_kept_are_what_they_were(data: EncodedDataset, dataset: Dataset) -> None:
    """Values, places and offsets."""
    before, after = (item.splits["train"].targets["ner"] for item in (data, choose(data, dataset, labels=5)))
    for row, where in enumerate(after.where.tolist()):
        own, known = np.flatnonzero(before.where == where)[0], slice(after.offsets[row], after.offsets[row + 1])
        there = slice(before.offsets[own], before.offsets[own + 1])
        assert after.values[known].tolist() == before.values[there].tolist()
        assert after.spans[known].tolist() == before.spans[there].tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": 25}, r"labels = 25, but 24 train rows have a label of ner; give fewer, or 0 for all"),
        ({"labels": 5, "primary": "none"}, r"labels = 5 counts labels of the primary, but there is no primary"),
        ({"tasks": ["nerr"]}, r"\[train\] tasks: 'nerr' is not a task of .* \(did you mean 'ner'\?"),
        (
            {"task": {"masking.word": {"permuted": True}}},
            r"cannot be permuted because its labels are the words of the tex",
        ),
    ],
)
def test_what_cannot_be_is_refused(dataset: Dataset, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    """In one sentence, and the folder stays free."""
    with pytest.raises(ValueError, match=message):
        Run(dataset, RunFolder(tmp_path / "run"), make_settings({**QUICK, **given}))
    assert not list((tmp_path / "run").glob("*"))


def test_some_tasks_are_trained(dataset: Dataset, tmp_path: Path) -> None:
    """There is no head for the others, the report says why, and the cache is that of all."""
    run = Run(dataset, RunFolder(tmp_path / "run"), make_settings({**QUICK, "tasks": ["ner", "masking.word"]}))
    assert {task.name for task in run.data.tasks} == {"ner", "masking.word"}
    assert run.untrained["subject"] == "it is not among [train] tasks"
    assert set(run.data.splits["train"].inputs) == {task.name for task in TASKS}


def test_other_tasks_are_trained_on_rows_with_and_without_labels(data: EncodedDataset, dataset: Dataset) -> None:
    """The primary keeps its own; words that may be hidden are counted anew."""
    made = choose(data, dataset, with_labels=["disfluency.tags"], without_labels=["ner"])
    assert rows_of(made, "masking.word") == rows_of(data, "disfluency.tags") - rows_of(data, "ner")
    assert rows_of(made, "ner") == rows_of(data, "ner")
    before, after = (item.splits["train"].targets["masking.word"] for item in (data, made))
    assert 0 < after.candidates < before.candidates


def test_permuted_labels_are_those_of_rows_of_like_length(data: EncodedDataset, dataset: Dataset) -> None:
    """Each row has as many as before, the classes are as frequent, and held-out labels stay."""
    table = {"disfluency.tags": {"permuted": True}, "topic.long": {"permuted": True}}
    made = choose(data, dataset, task=table)
    for name in table:
        before, after = (item.splits["train"].targets[name] for item in (data, made))
        assert (before.offsets == after.offsets).all()
        assert Counter(before.values.tolist()) == Counter(after.values.tolist())
    tags = [item.splits["train"].targets["disfluency.tags"] for item in (data, made)]
    assert (tags[0].values != tags[1].values).any()
    assert made.splits["validation"] is data.splits["validation"]
    again = choose(data, dataset, task=table).splits["train"].targets["disfluency.tags"]
    assert (again.values == tags[1].values).all()
    other = choose(data, dataset, task=table, seed=1).splits["train"].targets["disfluency.tags"]
    assert (other.values != tags[1].values).any()


def toy(counts: list[int], values: list[int]) -> Targets:
    """Return targets with so many labels in each row."""
    offsets = np.cumsum([0, *counts])
    spans, weight = np.zeros((len(values), 4), np.int16), np.arange(len(counts), dtype=np.float32)
    return Targets(np.arange(len(counts)), offsets, np.array(values), spans, weight)


def test_a_row_of_the_same_document_comes_first() -> None:
    """Then any row with as many labels; one that is alone has its own labels in another order."""
    targets = toy([2, 2, 2, 2, 2, 4], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9])
    documents = np.array([0, 0, 1, 1, 2, 2])
    rng = np.random.default_rng(0)
    made = permuted_targets(targets, np.diff(targets.offsets), documents, rng, "x")
    assert made.values[:8].tolist() == [2, 2, 1, 1, 4, 4, 3, 3]
    assert made.values[8:10].tolist() == [5, 5]
    assert sorted(made.values[10:].tolist()) == [6, 7, 8, 9]
    assert made.weight.tolist()[:4] == [1, 0, 3, 2]


def test_rows_with_one_label_are_exchanged_by_length() -> None:
    """A long row gives its label to a long one."""
    targets, lengths = toy([1] * 6, [0, 1, 2, 10, 11, 12]), np.array([8, 8, 8, 80, 80, 80])
    made = permuted_targets(targets, lengths, np.arange(6), np.random.default_rng(1), "x")
    assert sorted(made.values[:3].tolist()) == [0, 1, 2]
    assert (made.values != targets.values).all()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (toy([1, 1, 1], [2, 2, 2]), "all its train labels are of one class"),
        (toy([1], [2]), "fewer than two train rows"),
        (dataclasses.replace(toy([1, 1], [1, 2]), values=np.zeros((2, 3), np.int16)), "places in a row"),
    ],
)
def test_labels_that_say_nothing_cannot_be_permuted(targets: Targets, message: str) -> None:
    """The control would be no control."""
    with pytest.raises(ValueError, match=message):
        permuted_targets(targets, np.ones(len(targets)), np.zeros(len(targets), int), np.random.default_rng(0), "x")
