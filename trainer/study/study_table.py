"""The results of a study as a table of 80 columns, and as CSV."""

import csv
import io
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.score.table import row_line, shown, widths_of
from trainer.study.design import CONDITIONS

__all__ = ["csv_of", "study_lines"]

_WIDTH = 80
_COLUMNS = ("labels", "condition", "runs", "mean", "deviation", "over masked, 95 % interval", "verdict")
_SOURCES = (
    "intervals: paired bootstrap over documents (Koehn 2004), 1,000 samples, widened by Student's t over pairs of runs."
)
_COLUMN_NOTE = (
    "runs: finished, and planned where some are left. mean and deviation: of their scores. over masked: the mean "
    "difference of runs with the same seeds."
)
_FEW = 5
"""Pairs of runs below which Student's t is far wider than a normal distribution."""
_VERDICTS = (
    "A gain counts over masked words on the same text (masked), not over the primary alone: helps and hurts mean "
    "that the whole interval lies above or below 0."
)


def study_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what a study found as plain lines of at most 80 characters."""
    return list(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table and the notes."""
    entries = found["conditions"]
    if found["metric"] is None:
        yield "no run has finished yet"
    else:
        yield f"{found['primary']}: {found['metric']} on the {found['split']} split"
    rows = [_COLUMNS, *map(_cells, entries)]
    widths = widths_of(rows)
    for before, row in zip([("",), *rows], rows, strict=False):
        same = before[0] == row[0]
        yield row_line(("" if same else row[0], *row[1:]), widths)
    for note in _notes(found):
        yield from textwrap.wrap(note, _WIDTH, subsequent_indent="  ")


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a condition."""
    gain = entry["over"].get("masked")
    runs = f"{entry['runs']}/{entry['planned']}" if entry["runs"] < entry["planned"] else str(entry["runs"])
    scores = (shown(entry["mean"]), shown(entry["deviation"]))
    labels = f"{entry['labels']:,}" if entry["labels"] else "all"
    if not entry["runs"]:
        return labels, entry["condition"], runs, *scores, "-", "failed" if entry["failures"] else "-"
    return labels, entry["condition"], runs, *scores, _gain(gain) if gain else "", gain["verdict"] if gain else ""


def _gain(gain: Mapping[str, Any]) -> str:
    """Return a gain and its interval."""
    interval = " [{:+.3f}, {:+.3f}]".format(*gain["interval"]) if gain["interval"] else ""
    return f"{gain['gain']:+.3f}{interval}"


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the table."""
    entries = found["conditions"]
    yield from _by_labels(entries)
    for entry in entries:
        for why in entry["failures"]:
            yield f"failed: {entry['condition']}, {entry['labels'] or 'all'} labels: {why}"
    fewest = min((gain["pairs"] for entry in entries for gain in entry["over"].values()), default=0)
    if fewest == 1:
        yield "one run: whatever the interval, a single pair does not show how much runs vary; give --seeds."
    elif 1 < fewest < _FEW:
        yield (
            f"{fewest} pairs of runs: intervals are wide, and only a large gain shows; use --seeds {_FEW} for narrower "
            "intervals."
        )
    if found["control"] is None:
        yield "without the condition masked a gain cannot be distinguished from that of more text and updates."
    else:
        yield _VERDICTS
    yield _COLUMN_NOTE
    yield _SOURCES
    names = dict.fromkeys(entry["condition"] for entry in entries)
    yield "; ".join(f"{name}: {CONDITIONS[name]}" for name in CONDITIONS if name in names) + "."
    if found["metric"] and not found["higher_is_better"]:
        yield f"{found['metric']}: lower is better; a gain is the decrease."
    yield from found.get("notes", ())


def _by_labels(entries: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is due to the labels of the auxiliaries, and not to their text."""
    for entry in entries:
        if entry["condition"] == "auxiliary" and (gain := entry["over"].get("permuted")):
            verdict = {"helps": "its labels help", "hurts": "its labels hurt", "one run": "one run"}.get(
                gain["verdict"], "not shown that its labels matter"
            )
            yield f"{entry['labels'] or 'all'} labels: auxiliary over permuted {_gain(gain)}: {verdict}."


_FIELDS = (
    "labels", "condition", "runs", "planned", "mean", "deviation", "over", "gain", "low", "high", "pairs", "verdict",
)  # fmt: skip


def csv_of(found: Mapping[str, Any]) -> str:
    """Return the conditions as CSV: a line for each condition and each condition that it is compared with."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _FIELDS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for entry in found["conditions"]:
        for base, gain in (entry["over"] or {"": {}}).items():
            low, high = gain.get("interval") or (None, None)
            writer.writerow({**entry, **gain, "over": base, "low": low, "high": high})
    return file.getvalue()
