"""The parts of a study: its design, its runs, the file of results, gains, and what is done about breaks."""

from __future__ import annotations

import json
import re
import tomllib
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from gold_dataset import NER, PLAIN_TASKS
from tiny_dataset import TASKS

from trainer.score.metrics import METRICS
from trainer.study import conduct as conducting
from trainer.study.carry_out import TrialRun
from trainer.study.conduct import StudyFolder, conduct, needed
from trainer.study.cost import cost_of
from trainer.study.curves import curves_of
from trainer.study.design import Design, make_design
from trainer.study.gains import paired_gain, summarised
from trainer.study.results import Results, void
from trainer.study.study_table import csv_of, study_lines
from trainer.study.trials import Roles, Trial, fingerprint, roles_of, trials_of

ROLES = Roles("ner", ("topic.long",), ("masking.word",))
SMALL = make_design({"labels": [5, 0], "seeds": 2})


def made(design: Design = SMALL, **tables: Any) -> list[Trial]:
    """Return the runs of a study on one dataset."""
    return trials_of(design, ROLES, {"train": {}, "model": {}, "task": {}, **tables}, ["digest"] * 9, "tiny")


def result(trial: Trial, right: float = 0.5, documents: int = 20) -> dict[str, Any]:
    """Return what a run came to that is right about so many labels of each document, give or take."""
    told = {
        "format": 1, "digest": trial.digest, "primary": "ner", "condition": trial.condition, "labels": trial.labels,
        "build": trial.build, "seed": trial.seed, "settings": json.loads(json.dumps(trial.settings)), "pieces": 1000,
        "seconds": 2.0, "parameters": 1000,
    }  # fmt: skip
    if trial.pretraining:
        return told
    rng = np.random.default_rng([trial.seed, int(100 * right)])
    sums = [[int(value), 20] for value in rng.binomial(20, right, documents)]
    score = sum(item[0] for item in sums) / 20 / documents
    names = [f"d{number}" for number in range(documents)]
    task = {**NER.to_json(), "metric": "accuracy"}
    return told | {
        "metric": "accuracy", "task": task, "split": "test", "score": score, "items": 400, "documents": names,
        "sums": sums,
    }  # fmt: skip


def test_a_documented_design_is_the_default() -> None:
    """In recipes/default.toml, as comments."""
    text = (Path(__file__).parents[1] / "recipes" / "default.toml").read_text(encoding="utf-8")
    table = re.search(r"# \[study\]\n(?:# .*\n)+", text)
    assert table
    data = tomllib.loads(re.sub(r"(?m)^# ", "", table[0]))["study"]
    assert data == {key: list(value) if isinstance(value, tuple) else value for key, value in Design()}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"label": [5]}, r"\[study\] has no key 'label' \(did you mean 'labels'\?\)"),
        ({"labels": [5, 5]}, r"labels = .*give at least one, and none twice"),
        ({"conditions": ["alone", "both"]}, r"\[study\] conditions = 'both'"),
        ({"seeds": 0}, r"\[study\] seeds = 0"),
    ],
)
def test_a_mistake_in_a_design_is_told(data: dict[str, Any], message: str) -> None:
    """With the key and what is allowed."""
    with pytest.raises(ValueError, match=message):
        make_design(data)


def test_conditions_have_equal_budgets_and_settings() -> None:
    """Those with two parts read in both as much as the others in one; a first part serves all numbers of labels."""
    trials = made(train={"learning_rate": 0.01})
    assert len(trials) == 5 * 2 * 2 + 3 * 2
    for trial in trials:
        if not trial.pretraining:
            assert trial.budget + (trial.first.budget if trial.first else 0) == 300_000
        assert trial.settings["train"]["learning_rate"] == 0.01
        assert trial.settings["train"]["seed"] == trial.seed
    firsts = {trial.first.digest for trial in trials if trial.first and trial.condition == "auxiliary"}
    assert len(firsts) == 2
    assert len({trial.digest for trial in trials}) == len(trials)
    shared = made(make_design({"share_pretraining": True, "seeds": 2, "build_seeds": 2}))
    assert sum(trial.pretraining for trial in shared) == 3 * 2


def test_what_each_condition_trains() -> None:
    """The parts of it are settings of the trainer."""
    trials = {(item.condition, item.labels): item.settings for item in made(make_design({"text": "unlabelled"}))}
    first = {name: trials[name, -1] for name in ("masked", "auxiliary", "permuted")}
    assert {name: item["train"]["tasks"] for name, item in first.items()} == {
        "masked": ("masking.word",), "auxiliary": ("topic.long",), "permuted": ("topic.long",)
    }  # fmt: skip
    assert first["permuted"]["task"] == {"topic.long": {"permuted": True}}
    assert first["masked"]["train"]["with_labels"] == ("topic.long",)
    assert first["masked"]["train"]["without_labels"] == ("ner",)
    assert trials["alone", 50]["train"]["tasks"] == ("ner",)
    assert trials["joint", 50]["train"]["tasks"] == ("ner", "topic.long")
    assert trials["joint", 50]["train"]["primary"] == "ner"


def test_a_head_begins_with_that_of_an_auxiliary_where_one_was_trained() -> None:
    """So in the conditions auxiliary and permuted, not in the others; a task that is no auxiliary is refused."""
    table = {"init": "topic.long", "init_classes": {"B-X": "long"}}
    trials = {
        (item.condition, item.labels): item.settings["task"] for item in made(make_design({}), task={"ner": table})
    }
    for name in ("auxiliary", "permuted"):
        assert trials[name, 50] == {"ner": table}
    for name in ("alone", "masked", "joint"):
        assert trials[name, 50] == {}
    assert all("ner" not in trials[name, -1] for name in ("masked", "auxiliary", "permuted"))
    both = {"ner": {**table, "weight": 2.0}}
    assert {item.condition: item.settings["task"] for item in made(task=both)}["masked"] == {"ner": {"weight": 2.0}}
    with pytest.raises(ValueError, match=r"init = 'topic.lon' is not an auxiliary of the study \(did you mean"):
        made(task={"ner": {"init": "topic.lon"}})


@pytest.mark.parametrize(
    ("tasks", "primary", "design", "message"),
    [
        (PLAIN_TASKS, "", {}, r"a study needs a primary"),
        (PLAIN_TASKS, "nerr", {}, r"\[train\] primary: 'nerr' is not a task"),
        ((*PLAIN_TASKS, NER), "", {"auxiliaries": ["ner"]}, r"lists the primary 'ner' among the other tasks"),
        ((*PLAIN_TASKS, NER), "", {"auxiliaries": ["pos"]}, r"\[study\] auxiliaries: 'pos' is not a task"),
        (
            (PLAIN_TASKS[0], NER),
            "",
            {},
            r'the condition "masked" is not possible: the dataset has no task of masked words',
        ),
        ((PLAIN_TASKS[1], NER), "ner", {}, r"there is no auxiliary: ner is the only task besides masked words"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(
    tasks: tuple[Any, ...], primary: str, design: dict[str, Any], message: str
) -> None:
    """Before anything is trained."""
    with pytest.raises(ValueError, match=message):
        roles_of(tasks, primary, make_design(design))


def test_tasks_have_their_parts() -> None:
    """The only gold task is the primary, all others but masked words are auxiliaries."""
    roles = roles_of((*PLAIN_TASKS, NER), "", Design())
    assert roles == Roles("ner", ("disfluency.tags", "topic.long"), ("masking.word",))
    other = next(task for task in TASKS if task.name == "topic.craft")
    assert roles_of((*PLAIN_TASKS, other), "topic.craft", make_design({"masked": ["topic.long"]})).masked == (
        "topic.long",
    )


def test_a_pretrained_encoder_counts_by_its_files(tmp_path: Path) -> None:
    """Wherever the folder lies."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert fingerprint(f"{tmp_path}/a") == fingerprint(f"{tmp_path}/b")
    (tmp_path / "b" / "model.safetensors").write_bytes(b"x")
    assert fingerprint(f"{tmp_path}/a") != fingerprint(f"{tmp_path}/b")
    assert fingerprint("tiny") == "tiny"


def test_results_are_lines_of_a_file(tmp_path: Path) -> None:
    """A torn last line does not count, and goes with the next result; none is ever half there."""
    path, trials = tmp_path / "results.jsonl", made()
    results = Results.read(path, "ner")
    for trial in trials[:3]:
        results.append(result(trial))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = Results.read(path, "ner")
    assert list(again.lines) == [trial.digest for trial in trials[:2]]
    again.append(result(trials[2]))
    assert path.read_bytes() == whole
    assert needed(trials, again, tmp_path) == trials[3:]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"format": 1}, "line 1 is not a result of a study"),
        ([], "line 1 is not a result of a study"),
        (result(made()[0]) | {"format": 9}, "line 1 has the format 9"),
        (result(made()[0]) | {"primary": "pos"}, "belongs to another study, with the primary 'pos' instead of 'ner'"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: Any, message: str) -> None:
    """Results of another study are not mixed with these."""
    (tmp_path / "results.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=message):
        Results.read(tmp_path / "results.jsonl", "ner")


def test_a_changed_recipe_makes_runs_void(tmp_path: Path) -> None:
    """It is told which, and why; more seeds and labels make none void."""
    results = Results.read(tmp_path / "results.jsonl", "ner")
    seconds = [trial for trial in made() if not trial.pretraining]
    for trial in seconds:
        results.append(result(trial))
    more = made(make_design({"labels": [5, 7, 0], "seeds": 3}))
    assert void(results, [trial for trial in more if not trial.pretraining]) == ([], [])
    changed, told = void(results, [item for item in made(train={"rows": 64}) if not item.pretraining])
    assert len(changed) == len(seconds)
    assert told == ["train.rows was None, now 64"]


class Trainer:
    """Stands for what carries out a run; `fails` names conditions that cannot be, `ends` after how many a break is."""

    def __init__(self, fails: tuple[str, ...] = (), ends: int = 1000) -> None:
        self.fails, self.ends = fails, ends
        self.done: list[tuple[str, int, int, int]] = []

    def __call__(self, job: TrialRun) -> dict[str, Any]:
        """Return a result, and leave what a run leaves."""
        if len(self.done) == self.ends:
            raise KeyboardInterrupt
        if job.trial.condition in self.fails:
            raise ValueError("its labels are all of one class")
        if job.trial.first:
            assert (job.runs / job.trial.first.digest / "trained").exists()
        self.done.append(job.trial.address)
        job.folder.mkdir(parents=True)
        if job.trial.pretraining:
            (job.folder / "trained").touch()
        return result(job.trial)


def carried(folder: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, **more: Any) -> dict[str, str]:
    """Carry out the small study."""
    monkeypatch.setattr(conducting, "carry_out", trainer)
    place = StudyFolder(folder)
    return conduct(made(), Results.read(place.results, "ner"), place, [folder], primary="ner", **more)


@pytest.mark.parametrize("ends", range(0, 26, 4))
def test_a_study_can_be_stopped_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: int) -> None:
    """What ended is not done again; a first part is, if it is gone and still needed."""
    before, after = Trainer(ends=ends), Trainer()
    with pytest.raises(KeyboardInterrupt):
        carried(tmp_path, before, monkeypatch)
    results = tmp_path / "results.jsonl"
    if results.exists():
        results.write_bytes(results.read_bytes() + b'{"half": ')
    assert carried(tmp_path, after, monkeypatch) == {}
    assert sorted(before.done + after.done) == sorted(trial.address for trial in made())
    assert sorted(item.name for item in tmp_path.iterdir()) == ["results.jsonl"]
    idle = Trainer()
    carried(tmp_path, idle, monkeypatch)
    assert idle.done == []


def test_checkpoints_go_as_soon_as_nobody_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stay if they are to be kept."""
    left: list[int] = []
    carried(tmp_path / "a", Trainer(), monkeypatch, tell=lambda *_: left.append(len(list(tmp_path.glob("a/runs/*")))))
    assert max(left) <= 2
    carried(tmp_path / "b", Trainer(), monkeypatch, keep=True)
    assert len(list(tmp_path.glob("b/runs/*"))) == 26


def test_a_condition_whose_runs_fail_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table says so, and why; they are tried again."""
    failed = carried(tmp_path, Trainer(fails=("permuted",)), monkeypatch)
    trials, results = made(), Results.read(tmp_path / "results.jsonl", "ner")
    found = summarised(results.of(trials), trials, SMALL, failed)
    assert found["failed"] == 4
    text = "\n".join(study_lines(found))
    assert "failed: permuted, 5 labels: its labels are all of one class" in text
    assert re.search(r"permuted +0/2 +- +- +- +failed", text)
    assert max(map(len, text.splitlines())) <= 80
    assert carried(tmp_path, Trainer(), monkeypatch) == {}


def test_a_process_that_is_killed_fails_its_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all that a pool of processes takes no more; what ended is kept, and the rest is done when asked again."""

    class Broken(conducting._Here):
        """Takes three runs."""

        taken = 0

        def submit(self, *arguments: Any, **named: Any) -> Any:
            """Carry out a run, or refuse."""
            self.taken += 1
            if self.taken > 3:
                raise BrokenExecutor("a process was terminated abruptly")
            return super().submit(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(conducting, "_executor", lambda *_: Broken())
        failed = carried(tmp_path, Trainer(), patch, jobs=2)
    assert set(failed.values()) == {"a process was terminated abruptly"}
    again = Trainer()
    assert carried(tmp_path, again, monkeypatch) == {}
    assert len(again.done) == 26 - 3


def test_gains_are_told_from_losses_and_from_nothing() -> None:
    """By the whole interval, in whichever direction the metric counts."""
    trials = [item for item in made(make_design({"labels": [5], "seeds": 3})) if not item.pretraining]
    rates = {"alone": 0.5, "masked": 0.6, "auxiliary": 0.8, "joint": 0.4, "permuted": 0.6}
    results = [result(trial, rates[trial.condition]) for trial in trials]
    found = summarised(results, trials, make_design({"labels": [5], "seeds": 3}), {})
    over = {entry["condition"]: entry["over"] for entry in found["conditions"]}
    assert over["auxiliary"]["masked"]["verdict"] == "helps"
    assert over["joint"]["masked"]["verdict"] == "hurts"
    assert over["permuted"]["masked"]["verdict"] == "not shown"
    assert over["auxiliary"]["permuted"]["verdict"] == "helps"
    low, high = over["auxiliary"]["masked"]["interval"]
    assert 0.12 < low < 0.2 < high < 0.28
    lines = csv_of(found).splitlines()
    assert lines[0].startswith("labels,condition,runs")
    assert len(lines) == 1 + 2 + 2 + 3 + 3 + 2
    loss = METRICS["nats_per_word"]
    pair = [[item for item in results if item["condition"] == name] for name in ("auxiliary", "masked")]
    gain = paired_gain(*pair, loss)
    assert gain
    assert (gain.verdict, gain.pairs) == ("hurts", 3)


def test_one_run_is_no_verdict() -> None:
    """However far from 0 its interval lies; the table says so, and that a few runs are too few."""
    for seeds, verdict, note in ((1, "one run", "give --seeds"), (3, "helps", "are wide"), (5, "helps", "")):
        design = make_design({"labels": [5], "seeds": seeds})
        trials = [item for item in made(design) if not item.pretraining]
        results = [result(item, 0.9 if item.condition == "auxiliary" else 0.4) for item in trials]
        found = summarised(results, trials, design, {})
        gain = next(item for item in found["conditions"] if item["condition"] == "auxiliary")["over"]["masked"]
        assert gain["interval"][0] > 0.2
        assert gain["verdict"] == verdict
        text = "\n".join(study_lines(found))
        assert note in text
        assert ("3 pairs of runs: intervals are wide" in text) == (seeds == 3)
        assert ("its labels help" in text) == (seeds > 1)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_runs_that_differ_by_chance_alone_show_no_gain(seeds: int) -> None:
    """In one study of twenty they may, however few the seeds, as an interval of 95 % says."""
    trials = [item for item in made(make_design({"labels": [5], "seeds": seeds})) if not item.pretraining]
    one, other = ([item for item in trials if item.condition == name] for name in ("auxiliary", "masked"))
    rng, told = np.random.default_rng(seeds), 0
    for _ in range(200):
        sides = [
            [
                {**item, "sums": [[10 + 2 * move, 20]] * 20}
                for item, move in zip(side, rng.normal(size=seeds), strict=True)
            ]
            for side in (list(map(result, one)), list(map(result, other)))
        ]
        gain = paired_gain(*sides, METRICS["accuracy"])
        told += gain is not None and gain.verdict in ("helps", "hurts")
    assert told <= 20


def test_builds_that_differ_widen_an_interval() -> None:
    """More than the same differences among the runs of each of them."""
    design = make_design({"labels": [5], "seeds": 3, "build_seeds": 2})
    trials = [item for item in made(design) if not item.pretraining]
    one, other = ([item for item in trials if item.condition == name] for name in ("auxiliary", "masked"))
    base, widths = [result(item) for item in other], []
    for high in ((0, 1, 2), (0, 2, 4)):
        moved = [{**item, "sums": [[10 + 2 * (place in high), 20]] * 20} for place, item in enumerate(map(result, one))]
        gain = paired_gain(moved, [{**item, "sums": [[10, 20]] * 20} for item in base], METRICS["accuracy"])
        assert gain
        widths.append(gain.high - gain.low)  # type: ignore[operator]
    assert widths[0] > 1.5 * widths[1]


def test_seeds_widen_an_interval() -> None:
    """Runs that differ among each other tell less than ones that agree."""
    trials = [item for item in made(make_design({"labels": [5], "seeds": 4})) if not item.pretraining]
    one, other = ([item for item in trials if item.condition == name] for name in ("auxiliary", "masked"))
    base = [result(item, 0.5) for item in other]
    alike = paired_gain([result(item, 0.6) for item in one], base, METRICS["accuracy"])
    apart = paired_gain([result(item, 0.4 + 0.1 * item.seed) for item in one], base, METRICS["accuracy"])
    assert alike
    assert apart
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)  # type: ignore[operator]


def test_costs_are_estimated_and_then_measured(tmp_path: Path) -> None:
    """By the speed of the runs that ended; which of both it is, is told."""
    trials, results = made(), Results.read(tmp_path / "results.jsonl", "ner")
    before = cost_of(trials, results, {}, 1)
    assert not before.measured
    results.append(result(trials[0]))
    after = cost_of(trials, results, {}, 2)
    assert after.measured
    assert after.speed == 500
    assert after.hours == pytest.approx(after.tokens / 500 / 2 / 3600)


def test_learning_curves_are_drawn() -> None:
    """A picture that any reader of XML can read, with a curve for each condition; and one without any result."""
    trials = [item for item in made() if not item.pretraining]
    for results in ([], [result(item) for item in trials]):
        found = summarised(results, trials, SMALL, {}) | {"primary": "a<b"}
        picture = ET.fromstring(curves_of(found))  # noqa: S314  (our own)
        lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
        assert len(lines) == (5 if results else 0)
        title = picture.find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert (title.text or "").startswith("a<b: ")
