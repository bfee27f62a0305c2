"""`auxloom merge`."""

from typing import Annotated

import typer

from pipelines.commands.options import AsJson
from pipelines.display.terminal import print_json, say
from pipelines.extras import need
from pipelines.interrupt import command_again, on_interrupt
from pipelines.layers.layer_options import Layers

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom merge data --out whole"


def merge(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset with layers.")],
    out: Annotated[str, typer.Option(help="Folder of the new dataset.")],
    layers: Layers = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset and its layers into one folder that `datasets` can load."""
    need("merge", "build")
    from pipelines.layers.layer_options import layers_asked
    from pipelines.layers.merge import merge as make_whole

    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    manifest = make_whole(dataset, out, layers_asked(layers, no_layers=False))
    splits = {name: split["rows"] for name, split in manifest["splits"].items()}
    tasks = list(next(iter(manifest["splits"].values()))["tasks"])
    if as_json:
        print_json({"out": out, "splits": splits, "tasks": tasks})
    else:
        rows = ", ".join(f"{rows:,} {name}" for name, rows in splits.items())
        say(f"{out}: {rows} rows with the labels of {len(tasks)} tasks ({', '.join(tasks)})")


COMMAND = merge
