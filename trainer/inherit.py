"""What a run takes over: settings that suit its encoder, and from another run its encoder, tokenizer and heads."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from labelers.advice import nearest
from labelers.task import Task
from trainer import checkpoint
from trainer.encoders.encoder import find_encoder
from trainer.files import places, replacing, write
from trainer.mark import Mark
from trainer.model.model import Model
from trainer.run_place import MARK, found_run
from trainer.settings import Settings, TaskSettings

__all__ = ["Earlier", "completed", "hand_on", "inherited", "take_over", "told_of"]

_SAME = ("encoder", "vocabulary", "features")
"""Keys of [model] that must be those of the run that another one begins with."""

_NOTE = "init.json"


@dataclass(frozen=True)
class Earlier:
    """A run that another one begins with."""

    path: Path
    name: str
    """What notes and errors call it."""
    settings: Settings

    @classmethod
    def open(cls, run: str) -> Self:
        """Open the folder of a run.

        Raises:
            ValueError: it is none, or it has no checkpoint.
        """
        path, place = found_run(run)
        if not (path / MARK).exists():
            raise ValueError(f"[model] init = {run!r} is not a run of auxloom (it has no run.json); give its folder")
        earlier = cls(path, place or str(path), Mark.read(path / MARK, place).settings)
        if not earlier.weights.exists():
            raise ValueError(f"[model] init = {run!r} has no checkpoint yet; continue it first: auxloom train --resume")
        return earlier

    @property
    def learnt(self) -> Path:
        """What its encoder knew before its first step."""
        return self.path / "learnt"

    @property
    def weights(self) -> Path:
        """Its best checkpoint, else the last one."""
        best = self.path / "best.safetensors"
        return best if best.exists() else self.path / "last.safetensors"

    def fill(self, model: Model, learnt: Path) -> None:
        """Give a model the weights of the encoder and of all heads that fit; note in its folder which these are.

        Raises:
            ValueError: the encoder is another one, or a head is asked for that does not fit.
        """
        known = checkpoint.load(self.weights)[0]
        encoder = _below(known, "encoder.")
        _check_same(encoder, _below(model.state_dict(), "encoder."), self.name)
        model.encoder.load_state_dict(encoder)
        donors = _Donors(self.name, self._tasks(), known)
        taken, others = [], {}
        for task in model.tasks:
            table = model.settings.task.get(task.name, TaskSettings())
            if table.init:
                donors.give(model, task, table)
                others[task.name] = table.init
            elif donors.give_same(model, task):
                taken.append(task.name)
        fresh = [task.name for task in model.tasks if task.name not in (*taken, *others)]
        note: dict[str, Any] = {"run": self.name, "heads": taken, "new_heads": fresh}
        if others:
            note["heads_of_other_tasks"] = others
        write(learnt / _NOTE, json.dumps(note, indent=1) + "\n")

    def _tasks(self) -> list[Task]:
        """Return the tasks that it has heads for."""
        return [Task.from_json(item) for item in json.loads((self.path / "tasks.json").read_text(encoding="utf-8"))]


@dataclass(frozen=True)
class _Donors:
    """The heads of a run that another one begins with."""

    run: str
    tasks: Sequence[Task]
    known: Mapping[str, Tensor]
    """All weights of the run."""

    def _weights(self, name: str) -> dict[str, Tensor]:
        """Return the weights of the head of a task."""
        return _below(self.known, f"heads.{places([task.name for task in self.tasks])[name]}.")

    def give_same(self, model: Model, task: Task) -> bool:
        """Give a head the weights of that of the same task, if they fit, and return whether they do."""
        same = any(
            (task.name, task.kind, task.classes) == (other.name, other.kind, other.classes) for other in self.tasks
        )
        return same and _loaded(model, task, self._weights(task.name))

    def give(self, model: Model, task: Task, table: TaskSettings) -> None:
        """Give a head the weights of that of another task, class by class.

        Raises:
            ValueError: there is no such task or class, or the heads have different forms.
        """
        here = f"[task.{task.name}] init = {table.init!r}"
        other = next((other for other in self.tasks if other.name == table.init), None)
        if other is None:
            names = [one.name for one in self.tasks]
            raise ValueError(
                f"{here}: {self.run} has no such task{nearest(table.init, names)}; it has {', '.join(names)}"
            )
        if task.kind != other.kind:
            raise ValueError(f"{here}: that task is of kind {other.kind!r}, and {task.name} of kind {task.kind!r}")
        head, weights = model.head(task), self._weights(other.name)
        own, axes = head.state_dict(), head.by_class()
        if not axes:
            raise ValueError(f"{here}: heads of kind {task.kind!r} cannot begin with that of another task; remove init")
        mine, theirs = _paired_classes(here, task, other, table.init_classes)
        if own.keys() != weights.keys() or any(
            own[name].shape != weights[name].shape for name in own if name not in axes
        ):
            raise ValueError(
                f"{here}: the head of {self.run} has another form; use the same [model] heads, bag and features"
            )
        for name, tensor in own.items():
            if name not in axes:
                tensor.copy_(weights[name])
            else:
                tensor.index_copy_(axes[name], mine, weights[name].index_select(axes[name], theirs))


def _paired_classes(here: str, task: Task, other: Task, given: Mapping[str, str]) -> tuple[Tensor, Tensor]:
    """Return which classes of a task begin with which of another one: their numbers in both, int64 [P] each.

    Raises:
        ValueError: a class is unknown, or there is no pair.
    """
    pairs = dict(given) or {name: name for name in task.classes if name in other.classes}
    for names, known, whose in ((pairs, task.classes, task.name), (pairs.values(), other.classes, other.name)):
        for name in names:
            if name not in known:
                raise ValueError(
                    f"{here}: init_classes names {name!r}, which is no class of {whose}; it has {', '.join(known)}"
                )
    if not pairs:
        raise ValueError(
            f"{here}: the classes of {task.name} ({', '.join(task.classes)}) and of {other.name} "
            f"({', '.join(other.classes)}) have different names; say which begins with which: init_classes = "
            '{ CLASS = "CLASS OF THE OTHER TASK" }'
        )
    numbers = [[task.classes.index(mine), other.classes.index(theirs)] for mine, theirs in pairs.items()]
    mine, theirs = torch.tensor(numbers).unbind(1)
    return mine, theirs


def completed(settings: Settings) -> Settings:
    """Return the settings of a run that begins, those that were not given as its encoder wants them.

    Raises:
        ValueError: the encoder or the run to begin with cannot be read, or they do not fit.
    """
    if not settings.model.init:
        if name := next((name for name, table in settings.task.items() if table.init), None):
            raise ValueError(
                f"[task.{name}] init = {settings.task[name].init!r} names a task of the run in [model] init, which is "
                "not given; add it"
            )
        return find_encoder(settings.model.encoder).completed(settings)
    earlier = Earlier.open(settings.model.init)
    before = earlier.settings.model
    for key in _SAME:
        if settings.model.given(key) and getattr(settings.model, key) != getattr(before, key):
            raise ValueError(
                f"[model] init = {settings.model.init!r} has {key} = {getattr(before, key)!r}, not "
                f"{getattr(settings.model, key)!r}; remove {key}, or train without init"
            )
    settings = settings.filled({}, before.model_dump(exclude={"init"}))
    return find_encoder(before.encoder).completed(settings, earlier.learnt)


def hand_on(settings: Settings, learnt: Path) -> None:
    """Copy what the encoder of an earlier run knew to the folder of one that begins with it, if it is not there."""
    if settings.model.init and not learnt.exists():
        with replacing(learnt) as temporary:
            shutil.copytree(Earlier.open(settings.model.init).learnt, temporary, ignore=shutil.ignore_patterns(_NOTE))


def take_over(model: Model, learnt: Path, settings: Settings) -> None:
    """Give the model of a run that begins the weights that were trained before, in another run or elsewhere.

    Raises:
        ValueError: they do not fit.
    """
    if settings.model.init:
        Earlier.open(settings.model.init).fill(model, learnt)
    else:
        model.encoder.begin(learnt, settings)


def inherited(learnt: Path) -> Mapping[str, Any]:
    """Return which heads a run took over, by what stands in its folder; nothing of a run that began anew."""
    path = learnt / _NOTE
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return known


def told_of(learnt: Path) -> str:
    """Return the message about the heads of a run that was initialised from another one; "" where all are its own."""
    note = inherited(learnt)
    fresh, others = note.get("new_heads"), note.get("heads_of_other_tasks")
    parts = [f"new heads, which {note['run']} does not have: {', '.join(fresh)}"] if fresh else []
    if others:
        heads = ", ".join(f"{name} (that of {other})" for name, other in others.items())
        parts.append(f"heads that begin with those of other tasks of {note['run']}: {heads}")
    return "; ".join(parts)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _check_same(known: Mapping[str, Tensor], own: Mapping[str, Tensor], run: str) -> None:
    """Check that an encoder has the weights of another one."""
    other = [name for name in {**known, **own} if name not in known or name not in own]
    other += [name for name in own if name in known and own[name].shape != known[name].shape]
    if other:
        raise ValueError(
            f"[model] init: the encoder of {run} is different (in {other[0]}); it must have the same "
            "vocabulary, size and features"
        )


def _loaded(model: Model, task: Task, weights: dict[str, Tensor]) -> bool:
    """Give the head of a task its weights if they fit, and return whether they do."""
    own = model.head(task).state_dict()
    fits = {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in weights.items()}
    if fits:
        model.head(task).load_state_dict(weights)
    return fits
