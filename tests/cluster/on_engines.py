"""On each engine: a build from and to an object store while workers, machines and drivers are lost, Ctrl-C, and layers.

`make test-cluster` runs it; what an engine needs and is not there is named, and its tests are skipped.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Commands
from engines import S3, SECRET, Cluster
from machine import wait_until
from small import built, files, rows, text

from pipelines.layers.join import join
from pipelines.layers.label import label

UNIT = 4_000
SECONDS = 1.0  # that a unit takes at least, so that a worker can be met while it is busy
TABLES = {"unit": {"bytes": UNIT}, "labelers": {"slow": {"seconds": SECONDS}}, "with": ["toy_labelers:Slow"]}
BUILD = [
    *("build", "s3://bucket/raw/", "--out", "s3://bucket/set", "--with", TABLES["with"][0]),
    *("--set", f"unit.bytes={UNIT}", "--set", f"labelers.slow.seconds={SECONDS}"),
]


@pytest.fixture(scope="session")
def reference(store: S3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dataset as it is built on this machine from the same text, which lies in the object store, too."""
    folder = tmp_path_factory.mktemp("reference")
    source, out = folder / "raw", folder / "out"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.txt").write_text(text(200, 200 * number))
        assert store.put(f"raw/{number}.txt", (source / f"{number}.txt").read_bytes())
    assert built(source, out, **TABLES).complete
    return out


@pytest.fixture
def out(store: S3, cluster: Cluster) -> Path:
    """Return the folder in which the object store keeps an empty output folder."""
    folder = store.objects / "set"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(cluster.begun)
    cluster.begun.mkdir()
    return folder


@pytest.fixture
def commands(store: S3, cluster: Cluster, tmp_path: Path) -> Iterator[Commands]:
    """Yield what runs commands; none is left over."""
    commands = Commands(store, cluster, tmp_path / "log")
    yield commands
    commands.end()


def begun(commands: Commands, out: Path, units: int = 1) -> "subprocess.Popen[bytes]":
    """Start the build, and return it once it has made some units."""
    driver = commands.start(BUILD)
    wait_until("the first units", lambda: len(marks(out)) >= units or driver.poll() is not None)
    return driver


def marks(out: Path) -> list[Path]:
    """Return the commit marks of units."""
    return sorted(out.glob("stats/*.json"))


def busy(cluster: Cluster) -> tuple[int, int]:
    """Return a worker that is in the middle of a unit, and the process that started it."""
    found: list[tuple[int, int]] = []

    def one() -> bool:
        workers, now = cluster.machine.processes(cluster.worker), time.time()
        for path in cluster.begun.iterdir():
            worker = int(path.name.rpartition("-")[2])
            if worker in workers and now - path.stat().st_mtime < SECONDS / 2:
                found.append((worker, workers[worker]))
        return bool(found)

    wait_until("a worker that is busy", one)
    return found[0]


def begun_again(cluster: Cluster) -> list[str]:
    """Return the rows that more than one process began."""
    rows = [path.name.rpartition("-")[0] for path in cluster.begun.iterdir()]
    return sorted({row for row in rows if rows.count(row) > 1})


@pytest.mark.parametrize("lost", ["worker", "machine"])
def test_a_loss_changes_no_byte(commands: Commands, cluster: Cluster, reference: Path, out: Path, *, lost: str) -> None:
    """Two processes had units, the driver none; nobody is left over; credentials stand in no file, log or message."""
    driver = begun(commands, out, units=4)
    worker, parent = busy(cluster)
    os.kill(worker if lost == "worker" else parent, signal.SIGKILL)
    units = len(json.loads((out / "plan.json").read_bytes())["units"])
    assert len(marks(out)) < units
    if lost == "machine":
        cluster.replace()
    assert commands.finish() == 0
    assert files(out) == files(reference)
    assert begun_again(cluster) != []
    (line,) = (out / "run.jsonl").read_text().splitlines()
    made = {unit["process"] for unit in json.loads(line)["units"]}
    assert len(made) >= 2
    assert driver.pid not in made
    wait_until("the end of workers without an engine", lambda: cluster.machine.orphans() == [])
    assert SECRET not in commands.said
    assert [path for path in out.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


def test_ctrl_c_ends_the_job(commands: Commands, reference: Path, out: Path) -> None:
    """One line says how to go on; no further unit begins on the cluster; the same line then ends the build."""
    driver = begun(commands, out)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130
    lines = [line for line in commands.said.splitlines() if line.startswith("interrupted")]
    assert lines[0].startswith("interrupted; finished work is kept; continue with: auxloom build s3://bucket/raw/ ")
    seen: list[int] = []

    def settled() -> bool:
        seen.append(len(marks(out)))
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    wait_until("an end of the units that had begun", settled)
    units = len(json.loads((out / "plan.json").read_bytes())["units"])
    assert seen[-1] < units
    assert commands.finish(BUILD) == 0
    assert files(out) == files(reference)


def test_the_next_build_ends_the_job_of_a_driver_that_was_killed(
    commands: Commands, cluster: Cluster, reference: Path, out: Path
) -> None:
    """It takes over the lock, and the slots of the job that nobody waits for."""
    driver = begun(commands, out)
    workers = cluster.machine.processes(cluster.worker)
    for worker in workers:  # else the job may have ended before there is another driver
        os.kill(worker, signal.SIGSTOP)
    driver.kill()
    driver.wait()
    second, said = commands.start(BUILD), f"on {cluster.options[1]}, which a build that was killed left running"
    try:
        wait_until("the end of the old job", lambda: said in commands.said or second.poll() is not None)
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
    assert commands.finish() == 0
    assert said in commands.said
    assert f"set, which process {driver.pid} on " in commands.said
    assert files(out) == files(reference)


@pytest.mark.parametrize("engine", ["flink"], indirect=True)
def test_a_job_that_the_engine_ends_is_a_failure_that_can_be_resumed(
    commands: Commands, cluster: Cluster, reference: Path, out: Path
) -> None:
    """As an administrator may do it; a line says so, and names the file with all that the engine said."""
    driver = begun(commands, out)
    cluster.cancel()
    assert driver.wait(120) not in {0, 130}
    (line,) = [line for line in commands.said.splitlines() if line.startswith("failed: ")]
    assert "; full output: " in line
    assert commands.finish(BUILD) == 0
    assert files(out) == files(reference)


def test_a_unit_that_kills_its_workers_is_given_up(store: S3, commands: Commands, out: Path, tmp_path: Path) -> None:
    """After three of them, and the other units are built; run again, it may kill three more, and here kills two."""
    killed, source = tmp_path / "killed", tmp_path / "raw" / "deadly.txt"
    lines = text(100).splitlines()
    source.parent.mkdir()
    source.write_text("".join(f"{line}{' BOOM' if line is lines[50] else ''}\n" for line in lines))
    assert store.put("deadly/deadly.txt", source.read_bytes())
    killed.write_bytes(b"")
    own = [
        "--with",
        "toy_labelers:Deadly",
        "--set",
        f"labelers.deadly.log={killed}",
        "--set",
        "labelers.deadly.times=5",
    ]
    words = ["build", "s3://bucket/deadly/", "--out", "s3://bucket/set", "--set", f"unit.bytes={UNIT}", *own]
    assert commands.finish(words) == 1
    (line,) = [line for line in commands.said.splitlines() if line.startswith("failed: unit ")]
    assert "its worker was killed 3 times" in line
    assert len(killed.read_bytes()) == 3
    assert len(marks(out)) == len(json.loads((out / "plan.json").read_bytes())["units"]) - 1
    assert commands.finish(words) == 0
    deadly = {"log": str(killed), "times": 5}
    tables = {"unit": {"bytes": UNIT}, "labelers": {"deadly": deadly}, "with": ["toy_labelers:Deadly"]}
    assert built(source.parent, tmp_path / "here", **tables).complete
    assert files(out) == files(tmp_path / "here")
    assert [path for path in out.rglob(".tmp-*") if path.is_file()] == []


def test_layers_have_the_bytes_of_this_machine(
    store: S3, commands: Commands, reference: Path, out: Path, tmp_path: Path
) -> None:
    """`label` and `join` run where `build` does."""
    here, other = tmp_path / "here", tmp_path / "other.jsonl"
    for copy in (out, here):
        shutil.copytree(reference, copy)
    found = [row["tokens"] for split in ("test", "train") for row in rows(reference, split)][::2]
    other.write_text(
        "".join(f"{json.dumps({'tokens': row, 'tags': ['B-x'] + ['O'] * (len(row) - 1)})}\n" for row in found)
    )
    label(str(here), ["masking"])
    join(str(here), [str(other)], on="tokens", labels={"more": {"kind": "token", "column": "tags"}})
    assert store.put("other.jsonl", other.read_bytes())
    assert commands.finish(["label", "s3://bucket/set", "--with", "masking"]) == 0
    more = ["--label", "more=token:tags", "--on", "tokens"]
    assert commands.finish(["join", "s3://bucket/set", "s3://bucket/other.jsonl", *more]) == 0
    for name in ("masking", "more"):
        assert files(out / "layers" / name) == files(here / "layers" / name) != {}


def test_a_failure_is_told_in_a_line(commands: Commands, reference: Path, out: Path) -> None:
    """A worker without credentials of its own cannot be had here, but a folder that is not there can."""
    assert commands.finish([*BUILD, "--set", "plan.from=s3://bucket/nothing"]) == 2
    told = [line for line in commands.said.splitlines() if line.strip()]
    assert told == ["error: [plan] from = 's3://bucket/nothing' has no plan.json; give a finished dataset"]
