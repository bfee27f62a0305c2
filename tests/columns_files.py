"""Records of small input files for the tests of formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelers.text.document import Document, Reject
from pipelines.input.find import find_files
from pipelines.input.units import make_units, read_unit
from pipelines.labels.label_scan import LabelCounts, found_labels
from pipelines.labels.record_labels import label_columns
from pipelines.plans.plan import label_spaces
from pipelines.recipes.recipe import make_recipe
from pipelines.rows.source import Records
from pipelines.rows.text_source import Cutter

__all__ = ["documents", "labelled", "records"]


def records(
    path: Path, labels: Mapping[str, Mapping[str, Any]] | None = None, *, unit: int = 0, **table: Any
) -> list[Document | Reject]:
    """Return the records of a file, read in units of so many bytes."""
    recipe = make_recipe({"input": {"files": [str(path)], **table}, "labels": labels or {}})
    files, _ = find_files(recipe.input)
    columns = [label_columns(recipe, item) for item in recipe.input]
    units = make_units(files, unit, recipe.input)
    return [item for unit in units for item in read_unit(unit, files, recipe.input, labels=columns)]


def documents(path: Path, *arguments: Any, **table: Any) -> list[Document]:
    """Return the records of a file, all of which can be used."""
    found = records(path, *arguments, **table)
    bad = [item for item in found if isinstance(item, Reject)]
    assert bad == []
    return [item for item in found if isinstance(item, Document)]


def labelled(
    path: Path, labels: Mapping[str, Mapping[str, Any]], most: int = 128, **table: Any
) -> tuple[dict[str, list[dict[str, Any]]], Records]:
    """Return the labels of the rows of a file as a build would make them, and the book of its records."""
    recipe = make_recipe({"input": {"files": [str(path)], **table}, "labels": labels, "passage": {"max_tokens": most}})
    found = records(path, labels, **table)
    counts, used = LabelCounts(), [item for item in found if isinstance(item, Document)]
    for document in used:
        counts.add(document)
    spaces = label_spaces(recipe, found_labels(recipe, counts.to_json()))
    batch, book = Cutter(recipe, spaces).cut_labelled(used)
    return {space.name: batch.fields[space.name].to_pylist() for space in spaces}, book
