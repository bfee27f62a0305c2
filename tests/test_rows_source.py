"""Rows of a dataset as the source of rows: read back, they are the passages that they were made of."""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from corpus import DIALOGUES, TEXTS
from hypothesis import given
from hypothesis import strategies as st
from passages import dialogue, passages
from small import built, files, text, write

from labelers.labeler import Corpus
from labelers.passages import PassageBatch
from labelers.second import Second
from labelers.vocabulary import Vocabulary
from pipelines.folder.layout import SPLITS, Folder, shard_name
from pipelines.folder.schema import declare
from pipelines.plans.plan import Plan
from pipelines.recipes.loading import load_labelers
from pipelines.rows import rows_source
from pipelines.rows.context import Context
from pipelines.rows.cutter import Cutter
from pipelines.rows.errors import RowErrors
from pipelines.rows.labelling import label_rows
from pipelines.rows.pool import pool_over, read_pool
from pipelines.rows.row_columns import passages_of, second_column, source_columns
from pipelines.rows.rows_source import RowsSource
from pipelines.rows.source import Part, Records
from pipelines.rows.writer import ShardWriter

KEEP = {"title": "string", "year": "int64", "score": "float64", "true": "bool"}
TYPES = {"title": pa.string(), "year": pa.int64(), "score": pa.float64(), "true": pa.bool_()}
SENTENCES = st.lists(st.sampled_from(["a", "bé", ".", "?", "\U0001f600"]), min_size=1).map(" ".join)
TURNS = st.lists(st.tuples(st.sampled_from("AB"), SENTENCES), min_size=1, max_size=4)


def _field(name: str) -> st.SearchStrategy[Any]:
    """Return values of a kept field."""
    known = {
        "title": st.text("aé\n", max_size=3),
        "year": st.integers(-9, 9),
        "score": st.floats(),
        "true": st.booleans(),
    }
    return st.none() | known[name]


@st.composite
def batches(draw: st.DrawFn) -> PassageBatch:
    """Draw texts and dialogues in any order, with kept fields, second texts and splits."""
    rows = draw(st.lists(SENTENCES | TURNS, max_size=6))
    vocabulary = Vocabulary()
    turns = dialogue([[("x", row)] if isinstance(row, str) else row for row in rows], vocabulary)
    spoken = np.array([not isinstance(row, str) for row in rows], bool)
    kept = np.repeat(spoken, np.diff(turns.turn_offsets))
    return dataclasses.replace(
        turns,
        turns=turns.turns[kept],
        roles=turns.roles[kept],
        turn_offsets=np.append(0, np.cumsum(np.diff(turns.turn_offsets) * spoken)),
        fields={name: pa.array([draw(_field(name)) for _ in rows], kind) for name, kind in TYPES.items()},
        splits=np.full(len(rows), draw(st.integers(0, 2)), np.int8),
        second=draw(st.none() | st.just(_second([draw(SENTENCES | st.just("")) for _ in rows], vocabulary))),
    )


def _second(texts: Sequence[str], vocabulary: Vocabulary) -> Second:
    """Return second texts, one of them for each row."""
    batch = passages(texts, vocabulary)
    return Second(batch.codes, batch.offsets, batch.spaces, batch.segments, batch.segment_offsets)


def _written(batch: PassageBatch) -> bytes:
    """Return a shard of the source columns and kept fields of a batch."""
    schema = declare([], Corpus(), joint=False, keep=KEEP, second=batch.second is not None)
    rows = label_rows(batch, [], Corpus(), schema, seed=0, joint=False, conflicts=Counter())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(rows)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@given(batches(), st.integers(0, 6))
def test_what_was_written_is_read_and_written_again_as_the_same_bytes(batch: PassageBatch, cut: int) -> None:
    """Over a new vocabulary, and over one that knows other types; a slice of the rows is read as its rows alone."""
    data = _written(batch)
    (rows,) = pa.ipc.open_stream(data)
    split = int(batch.splits[0]) if len(batch) else 0
    for vocabulary in (Vocabulary(), passages(["z a y"]).vocabulary):
        again = passages_of(rows, vocabulary, split)
        assert _written(again) == data
        assert again.splits.tolist() == batch.splits.tolist()
        assert (again.spoken.tolist(), again.rows.tolist()) == (batch.spoken.tolist(), batch.rows.tolist())
    part = batch.take(np.arange(min(cut, len(batch)), len(batch)))
    assert _written(passages_of(rows.slice(cut), Vocabulary(), split)) == _written(part)


def _corpus(folder: Path) -> Path:
    """Write texts and dialogues with a kept field that some leave empty."""
    lines = [{"text": f"{first} {second}", "kind": "prose"} for first in TEXTS for second in TEXTS[:3]]
    lines += [
        {"turns": [{"role": role, "text": said} for role, said in turns] * (1 + i), "kind": None}
        for i in range(8)
        for turns in DIALOGUES
    ]
    return write(folder, "".join(json.dumps(line) + "\n" for line in lines), "mixed.jsonl")


def _relabelled(out: Path, new: Path) -> None:
    """Label the rows of a dataset again, each unit into shards of another folder."""
    folder, place = Folder.at(str(out)), Folder.at(str(new))
    plan = Plan.read(folder)
    labelers, _ = load_labelers(plan.recipe)
    pool, _ = Cutter(plan.recipe).cut(read_pool(folder))
    context = Context.make(plan.recipe, labelers, plan.classes or {}, pool)
    source = RowsSource(str(out))
    for unit in range(source.units):
        source.check(unit)
        names = [shard_name(split, unit, source.units) for split in SPLITS]
        writers = [ShardWriter(place, name, context.schema, context.tasks) for name in names]
        for part in source.read(unit):
            assert part.records.read == part.records.used == len(part.passages)
            (split,) = {*part.passages.splits.tolist()}
            writers[split].write(context.label(part.passages, Counter(), RowErrors()))
        for writer in writers:
            writer.close()
            writer.file.commit()


def _shards(dataset: Path) -> dict[str, bytes]:
    """Return the bytes of each shard, by its name."""
    return {name: data for name, data in files(dataset).items() if name.endswith(".arrow")}


@pytest.mark.parametrize("views", ["separate", "woven"])
def test_rows_labelled_again_are_those_of_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: str
) -> None:
    """Byte for byte, with dialogues, copies, a kept field, all labelers, and a vocabulary that starts anew."""
    monkeypatch.setattr(rows_source, "_MOST_TYPES", 300)
    built(
        _corpus(tmp_path),
        tmp_path / "out",
        **{"with": ["connective", "disfluency", "paraphrase", "masking"]},
        views=views,
        copies=2,
        input={"keep": {"kind": "string"}},
        split={"validation": 0.2, "test": 0.2},
        unit={"bytes": 20_000},
    )
    _relabelled(tmp_path / "out", tmp_path / "new")
    made, found = _shards(tmp_path / "out"), _shards(tmp_path / "new")
    assert len(made) > len(SPLITS)
    assert found == made
    assert any(b"#1" in data for data in made.values())


def test_second_texts_are_those_of_the_dataset_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read and labelled again byte for byte, in copies, and over a vocabulary that starts anew under the pool."""
    monkeypatch.setattr(rows_source, "_MOST_TYPES", 100)
    lines = [{"text": f"Page {i} says so. It rained.", "other": f"Die Seite {i}! Ja."} for i in range(400)]
    source = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "pairs.jsonl")
    tables: dict[str, Any] = {"with": ["toy_second:Parallel", "masking"], "input": {"second": "other"}, "copies": 2}
    built(source, tmp_path / "out", **tables, unit={"bytes": 10_000})
    _relabelled(tmp_path / "out", tmp_path / "new")
    made, found = _shards(tmp_path / "out"), _shards(tmp_path / "new")
    assert len(made) > len(SPLITS)
    assert found == made


def test_rows_do_not_depend_on_where_a_vocabulary_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts a new one with every batch, under the pool of the old one, makes the same bytes."""
    source = write(tmp_path, text(200))
    tables: dict[str, Any] = {"with": ["toy_labelers:Beheading", "paraphrase", "disfluency"], "run": {"batch": 16}}
    built(source, tmp_path / "one", **tables)
    monkeypatch.setattr("labelers.text.segmenter._MAX_TYPES", 1)
    monkeypatch.setattr("pipelines.rows.worker._cached", {})
    built(source, tmp_path / "many", **tables)
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_a_pool_takes_only_its_own_types_along() -> None:
    """Its passages are the same, and the old vocabulary can go."""
    old, new = passages(["one two three ."]).vocabulary, Vocabulary()
    pool = dialogue([[("A", "two . three"), ("B", "two")]], old)
    moved = pool_over(pool, new)
    assert moved is not None
    assert sorted(new.texts) == [".", "A", "B", "three", "two"]
    assert source_columns(moved) == source_columns(pool)
    other = pool_over(dataclasses.replace(pool, second=_second(["three words"], old)), Vocabulary())
    assert other is not None
    assert second_column(other).to_pylist() == [
        {"tokens": ["three", "words"], "spaces": [True, False], "segments": [0]}
    ]
    assert pool_over(moved, new) is moved
    assert pool_over(None, new) is None


def test_a_part_is_sorted_by_split() -> None:
    """The rows of each split lie together, as a shard takes them."""
    batch = passages(["a", "b", "c"])
    assert len(Part(dataclasses.replace(batch, splits=np.array([0, 2, 2], np.int8)), Records()).passages) == 3
    with pytest.raises(ValueError, match="must be sorted by split"):
        Part(dataclasses.replace(batch, splits=np.array([0, 2, 1], np.int8)), Records())


def test_what_is_no_row_of_a_dataset_is_refused(tmp_path: Path) -> None:
    """A table of something else, a mixture of languages, a unit that is not finished."""
    with pytest.raises(ValueError, match="no column 'id' of type string"):
        passages_of(pa.RecordBatch.from_pydict({"text": ["A word."]}), Vocabulary())
    (rows,) = pa.ipc.open_stream(_written(dataclasses.replace(passages(["a", "b"]), fields=_nothing(2))))
    place = rows.schema.get_field_index("lang")
    mixed = rows.set_column(place, rows.schema.field(place), pa.array(["en", "de"]))
    with pytest.raises(ValueError, match=r"several languages \(en, de\)"):
        passages_of(mixed, Vocabulary())
    built(write(tmp_path, text(20)), tmp_path / "out", **{"with": ["masking"]})
    next((tmp_path / "out" / "train").glob("*.arrow")).write_bytes(b"")
    with pytest.raises(OSError, match=r"unit 0 of .*out is unfinished or damaged; `auxloom verify` lists"):
        RowsSource(str(tmp_path / "out")).check(0)


def _nothing(rows: int) -> dict[str, pa.Array]:
    """Return kept fields without values."""
    return {name: pa.nulls(rows, kind) for name, kind in TYPES.items()}
