"""What the planned rows of a step mean: a row of one task, or a row of the dataset with all its labels."""

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.batch import TaskSlice
from trainer.data.cache import EncodedDataset
from trainer.schedule.samplers import sampler
from trainer.schedule.step_plan import EpochPlan, Phase, StepPlan
from trainer.settings import Settings

__all__ = ["Streams", "check"]


class Streams:
    """Ties the plan to the tasks: streams of single tasks, or one stream of whole rows."""

    def __init__(self, data: EncodedDataset, settings: Settings, earlier: Sequence[tuple[int, int]] = ()) -> None:
        """Plan the run; ``earlier`` tells of how many epochs it was to be before which step, see `StepPlan`."""
        self.data = data
        check(data.tasks, settings)
        self.mode = _mode(data.tasks, settings)
        train = data.splits["train"]
        self._rows: dict[str, IntArray] = {}
        if self.mode == "rows":
            lengths = [self._whole_rows()]
        else:
            lengths = [
                train.sequences[data.inputs[task.name]].lengths[train.targets[task.name].where] for task in data.tasks
            ]
        names = [task.name for task in data.tasks]
        self.plan = StepPlan(
            seed=settings.seed,
            lengths=lengths,
            sampler=sampler(settings),
            phases=self._phases(settings, len(lengths)),
            rows=settings.rows,
            bucket=settings.bucket,
            window=settings.window,
            steps=settings.steps_per_epoch,
            earlier=tuple(earlier),
            primary=names.index(settings.primary) if self.mode == "primary+one" else None,
        )
        self.rate = max((inputs.rate for inputs in data.inputs.values()), default=0.0)

    def _phases(self, settings: Settings, streams: int) -> tuple[Phase, ...]:
        """Return the phases of the run."""
        names = [task.name for task in self.data.tasks]
        return tuple(
            Phase(tuple(i for i, name in enumerate(names) if name in wanted) or tuple(range(streams)), epochs)
            for wanted, epochs in settings.phases
        )

    def _whole_rows(self) -> IntArray:
        """Return the pieces of each train row that has a label, and remember where each task has it, -1 for nowhere."""
        train = self.data.splits["train"]
        length = np.zeros(len(train.documents), np.int64)
        for known in train.sequences.values():
            length[known.rows] += known.lengths
        places = {task.name: np.full(len(length), -1) for task in self.data.tasks}
        for task in self.data.tasks:
            own = train.sequences[self.data.inputs[task.name]].rows[train.targets[task.name].where]
            places[task.name][own] = np.arange(len(own))
        rows = np.flatnonzero(np.any([place >= 0 for place in places.values()], axis=0))
        self._rows = {name: place[rows] for name, place in places.items()}
        return length[rows]

    def requests(self, plan: EpochPlan, step: int) -> list[list[TaskSlice]]:
        """Return what each bucket of a step asks for."""
        made = []
        for streams, rows in zip(plan.streams[step], plan.rows[step], strict=True):
            requests = []
            for number, task in enumerate(self.data.tasks):
                if self.mode == "rows":
                    wanted = self._rows[task.name][rows]
                    wanted = wanted[wanted >= 0]
                else:
                    wanted = rows[streams == number]
                if len(wanted):
                    requests.append(TaskSlice(task, wanted))
            made.append(requests)
        return made

    def labels(self, plan: EpochPlan) -> Mapping[str, float]:
        """Return how many labels of each task a step of the epoch is expected to hold: a constant of the epoch.

        A task's loss is divided by it, so that a label weighs the same in whichever step it falls.
        """
        expected = {}
        for number, task in enumerate(self.data.tasks):
            targets = self.data.splits["train"].targets[task.name]
            count = targets.expected(self.data.inputs[task.name].rate)
            if self.mode == "rows":
                expected[task.name] = float(plan.expected[0] * count / len(self._rows[task.name]))
            else:
                expected[task.name] = float(plan.expected[number] * count / len(targets))
        return expected


def check(tasks: Sequence[Task], settings: Settings) -> None:
    """Check that the settings fit the tasks.

    Raises:
        ValueError: they name a task that is not trained, a sampler or phases of tasks where rows are drawn, or no
            primary where one is needed.
    """
    names = [task.name for task in tasks]
    given = [(f"[task] {name!r}", name) for name in settings.task]
    given += [(f"[[phase]] tasks: {name!r}", name) for phase in settings.phase for name in phase.tasks]
    given += [(f"[train] primary = {settings.primary!r}", settings.primary)] if settings.primary else []
    for told, name in given:
        if name not in names:
            raise ValueError(f"{told} is not a trained task{_nearest(name, names)} ({', '.join(names)})")
    if _mode(tasks, settings) == "rows" and any(phase.tasks for phase in settings.phase):
        raise ValueError(
            "[[phase]] tasks chooses tasks, but batch = 'rows' draws rows with all their labels; set batch = 'tasks'"
        )


def _nearest(name: str, names: Sequence[str]) -> str:
    """Return a hint that tells the nearest of some names, or nothing."""
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _mode(tasks: Sequence[Task], settings: Settings) -> str:
    """Return how steps are made up, or raise a ValueError as `check` says."""
    joint = all(task.mode == "joint" for task in tasks)
    mode = ("rows" if joint else "tasks") if settings.batch == "auto" else settings.batch
    if mode == "rows" and settings.sampler != "auto":
        raise ValueError(
            f"sampler = {settings.sampler!r} draws tasks, but batch = 'rows' draws rows with all their labels; "
            "leave the sampler out, or set batch = 'tasks'"
        )
    if mode == "primary+one" and not settings.primary:
        raise ValueError(f"batch = {mode!r} needs a primary task; name one of {', '.join(task.name for task in tasks)}")
    return mode
