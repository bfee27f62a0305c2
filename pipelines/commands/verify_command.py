"""`auxloom verify`."""

import dataclasses
from typing import Annotated, Any

import typer

from pipelines.commands.options import AsJson
from pipelines.display.terminal import print_json, say

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom verify data --rebuild 3"


def verify(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    rebuild: Annotated[
        str | None,
        typer.Option(help="Also rebuild this many units (or all) from the input and compare every byte."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed that selects the units of --rebuild.", show_default="random")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a dataset: recompute its checksums, rows and statistics; exit code 1 if anything does not match.

    With --rebuild, units are rebuilt from the input, which also finds rows that were wrong when they were written.
    Use it on a new cluster, after an update, and on a few units every night. The exit code is 2 if the input, or a
    file that a labeler reads, is missing or has changed.
    """
    from pipelines.rebuild import rebuild as make_again
    from pipelines.rebuild import units_asked
    from pipelines.verify import verify as check

    asked = units_asked(rebuild, seed)
    problems = check(dataset)
    found: dict[str, Any] = {"dataset": dataset, "problems": problems}
    if not as_json:
        for problem in problems:
            say(problem)
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        say(f"{dataset}: {count if problems else 'all checksums, rows and statistics match'}")
    if asked:
        again = make_again(dataset, asked.count, asked.seed)
        found["rebuilt"] = dataclasses.asdict(again)
        problems = [*problems, *again.problems]
        for line in () if as_json else again.lines():
            say(line)
    if as_json:
        print_json(found)
    raise typer.Exit(1 if problems else 0)


COMMAND = verify
