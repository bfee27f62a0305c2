"""What the planned rows of a step mean: a row of one task, or a row of the dataset with all its labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.batch import Request
from trainer.data.cache import Encoded
from trainer.schedule.epoch import EpochPlan, Plan
from trainer.schedule.samplers import sampler
from trainer.settings import Settings

__all__ = ["Streams", "check"]


class Streams:
    """Ties the plan to the tasks: streams of single tasks, or one stream of whole rows."""

    def __init__(self, data: Encoded, settings: Settings, earlier: Sequence[tuple[int, int]] = ()) -> None:
        """Plan the run; ``earlier`` tells of how many epochs it was to be before which step, see `Plan`."""
        self.data = data
        check(data.tasks, settings)
        self.mode = _mode(data.tasks, settings)
        train = data.splits["train"]
        self._rows: dict[str, IntArray] = {}
        if self.mode == "rows":
            lengths = [self._whole_rows()]
        else:
            lengths = [
                train.sequences[data.readings[task.name]].lengths[train.labels[task.name].where] for task in data.tasks
            ]
        words = tuple(i for i, task in enumerate(data.tasks) if task.kind == "masked_lm")
        names = [task.name for task in data.tasks]
        self.plan = Plan(
            seed=settings.seed,
            lengths=lengths,
            sampler=sampler(settings),
            epochs=settings.epochs,
            rows=settings.rows,
            bucket=settings.bucket,
            window=settings.window,
            steps=settings.steps_per_epoch,
            first=() if self.mode == "rows" or len(words) == len(names) else words,
            first_epochs=settings.words_first,
            earlier=tuple(earlier),
            primary=names.index(settings.primary) if self.mode == "primary+one" else None,
        )
        self.rate = max((reading.rate for reading in data.readings.values()), default=0.0)

    def _whole_rows(self) -> IntArray:
        """Return the pieces of each train row that has a label, and remember where each task has it, -1 for nowhere."""
        train = self.data.splits["train"]
        length = np.zeros(len(train.documents), np.int64)
        for reading, known in train.sequences.items():
            del reading
            length[known.rows] += known.lengths
        rows = np.flatnonzero(length)
        for task in self.data.tasks:
            labels = train.labels[task.name]
            own = train.sequences[self.data.readings[task.name]].rows[labels.where]
            place = np.full(len(length), -1)
            place[own] = np.arange(len(own))
            self._rows[task.name] = place[rows]
        return length[rows]

    def requests(self, plan: EpochPlan, step: int) -> list[list[Request]]:
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
                    requests.append(Request(task, wanted))
            made.append(requests)
        return made

    def labels(self, plan: EpochPlan) -> Mapping[str, float]:
        """Return how many labels of each task a step of the epoch is expected to hold: a constant of the epoch.

        A task's loss is divided by it, so that a label weighs the same in whichever step it falls.
        """
        expected = {}
        for number, task in enumerate(self.data.tasks):
            labels = self.data.splits["train"].labels[task.name]
            hidden = np.ceil(256 * self.data.readings[task.name].rate) / 256
            count = labels.words * hidden if task.kind == "masked_lm" else len(labels.label)
            if self.mode == "rows":
                expected[task.name] = float(plan.expected[0] * count / len(self._rows[task.name]))
            else:
                expected[task.name] = float(plan.expected[number] * count / len(labels))
        return expected


def check(tasks: Sequence[Task], settings: Settings) -> None:
    """Check that the settings fit the tasks.

    Raises:
        ValueError: they name a task that is not trained, a sampler of tasks where rows are drawn, or no primary where
            one is needed.
    """
    names = [task.name for task in tasks]
    given = [("weights:", name) for name in settings.weights]
    given += [("primary =", settings.primary)] if settings.primary else []
    for setting, name in given:
        if name not in names:
            raise ValueError(f"{setting} {name!r} is not a trained task ({', '.join(names)})")
    _mode(tasks, settings)


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
