"""`auxloom labelers`."""

from pipelines.commands.options import AsJson
from pipelines.display.terminal import OUT, print_json

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom labelers --json"


def labelers(as_json: AsJson = False) -> None:
    """List the labelers: version, tasks, options with their defaults, paper."""
    from labelers.finding import load, names
    from pipelines.display.listing import describe, list_labelers

    found = [describe(load(name)) for name in names()]
    if as_json:
        print_json({"labelers": found})
    else:
        list_labelers(found, OUT)


COMMAND = labelers
