"""What `auxloom labelers` prints."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labelers.labeler import Corpus, Labeler

__all__ = ["describe", "list_labelers"]

_CLASSES = Corpus(classes={"roles": ("A", "B")})  # as of a corpus of dialogues, so that all tasks are listed


def describe(labeler: Labeler) -> dict[str, Any]:
    """Return name, version, tasks (all, and those that can be woven), options with their defaults, and paper."""
    return {
        "name": labeler.name,
        "version": labeler.version,
        "tasks": [task.name for task in labeler.declaration(_CLASSES).tasks],
        "woven": [task.name for task in labeler.declaration(_CLASSES, joint=True).tasks],
        "options": {item.name: getattr(labeler, item.name) for item in dataclasses.fields(labeler)},  # type: ignore[arg-type]
        "paper": labeler.paper,
    }


def list_labelers(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print labelers one below the other, in lines that break as wide as the console is."""
    for item in found:
        console.print(Text.assemble((item["name"], "bold"), f"  version {item['version']}"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        tasks = [f"{task}{' *' if task in item['woven'] else ''}" for task in item["tasks"]]
        options = [f"{key} = {value!r}" for key, value in item["options"].items()]
        for title, lines in (("tasks", tasks), ("options", options), ("paper", [item["paper"]])):
            for place, line in enumerate(filter(None, lines)):
                grid.add_row(Text("" if place else f"  {title}"), Text(line))
        console.print(grid)
    console.print(Text("* also with woven views"))
