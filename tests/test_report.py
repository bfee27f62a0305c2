"""The report: what a run has learnt, beside what can be had without a network."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from labelers.task import Task
from trainer.bigrams import Bigrams
from trainer.cache import Encoded, EncodedSplit
from trainer.data import Dataset, Ragged, Split
from trainer.encode import Reading, Sequences
from trainer.labels import Labels
from trainer.metrics import FEW, Predictions, Score
from trainer.probes import ProbeScore
from trainer.report import NOTE, build_report, held_out, lines, render, show, task_entry, write

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
    low: float, value: float, high: float, probe: float, *, task: Task = TASK, labels: int = 500
) -> dict[str, Any]:
    """Return the entry of a task with a score and a probe."""
    model = Score(task.metric, value, labels, 9, low, high)
    base, best, other = (Score(task.metric, number, labels, 9, 0.0, 1.0) for number in (0.1, probe, 0.05))
    probes = [ProbeScore("word form", best, 70), ProbeScore("length", other, 70)]
    return task_entry(task, 4000, {"train": 3, "test": 1}, (model, ProbeScore("guess", base, 70), probes))


@pytest.mark.parametrize(("low", "clear"), [(0.41, True), (0.4, False), (0.39, False)])
def test_the_whole_interval_must_be_above_the_best_probe(low: float, clear: bool) -> None:  # noqa: FBT001
    """A score above it is not enough."""
    assert entry(low, 0.5, 0.6, probe=0.4)["clear_of_probe"] is clear


def test_less_is_better_for_nats() -> None:
    """The interval must lie below the probe."""
    assert entry(5.0, 5.5, 5.9, probe=6.0, task=WORDS)["clear_of_probe"] is True
    assert entry(5.0, 5.5, 6.1, probe=6.0, task=WORDS)["clear_of_probe"] is False


def test_without_an_interval_nothing_is_clear() -> None:
    """A single document tells nothing of others."""
    alone = Score("tag_f1", 0.9, 500, 1)
    found = task_entry(TASK, 1, {}, (alone, ProbeScore("guess", alone, 1), [ProbeScore("word form", alone, 1)]))
    assert (found["clear_of_probe"], found["clear_of_prior"], found["score"]["interval"]) == (None, None, None)


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
    return {"split": "test", "tasks": tasks, "not_trained": untrained, "note": NOTE}


def test_the_plain_table_is_aligned_and_whole() -> None:
    """Golden lines: what a log or a pipe gets."""
    trained = [entry(0.41, 0.5, 0.6, probe=0.4), entry(5.0, 5.5, 6.1, probe=6.0, task=WORDS, labels=12345)]
    trained.append(task_entry(TASK, 4, {}, None))
    assert "\n".join(lines(report(trained, story="there is no decoder yet"))) == PLAIN.strip()


PLAIN = """
scores on the test split
task       kind       labels  metric                          score                 class prior  best probe       clear of it
made.tags  token      500     tag_f1                          0.500 [0.410, 0.600]  0.100        0.400 word form  yes
made.word  masked_lm  12,345  nats_per_word (less is better)  5.500 [5.000, 6.100]  0.100        6.000 word form  no
made.tags  token      0!      tag_f1                          -                     -            -                -
not trained: story: there is no decoder yet
! made.tags: only 0 held-out labels: read the interval, not the score
lost: made.tags: 4 rows, cut before what their label speaks of
lost: made.word: 4 rows, cut before what their label speaks of
class prior: the most frequent class (accuracy), a random guess at the train rates (F1), the frequency of the word (nats_per_word).
Scores on constructed labels tell whether a task can be learnt, not whether learning it helps another task.
"""  # noqa: E501  (as it is printed)


def printed(*, terminal: bool) -> str:
    """Return what is printed on a terminal, or elsewhere."""
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=140 if terminal else 40, color_system="standard"
    )
    show(report([entry(0.41, 0.5, 0.6, probe=0.4), entry(0.3, 0.4, 0.5, probe=0.45)]), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_gets_a_table_in_colour() -> None:
    """Green where the score is clear of the best probe, yellow where it is not."""
    text = printed(terminal=True)
    assert "\x1b[32m0.500 [0.410, 0.600]" in text
    assert "\x1b[33m0.400 [0.300, 0.500]" in text


def test_elsewhere_there_are_plain_lines() -> None:
    """No colour, no frame, and no line is broken."""
    text = printed(terminal=False)
    assert text.isascii()
    assert "\x1b" not in text
    assert text.splitlines()[-1] == NOTE


def test_square_brackets_in_names_are_no_markup() -> None:
    """A user's class or task may be called anything."""
    odd = entry(0.4, 0.5, 0.6, 0.3) | {"name": "[bold]x[/nothing]"}
    console = Console(file=io.StringIO(), width=140)
    console.print(render(report([odd], **{"[red]": "[/]"})))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
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


def encoded(counts: dict[str, int], skip: int) -> Encoded:
    """Return what the model knows of the rows: ``skip`` of each split lost their tags."""
    readings = {task.name: Reading.of(task) for task in (TASK, WORDS)}
    splits = {}
    for name, count in counts.items():
        empty = np.empty(0, np.int32)
        rows = np.arange(count)
        sequences = Sequences(rows, np.zeros(count + 1, np.int64), empty, empty, empty, empty)
        kept = np.arange(skip, count)
        labels = Labels(kept, 3 * np.arange(len(kept) + 1), np.tile([1, 0, 0], len(kept)), empty, empty, lost=skip)
        words = Labels(rows, np.zeros(count + 1, np.int64), empty, empty, empty, words=3 * count)
        parts = dict.fromkeys(readings.values(), sequences)
        splits[name] = EncodedSplit(parts, {TASK.name: labels, WORDS.name: words}, rows, np.zeros(count, np.uint8))
    nothing = np.empty((2, 0), np.float32)
    none = Bigrams(np.empty(0, np.int64), nothing, nothing, nothing, nothing)
    return Encoded(Letters(), none, (TASK, WORDS), readings, splits)  # type: ignore[arg-type]


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
    assert {item["name"]: item["value"] for item in first["probes"]} == {
        "the same words follow at once": 1.0,
        "word form": pytest.approx(2 / 3),
    }
    assert {item["labels"] for item in first["probes"]} == {54}
    assert first["probes"][0]["train_rows"] == 28
    assert first["clear_of_probe"] is False
    assert second["labels"]["train"] == 45
    assert second["probes"][0]["value"] == pytest.approx(-np.log(60 / 61))
    assert second["clear_of_probe"] is True
    assert found["not_trained"] == {"story": "no decoder"}
    assert (found["dataset"]["digest"], found["settings"], found["run"]) == ("abc", {"seed": 3}, {"steps": 7})
    assert {"python", "torch", "numpy"} <= set(found["versions"])
    assert found["note"] == NOTE


def test_a_task_without_held_out_labels_is_listed_without_scores(tmp_path: Path) -> None:
    """It was trained, and nothing is known of it."""
    data = encoded({"train": 30}, skip=0)
    dataset = Dataset(tmp_path, "abc", (TASK, WORDS), {"train": made(30)})
    found = build_report(dataset, data, [], split="", settings={}, untrained={})
    assert [item["score"] for item in found["tasks"]] == [None, None]
    assert "only 0 held-out labels" in found["tasks"][0]["warnings"][0]
