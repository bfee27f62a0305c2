"""What a run has learnt: a JSON object and a table, each score beside what can be had without a network."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labelers.task import Task
from trainer.cache import Encoded
from trainer.data import Dataset, Types
from trainer.metrics import FEW, Predictions, Score, metric_of, score
from trainer.probes import ProbeScore, prior, run_probes
from trainer.rows import read_rows, sample

__all__ = ["NOTE", "build_report", "held_out", "lines", "render", "show", "task_entry", "write"]

NOTE = "Scores on constructed labels tell whether a task can be learnt, not whether learning it helps another task."

PRIOR = (
    "class prior: the most frequent class (accuracy), a random guess at the train rates (F1), "
    "the frequency of the word (nats_per_word)."
)

_PROBE_ROWS = 50_000  # drawn by the seed where there are more
_PACKAGES = ("auxloom", "numpy", "pyarrow", "safetensors", "tokenizers", "torch")
_HEADINGS = ("task", "kind", "labels", "metric", "score", "class prior", "best probe", "clear of it")


def held_out(splits: Mapping[str, object]) -> str:
    """Return the name of the split to report on: test, else validation; "" where there is neither.

    Example:
        >>> held_out({"train": 1, "validation": 2})
        'validation'
    """
    return next((name for name in ("test", "validation") if name in splits), "")


def build_report(
    dataset: Dataset,
    data: Encoded,
    predictions: Sequence[Predictions],
    *,
    split: str,
    settings: Mapping[str, Any],
    untrained: Mapping[str, str],
    run: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the report of a run; probes are fitted here.

    Args:
        dataset: what was trained on.
        data: the same, encoded: it knows which labels the model was trained and evaluated on.
        predictions: of the model, one for each task of ``data`` that has labels in ``split``.
        split: what ``predictions`` are about, see `held_out`.
        settings: of the run; ``seed`` also decides the bootstrap and the rows that probes see.
        untrained: task -> why it was not trained.
        run: more facts about the run: steps, seconds, device.
    """
    found = {item.task.name: item for item in predictions if len(item.gold)}
    seed = int(settings.get("seed", 0))
    tasks = [_task(dataset, data, task, found.get(task.name), split=split, seed=seed) for task in data.tasks]
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "dataset": {"path": str(dataset.path), "digest": dataset.digest},
        "settings": dict(settings),
        "run": dict(run or {}),
        "split": split,
        "tasks": tasks,
        "not_trained": dict(untrained),
        "note": NOTE,
    }


def _version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout
        return "not installed"


def _task(
    dataset: Dataset, data: Encoded, task: Task, found: Predictions | None, *, split: str, seed: int
) -> dict[str, Any]:
    """Return the entry of one task; without held-out labels it has no scores."""
    train = data.splits["train"].labels[task.name]
    rate = data.readings[task.name].rate
    lost = {name: part.labels[task.name].lost for name, part in data.splits.items()}
    counts = {"train": round(train.words * rate) if task.kind == "masked_lm" else len(train.label)}
    if found is None:
        return task_entry(task, counts["train"], lost, None)
    types = Types()
    sequences = {name: data.splits[name].sequences[data.readings[task.name]] for name in ("train", split)}
    rows = {name: known.rows[data.splits[name].labels[task.name].where] for name, known in sequences.items()}
    chosen = sample(rows["train"], _PROBE_ROWS, seed)
    fitted = read_rows(dataset.splits["train"], task, types, chosen, spell=data.vocabulary.encode)
    held = read_rows(dataset.splits[split], task, types, rows[split])
    scores = score(found, seed), prior(fitted, held, seed), run_probes(fitted, held, seed)
    return task_entry(task, counts["train"], lost, scores)


def task_entry(
    task: Task, train_labels: int, lost: Mapping[str, int], scores: tuple[Score, ProbeScore, list[ProbeScore]] | None
) -> dict[str, Any]:
    """Return what the report says about one trained task.

    Args:
        task: the task.
        train_labels: labels that it was trained on.
        lost: split -> rows that lost their label because it speaks of a part that was cut.
        scores: of the model, the class prior and the probes, best first; None without held-out labels.
    """
    metric = metric_of(task)
    held = scores[0].labels if scores else 0
    entry: dict[str, Any] = {
        "name": task.name,
        "labeler": task.labeler,
        "version": task.version,
        "kind": task.kind,
        "paper": task.paper,
        "classes": list(task.classes),
        "labels": {"train": train_labels, "held_out": held},
        "lost": dict(lost),
        "metric": task.metric,
        "higher_is_better": metric.higher,
        "warnings": [] if held >= FEW else [f"only {held} held-out labels: read the interval, not the score"],
    }
    if scores is None:
        return entry | {"score": None, "prior": None, "probes": [], "clear_of_prior": None, "clear_of_probe": None}
    model, base, probes = scores
    return entry | {
        "score": model.to_json(),
        "prior": base.to_json(),
        "probes": [item.to_json() for item in probes],
        "clear_of_prior": _clear(model, base.score, higher=metric.higher),
        "clear_of_probe": _clear(model, probes[0].score, higher=metric.higher) if probes else None,
    }


def _clear(model: Score, other: Score, *, higher: bool) -> bool | None:
    """Tell whether the model's whole interval is better than the other's value; None without an interval."""
    if model.low is None or model.high is None or other.value is None:
        return None
    return model.low > other.value if higher else model.high < other.value


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON."""
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _number(value: float | None) -> str:
    """Return a score as it is shown."""
    return "-" if value is None else f"{value:.3f}"


def _cells(entry: Mapping[str, Any]) -> list[str]:
    """Return the cells of a task's line, in the order of the headings."""
    cells = [entry["name"], entry["kind"], f"{entry['labels']['held_out']:,}" + ("!" if entry["warnings"] else "")]
    cells.append(entry["metric"] + ("" if entry["higher_is_better"] else " (less is better)"))
    shown = entry["score"]
    if shown is None:
        return [*cells, "-", "-", "-", "-"]
    interval = "" if shown["interval"] is None else " [{:.3f}, {:.3f}]".format(*shown["interval"])
    best = entry["probes"][0] if entry["probes"] else None
    probe = "-" if best is None else f"{_number(best['value'])} {best['name']}"
    clear = {True: "yes", False: "no", None: "-"}[entry["clear_of_probe"]]
    return [*cells, _number(shown["value"]) + interval, _number(entry["prior"]["value"]), probe, clear]


def _footnotes(report: Mapping[str, Any]) -> list[str]:
    """Return what stands below the table."""
    notes = [f"not trained: {name}: {reason}" for name, reason in report["not_trained"].items()]
    notes += [f"! {entry['name']}: {text}" for entry in report["tasks"] for text in entry["warnings"]]
    notes += [
        f"lost: {entry['name']}: {sum(entry['lost'].values()):,} rows, cut before what their label speaks of"
        for entry in report["tasks"]
        if sum(entry["lost"].values())
    ]
    return [*notes, PRIOR, NOTE]


def render(report: Mapping[str, Any]) -> Table:
    """Return the table for a terminal: green where the interval is clear of the best probe, yellow where it is not."""
    table = Table(
        title=f"scores on the {report['split']} split",
        caption=Text("\n".join(_footnotes(report))),
        caption_justify="left",
    )
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading == "labels" else "left", overflow="fold")
    for entry in report["tasks"]:
        style = {True: "green", False: "yellow", None: ""}[entry["clear_of_probe"]]
        cells: list[str | Text] = list(_cells(entry))
        cells[4] = Text(str(cells[4]), style=style)
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return table


def lines(report: Mapping[str, Any]) -> list[str]:
    """Return the table as plain lines with aligned columns, then the notes."""
    rows = [list(_HEADINGS), *(_cells(entry) for entry in report["tasks"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [f"scores on the {report['split']} split", *body, *_footnotes(report)]


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print a report: a table on a terminal, plain lines elsewhere."""
    if console.is_terminal:
        console.print(render(report))
        return
    for line in lines(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
