"""Jobs that a driver left on a cluster when it was killed: noted while they run, and ended by the next build there."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pipelines.folder.layout import TEMPORARY, Folder, to_json
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.lookup import engine_of

__all__ = ["end_left_jobs", "noted", "stop_mark", "within"]

_NOTE = f"{TEMPORARY}job-"
_CANCEL = 5.0  # seconds that an engine has to end a job; the stop mark holds in any case


def stop_mark(job: str) -> str:
    """Return the name of the file that keeps the workers of a job from starting further units."""
    return f"{TEMPORARY}stop-{job}"


@contextmanager
def noted(folder: Folder, run: RunTable, job: str) -> Iterator[Callable[[], None]]:
    """Note in the output folder that a job runs, and where; yields what removes the note, if the body cannot end.

    Only addresses are noted: other options may be secret.
    """
    addresses = engine_of(run.runner).addresses
    beam = {name: value for name, value in run.beam.items() if name in addresses}
    name = f"{_NOTE}{job}.json"
    folder.write(name, to_json({"runner": run.runner, "beam": beam}))

    def remove() -> None:
        with contextlib.suppress(OSError):
            folder.remove(name)

    try:
        yield remove
    finally:
        remove()


def end_left_jobs(folder: Folder, say: Callable[[str], None] | None) -> None:
    """End the jobs that are noted in an output folder; its lock is held, so that nobody waits for them.

    Their workers start no further units; a unit that they are at may be made twice, with the same bytes.
    """
    for note in (name for name in folder.names() if name.startswith(_NOTE)):
        job = note.removeprefix(_NOTE).removesuffix(".json")
        folder.write(stop_mark(job), b"")
        with contextlib.suppress(ValueError, TypeError, KeyError):  # a note that is damaged
            run = RunTable(**json.loads(folder.read_if_there(note) or b""))
            if say:
                say(f"ending job {job} on {run.runner}, which a build that was killed left running")
            within(_CANCEL, partial(engine_of(run.runner).end, run, job))
        folder.remove(note)


def within(seconds: float, act: Callable[[], Any]) -> None:
    """Do something that may take too long, or fail."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            act()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(seconds)
