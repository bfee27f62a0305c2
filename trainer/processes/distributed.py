"""A group of several processes, by torch.distributed: nccl between GPUs, gloo between CPUs."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store

from trainer.data.batch import Batch
from trainer.model.model import Model
from trainer.processes.group import Group, StepLosses
from trainer.settings import Settings

__all__ = ["KEPT", "Distributed", "is_loss"]

KEPT = "the last checkpoint is kept, continue with --resume"

_T = TypeVar("_T")

_POLL = 0.05  # seconds between two looks at what the others say
_TIMEOUT = timedelta(minutes=10)
"""Of an exchange. What takes longer (encoding, baselines) lies before the first and behind the last one."""

_READY, _HERE, _GO, _WRONG = "auxloom/ready", "auxloom/here", "auxloom/go", "auxloom/error"


def is_loss(error: Exception) -> bool:
    """Tell whether an error says that another process is gone."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


class Distributed(Group):
    """One of several processes, which find each other by a store of keys that the first one knows.

    Until all of them have met they only look at the store, so that nothing runs out of time while the first process
    encodes the dataset.
    """

    def __init__(self, store: Store, rank: int, world: int, local: tuple[int, int]) -> None:
        """Be one of the processes.

        Args:
            store: all of them know it.
            rank: number of this one.
            world: how many there are.
            local: its number among those of this machine, and how many these are.
        """
        self.rank, self.world, self._store, self._local = rank, world, store, local
        self._met = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the exchange.

        Raises:
            ValueError: the error says that another process is gone.
        """
        gone = self._loss() if isinstance(error, Exception) and is_loss(error) else ""
        self.disperse()
        if gone:
            raise ValueError(gone) from None

    def _loss(self) -> str:
        """Say that another process is gone."""
        return f"one of {self.world} processes has ended; {KEPT}"

    def prepared(self, settings: Settings) -> torch.device:
        """Set torch up for a run and return the device of this process, of GPUs one of its own."""
        if self.world > settings.rows:
            raise ValueError(
                f"{self.world} processes share the rows of each step, and there are rows = {settings.rows}; start "
                "fewer, or raise rows"
            )
        device = super().prepared(settings)
        if not settings.threads and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max((os.cpu_count() or 1) // self._local[1], 1))
        if device.type != "cuda":
            return device
        number, count = self._local
        if (known := torch.cuda.device_count()) < count:
            raise ValueError(
                f"{count} processes on a machine with {known} GPU{'s' * (known != 1)}: two of them would share one, "
                "which nccl refuses, and which trains no faster; start as many as there are GPUs, or set device = 'cpu'"
            )
        torch.cuda.set_device(number)
        return torch.device("cuda", number)

    def wait(self) -> bool:
        """Wait until the first process has written what this one reads; tell whether there is something to do."""
        return self._answer(_READY) != "over"

    def over(self) -> None:
        """Tell the others that there is nothing to do."""
        self._store.set(_READY, "over")

    def meet(self, facts: Callable[[], Mapping[str, str]], /) -> None:
        """Wait for all processes, compare their facts, and begin the exchange."""
        known = facts()
        if self.leads:
            self._store.set(_READY, "ready")
            self._begin()
            self._store.set(_GO, self._difference(known))
        else:
            self._store.set(f"{_HERE}/{self.rank}", json.dumps(known))
        if wrong := self._answer(_GO):
            raise ValueError(wrong)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store = PrefixStore("auxloom/group", self._store)
        dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.world, timeout=_TIMEOUT)
        self._met = True

    def _begin(self) -> None:
        """Do what is to be done before the others can be waited for."""

    def _check(self) -> None:
        """Check that the other processes can still be waited for.

        Raises:
            ValueError: one of them has ended.
        """

    def _answer(self, key: str) -> str:
        """Wait for what stands under a key in the store, and return it."""
        while not self._store.check([key]):
            self._check()
            time.sleep(_POLL)
        return bytes(self._store.get(key)).decode()

    def _difference(self, facts: Mapping[str, str]) -> str:
        """Wait for all processes, and return how one of them differs from this one; "" if none does."""
        for rank in range(1, self.world):
            other = json.loads(self._answer(f"{_HERE}/{rank}"))
            for name, value in facts.items():
                if other.get(name) != value:
                    return (
                        f"process {rank + 1} of {self.world} has another {name} ({other.get(name)}) than the first "
                        f"({value}); all need the same dataset, settings and versions"
                    )
        return ""

    def adopt(self, model: Model, /) -> None:
        """Give all processes the weights of the first one."""
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)

    def join(self, model: Model) -> None:
        """Exchange the gradients of a model from now on, of those parameters that are trained now."""
        self._parallel = torch.nn.parallel.DistributedDataParallel(
            StepLosses(model),
            find_unused_parameters=True,  # a task may be in the share of some processes, or of none
            forward_sync_buffers=False,
            init_sync=False,  # `adopt` did, and knows which buffers there are
        )

    def losses(self, batch: Batch, *, last: bool) -> dict[str, Tensor]:
        """Return the summed losses of this share; gradients are exchanged in the backward pass of the last part."""
        with nullcontext() if last else self._parallel.no_sync():
            found: dict[str, Tensor] = self._parallel(batch)
        return found

    def summed(
        self, sums: Mapping[str, tuple[float, int]], pieces: int, tasks: Sequence[str], /
    ) -> tuple[dict[str, tuple[float, int]], int]:
        """Return the sums over all processes."""
        own = [sums.get(task, (0.0, 0)) for task in tasks]
        table = torch.tensor([*own, (0.0, pieces)], dtype=torch.float64)
        dist.all_reduce(table)
        *found, (_, total) = table.tolist()
        return {task: (loss, int(count)) for task, (loss, count) in zip(tasks, found, strict=True)}, int(total)

    def gathered(self, items: list[_T]) -> list[_T]:
        """Return what all processes made, in the first one; in the others nothing."""
        parts: list[list[_T]] | None = [[] for _ in range(self.world)] if self.leads else None
        dist.gather_object(items, parts)
        return [item for part in parts or [] for item in part]

    def agreed(self, value: float) -> float:
        """Return the number that the first process has."""
        table = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(table, 0)
        return float(table)

    def disperse(self) -> None:
        """End the exchange."""
        if self._met:
            self._met = False
            dist.destroy_process_group()

    def wrong(self, error: Exception) -> None:
        """Leave word of the error that ends this process."""
        self._store.set(f"{_WRONG}/{self.rank}", str(error) or type(error).__name__)

    def word_of(self, rank: int) -> str:
        """Return the error that another process has left word of, "" if it has not."""
        key = f"{_WRONG}/{rank}"
        return bytes(self._store.get(key)).decode() if self._store.check([key]) else ""

    def facts(self) -> dict[str, int]:
        """Return how many processes there are."""
        return {"processes": self.world}
