"""What the planned rows of a step mean: a row of one task, or a row of the dataset with its labels of several tasks."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.batch import TaskSlice
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.schedule.samplers import sampler
from trainer.schedule.step_plan import EpochPlan, Phase, StepPlan
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
    def of(cls, train: EncodedSplit, tasks: Sequence[Task]) -> "_Stream":
        """Return the train rows that have a label of some tasks."""
        length = np.zeros(len(train.documents), np.int64)
        for inputs in {train.inputs[task.name]: None for task in tasks}:
            known = train.sequences[inputs]
            length[known.rows] += known.lengths
        places = {task.name: np.full(len(length), -1) for task in tasks}
        for task in tasks:
            own = train.read(task.name).rows[train.targets[task.name].where]
            places[task.name][own] = np.arange(len(own))
        rows = np.flatnonzero(np.any([place >= 0 for place in places.values()], axis=0))
        return cls(length[rows], {name: place[rows] for name, place in places.items()})


class Streams:
    """Ties the plan to the tasks: a stream for each task, or one for rows with their labels of several tasks."""

    def __init__(self, data: EncodedDataset, settings: Settings, earlier: Sequence[tuple[int, int]] = ()) -> None:
        """Plan the run; ``earlier`` tells of how many epochs it was to be before which step, see `StepPlan`."""
        self.data = data
        check(data.tasks, settings)
        self.mode = mode_of(data.tasks, settings)
        train = data.splits["train"]
        self._streams = [_Stream.of(train, tasks) for tasks in _grouped(data.tasks, self.mode, settings)]
        self._number = {name: number for number, stream in enumerate(self._streams) for name in stream.rows}
        self.plan = StepPlan(
            seed=settings.seed,
            lengths=[stream.lengths for stream in self._streams],
            sampler=sampler(settings),
            phases=self._phases(settings),
            rows=settings.rows,
            bucket=settings.bucket,
            window=settings.window,
            steps=0 if settings.steps_per_epoch == "auto" else settings.steps_per_epoch,
            earlier=tuple(earlier),
            primary=self._number[settings.primary] if self.mode == "primary+one" else None,
            least=_FEWEST if settings.has_primary and settings.steps_per_epoch == "auto" else 0,
        )
        self.rate = max((inputs.rate for inputs in train.inputs.values()), default=0.0)

    def _phases(self, settings: Settings) -> tuple[Phase, ...]:
        """Return the phases of the run."""
        every = tuple(range(len(self._streams)))
        return tuple(
            Phase(tuple(i for i in every if set(self._streams[i].rows) & set(wanted)) or every, epochs)
            for wanted, epochs in settings.phases
        )

    def requests(self, plan: EpochPlan, step: int) -> list[list[TaskSlice]]:
        """Return what each bucket of a step asks for."""
        made = []
        for streams, rows in zip(plan.streams[step], plan.rows[step], strict=True):
            requests = []
            for task in self.data.tasks:
                number = self._number[task.name]
                wanted = self._streams[number].rows[task.name][rows[streams == number]]
                wanted = wanted[wanted >= 0]
                if len(wanted):
                    requests.append(TaskSlice(task, wanted))
            made.append(requests)
        return made

    def labels(self, plan: EpochPlan) -> Mapping[str, float]:
        """Return how many labels of each task a step of the epoch is expected to hold: a constant of the epoch.

        A task's loss is divided by it, so that a label weighs the same in whichever step it falls.
        """
        expected, train = {}, self.data.splits["train"]
        for task in self.data.tasks:
            number = self._number[task.name]
            count = train.targets[task.name].expected(train.inputs[task.name].rate)
            expected[task.name] = float(plan.expected[number] * count / len(self._streams[number].lengths))
        return expected


def _grouped(tasks: Sequence[Task], mode: str, settings: Settings) -> list[list[Task]]:
    """Return the tasks of each stream.

    Beside a primary that reads something else, the tasks that share a woven view are drawn as rows with all their
    labels: one call of the encoder serves them all. Phases that name tasks choose among single ones.
    """
    if mode == "rows":
        return [list(tasks)]
    together = [task for task in tasks if task.mode == "joint"]
    alone = [task for task in tasks if task.mode != "joint"]
    named = any(phase.tasks for phase in settings.phase)
    if mode == "primary+one" and together and settings.primary in {task.name for task in alone} and not named:
        return [*([task] for task in alone), together]
    return [[task] for task in tasks]


def check(tasks: Sequence[Task], settings: Settings) -> None:
    """Check that the settings fit the tasks.

    Raises:
        ValueError: they name a task that is not trained, a sampler or phases of tasks where rows are drawn, or no
            primary where one is needed.
    """
    names = [task.name for task in tasks]
    given = [(f"[task] {name!r}", name) for name in settings.task]
    given += [(f"[[phase]] tasks: {name!r}", name) for phase in settings.phase for name in phase.tasks]
    given += [(f"[train] primary = {settings.primary!r}", settings.primary)] if settings.has_primary else []
    for told, name in given:
        if name not in names:
            raise ValueError(f"{told} is not a trained task{_nearest(name, names)} ({', '.join(names)})")
    if mode_of(tasks, settings) == "rows" and any(phase.tasks for phase in settings.phase):
        raise ValueError(
            "[[phase]] tasks chooses tasks, but batch = 'rows' draws rows with all their labels; set batch = 'tasks'"
        )


def _nearest(name: str, names: Sequence[str]) -> str:
    """Return a hint that tells the nearest of some names, or nothing."""
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


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
