"""Training: a plain loop over the planned steps, with exact resume."""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer import checkpoint, report
from trainer.batch import Noise, collate
from trainer.cache import Encoded, encode
from trainer.data import Dataset
from trainer.evaluate import evaluate, moved, unigram_nats
from trainer.folder import RunFolder
from trainer.heads import untrained
from trainer.metrics import FEW, metric_of, score
from trainer.model import Model
from trainer.optimiser import learning_rate, make_optimiser
from trainer.plan import EpochPlan
from trainer.settings import Settings
from trainer.streams import Streams, check

__all__ = ["Progress", "Run", "train"]

Progress = Callable[[float, float, str], None]
"""Called with the steps done, all steps and a note."""


def train(
    dataset: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    stop_after: int | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Train one model on all tasks of a dataset and return the report, which also stands in ``out/report.json``.

    Args:
        dataset: a folder that `auxloom build` wrote.
        out: the folder of the run; must be empty or absent unless ``resume`` or ``overwrite`` is given.
        settings: the defaults if None.
        resume: go on where the run in ``out`` stopped; of one that ended the report is returned.
        overwrite: where the run in ``out`` is on another dataset or has other settings, remove it and begin anew.
        stop_after: stop behind this step, with a checkpoint; what is returned then is no report but
            ``{"finished": False, "step": ...}``.
        progress: is told of every step.
        clock: seconds, rising.

    Raises:
        FileNotFoundError: ``dataset`` is no finished dataset.
        ValueError: it has no tasks that can be trained, ``out`` holds something else, a run on another dataset or with
            other settings, a setting does not fit the tasks or the machine, or the dataset is damaged.
    """
    started = clock()
    run = Run(Path(dataset), Path(out), settings or Settings(), resume=resume, overwrite=overwrite)
    if run.folder.report.exists():
        known: dict[str, Any] = json.loads(run.folder.report.read_text(encoding="utf-8"))
        return known
    run.fit(stop_after, progress)
    if run.state.step < run.total:
        return {"finished": False, "step": run.state.step}
    return run.finish(clock() - started)


@dataclass
class _State:
    """What a checkpoint holds beside tensors."""

    step: int = 0
    pieces: int = 0
    """Pieces read so far."""
    best: dict[str, float] = field(default_factory=dict)
    """Step and value of the best checkpoint; empty before the first evaluation."""
    running: dict[str, list[float]] = field(default_factory=dict)
    """Sum of losses and number of labels of each task since the last line of the log."""


class Run:
    """A training run: the data, the plan, the model, and how far it has come."""

    def __init__(
        self, dataset: Path, out: Path, settings: Settings, *, resume: bool = False, overwrite: bool = False
    ) -> None:
        """Open and encode the dataset, build the model, and go back to the last checkpoint if there is one."""
        self.settings, self.folder, self.dataset = settings, RunFolder(out), Dataset.open(dataset)
        self.device = _prepared(settings)
        self.untrained = {task.name: reason for task in self.dataset.tasks if (reason := untrained(task))}
        check([task for task in self.dataset.tasks if task.name not in self.untrained], settings)
        self.folder.claim(self.dataset, settings, resume=resume, overwrite=overwrite)
        self.data, self.streams = self._begun()
        self.ends = self.streams.plan.ends()
        self.total = min(int(self.ends[-1]), settings.max_steps or int(self.ends[-1]))
        heads = [task.to_json() for task in self.data.tasks]
        self.folder.tasks.write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
        torch.manual_seed(settings.seed)
        self.model = Model(self.data.tasks, self.data.vocabulary, self.data.bigrams, settings).to(self.device)
        self.optimiser = make_optimiser(self.model, settings)
        self.state = _State()
        if self.folder.last.exists():
            tensors, state = checkpoint.load(self.folder.last)
            checkpoint.restore(self.model, self.optimiser, tensors)
            self.state = _State(**state)
        self.folder.rewind(self.state.step)
        self.validation = next((name for name in ("validation", "test") if name in self.data.splits), "")
        self._unigram = unigram_nats(self.data, self.validation)

    def _begun(self) -> tuple[Encoded, Streams]:
        """Return the encoded dataset and its streams; a run that cannot begin leaves its folder free."""
        try:
            data = self._encoded()
            return data, Streams(data, self.settings)
        except ValueError:
            if not self.folder.last.exists():
                self.folder.clear()
            raise

    def _encoded(self) -> Encoded:
        """Return the dataset encoded for the tasks that can be trained; one without train rows cannot."""
        tasks = [task for task in self.dataset.tasks if task.name not in self.untrained]
        sizes = {"vocabulary": self.settings.vocabulary, "max_pieces": self.settings.max_pieces}
        encoded = encode(self.dataset, tasks, self.folder.path, **sizes)
        empty = [task.name for task in tasks if not len(encoded.splits["train"].labels[task.name])]
        self.untrained |= dict.fromkeys(empty, "no train row has a label")
        kept = tuple(task for task in tasks if task.name not in empty)
        if not kept:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.untrained.items())
            raise ValueError(f"no task of {self.dataset.path} can be trained ({reasons})")
        return dataclasses.replace(encoded, tasks=kept)

    def fit(self, stop_after: int | None = None, progress: Progress | None = None) -> None:
        """Take all steps that are left, or those up to ``stop_after``."""
        state, note = self.state, ""
        for epoch, plan, index in self._steps(state.step, min(self.total, stop_after or self.total)):
            self._step(epoch, plan, index)
            over = state.step == self.total
            if state.step % self.settings.log_every == 0 or over:
                note = self._log(epoch)
            if state.step in self.ends or over:
                note = self._validate(epoch)
            if state.step in self.ends or over or state.step % self.settings.save_every == 0:
                self._save()
            if progress:
                progress(state.step, self.total, note)
        self._save()

    def _steps(self, start: int, end: int) -> Iterator[tuple[int, EpochPlan, int]]:
        """Yield the epoch, its plan and the index in it of the steps [start, end)."""
        step = start
        while step < end:
            epoch = int(np.searchsorted(self.ends, step, side="right"))
            plan, first = self.streams.plan.epoch(epoch), int(self.ends[epoch - 1]) if epoch else 0
            while step < min(end, int(self.ends[epoch])):
                yield epoch, plan, step - first
                step += 1

    def _step(self, epoch: int, plan: EpochPlan, index: int) -> None:
        """Take one step: read, encode, score, weigh, descend."""
        settings, step = self.settings, self.state.step
        torch.manual_seed(settings.seed * 1_000_003 + step)  # every step draws its own dropout, whoever was before it
        noise = Noise.of(settings.seed, epoch, step, self.streams.rate, self.data.vocabulary.plain)
        requests = self.streams.requests(plan, index)
        batch = moved(collate(self.data.splits["train"], self.data.readings, requests, noise), self.device)
        self.model.train()
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.model.losses(batch, self.model(batch))
        labels = self.streams.labels(plan)
        # a label weighs the same in whichever step it falls: the divisor is a constant of the epoch
        parts = [loss * (settings.weights.get(name, 1.0) / labels[name]) for name, loss in losses.items()]
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(settings, step, self.total)
        self.optimiser.step()
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
        means = {name: total / max(count, 1) for name, (total, count) in sorted(self.state.running.items())}
        self.state.running = {}
        rate = learning_rate(self.settings, self.state.step - 1, self.total)
        line = {"step": self.state.step, "epoch": epoch, "pieces": self.state.pieces, "learning_rate": rate}
        self.folder.log(line | {"train_loss": means})
        return f"loss {sum(means.values()) / max(len(means), 1):.3f}"

    def _validate(self, epoch: int) -> str:
        """Evaluate on the validation split, and keep the weights if they are the best so far."""
        if not self.validation:
            return ""
        settings = self.settings
        found = evaluate(self.model, self.data, self.validation, rows=settings.evaluate_rows, seed=settings.seed)
        found = [item for item in found if len(item.gold)]
        losses = {item.task.name: float(item.loss.mean()) for item in found}
        scores = {item.task.name: score(item, replicates=1).value or 0.0 for item in found}
        value = self._value(scores, [item.task.name for item in found if len(item.gold) >= FEW])
        line = {"step": self.state.step, "epoch": epoch, "validation_loss": losses, "validation": scores}
        self.folder.log(line | {"value": value})
        if not self.state.best or value > self.state.best["value"]:
            self.state.best = {"step": self.state.step, "value": value}
            checkpoint.save(self.folder.best, self.model.state_dict(), asdict(self.state))
        return f"validation {value:.3f}"

    def _value(self, scores: Mapping[str, float], sure: Sequence[str]) -> float:
        """Return by what the best checkpoint is chosen, higher is better.

        The primary's metric; without a primary the mean over tasks of their metric, of which nats per word count as the
        share that they save of a unigram model's. Not the loss: of a small task it rises while the answers get better.

        Args:
            scores: the metric of each task.
            sure: tasks that have labels enough for their metric to tell something; the others count only if there are
                none.
        """
        metrics = {task.name: metric_of(task) for task in self.data.tasks}
        primary = self.settings.primary
        if primary in scores:
            return scores[primary] if metrics[primary].higher else -scores[primary]
        chosen = {name: scores[name] for name in sure or scores}
        values = [value if metrics[name].higher else 1 - value / self._unigram[name] for name, value in chosen.items()]
        return sum(values) / max(len(values), 1)

    def _save(self) -> None:
        """Write the last checkpoint: all that the next step depends on."""
        tensors = {**self.model.state_dict(), **checkpoint.optimizer_tensors(self.model, self.optimiser)}
        checkpoint.save(self.folder.last, tensors, asdict(self.state))

    def finish(self, seconds: float) -> dict[str, Any]:
        """Evaluate the best weights on the held-out split, and write the report and return it."""
        if self.folder.best.exists():
            checkpoint.restore(self.model, None, checkpoint.load(self.folder.best)[0])
        split = report.held_out(self.data.splits)
        facts = {
            "steps": self.total,
            "best_step": self.state.best.get("step", self.total),
            "pieces": self.state.pieces,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "train_rows": {task.name: len(self.data.splits["train"].labels[task.name]) for task in self.data.tasks},
            "seconds": round(seconds, 1),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
        }
        made = report.build_report(
            self.dataset,
            self.data,
            evaluate(self.model, self.data, split) if split else [],
            split=split,
            settings=self.settings.model_dump(mode="json"),
            untrained=self.untrained,
            run=facts,
        )
        report.write(self.folder.report, made)
        return made


def _prepared(settings: Settings) -> torch.device:
    """Set torch up so that a run can be repeated bit by bit, and return its device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products on CUDA ask for
    torch.use_deterministic_algorithms(mode=True)
    # nothing reads what is not yet written, and filling it costs 8 % of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device = 'cuda', but torch {torch.__version__} finds no GPU; set device = 'auto' or 'cpu', or install "
            "a torch that is built for CUDA"
        )
    return torch.device(settings.device)
