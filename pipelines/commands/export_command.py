"""`auxloom export`."""

from typing import Annotated

import typer

from labelers.stores.uri import is_stored
from pipelines.commands.options import AsJson
from pipelines.display.terminal import OUT, print_json
from pipelines.extras import need

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom export model --task ner --out tagger"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of `auxloom train` with a pretrained encoder.")],
    out: Annotated[str, typer.Option(help="Folder or URI to write: configuration, weights, tokenizer and a card.")],
    task: Annotated[
        str, typer.Option(help="Also export the head of this token or passage task.", show_default="the encoder alone")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Export a trained model for transformers; exporting a head requires a run with --set model.heads=plain."""
    need("export", "train", "hf")
    from trainer.export.exporting import export as write

    facts = write(run, out, task)
    if as_json:
        print_json(facts)
    elif facts["task"]:
        classes = ", ".join(facts["classes"])
        OUT.print(
            f"{facts['out']}: {facts['class']} for the task {facts['task']} ({classes})",
            highlight=False,
            soft_wrap=True,
        )
        if is_stored(facts["out"]):
            OUT.print("use it: copy it to a folder of this machine, from which transformers loads it", soft_wrap=True)
            return
        first = ", aggregation_strategy='first'" if facts["pipeline"] == "token-classification" else ""
        use = f"transformers.pipeline({facts['pipeline']!r}, model={facts['out']!r}{first})"
        OUT.print(f"use it: {use}", highlight=False, soft_wrap=True)
    else:
        OUT.print(f"{facts['out']}: {facts['class']}, the encoder alone", highlight=False, soft_wrap=True)


COMMAND = export
