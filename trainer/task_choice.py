"""Which tasks of a dataset a run trains, and why not the others."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from labelers.task import Task
from trainer.data.chosen_labels import check_choice
from trainer.data.dataset import Dataset
from trainer.kinds import untrained
from trainer.settings import Settings

__all__ = ["TaskChoice"]


@dataclass(frozen=True)
class TaskChoice:
    """Some tasks of a dataset, and what keeps the others out."""

    dataset: Dataset
    able: tuple[Task, ...]
    """Those of kinds that can be trained: all of them are encoded, so that runs on some of them share the cache."""
    untrained: dict[str, str]
    """Name -> why the task is not trained."""

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings) -> Self:
        """Choose the tasks that can and are to be trained.

        Raises:
            ValueError: the settings name a task that is not there, or none is left.
        """
        reasons = {task.name: reason for task in dataset.tasks if (reason := untrained(task))}
        able = tuple(task for task in dataset.tasks if task.name not in reasons)
        check_choice(dataset, settings)
        left_out = (task.name for task in able if not settings.trains(task.name))
        return cls(dataset, able, reasons).without(left_out, "it is not among [train] tasks")

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Those that are trained."""
        return tuple(task for task in self.able if task.name not in self.untrained)

    def without(self, names: Iterable[str], reason: str) -> Self:
        """Return the choice without some tasks.

        Raises:
            ValueError: none is left.
        """
        made = replace(self, untrained=self.untrained | dict.fromkeys(names, reason))
        if not made.tasks:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in made.untrained.items())
            raise ValueError(f"no task of {self.dataset.name} can be trained ({reasons})")
        return made
