"""Commands as a user types them, with the credentials of the object store in their environment."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from engines import S3, Cluster
from machine import ROOT

__all__ = ["Commands", "auxloom"]

_LONGEST = 300.0  # seconds that a command may take on a busy machine
_CODE = (
    f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]}; sys.argv[0] = 'auxloom'; "
    "from pipelines.start import main; main()"
)


def auxloom(*words: str) -> list[str]:
    """Return the command line of a command."""
    return [sys.executable, "-P", "-c", _CODE, *words]


class Commands:
    """Commands that run units on a cluster, each beside the others.

    Args:
        store: from and to which they read and write.
        cluster: on which units are made.
        log: what the last of them printed.
    """

    def __init__(self, store: S3, cluster: Cluster, log: Path) -> None:
        self._environment, self._options, self._log = {**os.environ, **store.environment}, cluster.options, log
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def said(self) -> str:
        """What the last of them has printed so far."""
        return self._log.read_text()

    def start(self, words: Iterable[str]) -> subprocess.Popen[bytes]:
        """Start a command."""
        command = auxloom(*words, *self._options)
        with self._log.open("wb") as log:
            self._started.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))
        return self._started[-1]

    def finish(self, words: Iterable[str] = ()) -> int:
        """Return the exit status of a command, or of the last one started."""
        if words:
            self.start(words)
        return self._started[-1].wait(_LONGEST)

    def end(self) -> None:
        """End all that still run."""
        for command in self._started:
            command.kill()
            command.wait()
