"""Training end to end on the tiny dataset: it learns, it resumes byte for byte, and bad input gets a clear error."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gold_dataset import PLAIN_TASKS
from tiny_dataset import TASKS, write_dataset

from trainer.apply import predict
from trainer.checkpoint import load
from trainer.evaluate import evaluate
from trainer.loop import train
from trainer.run import Run
from trainer.score.metrics import score
from trainer.settings import Settings

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320},
    "rows": 16, "bucket": 8, "window": 4, "epochs": 2, "steps_per_epoch": 4, "log_every": 3,
    "phase": [{"tasks": ["masking.word"], "epochs": 1}, {}], "threads": 1, "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip
FEW = (TASKS[0], *PLAIN_TASKS)
PLAIN = {key: value for key, value in QUICK.items() if key != "phase"}
"""One phase."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with 48 train rows."""
    return write_dataset(tmp_path_factory.mktemp("loop") / "set", rows=48)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows with four of the tasks."""
    return write_dataset(tmp_path_factory.mktemp("few") / "set", rows=48, tasks=FEW)


def log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.no_cover
def test_a_small_model_learns_every_kind_of_task(tmp_path: Path) -> None:
    """The tiny dataset's tasks are easy: all are solved, but for masked words, which are better than their prior."""
    dataset = write_dataset(tmp_path / "set", rows=240)
    settings = Settings(
        model={"vocabulary": 400}, rows=32, bucket=8, epochs=3, threads=1, learning_rate=2e-3, device="cpu"
    )
    report = train(dataset, tmp_path / "run", settings)
    scores = {entry["name"]: entry["score"]["value"] for entry in report["tasks"]}
    words = scores.pop("masking.word")
    assert words < next(entry["prior"]["value"] for entry in report["tasks"] if entry["name"] == "masking.word") - 0.5
    assert min(scores.values()) > 0.8, scores
    assert report["not_trained"] == {"masking.segment": "there is no head for the kind generation yet"}
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    first, *_, last = (line["value"] for line in log(tmp_path / "run") if "value" in line)
    assert last > first
    assert report["run"]["steps"] == load(tmp_path / "run" / "last.safetensors")[1]["step"]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampler": "uniform"},
        {"sampler": "temperature"},
        {"sampler": "annealed", "phase": []},
        {"sampler": "dynamic"},
        {"batch": "primary+one", "primary": "disfluency.tags"},
        {"batch": "rows", "phase": []},
        {"task": {"connective": {"weight": 0.5}}, "schedule": "linear"},
    ],
    ids=str,
)
def test_a_stopped_and_resumed_run_equals_the_uninterrupted_one(
    few: Path, tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte: the last and the best checkpoint and the log."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    chosen = Settings(**(QUICK | settings))
    train(few, tmp_path / "whole", chosen)
    assert train(few, tmp_path / "parts", chosen, stop_after=2) == {"finished": False, "step": 2}
    assert train(few, tmp_path / "parts", chosen, stop_after=7, resume=True) == {"finished": False, "step": 7}
    assert train(few, tmp_path / "parts", chosen, resume=True) == {"finished": True}
    for name in ("last.safetensors", "best.safetensors", "metrics.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of the log behind the checkpoint are written anew."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    settings = Settings(**(QUICK | {"save_every": 2}))
    train(few, tmp_path / "whole", settings)

    def die(done: float, total: float, note: str) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(few, tmp_path / "run", settings, progress=die)
    assert load(tmp_path / "run" / "last.safetensors")[1]["step"] == 6
    train(few, tmp_path / "run", settings, resume=True)
    for name in ("last.safetensors", "metrics.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_a_run_that_ended_gives_its_report_again(few: Path, tmp_path: Path) -> None:
    """Without training or evaluating."""
    settings = Settings(**QUICK)
    report = train(few, tmp_path / "run", settings)
    before = (tmp_path / "run" / "last.safetensors").stat().st_mtime_ns
    assert train(few, tmp_path / "run", settings, resume=True) == report
    assert (tmp_path / "run" / "last.safetensors").stat().st_mtime_ns == before


def test_progress_is_told_of_every_step(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps done, all steps, the phase and its epoch, and a note of the last loss or validation."""
    told: list[tuple[float, float, str]] = []
    train(few, tmp_path / "run", Settings(**QUICK), progress=lambda *item: told.append(item))
    steps = [item for item in told if item[2].startswith("phase ")]
    assert [(done, total) for done, total, _ in steps] == [(i, 12) for i in range(1, 13)]
    places = ["phase 1 of 2, epoch 1 of 1", "phase 2 of 2, epoch 1 of 2", "phase 2 of 2, epoch 2 of 2"]
    assert [note.partition("  ")[0] for _, _, note in steps] == [place for place in places for _ in range(4)]
    assert "  loss " in steps[2][2]
    assert "  validation " in steps[-1][2]


def test_progress_is_told_what_is_evaluated(few: Path, tmp_path: Path) -> None:
    """In each validation and at the end, where the baselines are fitted, too: something is on the screen."""
    told: list[tuple[float, str]] = []
    train(few, tmp_path / "run", Settings(**QUICK), progress=lambda done, _, note: told.append((done, note)))
    for step in (4, 8, 12):
        assert (step, "evaluating topic.long on the validation split") in told
    assert (12, "evaluating topic.long on the test split") in told
    assert (12, "fitting the baselines of topic.long") in told


def test_epochs_count_from_one_in_the_log_and_the_report(few: Path, tmp_path: Path) -> None:
    """In each phase; so do phases, which are named where there are any."""
    report = train(few, tmp_path / "run", Settings(**QUICK))
    assert {line["step"]: (line["phase"], line["epoch"]) for line in log(tmp_path / "run")} == {
        3: (1, 1), 4: (1, 1), 6: (2, 1), 8: (2, 1), 9: (2, 2), 12: (2, 2),
    }  # fmt: skip
    assert report["run"]["best_epoch"] == report["run"]["best_step"] // 4 - 1
    train(few, tmp_path / "plain", Settings(**PLAIN), stop_after=4)
    assert not any("phase" in line for line in log(tmp_path / "plain"))


def test_words_come_first(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first epoch trains masked words alone."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {})
    train(dataset, tmp_path / "run", Settings(**QUICK))
    lines = [line for line in log(tmp_path / "run") if "train_loss" in line]
    assert list(lines[0]["train_loss"]) == ["masking.word"]
    assert len(lines[-1]["train_loss"]) > 3


def test_max_steps_ends_a_run(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is evaluated there, although no epoch ends."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {})
    train(few, tmp_path / "run", Settings(**(QUICK | {"max_steps": 5})))
    assert log(tmp_path / "run")[-1]["step"] == 5
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_the_best_checkpoint_is_chosen_by_the_primary(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metric, turned so that higher is better."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {})
    for primary, sign in (("masking.word", -1), ("topic.long", 1)):
        out = tmp_path / primary
        train(few, out, Settings(**(PLAIN | {"primary": primary})))
        lines = [line for line in log(out) if "value" in line]
        assert [line["value"] for line in lines] == [sign * line["validation"][primary] for line in lines]
        best = max(lines, key=lambda line: (line["value"], -line["step"]))
        assert load(out / "best.safetensors")[1]["best"] == {"step": best["step"], "value": best["value"], "waited": 0}


@pytest.mark.parametrize("few", [1, 40, 10**6])
def test_without_a_primary_the_best_checkpoint_has_the_highest_mean_metric(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Nats per word count as the share that they save of a unigram model's; few labels only where all have few."""

    def finish(run: Run, *_: Any) -> dict[str, Any]:
        found = evaluate(run.model, run.data, run.validation, rows=run.settings.evaluate_rows)
        return {"unigram": run.uninformed, "labels": {item.task.name: len(item.gold) for item in found}}

    monkeypatch.setattr("trainer.loop.finish", finish)
    monkeypatch.setattr("trainer.validate.FEW", few)
    facts = train(dataset, tmp_path / "run", Settings(**PLAIN))
    sure = {name for name, count in facts["labels"].items() if count >= few}
    assert {1: sure == set(facts["labels"]), 40: 0 < len(sure) < len(facts["labels"]), 10**6: not sure}[few]
    lines = [line for line in log(tmp_path / "run") if "value" in line]
    for line in lines:
        metrics = line["validation"] | {
            "masking.word": 1 - line["validation"]["masking.word"] / facts["unigram"]["masking.word"]
        }
        assert line["value"] == pytest.approx(np.mean([metrics[name] for name in sure or metrics]))
    best = max(lines, key=lambda line: (line["value"], -line["step"]))
    assert load(tmp_path / "run" / "best.safetensors")[1]["best"] == {
        "step": best["step"],
        "value": best["value"],
        "waited": 0,
    }


def test_a_run_is_not_overwritten(few: Path, tmp_path: Path) -> None:
    """Without resume an error that names the option."""
    train(few, tmp_path / "run", Settings(**QUICK), stop_after=1)
    with pytest.raises(ValueError, match="already contains a run; add --resume"):
        train(few, tmp_path / "run", Settings(**QUICK))


def test_other_settings_do_not_resume_a_run(few: Path, tmp_path: Path) -> None:
    """The error names what differs, with both values."""
    train(few, tmp_path / "run", Settings(**QUICK), stop_after=1)
    with pytest.raises(
        ValueError, match=r"has rows = 16, not 24 and seed = 0, not 5; use the settings that it was started with"
    ):
        train(few, tmp_path / "run", Settings(**(QUICK | {"rows": 24, "seed": 5})), resume=True)


@pytest.mark.parametrize(
    "wrong",
    [{"primary": "nothing"}, {"task": {"nothing": {"weight": 2.0}}}, {"batch": "primary+one"}, {"device": "cuda"}],
    ids=str,
)
def test_a_setting_that_is_refused_leaves_no_folder(
    dataset: Path, tmp_path: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command with the mistake mended begins the run."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match=r"is not a trained task|needs a primary|device = 'cuda', but torch"):
        train(dataset, tmp_path / "run", Settings(**(QUICK | wrong)))
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_begin_leaves_its_folder_free(tmp_path: Path) -> None:
    """What only the encoded rows show: the primary has no train label."""
    (long,) = (task for task in TASKS if task.name == "topic.long")
    never = dataclasses.replace(long, name="topic.never", kind="span_pair", spans=("topic.none", "topic.none"))
    dataset = write_dataset(tmp_path / "set", rows=24, tasks=(long, never))
    with pytest.raises(ValueError, match=r"primary = 'topic\.never' is not a trained task"):
        train(dataset, tmp_path / "run", Settings(**(PLAIN | {"primary": "topic.never"})))
    assert list((tmp_path / "run").iterdir()) == []
    assert train(dataset, tmp_path / "run", Settings(**PLAIN), stop_after=1) == {"finished": False, "step": 1}


def test_overwrite_begins_anew_where_the_run_is_another(dataset: Path, tmp_path: Path) -> None:
    """On another dataset or with other settings; of the same run nothing is lost; only the run is removed."""
    run, settings = tmp_path / "run", Settings(**QUICK)
    train(dataset, run, settings, stop_after=3)
    (run / "notes.txt").write_text("mine")
    assert train(dataset, run, settings, stop_after=1, auto=True, overwrite=True)["step"] == 3
    other = write_dataset(tmp_path / "other", rows=48, seed=1)
    assert train(other, run, settings, stop_after=2, auto=True, overwrite=True)["step"] == 2
    changed = Settings(**(QUICK | {"seed": 5}))
    assert train(other, run, changed, stop_after=1, auto=True, overwrite=True)["step"] == 1
    train(other, tmp_path / "fresh", changed, stop_after=1)
    for name in ("last.safetensors", "run.json", "learnt/vocabulary.json"):
        assert (run / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    assert (run / "notes.txt").read_text() == "mine"


def test_a_checkpoint_of_another_dataset_is_an_error(dataset: Path, tmp_path: Path) -> None:
    """Rows would mean something else."""
    train(dataset, tmp_path / "run", Settings(**QUICK), stop_after=1)
    other = write_dataset(tmp_path / "other", rows=48, seed=1)
    with pytest.raises(ValueError, match="was trained on another dataset than"):
        train(other, tmp_path / "run", Settings(**QUICK), resume=True)


def test_a_folder_that_holds_something_else_is_not_touched(dataset: Path, tmp_path: Path) -> None:
    """Nor is a file."""
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(ValueError, match="contains files that are not a run"):
        train(dataset, tmp_path, Settings(**QUICK))
    with pytest.raises(ValueError, match="is a file"):
        train(dataset, tmp_path / "letter.txt", Settings(**QUICK))
    assert [item.name for item in tmp_path.iterdir()] == ["letter.txt"]


def test_a_dataset_whose_tasks_cannot_be_trained_is_an_error(tmp_path: Path) -> None:
    """The reasons stand in it."""
    (generation,) = (task for task in TASKS if task.kind == "generation")
    dataset = write_dataset(tmp_path / "set", rows=8, tasks=(generation,))
    with pytest.raises(ValueError, match=r"no task of .* can be trained \(masking.segment: there is no head"):
        train(dataset, tmp_path / "run", Settings(**QUICK))


def test_a_task_without_train_labels_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are trained."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: run.untrained)
    (long,) = (task for task in TASKS if task.name == "topic.long")
    # no row has an empty span, so no row has this label
    never = dataclasses.replace(long, name="topic.never", kind="span_pair", spans=("topic.none", "topic.none"))
    dataset = write_dataset(tmp_path / "set", rows=24, tasks=(long, never))
    assert train(dataset, tmp_path / "run", Settings(**PLAIN)) == {"topic.never": "no train row has a label"}


def test_a_dataset_without_held_out_rows_is_trained(tmp_path: Path) -> None:
    """There is no best checkpoint then, and no score."""
    dataset = write_dataset(tmp_path / "set", rows=24)
    for name in ("validation", "test"):
        for shard in (dataset / name).iterdir():
            shard.unlink()
    report = train(dataset, tmp_path / "run", Settings(**(QUICK | {"epochs": 1})))
    assert {entry["score"] for entry in report["tasks"]} == {None}
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_a_model_is_applied_to_another_dataset_as_it_is(few: Path, tmp_path: Path) -> None:
    """On its own dataset it says what the report says; elsewhere the rows are new, the vocabulary is the old one."""
    report = train(few, tmp_path / "run", Settings(**QUICK))
    own = {item.task.name: item for item in predict(tmp_path / "run", few)}
    scores = {entry["name"]: entry["score"]["value"] for entry in report["tasks"]}
    assert scores == {name: score(item, replicates=1).value for name, item in own.items()}
    other = write_dataset(tmp_path / "other", rows=24, seed=7, tasks=FEW)
    found = predict(tmp_path / "run", other, split="train")
    assert {len(item.documents) > 0 for item in found} == {True}


def test_a_model_is_not_applied_to_other_tasks_or_classes(dataset: Path, tmp_path: Path) -> None:
    """The errors name them."""
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        predict(tmp_path / "nothing", dataset)
    train(dataset, tmp_path / "run", Settings(**QUICK), stop_after=1)
    (long,) = (task for task in TASKS if task.name == "topic.long")
    renamed = write_dataset(tmp_path / "renamed", rows=8, tasks=(dataclasses.replace(long, name="topic.size"),))
    with pytest.raises(ValueError, match="has no head for a task of"):
        predict(tmp_path / "run", renamed)
    turned = write_dataset(tmp_path / "turned", rows=8, tasks=(dataclasses.replace(long, classes=("long", "short")),))
    with pytest.raises(ValueError, match=r"the classes of task topic.long in .* differ"):
        predict(tmp_path / "run", turned)
    with pytest.raises(ValueError, match="no rows in the split 'tests'; it has train, validation, test"):
        predict(tmp_path / "run", dataset, split="tests")
