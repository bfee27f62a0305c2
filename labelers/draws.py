"""Counter-based randomness: every draw is a pure function of (seed, labeler, version, purpose, row id, index).

A generator with a state would tie a row's labels to the rows before it. Here a draw is a hash of its address, so any
row can be made alone, in any order, on any machine, and a draw added for one purpose moves no other.
"""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray

__all__ = ["Draws", "mix"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: the increment of SplitMix64 (Steele et al. 2014)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)  # its two multipliers
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the SplitMix64 finaliser of each value: a bijection of uint64 that looks random.

    Example:
        >>> int(mix(np.array([0], np.uint64))[0])
        16294208416658607535
    """
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


@cache
def _salt(seed: int, labeler: str, version: int, purpose: str) -> np.uint64:
    """Return the 64 bits that set one purpose of one labeler apart (blake2b)."""
    text = f"{seed}\0{labeler}\0{version}\0{purpose}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


@dataclass(frozen=True)
class Draws:
    """The draws of one labeler.

    ``keys`` are row keys (`PassageBatch.keys`, uint64), ``index`` distinguishes draws of one row and purpose (a segment
    number, a token position in the row); both broadcast.

    Example:
        >>> draws = Draws(seed=0, labeler="connective", version=1)
        >>> keys = np.array([1, 2, 3], np.uint64)
        >>> bool((draws.uniform("keep", keys) == draws.uniform("keep", keys[::-1])[::-1]).all())
        True
    """

    seed: int
    labeler: str
    version: int

    def bits(self, purpose: str, keys: npt.NDArray[np.uint64], index: IntArray | int = 0) -> npt.NDArray[np.uint64]:
        """Return 64 random bits for each (key, index)."""
        counter = np.asarray(index).astype(np.uint64)
        with np.errstate(over="ignore"):
            return mix(mix(keys ^ _salt(self.seed, self.labeler, self.version, purpose)) + counter * _GOLDEN)

    def uniform(self, purpose: str, keys: npt.NDArray[np.uint64], index: IntArray | int = 0) -> npt.NDArray[np.float64]:
        """Return a float64 in [0, 1) for each (key, index): the upper 53 bits."""
        return (self.bits(purpose, keys, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(
        self, purpose: str, keys: npt.NDArray[np.uint64], high: IntArray | int, index: IntArray | int = 0
    ) -> npt.NDArray[np.int64]:
        """Return an int64 in [0, high) for each (key, index); 0 where high is 0."""
        drawn: npt.NDArray[np.int64] = (self.uniform(purpose, keys, index) * np.asarray(high)).astype(np.int64)
        return drawn

    def bytes(self, purpose: str, keys: npt.NDArray[np.uint64], index: IntArray | int = 0) -> npt.NDArray[np.uint8]:
        """Return one byte, 0 to 255, for each (key, index)."""
        return (self.bits(purpose, keys, index) >> np.uint64(56)).astype(np.uint8)
