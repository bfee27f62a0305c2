"""What a run has learnt: a JSON object in which each score stands beside what can be had without a network."""

import json
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from labelers.task import Task
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Dataset, Types
from trainer.evaluate import Tell
from trainer.files import write as write_file
from trainer.memory import give_back
from trainer.score.beside import further_scores
from trainer.score.metrics import FEW, Predictions, Score, metric_name, metric_of, score
from trainer.score.probes import ProbeScore, best_first, prior, run_probes
from trainer.score.rows import read_rows, sample
from trainer.score.select import VALIDATION
from trainer.score.surfaces import Forms, recalls

__all__ = ["build_report", "held_out", "note_of", "task_entry", "write"]

_PROBE_ROWS = 50_000  # drawn by the seed where there are more
_PROBE_PIECES = 2_000_000  # sub-words of these rows, about: what bounds the memory of the baselines
_PACKAGES = ("auxloom", "numpy", "pyarrow", "safetensors", "tokenizers", "torch")


def held_out(splits: Mapping[str, object]) -> str:
    """Return the name of the split to report on: test, else validation; "" where there is neither.

    Example:
        >>> held_out({"train": 1, "validation": 2})
        'validation'
    """
    return next((name for name in ("test", "validation") if name in splits), "")


def note_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the note on constructed, predicted and permuted labels, with their names; "" without any."""
    notes, names = [], [entry["name"] for entry in entries if entry["constructed"]]
    if names:
        which = f" ({', '.join(names)})" if len(names) < len(entries) else ""
        notes.append(
            f"Scores on constructed labels{which} show whether a task can be learnt, not whether learning it helps "
            "another task."
        )
    if taught := [entry["name"] for entry in entries if entry.get("taught")]:
        notes.append(f"Scores on labels of a model ({', '.join(taught)}) show how well it is imitated.")
    if permuted := [entry["name"] for entry in entries if entry.get("permuted")]:
        notes.append(f"Trained on labels of other rows, as a control: {', '.join(permuted)}.")
    return " ".join(notes)


def build_report(
    dataset: Dataset,
    data: EncodedDataset,
    predictions: Iterable[Predictions],
    *,
    split: str,
    settings: Mapping[str, Any],
    untrained: Mapping[str, str],
    forms: Forms | None = None,
    run: Mapping[str, Any] | None = None,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Return the report of a run; baselines are fitted here.

    Args:
        dataset: what was trained on.
        data: the same, encoded: it knows which labels the model was trained and evaluated on.
        predictions: of the model, one for each task of ``data`` that has labels in ``split``; none is kept.
        split: what ``predictions`` are about, see `held_out`.
        settings: of the run; ``seed`` also decides the bootstrap and the rows that baselines see.
        untrained: task -> why it was not trained.
        forms: of the spans of the train split, see `trainer.score.surfaces`.
        run: more facts about the run: steps, seconds, device, the checkpoint.
        tell: called with the task whose baselines are fitted.
    """
    entries: dict[str, dict[str, Any]] = {}
    for item in predictions:
        if not len(item.gold):
            continue
        if tell:
            tell(f"fitting the baselines of {item.task.name}")
        give_back()
        known = (forms or {}).get(item.task.name)
        seed = int(settings.get("seed", 0))
        entries[item.task.name] = _entry(dataset, data, item, split=split, seed=seed, known=known)
        give_back()
    tasks = [entries.get(task.name) or task_entry(task, *_trained_on(data, task), None) for task in data.tasks]
    for entry in tasks:
        _add_settings(entry, settings, data)
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "dataset": _told(dataset),
        "settings": dict(settings),
        "run": dict(run or {}),
        "split": split,
        "tasks": tasks,
        "not_trained": dict(untrained),
        "note": note_of(tasks),
    }


def _add_settings(entry: dict[str, Any], settings: Mapping[str, Any], data: EncodedDataset) -> None:
    """Add to the entry of a task what the settings of the run make of it."""
    if settings.get("task", {}).get(entry["name"], {}).get("permuted"):
        entry["permuted"] = True
    if entry["name"] == settings.get("primary"):
        entry["warnings"] += _choice(data, entry["name"])


def _told(dataset: Dataset) -> dict[str, Any]:
    """Return what was trained on."""
    rows = {name: len(part) for name, part in dataset.splits.items()}
    return {"path": dataset.name, "digest": dataset.digest, "rows": rows}


def _version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout
        return "not installed"


def _trained_on(data: EncodedDataset, task: Task) -> tuple[int, dict[str, int]]:
    """Return the number of train labels of a task, and how many rows of each split lost theirs."""
    lost = {name: part.targets[task.name].lost for name, part in data.splits.items()}
    train = data.splits["train"]
    return round(train.targets[task.name].expected(train.inputs[task.name].rate)), lost


def _choice(data: EncodedDataset, primary: str) -> list[str]:
    """Return a warning where few labels of the primary choose the checkpoint."""
    if VALIDATION not in data.splits:
        return []
    part = data.splits[VALIDATION]
    labels = round(part.targets[primary].expected(part.inputs[primary].rate))
    if not labels:
        return [f"no {VALIDATION} label, so the other tasks selected the checkpoint"]
    return [f"only {labels} {VALIDATION} labels selected the checkpoint"] if labels < FEW else []


def _entry(
    dataset: Dataset, data: EncodedDataset, found: Predictions, *, split: str, seed: int, known: Collection[str] | None
) -> dict[str, Any]:
    """Return the entry of one task that has held-out labels; its baselines are fitted here."""
    task, types = found.task, Types()
    sequences = {name: data.splits[name].read(task.name) for name in ("train", split)}
    rows = {name: known.rows[data.splits[name].targets[task.name].where] for name, known in sequences.items()}
    lengths = sequences["train"].lengths[data.splits["train"].targets[task.name].where]
    limit = min(_PROBE_ROWS, round(_PROBE_PIECES / max(float(lengths.mean()), 1)))
    chosen = sample(rows["train"], limit, seed)
    fitted = read_rows(dataset.splits["train"], task, types, chosen, spell=data.tokenizer.encode)
    held = read_rows(dataset.splits[split], task, types, rows[split])
    scores = score(found, seed), prior(fitted, held, seed), run_probes(fitted, held, seed)
    entry = task_entry(task, *_trained_on(data, task), scores) | further_scores(found, seed, (fitted, held))
    return entry if known is None else entry | {"spans": recalls(found, held, known)}


def task_entry(
    task: Task, train_labels: int, lost: Mapping[str, int], scores: tuple[Score, ProbeScore, list[ProbeScore]] | None
) -> dict[str, Any]:
    """Return what the report says about one trained task.

    Args:
        task: the task.
        train_labels: labels that it was trained on.
        lost: split -> rows that lost their label because it speaks of a part that was cut.
        scores: of the model, the class prior and the probes; None without held-out labels.
    """
    metric = metric_of(task)
    held = scores[0].labels if scores else 0
    entry: dict[str, Any] = {
        "name": task.name,
        "labeler": task.labeler,
        "version": task.version,
        "kind": task.kind,
        "paper": task.paper,
        "constructed": task.constructed,
        **({"taught": True} if task.taught else {}),
        "classes": list(task.classes),
        "labels": {"train": train_labels, "held_out": held},
        "lost": dict(lost),
        "metric": metric_name(task),
        "higher_is_better": metric.higher,
        "warnings": [] if held >= FEW else [_few(held)],
    }
    if scores is None:
        nothing = dict.fromkeys(("better_than_prior", "better_than_baseline"))
        return entry | {"score": None, "prior": None, "baselines": []} | nothing
    model, base, probes = scores
    # the prior goes first among equals: it knows least
    baselines = best_first(task, [base, *(item for item in probes if item.name != base.name)])
    return entry | {
        "score": model.to_json(),
        "prior": base.to_json(),
        "baselines": [item.to_json() for item in baselines],
        "better_than_prior": _better(model, base.score, higher=metric.higher),
        "better_than_baseline": _better(model, baselines[0].score, higher=metric.higher),
    }


def _few(labels: int) -> str:
    """Return a warning of few held-out labels."""
    if not labels:
        return "no held-out label, so no score"
    return f"only {labels} held-out labels: read the interval, not the score"


def _better(model: Score, other: Score, *, higher: bool) -> bool | None:
    """Tell whether the model's whole interval is better than the other's value; None without an interval."""
    if model.low is None or model.high is None or other.value is None:
        return None
    return model.low > other.value if higher else model.high < other.value


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON."""
    write_file(path, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
