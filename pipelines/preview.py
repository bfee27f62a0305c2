"""A look at what a build would make: the first rows of a recipe, without writing anything."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelers.label_space import LabelSpace
from labelers.task import Task
from labelers.text.document import Document
from pipelines.display.where import find_tasks, labelled
from pipelines.folder.schema import BATCH_ROWS
from pipelines.input.find import find_files
from pipelines.input.units import make_units, read_unit
from pipelines.labels.label_scan import LabelCounts, found_labels
from pipelines.labels.record_labels import label_columns
from pipelines.plans.plan import label_spaces
from pipelines.plans.planning import class_fields
from pipelines.plans.scan import class_values
from pipelines.recipes.loading import find_own_modules, load_labelers
from pipelines.recipes.recipe import Recipe
from pipelines.rows.context import Context
from pipelines.rows.cutter import Cutter
from pipelines.rows.errors import RowErrors
from pipelines.rows.labelling import copied

__all__ = ["SEARCHED", "preview"]

SEARCHED = 2000
"""Documents in which a preview looks for rows that have a certain label."""

_POOL = 200  # documents of which the pool is made


def preview(recipe: Recipe, n: int, where: str | None = None) -> tuple[list[dict[str, Any]], Sequence[Task]]:
    """Return the first rows that a recipe would make, without building, and the tasks.

    The pool is what stands in the first documents, and classes are all that occur there.

    Args:
        recipe: what to make.
        n: how many rows.
        where: a labeler or task; only rows that have a label of it are returned, and more documents are read.
    """
    find_own_modules(str(Path.cwd()))
    labelers, _ = load_labelers(recipe)
    fields = class_fields(recipe, labelers)
    first = max(n, _POOL)
    documents = _first_documents(recipe, max(first, SEARCHED) if where else first)
    values = {name: {value for item in documents[:first] for value in class_values(item, name)} for name in fields}
    classes = {name: tuple(sorted(found)) for name, found in values.items()}
    spaces = _spaces(recipe, documents)
    cutter = Cutter(recipe, spaces)
    pool = Cutter(recipe).cut(documents[:first])[0] if documents else None
    context = Context.make(recipe, labelers, classes, pool, spaces)
    wanted = find_tasks(context.tasks, where) if where else []
    batch, _ = cutter.cut_labelled(documents)
    rows: list[dict[str, Any]] = []
    step = max(n, BATCH_ROWS) if where else n
    for start in range(0, len(batch), step):
        part = copied(batch.take(np.arange(start, min(start + step, len(batch)))), recipe.copies)
        made = context.label(part, Counter(), RowErrors())
        rows += (made.filter(pa.array(labelled(made, wanted))) if where else made).to_pylist()
        if len(rows) >= n:
            break
    return rows[:n], context.tasks


def _spaces(recipe: Recipe, documents: Sequence[Document]) -> tuple[LabelSpace, ...]:
    """Return the label spaces with the classes that occur in some documents."""
    counts = LabelCounts()
    for document in documents:
        counts.add(document)
    return label_spaces(recipe, found_labels(recipe, counts.to_json()))


def _first_documents(recipe: Recipe, most: int) -> list[Document]:
    """Return the first documents of the input, at most so many."""
    files, _ = find_files(recipe.input)
    unit = make_units(files, recipe.unit.bytes, recipe.input)[0]
    columns = [label_columns(recipe, table) for table in recipe.input]
    records = read_unit(unit, files, recipe.input, recipe.split.group, labels=columns)
    return list(islice((record for record in records if isinstance(record, Document)), most))
