"""The processes of a run as one of them knows them; this module knows of a single one, and needs no torch.distributed.

What a run does alike in all processes, it does without asking. What concerns the others goes through the methods of
`Group`: they are called in all processes, in the same order.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from trainer.data.batch import Batch, Share
from trainer.device import autocast, prepared
from trainer.model.model import Model
from trainer.settings import Settings

__all__ = ["Group", "StepLosses"]

_T = TypeVar("_T")


class StepLosses(nn.Module):
    """A model with its losses behind it: what is exchanged between processes follows from one call of one module."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the summed loss of each task in a batch; the model computes in the precision of the run."""
        with autocast(self.model.settings, next(self.model.parameters()).device):
            scores = self.model(batch)
        return self.model.losses(batch, scores)


class Group:
    """A process that trains alone: the first one and the last one."""

    rank = 0
    """Number of this process, from 0; the first one writes, and speaks to the user."""
    world = 1
    """How many processes there are."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was started."""

    @property
    def leads(self) -> bool:
        """Tell whether this is the process that writes."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """Which rows of a step this process takes."""
        return Share(self.rank, self.world)

    def prepared(self, settings: Settings) -> torch.device:
        """Set torch up for a run and return the device of this process.

        Raises:
            ValueError: there is no such device, two processes would share a GPU, or there are more than rows.
        """
        return prepared(settings)

    def wait(self) -> bool:
        """Wait until the first process has written what this one reads; tell whether there is something to do."""
        return True

    def over(self) -> None:
        """Tell the others that there is nothing to do."""

    def meet(self, _facts: Callable[[], Mapping[str, str]], /) -> None:
        """Wait until all processes are there, and check that they have the same facts.

        The first process calls it when all that the others read is written.

        Raises:
            ValueError: they differ, or one of them has ended.
        """

    def adopt(self, _model: Model, /) -> None:
        """Give all processes the weights of the first one."""

    def join(self, model: Model) -> None:
        """Exchange the gradients of a model from now on, of those parameters that are trained now."""
        self._losses: nn.Module = StepLosses(model)

    def losses(self, batch: Batch, *, last: bool) -> dict[str, Tensor]:  # noqa: ARG002  (gradients are not exchanged)
        """Return the summed loss of each task in a batch.

        Args:
            batch: the share of this process.
            last: of the parts of a step; behind it the gradients of all parts are exchanged: their mean over all
                processes stands in each of them.
        """
        found: dict[str, Tensor] = self._losses(batch)
        return found

    def summed(
        self, sums: Mapping[str, tuple[float, int]], pieces: int, _tasks: Sequence[str], /
    ) -> tuple[dict[str, tuple[float, int]], int]:
        """Return what a step came to in all processes.

        Args:
            sums: the loss and the number of labels of each task.
            pieces: sub-words that were read.
            _tasks: those of the whole step.
        """
        return dict(sums), pieces

    def part(self, items: Sequence[_T]) -> Sequence[_T]:
        """Return what this process does of some work."""
        return items[self.rank :: self.world]

    def gathered(self, items: list[_T]) -> list[_T]:
        """Return what all processes made, in the first one; in the others nothing."""
        return items

    def agreed(self, value: float) -> float:
        """Return the number that the first process has."""
        return value

    def disperse(self) -> None:
        """End the exchange: from now on each process goes on by itself."""

    def facts(self) -> dict[str, Any]:
        """Return what a report says of the processes."""
        return {}
