"""AdamW and the course of its learning rate."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from trainer.settings import Settings

__all__ = ["AdamW", "learning_rate", "make_optimiser"]

_BETAS = (0.9, 0.98)  # Vaswani et al. 2017
_LEAST = 1e-8  # added to the root of the mean square
_FLOOR = 0.1  # of the highest learning rate, where it ends


class AdamW:
    """AdamW (Loshchilov, Hutter 2019); without weight decay it is Adam (Kingma, Ba 2015).

    It takes the steps of torch's class, which loads torch's compiler as soon as one is made: seconds, and 70 MB.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        rate: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool = False,
    ) -> None:
        """Keep the groups.

        Args:
            groups: mappings with ``params``, and ``weight_decay`` if they do.
            rate: the learning rate.
            betas: how much of the running means is kept in a step.
            fused: one call of the kernel for all parameters of a group.
        """
        self._betas, self._fused = betas, fused
        self.param_groups = [{**group, "lr": rate} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {item: {} for group in groups for item in group["params"]}
        """By the parameter: ``step``, and the running means ``exp_avg`` and ``exp_avg_sq``."""

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.state:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter that has a gradient."""
        for group in self.param_groups:
            changed = [item for item in group["params"] if item.grad is not None]
            known = [self._known(item) for item in changed]
            adamw(
                changed,
                [item.grad for item in changed],
                [item["exp_avg"] for item in known],
                [item["exp_avg_sq"] for item in known],
                [],
                [item["step"] for item in known],
                fused=self._fused,
                foreach=False,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=group["lr"],
                weight_decay=group.get("weight_decay", 0.0),
                eps=_LEAST,
                maximize=False,
            )

    def _known(self, parameter: Tensor) -> dict[str, Tensor]:
        """Return what is known of a parameter."""
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state |= {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        return state


def make_optimiser(groups: Sequence[dict[str, Any]], settings: Settings) -> AdamW:
    """Return the optimiser of groups of parameters, see `trainer.schedule.groups`."""
    return AdamW(groups, settings.learning_rate, betas=_BETAS, fused=True)


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
