"""A study on the command line's side: the datasets that its recipe describes, and what is done about their runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelers.advice import nearest
from labelers.place import local
from pipelines.commands.training import settings_of
from pipelines.folder.layout import MANIFEST
from pipelines.recipes.recipe import Recipe, RecipeError
from trainer.data.dataset import TRAIN, Dataset
from trainer.kinds import kind_of, untrained
from trainer.settings import NO_PRIMARY
from trainer.study.design import Design, make_design
from trainer.study.results import Results, void
from trainer.study.trials import Roles, Trial, fingerprint, roles_of, trials_of

if TYPE_CHECKING:
    from trainer.study.conduct import StudyFolder
    from trainer.study.cost import Cost

__all__ = ["Study", "dataset_recipes", "design_of", "open_study", "planned_study"]


@dataclass(frozen=True)
class Study:
    """A study whose runs are known."""

    place: "StudyFolder"
    design: Design
    roles: Roles
    tables: Mapping[str, Any]
    trials: Sequence[Trial]
    results: Results
    datasets: Sequence[Path]

    @property
    def left(self) -> list[Trial]:
        """The runs that have not ended."""
        from trainer.study.conduct import needed

        return needed(self.trials, self.results, self.place.runs)

    def cost(self, jobs: int) -> "Cost":
        """Return what is left to be paid."""
        from trainer.study.cost import cost_of

        return cost_of(self.left, self.results, self.tables, jobs)

    def overlap(self) -> list[str]:
        """Return how much of the held-out text stands in the train text of each dataset."""
        found = []
        for path in self.datasets:
            book = json.loads((path / MANIFEST).read_bytes()).get("held_out") or {}
            if book.get("grams"):
                found.append(
                    f"{path.name}: {book['seen'] / book['grams']:.1%} of the 8-grams of labelled validation and test "
                    f"passages also occur in train ({book['seen']:,} of {book['grams']:,} in a sample)"
                )
        return found


def _place(recipe: Recipe) -> "StudyFolder":
    """Return where the study of a recipe lies."""
    from trainer.study.conduct import StudyFolder

    return StudyFolder(local(recipe.out, "the folder of a study"))


def dataset_recipes(recipe: Recipe, design: Design) -> list[Recipe]:
    """Return the recipe of the dataset of each build seed.

    Raises:
        RecipeError: it names tasks that none of these datasets will have.
    """
    _check_names(recipe, design)
    place = _place(recipe)
    seeds = range(recipe.seed, recipe.seed + design.build_seeds)
    return [recipe.model_copy(update={"seed": seed, "out": str(place.dataset(seed))}) for seed in seeds]


def open_study(recipe: Recipe, design: Design, *, overwrite: bool = False) -> Study:
    """Open the study of a recipe whose datasets are built.

    Args:
        recipe: of the study.
        design: of the study.
        overwrite: runs that ended with other settings may be done again.

    Raises:
        ValueError: a condition cannot be, there are fewer labels than asked for, or the results are those of another
            study or of other settings.
    """
    tables = _tables(recipe)
    place = _place(recipe)
    paths = [Path(item.out) for item in dataset_recipes(recipe, design)]
    opened = [Dataset.open(path) for path in paths]
    able = [task for task in opened[0].tasks if not untrained(task)]
    roles = roles_of(able, str(tables["train"].get("primary", "")), design)
    for data in opened:
        _check_labels(data, roles.primary, max(design.labels))
    encoder = fingerprint(str(tables["model"].get("encoder", "tiny")))
    trials = trials_of(design, roles, tables, [data.digest for data in opened], encoder)
    results = Results.read(place.results, roles.primary)
    changed, differences = void(results, [item for item in trials if not item.pretraining])
    if changed and not overwrite:
        raise ValueError(
            f"{place.results} has {len(changed)} runs that are no longer valid because the recipe has changed: "
            f"{'; '.join(differences)}; give --overwrite to repeat them, another folder with --out, or the original "
            f"recipe. Affected runs: {_few([item.description for item in changed])}"
        )
    return Study(place, design, roles, tables, trials, results, paths)


def planned_study(recipe: Recipe, design: Design) -> Study:
    """Return the study of a recipe whose datasets are not all built: its runs count, their digests mean nothing."""
    tables = _tables(recipe)
    primary = str(tables["train"].get("primary", "")) or next(iter(recipe.labels), "primary")
    roles = Roles(primary, design.auxiliaries or ("auxiliaries",), design.masked or ("masked words",))
    trials = trials_of(design, roles, tables, [""] * design.build_seeds, "")
    place = _place(recipe)
    return Study(place, design, roles, tables, trials, Results(place.results, {}), [])


def _check_names(recipe: Recipe, design: Design) -> None:
    """Check the names of tasks before anything is built, as far as the recipe determines what tasks there will be.

    Raises:
        RecipeError: neither labels nor a labeler of the recipe can be what a task is named after.
    """
    known = [*recipe.labels, *recipe.with_]
    if any(":" in name for name in recipe.with_):  # the tasks of such a labeler do not follow from its name
        return
    primary = str(recipe.train.get("primary", ""))
    named = {
        "[train] primary": (primary,) if primary not in {"", NO_PRIMARY} else (),
        "[study] auxiliaries": design.auxiliaries,
        "[study] masked": design.masked,
    }
    for key, names in named.items():
        for name in names:
            if not any(name == item or name.startswith((f"{item}.", f"{item}_")) for item in known):
                raise RecipeError(
                    f"{key}: this recipe produces no task {name!r}{nearest(name, known)}; its labels and labelers "
                    f"are {', '.join(known)}"
                )


def design_of(recipe: Recipe, given: Mapping[str, Any]) -> Design:
    """Return the design in a recipe, under what the command line says."""
    return make_design({**recipe.study, **{key: value for key, value in given.items() if value is not None}})


def _tables(recipe: Recipe) -> dict[str, Any]:
    """Return the tables of training that all runs have.

    Raises:
        RecipeError: they contain a key that a study sets itself.
    """
    settings_of(recipe)
    if recipe.phase:
        raise RecipeError("`compare` sets [[phase]] itself; remove it")
    own = ("tasks", "labels", "tokens", "epochs", "steps_per_epoch", "max_steps", "with_labels", "without_labels")
    for key in own:
        if key in recipe.train:
            raise RecipeError(f"`compare` sets [train] {key} itself; remove it, and see the keys of [study]")
    if recipe.model.get("init"):
        raise RecipeError("`compare` sets [model] init itself; remove it")
    tasks = {name: dict(table) for name, table in recipe.task.items()}
    return {"train": dict(recipe.train), "model": dict(recipe.model), "task": tasks}


def _check_labels(data: Dataset, primary: str, wanted: int) -> None:
    """Check that the primary has as many labelled train rows as the largest sample.

    Raises:
        ValueError: it has not.
    """
    task = next(item for item in data.tasks if item.name == primary)
    there = int(np.count_nonzero(kind_of(task).present(data.splits[TRAIN], task)))
    if there < wanted:
        raise ValueError(
            f"--labels asks for {wanted:,} labelled train rows of {primary}, but {data.path} has {there:,}; give a "
            "smaller number, or 0 for all"
        )


def _few(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    shown = 3
    return ", and ".join(["; ".join(names[:shown]), *([f"{len(names) - shown} more"] if len(names) > shown else [])])
