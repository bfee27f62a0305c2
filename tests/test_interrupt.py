"""Ctrl-C at any moment: one line that says how to go on, exit code 130, no process left, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small import built, files, text, write

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

ROOT = Path(__file__).parents[1]
UNIT = {"bytes": 4_000}
LABELER = "toy_labelers:Slow"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text of some twelve units."""
    return write(tmp_path_factory.mktemp("source"), text(300))


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that was built in one go."""
    out = tmp_path_factory.mktemp("reference") / "out"
    assert built(source, out, unit=UNIT, **{"with": [LABELER]}).exit_code == 0
    return out


def start(mark: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start `auxloom` as a shell does, in a process group of its own; a file appears when it answers Ctrl-C."""
    code = (
        "import pathlib, signal, sys\n"
        "from pipelines.start import main\n"
        "sys.argv[0], whole = 'auxloom', signal.signal\n"
        "def told(*given):\n"
        "    whole(*given)\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n"
        "signal.signal = told\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait(until: Callable[[], bool]) -> None:
    """Wait for something that comes about."""
    deadline = time.monotonic() + 120
    while not until():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def is_over(process: subprocess.Popen[str]) -> bool:
    """Return whether nothing is left of a process and all that it started."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "while libraries load": lambda out: True,
    "while the plan is made": lambda out: out.exists(),
    "before the first unit is done": lambda out: (out / "plan.json").exists(),
    "after the first unit": lambda out: any(out.glob("stats/*.json")),
    "after half of the units": lambda out: len(list(out.glob("stats/*.json"))) >= 6,
}


@pytest.mark.parametrize(("moment", "workers"), [*zip(MOMENTS, (2, 2, 2, 2, 1), strict=True)])
def test_a_build_is_interrupted_with_one_line(
    source: Path, reference: Path, tmp_path: Path, moment: str, workers: int
) -> None:
    """All processes of the command get the signal, as from a terminal; the same command then ends the build."""
    out = tmp_path / "out"
    given = ["build", source, "--out", out, "--with", LABELER, "--workers", workers, "--set", "unit.bytes=4000"]
    process = start(tmp_path / "ready", *given)
    wait((tmp_path / "ready").exists)
    wait(lambda: MOMENTS[moment](out))
    os.killpg(process.pid, signal.SIGINT)
    printed, told = process.communicate()
    assert process.returncode == 130, told
    assert printed == ""
    lines = [line for line in told.splitlines() if not line.startswith("build: ")]  # progress
    assert len(lines) == 1, told
    assert lines[0].startswith("interrupted")
    if moment != "while libraries load":
        assert lines[0] == f"interrupted; finished work is kept; continue with: auxloom {' '.join(map(str, given))}"
    wait(lambda: is_over(process))
    assert built(source, out, unit=UNIT, **{"with": [LABELER]}).exit_code == 0
    assert files(out) == files(reference)
