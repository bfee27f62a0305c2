"""`auxloom compare`."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from pipelines.commands.options import AsJson, Set
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, print_json, say
from pipelines.extras import need
from pipelines.interrupt import at_interrupt, command_again, on_interrupt
from pipelines.recipes.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from pipelines.commands.studying import Study
    from trainer.study.design import Design

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom compare mine.toml --out study --labels 50,200 --seeds 5 --plan"


def compare(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE.toml", help="A recipe as for `auxloom run`; its table [study] defines the comparison."
        ),
    ],
    out: Annotated[str | None, typer.Option(help="Folder of the study.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Numbers of labelled train rows of the primary, separated by commas; 0: all.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Number of training seeds.")] = None,
    build_seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of datasets, each built with its own seed.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes that train at the same time.")] = 1,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the number of runs, hours and disk space, without starting anything.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep checkpoints and encoded data of finished runs.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Repeat builds and runs that are invalid after a change of the recipe.")
    ] = False,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether auxiliary tasks help a primary task, with equal budgets and control conditions.

    Each finished run is a line of OUT/results.jsonl and is not repeated: a study can be interrupted, moved with its
    folder and continued.
    """
    need("compare", "build", "train")
    from pipelines.commands.studying import dataset_recipes, design_of, open_study, planned_study
    from pipelines.recipes.recipe_file import load_recipe

    known = load_recipe(recipe, overrides or [], {} if out is None else {"out": out})
    design = design_of(known, {"labels": _numbers(labels), "seeds": seeds, "build_seeds": build_seeds})
    recipes = dataset_recipes(known, design)
    built = all(map(_is_built, recipes))
    if plan:
        study = open_study(known, design, overwrite=overwrite) if built else planned_study(known, design)
        _show_plan(study, jobs, as_json=as_json)
        return
    _build_all(known, recipes, overwrite=overwrite, as_json=as_json)
    study = open_study(known, design, overwrite=overwrite)
    if not as_json:
        _show_plan(study, jobs, as_json=False)
    failed = _train(study, design, jobs=jobs, keep=keep)
    _report(study, failed, as_json=as_json)
    raise typer.Exit(1 if failed else 0)


def _build_all(recipe: Recipe, recipes: Sequence[Recipe], *, overwrite: bool, as_json: bool) -> None:
    """Build the datasets of a study, unless its folder holds files of something else."""
    from pipelines.folder.out_folder import check_free

    parts = {"runs", "cache", *(path.name for path in Path(recipe.out).glob("dataset-*"))}
    written = {"results.jsonl", *(f"study.{ending}" for ending in ("json", "csv", "svg"))}
    check_free(recipe.out, "results.jsonl", parts | written, parts)
    for item in recipes:
        _build(item, overwrite=overwrite, as_json=as_json)


def _numbers(text: str | None) -> list[int] | None:
    """Return numbers that are separated by commas."""
    if text is None:
        return None
    try:
        return [int(item.replace("_", "")) for item in text.split(",")]
    except ValueError:
        raise RecipeError(f"--labels {text!r} is not a list of numbers; for example: --labels 50,200") from None


def _build(recipe: Recipe, *, overwrite: bool, as_json: bool) -> None:
    """Build a dataset, or finish it; one of another recipe is built again if it may be."""
    from pipelines.commands.build_command import build_dataset

    quiet = as_json or _is_built(recipe)
    try:
        code = build_dataset(recipe, overwrite=False, as_json=False, quiet=quiet)
    except ValueError:
        if not overwrite:
            raise
        code = build_dataset(recipe, overwrite=True, as_json=False, quiet=quiet)
    if code:
        raise typer.Exit(code)


def _is_built(recipe: Recipe) -> bool:
    """Return whether the dataset of a recipe is finished."""
    from pipelines.folder.layout import MANIFEST

    return (Path(recipe.out) / MANIFEST).exists()


def _show_plan(study: "Study", jobs: int, *, as_json: bool) -> None:
    """Print what a study consists of, and what is left."""
    cost, left = study.cost(jobs), study.left
    second = [item for item in study.trials if not item.pretraining]
    ended = len(second) - sum(not item.pretraining for item in left)
    if as_json:
        runs = [
            {"condition": item.condition, "labels": item.labels, "build": item.build, "seed": item.seed,
             "digest": item.digest, "sub_words": item.budget} for item in left
        ]  # fmt: skip
        print_json({"runs": len(second), "ended": ended, "left": runs, **cost.to_json(), "built": bool(study.datasets)})
        return
    design, firsts = study.design, sum(item.pretraining for item in left)
    labels = ", ".join(str(number or "all") for number in design.labels)
    say(
        f"study of {study.roles.primary}: {len(second)} runs = {len(design.conditions)} conditions x {labels} labels x "
        f"{design.build_seeds} builds x {design.seeds} seeds; {ended} finished; {len(left) - firsts} runs and "
        f"{firsts} pretraining runs left"
    )
    speed = f"{cost.speed:,.0f} sub-words a second{'' if cost.measured else ', estimated: no run has finished yet'}"
    say(f"left: {cost.tokens:,} sub-words, {_lasting(cost.hours)} with --jobs {jobs} ({speed})")
    say(f"disk: about {cost.disk / 1e6:,.0f} MB of checkpoints at the same time, besides datasets and encoded data")
    if not study.datasets:
        say("the datasets are not built yet, so labels and finished runs were not counted")


def _lasting(hours: float) -> str:
    """Return a duration in minutes or hours."""
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(hours * 60, 1):.0f} minutes"


def _train(study: "Study", design: "Design", *, jobs: int, keep: bool) -> dict[str, str]:
    """Carry out what is left."""
    from pipelines.recipes.loading import find_own_modules
    from trainer.study.conduct import conduct

    find_own_modules(str(Path.cwd()))
    on_interrupt(f"finished runs are kept; continue with: {command_again()}")
    with Bar(ERR, "compare", "runs") as bar, ExitStack() as stack:

        def tell(done: float, total: float, note: str) -> None:
            bar(done, total, escape(note))

        def watch(end: Callable[[], None]) -> None:
            stack.enter_context(at_interrupt(end))

        return conduct(
            study.trials,
            study.results,
            study.place,
            study.datasets,
            primary=study.roles.primary,
            group=design.group,
            jobs=jobs,
            keep=keep,
            tell=tell,
            watch=watch,
        )


def _report(study: "Study", failed: dict[str, str], *, as_json: bool) -> None:
    """Write and print what was found."""
    from trainer.data.dataset import Dataset
    from trainer.files import write
    from trainer.score.report import write as write_json
    from trainer.study.curves import curves_of
    from trainer.study.gains import summarised
    from trainer.study.label_spaces import relate
    from trainer.study.relation_table import relation_lines
    from trainer.study.study_table import csv_of, study_lines

    found: dict[str, Any] = summarised(study.results.of(study.trials), study.trials, study.design, failed)
    found |= {"primary": study.roles.primary, "auxiliaries": list(study.roles.auxiliaries), "notes": study.overlap()}
    found["relations"] = relate(Dataset.open(study.datasets[0]), study.roles.primary)
    found["design"] = study.design.model_dump(mode="json")
    write_json(study.place.path / "study.json", found)
    write(study.place.path / "study.csv", csv_of(found))
    write(study.place.path / "study.svg", curves_of(found))
    if as_json:
        print_json(found)
        return
    for line in study_lines(found):
        say(line)
    say("label spaces (auxloom relate):")
    for line in relation_lines(found["relations"]):
        say(line)


COMMAND = compare
