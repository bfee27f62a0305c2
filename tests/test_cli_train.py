"""The commands `train` and `run`: URIs, resuming, and mistakes as JSON."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import run
from gold_dataset import TOPIC, write_gold
from object_store import store_of
from tiny_dataset import TASKS, write_dataset

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK = (
    "--set",
    "max_steps=2",
    "--set",
    "rows=8",
    "--set",
    "bucket=8",
    "--set",
    "model.vocabulary=320",
    "--set",
    "threads=1",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset."""
    return write_dataset(tmp_path_factory.mktemp("train") / "set", rows=24)


def test_a_training_is_resumed_without_naming_its_settings(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that is printed names none; more steps may be asked for; the table tells of them."""
    out = tmp_path / "run"
    assert run(monkeypatch, "train", dataset, "--out", out, *QUICK, "--stop-after", 1) == 0
    assert f"continue with: auxloom train {dataset} --out {out} --resume\n" in capsys.readouterr().out
    assert run(monkeypatch, "train", dataset, "--out", out, "--resume") == 0
    assert "scores on the test split" in capsys.readouterr().out
    assert run(monkeypatch, "train", dataset, "--out", out, "--resume", "--set", "max_steps=3") == 0
    told = capsys.readouterr().out
    assert "extended at step 2 from 2 to 3 steps" in told
    assert max(map(len, told.splitlines())) <= 80
    assert run(monkeypatch, "train", dataset, "--out", out, "--resume", "--set", "rows=16") == 2
    assert "has rows = 8, not 16" in capsys.readouterr().err


def test_evaluation_is_told_in_a_plain_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a bar would stand still there is a line from time to time; a task's name is no markup."""
    (long,) = (task for task in TASKS if task.name == "topic.long")
    dataset = write_dataset(tmp_path / "set", rows=24, tasks=(dataclasses.replace(long, name="[/odd]"),))
    monkeypatch.setattr("pipelines.display.progress._LINE_EVERY", 0.0)
    assert run(monkeypatch, "train", dataset, "--out", tmp_path / "run", *QUICK) == 0
    told = capsys.readouterr().err
    assert "evaluating [/odd] on the validation split" in told
    assert "evaluating [/odd] on the test split" in told
    assert "epoch 1 of 1" in told


def _none(dataset: Path, folder: Path) -> tuple[object, ...]:
    return (dataset, "--out", folder / "run", "--resume")


def _inside(dataset: Path, folder: Path) -> tuple[object, ...]:
    return (dataset, "--out", dataset / "run")


def _elsewhere(dataset: Path, folder: Path) -> tuple[object, ...]:
    return (dataset, "--out", "s3:/bucket/run")


def _unknown(dataset: Path, folder: Path) -> tuple[object, ...]:
    return (dataset, "--out", folder / "run", "--set", "epoch=1")


def _damaged(dataset: Path, folder: Path) -> tuple[object, ...]:
    copy = shutil.copytree(dataset, folder / "data")
    (copy / "train" / "data-00001-of-00002.arrow").write_bytes(b"no")
    return (copy, "--out", folder / "run")


@pytest.mark.parametrize(
    "case",
    [
        (_none, "there is no run to resume in"),
        (_inside, "lies in the folder of the dataset"),
        (_elsewhere, "s3:/bucket/run has one slash behind its protocol"),
        (_unknown, "[train] has no key 'epoch' (did you mean 'epochs'?)"),
        (_damaged, "train/data-00001-of-00002.arrow is damaged"),
    ],
)
def test_a_mistake_is_an_object_with_json(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: Any
) -> None:
    """On standard output, with the same exit code and text as without; without it is one line on standard error."""
    monkeypatch.chdir(tmp_path)
    words, message = case
    given = words(dataset, tmp_path)
    assert run(monkeypatch, "train", *given, "--json") == 2
    told = capsys.readouterr()
    error = json.loads(told.out)
    assert list(error) == ["error"]
    assert message in error["error"]
    assert not told.err
    assert run(monkeypatch, "train", *given) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err == f"error: {error['error']}\n"
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "s3:").exists()


def test_run_takes_a_file_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dataset, model and report lie where it says, and not below the current folder; it resumes there."""
    monkeypatch.chdir(tmp_path)
    rows = [f"The old ferry number {i} left the harbour. The cook of boat {i} stayed behind." for i in range(60)]
    (tmp_path / "a.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    words = ("run", "a.txt", "--with", "masking", "--set", "train.max_steps=1", "--set", "train.threads=1")
    assert run(monkeypatch, *words, "--out", f"{tmp_path.as_uri()}/my%20out") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "my out"]
    assert sorted(path.name for path in (tmp_path / "my out").iterdir()) == ["dataset", "model", "report.json"]
    capsys.readouterr()
    weights = tmp_path / "my out" / "model" / "last.safetensors"
    before = weights.stat().st_mtime_ns
    assert run(monkeypatch, *words, "--out", f"{tmp_path.as_uri()}/my%20out", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "my out" / "report.json").read_bytes())
    assert weights.stat().st_mtime_ns == before
    assert run(monkeypatch, *words, "--out", "file://host/out") == 2
    assert "file://host/out: the folder of a run must be local" in capsys.readouterr().err
    assert not (tmp_path / "file:").exists()


def test_run_takes_the_uri_of_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With settings in a table, for dataset and model; a study stays on a disk."""
    rows = [f"The old ferry number {i} left the harbour. The cook of boat {i} stayed behind." for i in range(60)]
    (tmp_path / "a.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with store_of(monkeypatch) as store:
        table = f'[store]\nendpoint_override = "127.0.0.1:{store.port}"\nscheme = "http"\n'
        (tmp_path / "r.toml").write_text(
            f'out = "s3://bucket/all"\nwith = ["masking"]\n[input]\nfiles = ["{tmp_path}/a.txt"]\n'
            f"[train]\nmax_steps = 1\nthreads = 1\n[model]\nvocabulary = 320\n{table}"
        )
        assert run(monkeypatch, "run", tmp_path / "r.toml", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert store.objects["all/report.json"] == store.objects["all/model/report.json"]
        assert json.loads(store.objects["all/report.json"]) == report
        assert report["dataset"]["path"].startswith("s3://bucket/all/dataset?")
        weights = store.objects["all/model/last.safetensors"]
        assert run(monkeypatch, "run", tmp_path / "r.toml", "--json") == 0
        assert json.loads(capsys.readouterr().out) == report
        assert store.objects["all/model/last.safetensors"] is weights
        words = ("s3://bucket/all/dataset", tmp_path / "r.toml", "--out", "s3://bucket/other")
        assert run(monkeypatch, "train", *words) == 0
        assert "other/report.json" in store.objects
        assert run(monkeypatch, "compare", tmp_path / "r.toml") == 2
        assert "the folder of a study must be local; give a path" in capsys.readouterr().err


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with the tables of both sides."""
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[input]\nfiles = ["a.txt"]\n[train]\nmax_steps = 3\nrows = 8\nbucket = 8\nthreads = 1\nlog_every = 1\n'
        '[model]\nvocabulary = 320\n[task."topic.long"]\nweight = 2.0\n'
        '[[phase]]\ntasks = ["masking.word"]\nepochs = 1\n[[phase]]\n'
    )
    return path


def test_settings_are_read_from_a_recipe(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Path
) -> None:
    """Its tables, under what the command line says; those of the dataset's side do not matter here."""
    out = tmp_path / "run"
    more = ("--set", "max_steps=5", "--set", "steps_per_epoch=2", "--set", 'task."topic.long".weight=3')
    assert run(monkeypatch, "train", dataset, recipe, "--out", out, *more) == 0
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert (settings["max_steps"], settings["model"]["vocabulary"]) == (5, 320)
    assert settings["task"]["topic.long"]["weight"] == 3
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: list(line["train_loss"]) for line in lines if "train_loss" in line}
    assert losses[1] == losses[2] == ["masking.word"]
    assert len(losses[3]) > 1


@pytest.mark.parametrize(
    "case",
    [
        ("[decoder.text]\nlayers = 2", "the table [decoder] is not in this version of auxloom yet; leave it out"),
        ("[modle]\nfeatures = false", "recipe has no key 'modle' (did you mean 'model'?)"),
        ("[model]\niterations = 2", "[model] iterations is not in this version of auxloom yet; leave it out"),
        ("[model]\nencoders = 'tiny'", "[model] has no key 'encoders' (did you mean 'encoder'?)"),
        ("[task.ner]\ndepth = 1", "[task.ner] depth is not in this version of auxloom yet; leave it out"),
        ('[task."a.b"]\nwait = 1', "[task.\"a.b\"] has no key 'wait' (did you mean 'weight'?)"),
        ("[[phase]]\nmaximise = 'x'", "[[phase]] maximise is not in this version of auxloom yet; leave it out"),
        ("[[phase]]\nepochs = -1", "[[phase]] epochs = -1: input should be greater than or equal to 0"),
        ("[train]\nweights = {x = 1.0}", "[train] has no key 'weights': the weight of a task is a key of its table"),
        ("[train]\nencoder = 'small'", "[train] has no key 'encoder': it is a key of [model]"),
        ("[train]\nwords_first = 1", "[train] has no key 'words_first': write a [[phase]] with the tasks"),
        ("[[phase]]\ntasks = ['topic.lang']", "[[phase]] tasks: 'topic.lang' is not a trained task (did you mean"),
        ("[train.model]\nencoder = 'small'", "[train] has no key 'model': [model] is a table of its own"),
        ("train = 3", "recipe key 'train': "),
        ("[train", "is not valid TOML"),
    ],
)
def test_a_mistake_in_a_recipe_is_named(
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[str, str],
) -> None:
    """In one line, before anything is written."""
    table, message = case
    (tmp_path / "r.toml").write_text(table)
    assert run(monkeypatch, "train", dataset, tmp_path / "r.toml", "--out", tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_primary_that_nobody_named_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the progress, once, and not where one is named; a task's name is no markup."""
    task = dataclasses.replace(TOPIC, name="[/odd]")
    dataset = write_gold(tmp_path / "set", (task,), {"train": range(8), "test": range(8, 12)})
    assert run(monkeypatch, "train", dataset, "--out", tmp_path / "run", *QUICK, "--stop-after", 1) == 0
    told = capsys.readouterr().err
    assert told.count("primary task: [/odd], the only one with labels that people made (primary = ") == 1
    assert run(monkeypatch, "train", dataset, "--out", tmp_path / "run", "--resume") == 0
    assert "primary task:" not in capsys.readouterr().err
    named = (*QUICK, "--set", "primary=none", "--stop-after", 1)
    assert run(monkeypatch, "train", dataset, "--out", tmp_path / "other", *named) == 0
    assert "primary task:" not in capsys.readouterr().err
