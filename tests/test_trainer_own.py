"""Kinds and encoders of one's own: one module, named by the task or the settings, and nothing else to change."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tiny_dataset import TASKS, write_dataset
from toy_encoders import Bag

from trainer.apply import load_model
from trainer.encoders.encoder import Encoder, find_encoder
from trainer.kinds import find
from trainer.loop import train

pytestmark = pytest.mark.usefixtures("quick_probes")

SETTINGS: dict[str, Any] = {
    "model": {"vocabulary": 320, "bag": False}, "rows": 16, "bucket": 8, "window": 4, "epochs": 4, "threads": 1,
    "device": "cpu", "evaluate_rows": 60, "learning_rate": 5e-3,
}  # fmt: skip
(LONG,) = (task for task in TASKS if task.name == "topic.long")
CONFIDENCE = dataclasses.replace(
    LONG, name="topic.number", kind="toy_kinds:NUMBER", target="topic.confidence", classes=(), metric="mse", weight=None
)


def test_a_kind_of_ones_own_is_trained_scored_and_reported(tmp_path: Path) -> None:
    """Beside another task; its metric, its prior and its losses are its own, and the model finds the number."""
    dataset = write_dataset(tmp_path / "set", rows=120, tasks=(LONG, CONFIDENCE))
    report = train(dataset, tmp_path / "run", SETTINGS)
    number, long = report["tasks"][1], report["tasks"][0]
    assert (number["kind"], number["metric"], number["higher_is_better"]) == ("toy_kinds:NUMBER", "mse", False)
    assert number["labels"] == {"train": 120, "held_out": 20}
    assert number["prior"]["value"] == pytest.approx(1 / 16)  # half of the rows have 1, half of them 0.5
    assert [item["name"] for item in number["baselines"]] == ["mean"]
    assert 0 < number["score"]["value"] < 0.2
    assert long["metric"] == "accuracy"


def test_an_encoder_of_ones_own_is_trained_and_loaded(tmp_path: Path) -> None:
    """All kinds have heads over it; a bag of words tells how long a row is, not what stands next to what."""
    dataset = write_dataset(tmp_path / "set", rows=120)
    settings = SETTINGS | {"model": {"encoder": "toy_encoders:Bag", "vocabulary": 320, "bag": False}}
    report = train(dataset, tmp_path / "run", settings)
    scores = {entry["name"]: entry["score"]["value"] for entry in report["tasks"]}
    assert scores["topic.craft"] > 0.9
    model = load_model(tmp_path / "run")
    assert isinstance(model.encoder, Bag)
    assert {path.name for path in (tmp_path / "run" / "learnt").iterdir()} == {"bag.json"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", r"there is no encoder 'tinny' \(did you mean 'tiny'\?\); there are tiny, small, base, or give"),
        ("no_such_module:Bag", "cannot import 'no_such_module'"),
        ("toy_kinds:NUMBER", "'toy_kinds:NUMBER' is not an Encoder"),
        ("toy_encoders:Nothing", "'toy_encoders:Nothing' is not an Encoder"),
    ],
)
def test_an_encoder_that_is_not_there_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    """Before anything is written."""
    with pytest.raises(ValueError, match=message):
        train(write_dataset(tmp_path / "set", rows=12), tmp_path / "run", {"model": {"encoder": name}})
    assert not (tmp_path / "run").exists()


def test_encoders_are_found_by_their_names() -> None:
    """The sizes are one encoder; an own one goes by its module."""
    assert find_encoder("tiny") is find_encoder("base")
    assert issubclass(find_encoder("tiny"), Encoder)
    assert find_encoder("toy_encoders:Bag") is Bag


def test_a_kind_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """When the dataset is opened."""
    with pytest.raises(ValueError, match="is of kind 'toy_kinds:NOTHING'"):
        find("toy_kinds:NOTHING")
    dataset = write_dataset(tmp_path / "set", rows=12, tasks=(dataclasses.replace(LONG, kind="toy_kinds:NOTHING"),))
    with pytest.raises(ValueError, match=r"task 'topic.long' is of kind 'toy_kinds:NOTHING', which this version"):
        train(dataset, tmp_path / "run", SETTINGS)
