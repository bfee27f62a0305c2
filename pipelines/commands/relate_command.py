"""`auxloom relate`."""

from typing import Annotated

import typer

from pipelines.commands.options import AsJson
from pipelines.display.terminal import print_json, say
from pipelines.extras import need
from pipelines.layers.layer_options import Layers, NoLayers, layers_asked

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom relate data --primary ner"


def relate(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    primary: Annotated[
        str, typer.Option(help="The task to compare the others with.", show_default="the only one with human labels")
    ] = "",
    layers: Layers = None,
    no_layers: NoLayers = False,
    as_json: AsJson = False,
) -> None:
    """Print label statistics of each task, and their mutual information with the labels of a primary task.

    No model is trained. `auxloom compare` measures whether a task helps another one.
    """
    need("relate", "train")
    from trainer.data.dataset import Dataset
    from trainer.study.label_spaces import relate as related
    from trainer.study.relation_table import relation_lines

    found = related(Dataset.open(dataset, layers_asked(layers, no_layers=no_layers)), primary)
    if as_json:
        print_json(found)
        return
    for line in relation_lines(found):
        say(line)


COMMAND = relate
