"""How far a run has come: what a checkpoint holds beside tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from trainer.schedule.course import Ended
from trainer.score.select import Best

__all__ = ["State"]


@dataclass
class State:
    """What a checkpoint holds beside tensors."""

    step: int = 0
    pieces: int = 0
    """Sub-words read so far."""
    best: Best = field(default_factory=Best)
    """Of the phase."""
    running: dict[str, list[float]] = field(default_factory=dict)
    """Sum of losses and number of labels of each task since the last line of the log."""
    ended: list[Ended] = field(default_factory=list)
    """The phases that have ended; the one behind them has begun."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the state in a checkpoint; those of runs of one phase may say nothing of phases."""
        ended = [Ended(**item) for item in data.get("ended", ())]
        return cls(**{**data, "best": Best(**data["best"]), "ended": ended})

    def count(self, losses: Mapping[str, tuple[float, int]]) -> None:
        """Add the losses and numbers of labels of a step to what the next line of the log will show."""
        for name, (loss, count) in losses.items():
            known = self.running.setdefault(name, [0.0, 0.0])
            known[0] += loss
            known[1] += count
