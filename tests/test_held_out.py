"""Labelled records beside raw text: what train does not show, splits, copies, and builds that are broken off."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import built, jsonl, recipe_tables, record
from small import files, manifest, rows, text, write

from labelers.text.segmenter import read_texts
from pipelines.folder.books import balance
from pipelines.folder.layout import Folder, Pending
from pipelines.input.splits import group_digest
from pipelines.labels import held_out as held_out_module
from pipelines.labels.held_out import HeldOut, HeldOutBook
from pipelines.plans.plan import Plan
from pipelines.rebuild import rebuild
from pipelines.rows.rows_source import RowsSource
from pipelines.verify import verify

ROOT = Path(__file__).parents[1]
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the tables of a recipe whose raw text repeats labelled records."""
    return recipe_tables(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def dataset(tables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of several units."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert built(out, tables).exit_code == 0
    return out


@pytest.fixture
def out(dataset: Path, tmp_path: Path) -> Path:
    """Return a copy to damage."""
    return Path(shutil.copytree(dataset, tmp_path / "out"))


def everything(out: Path) -> dict[str, bytes]:
    """Return what a build of the same recipe gives again."""
    names = ("auxloom.json", "held_out.keys", "pool.jsonl", "README.md", "train/dataset_info.json")
    return {**files(out), **{name: (out / name).read_bytes() for name in names}}


def words(row: dict[str, Any]) -> str:
    """Return the tokens of a row."""
    return " ".join(row["tokens"])


def test_raw_text_does_not_show_what_is_labelled_in_validation(dataset: Path) -> None:
    """Labelled train rows stay, whatever they equal, and so does raw text that equals labelled train rows."""
    found = {split: rows(dataset, split) for split in SPLITS}
    validation = {words(row) for row in found["validation"] if len(row["tokens"]) >= 5}
    raw = {words(row) for row in found["train"] if row["ner"]["status"] == 2}
    assert not raw & validation
    labelled = [words(row) for row in found["train"] if row["ner"]["status"] == 0]
    assert len(raw & set(labelled)) == 10
    books = manifest(dataset)
    assert books["passages"]["held_out"] == 10
    assert books["passages"]["cut"] == books["passages"]["written"] + 10
    assert list(balance(books)) == []
    assert verify(dataset) == []
    assert "Unlabelled train passages of 5 tokens or more" in (dataset / "README.md").read_text()


def test_the_share_of_8_grams_that_train_shows_is_told(tables: dict[str, Any], dataset: Path, tmp_path: Path) -> None:
    """In the manifest and the report; with ``held_out = false``, as many as there are."""

    def grams(*splits: str) -> set[tuple[str, ...]]:
        return {
            tuple(row["tokens"][i : i + 8])
            for split in splits
            for row in rows(dataset, split)
            for i in range(len(row["tokens"]) - 7)
        }

    shown = grams("validation", "test") & grams("train")
    book = manifest(dataset)["held_out"]
    assert book == {"grams": len(grams("validation", "test")), "seen": len(shown)}
    report = built(tmp_path / "out", tables, dedup={"held_out": False})
    more = report.books["held_out"]
    assert (more["grams"], report.books["passages"]["held_out"]) == (book["grams"], 0)
    assert more["seen"] > book["seen"]
    assert verify(tmp_path / "out") == []


def test_labels_stand_in_the_features_of_the_dataset(dataset: Path) -> None:
    """And in the table of tasks of the card."""
    info = json.loads((dataset / "train" / "dataset_info.json").read_bytes())
    assert list(info["features"]["ner"]) == ["status", "tags"]
    assert "| ner | token |" in (dataset / "README.md").read_text()


def test_copies_are_of_train_alone(tables: dict[str, Any], dataset: Path, tmp_path: Path) -> None:
    """Those of labelled rows have lost the label, and the books add up."""
    built(tmp_path / "out", tables, copies=3)
    once, thrice = manifest(dataset)["splits"], manifest(tmp_path / "out")["splits"]
    assert {name: thrice[name]["rows"] / once[name]["rows"] for name in SPLITS} == {
        "train": 3,
        "validation": 1,
        "test": 1,
    }
    found = {row["id"]: row["ner"]["status"] for row in rows(tmp_path / "out", "train")}
    for name, status in found.items():
        first, copy, _ = name.partition("#")
        assert status == (4 if copy and found[first] == 0 else found[first])
    assert verify(tmp_path / "out") == []
    source = RowsSource(str(tmp_path / "out"))
    parts = [part.passages for unit in range(source.units) for part in source.read(unit)]
    assert sum(map(len, parts)) == sum(split["rows"] for split in thrice.values())
    assert all("ner" in part.fields for part in parts if len(part))


def test_a_book_that_does_not_add_up_is_told() -> None:
    """Rows of held-out splits count once, whatever the copies."""
    splits = {"train": {"rows": 4, "labelers": {}}, "test": {"rows": 3, "labelers": {}}}
    books = {
        "records": {"read": 0, "used": 0, "rejected": {}, "duplicate": 0},
        "passages": {"cut": 6, "copies": 2, "written": 7, "held_out": 1},
        "splits": splits,
    }
    assert list(balance(books)) == []
    books["passages"]["held_out"] = 0
    assert list(balance(books)) == [
        "passages: 6 cut, 0 left out, 3 of validation and test, 2 copies, 7 written, 7 rows"
    ]


@pytest.mark.parametrize("damage", ["removed", "flipped"])
def test_a_damaged_list_of_what_is_held_out_is_restored(
    tables: dict[str, Any], dataset: Path, out: Path, damage: str
) -> None:
    """Verify names it, the next build writes it again, and no other byte changes."""
    path = out / "held_out.keys"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    told = "damaged: it does not match the plan"
    if damage == "removed":
        path.unlink()
        told = "missing"
    assert verify(out) == [f"held_out.keys is {told}"]
    assert built(out, tables).remade == [f"held_out.keys: {told}"]
    assert everything(out) == everything(dataset)
    report = built(out, tables)
    assert (report.already, report.remade) == (True, [])


def test_a_broken_dataset_is_mended_and_rebuilt(tables: dict[str, Any], dataset: Path, out: Path) -> None:
    """Without its plan, some of its units, or on top of another one."""
    for path in (out / "plan.json", out / "stats/00001.json", *out.glob("train/data-00002-*.arrow")):
        path.unlink()
    built(out, tables)
    assert everything(out) == everything(dataset)
    found = rebuild(str(out), None, 0)
    assert (found.problems, found.notes) == ((), ())
    built(out, tables, seed=5, overwrite=True)
    assert files(out) != files(dataset)
    built(out, tables, overwrite=True)
    assert everything(out) == everything(dataset)


@pytest.mark.parametrize("name", ["held_out.keys", "plan.json", "stats/00002.json", "auxloom.json"])
def test_a_build_that_was_broken_off_goes_on(
    tables: dict[str, Any], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Wherever it ended, the next one makes the same bytes, and the one after it has nothing to do."""
    whole = Pending.commit

    def commit(self: Pending) -> None:
        if self.name == name:
            raise KeyboardInterrupt
        whole(self)

    monkeypatch.setattr(Pending, "commit", commit)
    with contextlib.suppress(KeyboardInterrupt):  # of a unit, Beam tells in its own way
        built(tmp_path / "out", tables)
    assert not (tmp_path / "out" / "auxloom.json").exists()
    monkeypatch.setattr(Pending, "commit", whole)
    built(tmp_path / "out", tables)
    assert everything(tmp_path / "out") == everything(dataset)
    assert built(tmp_path / "out", tables).already


def test_a_wrong_list_stops_a_worker(tables: dict[str, Any], out: Path) -> None:
    """Rows would differ otherwise."""
    (out / "held_out.keys").write_bytes(b"\0" * 8)
    plan = Plan.read(Folder.at(str(out)))
    with pytest.raises(OSError, match=r"held_out\.keys does not match the plan"):
        held_out_module.read_held_out(Folder.at(str(out)), plan.held_out)


def test_other_units_and_batches_give_the_same_rows(tables: dict[str, Any], dataset: Path, tmp_path: Path) -> None:
    """Neither what is left out nor the share of 8-grams depends on them."""
    built(tmp_path / "out", tables, unit={"bytes": 100_000}, run={"batch": 3})
    for split in SPLITS:
        assert rows(tmp_path / "out", split) == rows(dataset, split)
    for key in ("rows_blake2b", "held_out", "labels", "passages"):
        assert manifest(tmp_path / "out")[key] == manifest(dataset)[key]
    assert (tmp_path / "out" / "held_out.keys").read_bytes() == (dataset / "held_out.keys").read_bytes()


def test_an_earlier_dataset_lends_the_classes_of_its_labels(
    tables: dict[str, Any], dataset: Path, tmp_path: Path
) -> None:
    """A type of span that it does not have is an unknown class; what is held out is of the new input alone."""
    records = [record(f"n{i}", line) for i, line in enumerate(text(40, 9000).splitlines())]
    records[3]["tags"][0] = "B-y"
    source = {"files": [str(jsonl(tmp_path, "more.jsonl", records))]}
    changed = {**tables, "input": [source], "plan": {"from": str(dataset)}}
    report = built(tmp_path / "out", changed)
    assert report.books["labels"]["ner"] == {"read": 40, "used": 39, "rejected": {"unknown_class": 1}}
    earlier, later = (Plan.read(Folder.at(str(folder))) for folder in (dataset, tmp_path / "out"))
    assert (later.labels, later.pool) == (earlier.labels, earlier.pool)
    assert later.held_out != earlier.held_out
    assert verify(tmp_path / "out") == []


def carved(folder: Path, records: int, **keys: Any) -> Path:
    """Build labelled train and test records and raw text, and return the dataset."""
    lines = text(records + 30).splitlines()
    train = jsonl(folder, "train.jsonl", [record(f"t{i}", line) for i, line in enumerate(lines[:records])])
    test = jsonl(folder, "test.jsonl", [record(f"e{i}", line) for i, line in enumerate(lines[records:])])
    raw = write(folder, text(200, 3000), "raw/raw.txt")
    given = {"train": [str(train)], "test": [str(test)], "files": [str(raw)]}
    labels = {"ner": {"kind": "token", "column": "tags"}}
    built(folder / "out", {"input": [given], "labels": labels, "with": ["masking"]}, **keys)
    return folder / "out"


def test_labelled_train_documents_become_validation_where_none_is_given(tmp_path: Path) -> None:
    """By the share of it; unlabelled text stays train, test stays as given, and the card says so."""
    out = carved(tmp_path, 200, split={"validation": 0.2})
    groups = {split: {row["document"] for row in rows(out, split)} for split in SPLITS}
    limit = int(0.2 * 2**64)
    assert groups["validation"] == {f"t{i}" for i in range(200) if int(group_digest(f"t{i}"), 16) < limit}
    assert groups["test"] == {f"e{i}" for i in range(30)}
    assert len([name for name in groups["train"] if name.startswith("raw")]) == 200
    pool = [json.loads(line)["id"] for line in (out / "pool.jsonl").read_bytes().splitlines()]
    assert not {*pool} & (groups["validation"] | groups["test"])
    assert "20% of the labelled documents of train are validation" in (out / "README.md").read_text()
    assert verify(out) == []


def test_a_validation_split_that_would_be_empty_takes_a_labelled_document(tmp_path: Path) -> None:
    """That of the smallest digest, never the only one; without a share, none."""
    out = carved(tmp_path / "a", 4, split={"validation": 1e-9})
    smallest = min((f"t{i}" for i in range(4)), key=group_digest)
    assert {row["document"] for row in rows(out, "validation")} == {smallest}
    assert smallest not in {json.loads(line)["id"] for line in (out / "pool.jsonl").read_bytes().splitlines()}
    assert not rows(carved(tmp_path / "b", 1, split={"validation": 1e-9}), "validation")
    out = carved(tmp_path / "c", 4, split={"validation": 0})
    assert not rows(out, "validation")
    assert "labelled documents of train" not in (out / "README.md").read_text()


def test_without_labels_nothing_is_held_out(tmp_path: Path) -> None:
    """No file, no key in plan, mark and manifest."""
    source = write(tmp_path, text(20))
    built(tmp_path / "out", {"input": {"files": [str(source)]}, "with": ["masking"], "dedup": {"held_out": False}})
    assert not (tmp_path / "out" / "held_out.keys").exists()
    plan = json.loads((tmp_path / "out" / "plan.json").read_bytes())
    mark = json.loads((tmp_path / "out" / "stats" / "00000.json").read_bytes())
    assert "held_out" not in plan
    assert "held_out" not in mark
    assert list(mark["passages"]) == ["copies", "cut", "written"]


def test_normalised_transcripts_are_compared_as_they_are_written(tables: dict[str, Any], tmp_path: Path) -> None:
    """The plan says what was done to the text; tags follow their tokens."""
    out = tmp_path / "out"
    built(out, tables, text={"normalise": "transcript"})
    found = rows(out, "validation")
    assert all(word == word.lower() and any(map(str.isalnum, word)) for row in found for word in row["tokens"])
    assert all(len(row["tokens"]) == len(row["ner"]["tags"]) for row in found)
    assert manifest(out)["passages"]["held_out"] >= 10
    assert Plan.read(Folder.at(str(out))).recipe.text.normalise == "transcript"
    assert verify(out) == []


WORDS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=14)


@given(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, min_size=1, max_size=5), st.integers(0, 5))
def test_what_is_held_out_is_found_in_whatever_parts_it_comes(
    held: list[list[str]], train: list[list[str]], middle: int
) -> None:
    """Equal passages of 5 tokens, and 8 tokens in a row; a unit's mark holds what it has seen."""
    whole = HeldOut.of(read_texts(held))
    parts = [HeldOut.of(read_texts(part)) for part in (held[:middle], held[middle:]) if part]
    assert HeldOut.sum(parts).to_bytes() == whole.to_bytes() == HeldOut.from_bytes(whole.to_bytes()).to_bytes()
    batch = read_texts(train)
    assert whole.stands_in(batch).tolist() == [item in held and len(item) >= 5 for item in train]

    def grams(texts: list[list[str]]) -> set[tuple[str, ...]]:
        return {tuple(item[i : i + 8]) for item in texts for i in range(len(item) - 7)}

    assert len(whole.grams) == len(grams(held))
    book, total = HeldOutBook(), HeldOutBook()
    book.add(whole.seen(batch, np.ones(len(batch), bool)))
    total.merge(book.of_unit(whole))
    total.merge(HeldOutBook().of_unit(whole))
    assert total.of_dataset() == {"grams": len(grams(held)), "seen": len(grams(held) & grams(train))}
