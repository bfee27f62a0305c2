"""A unit that kills its workers is given up after the third, and the others are built; two deaths are no failure."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from object_store import ObjectStore, store_of
from small import built, files, recipe, text, write

from pipelines.build import build
from pipelines.folder.attempts import Attempts, KilledError
from pipelines.folder.layout import Folder
from pipelines.folder.lock import Holder
from pipelines.plans.plan import Plan
from pipelines.processes import end_children, run_exclusively
from pipelines.recipes.recipe_tables import RunTable
from pipelines.rows.shard import make_shard
from pipelines.runners.lost_workers import noted_attempts
from pipelines.verify import verify

ROOT = Path(__file__).parents[1]
KILLED = "its worker was killed 3 times, most likely because it ran out of memory"
UNIT = 2  # holds the word at which workers are killed


@pytest.fixture(scope="module", autouse=True)
def _workers_find_the_labelers() -> Iterator[None]:
    """Start workers with the folder of these tests on their path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")
        yield
    end_children()


@pytest.fixture
def killed(folder: Path) -> Path:
    """Return the file with a byte for each worker that was killed: none so far."""
    (folder / "killed").write_bytes(b"")
    return folder / "killed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a text of a few units, of which one kills workers."""
    found = tmp_path_factory.mktemp("folder")
    write(found, text(100) + "Then BOOM it went, as page 100 tells.\n" + text(100, 101))
    return found


@pytest.fixture(scope="module")
def reference(folder: Path) -> Path:
    """Return the dataset as it is built where no worker is killed."""
    (folder / "killed").write_bytes(bytes(9))
    assert built(folder / "in/text.txt", folder / "reference", **tables(folder, 5)).complete
    return folder / "reference"


def tables(folder: Path, times: int) -> dict[str, Any]:
    """Return the tables of a recipe under which so many workers are killed."""
    deadly = {"log": str(folder / "killed"), "times": times}
    return {"with": ["toy_labelers:Deadly"], "labelers": {"deadly": deadly}, "unit": {"bytes": 5_000}}


def finished(out: Path) -> dict[str, bytes]:
    """Return the files of units without what killed workers had begun, which stays to the end of a build."""
    return {name: data for name, data in files(out).items() if ".tmp-" not in name}


def leave(attempts: Attempts, unit: int, deaths: int) -> Path:
    """Leave the notes of workers that were killed, and return the file."""
    gone = [asdict(replace(Holder.here(), born=f"long ago {number}", token=str(number))) for number in range(deaths)]
    note = Path(attempts.place, attempts.name, f"{unit:05d}")
    note.parent.mkdir(exist_ok=True)
    note.write_text(json.dumps(gone))
    return note


def test_what_is_left_of_attempts_are_deaths(tmp_path: Path) -> None:
    """The end of a unit takes its note back, and so does an exception; an attempt that goes on is no death."""
    attempts = Attempts(str(tmp_path), "notes")
    note = leave(attempts, 7, 2)
    before = json.loads(note.read_bytes())

    def fail() -> None:
        with attempts.noted(7):
            assert len(json.loads(note.read_bytes())) == 3
            assert attempts.deaths() == {"0": 7, "1": 7}
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert json.loads(note.read_bytes()) == before
    with attempts.noted(7):
        pass
    assert attempts.deaths() == {}
    attempts.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_unit_with_three_deaths_is_not_begun(tmp_path: Path) -> None:
    """A note that is damaged says of no death."""
    attempts = Attempts(str(tmp_path), "notes")
    note = leave(attempts, 7, 3)
    with pytest.raises(KilledError, match=KILLED), attempts.noted(7):
        pytest.fail("it was begun")
    assert set(attempts.deaths().values()) == {7}
    note.write_bytes(b"[{}")
    with attempts.noted(7):
        pass


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield an object store."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        yield found


def test_in_a_store_a_note_takes_two_requests(store: ObjectStore) -> None:
    """It is looked for and written; that of a unit which is finished stays to the end of the run."""
    attempts = Attempts(store.uri("set"), "notes")
    store.objects["set/plan.json"] = b"{}"
    attempts.deaths()  # connect
    store.requests.clear()
    with attempts.noted(7):
        pass
    assert [(method, path.partition("?")[0]) for method, path in store.requests] == [
        ("HEAD", "/bucket/set/notes/00007"),
        ("PUT", "/bucket/set/notes/00007"),
    ]
    attempts.clear()
    assert [name for name in store.objects if name[-1] != "/"] == ["set/plan.json"]


@pytest.mark.parametrize(
    ("run", "place"),
    [
        ({}, None),
        ({"workers": 2}, "elsewhere"),
        ({"runner": "dask"}, "elsewhere"),
        ({"runner": "dask", "beam": {"dask_client_address": "tcp://host:1"}}, "store"),
    ],
)
def test_attempts_are_noted_where_all_workers_see_it(
    store: ObjectStore, run: dict[str, Any], place: str | None
) -> None:
    """Workers on this machine need no requests to a store, and where there is no other process nothing goes on."""
    out = store.uri("set")
    with noted_attempts(out, RunTable(**run), "notes") as attempts:
        found = attempts and attempts.place
        if place == "elsewhere":
            assert Path(str(found)).is_dir()
        else:
            assert found == (place and out)
    assert not Path(str(found)).exists()


@contextmanager
def busy() -> Iterator[None]:
    """Keep this process busy, so that units are made in child processes."""
    begun, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=run_exclusively, args=(wait, begun, ended))
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def wait(begun: threading.Event, ended: threading.Event) -> None:
    """Wait for the end of a test."""
    begun.set()
    ended.wait()


def planned(reference: Path, out: Path) -> Plan:
    """Return the plan of a dataset of which nothing is made yet."""
    out.mkdir()
    for name in ("plan.json", "pool.jsonl"):
        (out / name).write_bytes((reference / name).read_bytes())
    return Plan.read(Folder.at(str(out)))


def test_a_unit_that_kills_child_processes_is_given_up(reference: Path, killed: Path, tmp_path: Path) -> None:
    """The process goes on that would have made several units at once; in the next run two deaths are no failure."""
    plan = planned(reference, tmp_path / "out")
    first, second = (Attempts(str(tmp_path), name) for name in ("first", "second"))
    with busy():
        killed.write_bytes(bytes(3))
        leave(first, UNIT, 2)
        report = make_shard(UNIT, plan, str(tmp_path / "out"), attempts=first)
        assert report["error"] == {"text": KILLED, "labeler": "", "document": "", "of_memory": True}
        assert killed.stat().st_size == 4
        leave(second, UNIT, 1)
        report = make_shard(UNIT, plan, str(tmp_path / "out"), attempts=second)
    assert "error" not in report
    assert killed.stat().st_size == 5
    made = finished(tmp_path / "out")
    assert made == {name: data for name, data in files(reference).items() if name in made}
    assert list((tmp_path / "second").iterdir()) == []


def test_without_notes_a_child_process_is_not_tried_again(reference: Path, killed: Path, tmp_path: Path) -> None:
    """Its death is the failure of the unit."""
    plan = planned(reference, tmp_path / "out")
    with busy():
        report = make_shard(UNIT, plan, str(tmp_path / "out"))
    assert report["error"]["text"] == "its child process was ended by signal 9; it may have run out of memory"
    assert killed.stat().st_size == 1


@contextmanager
def noted_twice(*given: Any) -> Iterator[Attempts | None]:
    """Begin with the notes of two deaths, which take a while each."""
    with noted_attempts(*given) as attempts:
        assert attempts
        leave(attempts, UNIT, 2)
        yield attempts


@pytest.mark.no_cover  # other tests run the same lines once
def test_the_local_runner_goes_on_without_a_unit_that_kills_workers(
    reference: Path, killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is named, with what to do; the same command later ends the build with the bytes of any other."""
    out, said = tmp_path / "out", list[str]()
    source, given = killed.parent / "in/text.txt", tables(killed.parent, 5)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.build.noted_attempts", noted_twice)
        report = build(recipe(source, out, **given, run={"workers": 2}), say=said.append)
    assert killed.stat().st_size == 1
    assert said == [f"a worker was killed while it built unit {UNIT}; starting new workers"]
    (failure,) = report.failures
    assert failure.startswith(f"unit {UNIT} (text.txt bytes ")
    assert KILLED in failure
    assert (report.exit_code, report.complete) == (1, False)
    whole = files(reference)
    made = finished(out)
    assert made == {name: data for name, data in whole.items() if name in made}
    assert sorted({path.stem for path in out.glob("stats/*.json")}) == ["00000", "00001", "00003", "00004", "00005"]
    assert list(out.glob(".tmp-*")) == []
    assert capfd.readouterr() == ("", "")
    killed.write_bytes(bytes(5))
    assert built(source, out, **given).complete
    assert files(out) == whole
    assert verify(out) == []


DASK = """
import json, logging, sys
from pathlib import Path

logging.disable(logging.INFO)
import small
from pipelines import build
from pipelines.runners.lost_workers import noted_attempts
from test_attempts import noted_twice

if __name__ == "__main__":
    from distributed import LocalCluster

    given, build.noted_attempts = json.loads(sys.argv[1]), noted_twice
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    run = {"runner": "dask", "beam": {"dask_client_address": cluster.scheduler_address}}
    for killed in (b"", bytes(5)):
        Path(given["killed"]).write_bytes(killed)
        report = small.built(Path(given["source"]), Path(given["out"]), **given["tables"], run=run)
        print(json.dumps(report.failures))
        build.noted_attempts = noted_attempts
    cluster.close()
"""


@pytest.mark.no_cover
def test_dask_goes_on_without_a_unit_that_kills_workers(
    folder: Path, reference: Path, killed: Path, tmp_path: Path
) -> None:
    """It starts the unit again by itself, until no worker begins it."""
    (tmp_path / "run.py").write_text(DASK)
    out = tmp_path / "out"
    given = {"source": str(folder / "in/text.txt"), "out": str(out), "tables": tables(folder, 5), "killed": str(killed)}
    command = [sys.executable, tmp_path / "run.py", json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert len(first) == 1
    assert KILLED in first[0]
    assert second == []
    assert files(out) == files(reference)


PROCESS = """
import json, pathlib, sys, threading, time
from pipelines.folder.attempts import Attempts
from pipelines.processes import end_when_asked, end_with

def work():
    with Attempts(sys.argv[1], "notes").noted(7):
        print(len(json.loads(pathlib.Path(sys.argv[1], "notes/00007").read_bytes())), flush=True)
        begun.set()
        time.sleep(600)

end_when_asked()
end_with(int(sys.argv[2]))
begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
{end}
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:], str(__import__('os').getpid())])"


@contextmanager
def begun(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process, and go on once an attempt has begun in it or in one that it starts."""
    process = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "1\n"
        yield process
        process.wait()


@pytest.mark.parametrize(
    ("end", "number", "left"),
    [
        ("", 0, 0),
        ("time.sleep(600)", signal.SIGTERM, 0),
        ("time.sleep(600)", signal.SIGKILL, 1),
    ],
)
def test_only_a_worker_that_is_killed_leaves_its_note(tmp_path: Path, end: str, number: int, left: int) -> None:
    """One that is asked to end, or ends in another thread, takes it back."""
    words = [PROCESS.format(end=end), str(tmp_path), str(os.getpid())]
    with begun(words) as process:
        if number:
            process.send_signal(number)
    assert len(Attempts(str(tmp_path), "notes").deaths()) == left


def test_a_worker_that_ends_with_its_engine_takes_its_note_back(tmp_path: Path) -> None:
    """A machine or task manager that is lost says nothing of the unit."""
    words = [PARENT, PROCESS.format(end="time.sleep(600)"), str(tmp_path)]
    with begun(words) as process:
        process.kill()
    deadline = time.monotonic() + 60
    while json.loads((tmp_path / "notes/00007").read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert json.loads((tmp_path / "notes/00007").read_bytes()) == []
