"""What every kind of task keeps, whichever it is: this runs over all kinds that are found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from encoding import encoded
from tiny_dataset import GOLD_TASKS, TASKS, write_dataset

from labelers.task import Task
from trainer.data.batch import Items, TaskSlice, collate
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset, Types
from trainer.evaluate import evaluate
from trainer.kinds import find, kind_of, names, untrained
from trainer.model.model import Model
from trainer.schedule.streams import Streams
from trainer.score.metrics import metric_of, score
from trainer.score.probes import prior, run_probes
from trainer.score.rows import read_rows
from trainer.settings import make_settings

OWN = dataclasses.replace(
    next(task for task in TASKS if task.name == "topic.long"),
    name="topic.number", kind="toy_kinds:NUMBER", target="topic.confidence", classes=(), metric="mse", weight=None,
)  # fmt: skip
LONG = next(task for task in TASKS if task.name == "topic.long")
EXAMPLES: dict[str, Task] = {task.kind: task for task in (*TASKS, *GOLD_TASKS, OWN) if not untrained(task)}
"""A task of each kind; where the tiny dataset has none, one of a class for each row."""
FURTHER = {f"{task.kind} of a {task.level}": task for task in GOLD_TASKS if EXAMPLES[task.kind] != task}
"""Tasks of a kind with another level."""
SETTINGS = make_settings({"model": {"vocabulary": 320}, "rows": 8, "bucket": 4})
KINDS = [*names(), "toy_kinds:NUMBER"]
EXAMPLES |= {kind: dataclasses.replace(LONG, name=f"topic.{kind}", kind=kind) for kind in KINDS if kind not in EXAMPLES}
EXAMPLES |= FURTHER


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the dataset and what is learnt of it."""
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def dataset(place: Path) -> Dataset:
    """The tiny dataset, which has a task of each kind."""
    return Dataset.open(write_dataset(place / "set", rows=48, tasks=tuple(EXAMPLES.values())))


@pytest.fixture(scope="module")
def data(dataset: Dataset, place: Path) -> EncodedDataset:
    """The same, encoded."""
    return encoded(dataset, dataset.tasks, place)


@pytest.fixture(scope="module")
def model(data: EncodedDataset, place: Path) -> Model:
    """A model with its first weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return Model(data.tasks, place / "learnt", SETTINGS).eval()


@pytest.fixture(params=EXAMPLES)
def task(request: pytest.FixtureRequest) -> Task:
    """A task of each kind."""
    return EXAMPLES[request.param]


def items_of(data: EncodedDataset, task: Task, rows: int = 8) -> Items:
    """Return the labels of the first rows."""
    return collate(data, "train", [[TaskSlice(task, np.arange(rows))]]).items[task.name]


def test_the_kind_is_looked_up_by_its_name(task: Task) -> None:
    """Once: the same object each time."""
    assert kind_of(task) is find(task.kind)


def test_only_rows_that_are_present_have_targets(dataset: Dataset, data: EncodedDataset, task: Task) -> None:
    """Rising, without the rows whose labeler abstained."""
    for name, split in dataset.splits.items():
        present = kind_of(task).present(split, task)
        assert present.dtype == bool
        assert len(present) == len(split)
        targets = data.splits[name].targets[task.name]
        rows = data.splits[name].read(task.name).rows[targets.where]
        assert (np.diff(rows) > 0).all()
        assert present[rows].all()
        assert len(targets.weight) == len(targets) == len(targets.offsets) - 1


def test_labels_speak_of_their_own_row(data: EncodedDataset, task: Task) -> None:
    """Spans lie between the first and the last sub-word of the row; units of a row count up from 0."""
    batch = collate(data, "train", [[TaskSlice(task, np.arange(8))], [TaskSlice(task, np.arange(8, 16))]])
    items = batch.items[task.name]
    bounds = {int(start): int(start) for start in items.anchor}
    width = {0: batch.buckets[0].pieces.shape[1], 1: batch.buckets[1].pieces.shape[1]}
    first = batch.buckets[0].pieces.numel()
    for anchor, span in zip(items.anchor.tolist(), items.spans.tolist(), strict=True):
        end = anchor + width[int(anchor >= first)]
        assert anchor in bounds
        assert anchor <= span[0] < end
        assert span[1] <= end
        assert span[3] <= end


def test_losses_are_one_number_a_label_and_can_be_learnt_from(data: EncodedDataset, model: Model, task: Task) -> None:
    """Finite, not below 0, with a gradient that reaches the embedding."""
    kind, items = kind_of(task), items_of(data, task)
    batch = collate(data, "train", [[TaskSlice(task, np.arange(8))]])
    scores = model(batch)[task.name]
    losses = kind.losses(scores, items.label)
    assert losses.shape == (len(items.label),)
    assert bool(torch.isfinite(losses).all())
    assert float(losses.detach().min()) >= 0
    model.zero_grad()
    losses.sum().backward()
    assert float(model.encoder.embedding.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]
    model.zero_grad()


def test_a_prediction_has_the_form_of_a_label(data: EncodedDataset, model: Model, task: Task) -> None:
    """And the label itself, predicted, is free of loss where a metric of losses is none."""
    kind, items = kind_of(task), items_of(data, task)
    with torch.no_grad():
        scores = model(collate(data, "train", [[TaskSlice(task, np.arange(8))]]))[task.name]
    predicted = kind.predict(scores)
    assert predicted.shape == items.label.shape
    assert predicted.dtype.is_floating_point == items.label.dtype.is_floating_point
    found = kind.probabilities(scores)
    if found is not None:
        several = predicted.dtype == torch.bool
        assert several or torch.allclose(found.sum(1), torch.ones(len(found)))
        assert ((found >= 0.5) == predicted if several else found.argmax(1) == predicted).all()


def test_every_label_is_evaluated_once_and_scored(data: EncodedDataset, model: Model, task: Task) -> None:
    """In the order of the rows, with a value and an interval that holds it."""
    (found,) = (item for item in evaluate(model, data, "test") if item.task == task)
    targets = data.splits["test"].targets[task.name]
    assert len(found.gold) == len(found.predicted) == len(found.loss) == len(found.rows) > 0
    if not targets.drawn:
        np.testing.assert_allclose(found.gold, np.asarray(targets.values))
    assert (np.diff(found.rows) >= 0).all()
    value = score(found)
    assert value.value is not None
    assert value.low is not None
    assert value.high is not None
    assert value.low <= value.value <= value.high


def test_baselines_see_the_labels_that_the_model_sees(dataset: Dataset, data: EncodedDataset, task: Task) -> None:
    """As many, of the same rows; the prior and every probe get a value."""
    types, read = Types(), []
    for name in ("train", "test"):
        targets = data.splits[name].targets[task.name]
        rows = np.asarray(data.splits[name].read(task.name).rows[targets.where])
        read.append(read_rows(dataset.splits[name], task, types, rows, spell=data.tokenizer.encode))
        assert len(read[-1]) == len(rows)
        if not targets.drawn:
            assert len(read[-1].labels) == len(targets.values)
    scores = [prior(*read), *run_probes(*read)]
    assert all(item.score.value is not None for item in scores)


def test_a_metric_that_falls_has_a_reference(data: EncodedDataset, task: Task) -> None:
    """What a model without knowledge has, above 0: others are compared with the share of it that is saved."""
    if not metric_of(task).higher:
        assert kind_of(task).uninformed(data, task, "test") > 0


def test_expected_labels_are_what_steps_hold_on_average(data: EncodedDataset, task: Task) -> None:
    """The divisor of the loss."""
    only = dataclasses.replace(data, tasks=(task,))
    streams = Streams(only, SETTINGS.model_copy(update={"steps_per_epoch": 60, "batch": "tasks"}))
    plan = streams.plan.epoch(0)
    counts = [len(collate(data, "train", streams.requests(plan, step)).items[task.name].label) for step in range(60)]
    units = [
        len(set(zip(items.row.tolist(), items.unit.tolist(), strict=True)))
        for items in (collate(data, "train", streams.requests(plan, step)).items[task.name] for step in range(60))
    ]
    drawn = data.splits["train"].targets[task.name].drawn
    assert np.mean(units if drawn else counts) == pytest.approx(streams.labels(plan)[task.name], rel=0.25)
