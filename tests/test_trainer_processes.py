"""Several processes that train one run: it is the run of one process, and none of them outlives another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pair import Pair, patched
from tiny_dataset import write_dataset
from tiny_encoders import write_encoder

from trainer.checkpoint import load
from trainer.loop import train

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320, "head_dropout": 0.0}, "rows": 6, "bucket": 3, "window": 4, "epochs": 2,
    "steps_per_epoch": 4, "log_every": 1, "threads": 1, "device": "cpu", "evaluate_rows": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset, with tasks of every kind."""
    return write_dataset(tmp_path_factory.mktemp("processes") / "set", rows=24)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """This process and another one."""
    made = Pair()
    yield made
    made.end()


def log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def numbers(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers in a line of the log by what they are."""
    flat = {key: value for key, value in line.items() if not isinstance(value, dict)}
    return flat | {
        f"{key}/{name}": value for key, table in line.items() if key not in flat for name, value in table.items()
    }


def check_equal(found: Path, known: Path) -> None:
    """Check that two runs have the same losses and scores, and as many of each."""
    lines = log(found), log(known)
    assert [sorted(line) for line in lines[0]] == [sorted(line) for line in lines[1]]
    for one, other in zip(*lines, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-4, abs=1e-4)
    states = [load(run / "last.safetensors")[1] for run in (found, known)]
    assert states[0]["best"]["step"] == states[1]["best"]["step"]
    assert states[0]["pieces"] == states[1]["pieces"]


PHASES = [{"tasks": ["masking.word", "topic.long"], "epochs": 1}, {"start": "best"}]


@pytest.mark.parametrize(
    "settings",
    [
        {"phase": PHASES, "accumulate": 2, "checkpointing": True},
        {"batch": "rows", "epochs": 1},
        {"rows": 2, "bucket": 1, "accumulate": 2, "epochs": 1},  # a process has no row of a part
        {"model": {"encoder": "bert", "dropout": 0.0, "head_dropout": 0.0}, "epochs": 1},
    ],
    ids=["phases and parts", "rows", "fewer rows than processes", "pretrained"],
)
def test_two_processes_train_the_run_of_one(
    dataset: Path, pair: Pair, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """The same losses in every step, and the same scores; in float64, for rounding parts any two runs in the end."""
    chosen = QUICK | settings
    if chosen["model"].get("encoder") == "bert":
        chosen["model"] = chosen["model"] | {"encoder": str(write_encoder(tmp_path / "bert", "bert"))}
    pair.train(dataset, tmp_path / "two", chosen, double=True)
    with patched(double=True):
        train(dataset, tmp_path / "one", chosen)
    check_equal(tmp_path / "two", tmp_path / "one")
