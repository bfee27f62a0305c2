"""The plan of a phase: which rows of which tasks each step serves, as a pure function of what it is given.

A stream is what rows are drawn from: a task, or the whole dataset where every label of a row trains at once. The rows
of a stream follow its own permutation without replacement, across the epochs of a phase: only when all were seen does a
new one begin.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray
from trainer.schedule.samplers import Sampler

__all__ = ["EpochPlan", "StepPlan", "generator"]

_SHARE = (3, 10)
"""Of the rows of all tasks in an epoch with a primary: its ten epochs hold what three hold without one."""


def generator(seed: int, *address: str | int) -> np.random.Generator:
    """Return a generator that depends on the seed and the address alone.

    Example:
        >>> int(generator(0, "rows", 3).integers(1000)) == int(generator(0, "rows", 3).integers(1000))
        True
    """
    text = "\0".join(map(str, (seed, *address)))
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class EpochPlan:
    """The steps of an epoch: S steps of B buckets of G rows of like length."""

    streams: npt.NDArray[np.int16]
    """int16 [S, B, G]: the stream of each row."""
    rows: IntArray
    """int64 [S, B, G]: the row, an index into its stream."""
    expected: npt.NDArray[np.float64]
    """float64 [T]: rows of each stream that a step is expected to hold."""


@dataclass(frozen=True)
class StepPlan:
    """All that decides which rows a step of a phase serves."""

    seed: int
    lengths: Sequence[npt.NDArray[Any]]
    """Per stream the pieces of each of its rows."""
    sampler: Sampler
    epochs: int
    """Epochs that there are to be; the phase may end before, or behind them."""
    rows: int
    bucket: int
    window: int
    steps: int = 0
    """Steps of an epoch; 0: as many as serve as many rows as there are."""
    earlier: tuple[tuple[int, int], ...] = ()
    """(step, epochs): an epoch that began before the step is drawn as one of so many; where the run was extended."""
    primary: int | None = None
    """The stream that fills half of each step; one drawn other fills the rest (Augenstein, Soegaard 2017)."""
    least: int = 0
    """Where `steps` is 0 and this is not: an epoch has so many steps at least, and serves each row of the primary at
    least once; beside that it is `_SHARE` of what it is otherwise."""
    number: int = 0
    """Of the phase, from 0: each draws anew."""
    _counts: list[IntArray] = field(default_factory=list, init=False, repr=False, compare=False)
    """For each epoch that was asked for and all before, how many rows of each stream it draws."""

    @property
    def sizes(self) -> IntArray:
        """Rows of each stream, int64 [T]."""
        return np.array([len(item) for item in self.lengths], np.int64)

    @property
    def length(self) -> int:
        """Steps of an epoch."""
        if self.steps:
            return self.steps
        count = int(-(-self.sizes.sum() // self.rows))
        if not self.least:
            return count
        if self.primary is None:  # every draw may be of any task: a pass over all rows is one over the primary's
            return max(count, self.least)
        own = self.rows // 2 if self._has_primary else self.rows
        once = int(-(-self.sizes[self.primary] // own))
        return max(-(-count * _SHARE[0] // _SHARE[1]), once, self.least)

    @property
    def _has_primary(self) -> bool:
        """Tell whether half of each step is the primary's."""
        return self.primary is not None and len(self.lengths) > 1

    def shares(self, epoch: int) -> npt.NDArray[np.float64]:
        """Return the share of each stream in the rows drawn in an epoch, which counts from 0."""
        begin = epoch * self.length
        epochs = next((epochs for step, epochs in self.earlier if begin < step), self.epochs)
        shares = self.sampler.shares(self.sizes.astype(np.float64), min(epoch + 1, epochs), epochs)
        if self._has_primary:
            shares[self.primary] = 0
            shares /= shares.sum()
        return shares

    def _drawn_before(self, epoch: int) -> IntArray:
        """Return how many rows of each stream the epochs before one draw, int64 [T]."""
        for known in range(len(self._counts), epoch):
            self._counts.append(np.bincount(self._streams(known).reshape(-1), minlength=len(self.lengths)))
        return sum(self._counts[:epoch], np.zeros(len(self.lengths), np.int64))

    def _generator(self, *address: str | int) -> np.random.Generator:
        """Return the generator of an address in the phase."""
        return generator(self.seed, *(("phase", self.number) if self.number else ()), *address)

    def epoch(self, epoch: int) -> EpochPlan:
        """Return the plan of an epoch, which counts from 0."""
        streams = self._streams(epoch)
        before = self._drawn_before(epoch)
        rows = np.empty(streams.shape, np.int64)
        for stream in np.unique(streams):
            mask = streams == stream
            rows[mask] = self._order(int(stream), int(before[stream]), int(mask.sum()))
        order = self._buckets(epoch, streams, rows)
        shape = (len(streams), self.rows // self.bucket, self.bucket)
        return EpochPlan(
            streams.reshape(-1)[order].reshape(shape).astype(np.int16),
            rows.reshape(-1)[order].reshape(shape),
            self._expected(epoch),
        )

    def _streams(self, epoch: int) -> IntArray:
        """Draw the stream of each row of an epoch, int64 [S, rows]."""
        rng, steps, shares = self._generator("streams", epoch), self.length, self.shares(epoch)
        edges = np.cumsum(shares) / shares.sum()
        if not self._has_primary:
            return np.searchsorted(edges, rng.random((steps, self.rows)), side="right").clip(max=len(shares) - 1)
        streams = np.full((steps, self.rows), self.primary)
        streams[:, self.rows // 2 :] = np.searchsorted(edges, rng.random(steps), side="right")[:, None]
        return streams

    def _expected(self, epoch: int) -> npt.NDArray[np.float64]:
        """Return how many rows of each stream a step is expected to hold."""
        expected = self.rows * self.shares(epoch)
        if self._has_primary:
            expected /= 2
            expected[self.primary] = self.rows // 2
        return expected

    def _order(self, stream: int, begin: int, count: int) -> IntArray:
        """Return the rows of a stream that are drawn in places [begin, begin + count) of all time."""
        size = len(self.lengths[stream])
        passes = range(begin // size, (begin + count - 1) // size + 1)
        rows = np.concatenate([self._generator("rows", stream, number).permutation(size) for number in passes])
        return rows[begin - passes[0] * size :][:count]

    def _buckets(self, epoch: int, streams: IntArray, rows: IntArray) -> IntArray:
        """Return the order of all rows of the epoch in which buckets of like length lie together.

        The rows of ``window`` steps are sorted by length and cut into buckets, and these are dealt to the steps at
        random, so that a step holds buckets of different lengths. With a primary each step keeps its own rows.
        """
        lengths = np.empty(rows.shape, np.int64)
        for stream in np.unique(streams):
            mask = streams == stream
            lengths[mask] = self.lengths[stream][rows[mask]]
        window = self.rows * (1 if self._has_primary else self.window)
        flat, number = lengths.reshape(-1), np.arange(lengths.size)
        order = np.lexsort((flat, number // window)).reshape(-1, self.bucket)
        dealt = self._generator("buckets", epoch).random(len(order))
        return order[np.lexsort((dealt, np.arange(len(order)) * self.bucket // window))].reshape(-1)
