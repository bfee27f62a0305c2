"""Labelled files that are scored, not trained on: a dataset of them, read as that of a run was."""

from collections.abc import Mapping, Sequence
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
        settings: further keys of [input].
        progress: shows how far the build is.

    Raises:
        ValueError: no record has a label.
    """
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
    known = {name: {**table, "on": ""} for name, table in reading.get("labels", {}).items() if name not in labels}
    found = _found(make_recipe({**data, "labels": known}), set(known)) if known else set()
    tables = {name: table for name, table in known.items() if name in found} | dict(labels)
    if not tables:
        names = ", ".join(known) or "none"
        raise ValueError(
            f"no record of {', '.join(files)} has a label of the run ({names}) in its column; say where they stand: "
            "--label NAME=KIND:COLUMN"
        )
    return build(make_recipe({**data, "labels": tables}), progress=progress)


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
