"""Dependency trees: the best tree, where its arcs stand, what they cost, how they are scored and learnt."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from encoding import encoded
from hypothesis import given
from hypothesis import strategies as st
from resuming import resumed_alike
from tiny_dataset import GOLD_TASKS, SCHEMA, make_row, write_dataset

from labelers.task import Task
from labelers.text.document import Document
from trainer.data.batch import TaskSlice, collate
from trainer.data.dataset import Dataset, Split, Types
from trainer.kinds import kind_of, untrained
from trainer.kinds.arc import KIND
from trainer.loop import train
from trainer.model.biaffine import BiaffineHead
from trainer.model.model import Model
from trainer.predict import load
from trainer.score.attachment import ARC_METRICS, FrequentOffset, OffsetByForm
from trainer.score.beside import further_scores
from trainer.score.metrics import Predictions, score
from trainer.score.rows import TaskRows, read_rows
from trainer.score.table import task_notes
from trainer.score.trees import spanning_tree
from trainer.settings import make_settings

TREE = next(task for task in GOLD_TASKS if task.kind == "arc")


def is_tree(heads: tuple[int, ...]) -> bool:
    """Tell whether one token is its own head and all others lie below it."""
    if sum(head == place for place, head in enumerate(heads)) != 1:
        return False
    reached = np.arange(len(heads))
    for _ in heads:
        reached = np.array(heads)[reached]
    return len(set(reached.tolist())) == 1


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.floats(-9, 9), min_size=n * n, max_size=n * n)))
def test_the_best_tree_is_that_of_a_search_through_all(values: list[float]) -> None:
    """With exactly one root, however much better two would be."""
    count = math.isqrt(len(values))
    scores, places = np.array(values).reshape(count, count), np.arange(count)
    best = max(scores[places, heads].sum() for heads in itertools.product(range(count), repeat=count) if is_tree(heads))
    found = spanning_tree(scores)
    assert is_tree(tuple(found.tolist()))
    assert scores[places, found].sum() == pytest.approx(best, abs=1e-9)


def test_large_sentences_have_trees() -> None:
    """Hundreds of tokens, in which cycle after cycle is broken."""
    scores = np.random.default_rng(0).normal(size=(300, 300)).round(1)
    assert is_tree(tuple(spanning_tree(scores).tolist()))
    assert spanning_tree(np.empty((0, 0))).tolist() == []


def split_of(*rows: dict[str, Any]) -> Split:
    """Return rows as a split: tokens, segments, heads and relations, or none for a row without labels."""
    filled = []
    for number, row in enumerate(rows):
        heads = row.get("heads", [])
        tree = {"status": 0 if heads else 2, "heads": heads, "relations": row.get("relations", [0] * len(heads))}
        own = {"tokens": row["tokens"].split(), "segments": row.get("segments", [0]), "turns": [], "roles": []}
        filled.append({**make_row(number), **own, "id": str(number), "document": str(number), "tree": tree})
    return Split("train", pa.Table.from_pylist(filled, schema=SCHEMA))


def read(*rows: dict[str, Any]) -> TaskRows:
    """Return the rows as baselines read them."""
    split = split_of(*rows)
    return read_rows(split, TREE, Types(), np.flatnonzero(kind_of(TREE).present(split, TREE)))


def test_a_label_is_a_place_in_the_segment_and_a_relation() -> None:
    """The token's own place is the root; a row without labels has none."""
    found = read(
        {"tokens": "a b c d e", "segments": [0, 2], "heads": [1, 1, 4, 2, 4], "relations": [1, 0, 2, 3, 0]},
        {"tokens": "x y"},
    )
    assert found.labels.tolist() == [[1, 1, 1], [1, 0, 1], [2, 2, 1], [0, 3, 1], [2, 0, 1]]
    assert found.positions.tolist() == [0, 1, 2, 3, 4]
    assert found.owners.tolist() == [0] * 5


def test_a_token_without_a_head_may_be_one() -> None:
    """It stands among the labels of its segment and counts for nothing; so does one whose head stands elsewhere."""
    found = read({"tokens": "a b c d e f", "segments": [0, 3, 5], "heads": [1, -1, 5, -1, -1, 5]})
    assert found.labels[:, 2].tolist() == [1, 0, 0, 1]
    assert found.positions.tolist() == [0, 1, 2, 5]  # nobody has a head in the second segment
    said = found.labels.copy()
    said[1:3, 0] = 2
    nothing = np.zeros(4, np.int64)
    right = Predictions(TREE, found.labels, said, np.empty(0), nothing, nothing)
    assert score(right).value == 1.0
    scores = torch.zeros(4, 3, 6)
    assert (KIND.losses(scores, torch.from_numpy(found.labels)) > 0).tolist() == [True, False, False, True]


def test_segments_without_a_token_hold_no_arc() -> None:
    """At the end of a row and before another segment."""
    found = read({"tokens": "a b", "segments": [0, 0, 2], "heads": [1, 1]}, {"tokens": "c", "heads": [0]})
    assert found.labels.tolist() == [[1, 0, 1], [1, 0, 1], [0, 0, 1]]


def predictions(gold: list[tuple[int, int, int]], said: list[tuple[int, int]], metric: str) -> Predictions:
    """Return predictions, each in a document of its own."""
    task = dataclasses.replace(TREE, metric=metric)
    every = np.arange(len(gold))
    filled = np.array([(*pair, 1) for pair in said])
    return Predictions(task, np.array(gold), filled, np.empty(0), every, every)


def test_attachment_scores() -> None:
    """The head alone, or with its relation; what has no label is not counted."""
    gold, said = [(0, 1, 1), (0, 2, 1), (3, 3, 1), (1, 1, 0)], [(0, 1), (0, 1), (2, 3), (5, 5)]
    assert score(predictions(gold, said, "uas")).value == pytest.approx(2 / 3)
    assert score(predictions(gold, said, "las")).value == pytest.approx(1 / 3)
    assert list(ARC_METRICS) == ["las", "uas"]


def test_the_probe_knows_the_commonest_offset_of_a_form() -> None:
    """And its commonest relation; the root is a value of its own, and so is what would lie outside."""
    train_rows = read(
        {"tokens": "the dog ran", "heads": [1, 2, 2], "relations": [1, 3, 0]},
        {"tokens": "the old dog", "heads": [2, 2, 2], "relations": [1, 2, 0]},
        {"tokens": "dog ran", "heads": [1, 1], "relations": [3, 0]},
        {"tokens": "the cat", "heads": [1, 1], "relations": [1, 0]},
    )
    held = read({"tokens": "dog the ran the", "heads": [2, 2, 2, 2]})
    held = held.replaced(parts=train_parts(train_rows, held))
    said = OffsetByForm().predict(train_rows, held, 0)
    assert said.tolist() == [[1, 3, 1], [2, 1, 1], [2, 0, 1], [3, 1, 1]]
    assert FrequentOffset().predict(train_rows, held, 0)[:, 0].tolist() == [1, 2, 3, 3]


def test_a_report_shows_unlabelled_attachment_beside_labelled() -> None:
    """With its own best baseline; a task without relations has that score alone."""
    rows = read({"tokens": "the old dog ran", "heads": [2, 2, 3, 3], "relations": [1, 2, 3, 0]})
    gold, said = [(2, 1, 1), (2, 2, 1), (3, 3, 1), (3, 0, 1)], [(2, 2), (2, 2), (3, 3), (0, 0)]
    found = further_scores(predictions(gold, said, "las"), rows=(rows, rows))["beside"]
    assert found["uas"]["score"]["value"] == pytest.approx(3 / 4)
    assert found["uas"]["baseline"]["name"] == "commonest offset per word form"
    assert found["uas"]["baseline"]["value"] == 1.0
    assert further_scores(predictions(gold, said, "uas")) == {}
    (note,) = task_notes({"beside": found})
    assert note == "uas 0.750 [0.250, 1.000], best baseline 1.000 commonest offset per word form"


def train_parts(known: TaskRows, held: TaskRows) -> Any:
    """Return the tokens of the held-out rows by the codes of the train rows."""
    texts = list(held.types.codes)
    codes = np.array([known.types.codes[text] for text in texts])
    return tuple(dataclasses.replace(part, values=codes[part.values]) for part in held.parts)


def test_what_cannot_be_trained_says_why() -> None:
    """Relations need names; arcs need no relations."""
    assert "no names" in untrained(dataclasses.replace(TREE, classes=()))
    assert untrained(dataclasses.replace(TREE, classes=(), relations=None)) == ""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset with its trees, with and without relations."""
    bare = dataclasses.replace(TREE, name="bare", classes=(), relations=None, metric="uas")
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("arcs") / "set", rows=96, tasks=(TREE, bare)))


def made(dataset: Dataset, folder: Path, task: Task) -> tuple[Any, Model]:
    """Return the dataset, encoded for a task, and a model of it."""
    data = encoded(dataset, [task], folder)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return data, Model([task], folder / "learnt", make_settings({"model": {"vocabulary": 320}})).eval()


@pytest.mark.parametrize("number", [0, 1])
def test_other_sentences_and_padding_change_nothing(dataset: Dataset, tmp_path: Path, number: int) -> None:
    """A row has the scores that it has alone: heads are sought in its own sentences, and each has one root."""
    task = dataset.tasks[number]
    data, model = made(dataset, tmp_path, task)
    with torch.no_grad():
        batch = collate(data, "train", [[TaskSlice(task, np.arange(6))], [TaskSlice(task, np.array([7, 7]))]])
        together, items = model(batch)[task.name], batch.items[task.name]
        for row, count in ((2, 1), (7, 2)):
            single = collate(data, "train", [[TaskSlice(task, np.array([row]))]])
            split_row = int(single.items[task.name].row[0])
            alone = model(single)[task.name]
            same = together[items.row == split_row]
            assert len(same) == count * len(alone)
            width = alone.shape[2]
            torch.testing.assert_close(same[: len(alone), :, :width], alone, rtol=1e-4, atol=1e-4)
            assert bool((same[:, :, width:] == -math.inf).all())
    said = kind_of(task).predict(together)
    first = items.spans[:, 2]
    for start in first.unique():
        inside = (first == start).nonzero()[:, 0][:6]
        size = int((items.spans[inside[0], 3] > items.spans[:, 0])[first == start].sum())
        assert int(said[first == start, 0].max()) < size


def test_in_training_relations_are_those_to_the_head_that_people_gave(dataset: Dataset, tmp_path: Path) -> None:
    """In evaluation those to the head in the tree."""
    data, model = made(dataset, tmp_path, TREE)
    batch = collate(data, "train", [[TaskSlice(TREE, np.arange(4))]])
    head = model.head(TREE)
    assert isinstance(head, BiaffineHead)
    evaluated = model(batch)[TREE.name]
    head.train()
    trained = model(batch)[TREE.name]
    assert trained[:, 2].argmax(1).tolist() == batch.items[TREE.name].label[:, 0].tolist()
    changed = (trained[:, 2] != evaluated[:, 2]).any(1)
    assert bool(changed.any())
    assert bool((evaluated[:, 2].argmax(1) == kind_of(TREE).predict(evaluated)[:, 0]).all())


def test_rows_of_which_a_sentence_was_cut_are_counted(dataset: Dataset, tmp_path: Path) -> None:
    """They lose their labels, as with tags."""
    whole, cut = (encoded(dataset, [TREE], tmp_path / str(n), max_pieces=n) for n in (384, 30))
    all_rows, left = (item.splits["train"].targets[TREE.name] for item in (whole, cut))
    assert all_rows.lost == 0
    assert left.lost > 0
    assert left.lost + len(left) == len(all_rows)


def test_trees_are_learnt(dataset: Dataset, tmp_path: Path) -> None:
    """Those of the grammar, better than any baseline."""
    settings = {
        "model": {"vocabulary": 320}, "rows": 16, "bucket": 16, "window": 2, "steps_per_epoch": 30, "epochs": 1,
        "learning_rate": 5e-3, "threads": 1, "device": "cpu",
    }  # fmt: skip
    report = train(dataset.path, tmp_path / "run", settings)
    named, bare = report["tasks"]
    assert named["score"]["value"] > 0.95
    assert bare["score"]["value"] > 0.95
    assert named["better_than_baseline"]
    sentence = ["the", "very", "old", "mill", "needs", "wheat", "."]
    document = Document("d", tokens=tuple(sentence * 2), segments=(0, 7))
    (said,) = load(tmp_path / "run").predict_documents([document])
    one = [3, 3, 3, 4, 4, 4, 4]
    assert said.tasks["tree"].heads == said.tasks["bare"].heads == [*one, *(head + 7 for head in one)]
    assert said.tasks["tree"].relations == ["det", "mod", "mod", "subj", "root", "obj", "punct"] * 2
    assert said.tasks["bare"].relations is None
    assert named["lost"] == {"train": 0, "validation": 0, "test": 0}


def test_a_resumed_run_leaves_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    """Wherever it was stopped."""
    resumed_alike(dataset.path, tmp_path)
