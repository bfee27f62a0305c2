"""The report as a table of 80 columns: two lines for each task, and notes below."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["lines", "row_line", "score_cells", "show", "shown", "task_notes", "widths_of"]

PRIOR = (
    "class prior: the most frequent class (accuracy), a random guess at the train rates (F1), "
    "the frequency of the word (nats_per_word)"
)
PRIORS = {"regression": "the train mean (numbers)", "arc": "the most frequent distance to the head (arcs)"}
"""Of kinds that have no such class."""
BASELINE = "best baseline: the best of the class prior and the probes, on the same labels."
SIGNIFICANT = (
    "significantly better: the whole 95 % interval of the score is better than the value of the best baseline; "
    '"-" where there is no interval.'
)

_WIDTH = 80
_FIRST = ("task", "labels", "metric", "score, 95 % interval")
_SECOND = ("class prior", "best baseline", "significantly better")
_WIDEST_NAME = 28
_GAP = "  "


def lines(report: Mapping[str, Any]) -> list[str]:
    """Return the table and the notes as plain lines of at most 80 characters."""
    return [line for line, _ in _styled(report)]


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print a report; on a terminal scores are green where they are better than the best baseline, else yellow."""
    for line, style in _styled(report):
        console.print(Text(line, style=style if console.is_terminal else ""), highlight=False, soft_wrap=True)


def _styled(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    split = report["split"]
    yield (f"scores on the {split} split" if split else "there is no held-out split, so nothing is scored"), "bold"
    entries = report["tasks"]
    first, second = [score_cells(entry) for entry in entries], [_baseline_cells(entry) for entry in entries]
    widths = widths_of([_FIRST, *first])
    widths[0] = min(widths[0], _WIDEST_NAME)
    below = widths_of([_SECOND, *second])
    yield from ((line, "bold") for line in (*_rows(_FIRST, widths), f"{_GAP}{row_line(_SECOND, below)}"))
    for entry, upper, lower in zip(entries, first, second, strict=True):
        style = {True: "green", False: "yellow", None: ""}[entry["better_than_baseline"]]
        yield from ((line, style) for line in _rows(upper, widths))
        yield f"{_GAP}{row_line(lower, below)}", ""
    for note in _notes(report):
        yield from ((line, "") for line in textwrap.wrap(note, _WIDTH, subsequent_indent=_GAP))


def widths_of(rows: list[tuple[str, ...]]) -> list[int]:
    """Return the width of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def row_line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Return aligned cells."""
    return _GAP.join(map(str.ljust, cells, widths)).rstrip()


def _rows(cells: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """Yield the line of a task, after one or more of its name alone where that is too long."""
    name, *others = cells
    if len(name) > widths[0]:
        yield from textwrap.wrap(name, _WIDTH, break_on_hyphens=False) or [name]
        name = ""
    yield row_line((name, *others), widths)


def shown(value: float | None) -> str:
    """Return a score as it is shown."""
    return "-" if value is None else f"{value:.3f}"


def score_cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a task's first line."""
    labels = f"{entry['labels']['held_out']:,}" + ("!" if entry["warnings"] else "")
    return entry["name"], labels, entry["metric"], _with_interval(entry["score"])


def _with_interval(found: Mapping[str, Any] | None) -> str:
    """Return a score and its interval, as far as there are any."""
    interval = "" if not found or found["interval"] is None else " [{:.3f}, {:.3f}]".format(*found["interval"])
    return (shown(found["value"]) if found else "-") + interval


def _baseline_cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a task's second line."""
    if not entry["baselines"]:
        return "-", "-", "-"
    best = entry["baselines"][0]
    better = {True: "yes", False: "no", None: "-"}[entry["better_than_baseline"]]
    return shown(entry["prior"]["value"]), f"{shown(best['value'])} {best['name']}", better


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the table."""
    yield from _run_notes(report)
    yield from (f"not trained: {name}: {reason}" for name, reason in report["not_trained"].items())
    yield from (f"! {entry['name']}: {text}" for entry in report["tasks"] for text in entry["warnings"])
    for entry in report["tasks"]:
        yield from (f"{entry['name']}: {note}" for note in task_notes(entry))
        if lost := sum(entry["lost"].values()):
            yield f"lost: {entry['name']}: {lost:,} rows, cut before the text that their label refers to"
    if any(entry["baselines"] for entry in report["tasks"]):
        further = dict.fromkeys(PRIORS[entry["kind"]] for entry in report["tasks"] if entry["kind"] in PRIORS)
        yield from (", ".join([PRIOR, *further]) + ".", BASELINE, SIGNIFICANT)
    less = dict.fromkeys(entry["metric"] for entry in report["tasks"] if not entry["higher_is_better"])
    yield from (f"{metric}: lower is better." for metric in less)
    if report["note"]:
        yield report["note"]


def task_notes(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield scores by further metrics, and the recall of spans whose form stands in the train split, and of others."""
    for metric, found in entry.get("beside", {}).items():
        baseline = found.get("baseline")
        than = f", best baseline {shown(baseline['value'])} {baseline['name']}" if baseline else ""
        yield f"{metric} {_with_interval(found['score'])}{than}"
    if not (spans := entry.get("spans")):
        return
    parts = [(spans["seen"], "whose form occurs in the train split"), (spans["unseen"], "of new forms")]
    yield "recall " + ", ".join(f"{shown(part['recall'])} of {part['spans']:,} spans {what}" for part, what in parts)


def _run_notes(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield which phases there were, how the checkpoint was chosen, and where the run was extended or stopped."""
    run, split = report.get("run", {}), report["split"]
    if "best_step" not in run:
        return
    for number, item in enumerate(run.get("phases", ()), 1):
        tasks = "all tasks" if len(item["tasks"]) == len(report["tasks"]) else ", ".join(item["tasks"])
        planned = f" of {item['planned_steps']:,}" if item["steps"] < item["planned_steps"] else ""
        yield (
            f"phase {number}: {item['steps']:,}{planned} steps from step {item['first_step']:,}, {item['pieces']:,} "
            f"sub-words, {tasks}"
        )
    if run["chosen_on"]:
        by = f" by the score of {run['chosen_by']}" if run.get("chosen_by") else ""
        phase = f" of phase {len(run['phases'])}" if run.get("phases") else ""
        yield (
            f"checkpoint: step {run['best_step']:,}, in epoch {run['best_epoch']}{phase}, the best on the "
            f"{run['chosen_on']} split{by}"
        )
    else:
        missing = "validation" if split else "held-out"
        yield f"checkpoint: the last, step {run['best_step']:,}; there is no {missing} split"
    if run["chosen_on"] and run["chosen_on"] == split:
        yield f"there is no test split: the checkpoint was selected on the {split} split, so its scores are optimistic"
    for item in run["extended"]:
        before, after = item["steps"]
        if before != after:  # a limit that was raised beyond the end is none
            yield f"extended at step {item['step']:,} from {before:,} to {after:,} steps"
    if run["stopped_early"]:
        patience = report["settings"]["patience"]
        yield (
            f"stopped early at step {run['steps']:,} of {run['planned_steps']:,}: {patience} evaluations without a "
            "better checkpoint"
        )
