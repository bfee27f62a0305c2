"""`auxloom build`."""

from typing import Annotated

import typer

from pipelines.commands.options import (
    AsJson,
    Beam,
    Check,
    Inputs,
    Label,
    Limit,
    Overwrite,
    Runner,
    Seed,
    Set,
    Test,
    Train,
    Validation,
    Views,
    With,
    Workers,
    flags_of,
    recipe_of,
)
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, OUT, print_json, warn
from pipelines.extras import need
from pipelines.interrupt import command_again, on_interrupt
from pipelines.layers.layer_options import DropLayers
from pipelines.recipes.recipe import Recipe

__all__ = ["COMMAND", "EXAMPLE", "build_dataset"]

EXAMPLE = "auxloom build news/*.txt --out data --with connective --with disfluency --workers 4"


def build(
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="Folder of the dataset.")] = None,
    with_: With = None,
    label: Label = None,
    train: Train = None,
    validation: Validation = None,
    test: Test = None,
    views: Views = None,
    workers: Workers = None,
    seed: Seed = None,
    limit: Limit = None,
    overrides: Set = None,
    runner: Runner = None,
    beam: Beam = None,
    overwrite: Overwrite = False,
    drop_layers: DropLayers = False,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Build a multi-label dataset from text. Run it again to finish or repair the dataset."""
    need("build", "build")
    flags = flags_of(
        out=out,
        with_=with_,
        views=views,
        workers=workers,
        seed=seed,
        limit=limit,
        runner=runner,
        beam=beam,
        label=label,
        train=train,
        validation=validation,
        test=test,
    )
    recipe = recipe_of(inputs or [], flags, overrides or [])
    code = build_dataset(recipe, overwrite=overwrite, drop_layers=drop_layers, check=check, as_json=as_json)
    raise typer.Exit(code)


def build_dataset(
    recipe: Recipe,
    *,
    overwrite: bool,
    as_json: bool,
    drop_layers: bool = False,
    check: bool = False,
    quiet: bool = False,
) -> int:
    """Build, print the report and return the exit code."""
    from pipelines.build import build as run_build

    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    with Bar(ERR, "build", "MB") as bar:
        report = run_build(recipe, overwrite=overwrite, drop_layers=drop_layers, check=check, progress=bar, say=warn)
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        report.print(OUT)
    return int(report.exit_code)


COMMAND = build
