"""Files with annotations, made into a dataset that is cut as the one that they are joined with."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from labelers.text.document import Document
from pipelines.build import build
from pipelines.folder.layout import SPLITS, Folder, rejects_name
from pipelines.formats import FORMATS
from pipelines.input.find import find_files
from pipelines.input.records import Range, Unit
from pipelines.input.units import read_unit
from pipelines.labels.record_labels import label_columns
from pipelines.layers.matching import Rows, check_known_order, differ
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe
from pipelines.rows.cutter import Cutter

__all__ = ["AnnotatedFiles"]

_CUT = ("text", "passage", "dedup")
"""Tables of a recipe by which text is cut."""
_PLACES = ("files", "train", "validation", "test", "labels", "format", "columns", "record", "where", "licence")
_NO_ID = "\0none"
"""The name of a field that no record has."""
_LOOKED_AT = 200
"""Records that are compared with the rows of the dataset before all are read."""


@dataclass(frozen=True)
class AnnotatedFiles:
    """Files with annotations, which are cut as the base is."""

    out: str
    """Where their dataset is built."""
    base: Plan
    source: Sequence[str] | Recipe
    labels: Mapping[str, Any]
    run: Mapping[str, Any]
    called: str
    """What a message calls them."""

    def built(self, base: Rows, on: str | None) -> tuple[list[str], int]:
        """Build their dataset, and return what is wrong with records of them, and the exit code of that.

        Args:
            base: rows of the dataset that they are joined with.
            on: what rows are matched by; None: ids if both sides have them, so that those of the records count.

        Raises:
            RecipeError: they cannot be read; or where the order counts, their first records are other rows than the
                first of the dataset.
        """
        recipe = self._recipe(own_ids=on != "order")
        if on == "order":
            check_known_order(base)
            self._check_beginning(base, recipe)
        report = build(recipe, overwrite=True)
        if not report.complete:
            raise RecipeError(f"the annotations cannot be read: {'; '.join(report.failures[:3])}")
        return list(self._unread(report.books["records"])), report.exit_code

    def _recipe(self, *, own_ids: bool) -> Recipe:
        """Return the recipe of the annotations; where the order counts, ids of their own do not."""
        stored = self.base.recipe.stored()
        data: dict[str, Any] = {key: stored[key] for key in _CUT if key in stored}
        if isinstance(self.source, Recipe):
            own = self.source.stored()
            tables = own["input"] if isinstance(own["input"], list) else [own["input"]]
            labels = own["labels"]
        else:
            first = stored["input"][0] if isinstance(stored["input"], list) else stored["input"]
            same = {key: value for key, value in first.items() if key not in _PLACES}
            tables, labels = [{**same, "train": [item]} for item in self.source], dict(self.labels)
        if not own_ids:
            tables = [{**table, "id": _NO_ID} for table in tables]
        data["dedup"] = {**data.get("dedup", {}), "held_out": False}
        # a label is no row of another split here
        split = {"validation": 0, "test": 0}
        data |= {"with": [], "out": self.out, "input": tables, "labels": labels, "split": split}
        # labels are counted in the layer
        data |= {"max_reject_rate": stored["max_reject_rate"], "max_label_reject_rate": 1}
        return make_recipe({**data, "run": dict(self.run)})

    def _check_beginning(self, base: Rows, recipe: Recipe) -> None:
        """Refuse files of which a row among the first is another one than that of the dataset in its place."""
        if recipe.dedup.documents:  # which records repeat others is not known yet
            return
        batch, _ = Cutter(recipe).cut(list(islice(_first_documents(recipe), _LOOKED_AT)))
        mine = base.table.slice(0, len(batch))
        tokens = batch.vocabulary.strings(batch.codes).to_pylist()
        for i, expected in enumerate(mine.column("tokens").to_pylist()):
            found = tokens[batch.offsets[i] : batch.offsets[i + 1]]
            if expected != found:
                raise RecipeError(differ(mine.column("id")[i].as_py(), batch.ids[i], expected, found))

    def _unread(self, book: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with records: the folder of their dataset is gone when somebody reads it."""
        rejected = sum(book["rejected"].values())
        if rejected:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in book["rejected"].items())
            first = next(iter(_rejects(Folder.at(self.out))))
            note = f": {first['note']}" if first["note"] else ""
            yield (
                f"{rejected:,} of {book['read']:,} records of {self.called} cannot be used ({reasons}), the first "
                f"{first['source']}:{first['place']}{note}"
            )


def _first_documents(recipe: Recipe) -> Iterator[Document]:
    """Yield the documents of the file that comes first in the order of rows."""
    files, _ = find_files(recipe.input)
    splits = {file.split for file in files}
    if "validation" in splits:  # as they are given; else the order of the inputs counts
        first = min(range(len(files)), key=lambda i: (SPLITS.index(files[i].split), i))
    else:
        first = min(range(len(files)), key=lambda i: (files[i].input, i))
    form = FORMATS[files[first].format]
    stop = files[first].size if form.bytewise else form.parts(files[first].path)
    columns = [label_columns(recipe, table) for table in recipe.input]
    unit = Unit(0, (Range(first, 0, stop),))
    for record in read_unit(unit, files, recipe.input, recipe.split.group, labels=columns):
        if isinstance(record, Document):
            yield record


def _rejects(folder: Folder) -> Iterator[Mapping[str, Any]]:
    """Yield the records that were rejected, without labels that were."""
    for unit in range(len(Plan.read(folder).units)):
        if folder.is_file(rejects_name(unit)):
            lines = map(json.loads, folder.read(rejects_name(unit)).splitlines())
            yield from (line for line in lines if not line.get("task"))
