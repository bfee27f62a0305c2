"""A training run: the dataset encoded, the model, and how far it has come on its course of phases.

`trainer.loop` takes its steps, `trainer.validate` chooses its checkpoint, and `trainer.run_report` finishes it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from trainer import checkpoint
from trainer.data.dataset import TRAIN, Dataset
from trainer.data.inputs import check_views
from trainer.evaluate import Tell, uninformed
from trainer.files import write
from trainer.folder import RunFolder
from trainer.inherit import completed, take_over
from trainer.mark import Mark
from trainer.memory import give_back
from trainer.model.model import Model
from trainer.processes.group import Group
from trainer.resume import course_of, resumed
from trainer.run_data import encoded, sampled_rows
from trainer.schedule.choices import decided
from trainer.schedule.course import Ended, Leg
from trainer.schedule.groups import parameter_groups
from trainer.schedule.optimiser import learning_rate, make_optimiser
from trainer.schedule.streams import Streams, check
from trainer.score.select import VALIDATION, Best
from trainer.score.surfaces import train_forms, write_forms
from trainer.settings import Settings
from trainer.task_choice import TaskChoice

__all__ = ["Progress", "Run"]

Progress = Callable[[float, float, str], None]
"""Called with the steps done, all steps and a note."""


class Run:
    """What a run trains on and with, and how far it has come."""

    def __init__(
        self,
        dataset: Dataset,
        folder: RunFolder,
        settings: Settings,
        mark: Mark | None = None,
        group: Group | None = None,
    ) -> None:
        """Encode the dataset, build the model, and go back to the last checkpoint if there is one.

        Args:
            dataset: what to train on.
            folder: of the run.
            settings: of the run.
            mark: of the run in the folder; None: it begins.
            group: the processes that train it; None: this one alone. The first of them writes to the folder.
        """
        self.group = group or Group()
        if not mark:
            settings = decided(completed(settings), dataset)
        self.settings, self.folder, self.dataset = settings, folder, dataset
        self.device = self.group.prepared(settings)
        choice = TaskChoice.of(dataset, settings)
        check(choice.tasks, settings)
        check_views(choice.tasks, dataset.splits[TRAIN])
        self.validation = VALIDATION if VALIDATION in dataset.splits else ""
        self._check_validation()
        if not mark:
            mark = Mark(dataset.digest, settings)
            folder.claim(mark)
        with self._free_unless_begun():
            self.data, choice = encoded(choice, folder.learnt, settings)
            self.course = course_of(self.data, settings, mark)
        self.untrained = choice.untrained
        if self.group.leads:
            self._describe()
        self._build()
        found = resumed(folder, mark, settings, self.data, writes=self.group.leads)
        self.state, self.mark = found.state, found.mark
        self.saved = self.state.step if found.tensors else -1
        if self.mark != mark:
            self.course = course_of(self.data, settings, self.mark)
        self.group.meet(self._alike)
        self._enter()
        if found.tensors:
            checkpoint.restore(self.model, self.optimiser, found.tensors)
        if self.group.leads:
            folder.publish()
        self.uninformed = uninformed(self.data, self.validation) if self.group.leads else {}
        give_back()

    def _check_validation(self) -> None:
        """Check that there is a validation split where a setting asks for one."""
        patience = self.settings.patience
        asked = [f"patience = {patience} counts"] if isinstance(patience, int) and patience else []
        asked += [
            "[[phase]] start = 'best' means the best of the" for item in self.settings.phase if item.start == "best"
        ]
        if asked and not self.validation:
            raise ValueError(
                f"{asked[0]} evaluations on the validation split, and {self.dataset.name} has none; leave it out"
            )

    @contextmanager
    def _free_unless_begun(self) -> Iterator[None]:
        """Clear the folder of a run that cannot begin, so that another one can."""
        try:
            yield
        except ValueError:
            if not self.folder.last.exists():
                self.folder.clear()
            raise

    def _describe(self) -> None:
        """Write what the folder says of the data: the heads, how text became rows, and the forms of spans."""
        folder, split, tasks = self.folder, self.dataset.splits[TRAIN], self.data.tasks
        write(folder.tasks, json.dumps([task.to_json() for task in tasks], indent=1) + "\n")
        write(folder.readings, json.dumps(self.dataset.reading(), indent=1) + "\n")
        if not folder.forms.exists():
            write_forms(folder.forms, train_forms(split, tasks, sampled_rows(self.data, self.settings)))

    def _build(self) -> None:
        """Make the model, with weights that were trained before if the run begins with some."""
        torch.manual_seed(self.settings.seed)
        self.model = Model(self.data.tasks, self.folder.learnt, self.settings).to(self.device)
        self.model.begin(self.data.splits[TRAIN].targets)
        if self.group.leads and not self.folder.last.exists():
            with self._free_unless_begun():
                take_over(self.model, self.folder.learnt, self.settings)

    def _alike(self) -> dict[str, str]:
        """Return what must be the same in all processes."""
        return {
            "plan": self.course.digest(self.state.ended),
            "dataset": self.dataset.digest,
            "step": str(self.state.step),
            **{name: version(name) for name in ("auxloom", "torch")},
        }

    def _enter(self) -> None:
        """Take up the phase that the state says, with a new optimiser."""
        number = self.phase
        self._legs = self.course.legs(self.state.ended)
        self._during = self.settings.during(number)
        self.model.zero_grad(set_to_none=True)
        self.optimiser = make_optimiser(parameter_groups(self.model, self._during), self._during)
        self.group.adopt(self.model)
        self.group.join(self.model)

    def begin_phase(self) -> None:
        """End the phase, and begin the next one with its last weights, or its best ones."""
        state = self.state
        state.ended.append(self.end())
        if self.settings.phases[self.phase].start == "best" and state.best.step:
            self.go_back()
        state.best = Best()
        self.saved = -1  # what the step left is not what the next one begins with
        self._enter()

    def go_back(self) -> None:
        """Take up the weights of the best checkpoint, if there is one."""
        if self.group.leads and self.folder.best.exists():
            checkpoint.restore(self.model, None, checkpoint.load(self.folder.best)[0])
        self.group.adopt(self.model)

    def end(self) -> Ended:
        """Return what is to be known of the phase if it ends here."""
        state, leg = self.state, self.leg
        taken = state.step - leg.begin
        return Ended(state.step, state.pieces, -(-taken // leg.streams.plan.length), state.best.step)

    @property
    def phase(self) -> int:
        """Number of the phase, from 0."""
        return len(self.state.ended)

    @property
    def leg(self) -> Leg:
        """The phase."""
        return self._legs[self.phase]

    @property
    def streams(self) -> Streams:
        """What the phase serves."""
        return self.leg.streams

    @property
    def total(self) -> int:
        """All steps of the run."""
        return sum(leg.steps for leg in self._legs)

    @property
    def epochs_before(self) -> int:
        """Epochs of earlier phases."""
        return sum(item.epochs for item in self.state.ended)

    @property
    def rate(self) -> float:
        """The learning rate of the step that follows."""
        return learning_rate(self._during, self.state.step - self.leg.begin, self.leg.steps)

    @property
    def due(self) -> bool:
        """Tell whether an epoch, or the phase, has just been completed."""
        taken = self.state.step - self.leg.begin
        return taken == self.leg.steps or (taken > 0 and taken % self.streams.plan.length == 0)

    @property
    def phase_over(self) -> bool:
        """Tell whether the phase has no step left to take."""
        return self.state.step - self.leg.begin >= self.leg.steps or self.out_of_patience

    @property
    def ended(self) -> bool:
        """Tell whether the run has no step left to take."""
        if not self.phase_over:
            return False
        behind = self.course.legs([*self.state.ended, self.end()])[self.phase + 1 :]
        return not behind or behind[0].steps == 0

    @property
    def out_of_patience(self) -> bool:
        """Tell whether as many evaluations as the settings allow were not better than the best one."""
        patience = self.settings.patience
        return isinstance(patience, int) and 0 < patience <= self.state.best.waited

    def log_losses(self, epoch: int) -> str:
        """Write the mean losses since the last line, and return a note of them."""
        means = {name: total / max(count, 1) for name, (total, count) in sorted(self.state.running.items())}
        self.state.running = {}
        rate = learning_rate(self._during, self.state.step - 1 - self.leg.begin, self.leg.steps)
        line = self.log_line(epoch) | {"pieces": self.state.pieces, "learning_rate": rate}
        if self.group.leads:
            self.folder.log(line | {"train_loss": means})
        return f"loss {sum(means.values()) / max(len(means), 1):.3f}"

    def log_line(self, epoch: int) -> dict[str, Any]:
        """Return what every line of the log begins with: the phase where there are several, and its epoch, from 1."""
        phase = {"phase": self.phase + 1} if self.settings.phase else {}
        return {"step": self.state.step, **phase, "epoch": epoch + 1}

    def teller(self, progress: Progress | None) -> Tell:
        """Return what passes a note on beside the steps that are done."""

        def tell(note: str) -> None:
            if progress:
                progress(self.state.step, self.total, note)

        return tell

    def save(self) -> None:
        """Write the last checkpoint, all that the next step depends on, unless it is there."""
        if self.saved == self.state.step:
            return
        if self.group.leads:
            tensors = {**self.model.state_dict(), **checkpoint.optimizer_tensors(self.model, self.optimiser)}
            checkpoint.save(self.folder.last, tensors, asdict(self.state))
            self.folder.publish()
        self.saved = self.state.step
