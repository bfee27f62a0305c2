"""One run of a study, in whatever process: trained, scored on the held-out split, and returned as sums per document."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from labelers.ragged import IntArray
from trainer import checkpoint
from trainer.data.dataset import Dataset
from trainer.evaluate import evaluate
from trainer.folder import RunFolder
from trainer.loop import fit
from trainer.run import Run
from trainer.score.metrics import metric_name, metric_of
from trainer.score.report import held_out
from trainer.settings import make_settings
from trainer.study.results import FORMAT
from trainer.study.trials import Trial

__all__ = ["TrialRun", "carry_out", "is_trained"]


@dataclass(frozen=True)
class TrialRun:
    """A run, and where it is carried out."""

    trial: Trial
    dataset: Path
    runs: Path
    """Folder of the folders of runs, which have the digests as names."""
    primary: str
    group: str = ""
    """Column whose equal values are one document; "": that of the document."""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.runs / self.trial.digest


def is_trained(folder: Path) -> bool:
    """Tell whether a run that others begin with stands in a folder, whole."""
    return (folder / _DONE).exists()


_DONE = "trained"


def carry_out(job: TrialRun, clock: Callable[[], float] = time.monotonic) -> dict[str, Any]:
    """Train a run, or what is left of it, and return its result.

    Raises:
        ValueError: it cannot be trained like this.
    """
    started, trial = clock(), job.trial
    tables = dict(trial.settings)
    if trial.first:
        tables["model"] = {**tables.get("model", {}), "init": str(job.runs / trial.first.digest)}
    run = _opened(job, Dataset.open(job.dataset), tables)
    fit(run)
    found = {} if trial.pretraining else _scored(run, job)
    if trial.pretraining:
        run.folder.best.unlink(missing_ok=True)  # what follows begins with the last step: all have read as much
        (job.folder / _DONE).touch()
    return _told(run, job) | found | {"seconds": round(clock() - started, 2)}


def _opened(job: TrialRun, data: Dataset, tables: dict[str, Any]) -> Run:
    """Return a run that begins, or goes on where it was broken off."""
    folder = RunFolder(job.folder)
    if job.trial.evaluations:
        steps = folder.settings().steps_per_epoch if folder.mark.exists() else 0
        if not steps:  # how many steps the budget takes is known once they are planned
            steps = -(-Run(data, folder, make_settings(tables)).total // job.trial.evaluations)
            folder.clear()
        tables = {**tables, "train": {**tables["train"], "steps_per_epoch": steps}}
    settings, mark = folder.find(data, make_settings(tables), auto=True, overwrite=True)
    return Run(data, folder, settings, mark)


def _told(run: Run, job: TrialRun) -> dict[str, Any]:
    """Return which run it was, and what it took."""
    trial = job.trial
    return {
        "format": FORMAT,
        "digest": trial.digest,
        "primary": job.primary,
        "condition": trial.condition,
        "labels": trial.labels,
        "build": trial.build,
        "seed": trial.seed,
        "begins_with": trial.first.digest if trial.first else None,
        "dataset": run.dataset.digest,
        "settings": {name: dict(table) for name, table in trial.settings.items()},
        "versions": {name: version(name) for name in ("auxloom", "torch")},
        "steps": run.state.step,
        "planned_steps": run.total,
        "best_step": run.state.best.step or run.state.step,
        "pieces": run.state.pieces,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
    }


def _scored(run: Run, job: TrialRun) -> dict[str, Any]:
    """Return the score of the primary on the held-out split, and the sums of its metric per document.

    Raises:
        ValueError: there is no held-out split, or no label in it.
    """
    if run.folder.best.exists():
        checkpoint.restore(run.model, None, checkpoint.load(run.folder.best)[0])
    split = held_out(run.data.splits)
    if not split:
        raise ValueError(f"{job.dataset} has neither a test nor a validation split; nothing can be compared")
    primary = next(task for task in run.data.tasks if task.name == job.primary)
    (found,) = evaluate(run.model, replace(run.data, tasks=(primary,)), split)
    if not len(found.gold):
        raise ValueError(f"no row of the {split} split has a label of {job.primary}")
    names, groups = _documents(run.dataset, split, found.rows, job.group)
    metric = metric_of(primary)
    sums = metric.sums(found, groups, len(names))
    return {
        "metric": metric_name(primary),
        "task": primary.to_json(),
        "split": split,
        "chosen_on": run.validation or None,
        "validation_labels": run.data.splits[run.validation].targets[job.primary].expected(0) if run.validation else 0,
        "score": float(metric.value(sums.sum(axis=0))),
        "items": len(found.gold),
        "documents": names,
        "sums": [[int(value) if value.is_integer() else value for value in row] for row in sums.tolist()],
    }


def _documents(dataset: Dataset, split: str, rows: IntArray, group: str) -> tuple[list[str], IntArray]:
    """Return the names of documents, and the number of that of each label.

    Raises:
        ValueError: the dataset has no such column.
    """
    try:
        column = dataset.splits[split].column(group or "document").to_pylist()
    except ValueError as error:
        raise ValueError(f"[study] group = {group!r}: {error}") from None
    names, groups = np.unique(np.array([str(column[row]) for row in rows.tolist()]), return_inverse=True)
    return [str(name) for name in names], groups.reshape(-1)
