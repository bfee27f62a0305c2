"""Programs of an engine on this machine: started on free ports of loopback, waited for, and stopped again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Machine", "MissingError", "ask", "free_port", "jars", "unpacked", "wait_until"]

ROOT = Path(__file__).parents[2]
_SIGN = "AUXLOOM_TESTS_MACHINE"  # in the environment of all that such a program starts
_READY = 180.0  # seconds that a program has to get ready on a busy machine


class MissingError(Exception):
    """Something that an engine needs is not there; the message says what, and how it is had."""


class Machine:
    """The programs that were started, and their logs.

    Args:
        folder: of logs and scratch files.
        environment: of all programs, beside that of this process.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, _SIGN: str(folder)}
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *command: object) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own, in a folder of its own; its words go to a log."""
        own = self.folder / name
        own.mkdir(parents=True)
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*map(str, command)],
                cwd=own,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def processes(self, words: str = "") -> dict[int, int]:
        """Return the processes of these programs whose command line has some words, with the parent of each."""
        sign, found = f"{_SIGN}={self.folder}\0".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                if sign in (place / "environ").read_bytes() and words.encode() in (place / "cmdline").read_bytes():
                    state, parent, *_ = (place / "stat").read_text().rpartition(")")[2].split()
                    if state != "Z":
                        found[int(place.name)] = int(parent)
        return found

    def orphans(self) -> list[int]:
        """Return processes that none of these programs has any more."""
        running = self.processes()
        known = {process.pid for process in self._running} | {os.getpid()}
        return sorted(process for process, parent in running.items() if process not in known and parent not in running)

    def stop(self) -> None:
        """Stop all programs, the last one first, with all that they started."""
        for process in reversed(self._running):
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(5)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        self._running.clear()

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until a program is ready, which an open port alone does not tell."""
        try:
            wait_until(what, ready, lambda: all(process.poll() is None for process in self._running))
        except TimeoutError as error:
            logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
            raise TimeoutError(f"{error}\n{logs}") from None


def wait_until(what: str, ready: Callable[[], bool], alive: Callable[[], bool] = lambda: True) -> None:
    """Wait for something that comes about.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + _READY
    while not ready():
        if time.monotonic() > deadline or not alive():
            raise TimeoutError(f"{what} did not come about")
        time.sleep(0.1)


def free_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(url: str) -> Any:
    """Return the JSON that a program answers; None where it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (http, of loopback)
            return json.load(answer)
    except (OSError, ValueError):
        return None


def jars(*names: str) -> str:
    """Return a class path of folders in AUXLOOM_JARS.

    Raises:
        MissingError: they are not there.
    """
    place = os.environ.get("AUXLOOM_JARS", "")
    folders = [Path(place).resolve() / name for name in names]
    missing = [folder.name for folder in folders if not any(folder.glob("*.jar"))]
    if not place or missing:
        raise MissingError(f"set AUXLOOM_JARS to a folder with the jars of {', '.join(names)} (docs/cluster.md)")
    return ":".join(f"{folder}/*" for folder in folders)


def unpacked(project: str, version: str) -> Path:
    """Return the folder of jars that a source package on PyPI brings, downloaded and unpacked once.

    Raises:
        MissingError: it cannot be had.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auxloom-engines"
    folder = cache / f"{project}-{version}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command = [*pip, "--no-build-isolation", "--dest", cache, f"{project}=={version}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        archive = cache / f"{folder.name}.tar.gz"
        if not archive.exists():
            raise MissingError(f"{project} {version} cannot be downloaded: {done.stderr.strip()[-300:]}")
        with tarfile.open(archive) as file:
            file.extractall(cache / f".{folder.name}", filter="data")
        (cache / f".{folder.name}" / folder.name).rename(folder)
        archive.unlink()
    return folder / "deps"
