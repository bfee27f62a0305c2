"""A second text beside the first: from the record to a row, to the screen and into training."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import run
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from small import built, files, manifest, recipe, rows, text, write

from labelers.paths import tokens_of
from labelers.ragged import Ragged
from labelers.second import Second
from labelers.task import SECOND, tasks
from labelers.text.clean import clean
from labelers.text.document import Document, Reject, Turn
from labelers.text.segmenter import Segmenter, read_texts
from labelers.vocabulary import Vocabulary
from pipelines.display.show import show_rows
from pipelines.folder.layout import Folder
from pipelines.folder.schema import SECOND_FIELD
from pipelines.input.find import find_files
from pipelines.input.units import make_units, read_unit
from pipelines.plans.plan import Plan, identity
from pipelines.preview import preview
from pipelines.rebuild import rebuild
from pipelines.recipes.recipe_tables import InputTable
from pipelines.rows.passage_keys import passage_keys
from pipelines.rows.row_columns import second_column, second_of
from pipelines.verify import verify
from trainer.data.dataset import Dataset, Types
from trainer.data.inputs import PartEncoder

WITH = ["toy_second:Parallel", "masking"]


def pair(number: int) -> dict[str, Any]:
    """Return a record whose second text is longer in two of three, and split already in one of four."""
    first = f"The Ferry of page {number} left at dusk. Nobody waved."
    second = (
        ["Die", "Fähre", "."]
        if number % 4 == 0
        else f"Die Fähre\u00a0 {number} fuhr. " + "Niemand winkte ihr! " * (number % 3)
    )
    return {"id": f"p{number}", "text": first, "other": second}


def lines(records: Sequence[dict[str, Any]]) -> str:
    """Return records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 600 pairs, one of them twice under another name, and one that is too long."""
    records = [pair(i) for i in range(600)]
    records += [pair(7) | {"id": "again"}, pair(8) | {"id": "other", "other": "Something else."}]
    records.append({"id": "long", "text": "Short.", "other": "word " * 200})
    return write(tmp_path_factory.mktemp("pairs"), lines(records), "pairs.jsonl")


@pytest.fixture(scope="module")
def out(source: Path) -> Path:
    """Return a dataset of them, in several units."""
    folder = source.parent.parent / "out"
    report = built(source, folder, **{"with": WITH}, input={"second": "other"}, unit={"bytes": 30_000})
    assert report.exit_code == 0
    return folder


def every_row(out: Path) -> dict[str, dict[str, Any]]:
    """Return all rows of a dataset by their ids."""
    return {row["id"]: row for split in ("train", "validation", "test") for row in rows(out, split)}


def test_a_row_has_both_texts(out: Path) -> None:
    """Each in its tokens, with spaces and segments; one record is one row."""
    found = every_row(out)
    assert len(found) == 602
    for number in range(600):
        row, record = found[f"p{number}/0"], pair(number)
        second = record["other"] if isinstance(record["other"], str) else " ".join(record["other"])
        for struct, written in ((row, record["text"]), (row["second"], second)):
            words = zip(struct["tokens"], struct["spaces"], strict=True)
            assert "".join(word + " " * space for word, space in words) == clean(written)
        assert row["segments"] == [0, 9]
        assert row["second"]["segments"] == ([0, 5, 9][: 1 + number % 3] if number % 4 else [0])
        assert tokens_of(row, SECOND) == row["second"]["tokens"]
        if row["parallel"]["status"] < 2:
            assert row["parallel"]["longer"] == (len(row["second"]["tokens"]) > len(row["tokens"]))
            assert row["parallel"]["capitals"] == [int(word[0].isupper()) for word in row["second"]["tokens"]]


def test_a_dataset_with_second_texts_is_like_others(out: Path) -> None:
    """It opens in datasets, agrees with itself, is made again with the same bytes, and its card tells of the column."""
    loaded = datasets.load_from_disk(str(out))
    assert loaded["train"].to_list() == rows(out, "train")
    assert list(loaded["train"].features)[8:] == ["second", "parallel", "masking"]
    assert verify(out) == []
    assert rebuild(str(out), None, 0).problems == ()
    assert "The column `second` holds" in (out / "README.md").read_text()
    assert "| parallel.longer | pair | source, second |" in (out / "README.md").read_text()
    assert [task.sequences for task in tasks(out)][:3] == [("source", "second"), ("second",), ("second",)]
    (reject,) = [json.loads(line) for path in (out / "rejects").iterdir() for line in path.read_text().splitlines()]
    assert (reject["reason"], reject["sample"]) == ("too_long", "Short.")
    assert reject["note"] == "2 tokens, and 200 in the second text; at most 128 in each"


def test_another_division_or_a_repeated_build_changes_no_row(source: Path, out: Path, tmp_path: Path) -> None:
    """Rows depend on their record alone."""
    report = built(source, tmp_path / "out", **{"with": WITH}, input={"second": "other"}, run={"batch": 7})
    assert report.exit_code == 0
    assert manifest(tmp_path / "out")["rows_blake2b"] == manifest(out)["rows_blake2b"]
    assert built(source, out, **{"with": WITH}, input={"second": "other"}, unit={"bytes": 30_000}).already


def test_texts_are_equal_where_both_are(source: Path, out: Path, tmp_path: Path) -> None:
    """For repeated records, and for passages that stand in several documents."""
    assert manifest(out)["equal_passages"]["passages"] == 1
    tables: dict[str, Any] = {"with": WITH, "input": {"second": "other"}, "dedup": {"documents": True}}
    built(source, tmp_path / "out", **tables)
    assert manifest(tmp_path / "out")["records"]["duplicate"] == 1
    first = ["A word.", "A word.", "A word.", "Odd Else."]
    batch = read_texts(first, second=["Ein Wort.", "Ein Wort.", "Wort Ein.", "A word."])
    documents = [passage_keys(batch.take(np.array([row])))[0] for row in range(4)]
    assert len({int(key) for key in documents}) == 3
    swapped = passage_keys(read_texts(["A word.", "Odd."], second=["Odd.", "A word."]))
    assert len(set(swapped.tolist())) == 2
    assert passage_keys(read_texts(["A word."])) not in passage_keys(batch)


@pytest.mark.parametrize("views", ["separate", "woven"])
def test_copies_hold_the_second_text_too(tmp_path: Path, views: str) -> None:
    """And are labelled each; in a woven dataset the column is there as well."""
    source = write(tmp_path, lines([pair(i) for i in range(40)]), "pairs.jsonl")
    tables: dict[str, Any] = {
        "input": {"second": "other"},
        "copies": 2,
        "views": views,
        "with": ["toy_labelers:Stutter"],
    }
    built(source, tmp_path / "out", **tables)
    found = every_row(tmp_path / "out")
    assert len(found) == 80
    assert all(found[f"p{i}/0"]["second"] == found[f"p{i}/0#1"]["second"] for i in range(40))
    assert verify(tmp_path / "out") == []


def test_a_row_on_which_a_labeler_raises_keeps_its_second_text(tmp_path: Path) -> None:
    """And so do those beside it."""
    records = [pair(i) for i in range(30)]
    records[11]["text"] = "BOOM goes the lamp."
    source = write(tmp_path, lines(records), "pairs.jsonl")
    built(source, tmp_path / "out", **{"with": WITH}, input={"second": "other"}, on_error="abstain")
    found = every_row(tmp_path / "out")
    assert found["p11/0"]["parallel"] == {"status": 100, "longer": None, "capitals": [], "short": []}
    assert found["p11/0"]["second"]["tokens"][:2] == ["Die", "Fähre"]
    assert [row["second"]["tokens"][1] for row in found.values()] == ["Fähre"] * 30


def test_a_second_text_is_shown_on_a_line_of_its_own(source: Path, out: Path) -> None:
    """With what tasks tag in it, in a dataset and in a preview alike."""
    made, found = preview(recipe(source, out, **{"with": WITH}, input={"second": "other"}), 2)
    for shown in (made, [every_row(out)[row["id"]] for row in made]):
        console = Console(file=(stream := io.StringIO()), width=200, no_color=True)
        show_rows(shown[1:], found, console)
        told = stream.getvalue().splitlines()
        assert told[0] == "p1/0"
        assert "  second: Die/C Fähre/C 1 fuhr. Niemand/C winkte ihr!" in told
        assert sum(line.startswith("  second:") for line in told) == 1
        assert "    longer: first   " not in told
        assert any("longer: first" in line for line in told)
        assert any("The Ferry of page 1" in line.replace("[?", "").replace("?]", "") for line in told)


def test_a_kept_field_may_still_be_named_second(tmp_path: Path) -> None:
    """In a dataset without second texts; where both are asked for, the error says so."""
    records = [{"text": line, "second": "news"} for line in text(30).splitlines()]
    source = write(tmp_path, lines(records), "records.jsonl")
    tables: dict[str, Any] = {"with": ["masking"], "input": {"keep": {"second": "string"}}}
    assert built(source, tmp_path / "out", **tables).exit_code == 0
    show_rows(rows(tmp_path / "out", "train")[:1], tasks(tmp_path / "out"), Console(file=io.StringIO()))
    with pytest.raises(ValueError, match="two columns would be named 'second'"):
        built(source, tmp_path / "b", **{"with": ["masking"]}, input={"keep": {"second": "string"}, "second": "second"})


def test_the_key_is_in_no_plan_that_does_not_use_it(tmp_path: Path) -> None:
    """So the digest of a plan is what it was before there was such a key, and a dataset from then is complete."""
    source = write(tmp_path, lines([pair(i) for i in range(30)]), "pairs.jsonl")
    assert not built(source, tmp_path / "out", **{"with": ["masking"]}).already
    stored = json.loads((tmp_path / "out" / "plan.json").read_bytes())
    assert "second" not in stored["recipe"]["input"]
    assert Plan.read(Folder.at(str(tmp_path / "out"))).recipe.second is False
    assert built(source, tmp_path / "out", **{"with": ["masking"]}).already
    with pytest.raises(ValueError, match=r'input\.second was not there, now "other"'):
        built(source, tmp_path / "out", **{"with": ["masking"]}, input={"second": "other"})
    built(source, tmp_path / "b", **{"with": ["masking"]}, input={"second": "other"})
    other = json.loads((tmp_path / "b" / "plan.json").read_bytes())
    assert identity(other)["recipe"]["input"]["second"] == "other"


def records_of(path: Path, **options: Any) -> list[Document | Reject]:
    """Return the records of a file, which have a second text in the field ``other``."""
    form = InputTable(files=(str(path),), second="other", **options)
    found, _ = find_files((form,))
    return [item for unit in make_units(found, 0) for item in read_unit(unit, found, (form,))]


@pytest.mark.parametrize(
    ("record", "reason", "note"),
    [
        ({"text": "A."}, "missing_field", "no field 'other'; the record has text"),
        ({"text": "A.", "other": None}, "wrong_type", "in the field 'other'"),
        ({"text": "A.", "other": 3}, "wrong_type", "in the field 'other'"),
        ({"text": "A.", "other": " \x00"}, "empty", "in the field 'other'"),
        ({"text": "A.", "other": []}, "empty", "in the field 'other'"),
        ({"text": "A.", "other": ["a b"]}, "bad_token", "in the field 'other'"),
        ({"text": "A.", "other": "\ud800"}, "undecodable", ""),
    ],
)
def test_a_record_without_a_usable_second_text_is_rejected(
    tmp_path: Path, record: dict[str, Any], reason: str, note: str
) -> None:
    """With the reason that the first text would have, and the name of the field."""
    (found,) = records_of(write(tmp_path, lines([record]), "a.jsonl"))
    assert isinstance(found, Reject)
    assert (found.reason, found.note) == (reason, note)


def test_tables_bring_second_texts_and_plain_text_has_none(tmp_path: Path) -> None:
    """Of a table the column is read; a line of text is no record with fields."""
    path = write(tmp_path, b"", "a.parquet")
    pq.write_table(pa.table({"text": ["A.", "B."], "other": ["C.", "D."], "more": [1, 2]}), path)
    assert [item.second for item in records_of(path) if isinstance(item, Document)] == ["C.", "D."]
    pq.write_table(pa.table({"text": ["A."], "other": ["Long."]}), path)
    (reject,) = records_of(path, max_record_bytes=2)
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.note) == ("too_long", "in the field 'other'")
    (found,) = records_of(write(tmp_path, "A line.\n", "a.txt"))
    assert isinstance(found, Reject)
    assert (found.reason, found.note) == ("missing_field", "a plain text has no field 'other'")


TEXT = st.lists(st.sampled_from(["the", "cat,", "sat.", "on", "It", "Was", "Mr.", "?"]), min_size=1, max_size=14).map(
    " ".join
)
TOKENS = TEXT.map(lambda text: tuple(text.split()))
FIRST = st.one_of(
    TEXT.map(lambda text: {"text": text}),
    TOKENS.map(lambda tokens: {"tokens": tokens}),
    st.lists(TEXT, min_size=1, max_size=3).map(lambda texts: {"turns": tuple(Turn("Ann", item) for item in texts)}),
)
RECORD = st.tuples(FIRST, st.none() | TEXT | TOKENS | st.just(" ")).map(lambda item: item[0] | {"second": item[1]})


def seconds(second: Second, vocabulary: Vocabulary) -> list[tuple[list[str], list[bool], list[int]]]:
    """Return the second text of each row as plain values."""
    tokens = Ragged(second.offsets, np.array(vocabulary.strings(second.codes).to_pylist(), object))
    every = np.arange(len(second))
    return [
        (
            tokens.take(every[row : row + 1]).values.tolist(),
            second.spaces[second.offsets[row] : second.offsets[row + 1]].tolist(),
            (second.segments[slice(*second.segment_offsets[row : row + 2])] - second.offsets[row]).tolist(),
        )
        for row in every.tolist()
    ]


@given(records=st.lists(RECORD, max_size=7), limit=st.integers(8, 16), data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_document_with_a_second_text_is_one_row_or_none(
    records: list[dict[str, Any]], limit: int, data: st.DataObject
) -> None:
    """Whatever kind the first is of, and whatever stands beside it in the batch; all of both texts is in the row."""
    documents = [Document(f"d{i}", **record) for i, record in enumerate(records)]
    segmenter = Segmenter(max_tokens=limit)
    batch, rejects = segmenter.segment(documents)
    assert (batch.second is None) == all(document.second is None for document in documents)
    rejected = {reject.source: reject.reason for reject in rejects}
    second = Second.none(len(batch)) if batch.second is None else batch.second
    found = seconds(second, batch.vocabulary)
    assert all(len(tokens) <= limit for tokens, *_ in found)
    for document in documents:
        own = [row for row in range(len(batch)) if batch.documents[row] == document.id]
        alone, refused = Segmenter(max_tokens=limit).segment([document])
        assert [reject.reason for reject in refused] == [rejected[name] for name in [document.id] if name in rejected]
        if alone.second is not None:
            assert seconds(alone.second, alone.vocabulary) == [found[row] for row in own]
        if document.second is None:
            assert [found[row] for row in own] == [([], [], [])] * len(own)
            continue
        whole = document.second if isinstance(document.second, str) else " ".join(document.second)
        assert len(own) == (document.id not in rejected)
        assert [" ".join(found[row][0]).replace(" ", "") for row in own] == [whole.replace(" ", "")] * len(own)
    picked = np.array(data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=5)) if len(batch) else [], np.int64)
    if batch.second is not None:
        taken = batch.take(picked)
        assert taken.second is not None
        assert seconds(taken.second, taken.vocabulary) == [found[row] for row in picked]
        column = second_column(batch)
        assert column.type == SECOND_FIELD.type
        again = second_of(column.take(pa.array(picked)), other := Vocabulary())
        assert seconds(again, other) == [found[row] for row in picked]
        assert seconds(second_of(column[1:], other), other) == found[1:]


def test_the_trainer_reads_second_texts(out: Path) -> None:
    """As a sequence whose tokens come from nowhere in the source."""
    split, types = Dataset.open(out).splits["train"], Types()
    tokens = split.tokens(SECOND, types)
    texts, expected = list(types.codes), [row["second"]["tokens"] for row in rows(out, "train")]
    found = [texts[code] for code in tokens.values.tolist()]
    assert found == [word for words in expected for word in words]
    assert tokens.lengths.tolist() == list(map(len, expected))
    origins = split.origins(SECOND)
    assert (origins.offsets.tolist(), set(origins.values.tolist())) == (tokens.offsets.tolist(), {-1})
    encoder = PartEncoder(split, *[None] * 4)  # type: ignore[arg-type]  (segments need none of them)
    segments = encoder.starts("segments", SECOND, np.array([2, 5]))
    made = [rows(out, "train")[row]["second"]["segments"] for row in (2, 5)]
    assert (segments.values.tolist(), segments.lengths.tolist()) == ([*made[0], *made[1]], list(map(len, made)))


def test_a_dataset_without_second_texts_has_no_such_sequence(tmp_path: Path) -> None:
    """The source does not stand in for it."""
    built(write(tmp_path, text(40)), tmp_path / "out", **{"with": ["masking"]})
    with pytest.raises(ValueError, match=r"no column 'second\.tokens'"):
        Dataset.open(tmp_path / "out").splits["train"].tokens(SECOND, Types())


def test_tasks_on_second_texts_are_trained(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pair of both texts, tags of the second, and classes of its segments."""
    quick = ["max_steps=4", "rows=8", "bucket=8", "model.vocabulary=400", "threads=1"]
    assert run(monkeypatch, "train", out, "--out", tmp_path, *(part for key in quick for part in ("--set", key))) == 0
    told = capsys.readouterr().out
    assert all(f"parallel.{name}" in told for name in ("longer", "capitals", "short"))


def test_a_build_without_second_texts_is_what_it_was(tmp_path: Path) -> None:
    """No column, and no byte that asks for it."""
    built(write(tmp_path, text(40)), tmp_path / "out")
    assert "second" not in rows(tmp_path / "out", "train")[0]
    assert not any(b"second" in data for data in files(tmp_path / "out").values())
