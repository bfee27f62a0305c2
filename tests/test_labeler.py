"""What every labeler is: how one is found and told its options, and how its tasks are named."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import passages

import labelers
from labelers.columns import SPAN
from labelers.declaration import Declaration
from labelers.finding import load, names
from labelers.labeler import Corpus, Labeler, Resource
from labelers.task import SECOND, Task

ROOT = Path(__file__).parents[1]
OWN = """
from dataclasses import dataclass
from labelers.labeler import Labeler, Resource
from labelers.masking import Masking

@dataclass(frozen=True)
class Shouting(Masking):
    loud: float = 1.0

@dataclass(frozen=True)
class Reading(Masking):
    book: Resource = Resource("none", {})
    levels: tuple[float, ...] = ()
    free: object = None

class Draft(Labeler):
    pass

class Other: ...
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a user's module on the path and return its name."""
    (tmp_path / "my_own_lab.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_own_lab", raising=False)
    return "my_own_lab"


@dataclass(frozen=True)
class Example(Labeler):
    """A labeler with a view, for its tasks alone."""

    edits = True
    version = 3
    paper = "Nobody 2020"
    reasons = ("short", "conflict")

    def propose(self, *_: Any, **__: Any) -> Any:
        """Not needed."""

    def label(self, *_: Any, **__: Any) -> Any:
        """Not needed."""


def test_the_labelers_are_found_by_their_modules() -> None:
    """Sorted, each one named after its module; no module without a labeler."""
    found = names()
    assert "masking" in found
    assert found == sorted(found)
    assert {"columns", "declaration", "edits", "finding", "labeler", "passages", "task"}.isdisjoint(found)
    assert [load(name).name for name in found] == found


def test_a_broken_module_breaks_no_other_labeler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not listed; asked for, it is an error that says why."""
    (tmp_path / "newest.py").write_text("class Newest(Labeler): ...\n", encoding="utf-8")
    before = names()
    monkeypatch.setattr("labelers.__path__", [*labelers.__path__, str(tmp_path)])
    assert names() == before
    assert load("masking").name == "masking"
    with pytest.raises(ValueError, match=r"cannot import 'labelers.newest': NameError: .*; fix the module"):
        load("newest")


def test_the_class_of_a_labeler_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module gives the name; the class may be named otherwise and subclass another labeler."""
    text = "from labelers.masking import Masking\n\n\nclass Shuffled(\n    Masking\n):\n    pass\n"
    (tmp_path / "word_order.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr("labelers.__path__", [*labelers.__path__, str(tmp_path)])
    assert "word_order" in names()
    assert load("word_order", rate=0.2).rate == 0.2  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "labelers.word_order")


def test_a_labeler_is_loaded_alone() -> None:
    """No other labeler's module is imported for it."""
    code = (
        "import sys; from labelers.finding import load, names; load('masking'); loaded = set(sys.modules);"
        "print(sorted({f'labelers.{name}' for name in names()} & loaded))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "['labelers.masking']"


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("masking", "rate", "much", r"labeler 'masking': rate is 'much'; input should be a valid number"),
        ("disfluency", "max_ngram", 2.5, r"labeler 'disfluency': max_ngram is 2.5; input should be a valid integer"),
        ("disfluency", "profile", 3, r"labeler 'disfluency': profile is 3; input should be a valid string"),
        ("paraphrase", "dictionary", 3, r"labeler 'paraphrase': dictionary is 3; input should be a"),
    ],
)
def test_a_value_of_another_type_is_an_error_that_helps(name: str, option: str, value: Any, message: str) -> None:
    """It names labeler, option, what was given and what is allowed."""
    with pytest.raises(ValueError, match=message):
        load(name, **{option: value})


def test_a_value_becomes_the_type_of_its_option(own: str) -> None:
    """A list of a recipe becomes a tuple; what is of its type already, or of any type, is left alone."""
    book, free = Resource("a", {"": b"1"}), object()
    labeler: Any = load("my_own_lab:Reading", book=book, levels=[1, 2], free=free, rate=1 / 4)
    assert labeler.levels == (1.0, 2.0)
    assert labeler.book is book
    assert labeler.free is free
    with pytest.raises(ValueError, match=r"labeler 'my_own_lab:Reading': book is 3; input should be a dictionary"):
        load("my_own_lab:Reading", book=3)


def test_options_are_the_fields() -> None:
    """An option reaches its field; the labeler is a value."""
    assert load("masking", rate=0.3).rate == 0.3  # type: ignore[attr-defined]
    assert load("masking") == load("masking")
    assert load("masking") != load("masking", rate=0.3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("maskin", r"no labeler 'maskin'; there are .*masking.*\(did you mean 'masking'\?\), or give module:Class"),
        ("zzz", r"no labeler 'zzz'; there are [^(]*, or give module:Class"),
        ("edits", r"no labeler 'edits'"),
        ("no_such_module:Thing", r"cannot import 'no_such_module'"),
        ("my_own_lab:Missing", r"'my_own_lab:Missing' is not a Labeler"),
        ("my_own_lab:Shoutin", r"my_own_lab has Masking, Shouting, Reading \(did you mean 'Shouting'\?\)"),
        ("my_own_lab:Other", r"is not a Labeler"),
        ("my_own_lab:Draft", r"is not a Labeler"),  # abstract
    ],
)
def test_an_unknown_labeler_is_an_error_that_helps(own: str, given: str, message: str) -> None:
    """It names what was given, what there is, and the nearest name."""
    with pytest.raises(ValueError, match=message):
        load(given)


def test_an_unknown_option_is_an_error_that_helps(own: str) -> None:
    """It lists the options and the nearest one."""
    with pytest.raises(ValueError, match=r"'masking' has no option 'rat'; it has rate, .*\(did you mean 'rate'\?\)"):
        load("masking", rat=1)
    with pytest.raises(ValueError, match=r"no option 'zzz'; it has rate, role_rate$"):
        load("masking", zzz=1)


def test_a_users_labeler_is_found_by_module_and_class(own: str) -> None:
    """Its name is the class's in lower case, its options are its fields, those it inherits included."""
    labeler = load("my_own_lab:Shouting", loud=2.0, rate=0.5)
    assert (labeler.name, labeler.loud, labeler.rate) == ("shouting", 2.0, 0.5)  # type: ignore[attr-defined]
    assert load("my_own_lab:Masking").name == "masking"  # imported there, named on purpose
    assert next(task.name for task in labeler.declaration(Corpus()).tasks) == "shouting.word"


def test_draws_belong_to_one_labeler() -> None:
    """Seed, name and version stand in them."""
    draws = Example().draws(7)
    assert (draws.seed, draws.labeler, draws.version) == (7, "example", 3)


def test_a_task_is_named_and_its_columns_are_paths() -> None:
    """Columns are given by their names in the struct and stand in the task as paths from the row."""
    task = Example().task.pair("same", classes=("x", "y"), swap="turned", spans=("a", "b"))
    assert (task.name, task.target, task.status) == ("example.same", "example.same", "example.status")
    assert (task.spans, task.swap, task.weight) == (("example.a", "example.b"), "example.turned", None)
    assert (task.sequences, task.mode, task.version) == (("source", "example"), "own", 3)
    assert (task.reasons, task.paper, task.classes) == (("short", "conflict"), "Nobody 2020", ("x", "y"))


def every_kind(labeler: Labeler) -> tuple[Task, ...]:
    """Return a task of each kind that labelers make."""
    make, classes = labeler.task, ("a", "b")
    return (
        make.token("tags", classes=classes, weight="sure"),
        make.passage("example", classes=classes),
        make.segment("parts", classes=classes),
        make.turn("who", classes=classes, hide_roles="roles", hide_tokens="names"),
        make.span_pair("link", classes=classes, spans=("one", "two"), weight="sure"),
        make.pair("same", classes=classes, swap="swap", spans=("one", "two"), level="segment"),
        make.masked_lm("draw", exclude="never", rate=0.5, roles=True, name="words"),
        make.generation("gap", span="gap", level="segment"),
        make.generation("whole", weight="sure"),
    )


def test_there_is_a_builder_for_each_kind() -> None:
    """Kind, name, level and metric follow from the builder; a target named like its labeler gives it that name."""
    assert [(task.kind, task.name, task.level, task.metric) for task in every_kind(Example())] == [
        ("token", "example.tags", "token", "tag_f1"),
        ("passage", "example", "passage", "macro_f1"),
        ("segment", "example.parts", "segment", "macro_f1"),
        ("turn", "example.who", "turn", "accuracy"),
        ("span_pair", "example.link", "passage", "macro_f1"),
        ("pair", "example.same", "segment", "accuracy"),
        ("masked_lm", "words", "token", "nats_per_word"),
        ("generation", "example.gap", "segment", "nats_per_word"),
        ("generation", "example.whole", "passage", "nats_per_word"),
    ]
    turn, gap, whole = (every_kind(Example())[place] for place in (3, 7, 8))
    assert (turn.roles, turn.hide_roles, turn.hide_tokens) == (True, "example.roles", "example.names")
    assert (gap.target, gap.spans) == ("example.gap", ("example.gap",))
    assert (whole.target, whole.spans, whole.weight) == ("tokens", (), "example.sure")


def test_a_woven_view_has_the_tasks_that_one_sequence_serves() -> None:
    """No task over two sequences, nothing to be generated, and no column that these alone read."""
    names_ = ("tags", "sure", "link", "one", "two", "same", "swap", "gap", "read_by_no_task")
    declared = Declaration(tuple(pa.field(name, pa.int64()) for name in names_), every_kind(Example()))
    woven = declared.woven()
    assert [task.kind for task in woven.tasks] == ["token", "passage", "segment", "turn", "span_pair", "masked_lm"]
    assert {(task.sequences, task.mode) for task in woven.tasks} == {(("woven",), "joint")}
    assert [column.name for column in woven.columns] == ["tags", "sure", "link", "one", "two", "read_by_no_task"]
    assert woven.woven() == woven


def test_tasks_may_read_the_second_text() -> None:
    """Alone, or beside the source in this order; a woven view has no part of them."""
    second, columns = Example().task.over(SECOND), tuple(pa.field(name, pa.int64()) for name in ("tags", "same"))
    tasks = second.token("tags", classes=("a", "b")), second.pair("same", classes=("a", "b"))
    assert [(task.name, task.sequences, task.swap) for task in tasks] == [
        ("example.tags", ("second",), None),
        ("example.same", ("source", "second"), None),
    ]
    assert Declaration(columns, tasks).woven() == Declaration((), ())


@given(st.lists(st.sampled_from(every_kind(Example())), max_size=5))
def test_a_woven_view_has_all_columns_that_its_tasks_read(tasks: list[Task]) -> None:
    """Whichever tasks share them with others; and of the others only what no task reads."""
    every = sorted({name for task in tasks for name in read(task)} | {"example.free"})
    declared = Declaration(tuple(pa.field(name.removeprefix("example."), SPAN) for name in every), tuple(tasks))
    woven = declared.woven()
    kept = {f"example.{column.name}" for column in woven.columns}
    assert kept == {name for task in woven.tasks for name in read(task)} | {"example.free"}


def read(task: Task) -> set[str]:
    """Return the columns of the labeler that a task reads."""
    paths = (task.target, *task.spans, task.weight, task.swap, task.exclude, task.hide_roles, task.hide_tokens)
    return {path for path in paths if path and path.startswith("example.")}


def test_a_labeler_that_declares_nothing_is_an_error_that_helps() -> None:
    """It says which method is missing."""

    class Greedy(Example):
        needs_classes = ("roles",)

    with pytest.raises(
        NotImplementedError, match=r"Example must define `declare`, or `declare_found` and `needs_class"
    ):
        Example().declaration(Corpus())
    with pytest.raises(
        NotImplementedError, match="Greedy defines `needs_classes`, so it must also define `declare_found`"
    ):
        Greedy().declaration(Corpus())


def test_a_resource_is_a_file_or_all_files_of_a_folder(tmp_path: Path) -> None:
    """Content by path below the folder; equal content under one name is equal."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.tsv").write_bytes(b"2")
    (tmp_path / "a.tsv").write_bytes(b"1")
    assert Resource.read(tmp_path).files == {"a.tsv": b"1", "in/b.tsv": b"2"}
    assert Resource.read(tmp_path / "a.tsv").files == {"": b"1"}
    assert Resource.read(tmp_path) == Resource.read(tmp_path)
    assert hash(Resource.read(tmp_path)) == hash(Resource.read(tmp_path))


def test_a_resource_without_files_is_an_error(tmp_path: Path) -> None:
    """An empty folder or a missing path."""
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileNotFoundError, match=f"no file at {path}"):
            Resource.read(path)


def test_what_is_derived_from_a_corpus_is_made_once() -> None:
    """One computation per key; another corpus has its own."""
    calls: list[int] = []

    def make() -> int:
        calls.append(1)
        return len(calls)

    corpus = Corpus()
    assert [corpus.derive("a", make), corpus.derive("a", make), corpus.derive("b", make)] == [1, 1, 2]
    assert Corpus().derive("a", make) == 3


def test_a_labeler_labels_a_list_of_texts_by_itself() -> None:
    """One row per passage: what its view shows, its status, and the labels that it declares."""
    batch = passages(["He opened the old gate and walked slowly down to the river ."] * 3)
    labeler = load("disfluency")
    rows = labeler.apply(batch, seed=1).to_pylist()
    assert [row["id"] for row in rows] == list(batch.ids)
    assert set(rows[0]) == {"id", "tokens", "status", *(field.name for field in labeler.declare().columns)}
    assert rows == load("disfluency").apply(batch, seed=1).to_pylist()
    assert {len(row["tags"]) == len(row["tokens"]) for row in rows} == {True}
