"""A training run: opened or resumed, trained by `trainer.loop`, evaluated and reported."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from labelers.ragged import IntArray
from labelers.task import Task
from trainer import checkpoint
from trainer.data.cache import EncodedDataset, encode
from trainer.data.chosen_labels import check_choice, chosen_labels
from trainer.data.dataset import Dataset
from trainer.data.inputs import check_views
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import Tell, evaluate, uninformed
from trainer.files import write
from trainer.folder import RunFolder
from trainer.inherit import completed, hand_on, inherited, take_over
from trainer.kinds import untrained
from trainer.mark import Mark
from trainer.memory import give_back
from trainer.model.model import Model
from trainer.processes.group import Group
from trainer.schedule.choices import decided
from trainer.schedule.course import Course, Ended, Leg
from trainer.schedule.groups import parameter_groups
from trainer.schedule.optimiser import learning_rate, make_optimiser
from trainer.schedule.streams import Streams, check
from trainer.score import report
from trainer.score.metrics import FEW, Predictions, score
from trainer.score.select import VALIDATION, Best, value_of
from trainer.score.surfaces import read_forms, train_forms, write_forms
from trainer.settings import Settings
from trainer.state import State

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
        self.untrained = {task.name: reason for task in dataset.tasks if (reason := untrained(task))}
        self._able = [task for task in dataset.tasks if task.name not in self.untrained]
        trained = self._chosen_tasks()
        if not trained:
            raise self._nothing_to_train()
        check(trained, settings)
        check_views(trained, dataset.splits["train"])
        self._encoder = find_encoder(settings.model.encoder)
        self.validation = VALIDATION if VALIDATION in dataset.splits else ""
        self._check_validation()
        if not mark:
            mark = Mark(dataset.digest, settings)
            folder.claim(mark)
        self.mark = mark
        self.data, self._course = self._begun()
        if self.group.leads:
            self._describe()
        torch.manual_seed(settings.seed)
        self.model = Model(self.data.tasks, folder.learnt, settings).to(self.device)
        self.model.begin(self.data.splits["train"].targets)
        if self.group.leads and not folder.last.exists():
            self._take_over()
        self.saved = -1
        self.state, tensors = self._known()
        self.group.meet(self._alike)
        self._enter()
        if tensors:
            checkpoint.restore(self.model, self.optimiser, tensors)
        self._uninformed = uninformed(self.data, self.validation) if self.group.leads else {}
        give_back()

    def _describe(self) -> None:
        """Write to the folder what is known before the first step."""
        folder, split = self.folder, self.dataset.splits["train"]
        heads = [task.to_json() for task in self.data.tasks]
        write(folder.tasks, json.dumps(heads, indent=1) + "\n")
        write(folder.readings, json.dumps(self.dataset.reading(), indent=1) + "\n")
        if not folder.forms.exists():
            write_forms(folder.forms, train_forms(split, self.data.tasks, self._sampled()))

    def _alike(self) -> dict[str, str]:
        """Return what must be the same in all processes."""
        return {
            "plan": self._course.digest(self.state.ended),
            "dataset": self.dataset.digest,
            "step": str(self.state.step),
            **{name: version(name) for name in ("auxloom", "torch")},
        }

    def _chosen_tasks(self) -> list[Task]:
        """Return the tasks that can and are to be trained."""
        check_choice(self.dataset, self.settings)
        left_out = (task.name for task in self._able if not self.settings.trains(task.name))
        self.untrained |= dict.fromkeys(left_out, "it is not among [train] tasks")
        return [task for task in self._able if self.settings.trains(task.name)]

    def _check_validation(self) -> None:
        """Check that there is a validation split where a setting asks for one."""
        patience = self.settings.patience
        asked = [f"patience = {patience} counts"] if isinstance(patience, int) and patience else []
        asked += [
            "[[phase]] start = 'best' means the best of the" for item in self.settings.phase if item.start == "best"
        ]
        if asked and not self.validation:
            raise ValueError(
                f"{asked[0]} evaluations on the validation split, and {self.dataset.path} has none; leave it out"
            )

    def _take_over(self) -> None:
        """Take over weights that were trained before; a run that cannot begin leaves its folder free."""
        try:
            take_over(self.model, self.folder.learnt, self.settings)
        except ValueError:
            self.folder.clear()
            raise

    def _begun(self) -> tuple[EncodedDataset, Course]:
        """Return the encoded dataset and the course; a run that cannot begin leaves its folder free."""
        try:
            data = self._encoded()
            return data, self._planned(data, self.settings)
        except ValueError:
            if not self.folder.last.exists():
                self.folder.clear()
            raise

    def _planned(self, data: EncodedDataset, settings: Settings) -> Course:
        """Return the course of a run; epochs that began before an extension keep their shares of the tasks."""
        return Course(data, settings, [(item.step, item.epochs[0]) for item in self.mark.extensions])

    def _encoded(self) -> EncodedDataset:
        """Return the dataset encoded for the tasks that can be trained; one without train rows cannot."""
        hand_on(self.settings, self.folder.learnt)
        # of all tasks, so that runs on some of them share the cache
        encoded = encode(self.dataset, self._able, self.folder.learnt, self._encoder, self.settings)
        encoded = chosen_labels(encoded, self.dataset, self.settings)
        tasks = [task for task in self._able if task.name not in self.untrained]
        empty = [task.name for task in tasks if not len(encoded.splits["train"].targets[task.name])]
        self.untrained |= dict.fromkeys(empty, "no train row has a label")
        kept = tuple(task for task in tasks if task.name not in empty)
        if not kept:
            raise self._nothing_to_train()
        return dataclasses.replace(encoded, tasks=kept)

    def _sampled(self) -> dict[str, IntArray]:
        """Return the train rows of the primary that keep their labels, where not all do."""
        primary, train = self.settings.primary, self.data.splits["train"]
        return {primary: train.read(primary).rows[train.targets[primary].where]} if self.settings.labels else {}

    def _nothing_to_train(self) -> ValueError:
        """Return the error that tells why no task can be trained."""
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.untrained.items())
        return ValueError(f"no task of {self.dataset.path} can be trained ({reasons})")

    def _known(self) -> tuple[State, dict[str, Tensor]]:
        """Return the state of the last checkpoint and its tensors; none of a run that begins."""
        state = State()
        tensors: dict[str, Tensor] = {}
        if self.folder.last.exists():
            tensors, known = checkpoint.load(self.folder.last)
            state = State.from_json(known)
            self.saved = state.step
        if self.group.leads:
            self.folder.rewind(state.step)
        if self.settings != self.mark.settings:
            self._extend(state)
        if any(item.step == state.step for item in self.mark.extensions):
            self._begin_extension(state)
        return state, tensors

    def _begin_extension(self, state: State) -> None:
        """Wait anew for a better checkpoint: who asks for more steps does not mean those that patience would spare.

        A best checkpoint of a later step is one of the shorter schedule, from before a break: it counts no more.
        """
        state.best.waited = 0
        if self.folder.best.exists() and checkpoint.load(self.folder.best)[1]["best"]["step"] != state.best.step:
            state.best = Best()

    def _extend(self, state: State) -> None:
        """Note that the run goes on to be longer than it was begun."""
        self.folder.report.unlink(missing_ok=True)  # first: a report is that of the run as its mark says
        before, after = (
            self._planned(self.data, settings).legs(state.ended) for settings in (self.mark.settings, self.settings)
        )
        epochs = before[-1].streams.plan.epochs, after[-1].streams.plan.epochs
        self.mark = self.mark.extended(self.settings, state.step, (_steps(before), _steps(after)), epochs)
        self.mark.write(self.folder.mark)
        self._course = self._planned(self.data, self.settings)

    def _enter(self) -> None:
        """Take up the phase that the state says, with a new optimiser."""
        number = self.phase
        self._legs = self._course.legs(self.state.ended)
        self._during = self.settings.during(number)
        self.model.zero_grad(set_to_none=True)
        self.optimiser = make_optimiser(parameter_groups(self.model, self._during), self._during)
        self.group.adopt(self.model)
        self.group.join(self.model)

    def begin_phase(self) -> None:
        """End the phase, and begin the next one with its last weights, or its best ones."""
        state = self.state
        state.ended.append(self._end())
        if self.settings.phases[self.phase].start == "best" and state.best.step:
            self._go_back()
        state.best = Best()
        self.saved = -1  # what the step left is not what the next one begins with
        self._enter()

    def _go_back(self) -> None:
        """Take up the weights of the best checkpoint, if there is one."""
        if self.group.leads and self.folder.best.exists():
            checkpoint.restore(self.model, None, checkpoint.load(self.folder.best)[0])
        self.group.adopt(self.model)

    def _end(self) -> Ended:
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
        return _steps(self._legs)

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
        behind = self._course.legs([*self.state.ended, self._end()])[self.phase + 1 :]
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
        line = self._line(epoch) | {"pieces": self.state.pieces, "learning_rate": rate}
        if self.group.leads:
            self.folder.log(line | {"train_loss": means})
        return f"loss {sum(means.values()) / max(len(means), 1):.3f}"

    def validate(self, epoch: int, progress: Progress | None = None) -> str:
        """Evaluate on the validation split, keep the weights if they are the best so far, and return a note."""
        if not self.validation:
            return ""
        settings, tell = self.settings, self._tell(progress)
        rows, seed = settings.evaluate_rows, settings.seed
        give_back()  # what steps leave, evaluation cannot use, and the other way round
        made = evaluate(self.model, self.data, VALIDATION, rows=rows, seed=seed, tell=tell, group=self.group)
        found = [item for item in made if len(item.gold)]
        value = self.group.agreed(self._judge(found, epoch) if self.group.leads else 0.0)
        give_back()
        if self.state.best.improves(self.state.step, value) and self.group.leads:
            checkpoint.save(self.folder.best, self.model.state_dict(), asdict(self.state))
        return f"validation {value:.3f}"

    def _judge(self, found: Sequence[Predictions], epoch: int) -> float:
        """Return by what the best checkpoint is chosen, and write it to the log with all scores."""
        losses = {item.task.name: float(item.loss.mean()) for item in found}
        scores = {item.task.name: score(item, replicates=1).value or 0.0 for item in found}
        sure = [item.task.name for item in found if len(item.gold) >= FEW]
        told = self._telling(scores)
        known = [name for name in sure if name in told]
        value = value_of(self.data.tasks, told, known, self.settings.primary, self._uninformed)
        line = self._line(epoch) | {"validation_loss": losses, "validation": scores}
        self.folder.log(line | {"value": value})
        return value

    def _line(self, epoch: int) -> dict[str, Any]:
        """Return what every line of the log begins with: the phase where there are several, and its epoch, from 1."""
        phase = {"phase": self.phase + 1} if self.settings.phase else {}
        return {"step": self.state.step, **phase, "epoch": epoch + 1}

    def _telling(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Return the scores by which a checkpoint of the phase is chosen: of its tasks, in the last one the primary's.

        Heads that are not trained tell nothing of a checkpoint; the primary is what the run is for.
        """
        chosen = {task.name for task in self.streams.tasks}
        if self.phase == len(self.settings.phases) - 1:
            chosen.add(self.settings.primary)
        return {name: score for name, score in scores.items() if name in chosen} or dict(scores)

    def _tell(self, progress: Progress | None) -> Tell:
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
        self.saved = self.state.step

    def finish(self, seconds: float, progress: Progress | None = None) -> dict[str, Any]:
        """Evaluate the best weights on the held-out split, and write the report and return it.

        The report is that of the first process; the others return none.
        """
        self._go_back()
        give_back()
        split, tell = report.held_out(self.data.splits), self._tell(progress)
        found: Iterable[Predictions] = ()
        if split:
            found = evaluate(self.model, self.data, split, tell=tell, group=self.group)
        if self.group.world > 1:
            found = [*found]  # nobody waits while baselines are fitted
            self.group.disperse()
        if not self.group.leads:
            return {}
        made = report.build_report(
            self.dataset,
            self.data,
            found,
            split=split,
            settings=self.settings.model_dump(mode="json"),
            untrained=self.untrained,
            forms=read_forms(self.folder.forms),
            run=self._facts(seconds),
            tell=tell,
        )
        report.write(self.folder.report, made)
        return made

    @property
    def _chosen_by(self) -> str | None:
        """The primary, if it has labels by which a checkpoint can be chosen."""
        primary = self.settings.primary
        targets = self.data.splits[self.validation].targets if self.validation else {}
        return primary if primary in targets and len(targets[primary]) else None

    def _facts(self, seconds: float) -> dict[str, Any]:
        """Return what the report says of the run itself."""
        step = self.state.best.step or self.state.step
        return {
            "steps": self.state.step,
            "planned_steps": self.total,
            "stopped_early": self.state.step < self.total,
            "extended": [item.to_json() for item in self.mark.extensions],
            "best_step": step,
            "best_epoch": self.leg.epoch_of(step - 1) + 1,
            **({"phases": self._course.told([*self.state.ended, self._end()])} if self.settings.phase else {}),
            "chosen_on": self.validation or None,
            "chosen_by": self._chosen_by,
            "pieces": self.state.pieces,
            "encoder": dict(self._encoder.origin(self.folder.learnt)),
            "init": dict(inherited(self.folder.learnt)),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "train_rows": {task.name: len(self.data.splits["train"].targets[task.name]) for task in self.data.tasks},
            "seconds": round(seconds, 1),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            **self.group.facts(),
        }


def _steps(legs: Sequence[Leg]) -> int:
    """Return the steps of some phases."""
    return sum(leg.steps for leg in legs)
