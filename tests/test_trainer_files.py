"""Files of a run: task names that are no file names, writers that do not tear each other's files, local paths."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_dataset import TASKS, write_dataset

from labelers.place import local
from trainer import checkpoint
from trainer.apply import load_model, predict
from trainer.files import TEMPORARY, places, replacing, write
from trainer.loop import train
from trainer.score.table import lines

pytestmark = pytest.mark.usefixtures("quick_probes")

ROOT = Path(__file__).parents[1]
QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320}, "rows": 8, "bucket": 8, "window": 4, "epochs": 1, "steps_per_epoch": 2, "threads": 1,
    "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip
ODD = ("pos/upos", "a/../x", "..", "../../out", "type", "", "x" * 300, "pos.upos", "[red]é\n")


def test_odd_task_names_stay_in_the_folder(tmp_path: Path) -> None:
    """They are trained, resumed, reported and applied; nothing is written elsewhere."""
    (long,) = (task for task in TASKS if task.name == "topic.long")
    tasks = tuple(dataclasses.replace(long, name=name) for name in ODD)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    dataset = write_dataset(tmp_path / "deep" / "set", rows=24, tasks=tasks)
    run = tmp_path / "deep" / "er" / "run"
    before = {path for path in tmp_path.rglob("*") if run not in path.parents}
    train(dataset, run, QUICK, stop_after=1)
    report = train(dataset, run, resume=True)
    assert [entry["name"] for entry in report["tasks"]] == list(ODD)
    assert {path for path in tmp_path.rglob("*") if run not in path.parents} == before | {run}
    assert [item.task.name for item in predict(run, dataset)] == list(ODD)
    assert max(map(len, lines(report))) <= 80


def test_places_are_short_plain_and_different() -> None:
    """A number comes first, so that names that look alike once they are plain are not equal."""
    found = list(places(ODD).values())
    assert len(set(found)) == len(ODD)
    assert [name for name in found if not re.fullmatch(r"[0-9]+-[A-Za-z0-9_]{0,40}", name)] == []


def test_two_writers_of_one_file_do_not_tear_it(tmp_path: Path) -> None:
    """Each has a temporary file of its own, and the last one that ends stays as a whole."""
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        other.write_text("second")
        one.write_text("first, and longer")
    assert path.read_text() == "first, and longer"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def _half_a_file(path: Path) -> None:
    path.write_text("half of")
    raise RuntimeError("full")


def _half_a_folder(path: Path) -> None:
    path.mkdir()
    _half_a_file(path / "x")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """And nothing beside it, be it a file or a folder."""
    path = tmp_path / "file"
    write(path, "old")
    for place, fill in ((path, _half_a_file), (tmp_path / "folder", _half_a_folder)):
        with pytest.raises(RuntimeError, match="full"), replacing(place) as temporary:
            fill(temporary)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes first, then the name, then the folder that holds the name."""
    seen: list[tuple[str, bool]] = []
    path = tmp_path / "last.safetensors"
    monkeypatch.setattr("labelers.stores.drafts.sync", lambda item: seen.append((Path(item).name, path.exists())))
    checkpoint.save(path, {"x": torch.zeros(2)}, {"step": 1})
    assert [there for _, there in seen] == [False, True]
    assert seen[0][0].startswith(TEMPORARY)
    assert seen[1][0] == tmp_path.name


def test_nothing_is_written_past_the_helpers() -> None:
    """In the trainer only `trainer.files` writes or renames; the log appends, arrays go into a temporary folder."""
    found = {
        (path.name, line.strip())
        for path in (ROOT / "trainer").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(
            r"\.write_(text|bytes)\(|os\.replace|\.replace\(path|\.rename\(|np\.savez?\(|save_file\(|\.tmp", line
        )
        and path.name != "files.py"
    }
    assert {name for name, _ in found} == {"checkpoint.py", "encoding.py"}
    assert not [line for _, line in found if "write_" in line and "_NUMBERS" not in line]


def test_a_folder_with_the_leftovers_of_a_killed_run_is_free(tmp_path: Path) -> None:
    """A temporary file is nobody's."""
    dataset = write_dataset(tmp_path / "set", rows=24)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f"{TEMPORARY}1234").write_text("{")
    train(dataset, tmp_path / "run", QUICK, stop_after=1)
    assert not list((tmp_path / "run").glob(f"{TEMPORARY}*"))


def test_a_file_uri_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the dataset and the run; nothing is made in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "my set", rows=24)
    uri = tmp_path.as_uri()
    train(f"{uri}/my%20set", f"{uri}/run", QUICK)
    assert load_model(f"{uri}/run").tasks
    assert predict(f"{uri}/run", f"{uri}/my%20set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my set", "run"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file://host/run", r"a run folder must be local; give a path or a file:// URI$"),
        ("hdfs:/run", "has one slash behind its protocol; give a URI with two"),
        (Path("s3://b/run"), "in Python as a string$"),
    ],
)
def test_a_place_that_cannot_be_reached_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | Path, message: str
) -> None:
    """In one line, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    dataset = write_dataset(tmp_path / "set", rows=24)
    with pytest.raises(ValueError, match=message):
        train(dataset, place, QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(("place", "path"), [("a:b/c", "a:b/c"), ("C:/x", "C:/x"), ("./s3:/x", "s3:/x"), ("x", "x")])
def test_a_path_with_a_colon_is_a_path(place: str, path: str) -> None:
    """A scheme has two letters or more and a slash behind the colon."""
    assert local(place, "a run folder") == Path(path)


def test_a_path_object_that_was_a_uri_is_one() -> None:
    """Path takes one of the slashes away."""
    assert local(Path("file:///srv/run"), "a run folder") == Path("/srv/run")
