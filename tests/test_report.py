"""The report: what a run has learnt, beside what can be had without a network."""

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from labelers.ragged import Ragged
from labelers.task import Task
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.data.dataset import Dataset, Split
from trainer.data.inputs import Sequences, inputs_of
from trainer.data.targets import Targets
from trainer.kinds import find
from trainer.kinds import names as kinds
from trainer.score.metrics import FEW, Predictions, Score
from trainer.score.probes import ProbeScore
from trainer.score.report import build_report, held_out, note_of, task_entry, write
from trainer.score.table import lines, show

TASK = Task(
    name="made.tags",
    labeler="made",
    version=1,
    kind="token",
    sequences=("source",),
    target="made.label",
    classes=("O", "D"),
    metric="tag_f1",
    paper="A paper",
)
WORDS = Task(name="made.word", labeler="made", version=1, kind="masked_lm", sequences=("source",), target="made.draw",
             rate=0.5, metric="nats_per_word")  # fmt: skip


def entry(
    low: float, value: float, high: float, probe: float, *, task: Task = TASK, labels: int = 500, prior: float = 0.1
) -> dict[str, Any]:
    """Return the entry of a task with a score and a probe."""
    model = Score(task.metric, value, labels, 9, low, high)
    base, best, other = (
        Score(task.metric, number, labels, 9, 0.0, 1.0)
        for number in (prior, probe, 0.05 if task.metric == "tag_f1" else 99.0)
    )
    probes = [ProbeScore("word form", best, 70), ProbeScore("length", other, 70)]
    return task_entry(task, 4000, {"train": 3, "test": 1}, (model, ProbeScore("guess", base, 70), probes))


@pytest.mark.parametrize(("low", "better"), [(0.41, True), (0.4, False), (0.39, False)])
def test_the_whole_interval_must_be_above_the_best_baseline(low: float, better: bool) -> None:  # noqa: FBT001
    """A score above it is not enough."""
    assert entry(low, 0.5, 0.6, probe=0.4)["better_than_baseline"] is better


def test_less_is_better_for_nats() -> None:
    """The interval must lie below the baseline."""
    assert entry(5.0, 5.5, 5.9, probe=6.0, task=WORDS, prior=7.0)["better_than_baseline"] is True
    assert entry(5.0, 5.5, 6.1, probe=6.0, task=WORDS, prior=7.0)["better_than_baseline"] is False


def test_the_class_prior_is_a_baseline_too() -> None:
    """Where it is better than every probe, or as good, a score is compared with it."""
    found = entry(0.2, 0.5, 0.6, probe=0.05, prior=0.3)
    assert [item["name"] for item in found["baselines"]] == ["guess", "word form", "length"]
    assert (found["better_than_prior"], found["better_than_baseline"]) == (False, False)
    assert entry(0.2, 0.5, 0.6, probe=0.3, prior=0.3)["baselines"][0]["name"] == "guess"


def test_without_an_interval_nothing_is_significant() -> None:
    """A single document tells nothing of others."""
    alone = Score("tag_f1", 0.9, 500, 1)
    found = task_entry(TASK, 1, {}, (alone, ProbeScore("guess", alone, 1), [ProbeScore("word form", alone, 1)]))
    assert (found["better_than_baseline"], found["better_than_prior"], found["score"]["interval"]) == (None, None, None)


@pytest.mark.parametrize(("labels", "warned"), [(FEW - 1, True), (FEW, False)])
def test_few_held_out_labels_are_a_warning(labels: int, warned: bool) -> None:  # noqa: FBT001
    """In the report, in the line of the task and below the table."""
    found = entry(0.4, 0.5, 0.6, 0.3, labels=labels)
    assert bool(found["warnings"]) is warned
    text = "\n".join(lines(report([found])))
    assert (f"{labels}!" in text) is warned
    assert (f"! made.tags: only {labels} held-out labels" in text) is warned


def report(tasks: list[dict[str, Any]], **untrained: str) -> dict[str, Any]:
    """Return a report of tasks."""
    return {"split": "test", "tasks": tasks, "not_trained": untrained, "note": note_of(tasks)}


def test_the_table_is_aligned_and_whole() -> None:
    """Golden lines."""
    trained = [entry(0.41, 0.5, 0.6, probe=0.4)]
    trained.append(entry(5.0, 5.5, 6.1, probe=6.0, task=WORDS, labels=12345, prior=7.0))
    trained.append(task_entry(TASK, 4, {}, None))
    assert "\n".join(lines(report(trained, story="there is no decoder yet"))) == PLAIN.strip()


PLAIN = """
scores on the test split
task       labels  metric         score, 95 % interval
  class prior  best baseline    significantly better
made.tags  500     tag_f1         0.500 [0.410, 0.600]
  0.100        0.400 word form  yes
made.word  12,345  nats_per_word  5.500 [5.000, 6.100]
  7.000        6.000 word form  no
made.tags  0!      tag_f1         -
  -            -                -
not trained: story: there is no decoder yet
! made.tags: no held-out label, so no score
lost: made.tags: 4 rows, cut before the text that their label refers to
lost: made.word: 4 rows, cut before the text that their label refers to
class prior: the most frequent class (accuracy), a random guess at the train
  rates (F1), the frequency of the word (nats_per_word).
best baseline: the best of the class prior and the probes, on the same labels.
significantly better: the whole 95 % interval of the score is better than the
  value of the best baseline; "-" where there is no interval.
nats_per_word: lower is better.
Scores on constructed labels show whether a task can be learnt, not whether
  learning it helps another task.
"""

LONG = dataclasses.replace(WORDS, name="a_labeler_of_somebody_else.with_a_long_name_for_its_task")


def test_the_table_fits_eighty_columns() -> None:
    """Whatever the names and the numbers are; a long name has a line of its own."""
    probes = [max((probe.name for kind in map(find, kinds()) for probe in kind.probes), key=len)]
    wide = entry(10.123, 12.345, 14.567, probe=11.5, task=LONG, labels=1234567, prior=15.0)
    wide["baselines"][0]["name"] = probes[0]
    names = ("x" * 300, "one two " * 30, LONG.name)
    made = report([wide | {"name": name} for name in names], **{"y" * 200: "no head for it"})
    text = lines(made)
    assert [line for line in text if len(line) > 80] == []
    assert LONG.name in text
    assert [line for line in text if line.rstrip() != line or not line] == []


def test_private_words_are_not_printed() -> None:
    """The table speaks as the field does."""
    text = "\n".join(lines(report([entry(0.41, 0.5, 0.6, probe=0.4), entry(5.0, 5.5, 6.1, probe=6.0, task=WORDS)])))
    assert not re.search(r"\b(clear|books|coin|best probe)\b", text)
    assert not re.search(r"\[[0-9]+\]", text)


GOLD = dataclasses.replace(TASK, name="ner", labeler="", extra={})
DECLARED = dataclasses.replace(TASK, name="pos", gold=True)


def test_the_note_on_constructed_labels_stands_only_where_there_are_any() -> None:
    """With gold labels beside them, they are named; gold labels alone have no such note."""
    assert [task.constructed for task in (TASK, GOLD, DECLARED)] == [True, False, False]
    made, words, *gold = [entry(0.4, 0.5, 0.6, 0.3, task=task) for task in (TASK, WORDS, GOLD, DECLARED)]
    assert note_of(gold) == ""
    assert note_of([{**made, "constructed": False, "permuted": True}]) == (
        "Trained on labels of other rows, as a control: made.tags."
    )
    assert note_of([made, words]).startswith("Scores on constructed labels show whether")
    assert note_of([made, *gold, words]).startswith("Scores on constructed labels (made.tags, made.word) show whether")
    assert not any("onstructed" in line for line in lines(report(gold)))
    assert lines(report([made, *gold]))[-2].startswith("Scores on constructed labels (made.tags) show")


def test_a_prior_of_another_kind_is_told_where_there_is_one() -> None:
    """Numbers and trees have no most frequent class."""
    tree, score = (dataclasses.replace(TASK, name=kind, kind=kind, metric="") for kind in ("arc", "regression"))
    made = report([entry(0.4, 0.5, 0.6, 0.3, task=task) for task in (TASK, tree, score)])
    text = " ".join(line.strip() for line in lines(made))
    assert "(nats_per_word), the most frequent distance to the head (arcs), the train mean (numbers). best" in text
    assert [item["metric"] for item in made["tasks"]] == ["tag_f1", "uas", "pearson"]


RUN = {
    "steps": 8, "planned_steps": 18, "stopped_early": True, "best_step": 4, "best_epoch": 2, "chosen_on": "validation",
    "extended": [{"step": n, "steps": list(ends)} for n, *ends in ((3, 9, 18), (1200, 18, 2400), (1300, 2400, 2400))],
}  # fmt: skip


def test_the_table_tells_how_the_run_went() -> None:
    """Which checkpoint is scored and why, where the run was extended, and whether it was stopped."""
    made = report([entry(0.4, 0.5, 0.6, 0.3)]) | {"run": RUN, "settings": {"patience": 2}}
    notes = lines(made)[5:9]
    assert notes == [
        "checkpoint: step 4, in epoch 2, the best on the validation split",
        "extended at step 3 from 9 to 18 steps",
        "extended at step 1,200 from 18 to 2,400 steps",
        "stopped early at step 8 of 18: 2 evaluations without a better checkpoint",
    ]
    last = made | {"run": RUN | {"chosen_on": None, "stopped_early": False, "extended": []}}
    assert "checkpoint: the last, step 4; there is no validation split" in lines(last)
    assert "checkpoint: the last, step 4; there is no held-out split" in lines(last | {"split": ""})
    same = made | {"split": "validation"}
    assert "there is no test split: the checkpoint was selected on the validation split" in "\n".join(lines(same))


def printed(made: dict[str, Any], *, terminal: bool) -> str:
    """Return what is printed on a terminal, or elsewhere."""
    file = io.StringIO()
    show(made, Console(file=file, force_terminal=terminal, width=80 if terminal else 40, color_system="standard"))
    return file.getvalue()


TWO = [entry(0.41, 0.5, 0.6, probe=0.4), entry(0.3, 0.4, 0.5, probe=0.45)]


def test_a_terminal_gets_colour() -> None:
    """Green where the score is significantly better than the best baseline, yellow where it is not."""
    text = printed(report(TWO), terminal=True)
    assert re.search("\x1b\\[32mmade.tags .*0.500", text)
    assert re.search("\x1b\\[33mmade.tags .*0.400", text)
    assert "\x1b[1mscores on the test split" in text


def test_elsewhere_there_are_plain_lines() -> None:
    """No colour, and nothing but the lines themselves, however narrow the console is."""
    assert printed(report(TWO), terminal=False).splitlines() == lines(report(TWO))


def test_square_brackets_in_names_are_no_markup() -> None:
    """A user's class or task may be called anything."""
    text = printed(report([TWO[0] | {"name": "[bold]x[/nothing]"}], **{"[red]": "[/]"}), terminal=False)
    assert "[bold]x[/nothing]" in text
    assert "not trained: [red]: [/]" in text


def test_the_report_is_strict_json(tmp_path: Path) -> None:
    """No NaN: other languages could not read it."""
    write(tmp_path / "report.json", report([entry(0.4, 0.5, 0.6, 0.3)]))
    assert json.loads((tmp_path / "report.json").read_text())["tasks"][0]["prior"]["value"] == 0.1
    with pytest.raises(ValueError, match="Out of range float"):
        write(tmp_path / "report.json", {"value": float("nan")})


def test_scores_are_of_the_test_split_where_there_is_one() -> None:
    """The validation split chose the checkpoint."""
    assert held_out({"train": 0, "validation": 0, "test": 0}) == "test"
    assert held_out({"train": 0}) == ""


class Letters:
    """A vocabulary of letters."""

    def encode(self, texts: list[str]) -> Ragged:
        """Spell the texts."""
        return Ragged.of(np.array([len(text) for text in texts]), np.array([ord(c) for c in "".join(texts)]))


def made(count: int) -> Split:
    """Return rows "a a bb", a D on the first a; the second word is hidden."""
    struct = pa.struct([("label", pa.list_(pa.int8())), ("draw", pa.list_(pa.uint8()))])
    table = pa.table({
        "document": [f"d{i}" for i in range(count)],
        "tokens": pa.array([["a", "a", "bb"]] * count),
        "made": pa.array([{"label": [1, 0, 0], "draw": [200, 0, 200]}] * count, struct),
    })  # fmt: skip
    return Split("made", table)


def encoded(counts: dict[str, int], skip: int) -> EncodedDataset:
    """Return what the model knows of the rows: ``skip`` of each split lost their tags."""
    inputs = inputs_of((TASK, WORDS))
    splits = {}
    for name, count in counts.items():
        empty = np.empty(0, np.int32)
        rows = np.arange(count)
        sequences = Sequences(rows, np.zeros(count + 1, np.int64), empty, empty, empty, empty)
        kept = np.arange(skip, count)
        labels = Targets(kept, 3 * np.arange(len(kept) + 1), np.tile([1, 0, 0], len(kept)), empty, empty, lost=skip)
        words = Targets(rows, np.zeros(count + 1, np.int64), empty, empty, empty, drawn=True, candidates=3 * count)
        parts = dict.fromkeys(inputs.values(), sequences)
        splits[name] = EncodedSplit(inputs, parts, {TASK.name: labels, WORDS.name: words}, rows, {})
    return EncodedDataset(Letters(), (TASK, WORDS), splits)  # type: ignore[arg-type]


def test_probes_see_the_rows_that_the_model_saw(tmp_path: Path) -> None:
    """A row that lost its label when it was cut counts for neither."""
    data = encoded({"train": 30, "test": 20}, skip=2)
    dataset = Dataset(tmp_path, "abc", (TASK, WORDS), {"train": made(30), "test": made(20)})
    rows = np.repeat(np.arange(2, 20), 3)
    gold = np.tile([1, 0, 0], 18)
    tags = Predictions(TASK, gold, gold, np.empty(0), rows, rows)
    nats = Predictions(WORDS, rows, rows, np.full(len(rows), 0.01), rows, rows)
    found = build_report(
        dataset,
        data,
        [tags, nats],
        split="test",
        settings={"seed": 3},
        untrained={"story": "no decoder"},
        run={"steps": 7},
    )
    first, second = found["tasks"]
    assert first["labels"] == {"train": 84, "held_out": 54}
    assert first["score"]["value"] == 1.0
    assert [item["name"] for item in first["baselines"]][:2] == ["the same words follow at once", "word form"]
    assert [item["value"] for item in first["baselines"]][:2] == [1.0, pytest.approx(2 / 3)]
    assert {item["labels"] for item in first["baselines"]} == {54}
    assert first["baselines"][0]["train_rows"] == 28
    assert first["better_than_baseline"] is False
    assert second["labels"]["train"] == 45
    assert [item["name"] for item in second["baselines"]] == ["unigram"]
    assert second["baselines"][0]["value"] == pytest.approx(-np.log(60 / 61))
    assert second["better_than_baseline"] is True
    assert found["not_trained"] == {"story": "no decoder"}
    assert (found["dataset"]["digest"], found["settings"], found["run"]) == ("abc", {"seed": 3}, {"steps": 7})
    assert {"python", "torch", "numpy"} <= set(found["versions"])
    assert found["note"] == note_of([first, second])


def test_a_task_without_held_out_labels_is_listed_without_scores(tmp_path: Path) -> None:
    """It was trained, and nothing is known of it."""
    data = encoded({"train": 30}, skip=0)
    dataset = Dataset(tmp_path, "abc", (TASK, WORDS), {"train": made(30)})
    found = build_report(dataset, data, [], split="", settings={}, untrained={})
    assert [item["score"] for item in found["tasks"]] == [None, None]
    assert "no held-out label" in found["tasks"][0]["warnings"][0]
