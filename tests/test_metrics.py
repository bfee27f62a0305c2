"""Metrics: equal to scikit-learn and seqeval, with intervals that follow the documents."""

import dataclasses
import math

import numpy as np
import pytest
import seqeval.metrics
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from labelers.task import Task
from trainer.kinds import kind_of
from trainer.score.metrics import METRICS, Predictions, metric_name, metric_of, score

TAGS = ("O", "B-place", "I-place", "B-name", "I-name", "E-name", "S-name")


def task(metric: str, classes: tuple[str, ...] = ("a", "b", "c", "d")) -> Task:
    """Return a task with a metric."""
    return Task(
        name="t",
        labeler="l",
        version=1,
        kind="token",
        sequences=("source",),
        target="t",
        classes=classes,
        metric=metric,
    )


def predictions(metric: str, gold: list[int], said: list[int], **more: object) -> Predictions:
    """Return predictions, each label in a document of its own unless told otherwise."""
    fields = {
        "task": task(metric),
        "loss": np.empty(0),
        "documents": np.arange(len(gold)),
        "rows": np.zeros(len(gold), np.int64),
    }
    return Predictions(gold=np.array(gold, np.int64), predicted=np.array(said, np.int64), **(fields | more))


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(PAIRS)
def test_scores_equal_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Accuracy, micro and macro F1, and micro F1 over the tags other than the first."""
    gold, said = map(list, zip(*pairs, strict=True))
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(gold, said),
        "micro_f1": sklearn.metrics.f1_score(gold, said, average="micro", zero_division=0),
        "macro_f1": sklearn.metrics.f1_score(gold, said, average="macro", zero_division=0),
        "tag_f1": sklearn.metrics.f1_score(gold, said, average="micro", labels=[1, 2, 3], zero_division=0),
    }
    found = {name: score(predictions(name, gold, said), replicates=2).value for name in expected}
    assert found == pytest.approx(expected)


@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12), min_size=1))
def test_span_f1_equals_that_of_seqeval(rows: list[list[tuple[int, int]]]) -> None:
    """Spans of any sequence of tags, well-formed or not, never across rows."""
    gold = [[TAGS[pair[0]] for pair in row] for row in rows]
    said = [[TAGS[pair[1]] for pair in row] for row in rows]
    flat = [pair for row in rows for pair in row]
    found = predictions(
        "span_f1",
        [pair[0] for pair in flat],
        [pair[1] for pair in flat],
        task=task("span_f1", TAGS),
        rows=np.repeat(np.arange(len(rows)), [len(row) for row in rows]),
    )
    expected = seqeval.metrics.f1_score(gold, said, zero_division=0)
    assert score(found, replicates=2).value == pytest.approx(expected)


def test_span_f1_wants_bio_classes() -> None:
    """A class that is no BIO tag is an error that names it."""
    with pytest.raises(ValueError, match="not D; use tag_f1"):
        score(predictions("span_f1", [0, 1], [0, 1], task=task("span_f1", ("O", "D"))))


def test_nats_per_word_is_the_mean_loss() -> None:
    """Each word weighs the same, whatever its document."""
    found = predictions("nats_per_word", [5, 5, 5], [0, 0, 0], loss=np.array([1.0, 2.0, 6.0]))
    assert score(found).value == 3.0


def test_nats_per_word_needs_losses() -> None:
    """Without losses there is an error and no zero."""
    with pytest.raises(ValueError, match="needs the loss"):
        score(predictions("nats_per_word", [1], [1]))


def test_an_unknown_metric_is_an_error_that_lists_the_known_ones() -> None:
    """The name is the task's."""
    with pytest.raises(ValueError, match="asks for metric 'bleu'; known are accuracy"):
        metric_of(task("bleu"))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "accuracy"),
        ({"kind": "multilabel"}, "micro_f1"),
        ({"kind": "regression"}, "pearson"),
        ({"kind": "arc", "relations": "r"}, "las"),
        ({"kind": "arc"}, "uas"),
    ],
)
def test_a_task_without_a_metric_has_that_of_its_kind(values: dict[str, str], name: str) -> None:
    """The score says which one it is."""
    found = dataclasses.replace(task(""), **values)  # type: ignore[arg-type]
    assert metric_name(found) == name
    assert metric_of(found) is kind_of(found).metrics[name]
    assert score(predictions("", [], [], task=found)).metric == name


def test_no_labels_have_no_score() -> None:
    """Neither zero nor an error."""
    found = score(predictions("accuracy", [], []))
    assert (found.value, found.labels, found.low) == (None, 0, None)


def test_one_document_has_a_value_but_no_interval() -> None:
    """There is nothing to resample."""
    found = score(predictions("accuracy", [0, 1], [0, 0], documents=np.array([7, 7])))
    assert found.to_json() == {"value": 0.5, "interval": None, "labels": 2, "documents": 1}


def test_the_interval_of_an_accuracy_is_that_of_the_normal_approximation() -> None:
    """400 documents of one label each, 300 right: 0.75 +- 1.96 sqrt(0.75 * 0.25 / 400)."""
    found = score(predictions("accuracy", [0] * 400, [0] * 300 + [1] * 100))
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert (found.low, found.high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)


def test_labels_of_one_document_are_resampled_together() -> None:
    """Ten copies of each label in its document widen nothing and narrow nothing."""
    alone = predictions("accuracy", [0] * 40, [0] * 30 + [1] * 10)
    copies = predictions("accuracy", [0] * 400, [0] * 300 + [1] * 100, documents=np.repeat(np.arange(40), 10))
    assert (score(alone).low, score(alone).high) == (score(copies).low, score(copies).high)


def test_golden_interval() -> None:
    """The same seed gives the same interval, another seed another one."""
    gold, said = np.arange(60) % 4, np.arange(60) ** 2 % 5 % 4
    found = predictions("macro_f1", gold.tolist(), said.tolist())
    assert (score(found, 3).low, score(found, 3).high) == pytest.approx((0.0996957981, 0.2262915451), abs=1e-9)
    assert score(found, 3) != score(found, 4)


@given(PAIRS, st.integers(0, 5), st.sampled_from(sorted(set(METRICS) - {"span_f1", "nats_per_word"})))
def test_intervals_are_ordered_and_within_bounds(pairs: list[tuple[int, int]], seed: int, metric: str) -> None:
    """0 <= low <= high <= 1 with any grouping into documents."""
    gold, said = map(list, zip(*pairs, strict=True))
    found = score(predictions(metric, gold, said, documents=np.arange(len(gold)) % 7), seed, replicates=50)
    assert (found.low is None) == (found.documents == 1)
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.high <= 1 + 1e-12


def test_many_documents_are_resampled_in_pieces_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is drawn at a time, all replicates are made."""
    monkeypatch.setattr("trainer.score.metrics._CHUNK", 100)
    found = score(predictions("accuracy", [0] * 400, [0] * 300 + [1] * 100))
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert (found.low, found.high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.008)
