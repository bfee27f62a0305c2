"""What holds of every labeler, found by itself: the contract that a build and a reader rely on."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from contract import Outcome, joint, own, rows
from corpus import ODD, TEXTS, findings, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import dialogue, passages

import labelers
from labelers.edits import leaks, weave
from labelers.finding import load, names
from labelers.labeler import Avoid, Corpus, Labeler, Proposal, Request
from labelers.passages import PassageBatch
from labelers.task import SOURCE, WOVEN, Task
from labelers.vocabulary import Vocabulary

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

# further options under which the contract must hold, by labeler
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "connective": [{"inside": True}],
    "disfluency": [{"profile": "conversational"}, {"profile": "switchboard", "repair": True, "cue": 0.5}],
}
CASES = [(name, options) for name in names() for options in ({}, *OPTIONS.get(name, []))]
each = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[name + "".join(f"-{key}" for key in options) for name, options in CASES]
)
either_batch = pytest.mark.parametrize("dialogues", [False, True], ids=["text", "dialogue"])

Run = Callable[[PassageBatch, Corpus, int], list[list[dict[str, Any]]]]


def world(*, dialogues: bool = False, vocabulary: Vocabulary | None = None) -> tuple[PassageBatch, Corpus]:
    """Return the sample and the findings over one vocabulary."""
    vocabulary = Vocabulary() if vocabulary is None else vocabulary
    batch = sample(vocabulary, dialogues=dialogues)
    return batch, findings(vocabulary)


@functools.cache
def outcome(name: str, options: tuple[tuple[str, Any], ...], *, dialogues: bool = False) -> Outcome:
    """Return what one labeler makes of the sample, computed once."""
    return own(load(name, **dict(options)), *world(dialogues=dialogues))


@functools.cache
def woven(*, dialogues: bool = False, options: bool = False) -> tuple[Outcome, ...]:
    """Return what all labelers make of the sample in one woven view; with options, under their other ones."""
    chosen = [load(name, **(OPTIONS.get(name, [{}])[0] if options else {})) for name in names()]
    return tuple(joint(chosen, *world(dialogues=dialogues)))


# every outcome: each labeler and its options over its own view, then all of them woven; text and dialogue
OUTCOMES = [
    *(("own", name, options, talk) for name, options in CASES for talk in (False, True)),
    *(("woven", name, changed, talk) for name in names() for changed in (False, True) for talk in (False, True)),
]
OUTCOME_IDS = [
    "-".join([view, name, *(["options"] if options else []), "dialogue" if talk else "text"])
    for view, name, options, talk in OUTCOMES
]


@pytest.fixture(params=OUTCOMES, ids=OUTCOME_IDS)
def made(request: pytest.FixtureRequest) -> Outcome:
    """Return each outcome in turn."""
    view, name, options, dialogues = request.param
    if view == "own":
        return outcome(name, tuple(options.items()), dialogues=dialogues)
    return woven(dialogues=dialogues, options=options)[names().index(name)]


@each
def test_a_labeler_is_a_frozen_dataclass(name: str, options: dict[str, Any]) -> None:
    """Its fields are its options, each with a default; it is a value and can key a cache."""
    labeler = load(name, **options)
    assert type(labeler).__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert load(name, **options) == labeler
    assert hash(load(name, **options)) == hash(labeler)
    assert labeler.name == name
    assert labeler.version >= 1
    assert labeler.paper
    assert not labeler.edits or labeler.reasons[-1] == "conflict"
    assert len(set(labeler.reasons)) == len(labeler.reasons)


def test_columns_are_as_declared(made: Outcome) -> None:
    """Names and types are as declared, one value per row, and no list is null."""
    declared = {field.name: field.type for field in made.labeler.declaration(made.corpus, joint=made.woven).columns}
    assert {name: values.type for name, values in made.columns.items()} == declared
    assert {"status", "tokens", "origin"}.isdisjoint(declared)
    for name, values in made.columns.items():
        assert len(values) == len(made.batch), name
        assert not pa.types.is_list(values.type) or values.null_count == 0, name
        values.validate(full=True)


def test_status_is_in_range_and_says_whether_there_are_edits(made: Outcome) -> None:
    """0 with an edit, 1 without, from 2 on a reason."""
    status = made.proposal.status
    assert status.dtype == np.int8
    assert status.min() >= 0
    assert status.max() < 2 + len(made.labeler.reasons)
    edited = np.unique(made.proposal.edits.rows)
    conflict = np.flatnonzero(status == 1 + len(made.labeler.reasons)) if made.woven and made.labeler.edits else []
    assert np.flatnonzero(status == 0).tolist() == sorted(set(edited.tolist()) - set(conflict))
    assert made.labeler.edits or not len(edited)


def test_abstained_rows_hold_no_label(made: Outcome) -> None:
    """Null, an empty list, or false."""
    for row in rows(made):
        if row["status"] > 1:
            labels = {name: row[name] for name in made.columns}
            assert all(value in (None, [], False, 0.0) for value in labels.values()), labels
            assert all(labels[name] is None for name, values in made.columns.items() if pa.types.is_int64(values.type))


def test_edits_are_sound(made: Outcome) -> None:
    """Sorted, apart from each other, inside their row; what they copy stands there and looks the same."""
    batch, edits = made.batch, made.proposal.edits
    assert edits.order().tolist() == list(range(len(edits)))
    assert (edits.start >= batch.offsets[edits.rows]).all()
    assert (edits.end <= batch.offsets[edits.rows + 1]).all()
    assert (edits.start <= edits.end).all()
    assert (edits.end[:-1] <= edits.start[1:]).all()
    assert len(edits.codes) == len(edits.origin) == len(edits.copies) == edits.write_offsets[-1]
    assert ((edits.end > edits.start) | (np.diff(edits.write_offsets) > 0)).all()
    for places in (edits.origin, edits.copies):
        here = places >= 0
        assert (batch.rows[places[here]] == edits.rows[edits.writers[here]]).all()
        texts, shown = (batch.vocabulary.strings(c).to_pylist() for c in (edits.codes[here], batch.codes[places[here]]))
        assert [text.lower() for text in texts] == [text.lower() for text in shown]


def test_the_source_can_be_restored(made: Outcome) -> None:
    """Tokens that no edit wrote are the source's own, and with the replaced spans they are all of it."""
    batch, proposal = made.batch, made.proposal
    view = weave(batch, proposal.edits)
    kept = view.edit < 0
    replaced = [np.arange(a, b) for a, b in zip(proposal.edits.start, proposal.edits.end, strict=True)]
    assert sorted([*view.origin[kept].tolist(), *np.concatenate([[], *replaced])]) == list(range(len(batch.codes)))
    assert (batch.codes[view.origin[kept]] == view.codes[kept]).all()
    assert (np.diff(view.offsets)[np.diff(batch.offsets) > 0] > 0).all()  # no row is emptied


def test_hidden_tokens_cannot_be_read(made: Outcome) -> None:
    """What its tasks predict from the view stands nowhere in it, nor a copy; what a lost edit left has no label."""
    if made.proposal.hidden is not None:
        hidden, proposed = made.proposal.hidden.copy(), made.proposal.edits
        for lost in np.flatnonzero(~made.wins):
            hidden[proposed.start[lost] : proposed.end[lost]] = False
        assert not leaks(made.whole, made.edits, hidden).any()


def test_tasks_are_sound(made: Outcome) -> None:
    """Distinct names, known sequences and columns."""
    tasks = made.labeler.declaration(made.corpus, joint=made.woven).tasks
    columns = {f"{made.labeler.name}.{name}" for name in made.columns} | {"tokens"}
    assert len({task.name for task in tasks}) == len(tasks)
    for task in tasks:
        assert task.mode == ("joint" if made.woven else "own")
        assert set(task.sequences) <= ({WOVEN} if made.woven else {SOURCE, made.labeler.sequence})
        assert (task.status, task.reasons) == (f"{made.labeler.name}.status", made.labeler.reasons)
        named = (task.target, *task.spans, task.weight, task.swap, task.exclude, task.hide_roles, task.hide_tokens)
        assert {name for name in named if name is not None} <= columns
        assert Task.from_json(task.to_json()) == task


def test_labels_are_in_range(made: Outcome) -> None:
    """Each label is null, -1 in a list, or the number of a class."""
    for task in made.labeler.declaration(made.corpus, joint=made.woven).tasks:
        if task.classes:
            values = [row[task.target.split(".")[1]] for row in rows(made)]
            found = {v for value in values for v in (value if isinstance(value, list) else [value])} - {None}
            assert (
                found <= {*range(len(task.classes)), -1}
                if isinstance(values[0], list)
                else set(range(len(task.classes)))
            )


def test_lists_are_aligned(made: Outcome) -> None:
    """Tags have one value per token of the view, and those of turns one per turn, in every labelled row."""
    turns = np.diff(made.batch.turn_offsets).tolist()
    for task in made.labeler.declaration(made.corpus, joint=made.woven).tasks:
        per_token = [task.target] if task.kind in ("token", "masked_lm") else []
        per_token += [name for name in (task.exclude, task.hide_tokens) if name]
        per_turn = [task.target, task.hide_roles] if task.kind == "turn" else []
        for number, row in enumerate(rows(made)):
            expected = len(row["tokens"]) if row["status"] < 2 else 0
            assert {len(row[name.split(".")[1]]) for name in per_token} <= {expected}
            expected = turns[number] if row["status"] < 2 else 0
            assert {len(row[name.split(".")[1]]) for name in per_turn if name} <= {expected}


def test_spans_lie_in_their_sequence(made: Outcome) -> None:
    """A span holds a token and ends inside the sequence that it counts in."""
    lengths = np.diff(made.batch.offsets).tolist()
    for task in made.labeler.declaration(made.corpus, joint=made.woven).tasks:
        # the spans of two sequences stand in their order, those of one sequence all in it
        sequences = task.sequences * (len(task.spans) // len(task.sequences)) if task.spans else ()
        for path, sequence in zip(task.spans, sequences, strict=True):
            for number, row in enumerate(rows(made)):
                span = row[path.split(".")[1]]
                size = lengths[number] if sequence == SOURCE else len(row["tokens"])
                assert span is None or 0 <= span["start"] < span["end"] <= size, (row, path)


@each
def test_every_task_gets_different_labels(name: str, options: dict[str, Any]) -> None:
    """Over many rows each task has labels: all classes where there are few, two at least where there are many."""
    vocabulary = Vocabulary()
    corpus = findings(vocabulary)
    text, talk = many(sample(vocabulary), 20), many(sample(vocabulary, dialogues=True), 20)
    labeler = load(name, **options)
    found: list[dict[str, Any]] = [row for batch in (text, talk) for row in rows(own(labeler, batch, corpus))]
    for task in labeler.declaration(corpus).tasks:
        column = task.target.split(".")[-1]
        flat = {str(v) for row in found for v in (row[column] if isinstance(row[column], list) else [row[column]])}
        flat -= {"None", "-1"}
        assert len(flat) >= (len(task.classes) or 1 if len(task.classes) <= 4 else 2), (task.name, flat)
    assert {row["status"] for row in found} >= ({0, 1, 2} if labeler.edits else {1, 2})


def many(batch: PassageBatch, copies: int) -> PassageBatch:
    """Return the batch and further copies of it with other ids."""
    taken = batch.take(np.tile(np.arange(len(batch)), copies))
    ids = [f"{number}:{text}" if number >= len(batch) else text for number, text in enumerate(taken.ids)]
    return dataclasses.replace(taken, ids=ids)


def pairs(size: int) -> list[list[int]]:
    """Return the rows of a batch two by two, in another order."""
    return [[(7 * i + 3) % size, i] for i in range(size)]


def check_independence(run: Run, *, dialogues: bool) -> None:
    """Assert that each row comes out the same in every company; ``run`` gives the first rows of each labeler."""
    batch, corpus = world(dialogues=dialogues)
    size = len(batch)
    whole = run(batch, corpus, size)
    assert [made[::-1] for made in run(batch.take(np.arange(size)[::-1]), corpus, size)] == whole, "reversed"
    assert run(many(batch, 5000 // size), corpus, size) == whole, "in a batch of 5,000"
    for i in range(size):
        assert [made[0] for made in run(batch.take(np.array([i])), corpus, 1)] == [made[i] for made in whole], (
            f"{i} alone"
        )
    for two in pairs(size):
        got = [made[1] for made in run(batch.take(np.array(two)), corpus, 2)]
        assert got == [made[two[1]] for made in whole], f"{two[1]} after {two[0]}"


@each
@either_batch
def test_a_row_depends_on_itself_alone(name: str, options: dict[str, Any], *, dialogues: bool) -> None:
    """Alone, in a batch of 2, of 5,000 and reversed: the same row."""
    labeler = load(name, **options)

    def run(batch: PassageBatch, corpus: Corpus, first: int) -> list[list[dict[str, Any]]]:
        return [rows(own(labeler, batch, corpus), first)]

    check_independence(run, dialogues=dialogues)


@either_batch
def test_a_woven_row_depends_on_itself_alone(*, dialogues: bool) -> None:
    """Conflicts are decided within a row."""
    chosen = [load(name) for name in names()]

    def run(batch: PassageBatch, corpus: Corpus, first: int) -> list[list[dict[str, Any]]]:
        return [rows(made, first) for made in joint(chosen, batch, corpus)]

    check_independence(run, dialogues=dialogues)


def vocabularies() -> list[Vocabulary]:
    """Return vocabularies that met other words before: none, the corpus backwards, all words of all lexicons."""
    backwards, lexicons = Vocabulary(), Vocabulary()
    backwards.encode(word for text in reversed(TEXTS) for word in reversed(text.split()))
    for path in sorted((Path(labelers.__file__).parent / "lexicons").glob("*.tsv")):
        lexicons.encode(path.read_text(encoding="utf-8").replace("|", " ").replace("_", " ").split())
    return [Vocabulary(), backwards, lexicons]


@each
@either_batch
def test_the_order_of_the_vocabulary_does_not_matter(name: str, options: dict[str, Any], *, dialogues: bool) -> None:
    """What this process met before changes no row."""
    labeler = load(name, **options)
    first, *others = [rows(own(labeler, *world(dialogues=dialogues, vocabulary=v))) for v in vocabularies()]
    assert [other == first for other in others] == [True, True]


@either_batch
def test_the_order_of_the_vocabulary_does_not_matter_woven(*, dialogues: bool) -> None:
    """Nor what is to be avoided."""
    chosen = [load(name) for name in names()]
    first, *others = [
        [rows(made) for made in joint(chosen, *world(dialogues=dialogues, vocabulary=v))] for v in vocabularies()
    ]
    for number, labeler in enumerate(chosen):
        assert [other[number] == first[number] for other in others] == [True, True], labeler.name


def test_a_woven_row_does_not_ask_what_words_others_hold() -> None:
    """What is to be avoided is known of every form, whether this process has met the form or not."""
    chosen = [load(name) for name in names()]
    known = vocabularies()[-1]
    for text in ("Sometimes we saw them there .", "They left at last .", "It rained immediately .", TEXTS[9]):
        ids = [f"{number}/0" for number in range(200)]
        batches = [passages([text] * len(ids), vocabulary, ids) for vocabulary in (Vocabulary(), known)]
        fresh, met = ([rows(made) for made in joint(chosen, batch, Corpus())] for batch in batches)
        for number, labeler in enumerate(chosen):
            assert fresh[number] == met[number], labeler.name


@each
def test_what_is_woven_is_told_and_not_guessed(name: str, options: dict[str, Any]) -> None:
    """Nothing to avoid is the same as no word about it; whether the view is woven stands in the request."""
    labeler = load(name, **options)
    batch, corpus = world()
    request = Request(batch, corpus, labeler.draws(0), joint=True)
    silent, empty = (
        labeler.propose(one) for one in (request, dataclasses.replace(request, avoid=Avoid(batch.vocabulary)))
    )
    own_view = labeler.propose(dataclasses.replace(request, joint=False, avoid=Avoid(batch.vocabulary)))
    assert same(silent, empty)
    assert same(own_view, labeler.propose(dataclasses.replace(request, joint=False)))


def same(one: Proposal, other: Proposal) -> bool:
    """Return whether two proposals are equal in every array."""
    pairs = [(getattr(one.edits, item.name), getattr(other.edits, item.name)) for item in dataclasses.fields(one.edits)]
    pairs += [(one.status, other.status), *((one.state[key], other.state[key]) for key in one.state)]
    return all(np.array_equal(a, b) for a, b in pairs)


@each
def test_the_seed_matters(name: str, options: dict[str, Any]) -> None:
    """Another seed gives another dataset, the same seed the same one."""
    labeler = load(name, **options)
    batch, corpus = world()
    first = rows(own(labeler, many(batch, 5), corpus))
    assert rows(own(labeler, many(batch, 5), corpus)) == first
    assert rows(own(labeler, many(batch, 5), corpus, seed=1)) != first


@each
@pytest.mark.parametrize("pool", [True, False])
def test_no_passage_is_a_batch_too(name: str, options: dict[str, Any], *, pool: bool) -> None:
    """An empty batch over an empty vocabulary, with and without a pool, gives empty columns."""
    vocabulary = Vocabulary()
    batch = passages(["a"], vocabulary).take(np.array([], np.int64)) if pool else passages([], vocabulary)
    corpus = findings(vocabulary) if pool else Corpus()
    labeler = load(name, **options)
    assert rows(own(labeler, batch, corpus)) == []
    assert rows(own(labeler, passages([""], vocabulary), corpus))[0]["tokens"] == []
    assert all(rows(made) == [] for made in joint([labeler], batch, corpus))


def test_no_passage_can_be_woven() -> None:
    """All labelers over nothing."""
    vocabulary = Vocabulary()
    outcomes_ = joint([load(name) for name in names()], passages([], vocabulary), findings(vocabulary))
    assert [rows(made) for made in outcomes_] == [[] for _ in names()]


odd_word = st.text(st.characters(exclude_categories=["Cs", "Zs"]), min_size=1, max_size=4) | st.sampled_from(
    ["But", "However", ",", ".", "the", "the", "often", "at", "once", "{", "}", "uh", "quickly", "I"]
)
odd_text = st.lists(odd_word, max_size=30).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(odd_text, min_size=1, max_size=4), st.integers(0, 3))
def test_odd_text_never_fails(texts: list[str], seed: int) -> None:
    """Whatever tokens there are, every labeler labels or abstains, alone and woven, and the views can be written."""
    vocabulary = Vocabulary()
    corpus = findings(vocabulary)
    chosen = [load(name, **options) for name, options in CASES]
    turns = [[("guest", text or "-"), ("waiter", "But no ."), ("guest", text or "!")] for text in texts]
    for batch in (passages(texts, vocabulary), dialogue(turns, vocabulary)):
        made = [own(labeler, batch, corpus, seed) for labeler in chosen]
        made += joint([load(name) for name in names()], batch, corpus, seed)
        for item in made:
            test_columns_are_as_declared(item)
            test_edits_are_sound(item)
            test_the_source_can_be_restored(item)
            test_spans_lie_in_their_sequence(item)
            test_lists_are_aligned(item)


def test_the_odd_rows_are_odd() -> None:
    """The sample holds what it says: no odd row is empty, some have no letter."""
    assert all(text.split() for text in ODD)
    assert sum(not any(c.isalpha() for c in text) for text in ODD) >= 2


def test_woven_labels_stand_beside_each_other() -> None:
    """In the woven sample edits of at least two labelers are made, and some are lost to others."""
    if sum(load(name).edits for name in names()) > 1:
        both = [item for d in (False, True) for item in woven(dialogues=d)]
        editing = [item for item in both if item.labeler.edits]
        assert all((item.view.edit >= 0).any() for item in editing[:2])


def test_the_labelers_are_used_as_labelers(made: Outcome) -> None:
    """The tasks of a woven view are among those of separate views, by name."""
    labeler: Labeler = made.labeler
    names_ = {task.name for task in labeler.declaration(made.corpus).tasks}
    assert {task.name for task in labeler.declaration(made.corpus, joint=True).tasks} <= names_
    assert names_
