"""`auxloom label`."""

from typing import Annotated

import typer

from pipelines.commands.options import AsJson, Beam, Check, Runner, Seed, Set, With, Workers, flags_of
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, OUT, print_json, warn
from pipelines.extras import need
from pipelines.interrupt import command_again, on_interrupt
from pipelines.layers.layer_options import Name

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom label data --with masking --workers 4"


def label(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    with_: With = None,
    name: Name = None,
    workers: Workers = None,
    seed: Seed = None,
    overrides: Set = None,
    runner: Runner = None,
    beam: Beam = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Rebuild the whole layer.")] = False,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Label the rows of a dataset with further labelers, as a layer. Run it again to finish or repair the layer."""
    need("label", "build")
    from pipelines.layers.label import label as make_layer

    run = flags_of(workers=workers, runner=runner, beam=beam)["run"]
    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    with Bar(ERR, "label", "MB") as bar:
        report = make_layer(
            dataset,
            with_ or [],
            name=name or "",
            seed=seed,
            run=run,
            overrides=overrides or [],
            overwrite=overwrite,
            check=check,
            progress=bar,
            say=warn,
        )
    if as_json:
        print_json(report.to_json())
    else:
        report.print(OUT)
    raise typer.Exit(report.exit_code)


COMMAND = label
