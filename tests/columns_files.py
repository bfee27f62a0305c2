"""Records of small input files for the tests of formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelers.text.document import Document, Reject
from pipelines.find import find_files
from pipelines.recipe import make_recipe
from pipelines.record_labels import label_columns
from pipelines.units import make_units, read_unit

__all__ = ["documents", "records"]


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
