"""What the planned rows of a step mean: a row of one task, or a row of the dataset with its labels of several tasks."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from labelers.advice import nearest
from labelers.ragged import BoolArray, IntArray
from labelers.task import Task
from trainer.data.batch import TaskSlice
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.schedule.samplers import sampler
from trainer.schedule.step_plan import EpochPlan, StepPlan
from trainer.settings import NO_PRIMARY, Settings

__all__ = ["Streams", "check", "mode_of"]

_FEWEST = 50
"""Steps of an epoch with a primary, at least: ten epochs have 500."""


@dataclass(frozen=True)
class _Stream:
    """What rows are drawn from."""

    lengths: IntArray
    """int64 [R]: pieces of each row."""
    rows: Mapping[str, IntArray]
    """Task -> int64 [R]: where each row stands in its targets, -1 where it has no label of the task."""

    @classmethod
    def of(cls, train: EncodedSplit, tasks: Sequence[Task], allowed: BoolArray) -> "_Stream":
        """Return those of the allowed train rows, bool [P], that have a label of some tasks."""
        length = np.zeros(len(train.documents), np.int64)
        for inputs in {train.inputs[task.name]: None for task in tasks}:
            known = train.sequences[inputs]
            length[known.rows] += known.lengths
        places = {task.name: np.full(len(length), -1) for task in tasks}
        for task in tasks:
            own = _rows_of(train, task)
            places[task.name][own] = np.arange(len(own))
        rows = np.flatnonzero(allowed & np.any([place >= 0 for place in places.values()], axis=0))
        return cls(length[rows], {name: place[rows] for name, place in places.items()})


class Streams:
    """Ties the plan of a phase to its tasks: a stream for each, or one for rows with their labels of several."""

    def __init__(self, data: EncodedDataset, settings: Settings, number: int = 0) -> None:
        """Plan a phase of a run, by its number from 0.

        Raises:
            ValueError: the settings do not fit the tasks, see `check`, or the phase has no rows.
        """
        self.data = data
        check(data.tasks, settings)
        self.mode = mode_of(data.tasks, settings)
        phase = settings.phases[number]
        self.tasks = tuple(task for task in data.tasks if not phase.tasks or task.name in phase.tasks)
        """The tasks that the phase trains."""
        train = data.splits["train"]
        groups = _grouped(self.tasks, self.mode, settings, named=bool(phase.tasks))
        allowed = _allowed(data, settings, phase.rows)
        made = (_Stream.of(train, tasks, allowed) for tasks in groups)
        self._streams = [stream for stream in made if len(stream.lengths)]
        if not self._streams:
            raise ValueError(
                f"[[phase]] number {number + 1} has no train row: none of rows = {phase.rows!r} has a label"
            )
        self._number = {name: number for number, stream in enumerate(self._streams) for name in stream.rows}
        halved = self.mode == "primary+one" and settings.primary in self._number
        longer = settings.has_primary and settings.primary in self._number and settings.steps_per_epoch == "auto"
        self.plan = StepPlan(
            seed=settings.seed,
            lengths=[stream.lengths for stream in self._streams],
            sampler=sampler(settings),
            epochs=settings.epochs_of(number),
            rows=settings.rows,
            bucket=settings.bucket,
            window=settings.window,
            steps=0 if settings.steps_per_epoch == "auto" else settings.steps_per_epoch,
            primary=self._number[settings.primary] if halved else None,
            least=_FEWEST if longer else 0,
            number=number,
        )
        self._counts = self._counted()
        self.rate = max((inputs.rate for inputs in train.inputs.values()), default=0.0)

    def lasting(self, epochs: int, earlier: Sequence[tuple[int, int]] = ()) -> Self:
        """Return the streams of a phase of so many epochs; ``earlier`` as `StepPlan` has it."""
        other = copy.copy(self)
        other.plan = replace(self.plan, epochs=epochs, earlier=tuple(earlier))
        return other

    def requests(self, plan: EpochPlan, step: int) -> list[list[TaskSlice]]:
        """Return what each bucket of a step asks for."""
        made = []
        for streams, rows in zip(plan.streams[step], plan.rows[step], strict=True):
            requests = []
            for task in self._served:
                number = self._number[task.name]
                wanted = self._streams[number].rows[task.name][rows[streams == number]]
                wanted = wanted[wanted >= 0]
                if len(wanted):
                    requests.append(TaskSlice(task, wanted))
            made.append(requests)
        return made

    @property
    def _served(self) -> tuple[Task, ...]:
        """The tasks of the phase that have a row in it."""
        return tuple(task for task in self.tasks if task.name in self._number)

    def pieces(self, plan: EpochPlan) -> IntArray:
        """Return how many sub-words, padding aside, the encoder reads in each step of an epoch, int64 [S].

        A row that several tasks read alike stands in a bucket once.
        """
        train = self.data.splits["train"]
        steps, buckets, _ = plan.streams.shape
        bucket = np.broadcast_to(np.arange(steps * buckets)[:, None], (steps * buckets, plan.streams.shape[2])).ravel()
        streams, rows = plan.streams.ravel(), plan.rows.ravel()
        total = np.zeros(steps * buckets, np.int64)
        for inputs in {train.inputs[task.name]: None for task in self._served}:
            lengths, read = train.sequences[inputs].lengths, []
            for task in self._served:
                if train.inputs[task.name] != inputs:
                    continue
                mine = streams == self._number[task.name]
                wanted = self._streams[self._number[task.name]].rows[task.name][rows[mine]]
                where = train.targets[task.name].where[wanted[wanted >= 0]]
                read.append(bucket[mine][wanted >= 0] * len(lengths) + where)
            owner, where = np.divmod(np.unique(np.concatenate(read)), len(lengths))
            total += np.bincount(owner, lengths[where], minlength=len(total)).astype(np.int64)
        found: IntArray = total.reshape(steps, buckets).sum(axis=1)
        return found

    def labels(self, plan: EpochPlan) -> Mapping[str, float]:
        """Return how many labels of each task a step of the epoch is expected to hold: a constant of the epoch.

        A task's loss is divided by it, so that a label weighs the same in whichever step it falls.
        """
        expected = {}
        for name, count in self._counts.items():
            number = self._number[name]
            expected[name] = float(plan.expected[number] * count / len(self._streams[number].lengths))
        return expected

    def _counted(self) -> dict[str, float]:
        """Return how many labels of each task all rows of its stream hold."""
        counts, train = {}, self.data.splits["train"]
        for task in self._served:
            rows = self._streams[self._number[task.name]].rows[task.name]
            counts[task.name] = train.targets[task.name].expected(train.inputs[task.name].rate, rows[rows >= 0])
        return counts


def _rows_of(train: EncodedSplit, task: Task) -> IntArray:
    """Return the train rows that have a label of a task, int64 [n]."""
    return train.read(task.name).rows[train.targets[task.name].where]


def _allowed(data: EncodedDataset, settings: Settings, rows: str) -> BoolArray:
    """Tell which train rows a phase may use, bool [P].

    Raises:
        ValueError: it asks for rows with or without labels, and it is not known which labels are meant.
    """
    train = data.splits["train"]
    if rows == "all":
        return np.ones(len(train.documents), bool)
    meant = [task for task in data.tasks if task.name == settings.primary or (not settings.has_primary and task.gold)]
    if not meant:
        raise ValueError(
            f"[[phase]] rows = {rows!r} asks for labels of the primary, or of any task that people labelled, and there "
            "is none; name a primary, or leave rows out"
        )
    labelled = np.zeros(len(train.documents), bool)
    for task in meant:
        labelled[_rows_of(train, task)] = True
    return labelled if rows == "labelled" else ~labelled


def _grouped(tasks: Sequence[Task], mode: str, settings: Settings, *, named: bool) -> list[list[Task]]:
    """Return the tasks of each stream.

    Beside a primary that reads something else, the tasks that share a woven view are drawn as rows with all their
    labels: one call of the encoder serves them all. A phase that names tasks chooses among single ones.
    """
    if mode == "rows":
        return [list(tasks)]
    together = [task for task in tasks if task.mode == "joint"]
    alone = [task for task in tasks if task.mode != "joint"]
    if mode == "primary+one" and together and settings.primary in {task.name for task in alone} and not named:
        return [*([task] for task in alone), together]
    return [[task] for task in tasks]


def check(tasks: Sequence[Task], settings: Settings) -> None:
    """Check that the settings fit the tasks.

    Raises:
        ValueError: they name a task that is not trained, a sampler where rows are drawn, or no primary where one is
            needed.
    """
    names = [task.name for task in tasks]
    given = [(f"[task] {name!r}", name) for name in settings.task]
    given += [(f"[[phase]] tasks: {name!r}", name) for phase in settings.phase for name in phase.tasks]
    given += [(f"[train] primary = {settings.primary!r}", settings.primary)] if settings.has_primary else []
    for told, name in given:
        if name not in names:
            raise ValueError(f"{told} is not a trained task{nearest(name, names)}; there are {', '.join(names)}")
    mode_of(tasks, settings)


def mode_of(tasks: Sequence[Task], settings: Settings) -> str:
    """Return how steps are made up, or raise a ValueError as `check` says."""
    # gold tasks read the source, beside whatever view the other labels of their row are read from
    joint = all(task.mode == "joint" or task.given for task in tasks) and any(task.mode == "joint" for task in tasks)
    mode = ("rows" if joint else "tasks") if settings.batch == "auto" else settings.batch
    if mode == "rows" and settings.sampler != "auto":
        raise ValueError(
            f"sampler = {settings.sampler!r} draws tasks, but batch = 'rows' draws rows with all their labels; "
            "leave the sampler out, or set batch = 'tasks'"
        )
    if mode == "primary+one" and not settings.has_primary:
        known = ", ".join(task.name for task in tasks)
        none = f"; primary = {NO_PRIMARY!r} names none" if settings.primary else ""
        raise ValueError(f"batch = {mode!r} needs a primary task; name one of {known}{none}")
    if mode == "primary+one" and settings.rows == 1:
        raise ValueError(f"batch = {mode!r} divides the rows of a step; set rows to 2 or more")
    return mode
