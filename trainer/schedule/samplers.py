"""How often each task is drawn, as exact formulas; docs/papers.md lists where they are from.

In all of them n_t is the number of train rows of task t, and p_t = w_t / sum(w). Epochs count from 1.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trainer.settings import Settings

__all__ = ["Annealed", "DynamicTemperature", "Proportional", "Sampler", "Temperature", "Uniform", "sampler"]

FloatArray = npt.NDArray[np.float64]


class Sampler(Protocol):
    """Gives the share of each task in an epoch."""

    def shares(self, n: npt.ArrayLike, epoch: int, epochs: int, /) -> FloatArray:
        """Return p_t for n_t train rows per task in epoch ``epoch`` of ``epochs``, counted from 1."""


def _normalised(weights: FloatArray) -> FloatArray:
    """Return w / sum(w)."""
    result: FloatArray = weights / weights.sum()
    return result


def _tempered(n: npt.ArrayLike, exponent: float) -> FloatArray:
    """Return p_t for w_t = n_t ** exponent, from n_t / sum(n) so that no power overflows."""
    return _normalised(_normalised(np.asarray(n, np.float64)) ** exponent)


@dataclass(frozen=True)
class Proportional:
    """w_t = n_t (Sanh, Wolf, Ruder 2019, HMTL).

    Example:
        >>> Proportional().shares([1000, 9000], 1, 1).tolist()
        [0.1, 0.9]
    """

    def shares(self, n: npt.ArrayLike, _epoch: int, _epochs: int, /) -> FloatArray:
        """Return n_t / sum(n)."""
        return _tempered(n, 1.0)


@dataclass(frozen=True)
class Uniform:
    """w_t = 1, the task-oriented sampler (Zheng, Chen, Qiu 2018).

    Example:
        >>> Uniform().shares([1000, 9000], 1, 1).tolist()
        [0.5, 0.5]
    """

    def shares(self, n: npt.ArrayLike, _epoch: int, _epochs: int, /) -> FloatArray:
        """Return 1 / T."""
        return _tempered(n, 0.0)


@dataclass(frozen=True)
class Temperature:
    """w_t = n_t ** (1 / alpha): 1 is proportional, infinity uniform.

    Example:
        >>> Temperature(5.0).shares([1000, 9000], 1, 1).round(4).tolist()
        [0.3919, 0.6081]
    """

    alpha: float

    def shares(self, n: npt.ArrayLike, _epoch: int, _epochs: int, /) -> FloatArray:
        """Return the tempered shares."""
        return _tempered(n, 1.0 / self.alpha)


@dataclass(frozen=True)
class Annealed:
    """w_t = n_t ** (1 - 0.8 (e - 1) / (E - 1)): proportional first, near uniform last (Stickland, Murray 2019, PALs).

    Example:
        >>> Annealed().shares([1000, 9000], 3, 5).round(4).tolist()
        [0.2111, 0.7889]
    """

    def shares(self, n: npt.ArrayLike, epoch: int, epochs: int, /) -> FloatArray:
        """Return the shares of the epoch; a single epoch is proportional."""
        done = (epoch - 1) / (epochs - 1) if epochs > 1 else 0.0
        return _tempered(n, 1.0 - 0.8 * done)


@dataclass(frozen=True)
class DynamicTemperature:
    """w_t = (n_t / sum n) ** (1 / T(k)) with a temperature that rises (Wang, Zhai, Hassan 2020).

    Example:
        >>> [round(DynamicTemperature().temperature(k), 1) for k in range(1, 8)]
        [1.0, 1.8, 2.6, 3.4, 4.2, 5.0, 5.0]
    """

    first: float = 1.0
    last: float = 5.0
    warm: int = 5

    def temperature(self, epoch: int) -> float:
        """Return T(k) = min(T_m, (k - 1) (T_m - T_0) / N + T_0)."""
        return min(self.last, (epoch - 1) * (self.last - self.first) / self.warm + self.first)

    def shares(self, n: npt.ArrayLike, epoch: int, _epochs: int, /) -> FloatArray:
        """Return the shares at the epoch's temperature."""
        return _tempered(n, 1.0 / self.temperature(epoch))


def sampler(settings: Settings) -> Sampler:
    """Return the sampler that the settings name."""
    known: dict[str, Sampler] = {
        "auto": Proportional(),
        "proportional": Proportional(),
        "uniform": Uniform(),
        "temperature": Temperature(settings.temperature),
        "annealed": Annealed(),
        "dynamic": DynamicTemperature(*settings.temperatures),
    }
    return known[settings.sampler]
