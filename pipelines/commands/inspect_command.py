"""`auxloom inspect`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pipelines.commands.options import AsJson, Set
from pipelines.display.terminal import OUT, print_json

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom inspect train.tsv"


def inspect(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, folders or globs to inspect.")],
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Print the columns of input files, and declarations for those that can be labels."""
    from pipelines.commands.options import recipe_of
    from pipelines.input.find import find_files

    recipe = recipe_of(files, {"input": {}}, overrides or [])
    found, skipped = find_files(recipe.input)
    looks = [_look(file, recipe.input[file.input]) for file in found]
    if as_json:
        print_json({"files": looks, "skipped": skipped})
        return
    for look in looks:
        _print(look)


def _look(file: Any, table: Any) -> dict[str, Any]:
    """Return what a file holds, and what a recipe may say of it."""
    from pipelines.labels.look import columns_of, look_into
    from pipelines.labels.suggest import suggest

    records, rejects, header = look_into(file, table)
    columns = columns_of(records, table.tokens)
    names = {column.path.partition(".")[0] for column in columns}
    found = suggest(columns, records, table, tables=file.format.partition(".")[0] in ("csv", "tsv"))
    return {
        "file": file.name,
        "format": file.format,
        "records": len(records),
        "header": header,
        "text": bool(names & {table.text, table.tokens, table.turns} or "text" in found.input),
        "unreadable": {reason: sum(item.reason == reason for item in rejects) for reason in _reasons(rejects)},
        "columns": [column.to_json() for column in columns],
        "recipe": found.toml,
        "options": found.options,
    }


def _reasons(rejects: list[Any]) -> list[str]:
    """Return why records cannot be read, each reason once."""
    return sorted({item.reason for item in rejects})


def _print(look: Mapping[str, Any]) -> None:
    """Print what a file holds."""
    from rich.text import Text

    from pipelines.display.sheet import spelt_out

    def say(text: str, style: str = "") -> None:
        OUT.print(Text(spelt_out(text), style), soft_wrap=True)

    unreadable = "".join(f", {n} unreadable ({reason})" for reason, n in look["unreadable"].items())
    say(f"{look['file']}: read as {look['format']}, the first {look['records']:,} records{unreadable}", "bold")
    if look["header"]:
        say(f"  the header names the columns {', '.join(look['header'])}")
    for column in look["columns"]:
        say(f"  {column['column']}: {_values(column)}")
    if look["records"] and not look["text"]:
        say("no column looks like text; name it with --set input.text=COLUMN or --set input.tokens=COLUMN")
    if not look["recipe"]:
        say("no column looks like labels")
        return
    say("")
    for line in look["recipe"].splitlines():
        say(line)
    say("")
    say(" ".join(look["options"]))
    say("")


def _values(column: Mapping[str, Any]) -> str:
    """Return what stands in a column."""
    if not column["values"]:
        return f"no value in {column['records']:,}"
    types = ", ".join(kind for kind in column["types"] if kind != "list of nothing")
    values = ", ".join(f"{value} {n:,}" for value, n in column["values"])
    number = "1 value" if column["distinct"] == 1 else f"{column['distinct']:,} values"
    return f"{types} in {column['records']:,}; {number}: {values}"


COMMAND = inspect
