"""The model: batches, masking, heads and losses; padding and neighbours in a batch change nothing, nothing leaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from encoding import encoded
from tiny_dataset import GOLD_TASKS, TASKS, write_dataset

from labelers.task import Task
from trainer.data.batch import Batch, Items, Noise, TaskSlice, collate
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset
from trainer.encoders.encoder import States
from trainer.evaluate import evaluate, uninformed
from trainer.kinds import LATER, names, untrained
from trainer.kinds.turn import TurnHead
from trainer.model.heads import pooled
from trainer.model.model import Model
from trainer.schedule.streams import Streams
from trainer.settings import make_settings

TRAINED = tuple(task for task in TASKS if task.kind != "generation")
BY_NAME = {task.name: task for task in TRAINED}
SETTINGS = make_settings({"model": {"vocabulary": 320}, "outside_weight": 1.0})
PAD, CLS, SEP, MASK, ROLE_MASK, ROLE = range(6)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the dataset and what is learnt of it."""
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def data(learnt: Path) -> EncodedDataset:
    """The tiny dataset, encoded."""
    return encoded(Dataset.open(write_dataset(learnt / "set", rows=60)), TRAINED, learnt)


@pytest.fixture(scope="module")
def model(data: EncodedDataset, learnt: Path) -> Model:
    """A model with its first weights."""
    torch.manual_seed(0)
    made = Model(data.tasks, learnt / "learnt", SETTINGS).eval()
    for name, parameter in made.named_parameters():
        if ".bags." in name:  # zeros at first
            torch.nn.init.normal_(parameter)
    return made


def batch_of(data: EncodedDataset, *buckets: list[tuple[str, list[int]]], noise: Noise | None = None) -> Batch:
    """Return a batch of (task, rows) in buckets."""
    targets = data.splits["train"].targets
    requests = [
        [TaskSlice(BY_NAME[name], np.array(rows) % len(targets[name])) for name, rows in bucket] for bucket in buckets
    ]
    return collate(data, "train", requests, noise)


def test_scores_do_not_depend_on_padding_buckets_or_neighbours(data: EncodedDataset, model: Model) -> None:
    """A row alone, beside a longer one, and in a second bucket behind other tasks."""
    lengths = data.splits["train"].read("disfluency.tags").lengths
    short, long = int(lengths.argmin()), int(lengths.argmax())
    with torch.no_grad():
        for name in BY_NAME:
            alone = model(batch_of(data, [(name, [short])]))[name]
            both = batch_of(data, [(name, [short, long])])
            row = batch_of(data, [(name, [short])]).items[name].row[0]
            beside = model(both)[name][both.items[name].row == row]
            others = [(other, [long, 1, 2]) for other in BY_NAME if other != name]
            behind = model(batch_of(data, others, [(name, [short])]))
            torch.testing.assert_close(beside, alone, atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(behind[name][-len(alone) :], alone, atol=2e-5, rtol=1e-4)


def test_a_sequence_that_two_tasks_read_is_encoded_once(data: EncodedDataset) -> None:
    """Both topic tasks read the source; the tags have a view of their own."""
    batch = batch_of(data, [("topic.long", [0, 1]), ("topic.craft", [1, 2]), ("disfluency.tags", [1])])
    assert len(batch.buckets[0].lengths) == 4
    assert batch.items["topic.craft"].row.tolist() == [1, 1, 1, 2, 2, 2]


def test_a_masked_word_leaves_no_trace_in_what_the_encoder_reads(data: EncodedDataset, model: Model) -> None:
    """Two rows that differ only in their masked words get the same scores."""
    train = data.splits["train"]
    inputs = train.inputs["masking.word"]
    known = train.sequences[inputs]
    hidden = (np.asarray(known.word) >= 0) & (np.asarray(known.draw) < 256 * inputs.rate)
    pieces = np.array(known.pieces)
    pieces[hidden] = data.tokenizer.plain.stop - 1 - pieces[hidden] % 50
    changed = dataclasses.replace(
        train, sequences={**train.sequences, inputs: dataclasses.replace(known, pieces=pieces.astype(np.int32))}
    )
    other = dataclasses.replace(data, splits={**data.splits, "train": changed})
    requests = [[TaskSlice(BY_NAME["masking.word"], np.arange(20))]]
    with torch.no_grad():
        one = collate(data, "train", requests)
        two = collate(other, "train", requests)
        assert torch.equal(model(one)["masking.word"], model(two)["masking.word"])
    assert (one.items["masking.word"].label != two.items["masking.word"].label).any()


def test_masks_of_an_epoch_are_other_words_than_those_before(data: EncodedDataset) -> None:
    """The draw is turned: 15 % of the words, others each time, all of them within seven epochs."""
    rows = list(range(60))
    words = data.splits["train"].targets["masking.word"].candidates
    seen: list[set[tuple[int, int]]] = []
    for epoch in range(7):
        noise = Noise.of(0, epoch, 0, 0.15, data.tokenizer)
        items = batch_of(data, [("masking.word", rows)], noise=noise).items["masking.word"]
        seen.append(set(zip(items.row.tolist(), items.unit.tolist(), strict=True)))
        assert len(seen[-1]) == pytest.approx(0.15 * words, rel=0.3)
    assert len(seen[0] & seen[1]) <= 0.1 * len(seen[0])
    assert len(set.union(*seen)) == words


def test_of_masked_words_most_are_hidden_some_replaced_some_kept(data: EncodedDataset) -> None:
    """80, 10 and 10 %, whole words; the label is what stood there."""
    shares = np.zeros(3)
    for epoch in range(7):
        noise = Noise.of(0, epoch, epoch, 0.15, data.tokenizer)
        batch = batch_of(data, [("masking.word", list(range(60)))], noise=noise)
        items = batch.items["masking.word"]
        read = batch.buckets[0].pieces.flatten()[items.spans[:, 0]].numpy()
        same = read == items.label.numpy()
        shares += [(read == MASK).sum(), ((read != MASK) & ~same).sum(), same.sum()]
        by_word: dict[tuple[int, int], set[bool]] = {}
        for row, word, mask in zip(items.row.tolist(), items.unit.tolist(), (read == MASK).tolist(), strict=True):
            by_word.setdefault((row, word), set()).add(mask)
        assert all(len(kinds) == 1 for kinds in by_word.values())
    assert shares / shares.sum() == pytest.approx([0.8, 0.1, 0.1], abs=0.04)


def test_evaluation_hides_all_targets(data: EncodedDataset) -> None:
    """No kept word gives its answer away."""
    batch = batch_of(data, [("masking.word", list(range(20)))])
    read = batch.buckets[0].pieces.flatten()[batch.items["masking.word"].spans[:, 0]]
    assert (read == MASK).all()


def test_pooled_spans_are_means_and_maxima() -> None:
    """An empty span gives zeros and no error."""
    states = torch.arange(12.0).view(6, 2)
    mean, top = pooled(lambda places: states[places], torch.tensor([0, 4, 2]), torch.tensor([3, 5, 2]), 6)
    assert mean.tolist() == [[2.0, 3.0], [8.0, 9.0], [0.0, 0.0]]
    assert top[:2].tolist() == [[4.0, 5.0], [8.0, 9.0]]


def test_the_loss_of_a_task_is_the_weighted_sum_over_its_labels(
    data: EncodedDataset, model: Model, learnt: Path
) -> None:
    """Row weights count; tags outside count as the settings say."""
    batch = batch_of(data, [("topic.long", [0, 1]), ("disfluency.tags", [0, 1])])
    with torch.no_grad():
        scores = model(batch)
        losses = model.losses(batch, scores)
        light = Model(data.tasks, learnt / "learnt", SETTINGS.model_copy(update={"outside_weight": 0.25}))
        lighter = light.losses(batch, scores)
    nats = torch.nn.functional.cross_entropy(scores["topic.long"], batch.items["topic.long"].label, reduction="none")
    assert losses["topic.long"] == pytest.approx(float(nats[0] + 0.5 * nats[1]))
    gold = batch.items["disfluency.tags"].label
    tags = torch.nn.functional.cross_entropy(scores["disfluency.tags"], gold, reduction="none")
    assert lighter["disfluency.tags"] == pytest.approx(float(tags[gold > 0].sum() + 0.25 * tags[gold == 0].sum()))
    assert losses["disfluency.tags"] == pytest.approx(float(tags.sum()))


def test_masked_words_share_the_embedding_of_the_encoder(data: EncodedDataset, model: Model) -> None:
    """One matrix, one parameter."""
    names = [name for name, value in model.named_parameters() if value.shape == model.encoder.embedding.weight.shape]
    assert names == ["encoder.embedding.weight"]


def test_predictions_of_words_count_each_word_once(data: EncodedDataset, model: Model) -> None:
    """The loss of a word is that of its pieces; labels come in the order of the rows, with their documents."""
    found = {item.task.name: item for item in evaluate(model, data, "test", probabilities=True)}
    words = found["masking.word"]
    known = data.splits["test"].read("masking.word")
    hidden = (np.asarray(known.word) >= 0) & (np.asarray(known.draw) < 256 * 0.15)
    owner = np.repeat(known.rows, known.lengths)
    assert len(words.gold) == len(set(zip(owner[hidden].tolist(), known.word[hidden].tolist(), strict=True)))
    assert (np.diff(words.rows) >= 0).all()
    assert words.loss.mean() > np.log(len(data.tokenizer)) / 2
    for item in found.values():
        assert (data.splits["test"].documents[item.rows] == item.documents).all()
        if item.probabilities is not None:
            assert (item.probabilities.argmax(1) == item.predicted).all()
    assert found["connective"].gold.tolist() == data.splits["test"].targets["connective"].values.tolist()


def test_a_sample_of_rows_is_evaluated_where_that_is_asked(data: EncodedDataset, model: Model) -> None:
    """The same rows each time."""
    some = {item.task.name: item for item in evaluate(model, data, "test", rows=4, seed=1)}
    assert len(set(some["topic.long"].rows.tolist())) == 4
    again = {item.task.name: item for item in evaluate(model, data, "test", rows=4, seed=1)}
    assert (some["topic.long"].rows == again["topic.long"].rows).all()


class _Narrow:
    """What a head asks of an encoder of width 4 without layers."""

    width, depth, features = 4, 0, 0
    embedding = torch.nn.Embedding(100, 4)


def test_a_turn_is_read_beside_what_opens_the_turns_around_it() -> None:
    """Two before and two behind, of its own row alone."""
    text = 99
    pieces = torch.tensor([CLS, ROLE, text, ROLE_MASK, text, ROLE, SEP, CLS, ROLE, text, SEP])
    places = torch.arange(len(pieces), dtype=torch.float32)[:, None].repeat(1, 4)
    openers = (pieces == ROLE) | (pieces == ROLE_MASK)
    rows = torch.tensor([0] * 7 + [1] * 4)
    states = States([places], torch.zeros(len(pieces), 0), pieces, openers, rows)
    spans = torch.tensor([[3, 5, 0, 0], [5, 6, 0, 0], [8, 10, 0, 0]])
    items = Items(torch.zeros(3), spans, torch.tensor([0, 0, 7]), torch.ones(3), np.zeros(3), np.zeros(3))
    head = TurnHead(BY_NAME["masking.role"], _Narrow(), SETTINGS)  # type: ignore[arg-type]
    assert head.features(states, items)[:, 12::4].tolist() == [[0, 1, 5, 0], [1, 3, 0, 0], [0, 0, 0, 0]]
    alone = dataclasses.replace(states, openers=torch.zeros_like(openers))  # roles that are not read
    assert not head.features(alone, items)[:, 12:].any()


def test_uninformed_are_the_cross_entropy_of_the_train_pieces(data: EncodedDataset) -> None:
    """With one added to each piece, per masked word of the split."""
    found = uninformed(data, "test")
    assert list(found) == ["masking.word"]
    inputs = data.splits["test"].inputs["masking.word"]
    train, held = (data.splits[name].sequences[inputs] for name in ("train", "test"))
    counts = np.bincount(train.pieces[np.asarray(train.word) >= 0], minlength=len(data.tokenizer)) + 1
    words: dict[tuple[int, int], float] = {}
    for row in range(len(held.offsets) - 1):
        for place in range(held.offsets[row], held.offsets[row + 1]):
            if held.word[place] >= 0 and held.draw[place] < 256 * inputs.rate:
                nats = -np.log(counts[held.pieces[place]] / counts.sum())
                words[row, held.word[place]] = words.get((row, held.word[place]), 0.0) + nats
    assert found["masking.word"] == pytest.approx(np.mean(list(words.values())))
    assert uninformed(data, "nowhere") == {}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "generation"}, "no head for the kind generation"),
        ({"kind": "passage", "multi": True, "classes": ("a", "b")}, "several labels per item"),
        ({"kind": "passage", "classes": ("a",)}, "fewer than two classes"),
    ],
)
def test_what_cannot_be_trained_says_why(values: dict[str, object], reason: str) -> None:
    """Instead of an error."""
    assert reason in untrained(dataclasses.replace(TASKS[0], **values))


def test_every_kind_of_the_tiny_dataset_has_a_head() -> None:
    """All kinds but generation."""
    assert {task.kind for task in (*TRAINED, *GOLD_TASKS)} == set(names())
    assert not set(names()) & set(LATER)
    assert {untrained(task) for task in (*TRAINED, *GOLD_TASKS)} == {""}


def test_row_batches_serve_every_label_of_a_row(data: EncodedDataset) -> None:
    """One stream of rows; each task finds its labels there."""
    streams = Streams(data, SETTINGS.model_copy(update={"batch": "rows", "rows": 12, "bucket": 6}))
    plan = streams.plan.epoch(0)
    batch = collate(data, "train", streams.requests(plan, 0))
    rows = set(batch.items["topic.long"].row.tolist())
    assert len(rows) == 12
    assert set(batch.items["connective"].row.tolist()) == {row for row in rows if row % 3 != 2}
    # the expected number of labels is what a step holds on average
    steps = range(len(plan.rows))
    made = [collate(data, "train", streams.requests(plan, s)) for s in steps]
    for task in data.tasks:
        mean = np.mean([len(item.items[task.name].label) for item in made if task.name in item.items])
        if task.kind != "masked_lm":
            assert mean == pytest.approx(streams.labels(plan)[task.name], rel=0.15)


def test_row_batches_hold_no_row_without_a_label(data: EncodedDataset) -> None:
    """A row whose only label was cut has a sequence, but nothing to train."""
    task, train = BY_NAME["topic.long"], data.splits["train"]
    targets = train.targets[task.name]
    kept = dataclasses.replace(targets, where=targets.where[::2], offsets=np.arange(len(targets.where[::2]) + 1))
    train = dataclasses.replace(
        train,
        inputs={task.name: train.inputs[task.name]},
        targets={task.name: kept},
        sequences={train.inputs[task.name]: train.read(task.name)},
    )
    cut = dataclasses.replace(data, tasks=(task,), splits={"train": train})
    streams = Streams(cut, SETTINGS.model_copy(update={"batch": "rows", "rows": 1, "bucket": 1}))
    assert streams.plan.sizes.tolist() == [len(kept)]
    plan = streams.plan.epoch(0)
    assert all(streams.requests(plan, step) != [[]] for step in range(len(plan.rows)))


def test_a_task_sampler_and_row_batches_exclude_each_other(data: EncodedDataset) -> None:
    """The error names both settings."""
    with pytest.raises(ValueError, match=r"sampler = 'uniform'.*batch = 'rows'"):
        Streams(data, SETTINGS.model_copy(update={"batch": "rows", "sampler": "uniform"}))


def test_primary_batches_need_a_primary_that_exists(data: EncodedDataset) -> None:
    """The errors list the tasks."""
    with pytest.raises(ValueError, match=r"needs a primary task; name one of connective, disfluency\.tags"):
        Streams(data, SETTINGS.model_copy(update={"batch": "primary+one"}))
    with pytest.raises(ValueError, match=r"\[train\] primary = 'nothing' is not a trained task"):
        Streams(data, SETTINGS.model_copy(update={"primary": "nothing"}))


def test_weights_are_of_tasks_that_exist(data: EncodedDataset) -> None:
    """The error lists them; a name with a dot may be written as a table in a table."""
    with pytest.raises(ValueError, match=r"\[task\] 'nothing' is not a trained task; there are connective, disfluency"):
        Streams(data, make_settings({"task": {"nothing": {"weight": 2.0}}}))
    weighted = {"connective": {"weight": 3}, "disfluency": {"tags": {"weight": 2}, "pair": {"weight": 0.5}}}
    nested = make_settings({"task": weighted})
    found = {name: table.weight for name, table in nested.task.items()}
    assert found == {"connective": 3, "disfluency.tags": 2, "disfluency.pair": 0.5}
    Streams(data, nested)


def test_joint_tasks_train_on_rows_by_default(data: EncodedDataset, tmp_path: Path) -> None:
    """Where all tasks read one woven view."""
    joint: tuple[Task, ...] = tuple(
        dataclasses.replace(BY_NAME[name], mode="joint") for name in ("masking.word", "masking.role", "topic.craft")
    )
    dataset = Dataset.open(write_dataset(tmp_path / "set", rows=24))
    data_of_views = encoded(dataset, joint, tmp_path)
    assert len(data_of_views.splits["train"].sequences) == 1
    streams = Streams(data_of_views, SETTINGS.model_copy(update={"rows": 8, "bucket": 8}))
    assert streams.mode == "rows"
    requests = streams.requests(streams.plan.epoch(0), 0)
    batch = collate(data_of_views, "train", requests)
    assert len(batch.buckets[0].lengths) == 8
    assert set(batch.items) == {"masking.word", "masking.role", "topic.craft"}
    assert Streams(data, SETTINGS).mode == "tasks"
