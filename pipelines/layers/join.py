"""A layer of labels that people made elsewhere: annotations of the same text, matched to the rows of a dataset."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from labelers.stores.uri import below
from pipelines.build import Progress, build_plan
from pipelines.display.build_report import BuildReport
from pipelines.folder.layout import LAYERS, MANIFEST, TEMPORARY, Folder, is_dataset
from pipelines.folder.lock import Say
from pipelines.folder.out_folder import check_free
from pipelines.layers.annotated_files import AnnotatedFiles
from pipelines.layers.folders import shard_schema
from pipelines.layers.layer_plan import draft_layer, layer_recipe, named, read_base
from pipelines.layers.matching import Compared, Rows, compared
from pipelines.plans.plan import Plan
from pipelines.recipes.loading import find_own_modules
from pipelines.recipes.recipe import Recipe, RecipeError

__all__ = ["Joined", "On", "join"]

On = Literal["id", "order", "tokens"]

_OTHER = f"{TEMPORARY}other-"
"""The annotations as a dataset, beside the folder of the layer while it is made."""


@dataclass(frozen=True)
class Joined:
    """What came of a join."""

    report: BuildReport
    on: On
    compared: Compared
    unread: Sequence[str] = ()
    """What is wrong with records of the annotations."""
    exit_code: int = 0
    """That of the report, or 1 where too many of these records cannot be used."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        yield from self.compared.lines(self.on)


def join(
    dataset: str,
    other: Sequence[str] | Recipe,
    *,
    on: On | None = None,
    labels: Mapping[str, Any] | None = None,
    name: str = "",
    run: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Joined:
    """Write the labels of other annotations of the same text into a layer of a dataset.

    Args:
        dataset: path or URI of a finished dataset.
        other: files with annotations, or a recipe that names them and their labels; or one dataset.
        on: what rows are matched by; None: ids where both sides bring ids of their own, else the order.
        labels: tables [labels.NAME] of files; of a dataset, names of the labels to take, all if there are none.
        name: of the layer; empty: the names of the labels, joined by ``+``.
        run: the table [run] of a recipe.
        overwrite: make all of the layer again, also of another plan.
        check: compare the digest of every file that is there already.
        progress: see `pipelines.build.build`; as is say.
        say: called with messages that the user should see at once.

    Raises:
        ValueError: annotations that cannot be read, or rows that cannot be matched.
    """
    find_own_modules(str(Path.cwd()))
    folder, base, manifest = read_base(dataset)
    annotated = _dataset_of(other)
    names = _names(other, annotated, labels or {})
    name = named(name or "+".join(names))
    check_free(below(dataset, f"{LAYERS}/{name}"))
    called = "the files of the recipe" if isinstance(other, Recipe) else ", ".join(other)
    unread, code = list[str](), 0
    with _scratch(folder, name) as scratch:
        mine = Rows.of(folder, base, place=dataset)
        on = on or (None if mine.own_ids else "order")
        out = below(dataset, scratch)
        if annotated is None:
            unread, code = AnnotatedFiles(out, base, other, labels or {}, run or {}, called).built(mine, on)
        place = out if annotated is None or isinstance(other, Recipe) else other[0]
        plan, on, found = _Join(dataset, base, manifest, place, called, name, names).draft(mine, on, run or {})
        report = build_plan(plan, overwrite=overwrite, check=check, progress=progress, say=say)
    return Joined(report, on, found, unread, report.exit_code or code)


@contextmanager
def _scratch(folder: Folder, name: str) -> Iterator[str]:
    """Give the name of a folder in that of a dataset, which is removed at the end."""
    scratch = f"{LAYERS}/{_OTHER}{name}"
    try:
        yield scratch
    finally:
        folder.remove_folder(scratch)
        if not folder.names(LAYERS):
            folder.remove_folder(LAYERS)


def _names(other: Sequence[str] | Recipe, annotated: Folder | None, labels: Mapping[str, Any]) -> list[str]:
    """Return the names of the labels to join."""
    names = list(labels or (other.labels if isinstance(other, Recipe) else ()))
    names = _gold_of(annotated, names) if annotated else names
    if not names:
        raise RecipeError("no labels are declared; give --label NAME=KIND[:COLUMN], or a recipe with [labels.NAME]")
    return names


def _dataset_of(other: Sequence[str] | Recipe) -> Folder | None:
    """Return the folder of annotations that are a dataset."""
    if isinstance(other, Recipe) or len(other) != 1:
        return None
    if not is_dataset(other[0]):
        return None
    folder = Folder.at(other[0])
    if not folder.is_file(MANIFEST):
        raise RecipeError(f"the dataset {other[0]} is unfinished (it has no {MANIFEST}); run its build again first")
    return folder


def _gold_of(folder: Folder, wanted: Sequence[str]) -> list[str]:
    """Return the names of the labels of a dataset that people made, all of them or those that are wanted."""
    known = [space.name for space in Plan.read(folder).spaces]
    for name in wanted:
        if name not in known:
            raise RecipeError(f"{folder.path} has no human labels {name!r}; it has {', '.join(known) or 'none'}")
    return list(wanted) or known


@dataclass(frozen=True)
class _Join:
    """A layer of joined labels before it is made."""

    dataset: str
    base: Plan
    manifest: Mapping[str, Any]
    place: str
    """Path or URI of the dataset with the annotations."""
    called: str
    """What a message calls it."""
    name: str
    labels: Sequence[str]

    def draft(self, mine: Rows, on: On | None, run: Mapping[str, Any]) -> tuple[Plan, On, Compared]:
        """Match the rows and return the plan of the layer, what they were matched by, and what came of it."""
        folder = Folder.at(self.place)
        other = Plan.read(folder)
        theirs = Rows.of(folder, other, self.labels, place=self.called)
        by: On = on or ("id" if theirs.own_ids else "order")
        found = compared(mine, theirs, by, self.labels)
        schema = shard_schema(folder, len(other.units))
        assert schema is not None, "a row was matched, so that there is a shard"  # noqa: S101
        rows = folder.read_json(MANIFEST)["rows_blake2b"]
        joined = {"on": by, "rows": rows, "place": folder.path if folder.local else self.place}
        tables = {
            name: table.model_dump(mode="json") for name, table in other.recipe.labels.items() if name in self.labels
        }
        tables = {name: {**table, "on": ""} for name, table in tables.items()}
        recipe = layer_recipe(
            self.dataset, self.base, self.name, {"with": [], "labels": tables, "labelers": {}, "run": dict(run)}
        )
        labels = {name: replace(other.labels[name], schemes={}) for name in self.labels}
        return draft_layer(recipe, self.base, self.manifest, joined=joined, labels=labels), by, found
