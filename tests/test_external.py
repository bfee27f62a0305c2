"""A run's model on a dataset that it never saw: classes by name, spans by whether their form was trained on."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gold_dataset import CLASSES, NER, SEGMENTS, TOPIC, gold_row, write_gold
from rich.console import Console
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import precision_recall_fscore_support
from toy_kinds import NUMBER

from labelers.ragged import Ragged
from labelers.task import Task
from trainer.apply import predict
from trainer.data.dataset import Dataset
from trainer.external import evaluate
from trainer.folder import RunFolder
from trainer.kinds import kind_of
from trainer.loop import train
from trainer.score.by_class import by_class
from trainer.score.class_table import class_lines, show
from trainer.score.metrics import Predictions
from trainer.score.surfaces import read_forms
from trainer.score.table import lines

pytestmark = pytest.mark.usefixtures("quick_probes")

SPLITS = {"train": range(48), "validation": range(48, 60), "test": range(60, 84)}
QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 16, "bucket": 8, "window": 4, "epochs": 1, "steps_per_epoch": 12,
    "threads": 1, "device": "cpu", "evaluate_rows": 8, "primary": "ner",
}  # fmt: skip
OTHER = ("B-thing", "I-age", "O", "B-age")
"""The same classes in another order."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three gold tasks; its dataset is at ``set`` beside it."""
    folder = tmp_path_factory.mktemp("external")
    write_gold(folder / "set", (NER, TOPIC, SEGMENTS), SPLITS)
    train(folder / "set", folder / "run", QUICK)
    return folder / "run"


def other(folder: Path, classes: tuple[str, ...] = OTHER, task: Task = NER) -> Path:
    """Write a dataset of test rows alone, with other classes."""
    task = dataclasses.replace(task, classes=classes)
    return write_gold(folder, (task, TOPIC), {"test": range(60, 84)}, classes=classes)


def test_classes_are_matched_by_name(run: Path, tmp_path: Path) -> None:
    """The same rows with classes in another order, and without train rows, have the same scores."""
    report = json.loads((run / "report.json").read_text())
    made = evaluate(run, other(tmp_path / "other"))
    by_name = {entry["name"]: entry for entry in report["tasks"]}
    assert [entry["name"] for entry in made["tasks"]] == ["ner", "subject"]
    for entry in made["tasks"]:
        known = by_name[entry["name"]]
        assert entry["score"] == known["score"]
        assert entry["labels"]["held_out"] == known["labels"]["held_out"]
        assert entry.get("spans") == known.get("spans")
    assert made["tasks"][0]["spans"]["seen"]["spans"] > 0
    assert (made["split"], made["left_out"]) == ("test", {})


def test_a_dataset_may_be_open_and_tasks_chosen(run: Path, tmp_path: Path) -> None:
    """Those that are named; one that the model has no head for is told of."""
    without = dataclasses.replace(TOPIC, name="other")
    path = write_gold(tmp_path / "set", (NER, without), {"test": range(60, 70)})
    data = Dataset.open(path, train=False)
    made = evaluate(run, data, tasks=["ner"])
    assert [entry["name"] for entry in made["tasks"]] == ["ner"]
    assert made["left_out"] == {"other": "the model has no head for it"}
    with pytest.raises(
        ValueError, match=r"'other' is not a task of both .*set and the model in .*run, which share ner"
    ):
        evaluate(run, data, tasks=["ner", "other"])


def test_a_dataset_without_train_rows_is_opened_where_that_is_said(tmp_path: Path) -> None:
    """Training needs them."""
    path = other(tmp_path / "set")
    assert list(Dataset.open(path, train=False).splits) == ["test"]
    with pytest.raises(ValueError, match="has no train rows"):
        Dataset.open(path)
    with pytest.raises(ValueError, match="has no rows;"):
        Dataset.open(write_gold(tmp_path / "empty", (NER,), {}), train=False)


@pytest.mark.parametrize(
    ("task", "classes", "told"),
    [
        (
            NER,
            (*CLASSES, "B-place"),
            r"'ner' of .* has the class 'B-place', which the model does not know; it knows O, B-",
        ),
        (NER, (*CLASSES, "B-a", "I-a"), "has the classes 'B-a', 'I-a', which"),
        (NER, (*CLASSES, *(f"B-{i}" for i in range(30))), r"the classes 'B-0', .*, 'B-9' and 20 more, which the"),
        (
            dataclasses.replace(SEGMENTS, name="ner"),
            ("plain", "aged"),
            "is of kind segment, but the model was trained on it as token",
        ),
    ],
    ids=["class", "classes", "many", "kind"],
)
def test_what_the_model_does_not_know_is_an_error(
    run: Path, tmp_path: Path, task: Task, classes: tuple[str, ...], told: str
) -> None:
    """It names what is unknown, and what is known."""
    path = write_gold(tmp_path / "set", (dataclasses.replace(task, classes=classes),), {"test": range(4)})
    with pytest.raises(ValueError, match=told):
        evaluate(run, path)


def test_no_shared_task_and_no_such_split_are_errors(run: Path, tmp_path: Path) -> None:
    """With what there is."""
    path = write_gold(tmp_path / "set", (dataclasses.replace(NER, name="names"),), {"test": range(4)})
    with pytest.raises(ValueError, match=r"has no head for a task of .*set \(names\); it has ner, subject, sentence"):
        evaluate(run, path)
    with pytest.raises(ValueError, match="has no rows in the split 'validation'; it has test"):
        evaluate(run, path, split="validation")


def test_scores_of_each_type_are_those_of_seqeval(run: Path, tmp_path: Path) -> None:
    """Precision, recall and F1 of all spans and of each type."""
    (found, *_) = predict(run, run.parent / "set")
    cuts = np.flatnonzero(np.diff(found.rows)) + 1
    names = np.array(found.task.classes)
    gold, said = ([part.tolist() for part in np.split(names[tags], cuts)] for tags in (found.gold, found.predicted))
    entries = {entry["class"]: entry for entry in by_class(found)}
    assert set(entries) == {"age", "thing"}
    for number, name in enumerate(("age", "thing")):
        entry = entries[name]
        for key, oracle in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            assert entry[key] == pytest.approx(oracle(gold, said, average=None)[number])
    (entry, _) = evaluate(run, other(tmp_path / "set"))["tasks"]
    assert entry["score"]["value"] == pytest.approx(f1_score(gold, said))
    assert {item["class"]: item for item in entry["classes"]} == entries


def predictions(gold: Any, predicted: Any, **task: Any) -> Predictions:
    """Return predictions of a passage task, a row for each label."""
    item = dataclasses.replace(TOPIC, **{"classes": ("a", "b", "c"), **task})
    rows = np.arange(len(gold))
    return Predictions(item, np.array(gold), np.array(predicted), np.empty(0), rows, rows)


def test_scores_of_each_class_are_those_of_scikit_learn() -> None:
    """A class that was neither there nor predicted is left out; what cannot be divided is unknown."""
    gold, said = [0, 0, 1, 1, 1], [0, 1, 1, 1, 0]
    entries = by_class(predictions(gold, said))
    assert [entry["class"] for entry in entries] == ["a", "b"]
    for key, values in zip(
        ("precision", "recall", "f1", "labels"), precision_recall_fscore_support(gold, said), strict=True
    ):
        assert [entry[key] for entry in entries] == pytest.approx(values.tolist())
    (_, only) = by_class(predictions([0, 0], [0, 2]))
    assert (only["precision"], only["recall"], only["labels"], only["predicted"]) == (0.0, None, 0, 1)


def test_labels_of_several_classes_and_tags_and_numbers() -> None:
    """A column is a class; outside is none; numbers have none."""
    both = by_class(predictions([[True, False, True], [True, True, False]], [[True, False, False], [True, True, True]]))
    assert [(entry["class"], entry["precision"], entry["recall"]) for entry in both] == [
        ("a", 1.0, 1.0), ("b", 1.0, 1.0), ("c", 0.0, 0.0),
    ]  # fmt: skip
    assert [entry["class"] for entry in by_class(predictions([0, 1], [0, 1], metric="tag_f1"))] == ["b"]
    assert by_class(predictions([0.5], [0.1])) == []
    assert by_class(predictions([0], [0], classes=())) == []


def test_labels_get_other_numbers_as_their_kind_says() -> None:
    """Classes, several classes at once; a kind that does not say it is an error."""
    numbers = np.array([2, 0])
    assert kind_of(TOPIC).renumbered(np.array([0, 1, 1]), numbers, 3).tolist() == [2, 0, 0]  # type: ignore[union-attr]
    columns = NUMBER.renumbered(np.array([[True, False]]), numbers, 3)
    assert columns.tolist() == [[False, False, True]]  # type: ignore[union-attr]
    for values in (np.array([0.5]), Ragged.of(np.array([1]), np.array([1]))):
        with pytest.raises(ValueError, match="NumberKind has labels that cannot be matched by the names"):
            NUMBER.renumbered(values, numbers, 3)


def test_a_run_keeps_the_forms_of_its_spans_as_digests(run: Path, tmp_path: Path) -> None:
    """None of them says what it is of; other tasks have none, and a run without spans no file."""
    forms = read_forms(RunFolder(run).forms)
    things = {text for number in SPLITS["train"] for text in gold_row(number)["tokens"]} - {
        "the", "needs", "has", ".", "very", "old",
    }  # fmt: skip
    assert set(forms) == {"ner"}
    assert len(forms["ner"]) == len({*things, "very old"})
    text = RunFolder(run).forms.read_text()
    assert not any(name in text for name in (*things, "old"))
    path = write_gold(tmp_path / "set", (TOPIC,), {"train": range(8)})
    train(path, tmp_path / "run", QUICK | {"primary": "", "steps_per_epoch": 1}, stop_after=1)
    assert not RunFolder(tmp_path / "run").forms.exists()
    assert read_forms(RunFolder(tmp_path / "run").forms) == {}


def test_recall_is_told_apart_by_whether_the_form_was_seen(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case does not matter; a run of an earlier version knows no forms."""
    made = gold_row

    def renamed(number: int, **more: Any) -> dict[str, Any]:
        row = made(number, **more)
        names = {"bread": "Bread", "oven": "kiln"}
        return row | {"tokens": [names.get(text, text) for text in row["tokens"]]}

    monkeypatch.setattr("gold_dataset.gold_row", renamed)
    path = write_gold(tmp_path / "set", (NER,), {"test": range(60, 84)})
    tokens = [text for number in range(60, 84) for text in made(number)["tokens"]]
    (entry,) = evaluate(run, path)["tasks"]
    assert entry["spans"]["unseen"]["spans"] == tokens.count("oven") > 0
    total = sum(item["labels"] for item in entry["classes"])
    assert entry["spans"]["seen"]["spans"] + entry["spans"]["unseen"]["spans"] == total
    right = sum(item["labels"] * item["recall"] for item in entry["classes"])
    parts = entry["spans"].values()
    assert sum(part["spans"] * part["recall"] for part in parts) == pytest.approx(right)
    forms = RunFolder(run).forms
    kept = forms.read_bytes()
    forms.unlink()
    assert "spans" not in evaluate(run, path)["tasks"][0]
    forms.write_bytes(kept)


def test_the_table_has_a_line_for_each_class(run: Path, tmp_path: Path) -> None:
    """Below the task; the notes tell of seen forms, few labels and what was left out."""
    path = write_gold(tmp_path / "set", (NER, TOPIC, dataclasses.replace(TOPIC, name="rest")), {"test": range(60, 66)})
    report = evaluate(run, path)
    text = class_lines(report)
    assert text[0] == f"scores of {run} on the test split of {path}"
    assert text[1].split() == ["task", "labels", "metric", "score,", "95", "%", "interval"]
    assert text[2].split() == ["class", "precision", "recall", "F1", "labels"]
    assert [line.split()[0] for line in text[3:8]] == ["ner", "age", "thing", "subject", "long"]
    assert max(map(len, text[1:])) <= 80
    notes = " ".join(map(str.strip, text))
    spans = report["tasks"][0]["spans"]
    assert f"of {spans['seen']['spans']} spans whose form occurs in the train split, - of 0 spans of new forms" in notes
    assert "! subject: only 6 labels: read the interval, not the score" in notes
    assert "not scored: rest: the model has no head for it" in notes
    console = Console(file=io.StringIO(), width=80)
    show(report, console)
    assert console.file.getvalue().splitlines() == text  # type: ignore[attr-defined]


def test_the_report_of_a_run_tells_seen_forms_apart(run: Path) -> None:
    """As a note below its table."""
    report = json.loads((run / "report.json").read_text())
    assert "ner: recall " in " ".join(lines(report))
    spans = {entry["name"]: entry.get("spans") for entry in report["tasks"]}
    assert spans["subject"] is spans["sentence"] is None
    assert spans["ner"]["unseen"] == {"recall": None, "spans": 0}


def test_labels_that_are_missing_have_no_score(run: Path, tmp_path: Path) -> None:
    """The table says so."""
    path = write_gold(tmp_path / "set", (NER, TOPIC), {"test": range(60, 66)}, labelled={"test": 0})
    report = evaluate(run, path)
    assert [entry["score"] for entry in report["tasks"]] == [None, None]
    assert "! ner: no label, so no score" in class_lines(report)
