"""Which processes train a run: this one alone, those that it starts, or those that torchrun has started."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.processes import torchrun
from trainer.processes.group import Group

__all__ = ["TrainJob", "open_group"]


@dataclass(frozen=True)
class TrainJob:
    """What the other processes of a run are to do."""

    dataset: str
    out: str
    layers: Sequence[str] | None
    stop_after: int | None


def open_group(processes: int, job: TrainJob) -> Group:
    """Return the group of this process: that of torchrun, one with processes that it will start, or itself alone.

    Raises:
        ValueError: there cannot be such a group.
    """
    known = torchrun.place()
    if known and processes != 1:
        raise ValueError("torchrun says how many processes there are (--nproc-per-node); leave out --processes")
    if processes == 1 and not (known and known.world > 1):
        return Group()
    import torch.distributed as dist  # with several processes alone: its parts take seconds to load

    if not dist.is_available():
        raise ValueError("this torch is built without torch.distributed; train with one process")
    from trainer.processes.distributed import Distributed
    from trainer.processes.launch import Launched

    if known is None:
        return Launched(processes, job)
    from torch.distributed.rendezvous import rendezvous

    return Distributed(next(iter(rendezvous("env://")))[0], known.rank, known.world, known.local)
