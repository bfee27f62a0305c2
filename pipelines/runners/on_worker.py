"""What a worker of a cluster checks before it works: the stop mark, what it sees, and its versions."""

import contextlib
import posixpath
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow.fs as pafs

from labelers.stores.uri import apart
from pipelines.folder.layout import LOCK, Folder
from pipelines.plans.plan import installed_versions
from pipelines.runners.causes import first_line

__all__ = ["Ending", "OnWorker", "OnWorkerEnd", "Work"]

_seen: set[str] = set()  # folders of input of which this process has seen a file


class Work(Protocol):
    """What is done with an element."""

    def __call__(self, element: Any) -> Any:
        """Return the result."""

    def places(self, element: Any) -> Iterable[str]:
        """Return paths and URIs of what is read for an element."""

    def refused(self, element: Any, why: str) -> Any:
        """Return the result of an element that this host cannot work on; it is not tried again."""


class Ending(Protocol):
    """Takes what is left of a graph; it writes it to a folder that all workers see."""

    @property
    def out(self) -> str:
        """Return path or URI of the folder."""

    def __call__(self, value: Any) -> None:
        """Write the value."""


@dataclass(frozen=True)
class OnWorker:
    """Works on an element where there is no stop mark, and this host sees and has what the work needs.

    Not every engine ends a job that was cancelled at once: the stop mark does.
    """

    work: Work
    merge: Callable[[Iterable[Any]], Any]
    out: str
    mark: str
    """Name of the stop mark."""
    versions: Mapping[str, str]
    """Of Python and libraries where the plan was made."""

    def __call__(self, element: Any) -> Any:
        """Return the result, that of no element, or why there is none."""
        if _stopped(self.out, self.mark):
            return self.merge([])
        why = next(self._problems(element), "")
        return self.work.refused(element, why) if why else self.work(element)

    def _problems(self, element: Any) -> Iterator[str]:
        """Yield why this host cannot work on an element."""
        yield from _unseen(self.out, LOCK)
        yield from _unlike(self.versions)
        for place in self.work.places(element):
            parent = posixpath.dirname(apart(place)[0])
            if parent not in _seen:
                yield from _unseen(place)
                _seen.add(parent)


@dataclass(frozen=True)
class OnWorkerEnd:
    """Ends a graph on a host that sees the output folder; on another, what it writes would be lost."""

    finish: Ending
    mark: str

    def __call__(self, value: Any) -> None:
        """Write the value.

        Raises:
            OSError: this host does not see the folder.
        """
        for problem in () if _stopped(self.finish.out, self.mark) else _unseen(self.finish.out, LOCK):
            raise OSError(problem)
        self.finish(value)


def _stopped(out: str, mark: str) -> bool:
    """Return whether there is a stop mark."""
    with contextlib.suppress(OSError):  # reported where the folder is looked for
        return Folder.at(out).is_file(mark)
    return False


def _unseen(place: str, name: str = "") -> Iterator[str]:
    """Yield what is wrong with a file or folder, as this host sees it."""
    host = socket.gethostname()
    try:
        if Folder.at(place).kind(name) == pafs.FileType.NotFound:
            yield f"{host} cannot find {place}; give a URI, or a path that is the same folder on all machines"
    except OSError as error:
        yield f"{host} cannot read {place}: {first_line(error)}; workers take credentials from their own environment"


def _unlike(versions: Mapping[str, str]) -> Iterator[str]:
    """Yield which libraries have other versions on this host."""
    here = installed_versions()
    other = [
        f"{name} {here.get(name) or '(none)'} instead of {version or '(none)'}"
        for name, version in versions.items()
        if here.get(name) != version
    ]
    if other:
        yield f"{socket.gethostname()} has {', '.join(other)}; install the versions of the driver on all workers"
