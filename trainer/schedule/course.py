"""The course of a run: its phases one behind the other, and the step in which each of them begins and ends."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainer.data.cache import EncodedDataset
from trainer.schedule.streams import Streams
from trainer.settings import Settings

__all__ = ["Course", "Ended", "Leg"]


@dataclass(frozen=True)
class Ended:
    """A phase that has ended."""

    step: int
    """Steps of the run up to its end."""
    pieces: int
    """Sub-words that the run had read by then."""
    epochs: int
    """Epochs that had begun in it."""
    best: int
    """Step of its best checkpoint; 0: there was none."""


@dataclass(frozen=True)
class Leg:
    """A phase as it is taken, or is to be."""

    streams: Streams
    begin: int
    """Steps of the run before it."""
    steps: int
    """Steps of its own; 0: the run ends before it."""
    pieces: int = 0
    """Sub-words that it reads; counted where a budget of them runs on into the next phase."""

    def epoch_of(self, step: int) -> int:
        """Return the epoch of the phase, from 0, in which the step behind so many of the run falls."""
        return (step - self.begin) // self.streams.plan.length

    @property
    def epochs(self) -> int:
        """Epochs that begin in it."""
        return -(-self.steps // self.streams.plan.length)


class Course:
    """The phases of a run, each planned when it is known where it begins."""

    def __init__(self, data: EncodedDataset, settings: Settings, earlier: Sequence[tuple[int, int]] = ()) -> None:
        """Plan what each phase serves.

        Args:
            data: what is trained on.
            settings: of the run.
            earlier: (step, epochs): up to which step of the run its last phase was to have so many epochs.

        Raises:
            ValueError: the settings do not fit the tasks, or a phase has no rows.
        """
        self._settings, self._earlier = settings, tuple(earlier)
        self._streams = [Streams(data, settings, number) for number in range(len(settings.phases))]

    def legs(self, ended: Sequence[Ended] = ()) -> list[Leg]:
        """Return all phases: those that have ended as they were taken, the others as they are to be."""
        legs: list[Leg] = []
        step = pieces = 0
        for number, streams in enumerate(self._streams):
            if number < len(ended):
                leg = Leg(streams, step, ended[number].step - step, ended[number].pieces - pieces)
            else:
                leg = self._leg(number, step, pieces)
            legs.append(leg)
            step, pieces = step + leg.steps, pieces + leg.pieces
        return legs

    def digest(self, ended: Sequence[Ended] = ()) -> str:
        """Return a digest of the steps of all phases: their numbers, and the rows of the first epoch of each."""
        found = hashlib.blake2b(digest_size=12)
        for leg in self.legs(ended):
            plan = leg.streams.plan
            first = plan.epoch(0)
            found.update(repr((leg.begin, leg.steps, plan.length, plan.epochs, leg.streams.mode)).encode())
            for array in (first.streams, first.rows, first.expected, *plan.lengths):
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def told(self, ended: Sequence[Ended]) -> list[dict[str, Any]]:
        """Return what a report says of phases that have ended."""
        made = []
        for number, end in enumerate(ended):
            leg, read = self.legs(ended[:number])[number], ended[number - 1].pieces if number else 0
            made.append(
                {
                    "tasks": [task.name for task in leg.streams.tasks],
                    "first_step": leg.begin + 1,
                    "steps": end.step - leg.begin,
                    "planned_steps": leg.steps,
                    "pieces": end.pieces - read,
                    "best_step": end.best or None,
                }
            )
        return made

    def _leg(self, number: int, step: int, pieces: int) -> Leg:
        """Return a phase that begins behind so many steps, in which so many sub-words were read."""
        settings, phase = self._settings, self._settings.phases[number]
        leg = Leg(self._streams[number], step, 0)
        room = settings.max_steps - step if settings.max_steps else None
        if (settings.tokens and settings.tokens <= pieces) or (room is not None and room <= 0):
            return leg
        budgets = [phase.tokens, settings.tokens - pieces if settings.tokens else 0]
        budget = min((item for item in budgets if item), default=0)
        streams = self._lasting(number, step, settings.epochs_of(number) or _epochs_for(leg.streams, budget))
        limits = [settings.epochs_of(number) * streams.plan.length, room or 0]
        steps = min((item for item in limits if item), default=0)
        leg = replace(leg, streams=streams, steps=steps)
        return _cut(leg, budget) if budget or settings.tokens else leg

    def _lasting(self, number: int, step: int, epochs: int) -> Streams:
        """Return the streams of a phase of so many epochs that begins behind a step of the run."""
        last = number == len(self._streams) - 1
        earlier = [(end - step, before) for end, before in self._earlier if end > step] if last else []
        return self._streams[number].lasting(epochs, earlier)


def _epochs_for(streams: Streams, tokens: int) -> int:
    """Return how many epochs hold so many sub-words if all are like the first one."""
    return -(-tokens // max(int(streams.pieces(streams.lasting(1).plan.epoch(0)).sum()), 1))


def _cut(leg: Leg, tokens: int) -> Leg:
    """Return a phase that ends after the step in which so many sub-words were read, and tell how many it reads.

    Args:
        leg: the phase; if it has no number of steps, it ends there alone.
        tokens: 0: its steps alone count.
    """
    read = steps = epoch = 0
    while not leg.steps or steps < leg.steps:
        counts = np.cumsum(leg.streams.pieces(leg.streams.plan.epoch(epoch)))
        counts = read + (counts[: leg.steps - steps] if leg.steps else counts)
        if tokens and counts[-1] >= tokens:
            last = int(np.searchsorted(counts, tokens))
            return replace(leg, steps=steps + last + 1, pieces=int(counts[last]))
        read, steps, epoch = int(counts[-1]), steps + len(counts), epoch + 1
    return replace(leg, pieces=read)
