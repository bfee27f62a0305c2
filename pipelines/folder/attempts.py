"""Attempts at units: one that kills its worker again and again is given up, so that the others are built.

An engine starts a unit again whose worker was killed. Each worker notes in a folder that it begins a unit, and takes
the note back when it ends in any other way than by being killed: what is left are deaths.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from pipelines.folder.layout import Folder, to_json
from pipelines.folder.lock import Holder
from pipelines.processes import at_end

__all__ = ["MOST_DEATHS", "Attempts", "KilledError"]

MOST_DEATHS = 3
"""Workers that a unit may kill in one run: the memory of a machine may have been short once, for another's sake."""


class KilledError(RuntimeError):
    """A unit whose workers were killed; the message says how often, and what to do."""


@dataclass(frozen=True)
class Attempts:
    """The notes of one run, a file per unit."""

    place: str
    """Path or URI of a folder that all workers see."""
    name: str
    """Of the folder in it."""

    @contextmanager
    def noted(self, unit: int) -> Iterator[None]:
        """Note that this process begins a unit, for as long as the body runs.

        In a store the note of a unit that was finished stays, which saves a request: nobody looks at it again.

        Raises:
            KilledError: the unit has killed too many workers; the body does not run.
        """
        folder, name = Folder.at(self.place), f"{self.name}/{unit:05d}"
        before = _holders(folder, name)
        deaths = len(_dead(before))
        if deaths >= MOST_DEATHS:
            raise KilledError(f"its worker was killed {deaths} times, most likely because it ran out of memory")

        def withdraw() -> None:
            with contextlib.suppress(OSError):
                _write(folder, name, before)

        try:
            with at_end(withdraw):
                _write(folder, name, [*before, Holder.here()])
                yield
        except BaseException:
            withdraw()
            raise
        if not folder.whole:
            folder.remove(name)

    def deaths(self) -> dict[str, int]:
        """Return the attempts that ended with the death of a worker, by their tokens, and the unit of each."""
        folder = Folder.at(self.place)
        found = {
            int(name): _holders(folder, f"{self.name}/{name}") for name in folder.names(self.name) if name.isdecimal()
        }
        return {holder.token: unit for unit, holders in found.items() for holder in _dead(holders)}

    def clear(self) -> None:
        """Remove all notes."""
        Folder.at(self.place).remove_folder(self.name)


def _holders(folder: Folder, name: str) -> list[Holder]:
    """Return who began a unit and did not take it back; a note that cannot be read says of nobody."""
    try:
        return [Holder(**item) for item in json.loads(folder.read_if_there(name) or b"[]")]
    except (ValueError, TypeError):
        return []


def _write(folder: Folder, name: str, holders: Sequence[Holder]) -> None:
    """Write who began a unit."""
    data = to_json([asdict(holder) for holder in holders])
    if not folder.whole:
        folder.write(name, data)
        return
    # in this thread, because an interpreter that ends starts no other; half a note does no harm
    with folder.fs.open_output_stream(folder.full(name)) as file:
        file.write(data)


def _dead(holders: Sequence[Holder]) -> list[Holder]:
    """Return who does not run on this machine: an engine may begin a unit again while an earlier attempt goes on."""
    return [holder for holder in holders if not holder.alive]
