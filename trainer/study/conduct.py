"""The runs of a study, one after the other or in several processes; what has ended is never done again."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.files import remove
from trainer.study.carry_out import TrialRun, carry_out, is_trained
from trainer.study.results import Results
from trainer.study.trials import Trial

__all__ = ["StudyFolder", "conduct", "needed"]

_POLL = 1.0  # seconds between two looks at whether the parent still runs

Tell = Callable[[float, float, str], None]
"""Called with the runs that ended, all runs to be done, and a note."""


@dataclass(frozen=True)
class StudyFolder:
    """Where a study lies.

    - ``dataset-SEED``: what is built; ``results.jsonl``: what ended
    - ``runs``, ``cache``: what is being trained, and encoded data; both go when all has ended
    """

    path: Path

    @property
    def results(self) -> Path:
        """A line for each run that ended."""
        return self.path / "results.jsonl"

    @property
    def runs(self) -> Path:
        """Folders of runs by their digests."""
        return self.path / "runs"

    @property
    def cache(self) -> Path:
        """Encoded data."""
        return self.path / "cache"

    def dataset(self, seed: int) -> Path:
        """Return where the dataset of a build seed lies."""
        return self.path / f"dataset-{seed}"


def needed(trials: Sequence[Trial], results: Results, runs: Path) -> list[Trial]:
    """Return the runs that are left, each behind the one that it begins with.

    A first part is done again where its checkpoint is gone and a run that begins with it is left.
    """
    left = [item for item in trials if not item.pretraining and item.digest not in results.lines]
    firsts = {item.first.digest for item in left if item.first and not is_trained(runs / item.first.digest)}
    wanted = firsts | {item.digest for item in left}
    return [item for item in trials if item.digest in wanted]


@dataclass
class _Queue:
    """Which runs may begin: those whose first part is there."""

    left: list[Trial]
    runs: Path
    failed: dict[str, str] = field(default_factory=dict)
    """Digest -> why."""
    busy: dict["Future[dict[str, Any]]", Trial] = field(default_factory=dict)

    def next(self) -> Trial | None:
        """Take the first run that may begin; those whose first part failed have failed."""
        for trial in list(self.left):
            if trial.first and trial.first.digest in self.failed:
                self.failed[trial.digest] = self.failed[trial.first.digest]
                self.left.remove(trial)
            elif not trial.first or is_trained(self.runs / trial.first.digest):
                self.left.remove(trial)
                return trial
        return None

    def serves(self, first: Trial) -> bool:
        """Tell whether a first part is still begun with, or was by a run that failed."""
        waiting = [*self.left, *self.busy.values()]
        return any(item.first and item.first.digest == first.digest for item in waiting)


def conduct(
    trials: Sequence[Trial],
    results: Results,
    place: StudyFolder,
    datasets: Sequence[Path],
    *,
    primary: str,
    group: str = "",
    jobs: int = 1,
    keep: bool = False,
    tell: Tell | None = None,
    watch: Callable[[Callable[[], None]], None] | None = None,
) -> dict[str, str]:
    """Carry out all runs that have not ended, and return why some failed, by their digests.

    Args:
        trials: all runs of the study.
        results: what ended before; grows.
        place: the folder of the study.
        datasets: the dataset of each build seed.
        primary: name of the task.
        group: see `trainer.study.design.Design.group`.
        jobs: processes.
        keep: leave checkpoints and encoded data where they are.
        tell: called when a run has finished.
        watch: is given what ends the processes at once.
    """
    queue = _Queue(needed(trials, results, place.runs), place.runs)
    total, done = len(queue.left), 0
    if tell:
        tell(done, total, "")
    with _cache_in(place.cache), _executor(min(jobs, max(total, 1)), watch) as executor:
        while queue.left or queue.busy:
            _start(queue, executor, jobs, lambda item: TrialRun(item, datasets[item.build], place.runs, primary, group))
            for future in wait(queue.busy, return_when=FIRST_COMPLETED).done:
                trial = queue.busy.pop(future)
                _take(future, trial, results, queue)
                done = total - len(queue.left) - len(queue.busy)
                if tell:
                    tell(done, total, trial.description)
                if not keep:
                    _clear(trial, queue, place.runs)
    if not keep and not queue.failed:
        remove(place.runs)
        remove(place.cache)
    return queue.failed


def _start(queue: _Queue, executor: Executor, jobs: int, job_of: Callable[[Trial], TrialRun]) -> None:
    """Start as many runs as there are free processes."""
    while len(queue.busy) < jobs and (trial := queue.next()):
        try:
            queue.busy[executor.submit(carry_out, job_of(trial))] = trial
        except BrokenExecutor as error:  # a process was killed, and no other begins
            queue.failed[trial.digest] = str(error)


def _take(future: "Future[dict[str, Any]]", trial: Trial, results: Results, queue: _Queue) -> None:
    """Note what a run came to."""
    try:
        results.append(future.result())
    except Exception as error:  # noqa: BLE001  (one run of many: the others go on, and the table reports it)
        queue.failed[trial.digest] = str(error) or type(error).__name__


def _clear(trial: Trial, queue: _Queue, runs: Path) -> None:
    """Remove the checkpoints of a run that ended, and those of its first part where no other run needs it."""
    if not trial.pretraining and trial.digest not in queue.failed:
        remove(runs / trial.digest)
    if trial.first and not queue.serves(trial.first) and trial.digest not in queue.failed:
        remove(runs / trial.first.digest)


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Keep encoded data in a folder, in this process and those that it starts."""
    before = os.environ.get("AUXLOOM_CACHE")
    os.environ["AUXLOOM_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["AUXLOOM_CACHE"]
        else:
            os.environ["AUXLOOM_CACHE"] = before


class _Here(Executor):
    """Calls what is submitted at once."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Call a function, and return its result as that of a future."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001  (as any executor)
            future.set_exception(error)
        return future


def _executor(jobs: int, watch: Callable[[Callable[[], None]], None] | None) -> Executor:
    """Return what carries out jobs: this process, or several new ones."""
    if jobs == 1:
        return _Here()
    pool = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
    )

    def end() -> None:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001  (no public way ends them at once)
            process.kill()

    if watch:
        watch(end)
    return pool


def _begin(parent: int) -> None:
    """End this process when the one that started it is gone; that one answers Ctrl-C for both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
