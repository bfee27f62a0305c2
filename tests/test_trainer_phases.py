"""Phases: each has its tasks, rows, rate, frozen weights and budget, and begins where the one before it left off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoding import encoded
from gold_dataset import NER, PLAIN_TASKS, TOPIC, write_gold
from tiny_dataset import write_dataset
from tiny_encoders import write_encoder

from trainer import loop
from trainer.checkpoint import load
from trainer.data.dataset import Dataset
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.run import Run
from trainer.run_report import facts
from trainer.schedule.optimiser import learning_rate
from trainer.schedule.streams import Streams
from trainer.score.table import lines
from trainer.settings import Settings, make_settings

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 4, "steps_per_epoch": 2, "log_every": 1,
    "threads": 1, "device": "cpu", "evaluate_rows": 4, "epochs": 2,
}  # fmt: skip
FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json")
WORDS: dict[str, Any] = {"tasks": ["masking.word"], "epochs": 1}
LONG: dict[str, Any] = {"tasks": ["topic.long"], "epochs": 2}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three constructed tasks, and one that people labelled in six of 24 train rows."""
    folder = tmp_path_factory.mktemp("phases") / "set"
    splits = {"train": range(24), "validation": range(24, 32), "test": range(32, 40)}
    return write_gold(folder, (*PLAIN_TASKS, NER), splits, labelled={"train": 6})


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first evaluation of a phase is its best one, however the model does."""
    values: dict[str, float] = {}
    rest: Iterator[float] = iter(range(0, -999, -1))
    monkeypatch.setattr(
        "trainer.validate.value_of", lambda _tasks, scores, *_: values.setdefault(json.dumps(scores), next(rest))
    )


def phased(*phases: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Return settings with phases."""
    return QUICK | given | {"phase": list(phases)}


def log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return what a checkpoint holds of the model."""
    return {name: value for name, value in load(path)[0].items() if not name.startswith("optimizer/")}


def steps_of_optimiser(path: Path) -> set[int]:
    """Return how many steps the optimiser in a checkpoint has taken."""
    return {int(value) for name, value in load(path)[0].items() if name.startswith("optimizer/step/")}


def same(one: Path, other: Path) -> None:
    """Check that two runs have left the same bytes."""
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.usefixtures("quick_end")
def test_optimiser_and_schedule_begin_anew_in_each_phase(dataset: Path, tmp_path: Path) -> None:
    """The rate rises and falls in each, to the height that is its own; nothing of the optimiser is left."""
    settings = phased(WORDS, LONG | {"learning_rate": 1e-4}, warmup=0.5, primary="none")
    train(dataset, tmp_path / "run", settings, stop_after=2)
    assert steps_of_optimiser(tmp_path / "run" / "last.safetensors") == set()
    facts = train(dataset, tmp_path / "run", resume=True)
    assert steps_of_optimiser(tmp_path / "run" / "last.safetensors") == {4}
    rates = [line["learning_rate"] for line in log(tmp_path / "run") if "learning_rate" in line]
    first, second = (Settings(learning_rate=rate, warmup=0.5) for rate in (2e-3, 1e-4))
    assert rates == [
        *(learning_rate(first, step, 2) for step in range(2)),
        *(learning_rate(second, step, 4) for step in range(4)),
    ]
    assert [(item["first_step"], item["steps"], item["tasks"]) for item in facts["phases"]] == [
        (1, 2, ["masking.word"]),
        (3, 4, ["topic.long"]),
    ]


def test_the_rate_of_a_pretrained_encoder_changes_in_proportion() -> None:
    """So it stays what it is of the heads' rate."""
    settings = make_settings({"encoder_learning_rate": 1e-4, "learning_rate": 1e-3, "phase": [{"learning_rate": 5e-4}]})
    assert settings.during(0).encoder_learning_rate == pytest.approx(5e-5)
    assert make_settings({"phase": [{"freeze": 2}], "freeze": "encoder"}).during(0).freeze == 2
    assert make_settings({"phase": [{}], "freeze": "encoder"}).during(0).freeze == "encoder"


@pytest.mark.usefixtures("quick_end")
def test_what_a_phase_freezes_another_one_trains(dataset: Path, tmp_path: Path) -> None:
    """The encoder keeps its weights in the first phase, and heads that a phase does not train in all."""
    run = tmp_path / "run"
    settings = phased(LONG | {"freeze": "encoder"}, LONG | {"epochs": 1}, LONG | {"freeze": 1, "epochs": 1})
    train(dataset, run, settings, stop_after=1)
    states = [weights(run / "last.safetensors")]
    for step in (4, 6, 8):
        train(dataset, run, resume=True, stop_after=step)
        states.append(weights(run / "last.safetensors"))
    moved = [
        {name for name, value in after.items() if not torch.equal(value, before[name])}
        for before, after in pairwise(states)
    ]
    heads = {name for name in states[0] if name.startswith("heads.")}
    assert moved[0] <= heads
    assert len(moved[1] - heads) > 10
    lower = {name for name in moved[1] - heads if "layers.0." in name}
    upper = {name for name in moved[1] - heads if "layers.1." in name}
    assert lower
    assert not lower & moved[2]
    assert upper <= moved[2]
    assert {name.split(".")[1] for name in set.union(*moved) & heads} == {"2-topic_long"}


@pytest.mark.usefixtures("quick_end", "chosen")
@pytest.mark.parametrize("start", ["last", "best"])
def test_a_phase_begins_with_the_last_weights_or_the_best_ones(dataset: Path, tmp_path: Path, start: str) -> None:
    """Of the phase before it; the best checkpoint of the run is chosen in the last phase."""
    run = tmp_path / "run"
    train(dataset, run, phased(LONG, WORDS | {"start": start}, patience=0), stop_after=3)
    best = weights(run / "best.safetensors")
    train(dataset, run, resume=True, stop_after=4)
    begun, state = load(run / "last.safetensors")
    assert state["ended"] == [{"step": 4, "pieces": state["pieces"], "epochs": 2, "best": 2}]
    equal = all(torch.equal(value, best[name]) for name, value in begun.items())
    assert equal == (start == "best")
    facts = train(dataset, run, resume=True)
    assert (facts["best_step"], facts["best_epoch"]) == (6, 1)
    assert [item["best_step"] for item in facts["phases"]] == [2, 6]


def test_a_phase_draws_rows_with_labels_or_without(dataset: Path, tmp_path: Path) -> None:
    """Of the primary, or of any task that people labelled; expected numbers of labels are those of these rows."""
    opened = Dataset.open(dataset)
    data = encoded(opened, opened.tasks, tmp_path)
    train_ = data.splits["train"]
    gold = set(train_.read("ner").rows[train_.targets["ner"].where].tolist())
    phases = [{"rows": "labelled"}, {"rows": "unlabelled"}, {"rows": "unlabelled", "tasks": ["topic.long"]}]
    for primary in ("ner", "none"):
        settings = make_settings(phased(*phases, primary=primary, steps_per_epoch=6))
        for number, phase in enumerate(settings.phases):
            streams = Streams(data, settings, number)
            plan = streams.plan.epoch(0)
            labels: dict[str, int] = {}
            for step in range(6):
                for item in (item for bucket in streams.requests(plan, step) for item in bucket):
                    targets = train_.targets[item.task.name]
                    rows = set(train_.read(item.task.name).rows[targets.where[item.rows]].tolist())
                    assert rows <= gold if phase.rows == "labelled" else not rows & gold
                    counts = np.diff(targets.offsets)[item.rows]
                    labels[item.task.name] = labels.get(item.task.name, 0) + int(counts.sum())
            assert ("ner" in labels) == (phase.rows == "labelled")
            labels.pop("masking.word", None)  # draws decide on its labels
            expected = streams.labels(plan)
            for name, count in labels.items():
                assert count / 6 == pytest.approx(expected[name], rel=0.5), name
    alone = Streams(data, make_settings(phased({"tasks": ["topic.long"], "rows": "unlabelled"}, primary="ner")))
    assert alone.labels(alone.plan.epoch(0)) == {"topic.long": 8.0}


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([{"tasks": ["ner"], "rows": "unlabelled"}], r"\[\[phase\]\] number 1 has no train row: none of rows = 'unlab"),
        ([{"rows": "some"}], r"\[\[phase\]\] rows = 'some': input should be 'all', 'labelled' or 'unlabelled'"),
        (
            [{"start": "best"}],
            r"\[\[phase\]\] start = 'best' refers to the phase before, which the first one does not have",
        ),
        ([{"freeze": 0}], r"^\[\[phase\]\] freeze = 0: input should be 'none', .*, or a number of layers from 1 on$"),
        ([{"maximise": "ner"}], r"\[\[phase\]\] maximise is not in this version of auxloom yet"),
    ],
)
def test_a_phase_that_cannot_be_trained_is_an_error(
    dataset: Path, tmp_path: Path, phases: list[dict[str, Any]], message: str
) -> None:
    """Before anything is written, or the folder is left free."""
    with pytest.raises(ValueError, match=message):
        train(dataset, tmp_path / "run", phased(*phases))
    assert not list((tmp_path / "run").glob("*"))


def test_rows_and_best_checkpoints_need_what_they_speak_of(tmp_path: Path) -> None:
    """Labels that people made, and a validation split."""
    made = write_dataset(tmp_path / "made", rows=8)
    with pytest.raises(ValueError, match=r"rows = 'labelled' asks for labels of the primary, .* and there is none"):
        train(made, tmp_path / "run", phased({"rows": "labelled"}))
    bare = write_gold(tmp_path / "bare", (TOPIC,), {"train": range(8)})
    with pytest.raises(ValueError, match=r"start = 'best' means the best of the evaluations on the validation split"):
        train(bare, tmp_path / "run", phased({}, {"start": "best"}))


@pytest.mark.usefixtures("quick_end", "chosen")
def test_patience_ends_a_phase_and_not_the_run(dataset: Path, tmp_path: Path) -> None:
    """Each waits by itself; the log and the report say how long it was."""
    settings = phased(LONG | {"epochs": 5}, {"epochs": 4}, patience=1)
    facts = train(dataset, tmp_path / "run", settings)
    found = [(item["steps"], item["planned_steps"], item["best_step"]) for item in facts["phases"]]
    assert found == [(4, 10, 2), (4, 8, 6)]
    assert (facts["steps"], facts["planned_steps"], facts["stopped_early"]) == (8, 12, True)
    places = [(line["step"], line["phase"], line["epoch"]) for line in log(tmp_path / "run") if "value" in line]
    assert places == [(2, 1, 1), (4, 1, 2), (6, 2, 1), (8, 2, 2)]
    for stop in (3, 4, 5, 7, None):
        train(dataset, tmp_path / "parts", settings, auto=True, stop_after=stop)
    same(tmp_path / "run", tmp_path / "parts")


ALL = [
    WORDS | {"epochs": 0, "tokens": 200},
    LONG | {"start": "best", "learning_rate": 5e-4, "freeze": 1},
    {"start": "best", "rows": "labelled", "epochs": 1},
]
"""Phases that use every key."""


@pytest.mark.usefixtures("quick_end")
@pytest.mark.parametrize("pretrained", [False, True])
def test_a_run_of_phases_resumes_byte_for_byte(dataset: Path, tmp_path: Path, *, pretrained: bool) -> None:
    """Inside a phase, where one ends, and behind that; with steps in two passes, and states that are computed anew."""
    settings = phased(*ALL, accumulate=2, checkpointing=True)
    if pretrained:
        settings["model"] = {"encoder": str(write_encoder(tmp_path / "bert", "bert"))}
    facts = train(dataset, tmp_path / "whole", settings)
    ends = [item["first_step"] for item in facts["phases"]]
    assert len(ends) == 3
    for stop in (1, ends[1] - 1, ends[1], ends[2] - 1, None):
        train(dataset, tmp_path / "parts", settings, auto=True, stop_after=stop)
    same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.usefixtures("quick_end", "chosen")
def test_a_run_that_was_killed_in_a_phase_goes_on_from_its_beginning(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best checkpoint that it began with has been replaced by then: what it began with was kept."""
    settings = phased(LONG, LONG | {"start": "best"})
    train(dataset, tmp_path / "whole", settings)
    save = Run.save

    def killed(run: Run) -> None:
        if run.state.step == 6:
            raise KeyboardInterrupt
        save(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, tmp_path / "parts", settings)
    assert load(tmp_path / "parts" / "best.safetensors")[1]["step"] == 6
    assert load(tmp_path / "parts" / "last.safetensors")[1]["step"] == 4
    train(dataset, tmp_path / "parts", settings, auto=True)
    same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.usefixtures("quick_end")
def test_an_ended_run_of_phases_grows(dataset: Path, tmp_path: Path) -> None:
    """By epochs of its last phase; or by steps, where a limit had ended it before that."""
    train(dataset, tmp_path / "run", phased(WORDS, {"tasks": ["topic.long"]}))
    facts = train(dataset, tmp_path / "run", {"epochs": 3}, resume=True)
    assert [item["steps"] for item in facts["extended"]] == [[6, 8]]
    assert [item["steps"] for item in facts["phases"]] == [2, 6]
    for stop in (2, 3, 5):
        facts = train(dataset, tmp_path / "short", phased(WORDS, LONG, max_steps=stop), auto=True)
        assert facts["steps"] == stop
    assert [item["steps"] for item in facts["phases"]] == [2, 3]
    assert steps_of_optimiser(tmp_path / "short" / "last.safetensors") == {3}


@pytest.mark.usefixtures("quick_end")
def test_a_run_of_phases_of_an_earlier_version_is_not_gone_on_with(dataset: Path, tmp_path: Path) -> None:
    """Its steps would be others; one without phases goes on, and what has ended is as it was."""
    run = tmp_path / "run"
    for settings in (phased(WORDS, LONG), QUICK):
        shutil.rmtree(run, ignore_errors=True)
        train(dataset, run, settings, stop_after=1)
        mark = json.loads((run / "run.json").read_text())
        assert mark["format"] == 4
        for key in ("tokens", "precision"):
            del mark["settings"][key]
        mark["settings"]["phase"] = [
            {key: item[key] for key in ("tasks", "epochs")} for item in mark["settings"]["phase"]
        ]
        (run / "run.json").write_text(json.dumps(mark | {"format": 3}))
        if settings == QUICK:
            assert train(dataset, run, resume=True, stop_after=2)["step"] == 2
            continue
        with pytest.raises(ValueError, match=r"has phases and was started by an earlier version .*\(format 3\)"):
            train(dataset, run, resume=True)
        assert RunFolder(run).settings().phase  # its model can be used
        (run / "report.json").write_text("{}")
        assert train(dataset, run, resume=True) == {}


def test_the_report_names_the_phases(dataset: Path, tmp_path: Path) -> None:
    """And so do what is printed, and what progress is told."""
    told: list[str] = []
    report = train(dataset, tmp_path / "run", phased(WORDS, {"epochs": 1}), progress=lambda *item: told.append(item[2]))
    assert any(note.startswith("phase 2 of 2, epoch 1 of 1") for note in told)
    assert [set(item) for item in report["run"]["phases"]] == [
        {"tasks", "first_step", "steps", "planned_steps", "pieces", "best_step"}
    ] * 2
    assert sum(item["pieces"] for item in report["run"]["phases"]) == report["run"]["pieces"]
    printed = " ".join(" ".join(lines(report)).split())
    words, everything = (item["pieces"] for item in report["run"]["phases"])
    assert f"phase 1: 2 steps from step 1, {words:,} sub-words, masking.word" in printed
    assert f"phase 2: 2 steps from step 3, {everything:,} sub-words, all tasks" in printed
    assert "in epoch 1 of phase 2, the best on the validation split" in printed


@pytest.mark.usefixtures("quick_end")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 64 bytes"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "numpy"],
)
def test_a_step_that_finds_no_memory_says_what_to_lower(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """With the values that there are; the last checkpoint is kept, and named."""
    run = tmp_path / "run"
    train(dataset, run, phased(WORDS, LONG), stop_after=3)
    before = (run / "last.safetensors").read_bytes()

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "collate", fail)
    message = (
        r"^out of memory on cpu in step 4, in phase 2 of 2; the checkpoint of step 3 is kept in .*last\.safetensors\. "
        r"Train in another folder: lower bucket \(now 4\) or model\.max_pieces \(now 384\), or raise accumulate "
        r"\(now 1; up to rows / bucket = 2\), or set checkpointing = true \(now false\)$"
    )
    with pytest.raises(ValueError, match=message):
        train(dataset, run, resume=True)
    assert (run / "last.safetensors").read_bytes() == before
    monkeypatch.setattr(loop, "collate", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):  # any other error is left as it is
        train(dataset, run, resume=True)
