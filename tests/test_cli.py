"""The command: three jobs end to end on a small text, and what a mistake is told."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import run
from small import rows

from pipelines.folder.layout import SPLITS
from trainer.settings import TABLES, ModelSettings, Settings

ROOT = Path(__file__).parents[1]
OPENERS = ("However,", "But", "So", "Then", "And", "Quietly", "Perhaps", "Therefore,")
SENTENCES = (
    "The ferry left the harbour an hour before anybody had expected it.",
    "{} the cook stayed on the pier with a basket of lemons in her arms.",
    "She counted the gulls on the roof of the customs house and began to laugh.",
    "{} nobody on the wet stones could say where the captain had gone.",
)


def text(path: Path, lines: int = 240) -> Path:
    """Write a text of several sentences a line."""
    rows = [" ".join(SENTENCES).format(OPENERS[i % 8], OPENERS[(i + 3) % 8]) for i in range(lines)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset."""
    folder = tmp_path_factory.mktemp("cli")
    out = folder / "data"
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "build", text(folder / "a.txt"), "--out", out) == 0
    return out


def test_build_prints_its_books_and_verify_agrees(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Built again, it says that all is there; every digest adds up; a byte changed is found."""
    assert run(monkeypatch, "build", dataset.parent / "a.txt", "--out", dataset, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["splits"]["train"] > 100
    assert run(monkeypatch, "verify", dataset) == 0
    assert "all checksums, rows and statistics match" in capsys.readouterr().out
    shard = next((dataset / "train").glob("*.arrow"))
    data = bytearray(shard.read_bytes())
    data[-100] ^= 1
    before = shard.read_bytes()
    shard.write_bytes(bytes(data))
    assert run(monkeypatch, "verify", dataset, "--json") == 1
    assert json.loads(capsys.readouterr().out)["problems"]
    shard.write_bytes(before)


def test_show_reads_a_dataset_and_previews_a_text(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of a dataset and of plain text look alike; --with picks labelers."""
    assert run(monkeypatch, "show", dataset, "-n", 2, "--with", "masking") == 0
    shown = capsys.readouterr().out
    assert "masking" in shown
    assert "disfluency" not in shown
    assert run(monkeypatch, "show", dataset.parent / "a.txt", "-n", 1, "--json") == 0
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert row["tokens"][:3] == ["The", "ferry", "left"]


@pytest.mark.parametrize("source", ["dataset", "a.txt"])
def test_show_picks_rows_that_have_a_label(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    """Of a labeler or of a task, as many as asked for; without one the rows would come as they stand."""
    place = dataset if source == "dataset" else dataset.parent / source
    for name, path in (("connective", "connective"), ("disfluency.pair", "pair")):
        assert run(monkeypatch, "show", place, "--where", name, "-n", 3, "--json") == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(found) == 3
        assert all(row[name.partition(".")[0]][path] is not None for row in found)
    assert run(monkeypatch, "show", place, "-n", 100, "--json") == 0
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert None in [row["connective"]["connective"] for row in plain]


def test_show_says_that_no_row_has_a_label(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than print nothing; a name that is neither labeler nor task is another mistake."""
    (tmp_path / "calm.txt").write_text("One sentence about a quiet harbour in the evening.\n", encoding="utf-8")
    assert run(monkeypatch, "show", tmp_path / "calm.txt", "--where", "connective") == 2
    assert "no row of the first 2,000 documents has a label of 'connective'" in capsys.readouterr().err
    assert run(monkeypatch, "show", dataset, "--where", "conective") == 2
    assert "no labeler or task 'conective' (did you mean 'connective'?)" in capsys.readouterr().err


def test_show_finds_a_labeler_of_the_current_folder(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As build does, wherever the command is installed."""
    own = "from labelers.masking import Labeler, Masking\nclass Mine(Masking):\n    name = 'mine'\n"
    (tmp_path / "own_of_show.py").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert run(monkeypatch, "show", dataset.parent / "a.txt", "-n", 1, "--with", "own_of_show:Mine", "--json") == 0
    assert "draw" in json.loads(capsys.readouterr().out)["mine"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--with", "maskin"),
            "did you mean 'masking'?); it has labels of connective, disfluency, paraphrase, masking",
        ),
        (("--with", "masking", "--with", "own:Nosuch"), "has no labels of 'nosuch'; it has labels of connective"),
        (("--set", "foo.bar=1"), "--set applies to previews of text only"),
        (("--seed", "0"), "--seed applies to previews of text only"),
        (("--views", "woven"), "is a finished dataset; leave it out"),
    ],
)
def test_show_refuses_what_says_nothing_about_a_dataset(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Any, message: str
) -> None:
    """A labeler that it has no labels of, and options of a build."""
    assert run(monkeypatch, "show", dataset, *words) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out


def test_labelers_lists_tasks_and_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything a user can choose stands there."""
    assert run(monkeypatch, "labelers", "--json") == 0
    listed = {item["name"]: item for item in json.loads(capsys.readouterr().out)["labelers"]}
    assert {"connective", "disfluency", "masking", "paraphrase"} <= set(listed)
    assert "disfluency.pair" in listed["disfluency"]["tasks"]
    assert "disfluency.pair" not in listed["disfluency"]["woven"]
    assert listed["disfluency"]["options"]["profile"] == "uniform"
    assert run(monkeypatch, "labelers") == 0
    table = capsys.readouterr().out
    assert "min_omission_rate = 0.0" in table
    assert "…" not in table


def test_run_builds_trains_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command gives dataset, model and report; given again it trains nothing twice."""
    out = tmp_path / "out"
    words = ("run", text(tmp_path / "a.txt", 120), "--out", out, "--with", "disfluency", "--with", "masking")
    words += ("--set", "train.max_steps=3", "--set", "train.rows=8", "--set", "train.bucket=8", "--json")
    assert run(monkeypatch, *words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert {item["name"] for item in report["tasks"]} >= {"disfluency.tags", "masking.word"}
    weights = (out / "model" / "last.safetensors").read_bytes()
    assert run(monkeypatch, *words) == 0
    assert (out / "model" / "last.safetensors").read_bytes() == weights
    capsys.readouterr()
    assert run(monkeypatch, *words, "--seed", 3) == 2
    assert list(json.loads(capsys.readouterr().out)) == ["error"]
    assert run(monkeypatch, *words, "--seed", 3, "--overwrite") == 0
    anew = json.loads(capsys.readouterr().out)
    assert anew["dataset"]["digest"] != report["dataset"]["digest"]
    assert anew == json.loads((out / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", ["build", "run"])
def test_settings_of_the_trainer_are_checked_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The nearest name stands in the error, and nothing in the folder."""
    words = (command, text(tmp_path / "a.txt", 2), "--out", tmp_path / "out", "--set", "train.epoch=3")
    assert run(monkeypatch, *words) == 2
    assert "[train] has no key 'epoch' (did you mean 'epochs'?)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_run_leaves_a_folder_alone_that_holds_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of the input, for example; without INPUT too."""
    source = text(tmp_path / "a.txt", 2)
    for words in (("run", source), ("run",)):
        assert run(monkeypatch, *words, "--out", tmp_path) == 2
        assert "contains other files (a.txt); give a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_damaged_dataset_is_not_trained_on(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the shard."""
    copy = shutil.copytree(dataset, tmp_path / "data")
    shard = next((copy / "train").glob("*.arrow"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert run(monkeypatch, "train", copy, "--out", tmp_path / "run") == 2
    assert f"{shard} is damaged" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_input_the_docstrings_of_a_module_stay_on_one_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each text is a document, its module the group: no row joins two texts, no module is in two splits."""
    kinds = [" ".join(SENTENCES[1:]).format(first, second) for first in OPENERS for second in OPENERS]
    sources = [(f"lib{i}", [f"The lid of box {i} is shut. {text}" for text in kinds[i : i + 3]]) for i in range(40)]
    monkeypatch.setattr("pipelines.input.pydoc._sources", lambda: iter(sources))
    words = ("--out", tmp_path / "out", "--with", "masking", "--set", "train.max_steps=1", "--set", "train.epochs=1")
    assert run(monkeypatch, "run", *words) == 0
    assert "no INPUT given: 120 documents of English prose" in capsys.readouterr().out
    found = [(split, row) for split in SPLITS for row in rows(tmp_path / "out" / "dataset", split)]
    assert sorted(row["document"] for _, row in found) == sorted(f"lib{i}:{n}" for i in range(40) for n in range(3))
    places = {(row["module"], split) for split, row in found}
    assert len(places) == 40
    assert {split for _, split in places} == set(SPLITS)


def test_a_training_that_was_stopped_says_how_to_go_on(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that it prints, typed as it is, ends the run: it gives the same settings."""
    settings = ("--set", "max_steps=2", "--set", "rows=8", "--set", "bucket=8")
    assert run(monkeypatch, "train", dataset, "--out", tmp_path / "my run", *settings, "--stop-after", 1) == 0
    told = capsys.readouterr().out
    assert "stopped after step 1; continue with: auxloom train" in told
    assert run(monkeypatch, *shlex.split(told.partition("continue with: auxloom ")[2])) == 0
    assert "scores on the test split" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "{0}/none.txt", "--out", "{0}/x"), "no input at"),
        (("build", "{0}/a.txt", "--out", "{0}/x", "--with", "maskin"), "did you mean 'masking'?"),
        (("build", "{0}/a.txt", "--out", "{0}/x", "--set", "seeds=1"), "did you mean 'seed'?"),
        (("build", "{0}/a.txt", "--out", "{0}/x", "--set", "labelers.masking.rat=1"), "has no option 'rat'"),
        (
            (
                "build",
                "{0}/r.toml",
            ),
            "no recipe at",
        ),
        (("build", "{0}/r.toml", "{0}/a.txt", "--out", "{0}/x"), "r.toml is a recipe, which lists its input"),
        (("build", "--out", "{0}/x"), "no input"),
        (
            (
                "build",
                "{0}/a.txt",
                "--out",
                "{0}/x",
                "--with",
                "disfluency",
                "--set",
                "labelers.disfluency.profile=swithboard",
            ),
            "did you mean 'switchboard'?",
        ),
        (("build", "{0}/a.txt", "--out", "{0}/x", "--set", "limit=5"), "no key 'limit': it is a key of [input]"),
        (("compare", "{0}", "--out", "{0}/x"), "is a folder, not a recipe; give a .toml file"),
        (("evaluate", "{0}/m", "{0}/a.txt"), "no checkpoint in"),
        (("train", "{0}", "--out", "{0}/m"), "is not a dataset"),
        (("train", "{0}", "--out", "{0}/m", "--set", "epoch=1"), "did you mean 'epochs'?"),
        (("build", "{0}/a.txt", "--out", "{0}/x", "--set", "train.bucket=5"), "is not a multiple of bucket = 5"),
        (("train", "{0}", "--out", "{0}/m", "--set", "temperatures=[1,5,0]"), "temperatures.2 = 0: input should be"),
    ],
)
def test_a_mistake_is_two_lines_and_exit_code_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: Any, message: str
) -> None:
    """No traceback: what was given, what is allowed, what to do."""
    text(tmp_path / "a.txt", 2)
    assert run(monkeypatch, *(word.format(tmp_path) for word in words)) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.strip().splitlines()) <= 2


@pytest.mark.parametrize(
    "words",
    [
        ("show", "{0}"),
        ("verify", "{0}"),
        ("train", "{0}", "--out", "{0}/../m"),
        ("label", "{0}", "--with", "masking"),
        ("merge", "{0}", "--out", "{0}/../m"),
        ("build", "{0}", "--out", "{0}/../m"),
    ],
)
def test_of_the_folder_of_a_run_the_dataset_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """`auxloom show out` after `auxloom run --out out`; the shards are not taken for text."""
    out = tmp_path / "out"
    (out / "dataset").mkdir(parents=True)
    for name in ("plan.json", "auxloom.json"):
        (out / "dataset" / name).write_text("{}")
    assert run(monkeypatch, *(word.format(out) for word in words)) == 2
    assert f"give {out}/dataset" in capsys.readouterr().err


def test_an_unknown_option_is_an_error_with_the_nearest_name() -> None:
    """It is never taken for an input file."""
    command = [sys.executable, "-m", "pipelines.cli", "build", "--worker", "2"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 2
    assert "--workers" in found.stderr


@pytest.mark.parametrize("command", ["build", "train", "run", "show", "verify", "labelers"])
def test_every_command_has_help_with_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example begins with the command; where settings are, all stand there with their defaults."""
    assert run(monkeypatch, command, "--help") == 0
    told = capsys.readouterr().out
    assert f"auxloom {command}" in told
    if command == "train":
        plain = sorted(set(Settings.model_fields) - set(TABLES))
        names = [*plain, *(f"model.{name}" for name in ModelSettings.model_fields)]
        assert [name for name in names if f"{name}=" not in told] == []


def test_version_and_recipe_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe is the documented one, as it stands."""
    assert run(monkeypatch, "--version") == 0
    assert re.fullmatch(r"auxloom \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert run(monkeypatch, "recipe") == 0
    assert capsys.readouterr().out == (ROOT / "recipes" / "default.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["verify"], ["build", "--wokers", "2"], ["labelers", "extra"], ["nothing"]])
def test_a_mistake_in_the_options_is_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """With --json whatever is wrong is one object on standard output."""
    assert run(monkeypatch, *arguments, "--json") == 2
    printed = capsys.readouterr()
    assert printed.err == ""
    assert json.loads(printed.out)["error"]


def test_a_dataset_may_be_given_as_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command takes it, and tells it as it was given."""
    source, out = text(tmp_path / "a.txt"), (tmp_path / "my set").as_uri()
    assert run(monkeypatch, "build", str(source), "--out", out, "--with", "masking", "--json") == 0
    assert run(monkeypatch, "verify", out) == 0
    assert f"{out}: all checksums" in capsys.readouterr().out
    assert run(monkeypatch, "show", out, "-n", "1") == 0
    assert "masking" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "my set"]
