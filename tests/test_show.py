"""Rows on the screen: every change, mask and label is told, with colour and without."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from labelers.task import Task, write_tasks
from pipelines.display.show import first_rows, show_rows

STORY = {
    "id": "a.txt:0/0",
    "tokens": ["We", "slept", ".", "However", ",", "doctors", "worked", "."],
    "spaces": [True, False, True, False, True, True, False, False],
    "segments": [0, 3],
    "turns": [],
    "roles": [],
    "connective": {
        "status": 0,
        "tokens": ["We", "slept", ".", "Doctors", "worked", "."],
        "origin": [0, 1, 2, 5, 6, 7],
        "connective": 1,
        "sense": None,
        "arg1": {"start": 0, "end": 3},
        "arg2": {"start": 3, "end": 6},
        "omission_rate": 0.25,
    },
    "disfluency": {
        "status": 0,
        "tokens": ["We", "uh", "tea", "slept", ".", "However", ",", "doctors", "worked", "."],
        "origin": [0, -1, -1, 1, 2, 3, 4, 5, 6, 7],
        "tags": [0, 2, 1, 0, 0, 0, -1, 0, 0, 0],
        "pair": 1,
        "swap": True,
        "pair_source": {"start": 0, "end": 3},
        "pair_view": {"start": 0, "end": 5},
    },
    "paraphrase": {"status": 3, "tokens": [], "origin": [], "tags": [], "equivalent": None, "swap": False},
    "masking": {
        "status": 1,
        "draw": [200, 10, 0, 38, 5, 39, 255, 0],
        "never": [False, False, True, False, True, False, False, True],
        "segment": {"start": 3, "end": 8},
        "role": [],
        "role_hidden": [],
        "role_words": [],
    },
}


def a_task(name: str, kind: str, **values: Any) -> Task:
    """Return a task of the labeler that its name begins with."""
    labeler = name.split(".", maxsplit=1)[0]
    known = {"labeler": labeler, "version": 1, "sequences": (labeler,), "target": name, "status": f"{labeler}.status"}
    level = {"token": "token", "masked_lm": "token", "turn": "turn"}.get(kind, "passage")
    return Task(name=name, kind=kind, **({"level": level} | known | values))


ARGS = ("connective.arg1", "connective.arg2")
TASKS = [
    a_task("connective", "span_pair", target="connective.connective", spans=ARGS, classes=("but", "however")),
    a_task("connective.sense", "span_pair", spans=ARGS, classes=("Comparison",)),
    a_task("disfluency.tags", "token", classes=("O", "D", "I")),
    a_task(
        "disfluency.pair",
        "pair",
        sequences=("source", "disfluency"),
        spans=("disfluency.pair_source", "disfluency.pair_view"),
        swap="disfluency.swap",
        classes=("add_0", "add_1"),
    ),
    a_task("paraphrase.tags", "token", classes=("O", "R"), reasons=("no_mention", "too_odd")),
    a_task(
        "masking.word",
        "masked_lm",
        sequences=("source",),
        target="masking.draw",
        exclude="masking.never",
        rate=0.15,
    ),
    a_task("masking.segment", "generation", sequences=("source",), spans=("masking.segment",)),
]


def shown(
    row: dict[str, Any], *labelers: str, tasks: list[Task] | None = None, colour: bool = False, width: int = 200
) -> list[str]:
    """Return the lines that are printed for one row, of some labelers or all, without the last empty one."""
    tasks = [task for task in tasks or TASKS if not labelers or task.labeler in labelers]
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    show_rows([row], tasks, console)
    lines = out.getvalue().split("\n")
    assert lines[-2:] == ["", ""]
    return lines[:-2]


def test_a_removed_connective_stands_where_it_was() -> None:
    """What was removed and what was re-cased, the arguments, the class and whatever else the row says."""
    assert shown(STORY, "connective") == [
        "a.txt:0/0",
        "  connective",
        "    <arg1 We slept. arg1> [-However, doctors-]{+<arg2 Doctors+} worked. arg2>",
        "    connective: however",
        "    sense: none",
        "    omission_rate 0.25",
    ]


def test_inserted_tokens_carry_their_tags() -> None:
    """The tags of classes other than the first stand behind the tokens; a pair says which side is which."""
    assert shown(STORY, "disfluency") == [
        "a.txt:0/0",
        "  disfluency",
        "    <pair_view We {+uh/I tea/D+} slept. pair_view> However, doctors worked.",
        "    tags: 7 O, 1 D, 1 I",
        "    pair: add_1   0 = disfluency, 1 = source",
    ]


def test_a_row_without_a_label_says_why() -> None:
    """The reason of its status; the text is the source."""
    assert shown(STORY, "paraphrase") == [
        "a.txt:0/0",
        "  We slept. However, doctors worked.",
        "  paraphrase  no label: too_odd",
    ]
    later = STORY | {"paraphrase": {"status": 9, "tokens": [], "origin": [], "tags": []}}
    assert shown(later, "paraphrase")[2] == "  paraphrase  no label: status 9"


def test_masked_words_are_shown_in_their_place() -> None:
    """Masked is what is drawn below the rate and may be masked; the segment masked whole is framed."""
    assert shown(STORY, "masking") == [
        "a.txt:0/0",
        "  masking",
        "    We [?slept?]. <segment [?However?], doctors worked. segment>",
        "    word: 2 of 5 words masked",
        "    segment: However , doctors worked .",
    ]


def test_all_labelers_follow_each_other_in_the_order_of_the_tasks() -> None:
    """One id, then each labeler once."""
    lines = shown(STORY)
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == [
        "connective",
        "disfluency",
        "paraphrase",
        "masking",
    ]
    assert lines.count("a.txt:0/0") == 1


def test_an_unchanged_view_is_not_printed_again() -> None:
    """Status 1: labelled, and the text is the source."""
    calm = STORY | {"paraphrase": {"status": 1, "tokens": [], "origin": [], "tags": [0] * 8}}
    assert shown(calm, "paraphrase") == [
        "a.txt:0/0",
        "  We slept. However, doctors worked.",
        "  paraphrase  unchanged",
        "    tags: 8 O, 0 R",
    ]
    assert "  We slept. However, doctors worked." not in shown(calm, "paraphrase", "connective")


@pytest.mark.parametrize(
    ("tokens", "origin", "line"),
    [
        (["a", "b"], [0, 1], "a b [-c-]"),
        (["b", "c"], [1, 2], "[-a-] b c"),
        (["a", "c"], [0, 2], "a [-b-] c"),
        (["a", "x", "y", "c"], [0, -1, -1, 2], "a [-b-]{+x y+} c"),
        (["a", "b", "c", "x"], [0, 1, 2, -1], "a b c {+x+}"),
        (["x", "a", "b", "c"], [-1, 0, 1, 2], "{+x+} a b c"),
        (["A", "b", "c"], [0, 1, 2], "[-a-]{+A+} b c"),
        (["x"], [-1], "[-a b c-]{+x+}"),
        (["c"], [2], "[-a b-] c"),
        (["a", "a", "b", "c"], [0, 0, 1, 2], "a {+a+} b c"),
    ],
)
def test_every_kind_of_edit_is_seen(tokens: list[str], origin: list[int], line: str) -> None:
    """Removed, inserted, replaced and re-cased, at the start, inside and at the end."""
    row = {
        "id": "r",
        "tokens": ["a", "b", "c"],
        "spaces": [True, True, False],
        "segments": [0],
        "turns": [],
        "paraphrase": {"status": 0, "tokens": tokens, "origin": origin, "tags": [0] * len(tokens)},
    }
    lines = shown(row, "paraphrase")
    assert lines[2 if lines[1].startswith("  paraphrase") else 1].strip() == line


TALK = {
    "id": "t/0",
    "tokens": ["Hello", ".", "The", "waiter", "came", ".", "Thanks", "."],
    "spaces": [True] * 8,
    "segments": [0, 2, 6],
    "turns": [0, 1, 2],
    "roles": ["guest", "waiter", "guest"],
    "masking": {
        "status": 1,
        "role": [-1, 1, -1],
        "role_hidden": [True, True, True],
        "role_words": [False, False, False, True, False, False, False, False],
    },
    "disfluency": {
        "status": 0,
        "tokens": ["Hello", ".", "The", "cat", "the", "waiter", "came", ".", "Thanks", "."],
        "origin": [0, 1, -1, -1, 2, 3, 4, 5, 6, 7],
        "tags": [0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
    },
    "cut": {"status": 0, "tokens": ["Hello", ".", "came", ".", "Thanks", "."], "origin": [0, 1, 4, 5, 6, 7], "x": 0.5},
}
ROLE = a_task(
    "masking.role",
    "turn",
    sequences=("source",),
    classes=("guest", "waiter"),
    hide_roles="masking.role_hidden",
    hide_tokens="masking.role_words",
)


def test_a_dialogue_has_a_line_per_turn() -> None:
    """Who speaks stands before the turn, and what role prediction asks for and hides."""
    assert shown(TALK, tasks=[ROLE]) == [
        "t/0",
        "  masking",
        "    guest (hidden): Hello .",
        "    waiter (asked): The [?waiter?] came .",
        "    guest (hidden): Thanks .",
        "    role: turn 2 waiter",
    ]


def test_what_is_inserted_before_a_turn_is_said_in_it() -> None:
    """A repeat at the start of a turn does not end the turn before."""
    assert shown(TALK, tasks=TASKS[2:3])[2:5] == [
        "    guest: Hello .",
        "    waiter: [-The-]{+The/D cat/D the+} waiter came .",
        "    guest: Thanks .",
    ]
    added = TALK["disfluency"] | {"tokens": [t if t != "the" else "The" for t in TALK["disfluency"]["tokens"]]}
    assert shown(TALK | {"disfluency": added}, tasks=TASKS[2:3])[2:4] == [
        "    guest: Hello .",
        "    waiter: {+The/D cat/D+} The waiter came .",
    ]


def test_a_turn_whose_first_token_is_gone_keeps_its_speaker() -> None:
    """The removed tokens stand in their turn."""
    regression = a_task("cut.x", "regression")
    assert shown(TALK, tasks=[regression])[2:] == [
        "    guest: Hello .",
        "    waiter: [-The waiter-] came .",
        "    guest: Thanks .",
        "    x: 0.5",
    ]


def test_a_woven_row_shows_one_text_for_all() -> None:
    """Edits, tags, spans and masks of every labeler in one view; a labeler that lost says so."""
    row = {name: STORY[name] for name in ("id", "tokens", "spaces", "segments", "turns", "roles")} | {
        "woven": {
            "tokens": ["We", "uh", "slept", ".", "Doctors", "worked", "."],
            "origin": [0, -1, 1, 2, 5, 6, 7],
        },
        "connective": {"status": 0, "connective": 1, "arg1": {"start": 0, "end": 4}, "arg2": {"start": 4, "end": 7}},
        "disfluency": {"status": 0, "tags": [0, 1, 0, 0, 0, 0, 0]},
        "paraphrase": {"status": 2, "tags": []},
        "masking": {"status": 1, "draw": [0, 0, 200, 0, 0, 3, 0], "never": [True, True, True, True, True, False, True]},
    }
    tasks = [
        a_task("connective", "span_pair", target="connective.connective", spans=ARGS, classes=("but", "however")),
        a_task("disfluency.tags", "token", classes=("O", "D")),
        a_task("paraphrase.tags", "token", classes=("O", "R"), reasons=("conflict",)),
        a_task("masking.word", "masked_lm", target="masking.draw", exclude="masking.never", rate=0.15),
    ]
    woven = [Task.from_json(task.to_json() | {"sequences": ["woven"]}) for task in tasks]
    assert shown(row, tasks=woven) == [
        "a.txt:0/0",
        "  <arg1 We {+uh/D+} slept. arg1> [-However, doctors-]{+<arg2 Doctors+} [?worked?]. arg2>",
        "  connective",
        "    connective: however",
        "  disfluency",
        "    tags: 6 O, 1 D",
        "  paraphrase  no label: conflict",
        "  masking",
        "    word: 1 of 1 words masked",
    ]


def test_what_follows_in_a_long_line_keeps_its_indent() -> None:
    """On a narrow console the text, the labels and the notes stay where their first line begins."""
    assert shown(STORY, "connective", width=40) == [
        "a.txt:0/0",
        "  connective",
        "    <arg1 We slept. arg1> [-However,",
        "    doctors-]{+<arg2 Doctors+} worked.",
        "    arg2>",
        "    connective: however",
        "    sense: none",
        "    omission_rate 0.25",
    ]
    coloured = shown(STORY, "connective", width=40, colour=True)
    assert [line for line in coloured[2:] if not line.startswith("    ")] == []


def test_a_view_without_tags_says_none() -> None:
    """Tags of -1 are of no class: a pair with a deletion has no tags."""
    row = STORY | {"disfluency": STORY["disfluency"] | {"tags": [-1] * 10}}
    assert "    tags: none" in shown(row, "disfluency")


def test_a_label_that_weighs_nothing_is_none() -> None:
    """It trains nothing, and is counted nowhere."""
    source = a_task("paraphrase.source", "generation", target="tokens", weight="paraphrase.weight")
    for weight, line in ((0.0, "    source: none"), (0.5, "    source: the original text")):
        row = STORY | {"paraphrase": {"status": 0, "tokens": ["Hi"], "origin": [0], "weight": weight}}
        assert line in shown(row, tasks=[source])


def test_colours_replace_the_marks() -> None:
    """Removed red and struck, inserted green, replaced yellow with an arrow, masked dim and reversed."""
    (line,) = [line for line in shown(STORY, "connective", colour=True) if "However" in line]
    assert "\x1b[33mHowever, doctors\x1b[0m\x1b[33m -> \x1b[0m" in line
    assert "[-" not in line
    assert "\x1b[32muh\x1b[0m\x1b[35m/I\x1b[0m" in shown(STORY, "disfluency", colour=True)[2]
    assert "\x1b[2;7mslept\x1b[0m" in shown(STORY, "masking", colour=True)[2]
    regression = a_task("cut.x", "regression")
    assert "\x1b[9;31mThe waiter\x1b[0m" in shown(TALK, tasks=[regression], colour=True)[3]


def test_no_color_is_obeyed() -> None:
    """A terminal whose user asks for no colour gets the marks."""
    out = io.StringIO()
    show_rows([STORY], TASKS[:1], Console(file=out, width=200, force_terminal=True, no_color=True))
    assert "[-However, doctors-]" in out.getvalue()


def test_a_woven_dialogue_whose_roles_abstained_is_shown() -> None:
    """The empty lists of a row without a label are no marks."""
    empty = {"status": 2, "role": [], "role_hidden": [], "role_words": []}
    row = TALK | {"masking": empty, "woven": {"tokens": TALK["tokens"], "origin": list(range(8))}}
    role = Task.from_json(ROLE.to_json() | {"sequences": ["woven"], "reasons": ["no_words"]})
    assert shown(row, tasks=[role])[1:] == [
        "  guest: Hello .",
        "  waiter: The waiter came .",
        "  guest: Thanks .",
        "  masking  no label: no_words",
    ]


def test_a_label_of_ones_own_is_shown_beside_the_source() -> None:
    """Tasks without a labeler's struct: a class, several classes, a number."""
    row = STORY | {"topic": 1, "tones": [0, 1], "score": 0.125}
    tasks = [
        a_task(name, kind, sequences=("source",), labeler="", status="", classes=classes)
        for name, kind, classes in [
            ("topic", "passage", ("art", "work")),
            ("tones", "passage", ("calm", "dry")),
            ("score", "regression", ()),
        ]
    ]
    assert shown(row, tasks=tasks) == [
        "a.txt:0/0",
        "  We slept. However, doctors worked.",
        "  labels",
        "    topic: work",
        "    tones: calm, dry",
        "    score: 0.125",
    ]


def test_a_generation_target_may_be_the_source() -> None:
    """The task that restores the row's own tokens."""
    task = a_task("connective.source", "generation", target="tokens")
    assert "    source: the original text" in shown(STORY, tasks=[task])


def test_no_token_commands_the_terminal() -> None:
    """Escape sequences and direction marks are spelt out, and square brackets are no markup."""
    row = STORY | {"tokens": ["We", "\x1b[31m", ".", "\u202eright", "[bold]", ":smile:", "\ud800", "."]}
    text = "\n".join(shown(row, "paraphrase"))
    assert r"We \x1b[31m. \u202eright[bold] :smile: \ud800." in text
    assert "\x1b" not in text


def test_long_texts_are_wrapped_between_words() -> None:
    """No line is wider than the console, and no word is lost."""
    row = STORY | {"tokens": ["word"] * 100, "spaces": [True] * 100}
    lines = shown(row, "paraphrase", width=40)
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).split().count("word") == 100


def test_rows_are_read_from_train_first(tmp_path: Path) -> None:
    """As many rows as asked for, train before the other splits, shard after shard."""
    for split, shard, ids in [("test", 0, "yz"), ("train", 0, "ab"), ("train", 1, "c"), ("validation", 0, "v")]:
        (tmp_path / split).mkdir(exist_ok=True)
        table = pa.table({"id": list(ids)})
        schema = write_tasks(table.schema, [])
        path = tmp_path / split / f"data-{shard:05}-of-00002.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table.cast(schema))
    assert [row["id"] for row in first_rows(tmp_path, 5)] == ["a", "b", "c", "v", "y"]
    assert len(first_rows(tmp_path, 2)) == 2


GOLD = {
    "id": "b.txt:0/0",
    "tokens": ["The", "end", "came", "."],
    "spaces": [True, True, False, False],
    "segments": [0],
    "turns": [],
    "roles": [],
    "genre": {"status": 0, "labels": [True, False, True]},
    "grade": {"status": 0, "value": 0.25},
    "pace": {"status": 0, "values": [0.5, float("nan"), -1.0, 0.0]},
    "tree": {"status": 0, "heads": [1, 2, 2, -1], "relations": [1, 2, 0, -1]},
}
GOLD_TASKS = [
    a_task("genre", "multilabel", sequences=("source",), target="genre.labels", classes=("tale", "song", "play")),
    a_task("grade", "regression", sequences=("source",), target="grade.value"),
    a_task("pace", "regression", sequences=("source",), target="pace.values", level="token"),
    a_task(
        "tree", "arc", sequences=("source",), target="tree.heads", relations="tree.relations", level="token",
        classes=("root", "det", "nsubj"),
    ),
]  # fmt: skip


def test_labels_that_people_made_are_written_as_what_they_are() -> None:
    """The classes that hold, numbers behind their tokens, and a tree as its arcs; what has no label is left out."""
    assert shown(GOLD, tasks=GOLD_TASKS) == [
        "b.txt:0/0",
        "  genre",
        "    genre: tale, play",
        "  grade",
        "    grade: 0.25",
        "  pace",
        "    The/0.5 end came/-1./0",
        "    pace: 3 numbers, mean -0.167",
        "  tree",
        "    tree: det(end, The) nsubj(came, end) root(came)",
    ]


def test_arcs_without_names_and_empty_sets() -> None:
    """The head stands before its dependent; a row may have a label of which no class holds."""
    bare = a_task("tree", "arc", sequences=("source",), target="tree.heads", level="token")
    assert shown(GOLD, tasks=[bare])[-1] == "    tree: arc(end, The) arc(came, end) root(came)"
    empty = GOLD | {"genre": {"status": 0, "labels": [False] * 3}}
    assert shown(empty, "genre", tasks=GOLD_TASKS)[-1] == "    genre: no class"
    gone = GOLD | {"tree": {"status": 0, "heads": [-1] * 4, "relations": [-1] * 4}}
    assert shown(gone, "tree", tasks=GOLD_TASKS)[-1] == "    tree: none"
    nothing = GOLD | {"pace": {"status": 0, "values": [float("nan")] * 4}}
    assert shown(nothing, "pace", tasks=GOLD_TASKS)[-1] == "    pace: none"
