"""Probes: each finds what it is made to find, and nothing where there is nothing."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.ragged import Ragged
from labelers.task import Task
from trainer.data.dataset import Split, Types
from trainer.kinds import kind_of, names
from trainer.score.bags import BagOfWords
from trainer.score.pairs import Lengths, ReplacedWords
from trainer.score.probes import Repetition, Unigram, WordForm, prior, repeated, run_probes
from trainer.score.rows import TaskRows, read_rows, sample
from trainer.score.turns import NearestRole, NearRoles

SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])


def task(kind: str, metric: str = "accuracy", **more: Any) -> Task:
    """Return a task of the labeler "made"."""
    known = {"name": "made.label", "sequences": ("source",), "target": "made.label", "classes": ("no", "yes")}
    return Task(labeler="made", version=1, kind=kind, metric=metric, **(known | more))


def split(rows: list[dict[str, Any]], **types: pa.DataType) -> Split:
    """Return rows as a split; "made" holds the columns of the labeler."""
    table: dict[str, Any] = {
        "document": [row.get("document", f"d{i}") for i, row in enumerate(rows)],
        "tokens": pa.array([row["tokens"].split() for row in rows], pa.list_(pa.string())),
        "roles": pa.array([row.get("roles", "").split() for row in rows], pa.list_(pa.string())),
    }
    fields = pa.struct(list(types.items()))
    table["made"] = pa.array([{name: row.get(name) for name in types} for row in rows], fields)
    return Split("made", pa.table(table))


def read(item: Task, *splits: Split) -> list[TaskRows]:
    """Read all rows of splits, which share their types."""
    types = Types()
    return [read_rows(part, item, types, np.arange(len(part))) for part in splits]


TAGGED = task("token", "tag_f1", classes=("O", "D"))


def tagged(*pairs: tuple[str, str]) -> Split:
    """Return rows of words and as many digits; a dash is no label."""
    rows = [{"tokens": words, "label": [-1 if tag == "-" else int(tag) for tag in tags]} for words, tags in pairs]
    return split(rows, label=pa.list_(pa.int8()))


def test_labels_of_tokens_keep_their_places() -> None:
    """A token without a label has none, and the others know their row, position and document."""
    (rows,) = read(TAGGED, tagged(("a b c", "0-1"), ("a d", "10")))
    assert rows.labels.tolist() == [0, 1, 1, 0]
    assert rows.owners.tolist() == [0, 0, 1, 1]
    assert rows.positions.tolist() == [0, 2, 0, 1]
    assert rows.documents.tolist() == [0, 1]


def test_a_view_is_read_where_there_is_one() -> None:
    """An empty view is the source."""
    rows = [
        {"tokens": "a b", "label": [0, 1, 0]},
        {"tokens": "c d", "label": [0, 0]},
    ]
    made = split(rows, label=pa.list_(pa.int8())).table.column("made").combine_chunks()
    view = pa.array([["a", "x", "b"], []], pa.list_(pa.string()))
    struct = pa.StructArray.from_arrays([view, made.field("label")], ["tokens", "label"])
    table = split(rows).table.set_column(3, "made", struct)
    types = Types()
    found = read_rows(Split("train", table), task("token", sequences=("made",)), types, np.arange(2))
    texts = list(types.codes)
    assert [texts[code] for code in found.parts[0].values] == ["a", "x", "b", "c", "d"]


def spans(*rows: tuple[str, int, tuple[int, int], tuple[int, int]], swap: list[bool] | None = None) -> Split:
    """Return rows with a label and two spans."""
    values = [
        {"tokens": words, "label": label, "a": {"start": a[0], "end": a[1]}, "b": {"start": b[0], "end": b[1]}}
        for words, label, a, b in rows
    ]
    for row, swapped in zip(values, swap or [False] * len(rows), strict=True):
        row["swap"] = swapped
    return split(values, label=pa.int64(), a=SPAN, b=SPAN, swap=pa.bool_())


def test_two_spans_of_one_sequence_are_two_parts() -> None:
    """What stands outside them is not read."""
    item = task("span_pair", spans=("made.a", "made.b"))
    (rows,) = read(item, spans(("u v w x y", 1, (0, 2), (3, 5)), ("u v w x y", 0, (1, 2), (2, 5))))
    texts = list(rows.types.codes)
    assert [[texts[code] for code in part.values] for part in rows.parts] == [
        ["u", "v", "v"],
        ["x", "y", "w", "x", "y"],
    ]


def test_swapped_sides_are_read_in_the_other_order() -> None:
    """The first part is what the model reads first."""
    item = task("pair", sequences=("source", "source"), spans=("made.a", "made.b"), swap="made.swap")
    (rows,) = read(item, spans(("u v w", 1, (0, 2), (2, 3)), ("u v w", 0, (0, 2), (2, 3)), swap=[False, True]))
    assert [part.lengths.tolist() for part in rows.parts] == [[2, 1], [1, 2]]


def test_word_form_learns_which_words_are_tagged() -> None:
    """A form that is tagged everywhere is tagged again; one that never is, is not."""
    train = tagged(*[("so uh we go", "0100"), ("uh that is it", "1000")] * 8)
    held = tagged(("we uh go", "010"), ("is uh it", "010"))
    fitted, seen = read(TAGGED, train, held)
    assert WordForm().predict(fitted, seen, 0).tolist() == [0, 1, 0, 0, 1, 0]


def test_word_form_takes_the_threshold_from_the_other_half() -> None:
    """Forms of one document each look perfect where they were counted and are worth nothing elsewhere."""
    rows = [(" ".join(f"w{i}x{j}" for j in range(20)), "10" * 2 + "0" * 16) for i in range(40)]
    rows += [("uh um", "11")] * 40
    fitted, seen = read(TAGGED, tagged(*rows), tagged(("w0x0 w1x2 uh um", "0011")))
    assert WordForm().predict(fitted, seen, 0).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("document", [None, "one"])
def test_word_form_tags_forms_that_are_tagged_often_enough(document: str | None) -> None:
    """A form that is tagged half of the time is worth it, though another always is; also with one document."""
    rows = [("uh like we go home", f"1{i // 2 % 2}000") for i in range(40)]
    train, held = tagged(*rows), tagged(("we like uh", "000"))
    if document:
        train = Split("train", train.table.set_column(0, "document", pa.array([document] * 40)))
    assert WordForm().predict(*read(TAGGED, train, held), 0).tolist() == [0, 1, 1]


def test_word_form_takes_the_most_frequent_class_where_no_class_is_outside() -> None:
    """Accuracy has no threshold: the rarer class is predicted for its own forms only."""
    item = task("token", "accuracy")
    fitted, seen = read(item, tagged(("a b a", "101"), ("c b a", "000")), tagged(("a b new", "100")))
    assert WordForm().predict(fitted, seen, 0).tolist() == [1, 0, 0]


def slow_repeated(words: list[int]) -> list[bool]:
    """Return what `repeated` returns for one row, in the plainest way."""
    found = [False] * len(words)
    for n in range(1, 7):
        for i in range(len(words) - 2 * n + 1):
            if words[i : i + n] == words[i + n : i + 2 * n] and words[i] != 0:
                found[i : i + n] = [True] * n
    return found


@given(st.lists(st.lists(st.integers(0, 2), max_size=20), max_size=5))
def test_repeated_equals_the_plain_rule(rows: list[list[int]]) -> None:
    """In any rows; 0 is a mark, which opens no repetition."""
    codes = np.array([code for row in rows for code in row], np.int64)
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    expected = [found for row in rows for found in slow_repeated(row)]
    assert repeated(codes, owners, codes > 0).tolist() == expected


def test_the_rule_finds_the_first_copy_whatever_its_case() -> None:
    """Also where not every token has a label."""
    fitted, seen = read(TAGGED, tagged(("no no yes", "100")), tagged(("We go we go home", "110-0"), ("- - a", "000")))
    assert Repetition().predict(fitted, seen, 0).tolist() == [1, 1, 0, 0, 0, 0, 0]


def test_the_rule_says_the_class_that_its_tokens_have_in_train() -> None:
    """With three classes it is the one that stands on repeated words."""
    item = task("token", "tag_f1", classes=("O", "I", "D"))
    fitted, seen = read(item, tagged(("no no uh yes", "2010")), tagged(("so so", "20")))
    assert Repetition().predict(fitted, seen, 0).tolist() == [2, 0]


def test_lengths_tell_a_longer_side() -> None:
    """The label is whether the second part is the longer one."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(400):
        first, second = rng.integers(1, 15, 2)
        rows.append((" ".join("x" * (first + second)), int(second > first), (0, first), (first, first + second)))
    item = task("pair", sequences=("source", "source"), spans=("made.a", "made.b"))
    fitted, seen = read(item, spans(*rows[:300]), spans(*rows[300:]))
    assert (Lengths().predict(fitted, seen, 0) == seen.labels).mean() > 0.97
    assert run_probes(fitted, seen)[0].name == "lengths"


def test_lengths_never_met_go_by_their_difference() -> None:
    """Short parts tell of long ones."""
    rows = [("a b c", 1, (0, 1), (1, 3)), ("a b c", 0, (0, 2), (2, 3))] * 5
    long = " ".join("x" * 121)
    held = spans((long, 1, (0, 60), (60, 121)), (long, 0, (0, 61), (61, 121)))
    fitted, seen = read(task("span_pair", spans=("made.a", "made.b")), spans(*rows), held)
    assert Lengths().predict(fitted, seen, 0).tolist() == [1, 0]


def test_bag_of_words_gives_the_same_twice() -> None:
    """Even where there is nothing to learn and every label is a near tie."""
    rng = np.random.default_rng(3)
    rows = [
        (" ".join(f"w{n}" for n in rng.integers(0, 40, 4)), int(rng.integers(2)), (0, 2), (2, 4)) for _ in range(600)
    ]
    fitted, seen = read(task("span_pair", spans=("made.a", "made.b")), spans(*rows[:300]), spans(*rows[300:]))
    assert BagOfWords().predict(fitted, seen, 0).tolist() == BagOfWords().predict(fitted, seen, 0).tolist()


def test_bag_of_words_learns_in_which_part_a_word_stands() -> None:
    """The same words in the other part mean the other class."""
    rng = np.random.default_rng(2)
    rows = []
    for i in range(600):
        words = [f"w{number}" for number in rng.integers(0, 50, 10)]
        words[rng.integers(0, 5) + 5 * (i % 2)] = "rain"
        rows.append((" ".join(words), i % 2, (0, 5), (5, 10)))
    item = task("span_pair", spans=("made.a", "made.b"))
    fitted, seen = read(item, spans(*rows[:500]), spans(*rows[500:]))
    assert (BagOfWords().predict(fitted, seen, 0) == seen.labels).mean() > 0.95


def test_bag_of_words_survives_rows_without_a_known_word() -> None:
    """Empty parts and words never seen get the most frequent class."""
    rows = [(f"c{i} b", 0, (0, 1), (1, 2)) for i in range(9)] + [("a b", 1, (0, 1), (1, 2))] * 6
    held = spans(("q r", 0, (0, 1), (1, 2)), ("q r", 0, (0, 0), (0, 0)))
    fitted, seen = read(task("span_pair", spans=("made.a", "made.b")), spans(*rows), held)
    assert BagOfWords().predict(fitted, seen, 0).tolist() == [0, 0]


MASKED = task("masked_lm", "nats_per_word", rate=0.25, exclude="made.never", classes=())


def masked(*rows: tuple[str, list[int], list[bool]]) -> Split:
    """Return rows with the draw of each token and whether it may never be hidden."""
    values = [{"tokens": words, "label": draws, "never": never} for words, draws, never in rows]
    return split(values, label=pa.list_(pa.uint8()), never=pa.list_(pa.bool_()))


def test_the_draws_decide_which_words_are_targets() -> None:
    """A word with a draw under 256 times the rate is one, unless it may never be."""
    (rows,) = read(MASKED, masked(("a b c d", [0, 63, 64, 10], [False, False, False, True])))
    texts = list(rows.types.codes)
    assert [texts[code] for code in rows.labels] == ["a", "b"]
    assert rows.maskable is not None
    assert rows.maskable.tolist() == [True, True, True, False]


def test_unigram_loss_follows_witten_and_bell() -> None:
    """Seen words have n / (N + V), new ones share V / (N + V) by their bytes and their end."""
    train = masked(("a a b cc", [255] * 4, [False] * 4))
    held = masked(("a x a", [0, 0, 255], [False] * 3))
    fitted, seen = read(MASKED, train, held)
    letters = Counter("abcc") + Counter({"end": 3})
    rate = {key: (letters[key] + 1) / (7 + 256) for key in ("x", "end")}
    expected = [-math.log(2 / 7), -math.log(3 / 7 * rate["x"] * rate["end"])]
    assert Unigram().predict(fitted, seen, 0) == pytest.approx(expected)


def test_unigram_knows_the_number_of_pieces() -> None:
    """As the model does, which sees how many are hidden: words share 1 with those of as many pieces."""
    train = masked(("a a b cc dd", [255] * 5, [False] * 5))
    held = masked(("a cc bb c", [0] * 4, [False] * 4))
    fitted, seen = (dataclasses.replace(rows, spell=letters) for rows in read(MASKED, train, held))
    counts = {"a": 1, "b": 1, "c": 2, "d": 2}  # in the three known forms
    rate = {letter: (count + 1) / (sum(counts.values()) + 4) for letter, count in counts.items()}
    new = [2 / 4 * rate["b"] ** 2, 2 / 5 * rate["c"]]
    expected = -np.log([2 / 5, 1 / 4, *new])
    assert Unigram().predict(fitted, seen, 0) == pytest.approx(expected)


def letters(texts: Sequence[str]) -> Ragged:
    """Spell words of the letters a to d."""
    return Ragged.of(np.array([len(text) for text in texts]), np.array([ord(c) - 97 for c in "".join(texts)]))


def test_unigram_does_not_read_words_that_are_never_targets() -> None:
    """They are of another distribution: inserted words, marks."""
    train = masked(("a b", [255] * 2, [False, True]))
    fitted, seen = read(MASKED, train, masked(("a", [0], [False])))
    assert Unigram().predict(fitted, seen, 0) == pytest.approx([math.log(2)])


def turns(*rows: tuple[str, list[int], list[bool]], names: tuple[str, ...] = ("ann", "bob")) -> Split:
    """Return dialogues: roles, the class of each target turn, hidden turns."""
    values = [{"tokens": "x", "roles": roles, "label": label, "hidden": hidden} for roles, label, hidden in rows]
    return split(values, label=pa.list_(pa.int8()), hidden=pa.list_(pa.bool_()))


ROLE = task("turn", classes=("ann", "bob"), hide_roles="made.hidden", roles=True)


def test_roles_two_turns_back_are_read_where_they_are_seen() -> None:
    """A hidden role is no more known to the probe than to the model."""
    train = turns(
        *[("ann bob ann", [-1, -1, 0], [False, True, True]), ("bob ann bob", [-1, -1, 1], [False, True, True])]
    )
    held = turns(
        ("ann bob ann", [-1, -1, 0], [False, True, True]),
        ("bob ann bob", [-1, -1, 1], [True, False, True]),
        ("ann bob", [0, -1], [True, True]),  # nothing stands two turns before the first
    )
    fitted, seen = read(ROLE, train, held)
    probe = NearRoles("two back", (-2,))
    assert probe._keys(seen).tolist() == [1 + seen.types.codes["ann"], 0, 0]
    assert probe.predict(fitted, seen, 0).tolist()[0] == 0
    assert probe.predict(fitted, fitted, 0).tolist() == [0, 1]


def test_roles_ahead_are_read_as_well() -> None:
    """Where the turns back are hidden or there are none."""
    train = turns(("ann bob ann", [0, -1, -1], [True, True, False]), ("bob ann bob", [1, -1, -1], [True, True, False]))
    fitted, seen = read(ROLE, train, train)
    assert NearRoles("both", (-2, 2)).predict(fitted, seen, 0).tolist() == [0, 1]


def test_parity_finds_who_speaks_where_two_take_turns() -> None:
    """Where the two turns at a fixed distance are hidden too, one visible turn is enough."""
    rng = np.random.default_rng(4)
    rows = []
    for i in range(200):
        roles = [("ann", "bob")[(turn + i) % 2] for turn in range(9)]
        target = int(rng.integers(9))
        seen = {int(turn) for turn in rng.choice([turn for turn in range(9) if abs(turn - target) > 2], 3)}
        labels = [int(roles[turn] == "bob") if turn == target else -1 for turn in range(9)]
        rows.append((" ".join(roles), labels, [turn not in seen for turn in range(9)]))
    fitted, seen_rows = read(ROLE, turns(*rows[:100]), turns(*rows[100:]))
    assert (NearestRole().predict(fitted, seen_rows, 0) == seen_rows.labels).all()
    assert (NearRoles("two", (-2, 2)).predict(fitted, seen_rows, 0) == seen_rows.labels).mean() < 0.7
    assert run_probes(fitted, seen_rows)[0].name == "parity from the nearest visible turn"


@pytest.mark.parametrize(
    ("roles", "hidden", "expected"),
    [
        ("ann bob ? ?", [0, 0, 1, 1], "ann"),  # one turn from bob: the other one
        ("ann ? ? bob", [0, 1, 1, 0], "ann"),  # one turn before bob, which is nearer than ann
        ("? bob ? bob ann", [1, 0, 1, 0, 0], "ann"),  # both neighbours are bob
        ("bob ? ? ? ann", [0, 1, 1, 1, 0], "bob"),  # two turns from either: the one behind
        ("bob ? ? ?", [0, 1, 1, 1], "bob"),
        ("bob bob ? bob ann", [0, 0, 1, 0, 0], "ann"),
        ("? ? ? ?", [1, 1, 1, 1], None),
    ],
)
def test_the_role_that_is_to_be_expected(roles: str, hidden: list[int], expected: str | None) -> None:
    """Of the third turn; a row beside it, of other roles, changes nothing."""
    labels = [0 if i == 2 else -1 for i in range(len(hidden))]
    other = ("bob cat bob cat", [-1, -1, 0, -1], [False, False, True, False])
    (rows,) = read(ROLE, turns(other, (roles, labels, list(map(bool, hidden))), other))
    assert NearestRole()._keys(rows).tolist()[1] == (1 + rows.types.codes[expected] if expected else 0)


def test_of_one_role_that_is_visible_the_other_is_not_that_one() -> None:
    """What it is called is learnt from the train labels."""
    row = ("ann bob", [-1, 1], [False, True])
    fitted, seen = read(ROLE, turns(row, row, ("ann bob ann", [-1, -1, 0], [False, True, True])), turns(row))
    assert NearestRole().predict(fitted, seen, 0).tolist() == [1]


VIEW_PAIR = task("pair", sequences=("source", "made"), classes=("different", "equivalent"))
SWAPPED = dataclasses.replace(VIEW_PAIR, swap="made.swap")


def replaced(*rows: tuple[str, str, list[int], int], swap: bool = False) -> Split:
    """Return rows of a source, a view, the origins of its tokens, and a label."""
    values = [
        {"tokens": source, "label": label, "origin": origin, "view": view.split(), "swap": swap}
        for source, view, origin, label in rows
    ]
    made = split(values, label=pa.int64(), origin=pa.list_(pa.int32()), view=pa.list_(pa.string()), swap=pa.bool_())
    column = made.table.column("made").combine_chunks()
    names = ["label", "origin", "tokens", "swap"]
    struct = pa.StructArray.from_arrays([column.field(name) for name in ("label", "origin", "view", "swap")], names)
    return Split("made", made.table.set_column(3, "made", struct))


def exchanged(old: str, new: str, label: int, *, rest: str = "a b") -> tuple[str, str, list[int], int]:
    """Return a row in which one name stands for another one."""
    words, size = old.split(), len(rest.split())
    view = f"{rest} {new} end"
    kept = size + len(words)
    return f"{rest} {old} end", view, [*range(size), *[-1] * len(new.split()), kept], label


@pytest.mark.parametrize("swap", [False, True])
def test_pairs_of_names_seen_in_train_keep_their_label(swap: bool) -> None:  # noqa: FBT001
    """Whatever stands around them, in any case; a pair that was never seen has the most frequent class."""
    item = SWAPPED if swap else VIEW_PAIR
    train = [exchanged("the sofa", "the couch", 1), exchanged("sofa", "bench", 0), exchanged("car", "auto", 1)] * 2
    train += [exchanged("car", "lorry bus", 0, rest=f"w{i}") for i in range(3)]
    held = [
        exchanged("THE sofa", "the couch", 1, rest="x y z"),
        exchanged("sofa", "bench", 0, rest="q"),
        exchanged("car", "lorry bus", 0),
        exchanged("never", "seen", 1),
        exchanged("auto", "car", 1),  # the other way round tells as much, where this way was not seen
    ]
    fitted, seen = read(item, replaced(*train, swap=swap), replaced(*held, swap=swap))
    assert ReplacedWords().predict(fitted, seen, 0).tolist() == [1, 0, 0, 0, 1]


def test_pairs_of_names_solve_what_depends_on_them_alone() -> None:
    """Neither the lengths nor the words of either side tell; each word stands for all others as often."""
    names = [f"n{i}" for i in range(12)]
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(1200):
        i, j = (int(number) for number in rng.choice(12, 2, replace=False))
        rows.append(exchanged(names[i], names[j], (i + j) // 3 % 2, rest="p q r"))
    fitted, seen = read(VIEW_PAIR, replaced(*rows[:1000]), replaced(*rows[1000:]))
    found = run_probes(fitted, seen)
    assert found[0].name == "replaced words seen in train"
    assert found[0].score.value == pytest.approx(1.0, abs=0.02)
    assert (found[1].score.value or 1) < 0.8


def test_the_order_of_a_pair_counts_where_it_was_seen_in_both() -> None:
    """The label is which of two names comes first."""
    rows = [exchanged("sofa", "couch", 1), exchanged("couch", "sofa", 0)] * 5
    fitted, seen = read(VIEW_PAIR, replaced(*rows), replaced(*rows[:2]))
    assert ReplacedWords().predict(fitted, seen, 0).tolist() == [1, 0]


def test_several_replaced_names_weigh_in_together() -> None:
    """Deletions and insertions are pairs with nothing on one side; equal sides have no pair."""
    one = ("a b c d", "a X c d", [0, -1, 2, 3], 1)
    two = ("a b c d", "a b c Y d", [0, 1, 2, -1, 3], 0)
    gone = ("a b c d", "a b d", [0, 1, 3], 0)
    both = ("a b c d", "a X c Y d", [0, -1, 2, -1, 3], 0)
    none = ("a b", "a b", [0, 1], 0)
    fitted, seen = read(VIEW_PAIR, replaced(*[one] * 9, *[two] * 3, *[gone] * 2), replaced(both, none, gone, one))
    assert ReplacedWords().predict(fitted, seen, 0).tolist() == [1, 1, 0, 1]


def test_pairs_of_spans_differ_within_them_alone() -> None:
    """What is read is what counts, and origins go on counting in the source."""
    item = dataclasses.replace(VIEW_PAIR, sequences=("source", "source"), spans=("made.a", "made.b"))
    fitted, seen = read(
        item,
        spans(("u v w x", 1, (0, 3), (1, 3)), ("u v w x", 0, (0, 3), (0, 2)), ("q v w x", 0, (0, 3), (0, 2))),
        spans(("u r s t", 1, (0, 2), (1, 2)), ("q v w x", 0, (0, 3), (0, 2)), ("a b", 0, (0, 1), (0, 1))),
    )
    assert ReplacedWords().predict(fitted, seen, 0).tolist() == [1, 0, 0]


def test_the_prior_of_accuracy_is_the_most_frequent_class() -> None:
    """Of the train labels, not of the held-out ones."""
    item = task("token", "accuracy")
    found = prior(*read(item, tagged(("a b c", "110")), tagged(("a b c d", "0001"))))
    assert (found.name, found.score.value) == ("most frequent class", 0.25)


def test_the_prior_of_f1_is_a_random_guess() -> None:
    """Tags at rate 1/4 in train and held-out have an F1 of 1/4 for who guesses so."""
    rows = [("a b c d", "0001")] * 500
    found = prior(*read(TAGGED, tagged(*rows), tagged(*rows)))
    assert found.name == "random guess at the train rates"
    assert found.score.value == pytest.approx(0.25, abs=0.05)


def test_the_best_probe_comes_first_whichever_way_is_better() -> None:
    """High F1 first; each knows the number of train rows."""
    rows = [("no no yes", "100"), ("so so it is", "1000")] * 5
    found = run_probes(*read(TAGGED, tagged(*rows), tagged(*rows)))
    assert [item.name for item in found] == ["the same words follow at once", "word form"]
    assert found[0].score.value == 1.0
    assert found[0].train_rows == 10


def test_without_train_labels_a_probe_says_so() -> None:
    """Better than an index error of numpy."""
    with pytest.raises(ValueError, match="no train labels"):
        run_probes(*read(TAGGED, tagged(("a", "-")), tagged(("a", "1"))))


def test_a_sample_of_rows_depends_on_the_seed_alone() -> None:
    """It is rising, without repetition, and another one for another seed."""
    rows = np.arange(0, 1000, 3)
    found = sample(rows, 50, 1)
    assert found.tolist() == sorted(set(found.tolist()) & set(rows.tolist()))
    assert found.tolist() == sample(rows, 50, 1).tolist() != sample(rows, 50, 2).tolist()


def test_every_kind_that_can_be_trained_has_a_probe() -> None:
    """All but segments and those without a head."""
    assert {name for name in names() if kind_of(task(name)).probes} == set(names()) - {"segment"}
