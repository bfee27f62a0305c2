"""Mask orchestration: what each task hides, and that nothing hidden can be read."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import dialogue, passages
from scipy import stats

from labelers.edits import Edits, View, source_view, weave
from labelers.labeler import Corpus, Request
from labelers.masking import Masking
from labelers.passages import PassageBatch

ROLES = ("Chief Cook", "guest", "waiter")
CORPUS = Corpus(classes={"roles": ROLES})
CALM = "The lake was calm . We rowed to the far shore . Nobody spoke ."
DINNER = [
    ("guest", "Could we see the cook ?"),
    ("waiter", "The Cook is busy now , dear guests ."),
    ("Chief Cook", "No , the chief has time for you ."),
    ("guest", "The soup was fine ."),
    ("waiter", "I shall tell the kitchen ."),
    ("guest", "Thank you , waiter ."),
    ("dog", "Woof ."),
    ("waiter", "The cook thanks every guest ."),
]


def label(
    batch: PassageBatch, corpus: Corpus = CORPUS, view: View | None = None, *, seed: int = 0, **options: Any
) -> list[dict[str, Any]]:
    """Return one dict of columns per row; a view of others' edits makes the labels joint."""
    labeler = Masking(**options)
    request = Request(batch, corpus, labeler.draws(seed), joint=view is not None)
    proposal = labeler.propose(request)
    columns = labeler.label(request, proposal, view or source_view(batch))
    table = pa.table({"status": proposal.status, **columns})
    return table.to_pylist()


def repeat(batch: PassageBatch, start: int, end: int) -> tuple[Edits, View]:
    """Return the edit that says tokens [start, end) twice, and its view."""
    source = np.arange(start, end)
    edits = Edits(
        rows=batch.rows[[start]],
        start=np.array([start]),
        end=np.array([start]),
        write_offsets=np.array([0, end - start]),
        codes=batch.codes[source],
        origin=np.full(end - start, -1),
        copies=source,
        label=np.array([0]),
    )
    return edits, weave(batch, edits)


def test_every_token_has_a_draw_and_punctuation_is_never_masked() -> None:
    """One byte per token; what has no letter or digit is no target."""
    (row,) = label(passages(["We met 3 people , \u2014 and left \U0001f600 ."]))
    assert row["status"] == 1
    assert len(row["draw"]) == 10
    assert row["never"] == [False, False, False, False, True, True, False, False, True, True]


def test_draws_are_uniform_and_independent_of_the_position() -> None:
    """The bytes of many rows fill 0 to 255 evenly, and those of one place tell nothing of the next."""
    draws = np.array([row["draw"] for row in label(passages(["a b c d e f g h i j"] * 2000))])
    assert stats.chisquare(np.bincount(draws.ravel(), minlength=256)).pvalue > 0.001
    low = draws < 128
    for left, right in itertools.combinations(range(10), 2):
        table = np.histogram2d(low[:, left], low[:, right], 2)[0]
        assert stats.chi2_contingency(table).pvalue > 1e-5, (left, right)


def test_draws_follow_the_seed_and_the_row_id() -> None:
    """Another seed or another id gives other bytes, the same ones give the same."""
    batch = passages([CALM], ids=["x/0"])
    assert label(batch) == label(passages([CALM], ids=["x/0"]))
    assert label(batch)[0]["draw"] != label(batch, seed=1)[0]["draw"]
    assert label(batch)[0]["draw"] != label(passages([CALM], ids=["x/1"]))[0]["draw"]


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("so { vocalsound } yes", [0, 1, 1, 1, 0]),
        ("so [ people laughing loudly ] yes", [0, 1, 1, 1, 1, 1, 0]),
        ("{ gap } < noise > yes", [1, 1, 1, 1, 1, 1, 0]),
        ("so [laughter] <unk> (coughs) yes", [0, 1, 1, 1, 0]),
        ("see [ the first of our books ] again", [0, 1, 0, 0, 0, 0, 0, 1, 0]),  # an aside is text
        ("so { vocalsound ] yes", [0, 1, 0, 1, 0]),
        ("so [ ] yes", [0, 1, 1, 0]),
        ("the ( old ) house", [0, 1, 0, 1, 0]),
    ],
)
def test_a_transcribers_mark_is_never_masked(text: str, never: list[int]) -> None:
    """Short text in square, curly or angle brackets is a mark, in one token or several."""
    (row,) = label(passages([text]))
    assert row["never"] == [bool(value) for value in never]


def test_brackets_of_two_rows_make_no_mark() -> None:
    """A mark does not reach over the end of a row."""
    assert [row["never"] for row in label(passages(["so [ we", "left ] now"]))] == [[False, True, False]] * 1 + [
        [False, True, False]
    ]


def test_a_written_word_has_one_draw() -> None:
    """A clitic and the word that it leans on are hidden together, and so is all that no space parts."""
    (row,) = label(passages(["They do n't know that we should n't 've left"]))
    for first, last in ((1, 2), (6, 8)):
        assert len(set(row["draw"][first : last + 1])) == 1
    assert len(set(row["draw"])) == 7
    batch = passages(["You are gon na stay here"])
    spaces = batch.spaces.copy()
    spaces[2] = False
    (row,) = label(replace(batch, spaces=spaces))
    assert row["draw"][2] == row["draw"][3]
    assert not any(row["never"])


def test_a_clitic_whose_apostrophe_stands_apart_is_never_masked() -> None:
    """In "I ' ve" the apostrophe would tell what is hidden beside it."""
    (row,) = label(passages(["I ' ve been there , it ' s far"]))
    assert row["never"] == [True, True, True, False, False, True, True, True, True, False]


def test_a_word_written_for_a_task_keeps_its_clitic_readable() -> None:
    """In a woven view the clitic behind a repeated word is hidden no more than the word."""
    batch = passages(["They do n't know"])
    _, view = repeat(batch, 1, 2)
    (row,) = label(batch, view=view)
    assert row["never"] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("we saw th that pro problem", [0, 0, 1, 0, 1, 0]),
        ("the wor- word", [0, 1, 0]),
        ("gone,--the rest", [1, 0]),
        ("see http://a.org/b or f(x", [0, 1, 0, 1]),
        ("at 10:30 a well-known , co-author", [0, 0, 0, 0, 1, 0]),
    ],
)
def test_what_is_not_one_word_is_never_masked(text: str, never: list[int]) -> None:
    """Words broken off, words glued by a dash, addresses and code are no targets."""
    (row,) = label(dialogue([[("guest", text)]]))
    assert row["never"] == [bool(value) for value in never]


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("the oars-- --were lost", [0, 1, 1, 0]),
        ('he wrote"--and "left', [0, 1, 1]),
        ("lake. Mr. Moss of the U.S. and I. came", [1, 0, 0, 0, 0, 0, 0, 1, 0]),
        ("goin' o'clock it's and/or 1,500 9/11 7:30pm 27th", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("1,500boats 40boats 80%of T_V A+ +44 sank", [1, 1, 1, 1, 1, 1, 0]),
        ("@moss #boats w/ moss@lake.org boats.xls LakeOfBoats sank", [1, 1, 1, 1, 1, 1, 0]),
        ("\ufe0fboats \u0928\u093e\u0935 ni\u00f1o nin\u0303o", [1, 0, 0, 0]),
    ],
)
def test_a_word_with_a_mark_glued_to_it_is_never_masked(text: str, never: list[int]) -> None:
    """Marks that belong to words are those of clitics, abbreviations and numbers, and of scripts over their letters."""
    (row,) = label(passages([text]))
    assert row["never"] == [bool(value) for value in never]


def test_a_word_behind_the_mark_of_a_tag_is_never_masked() -> None:
    """Where no space stands between: tags and names of social media, and entities ("&" "amp" ";")."""
    batch = passages(["# boats & amp ; @ moss and boats @ home #", "boats sank"])
    tight = replace(batch, spaces=batch.spaces & ~np.isin(np.arange(len(batch.codes)), [0, 2, 5, 10, 11]))
    first, second = label(tight)
    assert [i for i, never in enumerate(first["never"]) if not never] == [7, 8, 10]
    assert second["never"] == [False, False]


def test_a_segment_that_trails_off_is_not_masked() -> None:
    """Three dots stand where a writer leaves off, or where a text was cut."""
    batch = passages(["The lake was calm . We rowed to the far \u2026 Nobody spoke to us ... It was late by then ."])
    batch = replace(batch, segments=np.array([0, 5, 11, 16]), segment_offsets=np.array([0, 4]))
    assert {label(batch, seed=seed)[0]["segment"]["start"] for seed in range(50)} == {0, 16}


def test_the_masked_segment_is_a_sentence() -> None:
    """What ends without a final mark or begins with a small letter is the half of one; without marks all are equal."""
    turns = [("guest", "The soup was cold . But I think that"), ("waiter", "it was warm enough ."), ("guest", "No it")]
    ids = [f"x/{i}" for i in range(200)]
    spans = {(row["segment"]["start"], row["segment"]["end"]) for row in label(dialogue([turns] * 200, ids=ids))}
    assert spans == {(0, 5)}
    bare = [("guest", "the soup was cold"), ("waiter", "it was warm enough"), ("guest", "no it was not")]
    spans = {(row["segment"]["start"], row["segment"]["end"]) for row in label(dialogue([bare] * 200, ids=ids))}
    assert spans == {(0, 4), (4, 8), (8, 12)}


def test_accents_do_not_hide_the_name_of_a_role() -> None:
    """A speaker is called by a name that the role writes without its accent."""
    corpus = Corpus(classes={"roles": ("Rene Dubois", "guard")})
    batch = dialogue([[("guard", "Thank you , Ren\u00e9 ."), ("Rene Dubois", "Yes ."), ("guard", "Go .")]])
    (row,) = label(batch, corpus, role_rate=0.9)
    assert row["role_words"][:5] == [False, False, False, True, False]


def test_a_row_without_a_word_abstains() -> None:
    """Nothing to mask: the reason is no_words and every column is empty."""
    empty, full = label(passages(["... ! { gap }", CALM]))
    assert Masking.reasons[empty.pop("status") - 2] == "no_words"
    assert empty == {"draw": [], "never": [], "segment": None, "role": [], "role_hidden": [], "role_words": []}
    assert (full["status"], len(full["draw"])) == (1, 15)


def test_an_abstaining_dialogue_has_no_roles() -> None:
    """The lists of turns are empty too."""
    (row,) = label(dialogue([[("guest", "..."), ("waiter", "!"), ("guest", "?")]]))
    assert (row["status"], row["role"], row["role_hidden"]) == (2, [], [])


@pytest.mark.parametrize(
    "text", ["We rowed to the shore . Nobody spoke to us .", "Yes . No . Well , yes . Oh my .", ""]
)
def test_no_segment_is_masked_in_short_passages(text: str) -> None:
    """A masked segment needs three segments in its passage and three words of its own."""
    rows = label(passages([text, CALM]))
    assert rows[0]["segment"] is None
    assert rows[1]["segment"] is not None


def test_the_masked_segment_is_drawn_evenly_among_those_of_three_words() -> None:
    """Each segment of three words or more is taken equally often, shorter ones never."""
    text = "Nobody spoke . The lake was calm . Yes , yes . We rowed to the shore . It was late ."
    spans = [(row["segment"]["start"], row["segment"]["end"]) for row in label(passages([CALM, *[text] * 1500]))[1:]]
    counts = {span: spans.count(span) for span in set(spans)}
    assert set(counts) == {(3, 8), (12, 18), (18, 22)}
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_target_roles_are_classes_and_their_neighbours_are_hidden() -> None:
    """A fifth of the turns, classes only; hidden are exactly the targets and the turns beside them."""
    rows = label(dialogue([DINNER] * 400))
    for row in rows:
        targets = [i for i, role in enumerate(row["role"]) if role >= 0]
        assert len(targets) == 2  # a fifth of eight, rounded
        assert all(ROLES[row["role"][i]] == DINNER[i][0] for i in targets)
        beside = {near for i in targets for near in (i - 1, i, i + 1)}
        assert [i in beside for i in range(len(DINNER))] == row["role_hidden"]
    counts = np.sum([np.array(row["role"]) >= 0 for row in rows], axis=0)
    assert counts[6] == 0  # the dog is no class
    assert stats.chisquare(np.delete(counts, 6)).pvalue > 0.001


PAIR = [
    ("guest", "A table , please ."),
    ("waiter", "For how many , dear guest ?"),
    ("guest", "Two of us ."),
    ("waiter", "Here is one ."),
    ("guest", "We like it ."),
    ("waiter", "Sit down , please ."),
    ("guest", "Thank you , waiter ."),
]


def nearest(row: dict[str, Any], roles: list[str]) -> list[bool]:
    """Return for each target if its role follows from the nearest one that is seen and the number of turns between."""
    seen = [i for i, hidden in enumerate(row["role_hidden"]) if not hidden]
    right = []
    for target in (i for i, role in enumerate(row["role"]) if role >= 0):
        beside = min(seen, key=lambda i: abs(i - target), default=None)
        right.append(beside is not None and (roles[beside] == roles[target]) == ((beside - target) % 2 == 0))
    return right


def test_where_two_take_turns_no_role_is_seen() -> None:
    """One role that is seen would tell all the others; so no role is, and no word of their names in any turn."""
    roles = [role for role, _ in PAIR]
    rows = label(dialogue([PAIR] * 50))
    assert {answer for row in rows for answer in nearest(row, roles)} == {False}
    assert {tuple(row["role_hidden"]) for row in rows} == {(True,) * len(PAIR)}
    assert {sum(row["role_words"]) for row in rows} == {2}
    assert {sum(role >= 0 for role in row["role"]) for row in rows} == {1}


def test_where_one_of_two_goes_on_for_a_turn_no_role_is_seen_either() -> None:
    """Counting turns fails behind that turn alone. A third speaker, or long speeches, break the count."""
    more = [*PAIR, ("guest", "Good night .")]
    assert {all(row["role_hidden"]) for row in label(dialogue([more] * 20))} == {True}
    third = [*PAIR[:3], ("Chief Cook", "No table is left ."), *PAIR[3:]]
    assert {all(row["role_hidden"]) for row in label(dialogue([third] * 20))} == {False}
    speeches = [(role, text) for role, text in PAIR for _ in range(3)]
    assert {all(row["role_hidden"]) for row in label(dialogue([speeches] * 20))} == {False}


def test_hidden_turns_end_with_their_row() -> None:
    """A target in the last turn hides nothing in the next row."""
    three = DINNER[:3]
    for left, right in itertools.pairwise(label(dialogue([three] * 60))):
        for row in (left, right):
            target = row["role"].index(max(row["role"]))
            assert row["role_hidden"] == [abs(i - target) <= 1 for i in range(3)]


def test_short_dialogues_have_no_target_and_three_turns_have_one() -> None:
    """Below three turns no role is asked for."""
    rows = label(dialogue([DINNER[:2], DINNER[:3], DINNER[:1]]))
    assert [sum(role >= 0 for role in row["role"]) for row in rows] == [0, 1, 0]


@pytest.mark.parametrize("classes", [{}, {"roles": ()}, {"roles": ("guest",)}])
def test_fewer_than_two_roles_make_no_task(classes: dict[str, tuple[str, ...]]) -> None:
    """With one role there is nothing to predict, and nothing is hidden."""
    corpus = Corpus(classes=classes)
    assert [task.name for task in Masking().declaration(corpus).tasks] == ["masking.word", "masking.segment"]
    (row,) = label(dialogue([DINNER]), corpus)
    assert set(row["role"]) == {-1}
    assert not any(row["role_hidden"] + row["role_words"])


def test_more_roles_than_a_byte_can_number() -> None:
    """Of 200 roles each keeps its number, and the column is as wide as that takes."""
    names = tuple(f"speaker{number}" for number in range(200))
    corpus = Corpus(classes={"roles": names})
    batch = dialogue([[(name, "We met again today .") for name in names]])
    (row,) = label(batch, corpus, role_rate=0.99)
    asked = [place for place, role in enumerate(row["role"]) if role >= 0]
    assert len(asked) > 190
    assert [row["role"][place] for place in asked] == asked
    declared = [Masking().declaration(found).columns for found in (corpus, CORPUS)]
    types = [column.type for columns in declared for column in columns if column.name == "role"]
    assert types == [pa.list_(pa.int16()), pa.list_(pa.int8())]


def test_a_low_rate_still_leaves_one_target() -> None:
    """At least one turn of a dialogue is a target."""
    rows = label(dialogue([DINNER] * 5), role_rate=0.01)
    assert [sum(role >= 0 for role in row["role"]) for row in rows] == [1] * 5


def test_a_row_is_labelled_alike_in_every_company() -> None:
    """Rows before it, of whatever kind, change nothing."""
    alone = label(dialogue([DINNER], ids=["x/3"]))
    assert label(dialogue([DINNER[:4], [("dog", "!")], DINNER], ids=["x/1", "x/2", "x/3"]))[2:] == alone


def test_rows_without_roles_of_a_class_have_no_target() -> None:
    """No turn of the row is spoken by a class: no target, and the row before is not disturbed."""
    rows = label(dialogue([DINNER, [("dog", "Woof .")] * 4, DINNER]))
    assert rows[1]["role"] == [-1] * 4
    assert max(rows[0]["role"]) >= 0
    assert max(rows[2]["role"]) >= 0


def visible_words(row: dict[str, Any], batch: PassageBatch) -> list[str]:
    """Return the words of the row's hidden turns that role prediction may read."""
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    turns = batch.segment_turns[batch.token_segments]
    hidden = np.array(row["role_hidden"])[turns]
    return [t for t, h, w in zip(tokens, hidden, row["role_words"], strict=True) if h and not w]


@given(st.integers(0, 10**6))
def test_role_names_are_hidden_in_hidden_turns_alone(seed: int) -> None:
    """No form of a role's name, whatever its case or number, can be read where roles are hidden; elsewhere all can."""
    batch = dialogue([DINNER])
    (row,) = label(batch, seed=seed)
    seen = {word.lower() for word in visible_words(row, batch)}
    assert seen.isdisjoint({"cook", "cooks", "chief", "guest", "guests", "waiter"})
    turns = batch.segment_turns[batch.token_segments]
    assert not any(np.array(row["role_words"]) & ~np.array(row["role_hidden"])[turns])
    assert "the" not in {word for word, w in zip(batch.vocabulary.strings(batch.codes).to_pylist(), row["role_words"],
                                                  strict=True) if w}  # fmt: skip


def test_a_silent_word_of_a_role_name_stays_readable() -> None:
    """A role called Head of the Office hides head and office, not of and the."""
    corpus = Corpus(classes={"roles": ("Head of the Office", "guard")})
    batch = dialogue([[("guard", "The head of the office is here ."), ("guard", "Yes ."), ("guard", "Go .")]])
    (row,) = label(batch, corpus, role_rate=0.9)
    assert row["role_words"][:8] == [False, True, False, False, True, False, False, False]


def test_a_letter_of_a_role_name_is_hidden_as_a_word_only() -> None:
    """Where the role is "Guest D", a d is hidden, the d of "we'd" is not; longer words are found inside a token."""
    corpus = Corpus(classes={"roles": ("Guest D", "Guest E")})
    batch = dialogue([[("Guest D", "We 'd like D or d , co-guest 's Ds .")] * 3])
    (row,) = label(batch, corpus, role_rate=0.9)
    assert [w for w, hidden in zip(batch.vocabulary.texts, row["role_words"], strict=False) if hidden] == [
        "D",
        "d",
        "co-guest",
    ]


def test_joint_masks_leave_written_and_copied_tokens_alone() -> None:
    """In a woven view neither a repeat nor what it repeats is masked: each would show the other."""
    batch = passages(["we met old friends there"])
    _, view = repeat(batch, 1, 3)
    (row,) = label(batch, view=view)
    assert row["never"] == [False, True, True, True, True, False, False]
    assert "segment" not in row


def test_joint_marks_are_carried_into_the_view() -> None:
    """A transcriber's mark stays one when other tokens come between."""
    batch = passages(["we { gap } met friends"])
    _, view = repeat(batch, 0, 1)
    (row,) = label(batch, view=view)
    assert row["never"] == [True, True, True, True, True, False, False]


@given(st.integers(0, 44), st.integers(1, 4), st.integers(0, 1000))
def test_joint_copies_of_role_names_are_hidden(start: int, length: int, seed: int) -> None:
    """A repeated role name beside or in a hidden turn is hidden like the one it repeats."""
    batch = dialogue([DINNER, DINNER])
    edits, view = repeat(batch, start, min(start + length, 46))
    row = label(batch, view=view, seed=seed)[0]
    tokens = batch.vocabulary.strings(view.codes).to_pylist()[: len(row["role_words"])]
    turns = batch.segment_turns[batch.token_segments]
    place = np.where(view.edit >= 0, edits.start[0], view.origin)[: len(tokens)]
    for token, hides, turn in zip(tokens, row["role_words"], turns[place], strict=True):
        if row["role_hidden"][turn] and token.lower() in {"cook", "chief", "guest", "guests", "waiter"}:
            assert hides, token


def reads(row: dict[str, Any], tokens: list[str], turns: list[int], tasks: tuple[str, ...]) -> tuple[list[str], list]:
    """Return the words and roles that a model reads while it learns the given tasks in one sequence."""
    words, roles = list(tokens), [DINNER[i][0] for i in range(len(DINNER))]
    for i in range(len(words)):
        masked = row["draw"][i] < 256 * 0.15 and not row["never"][i]
        spanned = row["segment"] is not None and row["segment"]["start"] <= i < row["segment"]["end"]
        if (
            ("word" in tasks and masked)
            or ("segment" in tasks and spanned)
            or ("role" in tasks and row["role_words"][i])
        ):
            words[i] = "[MASK]"
    if "role" in tasks:
        roles = ["[ROLE]" if hidden else role for role, hidden in zip(roles, row["role_hidden"], strict=True)]
    return words, roles


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_no_combination_of_tasks_shows_a_target(count: int, seed: int) -> None:
    """Whatever tasks share a sequence, each one's target is hidden in it; alone, a task hides its own part only."""
    batch = dialogue([DINNER])
    (row,) = label(batch, seed=seed)
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    turns = batch.segment_turns[batch.token_segments].tolist()
    for tasks in itertools.combinations(("word", "segment", "role"), count):
        words, roles = reads(row, tokens, turns, tasks)
        for i, word in enumerate(words):
            if "word" in tasks and row["draw"][i] < 256 * 0.15 and not row["never"][i]:
                assert word == "[MASK]"
        if "segment" in tasks:
            span = row["segment"]
            assert set(words[span["start"] : span["end"]]) == {"[MASK]"}
        for i, target in enumerate(row["role"]):
            if "role" in tasks and target >= 0:
                names = {"cook", "chief", "guest", "guests", "waiter"}
                near = {token.lower() for token, turn in zip(words, turns, strict=True) if abs(turn - i) <= 1}
                assert near.isdisjoint(names)
                assert set(roles[max(i - 1, 0) : i + 2]) == {"[ROLE]"}


def test_tasks_say_what_is_hidden() -> None:
    """The three tasks with the columns that a trainer needs; joint, the generation target is left out."""
    word, segment, role = Masking(rate=0.2).declaration(CORPUS).tasks
    assert (word.kind, word.target, word.exclude, word.rate) == ("masked_lm", "masking.draw", "masking.never", 0.2)
    assert (segment.kind, segment.target, segment.spans) == ("generation", "masking.segment", ("masking.segment",))
    assert (role.kind, role.target, role.classes) == ("turn", "masking.role", ROLES)
    assert (role.hide_roles, role.hide_tokens) == ("masking.role_hidden", "masking.role_words")
    assert {task.sequences for task in (word, segment, role)} == {("source",)}
    joint = Masking().declaration(CORPUS, joint=True).tasks
    assert [(task.name, task.sequences) for task in joint] == [
        ("masking.word", ("woven",)),
        ("masking.role", ("woven",)),
    ]


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"rate": 1.5}, {"role_rate": -1}])
def test_a_rate_that_is_no_share_is_refused(options: dict[str, float]) -> None:
    """The message names the option and the bounds."""
    with pytest.raises(ValueError, match=rf"{next(iter(options))} .* between 0 and 1"):
        Masking(**options)
