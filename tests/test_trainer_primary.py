"""The task that a run is for: it is served in every step, and everything that is left open follows from it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoding import encoded
from gold_dataset import NER, PLAIN_TASKS, TOPIC, gold_row, write_gold
from tiny_dataset import TASKS, write_dataset

from labelers.task import Task
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset
from trainer.folder import RunFolder
from trainer.kinds import kind_of
from trainer.loop import train
from trainer.schedule.choices import decided, told
from trainer.schedule.samplers import Proportional
from trainer.schedule.step_plan import StepPlan
from trainer.schedule.streams import Streams
from trainer.score.table import lines
from trainer.settings import Settings, make_settings

pytestmark = pytest.mark.usefixtures("quick_probes")

SPLITS = {"train": range(24), "validation": range(24, 32), "test": range(32, 40)}
QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 4, "epochs": 2, "steps_per_epoch": 3, "threads": 1,
    "device": "cpu", "evaluate_rows": 8, "log_every": 2,
}  # fmt: skip
OPEN = ("primary", "batch", "epochs", "steps_per_epoch", "patience")
WOVEN = tuple(
    dataclasses.replace(task, sequences=("disfluency",), mode="joint")
    for task in TASKS
    if task.name in {"disfluency.tags", "topic.long"}
)
"""Tasks that read one view, as in a dataset with woven views."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three constructed tasks, and one that people labelled in four train rows."""
    folder = tmp_path_factory.mktemp("primary") / "set"
    return write_gold(folder, (*PLAIN_TASKS, NER), SPLITS, labelled={"train": 4})


def choices(path: Path, **given: Any) -> tuple[Any, ...]:
    """Return what a run decides about all that is left open."""
    settings = decided(make_settings(given), Dataset.open(path))
    return tuple(getattr(settings, name) for name in OPEN)


def test_the_only_gold_task_is_the_primary(dataset: Path) -> None:
    """And everything that is left open follows; what is given stays as it is."""
    assert choices(dataset) == ("ner", "primary+one", 10, "auto", 5)
    assert choices(dataset, primary="topic.long") == ("topic.long", "primary+one", 10, "auto", 5)
    given = {"primary": "ner", "batch": "tasks", "epochs": 3, "steps_per_epoch": 0, "patience": 0}
    assert choices(dataset, **given) == tuple(given.values())


def test_a_primary_can_be_refused(dataset: Path) -> None:
    """Then a run is as one without gold tasks."""
    assert choices(dataset, primary="none") == ("none", "tasks", 3, 0, 0)
    with pytest.raises(ValueError, match=r"batch = 'primary\+one' needs a primary task; .* 'none' names none"):
        choices(dataset, primary="none", batch="primary+one")


def test_of_several_gold_tasks_none_is_the_primary(tmp_path: Path) -> None:
    """Nor is one without train labels; nor is there any where no one made labels."""
    assert choices(write_gold(tmp_path / "two", (NER, TOPIC), SPLITS))[0] == "none"
    assert choices(write_gold(tmp_path / "zero", (*PLAIN_TASKS, NER), SPLITS, labelled={"train": 0}))[0] == "none"
    assert choices(write_dataset(tmp_path / "made", rows=8)) == ("none", "tasks", 3, 0, 0)


def test_without_a_validation_split_nothing_is_waited_for(tmp_path: Path) -> None:
    """Patience that was not asked for is no error."""
    splits = {"train": range(8), "test": range(8, 12)}
    assert choices(write_gold(tmp_path / "set", (NER,), splits)) == ("ner", "primary+one", 10, "auto", 0)


def test_a_user_is_told_of_a_primary_that_nobody_named(dataset: Path) -> None:
    """In a line, with what switches it off."""
    open_, data = Settings(), Dataset.open(dataset)
    assert told(open_, decided(open_, data)) == (
        'primary task: ner, the only one with labels that people made (primary = "none" gives none the preference)'
    )
    for named in (Settings(primary="ner"), Settings(primary="none")):
        assert told(named, decided(named, data)) == ""


def plan(primary: int | None, sizes: tuple[int, ...], **more: Any) -> StepPlan:
    """Return a plan of ten epochs of 32 rows a step."""
    lengths = [np.ones(size, np.int64) for size in sizes]
    return StepPlan(0, lengths, Proportional(), 10, rows=32, bucket=16, window=16, primary=primary, **more)


@pytest.mark.parametrize(
    ("primary", "sizes", "steps"),
    [
        (0, (200, 30_000), 284),  # 0.3 of 944
        (0, (200, 300), 50),
        (0, (8_000, 300), 500),  # half of each step is the primary's
        (0, (8_000,), 250),
        (0, (200,), 50),
        (None, (200, 300), 50),
        (None, (200, 30_000), 944),
    ],
)
def test_a_primary_is_not_starved(primary: int | None, sizes: tuple[int, ...], steps: int) -> None:
    """Ten epochs hold 500 steps at least and ten passes over its rows, and what three epochs hold without one."""
    made = plan(primary, sizes, least=50)
    assert made.length == steps
    assert made.epochs * steps >= 500
    if primary is not None:
        served = (made.epoch(0).streams == primary).sum()
        assert served >= sizes[primary]


@pytest.mark.parametrize("batch", ["tasks", "primary+one"])
def test_only_epochs_with_the_primary_are_longer(dataset: Path, tmp_path: Path, batch: str) -> None:
    """A phase of other tasks is as long as it was, and so is any epoch whose steps are given."""
    opened = Dataset.open(dataset)
    data = encoded(opened, opened.tasks, tmp_path)
    given = {"primary": "ner", "batch": batch, "phase": [{"tasks": ["topic.long"]}, {"tasks": ["ner"]}, {}]}
    settings = make_settings({**given, "rows": 8, "bucket": 4})
    lengths = [Streams(data, settings, number).plan.length for number in range(3)]
    assert lengths == [3, 50, 50]
    settings = settings.model_copy(update={"steps_per_epoch": 7})
    assert {Streams(data, settings, number).plan.length for number in range(3)} == {7}


@pytest.mark.parametrize("wrong", [0, -1, "many", 2.5, True])
def test_epochs_are_a_number_or_left_open(wrong: Any) -> None:
    """One error, not one for each form."""
    with pytest.raises(
        ValueError, match=r"^\[train\] epochs = .*: input should be a valid integer from 1 on, or 'auto'$"
    ):
        make_settings({"epochs": wrong})


def woven(tmp_path: Path, *tasks: Any) -> EncodedDataset:
    """Return a dataset with a woven view, and tasks on its source."""
    path = write_gold(tmp_path / "set", (*WOVEN, *tasks), SPLITS)
    return encoded(Dataset.open(path), Dataset.open(path).tasks, tmp_path)


def served(streams: Streams) -> list[dict[str, list[int]]]:
    """Return the train rows that each step of the first epoch serves, for each task."""
    epoch = streams.plan.epoch(0)
    train = streams.data.splits["train"]
    made = []
    for step in range(len(epoch.rows)):
        rows: dict[str, list[int]] = {}
        for bucket in streams.requests(epoch, step):
            for item in bucket:
                name = item.task.name
                found = train.read(name).rows[train.targets[name].where[item.rows]]
                rows.setdefault(name, []).extend(found.tolist())
        made.append({name: sorted(found) for name, found in rows.items()})
    return made


def test_rows_of_a_woven_dataset_serve_gold_labels_of_their_source(tmp_path: Path) -> None:
    """Without a primary: each row is read as a view for the constructed labels and as a source for the gold ones."""
    data = woven(tmp_path, NER, TOPIC)
    streams = Streams(data, Settings(rows=8, bucket=4))
    assert streams.mode == "rows"
    for step in served(streams):
        assert step["ner"] == step["subject"] == step["topic.long"]
    lengths = [data.splits["train"].read(name).lengths for name in ("ner", "topic.long")]
    assert streams.plan.lengths[0].tolist() == sum(lengths).tolist()  # type: ignore[union-attr]


def test_beside_a_primary_on_the_source_woven_rows_are_drawn_with_all_their_labels(tmp_path: Path) -> None:
    """Half of each step is the primary's, and the other half serves every task of the view at once."""
    data = woven(tmp_path, NER)
    settings = decided(Settings(rows=8, bucket=4), Dataset.open(tmp_path / "set"))
    assert (settings.primary, settings.batch) == ("ner", "primary+one")
    streams = Streams(data, settings)
    assert len(streams.plan.lengths) == 2
    for step in served(streams):
        assert len(step["ner"]) == len(step["disfluency.tags"]) == 4
        assert step["disfluency.tags"] == step["topic.long"]
    labels = streams.labels(streams.plan.epoch(0))
    tags = data.splits["train"].targets["disfluency.tags"]
    assert labels["disfluency.tags"] == pytest.approx(4 * len(tags.values) / 24)
    names = ["ner", "topic.long", "disfluency.tags"]
    phased = settings.model_copy(update={"phase": make_settings({"phase": [{"tasks": names}, {}]}).phase})
    found = [len(Streams(data, phased, number).plan.lengths) for number in (0, 1)]
    assert found == [3, 2]  # a phase that names tasks chooses among single ones


def test_a_primary_on_the_woven_view_is_served_by_every_row(tmp_path: Path) -> None:
    """As before: there is nothing to prefer."""
    woven(tmp_path, NER)
    assert choices(tmp_path / "set", primary="topic.long")[:2] == ("topic.long", "rows")


def test_a_step_of_one_row_has_no_half(dataset: Path) -> None:
    """The primary would never be served."""
    with pytest.raises(ValueError, match=r"batch = 'primary\+one' divides the rows of a step; set rows to 2 or more"):
        choices(dataset, rows=1, bucket=1)


def test_a_run_with_a_primary_that_nobody_named_resumes_byte_for_byte(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mark says what was decided, whether the settings come again or not; the sentence is said once."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    said: list[str] = []
    left_open = {key: value for key, value in QUICK.items() if key != "epochs"} | {"max_steps": 7}
    train(dataset, tmp_path / "whole", left_open)
    train(dataset, tmp_path / "parts", left_open, stop_after=2, say=said.append)
    train(dataset, tmp_path / "parts", left_open, stop_after=4, auto=True, say=said.append)
    train(dataset, tmp_path / "parts", {"primary": "ner", "epochs": "auto", "patience": 5}, stop_after=5, resume=True)
    assert train(dataset, tmp_path / "parts", resume=True, say=said.append) == {"finished": True}
    assert len(said) == 1
    for name in ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json", "spans.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    with pytest.raises(ValueError, match="has primary = 'ner', not 'none'"):
        train(dataset, tmp_path / "parts", {"primary": "none"}, resume=True)
    saved = RunFolder(tmp_path / "parts").settings()
    assert tuple(getattr(saved, name) for name in OPEN) == ("ner", "primary+one", 10, 3, 5)


def test_a_run_of_an_earlier_version_keeps_what_was_left_open_then(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mark names no primary, and draws tasks in epochs over all rows."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    train(dataset, tmp_path / "run", QUICK | {"primary": "none"}, stop_after=2)
    mark = json.loads((tmp_path / "run" / "run.json").read_text())
    mark["settings"] |= {"primary": "", "batch": "auto", "steps_per_epoch": 0, "max_steps": 4}
    del mark["settings"]["patience"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(mark))
    settings = RunFolder(tmp_path / "run").settings()
    assert (settings.has_primary, settings.patience, settings.epochs) == (False, 0, 2)
    assert train(dataset, tmp_path / "run", resume=True) == {"finished": True}


def test_the_report_says_which_task_chose_the_checkpoint_and_by_how_many_labels(dataset: Path, tmp_path: Path) -> None:
    """Few labels get a warning; the table says both."""
    report = train(dataset, tmp_path / "run", QUICK)
    assert report["settings"]["primary"] == report["run"]["chosen_by"] == "ner"
    by_name = {entry["name"]: entry for entry in report["tasks"]}
    (told_,) = [text for text in by_name["ner"]["warnings"] if "selected" in text]
    labels = sum(len(gold_row(number)["ner"]["tags"]) for number in SPLITS["validation"])
    assert told_ == f"only {labels} validation labels selected the checkpoint"
    assert [text for text in by_name["topic.long"]["warnings"] if "selected" in text] == []
    text = " ".join(map(str.strip, lines(report)))
    assert "the best on the validation split by the score of ner" in text
    assert f"! ner: {told_}" in text


def test_a_primary_without_validation_labels_leaves_the_choice_to_the_others(tmp_path: Path) -> None:
    """And the report says so."""
    folder = write_gold(tmp_path / "set", (PLAIN_TASKS[1], NER), SPLITS, labelled={"validation": 0})
    report = train(folder, tmp_path / "run", QUICK)
    assert report["run"]["chosen_by"] is None
    (warnings,) = [entry["warnings"] for entry in report["tasks"] if entry["name"] == "ner"]
    assert "no validation label, so the other tasks selected the checkpoint" in warnings


@pytest.mark.parametrize(
    ("task", "weighed"),
    [
        (dataclasses.replace(NER, gold=False), True),
        (NER, False),
        (dataclasses.replace(NER, labeler="", gold=False), False),
        (dataclasses.replace(NER, gold=False, classes=("NN", "VB")), False),
        (TOPIC, False),
    ],
    ids=["constructed", "gold", "no labeler", "no O", "passage"],
)
def test_the_tag_o_weighs_less_in_constructed_tasks_alone(task: Task, weighed: bool) -> None:  # noqa: FBT001
    """How many words are outside is the rate of a labeler there; a first class of people's may be any."""
    found = kind_of(task).emphasis(task, torch.tensor([0, 1, 0]), Settings(outside_weight=0.5))
    assert (found is not None) == weighed
    if found is not None:
        assert found.tolist() == [0.5, 1.0, 0.5]
        assert kind_of(task).emphasis(task, torch.tensor([0]), Settings(outside_weight=1)) is None
