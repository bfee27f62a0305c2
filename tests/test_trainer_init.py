"""Runs that begin with another one, steps in several passes, layers computed anew, and losses that are no numbers."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from gold_dataset import PLAIN_TASKS
from tiny_dataset import TASKS, write_dataset

from trainer.checkpoint import load
from trainer.loop import train
from trainer.model.model import Model
from trainer.run_report import facts

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 4, "epochs": 2, "steps_per_epoch": 2,
    "log_every": 1, "threads": 1, "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip
FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json")
LONG, CRAFT = (task for task in TASKS if task.labeler == "topic")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with three tasks and 24 train rows."""
    return write_dataset(tmp_path_factory.mktemp("init") / "set", rows=24, tasks=PLAIN_TASKS)


@pytest.fixture(scope="module")
def earlier(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps."""
    run = tmp_path_factory.mktemp("earlier") / "run"
    train(dataset, run, QUICK, stop_after=3)
    return run


@pytest.fixture(autouse=True)
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


def test_a_run_begins_with_the_encoder_and_the_heads_that_fit(tmp_path: Path, earlier: Path) -> None:
    """Other heads are new, which is told once and stands in the report; rows of another dataset are read."""
    other = write_dataset(
        tmp_path / "set", rows=12, seed=3, tasks=(LONG, dataclasses.replace(CRAFT, name="topic.other"))
    )
    said: list[str] = []
    settings = {**QUICK, "model": {"init": str(earlier)}, "learning_rate": 1e-9, "weight_decay": 0.0}
    train(other, tmp_path / "run", settings, stop_after=1, say=said.append)
    assert said == [f"new heads, which {earlier} does not have: topic.other"]
    facts = train(other, tmp_path / "run", resume=True, say=said.append)
    assert len(said) == 1
    assert facts["init"] == {"run": str(earlier), "heads": ["topic.long"], "new_heads": ["topic.other"]}
    weights = load(tmp_path / "run" / "last.safetensors")[0]
    known = load(earlier / "best.safetensors")[0]
    torch.testing.assert_close(weights["encoder.embedding.weight"], known["encoder.embedding.weight"])
    number = [task.name for task in PLAIN_TASKS].index("topic.long")
    torch.testing.assert_close(
        weights["heads.0-topic_long.score.1.weight"], known[f"heads.{number}-topic_long.score.1.weight"]
    )
    assert (tmp_path / "run" / "learnt" / "vocabulary.json").read_bytes() == (
        earlier / "learnt" / "vocabulary.json"
    ).read_bytes()


@pytest.mark.parametrize(("given", "theirs"), [({}, 1), ({"long": "short"}, 0)])
def test_a_head_begins_with_that_of_another_task(
    tmp_path: Path, earlier: Path, given: dict[str, str], theirs: int
) -> None:
    """Class by class: by their names, or as the table says; a class without another one is new."""
    known = load(earlier / "best.safetensors")[0]
    head = f"heads.{[task.name for task in PLAIN_TASKS].index('topic.long')}-topic_long."
    renamed = dataclasses.replace(LONG, name="topic.other", classes=("new", "long"))
    other = write_dataset(tmp_path / "set", rows=12, seed=3, tasks=(renamed,))
    table = {"topic.other": {"init": "topic.long", "init_classes": given}}
    still = {"learning_rate": 1e-9, "weight_decay": 0.0, "model": {"init": str(earlier)}, "task": table}
    said: list[str] = []
    train(other, tmp_path / "run", {**QUICK, **still}, stop_after=1, say=said.append)
    assert said == [f"heads that begin with those of other tasks of {earlier}: topic.other (that of topic.long)"]
    facts = train(other, tmp_path / "run", resume=True)
    assert facts["init"] == {
        "run": str(earlier), "heads": [], "new_heads": [], "heads_of_other_tasks": {"topic.other": "topic.long"}
    }  # fmt: skip
    weights = load(tmp_path / "run" / "last.safetensors")[0]
    own = {name.split(".", 2)[2]: value for name, value in weights.items() if name.startswith("heads.0-")}
    assert {"score.4.weight", "score.4.bias", "bags.0.weight"} <= own.keys()
    for name, value in own.items():
        before = known[head + name]
        axis = {"score.4.weight": 0, "score.4.bias": 0, "bags.0.weight": 1}.get(name)
        if axis is None:
            torch.testing.assert_close(value, before)
        else:
            torch.testing.assert_close(value.select(axis, 1), before.select(axis, theirs))
    assert not torch.allclose(own["score.4.weight"][0], known[head + "score.4.weight"][0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"init": "topic.lon"}, r"init = 'topic.lon': .* has no such task \(did you mean 'topic.long'\?\); it has"),
        ({"init": "disfluency.tags"}, r"that task is of kind 'token', and topic.other of kind 'passage'"),
        (
            {"init": "topic.long", "init_classes": {"x": "y"}},
            r"init_classes names 'x', which is no class of topic.other",
        ),
        (
            {"init": "topic.long", "init_classes": {"a": "y"}},
            r"init_classes names 'y', which is no class of topic.long",
        ),
        ({"init_classes": {"a": "long"}}, r"init_classes = .* are classes of the task in init, which is not given"),
        ({"init": "topic.long"}, r"have different names; say which begins with which: init_classes = \{ CLASS ="),
    ],
)
def test_a_head_that_cannot_begin_with_another_is_told(
    tmp_path: Path, earlier: Path, table: dict[str, Any], message: str
) -> None:
    """What was asked for, what the run has, what to write; nothing is left of the run."""
    renamed = dataclasses.replace(LONG, name="topic.other", classes=("a", "b"))
    other = write_dataset(tmp_path / "set", rows=12, seed=3, tasks=(renamed,))
    settings = {**QUICK, "model": {"init": str(earlier)}, "task": {"topic.other": table}}
    with pytest.raises(ValueError, match=message):
        train(other, tmp_path / "run", settings)
    if "init" in table:
        with pytest.raises(
            ValueError, match=r"init = .* names a task of the run in \[model\] init, which is not given"
        ):
            train(other, tmp_path / "run", {**QUICK, "task": {"topic.other": table}})
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_run_that_begins_with_another_resumes_without_it(dataset: Path, tmp_path: Path, earlier: Path) -> None:
    """Byte for byte."""
    first = shutil.copytree(earlier, tmp_path / "first")
    settings = {**QUICK, "model": {"init": str(first)}}
    train(dataset, tmp_path / "whole", settings)
    train(dataset, tmp_path / "parts", settings, stop_after=3)
    shutil.rmtree(first)
    train(dataset, tmp_path / "parts", resume=True)
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"vocabulary": 400}, r"has vocabulary = 320, not 400; remove vocabulary"),
        ({"encoder": "small"}, r"has encoder = 'tiny', not 'small'"),
        ({"features": False}, r"has features = True, not False"),
        ({"init": "nothing"}, r"init = 'nothing' is not a run of auxloom \(it has no run.json\)"),
    ],
)
def test_a_run_that_does_not_fit_is_told(
    dataset: Path, tmp_path: Path, earlier: Path, model: dict[str, Any], message: str
) -> None:
    """Before anything is written."""
    with pytest.raises(ValueError, match=message):
        train(dataset, tmp_path / "run", {**QUICK, "model": {"init": str(earlier), **model}})
    assert not (tmp_path / "run").exists()


def test_a_run_without_weights_or_with_others_is_told(dataset: Path, tmp_path: Path, earlier: Path) -> None:
    """Its checkpoint is missing, or it is that of another encoder than its folder says."""
    bare = shutil.copytree(earlier, tmp_path / "bare")
    for name in ("best.safetensors", "last.safetensors"):
        (bare / name).unlink()
    with pytest.raises(ValueError, match="has no checkpoint yet; continue it first"):
        train(dataset, tmp_path / "run", {**QUICK, "model": {"init": str(bare)}})
    train(dataset, tmp_path / "other", {**QUICK, "model": {"vocabulary": 330}}, stop_after=1)
    shutil.copy(tmp_path / "other" / "last.safetensors", bare / "last.safetensors")
    with pytest.raises(ValueError, match=r"the encoder of .* is different \(in embedding.weight\)"):
        train(dataset, tmp_path / "run", {**QUICK, "model": {"init": str(bare)}})
    assert not list(tmp_path.glob("run/*"))


@pytest.mark.parametrize("more", [{"accumulate": 2}, {"checkpointing": True}, {"accumulate": 2, "checkpointing": True}])
def test_steps_that_take_less_memory_are_the_same_steps(dataset: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    """Up to the rounding of sums."""
    plain = {**QUICK, "model": {"vocabulary": 320, "head_dropout": 0.0}}
    train(dataset, tmp_path / "plain", plain, stop_after=2)
    train(dataset, tmp_path / "other", {**plain, **more}, stop_after=2)
    one, other = (load(tmp_path / name / "last.safetensors")[0] for name in ("plain", "other"))
    assert one.keys() == other.keys()
    for name, value in one.items():
        if not name.startswith("optimizer/"):
            torch.testing.assert_close(other[name], value, atol=2e-4, rtol=1e-3, msg=name)
    logs = [(tmp_path / run / "metrics.jsonl").read_text().splitlines() for run in ("plain", "other")]
    lines = [[json.loads(line) for line in log] for log in logs]
    for first, second in zip(*lines, strict=True):
        for key, loss in first.get("train_loss", {}).items():
            assert second["train_loss"][key] == pytest.approx(loss, rel=1e-4)


def test_such_runs_resume_exactly(dataset: Path, tmp_path: Path) -> None:
    """With dropout too."""
    settings = {**QUICK, "accumulate": 2, "checkpointing": True, "model": {"vocabulary": 320, "dropout": 0.1}}
    train(dataset, tmp_path / "whole", settings)
    train(dataset, tmp_path / "parts", settings, stop_after=3)
    train(dataset, tmp_path / "parts", resume=True)
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


@pytest.mark.parametrize("steps", [1, 3])
def test_a_loss_that_is_no_number_ends_the_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """The step, the phase, the tasks and the rows are named, and the last checkpoint is as it was."""
    settings = {**QUICK, "save_every": 1, "phase": [{"tasks": ["topic.long"], "epochs": 1}, {"epochs": 1}]}
    if steps > 1:
        train(dataset, tmp_path / "run", settings, stop_after=steps - 1)
    last = tmp_path / "run" / "last.safetensors"
    before = last.read_bytes() if last.exists() else b""
    losses = Model.losses

    def wrong(self: Model, *given: Any) -> dict[str, torch.Tensor]:
        found = losses(self, *given)
        first = next(iter(found))
        return found | {first: found[first] * float("nan")}

    monkeypatch.setattr(Model, "losses", wrong)
    kept = r"the checkpoint of step 2 is kept in .*last\.safetensors" if steps > 1 else "none was kept yet"
    what = rf"the loss of \S+ is not a finite number in step {steps}, in phase {1 if steps == 1 else 2} of 2, with the"
    with pytest.raises(ValueError, match=rf"{what} train rows d\d/\d.*; {kept}"):
        train(dataset, tmp_path / "run", settings, resume=steps > 1)
    assert (last.read_bytes() if last.exists() else b"") == before
