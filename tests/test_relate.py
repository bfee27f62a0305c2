"""What label spaces tell before anything is trained, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import run
from gold_dataset import NER, PLAIN_TASKS, TOPIC, write_gold
from scipy import stats

from trainer.data.dataset import Dataset
from trainer.study.label_spaces import relate
from trainer.study.relatedness import Information, entropy, kurtosis
from trainer.study.relation_table import relation_lines

TASKS = (*PLAIN_TASKS, NER, TOPIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Constructed tasks and two that people labelled, in all rows."""
    return write_gold(tmp_path_factory.mktemp("relate") / "set", TASKS, {"train": range(40)})


@pytest.mark.parametrize(
    ("table", "by_sum", "by_joint", "by_larger"),
    [
        ([[10, 0, 0, 1], [1, 11, 0, 0], [0, 2, 12, 0], [0, 0, 3, 13]], 0.724106, 0.567528, 0.723041),
        ([[15, 0, 0, 0], [0, 5, 5, 5], [0, 5, 5, 5], [0, 5, 5, 5]], 0.405639, 0.254421, 0.405639),
        ([[4, 0], [0, 0]], 0.0, 0.0, 0.0),
    ],
)
def test_mutual_information_has_the_published_values(
    table: list[list[int]], by_sum: float, by_joint: float, by_larger: float
) -> None:
    """Tables of the tests of Schröder and Biemann's program; a constant tells nothing."""
    found = Information.of(np.array(table, float))
    assert (found.by_sum, found.by_joint, found.by_larger) == pytest.approx((by_sum, by_joint, by_larger), abs=1e-6)


def test_entropy_and_kurtosis_are_those_of_scipy() -> None:
    """Of the counts of classes; equal counts have no kurtosis."""
    counts = np.array([120.0, 3, 14, 15, 92, 6])
    assert entropy(counts) == pytest.approx(stats.entropy(counts, base=2))
    assert kurtosis(counts) == pytest.approx(stats.kurtosis(counts))
    assert kurtosis(np.full(4, 7.0)) is None


def test_tasks_are_compared_with_the_primary(folder: Path) -> None:
    """Tags with tags over the same words, what is said of rows with what is said of the same rows."""
    found = relate(Dataset.open(folder), "ner")
    by_name = {entry["name"]: entry for entry in found["tasks"]}
    tags = by_name["disfluency.tags"]
    assert tags["classes"] == 2
    assert 0 < tags["entropy"] < 1
    assert tags["entropy"] == tags["normalised_entropy"]
    assert tags["similarity"]["shared_vocabulary"] == 1.0
    assert tags["agreement"]["common"] > 0
    assert tags["agreement"]["nmi"] < 0.05  # which words are repeated is drawn
    assert by_name["ner"]["similarity"] is None
    assert by_name["masking.word"]["entropy"] is None
    assert by_name["topic.long"]["agreement"] is None


def test_a_class_that_is_another_one_agrees_with_it(folder: Path) -> None:
    """Whether a row is long, once as a labeler says it and once as people do."""
    entries = relate(Dataset.open(folder), "subject")["tasks"]
    long = next(entry for entry in entries if entry["name"] == "topic.long")
    assert long["agreement"] == {"nmi": pytest.approx(1.0), "common": 40}


def test_the_command_prints_a_table_of_80_columns(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the remark about labels that are injected; and everything as JSON."""
    assert run(monkeypatch, "relate", folder, "--primary", "ner") == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "beside ner" in text
    assert "sets their entropy itself" in text.replace("\n  ", " ")
    assert run(monkeypatch, "relate", folder, "--primary", "ner", "--json") == 0
    assert json.loads(capsys.readouterr().out)["primary"] == "ner"


def test_what_cannot_be_compared_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No task of that name; and without a primary the label spaces stand alone."""
    assert run(monkeypatch, "relate", folder, "--primary", "nerr") == 2
    assert "has no task 'nerr' (did you mean 'ner'?); it has disfluency.tags" in capsys.readouterr().err
    found = relate(Dataset.open(folder))
    assert found["primary"] is None
    assert "no primary was given" in " ".join(relation_lines(found))
