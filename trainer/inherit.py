"""What a run takes over: settings that suit its encoder, and from another run its encoder, tokenizer and heads."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from labelers.task import Task
from trainer import checkpoint
from trainer.encoders.encoder import find_encoder
from trainer.files import places, replacing, write
from trainer.mark import Mark
from trainer.model.model import Model
from trainer.run_place import MARK, found_run
from trainer.settings import Settings

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
            ValueError: the encoder is another one.
        """
        known = checkpoint.load(self.weights)[0]
        encoder = _below(known, "encoder.")
        _check_same(encoder, _below(model.state_dict(), "encoder."), self.name)
        model.encoder.load_state_dict(encoder)
        tasks = [Task.from_json(item) for item in json.loads((self.path / "tasks.json").read_text(encoding="utf-8"))]
        address, named = places([task.name for task in tasks]), {task.name: task for task in tasks}
        taken = [
            task.name
            for task in model.tasks
            if _alike(task, named.get(task.name))
            and _loaded(model, task, _below(known, f"heads.{address[task.name]}."))
        ]
        fresh = [task.name for task in model.tasks if task.name not in taken]
        write(learnt / _NOTE, json.dumps({"run": self.name, "heads": taken, "new_heads": fresh}, indent=1) + "\n")


def completed(settings: Settings) -> Settings:
    """Return the settings of a run that begins, those that were not given as its encoder wants them.

    Raises:
        ValueError: the encoder or the run to begin with cannot be read, or they do not fit.
    """
    if not settings.model.init:
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
    """Return the message about new heads in a run that was initialised from another one; "" where all are known."""
    fresh = inherited(learnt).get("new_heads")
    return f"new heads, which {inherited(learnt)['run']} does not have: {', '.join(fresh)}" if fresh else ""


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


def _alike(task: Task, other: Task | None) -> bool:
    """Tell whether a head of one task can serve another one."""
    return other is not None and (task.kind, task.classes) == (other.kind, other.classes)


def _loaded(model: Model, task: Task, weights: dict[str, Tensor]) -> bool:
    """Give the head of a task its weights if they fit, and return whether they do."""
    own = model.head(task).state_dict()
    fits = {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in weights.items()}
    if fits:
        model.head(task).load_state_dict(weights)
    return fits
