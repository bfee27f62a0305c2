"""The options of commands that build or print, and the recipe that they make."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import typer

from labelers.advice import nearest
from pipelines.commands.training import settings_of
from pipelines.recipes.overrides import set_key
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe
from pipelines.recipes.recipe_tables import LabelKind

__all__ = [
    "Anew",
    "AsJson",
    "Beam",
    "Check",
    "Inputs",
    "Label",
    "Limit",
    "Overwrite",
    "Runner",
    "Seed",
    "Set",
    "Test",
    "Train",
    "Validation",
    "Views",
    "With",
    "Workers",
    "flags_of",
    "recipe_of",
]

Inputs = Annotated[
    list[str] | None, typer.Argument(metavar="INPUT", help="Files, folders or globs; or one recipe (.toml).")
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with", help="A labeler: its name, or module:Class. Repeatable; in woven views earlier ones take precedence."
    ),
]
Label = Annotated[
    list[str] | None,
    typer.Option("--label", help="Labels in the input, as NAME=KIND[:COLUMN]: ner=token:tags. Repeatable."),
]
Train = Annotated[
    list[str] | None, typer.Option("--train", help="File, folder or glob of the train split. Repeatable.")
]
Validation = Annotated[
    list[str] | None, typer.Option("--validation", help="File, folder or glob of the validation split. Repeatable.")
]
Test = Annotated[list[str] | None, typer.Option("--test", help="File, folder or glob of the test split. Repeatable.")]
Views = Annotated[
    str | None, typer.Option(help="separate: one view per labeler; woven: one view with the edits of all labelers.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of worker processes.")]
Seed = Annotated[int | None, typer.Option(help="Seed of all random draws.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Read at most this many records of each file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a recipe key: labelers.disfluency.rate=0.3")]
Runner = Annotated[
    str | None, typer.Option(help="local, dask, flink, spark, portable ...; or a Beam runner's full class name.")
]
Beam = Annotated[list[str] | None, typer.Option("--beam", help="An option of the runner, as KEY=VALUE. Repeatable.")]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Remove the dataset in the folder and rebuild it.")]
Check = Annotated[bool, typer.Option("--check", help="Compare the checksums of existing files, not only their sizes.")]
Anew = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Rebuild the dataset; replace a model that was trained on other data or settings."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def flags_of(
    *,
    out: str | None = None,
    with_: list[str] | None = None,
    views: str | None = None,
    workers: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    runner: str | None = None,
    beam: list[str] | None = None,
    label: list[str] | None = None,
    train: list[str] | None = None,
    validation: list[str] | None = None,
    test: list[str] | None = None,
) -> dict[str, Any]:
    """Return the recipe keys that the options name; what was not given stays out."""
    flags: dict[str, Any] = {"out": out, "with": with_, "views": views, "seed": seed}
    run: dict[str, Any] = {"workers": workers, "runner": runner}
    for item in beam or []:
        set_key(run.setdefault("beam", {}), item)
    flags["input"] = {"limit": limit, "train": train, "validation": validation, "test": test}
    flags["labels"] = dict(map(_label, label or [])) or None
    flags["run"] = run
    return _without_none(flags)


def _label(option: str) -> tuple[str, dict[str, str]]:
    """Return name and table of a label that is given as NAME=KIND[:COLUMN].

    Example:
        >>> _label("ner=token:tags"), _label("mood=passage")
        (('ner', {'kind': 'token', 'column': 'tags'}), ('mood', {'kind': 'passage'}))
    """
    name, equals, rest = option.partition("=")
    kind, colon, column = rest.partition(":")
    if not (name and equals and kind) or (colon and not column):
        raise RecipeError(
            f"--label {option!r} is not of the form NAME=KIND[:COLUMN]; for example: --label ner=token:tags"
        )
    kinds = get_args(LabelKind)
    if kind not in kinds:
        raise RecipeError(
            f"--label {option!r}: unknown kind {kind!r}{nearest(kind, kinds)}; kinds are {', '.join(kinds)}"
        )
    return name, {"kind": kind, "column": column} if column else {"kind": kind}


def _without_none(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without the keys that hold None, at every depth."""
    kept = {key: _without_none(item) if isinstance(item, Mapping) else item for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None}


def recipe_of(inputs: list[str], flags: dict[str, Any], overrides: list[str]) -> Recipe:
    """Return the recipe of a command line: a .toml file or inputs, then options, then overrides.

    A mistake in its settings of training is reported now, not after a build.
    """
    found = _recipe(inputs, flags, overrides)
    settings_of(found)
    return found


def _recipe(inputs: list[str], flags: dict[str, Any], overrides: list[str]) -> Recipe:
    """Return the recipe, of which the tables of the trainer are not checked."""
    from pipelines.recipes.recipe_file import load_recipe

    recipes = [path for path in inputs if path.endswith(".toml")]
    if recipes and len(inputs) > 1:
        raise RecipeError(
            f"{recipes[0]} is a recipe, which lists its input under [input] files; do not give other files with it"
        )
    if recipes:
        return load_recipe(recipes[0], overrides, flags)
    data: dict[str, Any] = flags | {"input": {"files": inputs} | flags["input"]}
    for override in overrides:
        set_key(data, override)
    return make_recipe(data)
