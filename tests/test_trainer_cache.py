"""The cache of encoded datasets: shared by runs, whole or absent, of bounded size, the same however it is cut."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from encoding import encoded
from hypothesis import given
from hypothesis import strategies as st
from tiny_dataset import TASKS, write_dataset

from trainer.data import cache
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset, Split
from trainer.files import TEMPORARY, ArrayFile

TRAINED = tuple(task for task in TASKS if task.kind != "generation")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny dataset."""
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("cached") / "set", rows=60))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(folder: Path, kind: str = "encoded") -> list[Path]:
    """Return the entries of a kind."""
    return sorted(folder.glob(f"{kind}-*"))


def same(one: EncodedDataset, other: EncodedDataset) -> None:
    """Check that two encoded datasets hold the same arrays."""
    for name, split in one.splits.items():
        pairs = [(split.sequences[key], other.splits[name].sequences[key]) for key in split.sequences]
        pairs += [(split.targets[key], other.splits[name].targets[key]) for key in split.targets]
        for first, second in pairs:
            for field in dataclasses.fields(first):
                values = getattr(first, field.name), getattr(second, field.name)
                assert np.array_equal(*values), (name, field.name)
                assert np.asarray(values[0]).dtype == np.asarray(values[1]).dtype
        assert np.array_equal(split.documents, other.splits[name].documents)
        for key, value in split.row_inputs.items():
            assert np.array_equal(value, other.splits[name].row_inputs[key])


def test_runs_share_what_depends_on_the_same_things(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """The second run reads what the first one wrote; another length, another vocabulary or dataset has its own."""
    first = encoded(dataset, TRAINED, tmp_path / "one")
    (before,) = entries(folder)
    inode = before.stat().st_ino
    same(first, encoded(dataset, TRAINED, tmp_path / "two"))
    assert before.stat().st_ino == inode
    assert (len(entries(folder)), len(entries(folder, "learnt"))) == (1, 1)
    encoded(dataset, TRAINED, tmp_path / "short", max_pieces=64)
    assert (len(entries(folder)), len(entries(folder, "learnt"))) == (2, 1)
    encoded(dataset, TRAINED, tmp_path / "other", vocabulary=330)
    encoded(dataclasses.replace(dataset, digest="other"), TRAINED, tmp_path / "third")
    assert (len(entries(folder)), len(entries(folder, "learnt"))) == (4, 3)


def test_a_run_keeps_what_it_learnt_when_the_cache_is_gone(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """Only the encoded arrays are made again, with the run's own tokenizer."""
    first = encoded(dataset, TRAINED, tmp_path)
    for entry in (*entries(folder), *entries(folder, "learnt")):
        cache.remove(entry)
    same(first, encoded(dataset, TRAINED, tmp_path))
    assert not entries(folder, "learnt")


def test_entries_that_were_not_used_for_long_make_room(
    dataset: Dataset, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit counts bytes; what was just made stays, whatever its size."""
    for number in range(3):
        encoded(dataclasses.replace(dataset, digest=f"d{number}"), TRAINED, tmp_path / f"run{number}")
    first, second, third = (entry for entry in sorted(entries(folder), key=lambda path: path.stat().st_mtime_ns))
    encoded(dataclasses.replace(dataset, digest="d0"), TRAINED, tmp_path / "again")  # now the first was used last
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    monkeypatch.setenv("AUXLOOM_CACHE_BYTES", str(size))
    encoded(dataclasses.replace(dataset, digest="d3"), TRAINED, tmp_path / "run3")
    assert first.exists()
    assert not second.exists()
    assert third.exists()
    monkeypatch.setenv("AUXLOOM_CACHE_BYTES", "1")
    encoded(dataclasses.replace(dataset, digest="d4"), TRAINED, tmp_path / "run4")
    assert len(entries(folder)) == 1


def test_what_a_killed_run_left_goes_once_it_is_old(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """What is young may be of a run on another machine, and what a process of this one writes is never touched."""
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    names = {"dead": f"{int(dead.stdout)}-1", "young": f"{int(dead.stdout)}-2", "ours": f"{os.getpid()}-3"}
    left = {name: folder / f"{TEMPORARY}{rest}" for name, rest in names.items()}
    for name, place in left.items():
        (place / "train").mkdir(parents=True)
        for item in (place / "train", place) if name != "young" else (place,):
            os.utime(item, (0, 0))
    encoded(dataset, TRAINED, tmp_path)
    assert {name for name, place in left.items() if place.exists()} == {"young", "ours"}


def test_an_entry_that_cannot_be_made_leaves_nothing(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """A list of the wrong length is found while it is written."""
    (tags,) = (task for task in TRAINED if task.name == "disfluency.tags")
    with pytest.raises(ValueError, match="entries in row 0"):
        encoded(dataset, [dataclasses.replace(tags, sequences=("source",))], tmp_path)
    assert not entries(folder)
    assert not list(folder.glob(f"{TEMPORARY}*"))


def test_a_cache_that_cannot_be_made_names_the_cure(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueError, match="set AUXLOOM_CACHE to another folder"):
        encoded(dataset, TRAINED, tmp_path)


def test_an_entry_that_cannot_be_written_names_the_cure(
    dataset: Dataset, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is read-only, or the disk is full."""

    def refused(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(cache, "replacing", refused)
    with pytest.raises(ValueError, match=r"cache .* cannot be written \(read-only\); set AUXLOOM_CACHE to another"):
        encoded(dataset, TRAINED, tmp_path)
    assert not list(folder.iterdir())


def test_a_cache_of_others_is_read(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That an entry was used can be noted by its owner alone."""

    def refused(*_: object) -> None:
        raise PermissionError

    first = encoded(dataset, TRAINED, tmp_path / "one")
    monkeypatch.setattr(cache.os, "utime", refused)
    monkeypatch.setattr(cache, "replacing", refused)
    same(first, encoded(dataset, TRAINED, tmp_path / "one"))


@pytest.mark.parametrize("kind", ["encoded", "learnt"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_damaged_entry_is_made_again(
    dataset: Dataset,
    tmp_path: Path,
    folder: Path,
    kind: str,
    missing: bool,  # noqa: FBT001
) -> None:
    """A file was cut or is gone."""
    first = encoded(dataset, TRAINED, tmp_path / "one")
    (entry,) = entries(folder, kind)
    file = min(path for path in entry.rglob("*") if path.suffix in {".npy", ".npz"})
    if missing:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    same(first, encoded(dataset, TRAINED, tmp_path / "two"))
    for one, two in zip(*(sorted((tmp_path / run / "learnt").iterdir()) for run in ("one", "two")), strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("given", ["20GB", "2e10"])
def test_a_limit_that_is_no_number_is_named(
    dataset: Dataset, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Before anything is written."""
    monkeypatch.setenv("AUXLOOM_CACHE_BYTES", given)
    with pytest.raises(ValueError, match=f"AUXLOOM_CACHE_BYTES = '{given}' is not a number of bytes"):
        encoded(dataset, TRAINED, tmp_path)
    assert not folder.exists()


def test_an_entry_that_goes_while_room_is_made_is_no_error(
    dataset: Dataset, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs make room at once."""
    first = encoded(dataset, TRAINED, tmp_path / "one")
    sizes = cache._sizes

    def gone(entry: Path) -> dict[str, int]:
        if entry.name == "encoded-other":
            raise FileNotFoundError
        return sizes(entry)

    (folder / "encoded-other").mkdir()
    monkeypatch.setattr(cache, "_sizes", gone)
    other = encoded(dataclasses.replace(dataset, digest="other"), TRAINED, tmp_path / "two")
    same(first, other)


def _encode(dataset: Path, folder: Path) -> None:
    """Encode in a process of its own."""
    encoded(Dataset.open(dataset), TRAINED, folder)


def test_two_runs_at_once_make_one_entry(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """Both end well, and nothing else is left."""
    start = multiprocessing.get_context("spawn")
    runs = [start.Process(target=_encode, args=(dataset.path, tmp_path / f"run{number}")) for number in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    assert (len(entries(folder)), len(entries(folder, "learnt"))) == (1, 1)
    assert not list(folder.glob(f"{TEMPORARY}*"))
    assert {path.name for path in (tmp_path / "run0" / "learnt").iterdir()} == {"bigrams.npz", "vocabulary.json"}


def test_how_many_rows_are_encoded_at_a_time_changes_nothing(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the tokenizer, nor the counts, nor any array: single rows, parts across batches, all but one row."""
    tasks, parts = list(TRAINED), Split.parts
    whole = encoded(dataset, tasks, tmp_path / "whole")
    for rows in (1, 23, 59):
        monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path / f"cache{rows}"))
        monkeypatch.setattr(Split, "parts", lambda self, rows=rows: parts(self, rows))
        same(whole, encoded(dataset, tasks, tmp_path / f"run{rows}"))
        for name in ("vocabulary.json", "bigrams.npz"):
            one, two = ((tmp_path / run / "learnt" / name).read_bytes() for run in ("whole", f"run{rows}"))
            assert one == two


@given(st.lists(st.lists(st.integers(-9, 9), min_size=0, max_size=5), min_size=1, max_size=5))
def test_a_file_that_grew_is_read_as_one_array(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]]
) -> None:
    """Whatever the parts; of another type nothing is added."""
    path = tmp_path_factory.mktemp("array") / "values.npy"
    file = ArrayFile(path)
    for part in parts:
        file.append(np.array(part, np.int16).reshape(-1, 1))
    with pytest.raises(TypeError, match="cannot be added"):
        file.append(np.zeros((1, 1), np.int32))
    file.close()
    assert np.load(path)[:, 0].tolist() == [value for part in parts for value in part]


def test_a_dataset_that_lost_a_split_has_an_entry_of_its_own(dataset: Dataset, tmp_path: Path, folder: Path) -> None:
    """Its manifest is what it was, its rows are not."""
    train = dataclasses.replace(dataset, splits={"train": dataset.splits["train"]})
    assert list(encoded(train, TRAINED, tmp_path / "one").splits) == ["train"]
    assert list(encoded(dataset, TRAINED, tmp_path / "two").splits) == ["train", "validation", "test"]


@pytest.mark.parametrize("kind", ["learnt", "encoded"])
def test_an_entry_that_goes_while_it_is_read_is_made_again(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Another run makes room just then."""
    entry, taken = cache._entry, []

    def gone(name: str, *more: object) -> Path:
        place = entry(name, *more)  # type: ignore[arg-type]
        if name == kind and not taken:
            taken.append(place)
            cache.remove(place)
        return place

    monkeypatch.setattr(cache, "_entry", gone)
    assert set(encoded(dataset, TRAINED, tmp_path).splits) == {"train", "validation", "test"}
    assert taken
