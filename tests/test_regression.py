"""Numbers as labels: how they are read, standardised, scored and learnt, of rows and of tokens."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
import sklearn.metrics
import torch
from encoding import encoded
from hypothesis import given
from hypothesis import strategies as st
from resuming import resumed_alike
from tiny_dataset import GOLD_TASKS, SCHEMA, make_row, write_dataset

from labelers.task import Task
from trainer import checkpoint
from trainer.apply import load_model
from trainer.data.dataset import Dataset, Split, Types
from trainer.evaluate import uninformed
from trainer.kinds import kind_of, untrained
from trainer.kinds.regression import KIND, PassageValueHead, TokenValueHead
from trainer.loop import train
from trainer.model.model import Model
from trainer.predict import load
from trainer.score.metrics import Predictions, score
from trainer.score.rows import TaskRows, read_rows
from trainer.score.values import VALUE_METRICS, FormMean, Length, TrainMean
from trainer.settings import make_settings

pytestmark = pytest.mark.usefixtures("quick_probes")

SHARE, EASE = (next(task for task in GOLD_TASKS if task.name == name) for name in ("share", "ease"))
SETTINGS = make_settings({"model": {"vocabulary": 320}})


def value_of(metric: str, gold: list[float], said: list[float]) -> float | None:
    """Return the value of a metric."""
    task, every = dataclasses.replace(SHARE, metric=metric), np.arange(len(gold))
    found = Predictions(task, np.array(gold, np.float32), np.array(said, np.float32), np.empty(0), every, every)
    return score(found, replicates=20).value


PAIRS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=30)


@given(PAIRS, st.sampled_from([0, 1000]))
def test_scores_equal_those_of_scipy_and_scikit_learn(pairs: list[tuple[int, int]], level: int) -> None:
    """Ties share a rank, a high level of the numbers costs no digits, and where nothing varies there is 0."""
    gold, said = ([float(value + level) for value in side] for side in zip(*pairs, strict=True))
    squared = sklearn.metrics.mean_squared_error(gold, said)
    vary = len(set(gold)) > 1
    both = vary and len(set(said)) > 1
    expected = {
        "pearson": scipy.stats.pearsonr(gold, said).statistic if both else 0,
        "spearman": scipy.stats.spearmanr(gold, said).statistic if both else 0,
        "mae": sklearn.metrics.mean_absolute_error(gold, said),
        "mse": squared,
        "rmse": math.sqrt(squared),
        "r2": sklearn.metrics.r2_score(gold, said) if vary else 0,
    }
    assert {name: value_of(name, gold, said) for name in VALUE_METRICS} == pytest.approx(expected, abs=1e-6)


def test_an_interval_is_made_of_sums_over_documents() -> None:
    """It holds the value; that of a perfect prediction has no width."""
    rng = np.random.default_rng(0)
    gold, documents = rng.normal(size=300), np.arange(300) // 3
    said = gold + rng.normal(size=300)
    for metric in VALUE_METRICS:
        task = dataclasses.replace(SHARE, metric=metric)
        found = score(Predictions(task, gold, said, np.empty(0), documents, documents))
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        assert found.low < found.value < found.high
        perfect = score(Predictions(task, gold, gold, np.empty(0), documents, documents))
        assert perfect.low == pytest.approx(perfect.high)


def split_of(values: list[float | None], texts: list[str], lists: list[list[float]] | None = None) -> Split:
    """Return rows with a number each, or with one for each token; None and an empty list are no label."""
    rows = []
    for number, (value, text) in enumerate(zip(values, texts, strict=True)):
        own = {"share": {"status": 2 if value is None else 0, "value": value}, "tokens": text.split()}
        listed = lists[number] if lists else []
        own["ease"] = {"status": 0 if listed else 2, "values": listed}
        rows.append({**make_row(number), **own, "document": str(number)})
    return Split("train", pa.Table.from_pylist(rows, schema=SCHEMA))


def read(split: Split, task: Task, types: Types) -> TaskRows:
    """Return the labelled rows as baselines read them."""
    return read_rows(split, task, types, np.flatnonzero(kind_of(task).present(split, task)))


def test_null_and_nan_are_no_labels() -> None:
    """Of a row, of a token."""
    split = split_of([0.5, None, -2.0], ["a b", "c", "d"], [[1.0, math.nan], [], [math.nan]])
    rows, tokens = read(split, SHARE, Types()), read(split, EASE, Types())
    assert (rows.rows.tolist(), rows.labels.tolist()) == ([0, 2], [0.5, -2.0])
    assert (tokens.labels.tolist(), tokens.owners.tolist(), tokens.positions.tolist()) == ([1.0], [0], [0])


def test_baselines_of_rows() -> None:
    """The mean, a line over the length, and a line over what each word goes with."""
    texts = ["good", "good good x", "bad", "bad x x", "x"] * 10
    values: list[float | None] = [3.0, 3.0, 1.0, 1.0, 2.0] * 10
    types = Types()
    fitted, held = (read(split_of(values[:n], texts[:n]), SHARE, types) for n in (50, 4))
    assert TrainMean().predict(fitted, held, 0).tolist() == [2.0] * 4
    said = FormMean().predict(fitted, held, 0)
    assert said[0] > said[1] > said[3] > said[2]
    longer = read(split_of([1.0, 2.0, 2.0], ["a", "a b c", "a b c"]), SHARE, types)
    assert Length().predict(longer, longer, 0) == pytest.approx([1, 2, 2])


def test_baselines_of_tokens() -> None:
    """Each form has its mean, a new one that of all; or a line over the characters."""
    types = Types()
    fitted = read(split_of([None], ["aa b aa"], [[4.0, 1.0, 4.0]]), EASE, types)
    held = read(split_of([None], ["aa b cc"], [[0.0, 0.0, 0.0]]), EASE, types)
    assert FormMean().predict(fitted, held, 0) == pytest.approx([3.5, 7 / 3, 3])
    assert Length().predict(fitted, held, 0) == pytest.approx([4, 1, 4])


def test_what_cannot_be_trained_says_why() -> None:
    """Numbers of segments are of a later version."""
    assert untrained(SHARE) == untrained(EASE) == ""
    assert "no regression of the level segment" in untrained(dataclasses.replace(SHARE, level="segment"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset with its numbers."""
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("numbers") / "set", rows=96, tasks=(SHARE, EASE)))


def test_a_loss_is_measured_in_the_deviation_of_the_train_labels(dataset: Dataset, tmp_path: Path) -> None:
    """A prediction of the mean costs 1 on average, in whatever unit."""
    data = encoded(dataset, [SHARE, EASE], tmp_path)
    targets = data.splits["train"].targets
    model = Model([SHARE, EASE], tmp_path / "learnt", SETTINGS)
    model.begin(targets)
    for task, family in ((SHARE, PassageValueHead), (EASE, TokenValueHead)):
        head, values = model.head(task), torch.from_numpy(np.array(targets[task.name].values))
        assert isinstance(head, family)
        assert float(head.mean) == pytest.approx(float(values.mean()))
        constant = torch.stack([head.mean, head.deviation]).expand(len(values), 2)
        assert float(KIND.losses(constant, values).mean()) == pytest.approx(1, abs=1e-4)
        assert KIND.predict(constant)[0] == head.mean


def test_equal_labels_have_a_deviation_of_one(dataset: Dataset, tmp_path: Path) -> None:
    """And nothing is divided by 0."""
    targets = encoded(dataset, [SHARE], tmp_path).splits["train"].targets
    model = Model([SHARE], tmp_path / "learnt", SETTINGS)
    same = dataclasses.replace(targets["share"], values=np.full(5, 3, np.float32))
    model.begin({"share": same})
    head = model.head(SHARE)
    assert isinstance(head, PassageValueHead)
    assert (float(head.mean), float(head.deviation)) == (3.0, 1.0)


def test_the_reference_of_an_error_is_that_of_the_train_mean(dataset: Dataset, tmp_path: Path) -> None:
    """As for every metric of which less is better."""
    data = encoded(dataset, [EASE], tmp_path)
    train_values, held = (np.asarray(data.splits[name].targets["ease"].values) for name in ("train", "validation"))
    expected = math.sqrt(((held - train_values.mean()) ** 2).mean())
    assert uninformed(data, "validation") == {"ease": pytest.approx(expected)}


def test_numbers_are_learnt_and_kept_with_the_run(dataset: Dataset, tmp_path: Path) -> None:
    """Scores are in the unit of the labels; the loaded model has the mean of the run's train labels."""
    settings = {
        "model": {"vocabulary": 320}, "rows": 16, "bucket": 16, "window": 2, "steps_per_epoch": 60, "epochs": 1,
        "learning_rate": 1e-2, "threads": 1, "device": "cpu",
    }  # fmt: skip
    share, ease = train(dataset.path, tmp_path / "run", settings)["tasks"]
    assert share["score"]["value"] > 0.8
    assert share["prior"]["value"] == 0
    assert ease["score"]["value"] < 0.7 * ease["prior"]["value"]
    assert ease["prior"]["value"] > 50  # a unit is a hundredth of a letter
    head = load_model(tmp_path / "run").head(EASE)
    assert isinstance(head, TokenValueHead)
    (said,) = load(tmp_path / "run").predict([["the", "hammer", "needs", "iron", "."]])
    values = said.tasks["ease"].values or []
    assert len(values) == 5
    assert values[1] > values[0]
    assert 9 < (said.tasks["share"].value or 0) < 12
    kept, _ = checkpoint.load(tmp_path / "run" / "best.safetensors")
    assert [float(value) for name, value in kept.items() if name.endswith("1-ease.mean")] == [float(head.mean)]
    assert float(head.mean) > 300


def test_a_resumed_run_leaves_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    """Wherever it was stopped."""
    resumed_alike(dataset.path, tmp_path)
