"""A graph on a cluster, as the driver sees it: Ctrl-C ends it there, too, and pages of text become one line."""

import contextlib
import logging
import secrets
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.folder.layout import Folder
from pipelines.interrupt import at_interrupt
from pipelines.plans.plan import installed_versions
from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.engine import Engine, EngineError, Job
from pipelines.runners.left_jobs import noted, stop_mark, within
from pipelines.runners.on_worker import Ending, OnWorker, OnWorkerEnd, Work

__all__ = ["new_job", "run_remote"]

_CANCEL = 5.0  # seconds that an engine has to end a job after Ctrl-C; the stop mark holds in any case


def new_job(elements: int, run: RunTable, say: Callable[[str], None] | None) -> Job:
    """Return a job with a name of its own."""
    return Job(elements, run, f"auxloom-{secrets.token_hex(4)}", say or _to_nobody)


def _to_nobody(text: str) -> None:
    """Tell nothing."""


def run_remote(  # noqa: PLR0917  (as `pipelines.graph.run_graph`)
    engine: Engine,
    job: Job,
    work: Work,
    merge: Callable[[Iterable[Any]], Any],
    finish: Ending,
    start: Callable[..., Any],
) -> None:
    """Run a graph to its end; Ctrl-C ends it on the cluster, too.

    Args:
        engine: where it runs.
        job: what the engine gets to know about it.
        work: as in `pipelines.graph.run_graph`.
        merge: the same.
        finish: the same.
        start: starts the graph, given runner, options, work and finish, and returns Beam's result.

    Raises:
        RecipeError: an engine that is not there, or options that it does not know.
        EngineError: it failed.
    """
    folder, mark, running = Folder.at(finish.out), stop_mark(job.name), list[Any]()

    def stop() -> None:
        with contextlib.suppress(OSError):
            folder.write(mark, b"")
        if running:
            within(_CANCEL, lambda: engine.cancel(job, running[0]))
        remove_note()

    log = Path(tempfile.gettempdir()) / f"{job.name}.log"
    with _told_to(log), noted(folder, job.run, job.name) as remove_note:
        try:
            runner, options = engine.prepare(job)
            with at_interrupt(stop):
                worker = OnWorker(work, merge, finish.out, mark, installed_versions())
                running.append(start(runner, options, worker, OnWorkerEnd(finish, mark)))
                running[0].wait_until_finish()
            engine.close(running[0])
        except RecipeError:
            log.unlink(missing_ok=True)
            raise
        except Exception as error:
            raise _failed(engine, job, log, error) from error
    log.unlink(missing_ok=True)


def _failed(engine: Engine, job: Job, log: Path, error: Exception) -> EngineError:
    """Return what a user sees of a failure, a line with its cause, and write down all of it."""
    said = _said(engine, job)
    with log.open("a", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
        file.write(said)
    cause = engine.cause(f"{_text(error)}\n{said}")
    return EngineError(f"{cause}; full output: {log}")


def _said(engine: Engine, job: Job) -> str:
    """Return what an engine says of a job, if it can be asked."""
    with contextlib.suppress(Exception):
        return engine.said(job)
    return ""


def _text(error: Exception) -> str:
    """Return what an engine said; of a connection that broke, why."""
    details = getattr(error, "details", None)
    if callable(details):
        return f"the connection to the job server broke: {details()}"
    return str(error).strip() or type(error).__name__


@contextmanager
def _told_to(log: Path) -> Iterator[None]:
    """Send what libraries log to a file, which is made with the first line."""
    handler = logging.FileHandler(log, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root, kept = logging.getLogger(), list[logging.Handler]()
    kept[:], root.handlers = root.handlers, [handler]
    try:
        yield
    finally:
        root.handlers = kept
        handler.close()
