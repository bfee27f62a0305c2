"""Starts the other processes of a run on this machine, watches them, and ends them with this one."""

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from os import _exit as leave
from subprocess import DEVNULL, Popen, TimeoutExpired
from types import TracebackType
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from trainer.processes.distributed import KEPT, Distributed
from trainer.processes.process_group import TrainJob

__all__ = ["Launched", "joined"]

_HOST = "127.0.0.1"
_START = "import sys; sys.path[:] = {path!r}; from trainer.processes.child import main; main({given!r})"
_POLL = 0.5  # seconds between two looks at the other processes
_NOTICE = 5.0  # seconds in which a process that ends is known to have ended
_GRACE = 20.0  # seconds after which a process that waits for one that has ended is ended, too
_END = 20.0  # seconds that a process has to end by itself


class Launched(Distributed):
    """The first process of a run, which starts the others when it has written what they read."""

    def __init__(self, world: int, job: TrainJob) -> None:
        """Open the store by which the processes will find each other."""
        names = {name for _, name in socket.if_nameindex()}
        if loop := next((name for name in ("lo", "lo0") if name in names), ""):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loop)  # else gloo asks for this machine by its name
        self._own = TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)
        super().__init__(self._own, 0, world, (0, world))
        self._job = job
        self._children: dict[int, Popen[bytes]] = {}
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the other processes: at once if this one could not go on, else when they are through."""
        try:
            super().__exit__(kind, error, trace)
        finally:
            if self._watcher.is_alive():
                self._watcher.join()
            self._end(_END if error is None else 0)

    def _end(self, patience: float) -> None:
        """End the other processes, by force those that do not end in so many seconds."""
        deadline = time.monotonic() + patience
        for child in self._children.values():
            with suppress(TimeoutExpired):
                child.wait(max(deadline - time.monotonic(), 0))
            child.kill()
            child.wait()

    def disperse(self) -> None:
        """End the exchange."""
        self._over.set()
        super().disperse()

    def _begin(self) -> None:
        """Start the other processes."""
        given = {"job": asdict(self._job), "parent": os.getpid(), "port": self._own.port, "world": self.world}
        environment = {"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ}
        for rank in range(1, self.world):
            code = _START.format(path=sys.path, given=json.dumps(given | {"rank": rank}))
            command = [sys.executable, "-P", "-c", code]
            # in a session of its own no Ctrl-C reaches it: it ends with this process
            nothing = DEVNULL
            self._children[rank] = Popen(
                command, env=environment, stdin=nothing, stdout=nothing, start_new_session=True
            )
        self._watcher.start()

    def _check(self) -> None:
        """Check that none of the others has ended."""
        if self._ended():
            raise ValueError(self._reason())

    def _ended(self) -> dict[int, int]:
        """Return the exit codes of those that have ended before they were through."""
        codes = {rank: child.poll() for rank, child in self._children.items()}
        return {rank: code for rank, code in codes.items() if code}

    def _reason(self) -> str:
        """Say why the first of those that could not go on has ended: the others only miss it."""
        ended = self._ended()
        words = {rank: self.word_of(rank) for rank in ended}
        rank = min(ended, key=lambda rank: (ended[rank] >= 0, not words[rank], rank))
        name = f"process {rank + 1} of {self.world}"
        if words[rank]:
            return f"{name}: {words[rank]}"
        if (code := ended[rank]) >= 0:
            return f"{name} ended with exit code {code}; {KEPT}"
        hint = " (is there enough memory?)" if code == -signal.SIGKILL else ""
        return f"{name} was ended by signal {-code}{hint}; {KEPT}"

    def _loss(self) -> str:
        """Say which process has ended."""
        deadline = time.monotonic() + _NOTICE
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(_POLL / 10)
        return self._reason() if self._ended() else super()._loss()

    def _watch(self) -> None:
        """End this process if it waits for one that has ended, and nothing tells it."""
        since: float | None = None
        while not self._over.wait(_POLL):
            if since is None and self._ended():
                since = time.monotonic()
            if since is not None and time.monotonic() - since > _GRACE:
                sys.stderr.write(f"error: {self._reason()}\n")
                sys.stderr.flush()
                self._end(0)
                leave(2)
                return


def joined(given: dict[str, Any]) -> Distributed:
    """Return the group as a process knows it that `Launched` has started."""
    store = TCPStore(_HOST, given["port"], is_master=False)
    return Distributed(store, given["rank"], given["world"], (given["rank"], given["world"]))
