"""On each engine: a build from and to an object store, a worker that is killed, Ctrl-C, and what is sent nowhere.

`make test-cluster` runs it; what an engine needs and is not there is named, and its tests are skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from engines import S3, SECRET, Cluster
from machine import ROOT, wait_until
from small import built, files, text

UNIT = 4_000
SECONDS = 0.5  # that a unit takes at least, so that a worker can be met while it is busy
TABLES = {"unit": {"bytes": UNIT}, "labelers": {"slow": {"seconds": SECONDS}}, "with": ["toy_labelers:Slow"]}


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
    return folder


def start(store: S3, cluster: Cluster, log: Path) -> subprocess.Popen[bytes]:
    """Start the one line that a user types."""
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]}; sys.argv[0] = 'auxloom'; "
        "from pipelines.start import main; main()"
    )
    words = ["build", "s3://bucket/raw/", "--out", "s3://bucket/set", *cluster.options]
    settings = ["--with", TABLES["with"][0], "--set", f"unit.bytes={UNIT}", "--set", f"labelers.slow.seconds={SECONDS}"]
    with log.open("wb") as told:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code, *words, *settings],
            env={**os.environ, **store.environment},
            stdout=told,
            stderr=told,
        )


def marks(out: Path) -> list[Path]:
    """Return the commit marks of units."""
    return sorted(out.glob("stats/*.json"))


def busy(workers: Sequence[int]) -> int:
    """Return the worker that has computed most of all."""
    spent = {}
    for worker in workers:
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        spent[worker] = int(fields[11]) + int(fields[12])
    return max(spent, key=spent.__getitem__)


def test_a_killed_worker_changes_no_byte(
    store: S3, cluster: Cluster, reference: Path, out: Path, tmp_path: Path
) -> None:
    """Two processes had units, the driver none; and its credentials stand in no file, log or message."""
    log = tmp_path / "log"
    driver = start(store, cluster, log)
    try:
        wait_until("the first units", lambda: len(marks(out)) >= 4 or driver.poll() is not None)
        os.kill(busy(cluster.machine.processes(cluster.worker)), signal.SIGKILL)
        assert driver.wait(600) == 0, log.read_text()
    finally:
        driver.kill()
    assert files(out) == files(reference)
    (line,) = (out / "run.jsonl").read_text().splitlines()
    made = {unit["process"] for unit in json.loads(line)["units"]}
    assert len(made) >= 2
    assert driver.pid not in made
    whole = [log, *(path for path in out.rglob("*") if path.is_file())]
    assert [path for path in whole if SECRET.encode() in path.read_bytes()] == []


def test_ctrl_c_ends_the_job(store: S3, cluster: Cluster, reference: Path, out: Path, tmp_path: Path) -> None:
    """One line says how to go on; no further unit begins on the cluster; the same line then ends the build."""
    log = tmp_path / "log"
    driver = start(store, cluster, log)
    wait_until("the first unit", lambda: bool(marks(out)) or driver.poll() is not None)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130, log.read_text()
    lines = [line for line in log.read_text().splitlines() if line.startswith("interrupted")]
    assert lines[0].startswith("interrupted; finished work is kept; continue with: auxloom build s3://bucket/raw/ ")
    seen: list[int] = []

    def settled() -> bool:
        seen.append(len(marks(out)))
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    wait_until("an end of the units that had begun", settled)
    units = len(json.loads((out / "plan.json").read_bytes())["units"])
    assert seen[-1] < units
    assert start(store, cluster, log).wait(600) == 0, log.read_text()
    assert files(out) == files(reference)


def test_a_failure_is_told_in_a_line(store: S3, cluster: Cluster, reference: Path, out: Path, tmp_path: Path) -> None:
    """A worker without credentials of its own cannot be had here, but a folder that is not there can."""
    log = tmp_path / "log"
    more = ["--set", "plan.from=s3://bucket/nothing"]
    missing = Cluster([*cluster.options, *more], cluster.machine, cluster.worker)
    assert start(store, missing, log).wait(120) == 2
    told = [line for line in log.read_text().splitlines() if line.strip()]
    assert told == ["error: [plan] from = 's3://bucket/nothing' has no plan.json; give a finished dataset"]
