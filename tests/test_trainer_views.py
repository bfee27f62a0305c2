"""Tasks that are trained on a view of their source: labels follow the words, and held-out splits read the source."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from encoding import encoded
from gold_dataset import ACT, CLASSES, NER, SEGMENTS, TOPIC, write_gold
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import SCHEMA, TASKS, make_row

from labelers.ragged import Ragged
from labelers.task import Task
from trainer.data.carry import carried, opened_anew
from trainer.data.dataset import Dataset
from trainer.data.spans import tag_parts
from trainer.loop import train

pytestmark = pytest.mark.usefixtures("quick_probes")

SPLITS = {"train": range(12), "validation": range(12, 15), "test": range(15, 18)}
BIO = ("O", "B-x", "I-x", "B-y", "I-y")


def carry(labels: list[str | None], origin: list[int], classes: tuple[str, ...] = BIO) -> list[str | None]:
    """Return the tags of one row on a view of it."""
    numbers = [-1 if name is None else classes.index(name) for name in labels]
    source = Ragged.of(np.array([len(numbers)]), np.array(numbers, np.int8))
    found, places = carried(source, Ragged.of(np.array([len(origin)]), np.array(origin, np.int64)))
    tags = opened_anew(found, places, source, classes).values.tolist()
    return [None if tag < 0 else classes[tag] for tag in tags]


@pytest.mark.parametrize(
    ("labels", "origin", "expected"),
    [
        (["B-x", "I-x", "O"], [0, 1, 2], ["B-x", "I-x", "O"]),
        (["B-x", "I-x", "O"], [0, -1, 1, 2], ["B-x", None, "I-x", "O"]),
        (["B-x", "I-x", "I-x"], [1, 2], ["B-x", "I-x"]),
        (["B-x", "I-x", "I-x"], [0, 2], ["B-x", "I-x"]),
        (["B-x", "B-x", "I-x"], [0, 2], ["B-x", "B-x"]),
        (["B-x", "O", "B-y", "I-y"], [0, 3], ["B-x", "B-y"]),
        (["B-x", "I-x"], [1, 0], ["B-x", "I-x"]),
        (["B-x", "I-x", "O"], [0, 2, 1], ["B-x", "O", "B-x"]),
        (["O", None, "B-x"], [-1, 1, 2], [None, None, "B-x"]),
        (["B-x"], [-1, -1], [None, None]),
    ],
)
def test_tags_follow_their_words(labels: list[str | None], origin: list[int], expected: list[str | None]) -> None:
    """Inserted words have none and end no span; what is left of a span opens with its B."""
    assert carry(labels, origin) == expected


def test_a_type_without_an_inner_tag_keeps_what_it_has() -> None:
    """There is no class to change to."""
    assert carry(["B-x", "O"], [1, 0], ("O", "B-x")) == ["O", "B-x"]


def valid(tags: list[str | None]) -> bool:
    """Tell whether no I stands without a span of its type before it."""
    known = [tag for tag in tags if tag is not None]
    return all(
        not tag.startswith("I") or (i and known[i - 1][1:] == tag[1:] and known[i - 1] != "O")
        for i, tag in enumerate(known)
    )


@given(st.lists(st.sampled_from(BIO), min_size=1, max_size=12), st.data())
def test_tags_in_bio_stay_valid(tags: list[str], data: st.DataObject) -> None:
    """Whatever a view left out, inserted or moved; an unchanged copy of valid tags keeps them."""
    made: list[str | None] = []
    for tag in tags:  # make them valid
        made.append(tag if valid([*made, tag]) else f"B{tag[1:]}")
    origin = data.draw(st.lists(st.integers(-1, len(made) - 1), max_size=16))
    found = carry(made, origin)
    assert valid(found)
    assert [tag is None for tag in found] == [place < 0 for place in origin]
    kinds = [(None if tag is None else tag[1:]) for tag in found]
    assert kinds == [None if place < 0 else (made[place] or "")[1:] for place in origin]
    assert carry(made, list(range(len(made)))) == made


def test_rows_do_not_touch() -> None:
    """A span at the end of a row does not go on in the next one."""
    source = Ragged.of(np.array([1, 2]), np.array([1, 2, 0], np.int8))
    found, places = carried(source, Ragged.of(np.array([1, 2]), np.array([0, 0, 1])))
    assert opened_anew(found, places, source, BIO).values.tolist() == [1, 1, 0]
    assert tag_parts(BIO)[0].tolist() == ["O", "B", "I", "B", "I"]


def on(task: Task, view: str = "disfluency") -> Task:
    """Return a task that is trained on a view."""
    return dataclasses.replace(task, on=view)


def test_train_reads_the_view_and_held_out_splits_the_source(tmp_path: Path) -> None:
    """With every label at the sub-words of its word; rows without a view read the source."""
    path = write_gold(tmp_path / "set", (on(NER),), SPLITS)
    data = encoded(Dataset.open(path), Dataset.open(path).tasks, tmp_path)
    assert data.splits["train"].inputs["ner"].sequences == ("disfluency",)
    assert data.splits["test"].inputs["ner"].sequences == ("source",)
    for split, numbers in SPLITS.items():
        targets, sequences = data.splits[split].targets["ner"], data.splits[split].read("ner")
        for place, number in enumerate(numbers):
            row = make_row(number)
            view = row["disfluency"] if split == "train" else {"tokens": []}
            tokens = view["tokens"] or row["tokens"]
            origin = view["origin"] if view["tokens"] else range(len(tokens))
            found = np.asarray(targets.values[targets.offsets[place] : targets.offsets[place + 1]])
            kept = [i for i, source in enumerate(origin) if source >= 0]
            words = [tokens[i] for i in kept]
            tags = [CLASSES[tag] for tag in found]
            assert [tag in {"B-age", "I-age"} for tag in tags] == [w in {"very", "old"} for w in words]
            spans = np.asarray(targets.spans[targets.offsets[place] : targets.offsets[place + 1], :2])
            pieces = sequences.pieces[sequences.offsets[place] : sequences.offsets[place + 1]]
            spelled = data.tokenizer.encode(words)
            assert [pieces[a:b].tolist() for a, b in spans] == [
                spelled.values[a:b].tolist() for a, b in zip(spelled.offsets, spelled.offsets[1:], strict=False)
            ]


@pytest.mark.parametrize("task", [TOPIC, SEGMENTS, ACT], ids=lambda task: task.kind)
def test_passages_segments_and_turns_keep_their_labels(task: Task, tmp_path: Path) -> None:
    """A view has the parts of its source."""
    made = {}
    for name, item in (("view", on(task)), ("source", task)):
        path = write_gold(tmp_path / name, (item,), SPLITS)
        made[name] = encoded(Dataset.open(path), (item,), tmp_path / name).splits
    for split in SPLITS:
        view, source = (made[name][split].targets[task.name] for name in ("view", "source"))
        assert np.asarray(view.values).tolist() == np.asarray(source.values).tolist()
    longer = made["view"]["train"].read(task.name).lengths - made["source"]["train"].read(task.name).lengths
    assert longer.max() > 0
    assert (made["view"]["test"].read(task.name).lengths == made["source"]["test"].read(task.name).lengths).all()


def test_a_segment_of_which_nothing_is_left_has_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its label would stand at words of the next one."""

    def without_second(number: int, seed: int = 0) -> dict[str, Any]:
        row = make_row(number, seed)
        second, third = row["segments"][1], row["segments"][2]
        kept = [i for i in range(len(row["tokens"])) if not second <= i < third]
        view = row["disfluency"] | {"tokens": [row["tokens"][i] for i in kept], "origin": kept}
        return row | {"disfluency": view}

    monkeypatch.setattr("gold_dataset.make_row", without_second)
    path = write_gold(tmp_path / "set", (on(SEGMENTS), on(ACT)), SPLITS)
    splits = encoded(Dataset.open(path), Dataset.open(path).tasks, tmp_path).splits
    for name in ("sentence", "act"):
        assert np.diff(splits["train"].targets[name].offsets).tolist() == [2] * 12
        assert np.diff(splits["test"].targets[name].offsets).tolist() == [3] * 3
        whole = np.asarray(splits["test"].targets[name].values)
        assert splits["train"].targets[name].lost == 0
        assert len(whole) == 9


def test_the_view_of_a_labeler_may_be_the_woven_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset with a woven view has no others."""
    fields = [field for field in SCHEMA if field.name != "disfluency"]
    status = pa.field("disfluency", pa.struct([("status", pa.int8())]))
    monkeypatch.setattr("gold_dataset.SCHEMA", [*fields, status, SCHEMA.field("disfluency").with_name("woven")])
    monkeypatch.setattr(
        "gold_dataset.make_row", lambda number: make_row(number) | {"woven": make_row(number)["disfluency"]}
    )
    path = write_gold(tmp_path / "set", (on(NER),), SPLITS)
    (task,) = Dataset.open(path).tasks
    assert task.on == "woven"
    data = encoded(Dataset.open(path), (task,), tmp_path)
    longer = data.splits["train"].read("ner").lengths.sum()
    assert longer > sum(len(make_row(number)["tokens"]) for number in SPLITS["train"])
    assert data.splits["train"].inputs["ner"].sequences == ("woven",)


PAIR = next(task for task in TASKS if task.kind == "pair")
QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 4, "window": 2, "epochs": 1, "steps_per_epoch": 2, "threads": 1,
    "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (on(NER, "masking"), r"'ner' .* view 'masking', which the dataset does not have \(connective, disfluency\)"),
        (on(PAIR), r"'disfluency\.pair' \(pair on source and disfluency\) cannot be trained on the view 'disfluency'"),
        (dataclasses.replace(on(NER), sequences=("connective",)), r"'ner' \(token on connective\) cannot be trained"),
    ],
    ids=["no view", "pair", "not the source"],
)
def test_a_view_that_cannot_be_trained_on_is_an_error(task: Task, told: str, tmp_path: Path) -> None:
    """Before anything is written."""
    path = write_gold(tmp_path / "set", (task,), SPLITS)
    with pytest.raises(ValueError, match=told):
        train(path, tmp_path / "run", QUICK)
    assert not (tmp_path / "run").exists()


def test_a_run_trains_on_the_view_and_scores_the_source(tmp_path: Path) -> None:
    """The report counts the labels of either."""
    path = write_gold(tmp_path / "set", (on(NER), on(ACT)), SPLITS)
    report = train(path, tmp_path / "run", QUICK)
    (entry, _) = report["tasks"]
    tokens = [len(make_row(number)["tokens"]) for number in SPLITS["test"]]
    assert entry["labels"]["held_out"] == sum(tokens)
    assert entry["labels"]["train"] == sum(len(make_row(number)["tokens"]) for number in SPLITS["train"])
