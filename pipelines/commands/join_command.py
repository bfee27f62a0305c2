"""`auxloom join`."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.commands.options import AsJson, Beam, Check, Runner, Workers, flags_of
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, OUT, print_json, say, warn
from pipelines.extras import need
from pipelines.interrupt import command_again, on_interrupt
from pipelines.layers.layer_options import Name
from pipelines.recipes.recipe import RecipeError

if TYPE_CHECKING:
    from pipelines.layers.join import Joined

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom join data diseases.jsonl --label disease=token:tags"

Label = Annotated[
    list[str] | None,
    typer.Option("--label", help="Labels of OTHER: NAME=KIND[:COLUMN] in files, or NAME in a dataset. Repeatable."),
]
On = Annotated[
    Literal["id", "order", "tokens"] | None,
    typer.Option("--on", help="How rows are matched.", show_default="id where both sides have ids, else order"),
]


def join(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    others: Annotated[
        list[str],
        typer.Argument(metavar="OTHER", help="Files with labels, a recipe (.toml) that lists them, or a dataset."),
    ],
    on: On = None,
    labels: Label = None,
    name: Name = None,
    workers: Workers = None,
    runner: Runner = None,
    beam: Beam = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Rebuild the whole layer.")] = False,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Add human labels from another annotation of the same text, as a layer of a dataset.

    Matched rows must have the same tokens. For `--on order`, give the files in the order train, validation, test.
    """
    need("join", "build")
    from pipelines.folder.layout import is_dataset
    from pipelines.layers.join import join as make_layer
    from pipelines.recipes.recipe_file import load_recipe

    recipes = [path for path in others if path.endswith(".toml")]
    if recipes and (len(others) > 1 or labels):
        raise RecipeError(
            f"{recipes[0]} is a recipe, which lists its files and labels; do not give other files or --label with it"
        )
    plain = len(others) == 1 and is_dataset(others[0])
    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    with Bar(ERR, "join", "MB") as bar:
        joined = make_layer(
            dataset,
            load_recipe(recipes[0], []) if recipes else others,
            on=on,
            labels={item: {} for item in labels or []} if plain else flags_of(label=labels).get("labels", {}),
            name=name or "",
            run=flags_of(workers=workers, runner=runner, beam=beam)["run"],
            overwrite=overwrite,
            check=check,
            progress=bar,
            say=warn,
        )
    _print(joined, as_json=as_json)
    raise typer.Exit(joined.exit_code)


def _print(joined: "Joined", *, as_json: bool) -> None:
    """Print what came of a join."""
    if as_json:
        facts = {"on": joined.on, "joined": dataclasses.asdict(joined.compared), "unread": list(joined.unread)}
        print_json(joined.report.to_json() | facts | {"exit_code": joined.exit_code})
        return
    for line in joined.lines():
        say(line)
    joined.report.print(OUT)
    for line in joined.unread:
        say(f"warning: {line}")


COMMAND = join
