"""Several classes at once: how sets are read, what they cost, how they are scored, guessed and learnt."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics
import torch
from encoding import encoded
from hypothesis import given
from hypothesis import strategies as st
from resuming import resumed_alike
from tiny_dataset import GOLD_TASKS, ROLES, SCHEMA, make_row, write_dataset

from labelers.ragged import BoolArray
from trainer.data.dataset import Dataset, Split, Types
from trainer.kinds import kind_of, untrained
from trainer.kinds.multilabel import KIND, MultilabelHead
from trainer.loop import train
from trainer.model.model import Model
from trainer.predict import load
from trainer.score.bags import BagOfWords
from trainer.score.metrics import Predictions, score
from trainer.score.rows import TaskRows, read_rows
from trainer.score.sets import ClassRates, FrequentSet
from trainer.settings import make_settings

CRAFTS = next(task for task in GOLD_TASKS if task.kind == "multilabel")


def predictions(gold: BoolArray, said: BoolArray, metric: str = "micro_f1") -> Predictions:
    """Return predictions, each in a document of its own."""
    task, every = dataclasses.replace(CRAFTS, metric=metric), np.arange(len(gold))
    return Predictions(task, gold, said, np.empty(0), every, every)


@given(st.lists(st.tuples(*[st.booleans()] * 8), min_size=1, max_size=20))
def test_scores_equal_those_of_scikit_learn(rows: list[tuple[bool, ...]]) -> None:
    """The classes of the macro average are those of some set, for the others have no F1."""
    gold, said = np.array(rows)[:, :4], np.array(rows)[:, 4:]
    there = np.flatnonzero((gold | said).any(axis=0))
    micro = sklearn.metrics.f1_score(gold, said, average="micro", zero_division=0)
    macro = sklearn.metrics.f1_score(gold, said, average="macro", labels=there, zero_division=0) if len(there) else 0
    assert score(predictions(gold, said), replicates=2).value == pytest.approx(micro)
    assert score(predictions(gold, said, "macro_f1"), replicates=2).value == pytest.approx(macro)


def test_the_loss_is_the_sum_over_classes() -> None:
    """In nats of the whole set, so that a set of one class costs what a class costs."""
    label = torch.tensor([[True, False, False], [False, False, False]])
    assert KIND.losses(torch.zeros(2, 3), label).tolist() == pytest.approx([3 * math.log(2)] * 2)
    assert KIND.losses(torch.tensor([[9.0, -9.0, -9.0]] * 2), label)[0] < 0.001


def test_a_class_holds_from_one_half_on() -> None:
    """None may hold, or all."""
    scores = torch.tensor([[0.0, -0.1], [-1.0, -2.0], [3.0, 4.0]])
    assert KIND.predict(scores).tolist() == [[True, False], [False, False], [True, True]]


def split_of(sets: list[list[bool]], texts: list[str] | None = None) -> Split:
    """Return rows with these sets; an empty list is no label."""
    rows = []
    for number, labels in enumerate(sets):
        row = {**make_row(number), "crafts": {"status": 0 if labels else 2, "labels": labels}, "document": str(number)}
        rows.append(row | ({"tokens": texts[number].split()} if texts else {}))
    return Split("train", pa.Table.from_pylist(rows, schema=SCHEMA))


def read(split: Split, types: Types) -> TaskRows:
    """Return the labelled rows as baselines read them."""
    return read_rows(split, CRAFTS, types, np.flatnonzero(kind_of(CRAFTS).present(split, CRAFTS)))


def test_a_row_without_a_list_has_no_label() -> None:
    """One of which no class holds has: the empty set."""
    rows = read(split_of([[True, False, True], [], [False, False, False]]), Types())
    assert rows.rows.tolist() == [0, 2]
    assert rows.labels.tolist() == [[True, False, True], [False, False, False]]


def test_a_set_of_other_classes_is_damage() -> None:
    """The error names the column and both numbers."""
    with pytest.raises(ValueError, match=r"crafts.labels has 2 entries in a row of train, but crafts has 3 classes"):
        read(split_of([[True, False]]), Types())


def test_baselines_guess_sets() -> None:
    """Each class at its rate, the most frequent set, and a bag of words, which knows what each word goes with."""
    texts = ["bread mill", "mill iron", "bread iron", "iron", "bread mill"] * 20
    sets = [[word in text for word in ("bread", "mill", "iron")] for text in texts]
    types = Types()
    fitted, held = read(split_of(sets, texts), types), read(split_of(sets[:5], texts[:5]), types)
    assert FrequentSet().predict(fitted, held, 0).tolist() == [[True, True, False]] * 5
    guessed = ClassRates().predict(fitted, fitted, 0)
    assert guessed.mean(axis=0) == pytest.approx(fitted.labels.mean(axis=0), abs=0.15)
    assert (ClassRates().predict(fitted, fitted, 0) == guessed).all()
    assert BagOfWords().predict(fitted, held, 0).tolist() == sets[:5]


def test_what_cannot_be_trained_says_why() -> None:
    """Classes are needed; one is enough."""
    assert "no classes" in untrained(dataclasses.replace(CRAFTS, classes=()))
    assert untrained(dataclasses.replace(CRAFTS, classes=("only",))) == ""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset with its sets."""
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("sets") / "set", rows=96, tasks=(CRAFTS,)))


def test_a_head_begins_with_the_rates_of_its_classes(dataset: Dataset, tmp_path: Path) -> None:
    """Of all rows with labels."""
    data = encoded(dataset, [CRAFTS], tmp_path)
    model = Model([CRAFTS], tmp_path / "learnt", make_settings({"model": {"vocabulary": 320}}))
    targets = data.splits["train"].targets
    model.begin(targets)
    head = model.head(CRAFTS)
    assert isinstance(head, MultilabelHead)
    assert isinstance(head.score, torch.nn.Sequential)
    rates = np.asarray(targets[CRAFTS.name].values).mean(axis=0)
    assert head.score[-1].bias.sigmoid().tolist() == pytest.approx(rates.tolist(), abs=0.01)
    assert len(rates) == len(ROLES)


def test_sets_are_learnt(dataset: Dataset, tmp_path: Path) -> None:
    """Better than what can be guessed; a bag of words finds the crafts by their words, too."""
    settings = {
        "model": {"vocabulary": 320}, "rows": 16, "bucket": 16, "window": 2, "steps_per_epoch": 30, "epochs": 1,
        "learning_rate": 1e-2, "threads": 1, "device": "cpu",
    }  # fmt: skip
    (entry,) = train(dataset.path, tmp_path / "run", settings)["tasks"]
    baselines = {item["name"]: item["value"] for item in entry["baselines"]}
    assert set(baselines) == {"random guess at the train rates", "most frequent set", "bag of words"}
    assert entry["better_than_prior"]
    (said,) = load(tmp_path / "run").predict([["the", "bread", "needs", "dough", "."]])
    told = said.tasks["crafts"]
    assert list(told.probabilities or {}) == list(ROLES)
    assert told.labels == [name for name, chance in (told.probabilities or {}).items() if chance >= 0.5]
    assert entry["score"]["value"] > baselines["most frequent set"]


def test_a_resumed_run_leaves_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    """Wherever it was stopped."""
    resumed_alike(dataset.path, tmp_path)
