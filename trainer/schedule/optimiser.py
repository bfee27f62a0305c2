"""AdamW and the course of its learning rate."""

import math
from typing import Any

import torch

from trainer.settings import Settings

__all__ = ["learning_rate", "make_optimiser"]

_BETAS = (0.9, 0.98)  # Vaswani et al. 2017
_FLOOR = 0.1  # of the highest learning rate, where it ends


def make_optimiser(groups: list[dict[str, Any]], settings: Settings) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov, Hutter 2019) for groups of parameters, see `trainer.schedule.groups`."""
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=_BETAS, fused=True)


def learning_rate(settings: Settings, step: int, total: int) -> float:
    """Return the learning rate of a step: a linear rise, then a fall to a tenth.

    Example:
        >>> settings = Settings(learning_rate=1.0, warmup=0.1, schedule="linear")
        >>> [round(learning_rate(settings, step, 100), 2) for step in (0, 9, 10, 99)]
        [0.1, 1.0, 1.0, 0.11]
    """
    warm = max(1, round(settings.warmup * total))
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    part = (step - warm) / max(total - warm, 1)
    falls = {"cosine": (1 + math.cos(math.pi * part)) / 2, "linear": 1 - part, "constant": 1.0}
    return settings.learning_rate * (_FLOOR + (1 - _FLOOR) * falls[settings.schedule])
