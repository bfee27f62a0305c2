"""Labelled files that are scored, not trained on: a dataset of them, read as that of a run was."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from labelers.text.document import Document
from pipelines.build import build
from pipelines.display.build_report import BuildReport
from pipelines.display.progress import Bar
from pipelines.input.find import find_files
from pipelines.input.units import make_units, read_unit
from pipelines.labels.record_labels import label_columns
from pipelines.recipes.recipe import Recipe, make_recipe

__all__ = ["build_labelled"]


def build_labelled(
    files: Sequence[str],
    out: Path,
    reading: Mapping[str, Any],
    *,
    labels: Mapping[str, Any],
    settings: Mapping[str, Any],
    progress: Bar | None = None,
) -> BuildReport:
    """Build a dataset of which all is test, without labelers.

    Args:
        files: files, folders or globs.
        out: where to build it.
        reading: of the run, see `trainer.data.dataset.Dataset.reading`: how text is cut, and where labels stood.
        labels: tables of labels that replace those of the run; others of which no record has any are left out.
        settings: further keys of [input]; the field with second texts is that of the run, where records have it.
        progress: shows how far the build is.

    Raises:
        ValueError: no record has a label.
    """
    if (second := reading.get("second", "")) and "second" not in settings and _have_second(files, settings, second):
        settings = {**settings, "second": second}
    text = dict(reading.get("text", {}))
    passage = {"max_tokens": text.pop("max_tokens")} if "max_tokens" in text else {}
    data: dict[str, Any] = {
        "out": str(out),
        "with": [],
        "input": {**settings, "test": list(files)},
        "text": text,
        "passage": passage,
        "dedup": {"held_out": False},
    }
    known = {
        name: {**table, "on": ""}
        for name, table in reading.get("labels", {}).items()
        if name not in labels and (table["kind"] != "pair" or "second" in settings)
    }
    found = _found(make_recipe({**data, "labels": known}), set(known)) if known else set()
    tables = {name: table for name, table in known.items() if name in found} | dict(labels)
    if not tables:
        names = ", ".join(known) or "none"
        raise ValueError(
            f"no record of {', '.join(files)} has a label of the run ({names}) in its column; give their columns with "
            "--label NAME=KIND:COLUMN"
        )
    return build(make_recipe({**data, "labels": tables}), progress=progress)


def _have_second(files: Sequence[str], settings: Mapping[str, Any], second: str) -> bool:
    """Tell whether any of the first records have a second text in a field."""
    tables = make_recipe({"input": {**settings, "test": list(files), "second": second}}).input
    found, _ = find_files(tables)
    records = (record for unit in make_units(found, 0, tables) for record in read_unit(unit, found, tables))
    return any(isinstance(record, Document) for record in islice(records, _LOOKED_AT))


_LOOKED_AT = 100
"""Records that are read to find out whether files have second texts."""


def _found(recipe: Recipe, wanted: set[str]) -> set[str]:
    """Return which labels some record has."""
    files, _ = find_files(recipe.input)
    columns = [label_columns(recipe, table) for table in recipe.input]
    found: set[str] = set()
    for unit in make_units(files, 0, recipe.input):
        for record in read_unit(unit, files, recipe.input, labels=columns):
            if isinstance(record, Document):
                found |= record.labels.keys()
                if found >= wanted:
                    return found
    return found
