"""The label spaces of a dataset as a table of 80 columns."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.score.table import row_line, shown, widths_of

__all__ = ["relation_lines"]

_WIDTH, _WIDEST_NAME = 80, 24
_OWN = ("task", "labels", "classes", "entropy", "of max", "kurtosis", "per form")
_BESIDE = ("beside {}", "NMI", "vocabulary", "overlap", "agreement")
_NOTES = (
    (
        "entropy: of the classes, in bits; of max: divided by that of equally frequent ones. kurtosis: of the counts "
        "of the classes. Auxiliary labels with a high entropy and a low kurtosis helped more often (Martínez Alonso "
        "and Plank 2017; Kochkina et al. 2018)."
    ),
    "per form: labels for each word form.",
)
_NOTE_BESIDE = (
    "NMI: normalised mutual information of the labels that the same words have in both; vocabulary: share of the word "
    "forms that both have; overlap: their harmonic mean (Schröder and Biemann 2020). agreement: normalised mutual "
    "information of both labels of the same tokens or rows, and how many have both."
)


def relation_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what `trainer.study.label_spaces.relate` found as plain lines of at most 80 characters."""
    return list(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables and the notes."""
    tasks, primary = found["tasks"], found["primary"]
    yield from _table([_OWN, *map(_own, tasks)])
    notes = [*_NOTES]
    others = [entry for entry in tasks if entry["similarity"] or entry["agreement"]]
    if primary and others:
        yield ""
        head = (_BESIDE[0].format(primary), *_BESIDE[1:])
        yield from _table([head, *map(_beside, others)])
        notes.append(_NOTE_BESIDE)
    elif primary:
        notes.append(f"no other task has classes of the same words, tokens or rows as {primary}.")
    else:
        notes.append("no primary was given, and the number of tasks with human labels is not one.")
    for note in [*notes, found["note"]]:
        yield from textwrap.wrap(note, _WIDTH, subsequent_indent="  ")


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield aligned rows; names that are too long stand alone on their line."""
    widths = widths_of(rows)
    widths[0] = min(widths[0], _WIDEST_NAME)
    for name, *cells in rows:
        if len(name) > widths[0]:
            yield name
        yield row_line(("" if len(name) > widths[0] else name, *cells), widths)


def _own(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a task's own labels."""
    classes = "-" if entry["classes"] is None else str(entry["classes"])
    numbers = (shown(entry[name]) for name in ("entropy", "normalised_entropy", "kurtosis"))
    forms = "-" if entry["per_form"] is None else f"{entry['per_form']:.1f}"
    return entry["name"], f"{entry['labels']:,}", classes, *numbers, forms


def _beside(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a task beside the primary."""
    alike, agreement = entry["similarity"] or {}, entry["agreement"]
    numbers = (shown(alike.get(name)) for name in ("nmi", "shared_vocabulary", "text_overlap"))
    both = f"{shown(agreement['nmi'])} of {agreement['common']:,}" if agreement else "-"
    return entry["name"], *numbers, both
