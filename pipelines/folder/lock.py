"""One build at a time in a folder: a lock that says who holds it, and that a build which was killed does not keep."""

import contextlib
import errno
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.folder.layout import LOCK, TEMPORARY, Folder, to_json
from pipelines.interrupt import at_interrupt
from pipelines.recipes.recipe import RecipeError

__all__ = ["Holder", "Say", "locked"]

_BEAT = 60.0  # seconds between two signs of life
_SILENCE = 600.0  # seconds without one after which a holder elsewhere counts as dead
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

_left: set[str] = set()
"""Tokens of locks that this process held once: in a store that fails, they cannot be removed."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    host: str
    """Name of the machine, and of the container if its processes have numbers of their own."""
    process: int
    born: str
    """When the process started, because process ids are reused; empty where the system does not report it."""
    since: float
    token: str
    """Distinguishes one lock from another."""

    @classmethod
    def here(cls) -> "Holder":
        """Return this process."""
        return cls(_host(), os.getpid(), _born(os.getpid()), time.time(), secrets.token_hex(8))

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended: a process of this machine that is gone, or a build of this one."""
        return self.token in _left or (self.host == _host() and _born(self.process) != self.born)

    @property
    def alive(self) -> bool:
        """Whether it is known to run: it is a process of this machine."""
        return self.host == _host() and _born(self.process) == self.born != ""

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.process} on {self.host.partition(' ')[0]} since {since}"


@contextmanager
def locked(folder: Folder, say: Say | None = None) -> Iterator[None]:
    """Hold the lock of an output folder while the body runs; where nothing can be written, none is needed.

    In an object store the lock is advice: two builds that start in the same moment may both get it.

    Args:
        folder: where to build.
        say: called when the lock of a build that was killed is taken over.

    Raises:
        RecipeError: another build holds it.
    """
    own = Holder.here()
    try:
        folder.make()
        _take(folder, own, say)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        yield
        return
    stop = threading.Event()
    beating = threading.Thread(target=_beat, args=(folder, own, stop), daemon=True)
    beating.start()
    try:
        with at_interrupt(lambda: _leave(folder, own)):
            yield
    finally:
        stop.set()
        beating.join()
        _left.add(own.token)
        _leave(folder, own)


def _leave(folder: Folder, own: Holder) -> None:
    """Remove the lock, unless it was taken over."""
    if _holder(folder) == own:
        folder.remove(LOCK)


def _take(folder: Folder, own: Holder, say: Say | None) -> None:
    """Make the lock, or take over that of a holder who is gone."""
    data = to_json(asdict(own))
    if not folder.local:
        _judge(folder, say)
        folder.write(LOCK, data)
        return
    path = Path(folder.full(LOCK))
    while _holder(folder) != own:
        with contextlib.suppress(FileExistsError):
            _create(path, data, own.token)
            continue
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as old, _alone(old):
            _judge(folder, say)
            old.truncate()
            old.write(data)


def _create(path: Path, data: bytes, token: str) -> None:
    """Make the lock with all that it says at once: Ctrl-C in between would leave an empty one.

    Raises:
        FileExistsError: there is one.
    """
    whole = path.with_name(f"{TEMPORARY}lock-{token}")
    whole.write_bytes(data)
    try:
        os.link(whole, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("xb") as new:
            new.write(data)
    finally:
        whole.unlink()


def _judge(folder: Folder, say: Say | None) -> None:
    """Return if the lock may be taken over, and say so.

    Raises:
        RecipeError: its holder lives.
    """
    info = folder.fs.get_file_info(folder.full(LOCK))
    if not info.is_file:
        return
    holder = _holder(folder)
    silent = time.time() - info.mtime.timestamp() if info.mtime else 0.0
    if holder is None:
        name, gone = "an unknown process", silent > _SILENCE
    else:
        name, gone = str(holder), holder.dead or (holder.host != _host() and silent > _SILENCE)
    if not gone:
        removed = "" if holder else f"; if no build is running there, remove its file {LOCK}"
        raise RecipeError(
            f"{folder.path} is being built by {name}; wait until it has finished, or give another --out{removed}"
        )
    if say:
        say(f"continuing {folder.path}, which {name} left unfinished")


@contextmanager
def _alone(file: Any) -> Iterator[None]:
    """Let nobody else on this machine take over the same lock at the same time."""
    try:
        import fcntl
    except ImportError:  # Windows has none
        yield
        return
    with contextlib.suppress(OSError):  # nor has every network file system
        fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _holder(folder: Folder) -> Holder | None:
    """Return who holds the lock, None where there is none or it does not say."""
    try:
        return Holder(**json.loads(folder.read(LOCK)))
    except (OSError, ValueError, TypeError):
        return None


def _beat(folder: Folder, own: Holder, stop: threading.Event) -> None:
    """Touch the lock now and then."""
    while not stop.wait(_BEAT):
        with contextlib.suppress(OSError):
            if _holder(folder) != own:
                return
            if folder.local:
                os.utime(folder.full(LOCK))
            else:
                folder.write(LOCK, to_json(asdict(own)))


def _host() -> str:
    """Return the name of this machine, with that of the space in which its process numbers count."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _born(process: int) -> str:
    """Return when a process of this machine started, and since which start of the machine; empty if there is none."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _born_elsewhere(process)
    return "" if state in "ZX" else f"{boot} {fields[18]}"


def _born_elsewhere(process: int) -> str:
    """Return whether there is a process, on systems that do not report when it started."""
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
