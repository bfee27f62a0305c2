"""Runs in a store: the bytes of a run in a folder, whatever breaks off, and read like one."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from gold_dataset import PLAIN_TASKS
from object_store import ObjectStore, Request, right, store_of
from tiny_dataset import write_dataset

from labelers.stores.faults import explained
from labelers.stores.published import PUBLISHED, StoreFolder
from trainer.apply import load_model
from trainer.apply import predict as apply
from trainer.data.dataset import Dataset
from trainer.external import evaluate
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.predict import load
from trainer.run_store import trained_in
from trainer.score.metrics import Predictions

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320},
    "rows": 8, "bucket": 8, "window": 4, "epochs": 2, "steps_per_epoch": 2, "log_every": 1, "save_every": 1,
    "threads": 1, "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield an empty store."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        yield found


@pytest.fixture(autouse=True)
def _right(store: ObjectStore) -> Iterator[None]:
    """Let the store of each test begin without a fault."""
    yield
    store.fault = right


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with three tasks and 24 train rows."""
    return write_dataset(tmp_path_factory.mktemp("runs") / "set", rows=24, tasks=PLAIN_TASKS)


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a disk."""
    run = tmp_path_factory.mktemp("whole") / "run"
    train(dataset, run, QUICK, clock=lambda: 0.0)
    return run


@pytest.fixture(scope="module")
def published(store: ObjectStore, dataset: Path) -> str:
    """The same run in the store."""
    train(dataset, store.uri("published"), QUICK, clock=lambda: 0.0)
    return store.uri("published")


@pytest.fixture
def elsewhere(tmp_path: Path, whole: Path) -> Path:
    """The cache of another machine, which has encoded the dataset, too."""
    cache = tmp_path / "elsewhere"
    shutil.copytree(os.environ["AUXLOOM_CACHE"], cache, ignore=shutil.ignore_patterns("run-*", "copy-*"))
    return cache


def on_disk(run: Path) -> dict[str, bytes]:
    """Return the files of a run by their names."""
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def stored(store: ObjectStore, name: str) -> dict[str, bytes]:
    """Return the files of a run in the store by their names, without the list."""
    objects = store.objects.items()
    files = {key.removeprefix(f"{name}/"): data for key, data in objects if key.startswith(f"{name}/")}
    return {key: data for key, data in files.items() if key and not key.endswith("/") and key != PUBLISHED}


def test_a_run_in_a_store_has_the_bytes_of_one_on_a_disk(store: ObjectStore, whole: Path, published: str) -> None:
    """All files have; the list beside them says so."""
    assert stored(store, "published") == on_disk(whole)
    listed = json.loads(store.objects[f"published/{PUBLISHED}"])["files"]
    assert set(listed) == set(on_disk(whole))
    assert all(len(item["sha256"]) == 1 for item in listed.values())


class Killed(BaseException):
    """This process has ended."""


@pytest.mark.parametrize(
    "point",
    [
        ("run.json", 1),
        ("learnt", 1),
        ("metrics.jsonl", 2),
        ("best.safetensors", 2),
        ("last.safetensors", 2),
        ("report.json", 1),
    ],
)
def test_a_kill_between_two_uploads_changes_no_byte(
    store: ObjectStore, dataset: Path, whole: Path, elsewhere: Path, point: tuple[str, int]
) -> None:
    """Resumed on another machine; in between, readers find a model that fits, or none yet."""
    (last, time), uploads = point, list[str]()
    out = store.uri(f"killed-{last}")
    with pytest.MonkeyPatch.context() as patch:
        upload = StoreFolder.upload

        def killed(self: StoreFolder, name: str, source: Path) -> None:
            upload(self, name, source)
            uploads.append(name.partition("/")[0])
            if uploads.count(last) == time:
                raise Killed

        patch.setattr(StoreFolder, "upload", killed)
        with pytest.raises(Killed):
            train(dataset, out, QUICK, clock=lambda: 0.0)
    assert RunFolder.of(out).weights.exists() == ("last.safetensors" in uploads)
    if "last.safetensors" in uploads:
        assert load_model(out).tasks
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUXLOOM_CACHE", str(elsewhere))
        train(dataset, out, resume=True, clock=lambda: 0.0)
    assert stored(store, f"killed-{last}") == on_disk(whole)


def test_a_store_that_fails_ends_the_run_in_a_line(
    store: ObjectStore, dataset: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was trained stays here, and goes there when the store is back."""

    def away(number: int, request: Request) -> str:
        checkpoint = (
            request[0] == "PUT" and "last.safetensors" in request[1] and "fails/last.safetensors" in store.objects
        )
        return "503 SlowDown" if checkpoint else ""

    out = store.uri("fails", retries=2)
    store.fault = away
    with pytest.raises(OSError, match="is too busy") as caught:
        train(dataset, out, QUICK)
    assert explained(caught.value) == str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(
        "then continue the run (`auxloom train ... --resume`, or the same `auxloom run`); what is done is kept"
    )
    store.fault = right
    begun: list[float] = []
    train(dataset, out, resume=True, clock=lambda: 0.0, progress=lambda done, *_: begun.append(done))
    assert begun[0] == 3  # the second step was taken before
    assert stored(store, "fails") == on_disk(whole)


@pytest.mark.parametrize(
    ("place", "fault", "message"),
    [
        ("refused", "403 AccessDenied", "s3://bucket refuses the credentials .*, then run the same command again"),
        ("nothing", "", "s3://nothing has no such bucket .*; make it, or correct the URI"),
    ],
)
def test_a_store_that_takes_nothing_is_named_before_the_first_step(
    store: ObjectStore, dataset: Path, place: str, fault: str, message: str
) -> None:
    """In one line; afterwards the same command begins the run."""
    store.fault = lambda _, request: fault if request[0] == "PUT" else ""
    out = store.uri(place) if fault else store.uri(place).replace("bucket/", "nothing/")
    with pytest.raises(OSError, match=r"AWS Error|s3://") as caught:
        train(dataset, out, QUICK)
    assert re.match(message, explained(caught.value))
    assert not stored(store, place)
    store.fault = right
    with pytest.raises(FileNotFoundError, match=f"there is no run to resume in s3://bucket/{place}"):
        train(dataset, store.uri(place), resume=True)
    assert train(dataset, store.uri(place), QUICK, stop_after=1) == {"finished": False, "step": 1}


def test_one_process_of_a_machine_trains_a_run(store: ObjectStore, dataset: Path) -> None:
    """The second one is refused, whatever it was asked."""
    with (
        trained_in(store.uri("held")),
        pytest.raises(ValueError, match=r"another process of this machine is writing to s3://bucket/held"),
    ):
        train(dataset, store.uri("held"), QUICK)
    assert not stored(store, "held")


def test_of_two_machines_the_slower_one_ends(
    store: ObjectStore, dataset: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed nothing."""
    out = store.uri("two")
    train(dataset, out, QUICK, stop_after=1)

    def other(done: float, *_: object) -> None:
        if done == 3:
            with monkeypatch.context() as patch:
                patch.setenv("AUXLOOM_CACHE", str(elsewhere))
                train(dataset, out, resume=True, stop_after=4)
            known.update(store.objects)

    known: dict[str, bytes] = {}
    with pytest.raises(ValueError, match="another process has written to s3://bucket/two"):
        train(dataset, out, resume=True, progress=other)
    assert store.objects == known


def test_what_is_in_the_store_counts(
    store: ObjectStore, dataset: Path, whole: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that trained the run before takes up what another one has made of it."""
    out, taken = store.uri("turns"), list[float]()
    train(dataset, out, QUICK, stop_after=1)
    with monkeypatch.context() as patch:
        patch.setenv("AUXLOOM_CACHE", str(elsewhere))
        train(dataset, out, resume=True, stop_after=3)
    train(dataset, out, resume=True, clock=lambda: 0.0, progress=lambda done, *_: taken.append(done))
    assert taken[0] == 4
    assert stored(store, "turns") == on_disk(whole)
    asked = len(store.requests)
    assert train(dataset, out, resume=True)["run"]["steps"] == 4
    assert {method for method, _ in store.requests[asked:]} <= {"GET", "HEAD"}


def test_a_longer_and_another_run_have_the_bytes_of_those_on_a_disk(
    store: ObjectStore, dataset: Path, tmp_path: Path
) -> None:
    """The report of the shorter one goes first, and all of another one."""
    for place in (str(tmp_path / "run"), store.uri("grows")):
        train(dataset, place, QUICK | {"epochs": 1}, clock=lambda: 0.0)
        train(dataset, place, {"epochs": 2}, resume=True, clock=lambda: 0.0)
    assert stored(store, "grows") == on_disk(tmp_path / "run")
    for place in (str(tmp_path / "run"), store.uri("grows")):
        with pytest.raises(ValueError, match="already contains a run; add --resume"):
            train(dataset, place, QUICK)
        train(dataset, place, QUICK | {"seed": 1}, overwrite=True, stop_after=1)
    assert stored(store, "grows") == on_disk(tmp_path / "run")


def numbers(found: list[Predictions]) -> list[list[Any]]:
    """Return what was predicted."""
    return [item.predicted.tolist() for item in found]


def test_a_run_is_read_from_a_store(store: ObjectStore, dataset: Path, whole: Path, published: str) -> None:
    """As from a folder; without the optimiser, and once."""
    asked = len(store.requests)
    assert evaluate(published, dataset)["tasks"] == evaluate(whole, dataset)["tasks"]
    assert all("last.safetensors" not in path and "metrics" not in path for _, path in store.requests[asked:])
    asked = len(store.requests)
    assert numbers(apply(published, dataset)) == numbers(apply(whole, dataset))
    assert len(store.requests) - asked <= 2
    texts = [["the", "old", "oven"], ["iron", "has", "dough"]]
    assert [item.to_json() for item in load(published).predict(texts)] == [
        item.to_json() for item in load(whole).predict(texts)
    ]


def test_a_run_begins_with_one_in_a_store(
    store: ObjectStore, dataset: Path, whole: Path, published: str, tmp_path: Path
) -> None:
    """It has the weights that it would have, and says where they came from."""
    for name, init in (("here", str(whole)), ("there", published)):
        settings = {**QUICK, "model": {"init": init}, "max_steps": 1}
        train(dataset, tmp_path / name, settings, stop_after=1)
    one, other = on_disk(tmp_path / "here"), on_disk(tmp_path / "there")
    assert one["last.safetensors"] == other["last.safetensors"]
    assert json.loads(other["learnt/init.json"])["run"] == published


def test_a_run_that_changes_while_it_is_read_is_read_again(
    store: ObjectStore, published: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that no list says are never taken."""
    monkeypatch.setenv("AUXLOOM_CACHE", str(elsewhere))
    monkeypatch.setattr("time.sleep", lambda _: None)
    good = store.objects["published/best.safetensors"]
    store.objects["published/best.safetensors"] = good[:-1] + b"?"

    def mend(number: int, request: Request) -> str:
        if "published.json" in request[1] and next(lists):
            store.objects["published/best.safetensors"] = good
        return ""

    lists = iter([False] * 4 + [True] * 100)
    store.fault = mend
    assert RunFolder.of(published).best.read_bytes() == good
    store.objects["published/best.safetensors"] = good[:-1] + b"?"
    store.fault = right
    monkeypatch.setenv("AUXLOOM_CACHE", str(elsewhere / "empty"))
    with pytest.raises(
        ValueError, match=r"best.safetensors in s3://.*published.* is not what published.json there says"
    ):
        RunFolder.of(published)
    store.objects["published/best.safetensors"] = good


def test_a_run_that_was_uploaded_by_other_means_is_one(
    store: ObjectStore, dataset: Path, whole: Path, tmp_path: Path
) -> None:
    """It can be read and continued; files of something else are no run."""
    train(dataset, tmp_path / "run", QUICK, stop_after=2)
    store.objects |= {f"uploaded/{name}": data for name, data in on_disk(tmp_path / "run").items()}
    store.objects["uploaded/NOTES.md"] = b"mine"
    assert load_model(store.uri("uploaded")).tasks
    train(dataset, store.uri("uploaded"), resume=True, clock=lambda: 0.0)
    assert stored(store, "uploaded") == {**on_disk(whole), "NOTES.md": b"mine"}
    store.objects["strange/a.txt"] = b"text"
    with pytest.raises(ValueError, match=r"strange.* contains files that are not a run of auxloom \(a.txt\)"):
        train(dataset, store.uri("strange"), QUICK)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint in s3://bucket/strange"):
        load_model(store.uri("strange"))


@pytest.mark.parametrize("protocol", ["memory", "local", "file"])
def test_other_protocols(dataset: Path, whole: Path, tmp_path: Path, protocol: str) -> None:
    """Those of fsspec, and files."""
    place = f"{protocol}://{tmp_path}/run"
    train(dataset, place, QUICK, stop_after=1)
    train(dataset, place, resume=True, clock=lambda: 0.0)
    system = fsspec.filesystem(protocol)
    found = {path.rpartition(f"{tmp_path}/run/")[2]: system.cat_file(path) for path in system.find(f"{tmp_path}/run")}
    assert {name: data for name, data in found.items() if name != PUBLISHED} == on_disk(whole)
    assert (PUBLISHED in found) == (protocol != "file")
    assert load_model(place).tasks


def test_a_run_lies_outside_of_its_dataset(store: ObjectStore, dataset: Path) -> None:
    """In a store as on a disk."""
    store.objects |= {f"set/{name}": data for name, data in on_disk(dataset).items()}
    assert Dataset.open(store.uri("set")).name == store.uri("set")
    with pytest.raises(ValueError, match="lies in the folder of the dataset s3://bucket/set"):
        train(store.uri("set"), store.uri("set/run"), QUICK)


def test_entries_in_which_a_process_works_are_not_removed(
    store: ObjectStore, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cache may take; once it has ended, they are."""
    monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path))
    with trained_in(published) as folder:
        monkeypatch.setenv("AUXLOOM_CACHE_BYTES", str(sum(map(len, on_disk(folder.path).values()))))
        RunFolder.of(published)
        assert folder.last.exists()
    shutil.rmtree(next(tmp_path.glob("copy-*")))
    RunFolder.of(published)
    assert not folder.last.exists()


def test_a_kill_while_a_run_is_removed_leaves_one_that_can_be_removed(
    store: ObjectStore, dataset: Path, whole: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another machine, too, and the new run has nothing of the old one."""
    out, remove = store.uri("removed"), StoreFolder.remove
    train(dataset, out, QUICK | {"seed": 1}, stop_after=1)

    def killed(self: StoreFolder, name: str) -> None:
        remove(self, name)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StoreFolder, "remove", killed)
        with pytest.raises(Killed):
            train(dataset, out, QUICK, overwrite=True)
    assert "removed/last.safetensors" not in store.objects
    assert "removed/run.json" in store.objects
    monkeypatch.setenv("AUXLOOM_CACHE", str(elsewhere))
    train(dataset, out, QUICK, overwrite=True, clock=lambda: 0.0)
    assert stored(store, "removed") == on_disk(whole)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "published.json in s3://bucket/list.* is damaged; give another folder"),
        (b'{"files": {}, "format": 2}', "s3://bucket/list.* was written by a later version of auxloom"),
    ],
)
def test_a_list_that_cannot_be_read_is_named(store: ObjectStore, data: bytes, message: str) -> None:
    """Nothing is guessed."""
    store.objects[f"list/{PUBLISHED}"] = data
    with pytest.raises(ValueError, match=message):
        RunFolder.of(store.uri("list"))
