"""What torchrun says of the process that it has started; looks at the environment alone."""

import os
from dataclasses import dataclass

__all__ = ["Place", "place"]


@dataclass(frozen=True)
class Place:
    """Which of the processes of torchrun this one is."""

    rank: int
    world: int
    local: tuple[int, int]
    """Its number among the processes of this machine, and how many these are."""

    @property
    def follows(self) -> bool:
        """Tell whether the first process speaks for it."""
        return self.rank > 0


def place() -> Place | None:
    """Return which process this one is; None if torchrun has not started it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    rank, world, local, count = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    return Place(rank, world, (local, count))
