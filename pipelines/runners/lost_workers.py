"""Workers that are killed in the middle of a unit: where that is noted, and how Beam's own runner goes on after it."""

import contextlib
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from pipelines.folder.attempts import Attempts
from pipelines.folder.layout import Folder
from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.beam_options import import_beam
from pipelines.runners.lookup import is_remote

__all__ = ["noted_attempts", "run_again"]

_LOCAL = "local"
_THREADS = {"beam_control_read", "read_grpc_client_inputs", "run_worker"}  # of Beam, which wait for a worker


@contextmanager
def noted_attempts(out: str, run: RunTable, name: str) -> Iterator[Attempts | None]:
    """Yield where the workers of a run note their attempts at units; None where the only worker is this process.

    Args:
        out: path or URI of the output folder.
        run: how units are made.
        name: of the folder, under the output folder or, if it is in a store and all workers are here, on this machine.
    """
    if run.runner == _LOCAL and run.workers == 1:
        yield None
        return
    shared = Folder.at(out).local or is_remote(run)
    with nullcontext(out) if shared else tempfile.TemporaryDirectory(prefix="auxloom-") as place:
        attempts = Attempts(place, name)
        try:
            yield attempts
        finally:
            with contextlib.suppress(OSError):
                attempts.clear()


def run_again(
    graph: Callable[[], None], run: RunTable, attempts: Attempts | None, say: Callable[[str], None] | None
) -> None:
    """Run a graph; if it fails because a worker was killed, run it again, as the engine of a cluster does by itself.

    What is done is found done. It ends, because a unit is given up that killed too many workers.

    Args:
        graph: runs it once.
        run: how.
        attempts: where workers note what they begin.
        say: called with a message about each worker that was killed.
    """
    known = set[str]()
    while True:
        try:
            with _hushed() if attempts and run.runner == _LOCAL else nullcontext():
                graph()
        except RecipeError:
            raise
        except Exception:
            killed = attempts.deaths() if attempts and run.runner == _LOCAL else {}
            new = sorted({unit for token, unit in killed.items() if token not in known})
            if not new:
                raise
            known |= killed.keys()
            if say:
                say(f"a worker was killed while it built unit {', '.join(map(str, new))}; starting new workers")
        else:
            return


@contextmanager
def _hushed() -> Iterator[None]:
    """Drop the pages that Beam's runner writes about the connection to a worker that was killed; it raises, too."""
    import_beam()  # which sets the level
    told, logger = threading.excepthook, logging.getLogger("apache_beam")
    level = logger.level

    def tell(failed: threading.ExceptHookArgs) -> None:
        if failed.thread is None or failed.thread.name not in _THREADS:
            told(failed)

    threading.excepthook = tell
    if level == logging.ERROR:  # as `import_beam` leaves it
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        threading.excepthook = told
        logger.setLevel(level)
