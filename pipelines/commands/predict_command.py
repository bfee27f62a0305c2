"""`auxloom predict`."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from pipelines.display.terminal import OUT, warn
from pipelines.extras import need
from pipelines.options import AsJson

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom predict model notes.txt > tags.jsonl   or   auxloom predict model --text 'A sentence.'"


def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run of `auxloom train`.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Files, folders or globs; or - for lines of the standard input."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text to read in place of files; may repeat.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Tell this task only; may repeat. [default: all]")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="How records are read: text=body, second=hypothesis, id=key.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Apply a trained model: JSON lines with tokens, places and labels, or marked text on a terminal."""
    need("predict", "build", "train")
    from pipelines.predicting import predictions, read_documents, read_lines, stdin
    from pipelines.recipes.overrides import set_key
    from pipelines.recipes.recipe import make_recipe
    from trainer.predict import load

    if bool(inputs) == bool(text):
        raise ValueError("give INPUT or --text; for example: auxloom predict model notes.txt")
    table: dict[str, Any] = {"files": [path for path in inputs or [] if path != "-"]}
    for item in overrides or []:
        set_key(table, item.removeprefix("input."))
    settings = make_recipe({"input": table}).input[0]
    predictor = load(run)
    if text:
        made: Iterable[Any] = predictor.predict(text, tasks=task or [])
    else:
        records = read_lines(stdin(), settings) if inputs == ["-"] else read_documents(settings)
        made = predictions(predictor, records, task or [])
    _print(made, as_json=as_json)
    if predictor.left_out and not task:
        warn(f"not told of a bare text: {', '.join(predictor.left_out)} (hidden words, spans, or a second text)")


def _print(made: Iterable[Any], *, as_json: bool) -> None:
    """Print predictions as they come; records that cannot be used are told on standard error."""
    from labelers.text.document import Reject
    from pipelines.predicting import marked

    plain = as_json or not OUT.is_terminal
    for item in made:
        if isinstance(item, Reject):
            warn(f"{item.source}:{item.place} cannot be used: {item.reason}{item.note and '; ' + item.note}")
        elif plain:
            sys.stdout.write(json.dumps(item.to_json(), ensure_ascii=False) + "\n")
        else:
            for line in marked(item):
                OUT.print(line, soft_wrap=True)


COMMAND = predict
