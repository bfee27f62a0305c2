"""Resuming a run: whose settings hold, what may grow, what a break leaves behind, and patience."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gold_dataset import PLAIN_TASKS
from tiny_dataset import write_dataset

from trainer import loop
from trainer.checkpoint import load
from trainer.data.dataset import Dataset
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.mark import Mark
from trainer.run import Run
from trainer.run_report import facts
from trainer.schedule.choices import decided
from trainer.schedule.optimiser import learning_rate
from trainer.schedule.samplers import Annealed
from trainer.schedule.step_plan import StepPlan
from trainer.settings import Settings

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320},
    "rows": 8, "bucket": 8, "window": 4, "epochs": 2, "steps_per_epoch": 3, "log_every": 2,
    "threads": 1, "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip
FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with three tasks and 24 train rows."""
    return write_dataset(tmp_path_factory.mktemp("resume") / "set", rows=24, tasks=PLAIN_TASKS)


@pytest.fixture(scope="module")
def begun(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which one step was taken, for tests in which nothing more happens to it."""
    run = tmp_path_factory.mktemp("begun") / "run"
    train(dataset, run, QUICK, stop_after=1)
    return run


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


def same(one: Path, other: Path) -> None:
    """Check that two runs have left the same bytes."""
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_resumed_run_takes_its_settings_from_its_folder(dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """None need be given; those that are given as they were change nothing, buckets of other rows included."""
    settings = QUICK | {"task": {"topic.long": {"weight": 2.0}}}
    train(dataset, tmp_path / "whole", settings)
    train(dataset, tmp_path / "parts", settings, stop_after=2)
    train(dataset, tmp_path / "parts", resume=True, stop_after=4)
    train(dataset, tmp_path / "parts", {"rows": 8, "task": {"topic": {"long": {"weight": 2}}}}, resume=True)
    same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"rows": 16},
            r"has rows = 8, not 16; use the settings that it was started with \(epochs, max_steps and tokens may",
        ),
        ({"epochs": 1}, "has epochs = 2, not 1"),
        ({"max_steps": 4}, "has max_steps = 0, not 4"),
        ({"epochs": "many"}, r"\[train\] epochs = 'many': input should be a valid integer"),
        ({"task": {"topic": {"long": {"weight": 3}}}}, r'has task."topic.long".weight = 1.0, not 3.0'),
        ({"model": {"encoder": "small"}}, "has model.encoder = 'tiny', not 'small'"),
        ({"row": 8}, r"\[train\] has no key 'row' \(did you mean 'rows'\?\)"),
        ({"train": {"rows": 16}}, "has rows = 8, not 16"),
        ({"model": "small"}, r"\[model\] is 'small'; write a table"),
        ({"phase": {"epochs": 2}}, r"write a table in a recipe, \[\[phase\]\], for each phase"),
        ({"task": {"topic.long": 2}}, r'\[task."topic.long"\] is 2; write a table'),
    ],
)
def test_settings_that_do_not_agree_are_named(dataset: Path, begun: Path, given: dict[str, Any], message: str) -> None:
    """With both values; nothing is changed."""
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=message):
        train(dataset, begun, given, resume=True)
    assert {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()} == before


def test_a_default_that_is_given_changes_nothing(dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """The run has no table of that task."""
    train(dataset, tmp_path / "run", QUICK, stop_after=1)
    before = (tmp_path / "run" / "run.json").read_bytes()
    train(dataset, tmp_path / "run", {"task": {"topic.long": {"weight": 1.0}}}, resume=True, stop_after=2)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


_WORDS: dict[str, Any] = {"tasks": ["masking.word"]}


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([_WORDS, {}], "cannot be extended to epochs = 4, which would lengthen a .*phase.* before the last one"),
        (
            [_WORDS, {"epochs": 1}],
            "cannot be extended to epochs = 4, which would lengthen a .*phase.* before the last one",
        ),
        ([_WORDS | {"epochs": 1}, {"epochs": 1}], "would lengthen no .*phase.*, because the last one has its own"),
    ],
)
def test_epochs_grow_in_the_last_phase_alone(
    dataset: Path, tmp_path: Path, phases: list[dict[str, Any]], message: str
) -> None:
    """More of an earlier one would be other steps than those that were taken."""
    train(dataset, tmp_path / "run", QUICK | {"phase": phases}, stop_after=1)
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        train(dataset, tmp_path / "run", {"epochs": 4}, resume=True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_a_last_phase_without_epochs_grows(dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """The phases before it stay what they were."""
    train(dataset, tmp_path / "run", QUICK | {"phase": [_WORDS | {"epochs": 1}, {}]})
    facts = train(dataset, tmp_path / "run", {"epochs": 3}, resume=True)
    assert [item["steps"] for item in facts["extended"]] == [[9, 12]]


def test_a_limit_of_steps_that_grows_leaves_the_shares_of_a_phase(
    dataset: Path, tmp_path: Path, quick_end: None
) -> None:
    """The phase has its own number of epochs, by which annealed sampling draws."""
    settings = QUICK | {"phase": [{"epochs": 4}], "sampler": "annealed"}
    train(dataset, tmp_path / "run", settings | {"max_steps": 5})
    folder = RunFolder(tmp_path / "run")
    chosen, mark = folder.find(Dataset.open(dataset), {"max_steps": 8}, resume=True)
    extended = Run(Dataset.open(dataset), folder, chosen, mark).streams.plan
    train(dataset, tmp_path / "whole", settings, stop_after=1)
    other = RunFolder(tmp_path / "whole")
    whole = Run(Dataset.open(dataset), other, other.settings(), Mark.read(other.mark)).streams.plan
    assert (extended.epoch(1).rows == whole.epoch(1).rows).all()
    assert (extended.shares(1) == whole.shares(1)).all()


def test_where_there_is_no_run_there_is_nothing_to_resume(dataset: Path, tmp_path: Path) -> None:
    """One line, and no folder is made; `auto` begins one."""
    with pytest.raises(FileNotFoundError, match=r"^there is no run to resume in .*run; leave out --resume"):
        train(dataset, tmp_path / "run", QUICK, resume=True)
    assert not (tmp_path / "run").exists()
    assert train(dataset, tmp_path / "run", QUICK, auto=True, stop_after=1)["step"] == 1
    assert train(dataset, tmp_path / "run", QUICK, auto=True, stop_after=2)["step"] == 2


def test_auto_compares_all_settings(dataset: Path, begun: Path) -> None:
    """What is not given is the default, which is another setting than the run's."""
    with pytest.raises(ValueError, match="has rows = 8, not 16 and bucket = 8, not 16"):
        train(dataset, begun, {key: value for key, value in QUICK.items() if key != "bucket"} | {"rows": 16},
              auto=True)  # fmt: skip


@pytest.mark.usefixtures("quick_end")
@pytest.mark.parametrize(
    ("first", "more", "steps"),
    [
        ({"max_steps": 4}, {"max_steps": 9}, (4, 6)),
        ({"max_steps": 4}, {"max_steps": 0, "epochs": 3}, (4, 9)),
        ({"sampler": "annealed"}, {"epochs": 4}, (6, 12)),
    ],
)
def test_a_run_that_grows_goes_on_with_the_longer_schedule(
    dataset: Path, tmp_path: Path, first: dict[str, Any], more: dict[str, Any], steps: tuple[int, int]
) -> None:
    """From where it stopped or ended; stopped and resumed after that, it gives the same bytes."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for run in (whole, parts):
        train(dataset, run, QUICK | first)
    facts = train(dataset, whole, more, resume=True)
    assert train(dataset, parts, more, resume=True, stop_after=steps[0]) == {"finished": False, "step": steps[0]}
    train(dataset, parts, resume=True, stop_after=steps[0] + 1)
    train(dataset, parts, more, resume=True)
    same(whole, parts)
    (extension,) = facts["extended"]
    assert (extension["step"], extension["steps"]) == (steps[0], list(steps))
    assert (facts["steps"], facts["planned_steps"]) == (steps[1], steps[1])
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["learning_rate"] for line in lines if "learning_rate" in line}
    longer = RunFolder(whole).settings()
    assert {step: rate for step, rate in rates.items() if step > steps[0]} == {
        step: learning_rate(longer, step - 1, steps[1]) for step in rates if step > steps[0]
    }


def _killed(*_: object) -> None:
    """Stand in for a step that is never taken."""
    raise KeyboardInterrupt


def test_a_run_that_is_extended_before_its_first_step_is_one_of_that_length(
    dataset: Path, tmp_path: Path, quick_end: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before a checkpoint, it has learnt nothing yet."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", _killed)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, tmp_path / "parts", QUICK)
    assert train(dataset, tmp_path / "parts", {"epochs": 3}, resume=True)["extended"] == []
    train(dataset, tmp_path / "whole", QUICK | {"epochs": 3})
    same(tmp_path / "whole", tmp_path / "parts")


def test_epochs_before_an_extension_keep_their_shares() -> None:
    """Annealed sampling knows the number of epochs: the rows that were drawn stay what they were."""
    lengths = [np.ones(10), np.ones(90)]
    plans = [
        StepPlan(
            seed=0,
            lengths=lengths,
            sampler=Annealed(),
            epochs=epochs,
            rows=10,
            bucket=5,
            window=2,
            earlier=earlier,
        )
        for epochs, earlier in ((3, ()), (5, ((15, 3),)), (5, ()))
    ]
    assert plans[0].length == 10
    old, extended, new = ([plan.shares(epoch)[0] for epoch in range(3)] for plan in plans)
    assert extended[:2] == old[:2] != new[:2]  # the second epoch had begun at step 10
    assert extended[2] == new[2]
    assert (plans[0].epoch(1).rows == plans[1].epoch(1).rows).all()


@pytest.mark.usefixtures("quick_end")
def test_the_best_checkpoint_of_steps_that_were_lost_does_not_outlive_an_extension(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was killed behind its best evaluation; with another schedule these steps are others."""
    values = iter([0.2, 0.9, 0.1, 0.1, 0.1])
    monkeypatch.setattr("trainer.validate.value_of", lambda *_: next(values))
    save = Run.save

    def once(run: Run) -> None:
        if run.folder.last.exists():
            raise KeyboardInterrupt
        save(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", once)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, tmp_path / "run", QUICK)
    assert load(tmp_path / "run" / "best.safetensors")[1]["best"]["step"] == 6
    facts = train(dataset, tmp_path / "run", {"epochs": 4}, resume=True)
    assert (facts["extended"][0]["step"], facts["best_step"]) == (3, 6)
    best = load(tmp_path / "run" / "best.safetensors")[1]
    assert best["best"] == {"step": 6, "value": 0.1, "waited": 0}


def test_an_ended_run_that_grows_gets_a_new_report(dataset: Path, tmp_path: Path) -> None:
    """The old report is that of the shorter run."""
    short = train(dataset, tmp_path / "run", QUICK | {"epochs": 1})
    assert train(dataset, tmp_path / "run", resume=True) == short
    grown = train(dataset, tmp_path / "run", {"epochs": 2}, resume=True)
    assert (short["run"]["steps"], grown["run"]["steps"]) == (3, 6)
    assert grown["settings"]["epochs"] == 2
    assert train(dataset, tmp_path / "run", resume=True) == grown


@pytest.mark.parametrize("torn", ['{"step": 5, "epo', "\0\0\0", '{"epoch": 1}', '"step"'])
def test_a_torn_line_of_the_log_does_not_stop_a_resume(
    dataset: Path, tmp_path: Path, quick_end: None, torn: str
) -> None:
    """It is dropped; what the checkpoint knows of stays."""
    train(dataset, tmp_path / "whole", QUICK)
    train(dataset, tmp_path / "parts", QUICK, stop_after=4)
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write(torn)
    train(dataset, tmp_path / "parts", resume=True)
    same(tmp_path / "whole", tmp_path / "parts")


def test_a_run_without_a_key_that_came_later_resumes(dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """What is not in its mark had its default; a key that is no more is not asked for."""
    train(dataset, tmp_path / "whole", QUICK)
    train(dataset, tmp_path / "parts", QUICK, stop_after=2)
    mark = json.loads((tmp_path / "parts" / "run.json").read_text())
    del mark["settings"]["patience"]
    mark["settings"]["gone"] = 7
    mark["settings"]["model"]["lost"] = 7
    del mark["settings"]["model"]["bag"]
    (tmp_path / "parts" / "run.json").write_text(json.dumps(mark))
    with pytest.raises(ValueError, match="has patience = 0, not 3"):
        train(dataset, tmp_path / "parts", {"patience": 3}, resume=True)
    train(dataset, tmp_path / "parts", QUICK, auto=True)
    assert load(tmp_path / "whole" / "last.safetensors")[1] == load(tmp_path / "parts" / "last.safetensors")[1]


@pytest.mark.parametrize(("found", "age"), [(None, "an earlier format (1;"), (99, "a later format (99;")])
def test_a_run_of_another_format_is_refused(dataset: Path, tmp_path: Path, found: int | None, age: str) -> None:
    """In one line that says so; `overwrite` begins anew."""
    train(dataset, tmp_path / "run", QUICK, stop_after=1)
    path = RunFolder(tmp_path / "run").mark
    mark = json.loads(path.read_text())
    mark.pop("format")
    path.write_text(json.dumps(mark | ({"format": found} if found else {})))
    for how in ({"resume": True}, {"auto": True}):
        with pytest.raises(ValueError, match="format") as error:
            train(dataset, tmp_path / "run", QUICK, **how)
        assert age in str(error.value)
        assert "\n" not in str(error.value)
    assert train(dataset, tmp_path / "run", QUICK, auto=True, overwrite=True, stop_after=1)["step"] == 1
    path.write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        train(dataset, tmp_path / "run", resume=True)


PATIENT = QUICK | {"patience": 2, "epochs": 9, "steps_per_epoch": 2}


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second evaluation is the best one, however the model does."""
    values = iter([0.1, 0.5, *[0.3] * 9] * 9)
    by_scores: dict[str, float] = {}
    monkeypatch.setattr(
        "trainer.validate.value_of", lambda _tasks, scores, *_: by_scores.setdefault(json.dumps(scores), next(values))
    )


def test_patience_ends_a_run(dataset: Path, tmp_path: Path, worse: None) -> None:
    """After two evaluations without a better one; the report says so, and a resumed run has ended."""
    report = train(dataset, tmp_path / "run", PATIENT)
    facts = report["run"]
    assert (facts["steps"], facts["planned_steps"], facts["stopped_early"], facts["best_step"]) == (8, 18, True, 4)
    assert train(dataset, tmp_path / "run", resume=True) == report
    (tmp_path / "run" / "report.json").unlink()
    again = train(dataset, tmp_path / "run", resume=True)
    assert again["run"]["steps"] == 8
    assert [entry["score"] for entry in again["tasks"]] == [entry["score"] for entry in report["tasks"]]


def test_patience_resumes_byte_for_byte(dataset: Path, tmp_path: Path, quick_end: None, worse: None) -> None:
    """How long it has waited stands in the checkpoint."""
    train(dataset, tmp_path / "whole", PATIENT)
    for step in (3, 5, 6, 7):
        assert train(dataset, tmp_path / "parts", PATIENT, auto=True, stop_after=step) == {
            "finished": False, "step": step,
        }  # fmt: skip
    assert train(dataset, tmp_path / "parts", resume=True)["steps"] == 8
    same(tmp_path / "whole", tmp_path / "parts")


def test_a_run_that_stopped_early_may_be_extended(dataset: Path, tmp_path: Path, quick_end: None, worse: None) -> None:
    """It waits anew."""
    train(dataset, tmp_path / "run", PATIENT)
    facts = train(dataset, tmp_path / "run", {"epochs": 20}, resume=True)
    assert (facts["steps"], facts["extended"][0]["step"]) == (12, 8)


def test_without_patience_no_run_stops_early(dataset: Path, tmp_path: Path, quick_end: None, worse: None) -> None:
    """0 is off, and so it is where there is no primary."""
    assert decided(Settings(), Dataset.open(dataset)).patience == 0
    assert train(dataset, tmp_path / "run", PATIENT | {"patience": 0})["stopped_early"] is False


def test_a_run_does_not_lie_in_its_dataset(dataset: Path, tmp_path: Path) -> None:
    """Nor by way of a link; the dataset is as it was."""
    (tmp_path / "link").symlink_to(dataset, target_is_directory=True)
    before = sorted(path.name for path in dataset.rglob("*"))
    for out in (dataset / "run", dataset, tmp_path / "link" / "a" / "b", dataset / "train" / ".." / "run"):
        with pytest.raises(ValueError, match=r"lies in the folder of the dataset .*; give a folder outside of it"):
            train(dataset, out, QUICK)
    with pytest.raises(ValueError, match="lies in the folder of the dataset"):
        train(tmp_path / "link", dataset / "run", QUICK)
    assert sorted(path.name for path in dataset.rglob("*")) == before
