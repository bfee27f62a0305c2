"""A budget of tokens: the sub-words that go through the encoder, counted before the first step is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoding import encoded
from gold_dataset import NER, PLAIN_TASKS, write_gold
from tiny_dataset import write_dataset

from trainer.data.batch import Noise, collate
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset
from trainer.loop import train
from trainer.run_report import facts
from trainer.schedule.course import Course, Ended
from trainer.schedule.optimiser import learning_rate
from trainer.schedule.streams import Streams
from trainer.settings import Settings, make_settings

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 4, "steps_per_epoch": 3, "log_every": 1,
    "threads": 1, "device": "cpu", "evaluate_rows": 4,
}  # fmt: skip
FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with 24 train rows."""
    return write_dataset(tmp_path_factory.mktemp("budget") / "set", rows=24)


@pytest.fixture(scope="module")
def data(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    """The same, encoded."""
    opened = Dataset.open(dataset)
    tasks = [task for task in opened.tasks if task.kind != "generation"]
    return encoded(opened, tasks, tmp_path_factory.mktemp("encoded"))


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


def settings(**given: Any) -> Settings:
    """Return settings of small steps."""
    return make_settings(QUICK | given)


def log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log that tell of steps."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "train_loss" in line]


@pytest.mark.parametrize(
    "given",
    [{}, {"batch": "rows"}, {"batch": "primary+one", "primary": "disfluency.tags"}, {"bucket": 2, "accumulate": 2}],
    ids=str,
)
def test_what_the_encoder_will_read_is_known_beforehand(data: EncodedDataset, given: dict[str, Any]) -> None:
    """Step by step it is what the batches hold; a row that several tasks read alike stands in a bucket once."""
    streams = Streams(data, settings(**given))
    plan = streams.plan.epoch(1)
    read = [collate(data, "train", streams.requests(plan, step), Noise()).pieces for step in range(3)]
    assert streams.pieces(plan).tolist() == read


@pytest.mark.usefixtures("quick_end")
@pytest.mark.parametrize("sampler", ["auto", "annealed"])
def test_a_run_ends_with_the_step_that_spends_its_tokens(dataset: Path, tmp_path: Path, sampler: str) -> None:
    """It takes as many epochs as that needs, and the learning rate runs out there."""
    facts = train(dataset, tmp_path / "run", QUICK | {"tokens": 2600, "sampler": sampler})
    *_, before, last = log(tmp_path / "run")
    assert before["pieces"] < 2600 <= last["pieces"] == facts["pieces"]
    assert facts["steps"] == facts["planned_steps"] == last["step"] > 9  # three epochs are what a run has otherwise
    assert not facts["stopped_early"]
    assert last["learning_rate"] == learning_rate(Settings(), last["step"] - 1, last["step"])


def test_epochs_that_are_given_are_a_limit_too(data: EncodedDataset) -> None:
    """What is spent first ends the run; so it is with a limit of steps."""
    spent = Course(data, settings(epochs=2)).legs()[0].steps
    assert spent == 6
    assert Course(data, settings(epochs=2, tokens=10**6)).legs()[0].steps == 6
    assert Course(data, settings(epochs=2, tokens=300)).legs()[0].steps < 6
    assert Course(data, settings(max_steps=4, tokens=10**6)).legs()[0].steps == 4


def test_a_phase_has_tokens_of_its_own(data: EncodedDataset) -> None:
    """Its budget begins with it; one of the run is what they share."""
    phase = [{"tasks": ["masking.word"], "tokens": 500}, {"tokens": 900}]
    first, second = Course(data, settings(phase=phase)).legs()
    pieces = [leg.streams.pieces(leg.streams.plan.epoch(0)) for leg in (first, second)]
    assert first.steps == int(np.searchsorted(np.cumsum(pieces[0]), 500)) + 1
    assert second.begin == first.steps
    both = Course(data, settings(phase=phase, tokens=700)).legs()
    assert both[0].pieces >= 500
    assert 700 <= both[0].pieces + both[1].pieces < 1400
    assert Course(data, settings(phase=phase, tokens=400)).legs()[1].steps == 0
    early = [Ended(step=1, pieces=100, epochs=1, best=0)]
    longer = Course(data, settings(phase=[{"epochs": 1}, {}], tokens=2000))
    assert longer.legs(early)[1].steps > longer.legs()[1].steps  # what a phase leaves, the next one spends


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"phase": [{"epochs": 1, "tokens": 5}]},
            r"^\[\[phase\]\] epochs = 1 and tokens = 5 both say how long it last",
        ),
        (
            {"tokens": 9, "phase": [{}, {}]},
            r"\[\[phase\]\] number 1 has no length, since tokens = 9 limits only the last",
        ),
        ({"tokens": -1}, r"\[train\] tokens = -1: input should be greater than or equal to 0"),
    ],
)
def test_a_budget_is_said_once(given: dict[str, Any], message: str) -> None:
    """The errors name the keys."""
    with pytest.raises(ValueError, match=message):
        make_settings(given)


@pytest.mark.usefixtures("quick_end")
@pytest.mark.parametrize("sampler", ["auto", "annealed"])
def test_a_run_with_a_budget_resumes_and_grows_byte_for_byte(dataset: Path, tmp_path: Path, sampler: str) -> None:
    """More tokens may be given, to a run that has ended, too."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    given = QUICK | {"tokens": 1000, "sampler": sampler}
    train(dataset, whole, given)
    train(dataset, parts, given, stop_after=2)
    train(dataset, parts, resume=True)
    facts = train(dataset, whole, {"tokens": 1800}, resume=True)
    train(dataset, parts, {"tokens": 1800}, resume=True, stop_after=facts["extended"][0]["step"] + 1)
    train(dataset, parts, resume=True)
    for name in FILES:
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name
    assert log(whole)[-2]["pieces"] < 1800 <= log(whole)[-1]["pieces"]
    # without a limit, nothing says how many epochs there are
    for less, message in ((1000, "has tokens = 1800, not 1000"), (0, "has epochs = 'auto', not 3")):
        with pytest.raises(ValueError, match=message):
            train(dataset, whole, {"tokens": less}, resume=True)


def test_a_primary_with_few_rows_uses_its_tokens_for_more_epochs(tmp_path: Path) -> None:
    """So runs with other tasks, or with none, read equally much."""
    path = write_gold(tmp_path / "set", (*PLAIN_TASKS, NER), {"train": range(24)}, labelled={"train": 4})
    opened = Dataset.open(path)
    both = encoded(opened, opened.tasks, tmp_path)
    for tasks in (["ner"], ["ner", "topic.long"]):
        given = settings(primary="ner", batch="primary+one", tokens=3000, phase=[{"tasks": tasks}])
        (leg,) = Course(both, given).legs()
        assert 3000 <= leg.pieces < 3400
