"""The scores on another dataset as a table of 80 columns: a line for each task, and below it one for each class."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from trainer.score.table import row_line, score_cells, shown, task_notes, widths_of

__all__ = ["class_lines", "show"]

_WIDTH = 80
_FIRST = ("task", "labels", "metric", "score, 95 % interval")
_SECOND = ("class", "precision", "recall", "F1", "labels")
_WIDEST_NAME = 28
_GAP = "  "


def class_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what `trainer.external.evaluate` found as plain lines of at most 80 characters, long names apart."""
    return [line for line, _ in _styled(report)]


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print what `trainer.external.evaluate` found."""
    for line, style in _styled(report):
        console.print(Text(line, style=style if console.is_terminal else ""), highlight=False, soft_wrap=True)


def _styled(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    yield f"scores of {report['run']} on the {report['split']} split of {report['dataset']['path']}", "bold"
    entries = report["tasks"]
    first = [score_cells(entry) for entry in entries]
    widths = widths_of([_FIRST, *first])
    second = [[_class_cells(item) for item in entry["classes"]] for entry in entries]
    below = widths_of([_SECOND, *(cells for lines in second for cells in lines)])
    below[0] = min(below[0], _WIDEST_NAME)
    yield row_line(_FIRST, widths), "bold"
    if any(second):
        yield f"{_GAP}{row_line(_SECOND, below)}", "bold"
    for cells, lines in zip(first, second, strict=True):
        yield row_line(cells, widths), ""
        yield from ((f"{_GAP}{row_line(line, below)}", "") for line in lines)
    for note in _notes(report):
        yield from ((line, "") for line in textwrap.wrap(note, _WIDTH, subsequent_indent=_GAP))


def _class_cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a class."""
    values = (shown(entry[name]) for name in ("precision", "recall", "f1"))
    return entry["class"] or "-", *values, f"{entry['labels']:,}"


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the table."""
    for entry in report["tasks"]:
        yield from (f"{entry['name']}: {note}" for note in task_notes(entry))
        yield from (f"! {entry['name']}: {text}" for text in entry["warnings"])
        if lost := sum(entry["lost"].values()):
            yield f"lost: {entry['name']}: {lost:,} rows, cut before the text that their label refers to"
    yield from (f"not scored: {name}: {reason}" for name, reason in report["left_out"].items())
