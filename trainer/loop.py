"""Training: a plain loop over the planned steps, with exact resume."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelers.task import Task
from trainer import checkpoint
from trainer.batch import Noise, Request, collate
from trainer.cache import Encoded, encode
from trainer.data import Dataset
from trainer.evaluate import evaluate, mean_losses, moved, prior_loss
from trainer.heads import untrained
from trainer.model import Model
from trainer.plan import EpochPlan
from trainer.settings import Settings
from trainer.streams import Streams

__all__ = ["Progress", "train"]

Progress = Callable[[float, float, str], None]
"""Called with the steps done, all steps and a note."""


@dataclass
class _State:
    """What a checkpoint holds beside tensors."""

    dataset: str
    settings: dict[str, Any]
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    """The step of the best checkpoint and its value; empty before the first evaluation."""
    running: dict[str, list[float]] = field(default_factory=dict)
    """Sum of losses and number of labels of each task since the last line of the log."""
    pieces: int = 0
    """Pieces read so far."""


def train(
    dataset: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    resume: bool = False,
    stop_after: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train one model on all tasks of a dataset and return the report, which also stands in ``out/report.json``.

    Args:
        dataset: a folder that `auxloom build` wrote.
        out: the folder of the run; must be empty or absent unless ``resume`` is given.
        settings: the defaults if None.
        resume: go on where the run in ``out`` stopped; a run that ended only reports again.
        stop_after: stop behind this step as if the machine had gone down, with a checkpoint.
        progress: is told of every step.

    Raises:
        FileNotFoundError: ``dataset`` is no finished dataset.
        ValueError: it has no tasks that can be trained, ``out`` holds something else, or a run on another dataset or
            with other settings.
    """
    run = Run(Path(dataset), Path(out), settings or Settings(), resume=resume)
    run.fit(stop_after, progress or _silent)
    return run.finish() if run.state.step == run.total else {"finished": False, "step": run.state.step}


def _silent(done: float, total: float, note: str) -> None:
    """Show nothing."""


class Run:
    """A training run: the data, the plan, the model and where they stand."""

    def __init__(self, dataset: Path, out: Path, settings: Settings, *, resume: bool) -> None:
        data = Dataset.open(dataset)
        self.out, self.settings = out, settings
        _claim(out, data, settings, resume=resume)
        self.device = _prepared(settings)
        self.untrained = {task.name: reason for task in data.tasks if (reason := untrained(task))}
        self.data = self._encoded(data)
        self.streams = Streams(self.data, settings)
        self.ends = self.streams.plan.ends()
        self.total = int(self.ends[-1])
        if settings.max_steps:
            self.total = min(self.total, settings.max_steps)
        torch.manual_seed(settings.seed)
        self.model = Model(self.data.tasks, self.data.vocabulary, settings).to(self.device)
        self.optimizer = _optimizer(self.model, settings)
        self.state = _State(data.digest, settings.model_dump(mode="json"))
        if resume and (out / "last.safetensors").exists():
            tensors, state = checkpoint.load(out / "last.safetensors")
            checkpoint.restore(self.model, self.optimizer, tensors)
            self.state = _State(**state)
        _truncate(out / "metrics.jsonl", self.state.step)

    def _encoded(self, data: Dataset) -> Encoded:
        """Return the dataset encoded for the tasks that can be trained; one without train rows cannot."""
        tasks = [task for task in data.tasks if task.name not in self.untrained]
        sizes = {"vocabulary": self.settings.vocabulary, "max_pieces": self.settings.max_pieces}
        encoded = encode(data, tasks, self.out, **sizes)
        empty = [task.name for task in tasks if not len(encoded.splits["train"].labels[task.name])]
        self.untrained |= dict.fromkeys(empty, "no train row has a label")
        kept = tuple(task for task in tasks if task.name not in empty)
        if not kept:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.untrained.items())
            raise ValueError(f"no task of {data.path} can be trained ({reasons})")
        return Encoded(encoded.vocabulary, kept, encoded.readings, encoded.splits)

    def fit(self, stop_after: int | None, progress: Progress) -> None:
        """Take all steps that are left, or those up to ``stop_after``."""
        end = self.total if stop_after is None else min(self.total, stop_after)
        note = ""
        for epoch, plan, index in self._steps(self.state.step, end):
            self._step(epoch, plan, index)
            done = self.state.step
            if done % self.settings.log_every == 0 or done == self.total:
                note = self._log(epoch)
            if done in self.ends or done == self.total:
                note = self._validate(epoch)
                self._save()
            progress(done, self.total, note)
        if self.state.step < self.total:
            self._save()

    def _steps(self, start: int, end: int) -> Iterator[tuple[int, EpochPlan, int]]:
        """Yield epoch, plan and index in it of the steps [start, end)."""
        step = start
        while step < end:
            epoch = int(np.searchsorted(self.ends, step, side="right"))
            plan, first = self.streams.plan.epoch(epoch), int(self.ends[epoch - 1]) if epoch else 0
            while step < min(end, int(self.ends[epoch])):
                yield epoch, plan, step - first
                step += 1

    def _step(self, epoch: int, plan: EpochPlan, index: int) -> None:
        """Take one step: read, encode, score, weigh, go down."""
        settings, step = self.settings, self.state.step
        torch.manual_seed(_seed(settings.seed, step))  # dropout: every step draws its own
        rate = self.streams.rate
        noise = Noise.of(settings.seed, epoch, step, rate, self.data.vocabulary.plain)
        batch = collate(self.data.splits["train"], self.data.readings, self.streams.requests(plan, index), noise)
        batch = moved(batch, self.device)
        self.model.train()
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            scores = self.model(batch)
        losses = self.model.losses(batch, scores)
        labels = self.streams.labels(plan)
        total = torch.zeros((), device=self.device)
        for name, loss in losses.items():
            total = total + loss * (settings.weights.get(name, 1.0) / labels[name])
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, self.total)
        self.optimizer.step()
        self.state.step += 1
        self.state.pieces += batch.pieces
        self._count({name: (loss.detach(), len(batch.items[name].label)) for name, loss in losses.items()})

    def _count(self, losses: Mapping[str, tuple[Tensor, int]]) -> None:
        """Add the losses of a step to what the next line of the log will show."""
        for name, (loss, count) in losses.items():
            known = self.state.running.setdefault(name, [0.0, 0.0])
            known[0] += float(loss)
            known[1] += count

    def _log(self, epoch: int) -> str:
        """Write the mean losses since the last line, and return a note of them."""
        means = {name: total / max(count, 1) for name, (total, count) in self.state.running.items()}
        self.state.running = {}
        rate = learning_rate(self.settings, self.state.step - 1, self.total)
        line = {"step": self.state.step, "epoch": epoch, "learning_rate": rate, "pieces": self.state.pieces}
        _append(self.out / "metrics.jsonl", line | {"train_loss": means})
        return f"loss {sum(means.values()) / max(len(means), 1):.3f}"

    def _validate(self, epoch: int) -> str:
        """Evaluate on the validation split, and keep the weights if they are the best so far."""
        split = next((name for name in ("validation", "test") if name in self.data.splits), None)
        if split is None:
            return ""
        predictions = evaluate(self.model, self.data, split, rows=self.settings.evaluate_rows, seed=self.settings.seed)
        losses = mean_losses(predictions)
        value = self._value(predictions, losses, split)
        scores = {item.task.name: _score(item, self.settings.seed) for item in predictions if len(item.loss)}
        _append(
            self.out / "metrics.jsonl",
            {"step": self.state.step, "epoch": epoch, "validation_loss": losses, "validation": scores, "value": value},
        )
        if not self.state.best or value > self.state.best["value"]:
            self.state.best = {"step": self.state.step, "value": value}
            checkpoint.save(self.out / "best.safetensors", self.model.state_dict(), self._saved())
        return f"validation {value:.3f}"

    def _value(self, predictions: list[Any], losses: Mapping[str, float], split: str) -> float:
        """Return by what the best checkpoint is chosen, higher is better.

        The primary's metric; without a primary, minus the mean over tasks of loss / loss of the class prior.
        """
        for item in predictions:
            if item.task.name == self.settings.primary and len(item.loss):
                score = _score(item, self.settings.seed)
                return -score if item.task.metric == "nats_per_word" else score
        ratios = [losses[task.name] / max(self._prior(task, split), 1e-9) for task in self.data.tasks if task.name in losses]
        return -sum(ratios) / max(len(ratios), 1)

    def _prior(self, task: Task, split: str) -> float:
        """Return the prior's loss, computed once."""
        known: dict[str, float] = self.__dict__.setdefault("_priors", {})
        if task.name not in known:
            known[task.name] = prior_loss(self.data, task, split)
        return known[task.name]

    def _saved(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return dict(vars(self.state))

    def _save(self) -> None:
        """Write the last checkpoint."""
        tensors = {**self.model.state_dict(), **checkpoint.optimizer_tensors(self.model, self.optimizer)}
        checkpoint.save(self.out / "last.safetensors", tensors, self._saved())

    def finish(self) -> dict[str, Any]:
        """Evaluate the best weights on the held-out split and write the report."""
        from trainer import report

        if (self.out / "best.safetensors").exists():
            tensors, _ = checkpoint.load(self.out / "best.safetensors")
            checkpoint.restore(self.model, None, tensors)
        return report.write(self)


def learning_rate(settings: Settings, step: int, total: int) -> float:
    """Return the learning rate of a step: a linear rise, then a fall to a tenth.

    Example:
        >>> settings = Settings(learning_rate=1.0, warmup=0.1, schedule="linear")
        >>> [round(learning_rate(settings, step, 100), 2) for step in (0, 9, 10, 99)]
        [0.1, 1.0, 1.0, 0.11]
    """
    warm = max(1, round(settings.warmup * total))
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    part = (step - warm) / max(total - warm, 1)
    falls = {"cosine": (1 + math.cos(math.pi * part)) / 2, "linear": 1 - part, "constant": 1.0}
    return settings.learning_rate * (0.1 + 0.9 * falls[settings.schedule])


def _optimizer(model: Model, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW; vectors (norms, biases) do not decay."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))


def _prepared(settings: Settings) -> torch.device:
    """Set torch up so that a run can be repeated bit by bit, and return its device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products on CUDA ask for
    torch.use_deterministic_algorithms(mode=True)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


def _seed(seed: int, step: int) -> int:
    """Return the seed of a step."""
    return (seed * 1_000_003 + step) % (1 << 63)


def _score(item: Any, seed: int) -> float:
    """Return the task's metric."""
    from trainer import metrics

    return float(metrics.score(item.task, item.gold, item, item.documents, seed)["value"])


def _claim(out: Path, data: Dataset, settings: Settings, *, resume: bool) -> None:
    """Make the folder of the run, or check that it holds the run that is to go on."""
    mark = out / "run.json"
    wanted = {"dataset": data.digest, "settings": settings.model_dump(mode="json")}
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder for the run")
    if mark.exists():
        known = json.loads(mark.read_text(encoding="utf-8"))
        if known["dataset"] != wanted["dataset"]:
            raise ValueError(f"{out} holds a run on another dataset than {data.path}; give another folder")
        if not resume:
            raise ValueError(f"{out} holds a run already; add --resume to go on with it, or give another folder")
        differs = [key for key, value in wanted["settings"].items() if known["settings"].get(key) != value]
        if differs:
            raise ValueError(f"{out} holds a run with other settings ({', '.join(differs)}); give another folder")
        return
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} holds something that is no run of auxloom; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps(wanted, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _truncate(path: Path, step: int) -> None:
    """Drop the lines of a log that lie behind a step."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _append(path: Path, line: Mapping[str, Any]) -> None:
    """Write one line to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
