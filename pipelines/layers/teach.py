"""A layer of labels that a trained model makes: teacher labels, with how sure it is of each."""

import importlib.metadata
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labelers.advice import nearest
from labelers.stores.uri import below
from labelers.task import Task
from pipelines.build import Progress, build_plan
from pipelines.display.build_report import BuildReport
from pipelines.folder.layout import LAYERS, SPLITS, Folder, shard_name
from pipelines.folder.lock import Say
from pipelines.folder.out_folder import check_free
from pipelines.layers.folders import taken
from pipelines.layers.layer_plan import draft_layer, layer_recipe, named, read_base
from pipelines.plans.plan import FoundLabels, Plan
from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import TextTable

if TYPE_CHECKING:
    from trainer.folder import RunFolder

__all__ = ["Taught", "teach"]


@dataclass(frozen=True)
class Taught:
    """What came of it."""

    report: BuildReport
    columns: Mapping[str, str]
    """The task of the model, by column."""
    left_out: Mapping[str, str]
    """Why the model cannot be asked the other tasks."""
    seen: bool
    """Rows that the model was trained on were left out."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        for column, task in self.columns.items():
            yield f"labels of the task {task} are the task {column} of the layer" if column != task else f"task {task}"
        for task, reason in self.left_out.items():
            yield f"left out {task}: {reason}"
        if self.seen:
            yield (
                "train rows have no labels of the tasks that the model was trained on with them (--include-train "
                "labels them, too)"
            )


def teach(
    run: str | Path,
    dataset: str,
    name: str,
    *,
    tasks: Sequence[str] = (),
    threshold: float = 0.0,
    entropy: bool = False,
    include_train: bool = False,
    layers: Sequence[str] | None = None,
    table: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Taught:
    """Write what a trained model says of the rows of a dataset into a layer of it.

    Args:
        run: the folder of the run.
        dataset: path of a finished dataset.
        name: of the layer.
        tasks: of the run; none: all that the rows can be asked.
        threshold: labels of a lower probability are left out.
        entropy: write the entropy beside the probability.
        include_train: label the rows that the model was trained on, too.
        layers: with which the run was trained on the dataset, if it was; None: any that fit.
        table: [run] of a recipe.
        overwrite: make all of the layer again, also of another plan.
        check: compare the digest of every file that is there already.
        progress: see `pipelines.build.build`.
        say: see `pipelines.build.build`.

    Raises:
        ValueError: rows that the model cannot label, or whose own data is not there to be left out.
    """
    folder, base, manifest = read_base(dataset)
    check_free(below(dataset, f"{LAYERS}/{named(name)}"))
    model = _Model.open(run)
    model.check_text(dataset, base)
    chosen, left_out = model.choose(dataset, folder, base, tasks)
    columns = _columns(folder, base, name, chosen)
    seen = {"trained_on": "", "layers": []} if include_train else model.seen(dataset, layers)
    asked = {"threshold": threshold, "entropy": entropy, "include_train": include_train}
    taught = {**model.identity(), "tasks": {column: task.name for column, task in columns.items()}, **asked, **seen}
    recipe = layer_recipe(dataset, base, name, _tables(columns, table or {}))
    labels = {column: FoundLabels(task.classes, task.scheme) for column, task in columns.items()}
    plan = draft_layer(recipe, base, manifest, taught=taught, labels=labels)
    report = build_plan(plan, overwrite=overwrite, check=check, progress=progress, say=say)
    return Taught(report, taught["tasks"], left_out, bool(seen["trained_on"]))


def _tables(columns: Mapping[str, Task], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the recipe of the layer has otherwise than that of its base."""
    labels = {column: {"kind": task.kind, "metric": task.metric} for column, task in columns.items()}
    return {"with": [], "labels": labels, "labelers": {}, "run": dict(run)}


def _columns(folder: Folder, base: Plan, layer: str, tasks: Sequence[Task]) -> dict[str, Task]:
    """Return the column of each task: its name, with that of the layer behind it where the dataset has one already."""
    known = {column for column, _ in taken(folder, base, layer)}
    plain = {task.name.replace(".", "_"): task for task in tasks}
    return {f"{name}_{layer}" if name in known else name: task for name, task in plain.items()}


def _have_turns(folder: Folder, plan: Plan) -> bool:
    """Tell whether any row of a dataset has turns."""
    for split, unit in itertools.product(SPLITS, range(len(plan.units))):
        if folder.is_file(name := shard_name(split, unit, len(plan.units))):
            with folder.open(name) as file:
                if any(len(batch.column("turns").flatten()) for batch in pa.ipc.open_stream(file)):
                    return True
    return False


_ALIKE = ("lang", "normalise")
"""Keys of [text] in which the rows must be like those that a model was trained on."""


@dataclass(frozen=True)
class _Model:
    """A run, of which nothing heavy is loaded."""

    run: "RunFolder"
    tasks: Mapping[str, Task]
    reading: Mapping[str, Any]

    @classmethod
    def open(cls, run: str | Path) -> "_Model":
        """Read what stands in the folder of a run.

        Raises:
            FileNotFoundError: it is none, or has no checkpoint.
        """
        from trainer.folder import RunFolder

        folder = RunFolder.of(run)
        if not folder.weights.exists() or not folder.tasks.exists():
            raise FileNotFoundError(f"no checkpoint in {folder.name}; give the folder of a run of `auxloom train`")
        tasks = [Task.from_json(item) for item in json.loads(folder.tasks.read_text(encoding="utf-8"))]
        return cls(folder, {task.name: task for task in tasks}, folder.reading())

    def identity(self) -> dict[str, Any]:
        """Return what a plan says of the model; only its place changes no byte."""
        from trainer.mark import Mark

        return {
            "place": self.run.place or str(self.run.path.resolve()),
            "weights": self.run.weights_digest(),
            "dataset": Mark.read(self.run.mark).dataset,
            "torch": importlib.metadata.version("torch"),
        }

    def check_text(self, dataset: str, base: Plan) -> None:
        """Refuse rows whose text was prepared otherwise than what the model was trained on."""
        stored = {key: value for key, value in self.reading.get("text", {}).items() if key in _ALIKE}
        read = TextTable.model_validate(stored) if self.reading else base.recipe.text
        for key in _ALIKE:
            mine, own = getattr(read, key), getattr(base.recipe.text, key)
            if mine != own:
                raise RecipeError(
                    f"the model in {self.run.name} was trained on text with {key} = {mine!r}, but {dataset} has {own!r}"
                )

    def choose(
        self, dataset: str, folder: Folder, base: Plan, names: Sequence[str]
    ) -> tuple[list[Task], dict[str, str]]:
        """Return the tasks that the rows of a dataset can be asked, and why not the others.

        Raises:
            RecipeError: there is none, or one that is named cannot be asked.
        """
        from trainer.teach.teacher import teachable

        for name in names:
            if name not in self.tasks:
                known = ", ".join(self.tasks)
                raise RecipeError(
                    f"the model in {self.run.name} has no task {name!r}{nearest(name, list(self.tasks))}; it has "
                    f"{known}"
                )
        wanted = [task for task in self.tasks.values() if not names or task.name in names]
        reasons = {task.name: teachable(task, second=base.recipe.second) for task in wanted}
        spoken = any(task.level == "turn" for task in wanted) and _have_turns(folder, base)
        reasons |= {task.name: "the rows have no turns" for task in wanted if task.level == "turn" and not spoken}
        left_out = {name: reason for name, reason in reasons.items() if reason}
        for name in left_out if names else ():
            raise RecipeError(f"{name} cannot be predicted for the rows of {dataset}: {left_out[name]}")
        chosen = [task for task in wanted if task.name not in left_out]
        if not chosen:
            raise RecipeError(
                f"no task of the model in {self.run.name} can be predicted for the rows of {dataset} "
                f"({', '.join(left_out)})"
            )
        return chosen, left_out

    def seen(self, dataset: str, layers: Sequence[str] | None) -> dict[str, Any]:
        """Return where the data lies that the model was trained on, with which layers.

        Raises:
            RecipeError: it is not there.
        """
        from trainer.teach.seen import trained_on

        found = trained_on(self.run, dataset, layers)
        if found is None:
            raise RecipeError(
                f"the dataset that {self.run.name} was trained on was not found, so its rows cannot be excluded; give "
                "--include-train to label them, too"
            )
        return {"trained_on": found[0], "layers": list(found[1])}
