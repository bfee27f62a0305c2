"""Studies with true training: planted auxiliaries are told apart, and the command from a recipe to its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from command import run
from planted import write_planted

from trainer.data.dataset import Dataset
from trainer.study.conduct import StudyFolder, conduct
from trainer.study.design import make_design
from trainer.study.gains import summarised
from trainer.study.results import Results
from trainer.study.trials import roles_of, trials_of

pytestmark = pytest.mark.usefixtures("quick_probes")

TABLES: dict[str, Any] = {
    "train": {"rows": 16, "bucket": 16, "learning_rate": 0.005, "evaluate_rows": 50, "device": "cpu"},
    "model": {"vocabulary": 600, "features": False, "bag": False, "head_dropout": 0.0},
}


def studied(folder: Path, auxiliary: str, conditions: Sequence[str], **more: Any) -> list[Mapping[str, Any]]:
    """Carry out the study of one auxiliary, and return its results."""
    design = make_design(
        {"labels": [12], "seeds": 2, "conditions": conditions, "auxiliaries": [auxiliary], "masked": ["masking"],
         "pretrain_tokens": 8000, "tokens": 2000, "evaluations": 3, **more}
    )  # fmt: skip
    place, data = StudyFolder(folder), Dataset.open(folder / "set")
    trials = trials_of(design, roles_of(data.tasks, "kind", design), TABLES, [data.digest], "tiny")
    results = Results.read(place.results, "kind")
    failed = conduct(trials, results, place, [data.path], primary="kind", keep=True)
    assert failed == {}
    return results.of(trials)


@pytest.mark.no_cover
def test_planted_auxiliaries_are_told_apart(tmp_path: Path) -> None:
    """One that tells the kinds of words helps, masks drawn anew do not, and one that needs no word at all hurts."""
    write_planted(tmp_path / "set")
    control = studied(tmp_path, "helpful", ["masked"], seeds=3)
    found = {}
    for name, seeds in {"helpful": 3, "neutral": 2, "harmful": 2}.items():
        results = [*control, *studied(tmp_path, name, ["auxiliary"], seeds=seeds)]
        design = make_design({"labels": [12], "conditions": ["masked", "auxiliary"]})
        _, entry = summarised(results, [], design, {})["conditions"]
        found[name] = entry["over"]["masked"]
    assert found["helpful"]["verdict"] == "helps"
    assert found["neutral"]["verdict"] == "not shown"
    assert found["harmful"]["gain"] < -0.02, found["harmful"]  # of two runs, too few for more


def records(path: Path, count: int, start: int) -> str:
    """Write labelled sentences, of which every second one has a name, and return the path."""
    lines = []
    for number in range(start, start + count):
        name = f"Ann{number % 7}"
        tokens = ["the", "ferry", "of", name, "left", "the", "old", "harbour", "at", "dusk", "again", str(number)]
        tags = ["B-x" if token == name and number % 2 else "O" for token in tokens]
        lines.append(json.dumps({"id": f"r{number}", "tokens": tokens, "tags": tags}) + "\n")
    path.write_text("".join(lines))
    return str(path)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with a primary, a labeler and masked words."""
    folder = tmp_path_factory.mktemp("compare")
    train, validation, test = (
        records(folder / f"{split}.jsonl", count, 100 * number)
        for number, (split, count) in enumerate({"train": 24, "validation": 8, "test": 8}.items())
    )
    (folder / "mine.toml").write_text(
        f"""
        with = ["disfluency", "masking"]
        [input]
        train = {train!r}
        validation = {validation!r}
        test = {test!r}
        [labels.ner]
        column = "tags"
        [train]
        rows = 8
        bucket = 8
        device = "cpu"
        [model]
        vocabulary = 320
        features = false
        [study]
        conditions = ["masked", "auxiliary"]
        auxiliaries = ["disfluency.tags"]
        pretrain_tokens = 200
        tokens = 200
        evaluations = 2
        labels = [4]
        seeds = 1
        """
    )
    return folder / "mine.toml"


@pytest.fixture(scope="module")
def finished(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its study, which the command has carried out."""
    folder = tmp_path_factory.mktemp("compare") / "study"
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "compare", recipe, "--out", folder) == 0
    return folder


@pytest.fixture
def study(recipe: Path, finished: Path) -> tuple[Path, Path]:
    """Both."""
    return recipe, finished


def test_the_command_makes_a_table_and_its_files(
    recipe: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given again it does nothing; checkpoints and encoded data are gone."""
    before = (finished / "results.jsonl").read_bytes()
    assert run(monkeypatch, "compare", recipe, "--out", finished) == 0
    text = capsys.readouterr().out
    assert "2 finished; 0 runs and" in text
    assert "ner: span_f1 on the test split" in text
    assert "dataset-0: " in text
    assert "relate" in text
    assert (finished / "results.jsonl").read_bytes() == before
    assert sorted(path.name for path in finished.iterdir()) == [
        "dataset-0", "results.jsonl", "study.csv", "study.json", "study.svg"
    ]  # fmt: skip
    found = json.loads((finished / "study.json").read_text())
    assert [entry["runs"] for entry in found["conditions"]] == [1, 1]
    assert found["relations"]["primary"] == "ner"


def test_a_plan_is_printed_before_anything_starts(
    recipe: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the speed that was measured, or an estimate that says so."""
    assert run(monkeypatch, "compare", recipe, "--out", tmp_path / "new", "--plan", "--labels", "4,8") == 0
    text = capsys.readouterr().out
    assert "study of ner: 4 runs" in text
    assert "estimated: no run has finished yet" in text
    assert not (tmp_path / "new").exists()
    assert run(monkeypatch, "compare", recipe, "--out", finished, "--plan", "--labels", "4,8", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["runs"], plan["ended"], len(plan["left"]), plan["measured"]) == (4, 2, 4, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "25"], "--labels asks for 25 labelled train rows of ner, but"),
        (["--labels", "many"], "--labels 'many' is not a list of numbers"),
        (
            ["--set", "train.rows=16"],
            "has 2 runs that are no longer valid because the recipe has changed: train.rows was 8, now 16",
        ),
        (["--set", "train.tokens=5"], "`compare` sets [train] tokens itself"),
        (["--set", "model.init=x"], "`compare` sets [model] init itself"),
        (["--set", "study.sead=1"], "[study] has no key 'sead' (did you mean 'seeds'?)"),
        (["--set", "train.primary=none"], "a study needs a primary"),
        (["--set", "train.primary=nerr", "--plan"], "[train] primary: this recipe produces no task 'nerr' (did you"),
        (["--set", "study.auxiliaries=['fluency']"], "[study] auxiliaries: this recipe produces no task 'fluency'"),
        (["--set", "study.masked=['masking.wrd']"], "can be trained (did you mean 'masking.word'?)"),
    ],
)
def test_what_cannot_be_compared_is_told(
    study: tuple[Path, Path], options: list[str], message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """In a sentence, before anything is trained."""
    assert run(monkeypatch, "compare", study[0], "--out", study[1], *options) == 2
    assert message in capsys.readouterr().err


def test_a_folder_with_other_files_is_refused(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written beside them."""
    (tmp_path / "thesis.txt").touch()
    assert run(monkeypatch, "compare", recipe, "--out", tmp_path) == 2
    assert "contains other files (thesis.txt)" in capsys.readouterr().err


def test_runs_that_are_void_can_be_done_again(recipe: Path, finished: Path, tmp_path: Path) -> None:
    """In processes of their own, in a folder that was moved."""
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    with pytest.MonkeyPatch.context() as patch:
        words = ("--set", "train.learning_rate=0.001", "--overwrite", "--jobs", "2", "--json")
        assert run(patch, "compare", recipe, "--out", moved, *words) == 0
    lines = [json.loads(line) for line in (moved / "results.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    assert {line["settings"]["train"].get("learning_rate") for line in lines} == {None, 0.001}
