"""One unit: rows that depend on themselves alone, bytes that depend on rows alone, and what a labeler may not do."""

import dataclasses
import json
import socket
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import passages
from small import TOYS, built, recipe, rows, text, write
from toy_labelers import Beheading, Sorting, Stutter

from labelers.edits import Edits
from labelers.finding import load
from labelers.labeler import Corpus, Labeler, Proposal, Request
from labelers.passages import PassageBatch
from labelers.task import tasks
from pipelines.build import build
from pipelines.folder.layout import Folder, Pending
from pipelines.folder.schema import declare
from pipelines.graph import run_graph
from pipelines.plans.plan import Plan
from pipelines.plans.planning import draft, fill
from pipelines.preview import preview
from pipelines.recipes.recipe import make_recipe
from pipelines.rows import worker
from pipelines.rows.errors import RowError
from pipelines.rows.labelling import copied, label_rows
from pipelines.rows.passage_keys import passage_keys
from pipelines.rows.shard import make_shard
from pipelines.rows.writer import ShardWriter

TEXTS = [line for line in text(60).splitlines() if line]


def _label(batch: PassageBatch, labelers: list[Labeler], *, joint: bool = False, seed: int = 0) -> pa.RecordBatch:
    """Return the rows that labelers make of a batch."""
    corpus = Corpus(pool=passages(TEXTS[:5], batch.vocabulary))
    schema = declare(labelers, corpus, joint=joint, keep={})
    return label_rows(batch, labelers, corpus, schema, seed=seed, joint=joint, conflicts=Counter())


def _toys() -> list[Labeler]:
    """Return the toy labelers."""
    return [load(name) for name in TOYS]


@pytest.mark.parametrize("joint", [False, True])
def test_a_row_depends_on_itself_alone(joint: bool) -> None:  # noqa: FBT001
    """Alone, in a batch, and in a batch turned round, a row is the same."""
    ids = [f"d{i}/0" for i in range(len(TEXTS))]
    whole = _label(passages(TEXTS, ids=ids), _toys(), joint=joint).to_pylist()
    turned = _label(passages(TEXTS[::-1], ids=ids[::-1]), _toys(), joint=joint).to_pylist()[::-1]
    alone = [
        _label(passages([line], ids=[name]), _toys(), joint=joint).to_pylist()[0]
        for line, name in zip(TEXTS, ids, strict=True)
    ]
    assert whole == turned == alone


def test_another_seed_makes_other_rows() -> None:
    """The seed of the build reaches every draw."""
    one, two = (_label(passages(TEXTS), _toys(), seed=seed).column("stutter") for seed in (0, 1))
    assert one != two


def test_the_order_of_labelers_decides_conflicts() -> None:
    """The first has what both want; the other's row has status conflict and no label."""
    batch = passages(["one two three four five ."] * 200)
    for labelers in ([Stutter(), Beheading()], [Beheading(), Stutter()]):
        found = _label(batch, labelers, joint=True).to_pylist()
        first, second = (labeler.name for labeler in labelers)
        assert {row[first]["status"] for row in found} <= {0, 1}
        assert 3 in {row[second]["status"] for row in found}
        for row in found:
            if row["beheading"]["status"] == 3:
                assert row["beheading"]["upper"] is None
            if row["stutter"]["status"] == 3:
                assert row["stutter"]["tags"] == []
            elif row["stutter"]["status"] == 0:
                assert sum(row["stutter"]["tags"]) == 1
                assert len(row["stutter"]["tags"]) == len(row["woven"]["tokens"])


def test_copies_have_ids_and_draws_of_their_own() -> None:
    """The first copy is the row that there would be without copies."""
    batch = passages(TEXTS[:3])
    repeated = copied(batch, 2)
    assert list(repeated.ids) == ["d0/0", "d0/0#1", "d1/0", "d1/0#1", "d2/0", "d2/0#1"]
    assert len(set(repeated.keys.tolist())) == 6
    single, double = _label(batch, _toys()).to_pylist(), _label(repeated, _toys()).to_pylist()
    assert double[::2] == single
    assert copied(batch, 1) is batch


def test_tags_of_many_classes_keep_their_numbers() -> None:
    """Two hundred classes of tokens need more than a byte, and are counted and read as any others."""
    found = _label(passages(TEXTS), [Sorting()])
    drawers = found.column("sorting").field("drawer")
    tokens = found.column("tokens").to_pylist()
    assert drawers.type == pa.list_(pa.int16())
    assert drawers.to_pylist() == [[sum(map(ord, token)) % 200 for token in row] for row in tokens]
    assert max(max(row, default=0) for row in drawers.to_pylist()) > 127


def _broken(rule: str) -> Labeler:
    """Return a labeler that breaks a rule."""

    class Broken(Stutter):
        def propose(self, request: Request) -> Proposal:
            proposal = super().propose(request)
            if rule == "status":
                return dataclasses.replace(proposal, status=proposal.status + np.int8(9))
            if rule == "type":
                return dataclasses.replace(proposal, status=proposal.status.astype(np.int64))
            if rule == "edit":
                return dataclasses.replace(proposal, status=np.ones_like(proposal.status))
            return proposal

        def label(self, *args: Any, **kwargs: Any) -> dict[str, pa.Array]:
            columns = super().label(*args, **kwargs)
            if rule == "missing":
                return {}
            if rule == "extra":
                return columns | {"more": columns["tags"]}
            if rule == "null":
                return {"tags": pa.array([None] * len(columns["tags"]), pa.list_(pa.int8()))}
            if rule == "short":
                return {"tags": columns["tags"].slice(1)}
            return columns

    return Broken()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("status", "has no reason"),
        ("type", "status must be int8"),
        ("edit", "has an edit but not status 0"),
        ("missing", r"returned the columns \['origin', 'tokens'\], but declares \['origin', 'tags', 'tokens'\]"),
        ("extra", r"returned the columns \['more', 'origin', 'tags', 'tokens'\]"),
        ("null", "contains a null; use an empty list"),
        ("short", r"is list<item: int8> \[59\], but declared as list<item: int8> \[60\]"),
    ],
)
def test_what_a_labeler_makes_is_checked_against_what_it_declared(rule: str, message: str) -> None:
    """The error names the labeler, and says what was got and what was expected."""
    with pytest.raises(RowError, match=message) as error:
        _label(passages(TEXTS), [_broken(rule)])
    assert error.value.labeler == "broken"


def test_a_leak_in_a_woven_view_is_found() -> None:
    """What one labeler hides, another may not copy, whoever comes first; collisions see to it."""
    batch = passages(["one two three four five ."] * 300)
    found = _label(batch, [Beheading(), Stutter()], joint=True).to_pylist()
    for row in found:
        assert row["beheading"]["status"] != 0 or "one" not in row["woven"]["tokens"]

    class Careless(Beheading):
        def propose(self, request: Request) -> Proposal:
            proposal = super().propose(request)
            return dataclasses.replace(proposal, hidden=np.ones_like(proposal.hidden))

    with pytest.raises(RowError, match="shows what a task must predict") as error:
        _label(batch, [Careless(), Stutter()], joint=True)
    assert "careless, stutter" in str(error.value)


def test_a_lost_edit_hides_nothing() -> None:
    """Where a labeler lost its edit the word may stand: there is no label to tell."""
    batch = passages(["one two three four five ."] * 300)
    found = _label(batch, [Stutter(), Beheading()], joint=True).to_pylist()
    lost = [row for row in found if row["beheading"]["status"] == 3]
    assert lost
    assert all("one" in row["woven"]["tokens"] for row in lost)


_VALUES = pa.struct([("label", pa.int64()), ("text", pa.string()), ("yes", pa.bool_()), ("tags", pa.list_(pa.bool_()))])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 5))
def test_bytes_of_a_shard_depend_on_its_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], seed: int
) -> None:
    """However rows come in, in slices and with bytes of others around them, the file is the same."""
    random = np.random.default_rng(seed)
    values = [
        {
            "label": int(random.integers(5)) if random.random() < 0.7 else None,
            "text": "x" * int(random.integers(4)),
            "yes": bool(random.random() < 0.5),
            "tags": [bool(tag) for tag in random.integers(0, 2, random.integers(5))],
        }
        for _ in range(2500)
    ]
    tokens = pa.array([["a"] * (i % 3) for i in range(2500)], pa.list_(pa.string()))
    schema = pa.schema([("tokens", tokens.type), ("values", _VALUES)])
    table = pa.record_batch([tokens, pa.array(values, _VALUES)], schema=schema)
    folder = Folder.at(str(tmp_path_factory.mktemp("shard")))
    contents = []
    for name, places in (("whole", [0, 2500]), ("cut", sorted({0, 2500, *(min(cut, 2500) for cut in cuts)}))):
        writer = ShardWriter(folder, name, schema, [])
        for start, stop in pairwise(places):
            writer.write(table.slice(start, stop - start))
        writer.close()
        writer.file.commit()
        contents.append(folder.read(name))
        assert writer.file.facts()["bytes"] == len(contents[-1])
    assert contents[0] == contents[1]
    assert [batch.num_rows for batch in pa.ipc.open_stream(contents[0])] == [1024, 1024, 452]


def test_values_under_nulls_reach_no_byte(tmp_path: Path) -> None:
    """A labeler may leave anything under a null: equal rows are equal bytes."""
    contents = []
    for number in (7, 9):

        class Careless(Beheading):
            def label(self, *args: Any, number: int = number, **kwargs: Any) -> dict[str, pa.Array]:
                columns = super().label(*args, **kwargs)
                hide = np.arange(len(columns["upper"])) % 2 == 0
                spans = [pa.array(np.full(len(hide), number, np.int32))] * 2
                return {
                    "upper": pa.array(np.where(hide, number, 1), mask=hide),
                    "share": pa.array(np.where(hide, number, 1).astype(np.float32), mask=hide),
                    "rest": pa.StructArray.from_arrays(
                        [pa.array(np.where(hide, number, 1).astype(np.int32)) for _ in spans],
                        names=["start", "end"],
                        mask=pa.array(hide),
                    ),
                }

        found = _label(passages(TEXTS), [Careless()])
        path = tmp_path / str(number)
        with pa.ipc.new_stream(path, found.schema) as stream:
            stream.write_batch(found)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_a_split_without_rows_has_no_columns(tmp_path: Path) -> None:
    """Batches without a row of it leave no trace in its facts, however many there are."""
    found = _label(passages(TEXTS[:3]), [])
    schema = declare([], Corpus(), joint=False, keep={})
    facts = []
    for parts in ([found.slice(0, 0), found, found.slice(3)], [found], [found.slice(0, 0)], []):
        writer = ShardWriter(Folder.at(str(tmp_path)), "train/x.arrow", schema, [])
        for part in parts:
            writer.write(part)
        writer.close()
        writer.file.discard()
        facts.append(writer.facts())
    assert facts[0] == facts[1]
    assert facts[2] == facts[3]
    assert facts[3]["columns"] == {}


def test_equal_passages_have_equal_keys_whatever_the_vocabulary() -> None:
    """Keys follow from forms and their order; within a document a passage counts once."""
    batch = passages(["a b c .", "a b c .", "c b a ."], ids=["x/0", "x/1", "y/0"])
    other = passages(["z y", "c b a .", "a b c ."], ids=["p/0", "q/0", "r/0"])
    assert len(passage_keys(batch)) == 2
    assert set(passage_keys(batch).tolist()) == set(passage_keys(other)[1:].tolist())


def test_a_report_says_where_and_how_long(tmp_path: Path) -> None:
    """A unit that is done already is reported by its mark, and not done again."""
    built(write(tmp_path, text(30)), tmp_path / "out")
    plan = Plan.read(Folder.at(str(tmp_path / "out")))
    before = next((tmp_path / "out" / "train").glob("*.arrow")).stat().st_mtime_ns
    report = make_shard(0, plan, str(tmp_path / "out"))
    assert report["stats"] == json.loads((tmp_path / "out" / "stats" / "00000.json").read_bytes())
    assert {"host", "process", "started", "setup", "seconds"} <= set(report)
    assert next((tmp_path / "out" / "train").glob("*.arrow")).stat().st_mtime_ns == before


def test_a_pending_file_has_no_name_before_its_commit(tmp_path: Path) -> None:
    """What is discarded leaves nothing; what is committed takes the place of what was there."""
    folder = Folder.at(str(tmp_path))
    pending = Pending(folder, "a/b.txt")
    pending.write(b"half")
    assert [name[:5] for name in folder.names("a")] == [".tmp-"]
    pending.discard()
    assert folder.names("a") == []
    for data in (b"one", b"two"):
        folder.write("a/b.txt", data)
    assert folder.read("a/b.txt") == b"two"
    folder.append("a/b.txt", b" more")
    assert folder.read("a/b.txt") == b"two more"


def test_kept_fields_stand_in_every_row_of_a_document(tmp_path: Path) -> None:
    """Typed as declared, null where the record has none."""
    records = [
        {"id": "a", "text": "One. " * 100, "year": 1900, "kind": None},
        {"id": "b", "text": "Two.", "year": None, "kind": "x"},
    ]
    source = write(tmp_path, "".join(json.dumps(record) + "\n" for record in records), "t.jsonl")
    keep = {"year": "int64", "kind": "string"}
    built(
        source, tmp_path / "out", input={"keep": keep}, passage={"max_tokens": 16}, split={"validation": 0, "test": 0}
    )
    found = {(row["document"], row["year"], row["kind"]) for row in rows(tmp_path / "out", "train")}
    assert found == {("a", 1900, None), ("b", None, "x")}


def test_a_preview_shows_rows_without_building(tmp_path: Path) -> None:
    """The first rows are those that a build would write, where labelers need no corpus."""
    source = write(tmp_path, text(10))
    found, tasks = preview(recipe(source, tmp_path / "out", **{"with": ["masking"]}), 3)
    assert not (tmp_path / "out").exists()
    built(source, tmp_path / "out", **{"with": ["masking"]})
    assert found == rows(tmp_path / "out", "train")[:3]
    assert {task.labeler for task in tasks} == {"masking"}


@pytest.mark.parametrize("show", [preview, build])
def test_the_classes_of_every_field_that_a_labeler_needs_are_found(tmp_path: Path, show: Callable[..., Any]) -> None:
    """In a preview all that occur, in a build all that are not rare; before that the entry is there, and empty."""
    records = [{"source": "club" if i % 3 else "news", "text": line} for i, line in enumerate(text(60).splitlines())]
    source = write(tmp_path, "".join(json.dumps(record) + "\n" for record in records), "t.jsonl")
    tables = {"with": ["toy_labelers:Origin"], "input": {"keep": {"source": "string"}}}
    settings = recipe(source, tmp_path / "out", **tables)
    if show is preview:
        found, declared = preview(settings, 4)
    else:
        build(settings)
        found, declared = rows(tmp_path / "out", "train"), tasks(tmp_path / "out")
    assert [task.classes for task in declared] == [("club", "news")]
    assert {(row["source"], row["origin"]["place"]) for row in found} == {("club", 0), ("news", 1)}


def test_a_preview_writes_nothing_and_minds_no_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the folder that holds the text may be previewed from inside, though a build would write into it."""
    source = write(tmp_path, text(3))
    monkeypatch.chdir(source.parent)
    found, _ = preview(make_recipe({"input": {"files": ["."]}, "with": ["masking"]}), 2)
    assert len(found) == 2
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_no_edits_weave_to_the_source() -> None:
    """Rows in which nobody edits have an empty woven view: it equals the source."""
    found = _label(passages(["a b", "c d e f g h"]), [Stutter()], joint=True).to_pylist()
    assert found[0]["woven"] == {"tokens": [], "origin": []}
    assert len(Edits.none()) == 0


def test_a_worker_that_would_make_other_rows_fails_its_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed since the plan, another version of a library or a labeler: each is named, with the host."""
    source = write(tmp_path, text(20))
    names = write(tmp_path, "C1\tlamp\tlantern\n", "names.tsv")
    settings = recipe(
        source, tmp_path / "out", **{"with": ["paraphrase"]}, labelers={"paraphrase": {"dictionary": str(names)}}
    )
    plan = fill(draft(settings), settings.run, run_graph)

    def error() -> str:
        worker._cached.clear()
        return str(make_shard(0, plan, str(tmp_path / "out"))["error"]["text"])

    names.write_text("C1\tlamp\tcandle\n")
    assert (
        f"{socket.gethostname()} would produce different rows: the file that labeler 'paraphrase' reads as dict"
        in error()
    )
    names.write_text("C1\tlamp\tlantern\n")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.plans.plan_changes.installed_versions", lambda: {**plan.versions, "spacy": "3.1"})
        assert f"it was built with spacy {plan.versions['spacy']}, but 3.1 is installed here" in error()
    with monkeypatch.context() as patch:
        patch.setattr(load("paraphrase").__class__, "version", 99)
        assert "but version 99 is installed here" in error()
    worker._cached.clear()
    assert "error" not in make_shard(0, plan, str(tmp_path / "out"))
