"""What an engine is: how a job is prepared for it, cancelled on it, and what it says when it fails."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.causes import cause_of

__all__ = ["Engine", "EngineError", "Job"]


class EngineError(RuntimeError):
    """An engine that failed; the message is one line with the cause and the file that holds the whole text."""


@dataclass(frozen=True)
class Job:
    """What an engine gets to know about a graph."""

    elements: int
    """How many there are to work on."""
    run: RunTable
    name: str
    """By which it is found again in the engine's own list."""
    say: Callable[[str], None]
    """Called with messages that the user should see at once."""


class Engine(ABC):
    """One kind of engine."""

    addresses: tuple[str, ...] = ()
    """Options that say where a cluster is."""

    def remote(self, run: RunTable) -> bool:  # noqa: ARG002  (for those that say otherwise)
        """Return whether its workers may run on other machines, where folders and libraries are others."""
        return False

    def check(self, run: RunTable) -> None:  # noqa: B027  (not every engine can be asked)
        """Check that the engine answers and knows the options, before anything is read.

        Raises:
            RecipeError: it does not.
        """

    @abstractmethod
    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return Beam's runner and its options, once the engine can take the job.

        Raises:
            RecipeError: options that cannot be used, or an engine that is not there.
        """

    def cancel(self, job: Job, result: Any) -> None:  # noqa: ARG002
        """End a job that was interrupted; units that were not begun stay undone in any case."""
        result.cancel()

    def end(self, run: RunTable, name: str) -> None:  # noqa: B027  (Dask ends the jobs of a client that is gone)
        """End a job that another process started, if it still runs and this engine does not end it by itself.

        Args:
            run: says where the cluster is.
            name: of the job.
        """

    def close(self, result: Any) -> None:
        """Give back what a finished job held."""
        del result

    def said(self, job: Job) -> str:  # noqa: ARG002
        """Return what the engine says of a job that failed, beyond what Beam passed on."""
        return ""

    def cause(self, text: str) -> str:
        """Return the cause of a failure in one line.

        Args:
            text: all that the engine said.
        """
        return cause_of(text)
