"""Datasets without a validation split, without a test split, without either, and damaged ones."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tiny_dataset import write_dataset

from trainer.data.dataset import Dataset
from trainer.loop import train
from trainer.score.table import lines

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 8, "window": 4, "epochs": 2, "steps_per_epoch": 2, "threads": 1,
    "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip


def noted(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Write a dataset as a build leaves it: marks that note all shards, and no folder of a split without rows."""
    write_dataset(folder, rows=24)
    shards = {path.relative_to(folder).as_posix(): path for path in sorted(folder.glob("*/*.arrow"))}
    facts = {name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in shards.items()}
    rows = {name: {"rows": 0 if name in without else 9} for name in ("train", "validation", "test")}
    (folder / "stats").mkdir()
    (folder / "stats" / "00000.json").write_text(json.dumps({"files": facts, "splits": rows}))
    (folder / "auxloom.json").write_text(json.dumps({"units": 1}))
    for name in without:
        shutil.rmtree(folder / name)
    return folder


@pytest.mark.parametrize(
    ("without", "split", "title", "told"),
    [
        ((), "test", "scores on the test split", "the best on the validation split"),
        (("test",), "validation", "scores on the validation split", "the best on the validation split"),
        (
            ("validation",),
            "test",
            "scores on the test split",
            "checkpoint: the last, step 4; there is no validation split",
        ),
        (
            ("validation", "test"),
            "",
            "there is no held-out split, so nothing is scored",
            "checkpoint: the last, step 4; there is no held-out split",
        ),
    ],
)
def test_a_dataset_with_a_split_without_rows_is_trained(
    tmp_path: Path, without: tuple[str, ...], split: str, title: str, told: str
) -> None:
    """The report says which split is scored and which one chose the checkpoint; the test split never does."""
    report = train(noted(tmp_path / "set", without), tmp_path / "run", QUICK)
    assert report["split"] == split
    assert report["run"]["chosen_on"] == (None if "validation" in without else "validation")
    assert (tmp_path / "run" / "best.safetensors").exists() is ("validation" not in without)
    assert {entry["score"] is None for entry in report["tasks"]} == {not split}
    text = lines(report)
    assert text[0] == title
    assert told in " ".join(map(str.strip, text))
    assert ("so its scores are optimistic" in " ".join(map(str.strip, text))) is (split == "validation")


def test_patience_needs_a_validation_split(tmp_path: Path) -> None:
    """Without one nothing would ever end the run."""
    dataset = noted(tmp_path / "set", ("validation",))
    with pytest.raises(
        ValueError, match=r"patience = 2 counts evaluations on the validation split, and .*set has none"
    ):
        train(dataset, tmp_path / "run", QUICK | {"patience": 2})
    assert not (tmp_path / "run").exists()


def test_a_shard_of_a_split_with_rows_must_be_there(tmp_path: Path) -> None:
    """A split whose rows were counted and that is gone was not left out by the build."""
    dataset = noted(tmp_path / "set")
    shutil.rmtree(dataset / "validation")
    with pytest.raises(ValueError, match=r"validation/data-00000-of-00002\.arrow is missing"):
        Dataset.open(dataset)


def _truncate(folder: Path) -> Path:
    shard = folder / "train" / "data-00001-of-00002.arrow"
    shard.write_bytes(shard.read_bytes()[:100])
    return shard


def _empty(folder: Path) -> Path:
    shard = folder / "test" / "data-00001-of-00002.arrow"
    shard.write_bytes(b"")
    return shard


def _other(folder: Path) -> Path:
    shard = folder / "train" / "data-00001-of-00002.arrow"
    table = pa.table({"id": ["a"]})
    with pa.OSFile(str(shard), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return shard


@pytest.mark.parametrize(
    ("damage", "told"),
    [(_truncate, "is not an Arrow stream"), (_empty, "is not an Arrow stream"), (_other, "its columns differ from")],
)
def test_a_damaged_shard_is_named(tmp_path: Path, damage: Any, told: str) -> None:
    """Also where no checksum was noted."""
    shard = damage(write_dataset(tmp_path, rows=24))
    with pytest.raises(ValueError, match=told) as error:
        Dataset.open(tmp_path)
    assert str(shard) in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("stats/00000.json", None, "is missing"),
        ("stats/00000.json", "{", "is damaged \\(it is not valid JSON"),
        ("auxloom.json", "nothing", "is damaged \\(it is not valid JSON"),
    ],
)
def test_a_damaged_or_missing_note_is_named(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    """Without it nobody knows what the shards must be."""
    dataset = noted(tmp_path)
    if text is None:
        (dataset / name).unlink()
    else:
        (dataset / name).write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        Dataset.open(dataset)
    assert str(dataset / name) in str(error.value)


def test_a_mark_without_counts_asks_for_all_its_shards(tmp_path: Path) -> None:
    """What was written and not counted must be there."""
    dataset = noted(tmp_path)
    mark: Mapping[str, Any] = json.loads((dataset / "stats" / "00000.json").read_text())
    (dataset / "stats" / "00000.json").write_text(json.dumps({"files": mark["files"]}))
    shutil.rmtree(dataset / "test")
    with pytest.raises(ValueError, match=r"test/data-00001-of-00002\.arrow is missing"):
        Dataset.open(dataset)
