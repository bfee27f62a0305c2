"""`auxloom predict`."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from pipelines.commands.options import AsJson, Workers, flags_of
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, OUT, print_json, say, warn
from pipelines.extras import need
from pipelines.interrupt import command_again, on_interrupt
from pipelines.layers.layer_options import Layers, NoLayers, layers_asked

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom predict model notes.txt > tags.jsonl   or   auxloom predict model data --layer teacher"


def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run of `auxloom train`.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Files, folders, globs or a dataset; - reads lines of standard input."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text to read instead of files. Repeatable.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Predict only this task. Repeatable. [default: all]")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override an input key: text=body, second=hypothesis, id=key.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Write labels and confidences into this layer of INPUT, which must be a dataset.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --layer: leave out labels with a lower probability.")
    ] = None,
    entropy: Annotated[bool, typer.Option("--entropy", help="With --layer: also write the entropy.")] = False,
    include_train: Annotated[
        bool, typer.Option("--include-train", help="With --layer: also label rows that the model was trained on.")
    ] = False,
    layers: Layers = None,
    no_layers: NoLayers = False,
    workers: Workers = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="With --layer: rebuild the whole layer.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="With --layer: compare the checksums of existing files, not only their sizes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply a trained model to text. Print JSON lines (on a terminal: marked text), or write a layer."""
    need("predict", "build", "train")
    if bool(inputs) == bool(text):
        raise ValueError("give INPUT or --text; for example: auxloom predict model notes.txt")
    wanted = layers_asked(layers, no_layers=no_layers)
    if layer is not None:
        more = {"tasks": task or [], "threshold": threshold or 0.0, "entropy": entropy, "layers": wanted}
        more |= {"include_train": include_train, "overwrite": overwrite, "check": check}
        more |= {"table": flags_of(workers=workers)["run"]}
        _teach(run, _one(inputs, text, overrides), layer, as_json=as_json, **more)
        return
    given = {"--threshold": threshold, "--entropy": entropy, "--include-train": include_train, "--workers": workers}
    given |= {"--overwrite": overwrite, "--check": check}
    if unused := [name for name, value in given.items() if value not in {None, False}]:
        raise ValueError(f"{unused[0]} requires --layer NAME")
    _print(_predictions(run, inputs or [], text or [], task or [], overrides or [], wanted), as_json=as_json)


def _one(inputs: list[str] | None, text: list[str] | None, overrides: list[str] | None) -> str:
    """Return the dataset that gets a layer."""
    if text or overrides or len(inputs or []) != 1:
        raise ValueError(
            "--layer requires one dataset and allows no --text or --set: auxloom predict RUN DATASET --layer NAME"
        )
    return (inputs or [""])[0]


def _teach(run: str, dataset: str, layer: str, *, as_json: bool, **more: Any) -> None:
    """Write a layer, and print what came of it."""
    from pipelines.layers.teach import teach

    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    with Bar(ERR, "predict", "MB") as bar:
        taught = teach(run, dataset, layer, progress=bar, say=warn, **more)
    if as_json:
        print_json(taught.report.to_json() | {"tasks": dict(taught.columns), "left_out": dict(taught.left_out)})
    else:
        for line in taught.lines():
            say(line)
        taught.report.print(OUT)
    raise typer.Exit(taught.report.exit_code)


def _predictions(
    run: str, inputs: list[str], text: list[str], tasks: list[str], overrides: list[str], layers: list[str] | None
) -> Iterable[Any]:
    """Yield predictions and rejects; at the end name the tasks that were skipped."""
    from pipelines.commands.predicting import predictions, read_documents, read_lines, stdin
    from trainer.predict import load

    settings = _settings(inputs, overrides, layers)
    predictor = load(run)
    if text:
        yield from predictor.predict(text, tasks=tasks)
    else:
        records = read_lines(stdin(), settings) if inputs == ["-"] else read_documents(settings)
        yield from predictions(predictor, records, tasks)
    if predictor.left_out and not tasks:
        warn(f"skipped because plain text has no masked words, spans or second text: {', '.join(predictor.left_out)}")


def _settings(inputs: list[str], overrides: list[str], layers: list[str] | None) -> Any:
    """Return how the input is read; layers of a dataset must be there, though a model reads no label of them."""
    from pipelines.folder.layout import Folder, is_dataset
    from pipelines.layers.folders import chosen_layers
    from pipelines.recipes.overrides import set_key
    from pipelines.recipes.recipe import make_recipe

    for path in inputs if layers else ():
        if not is_dataset(path):
            raise ValueError(f"--layers requires a dataset; {path} is not one")
        chosen_layers(Folder.at(path), path, layers)
    table: dict[str, Any] = {"files": [path for path in inputs if path != "-"]}
    for item in overrides:
        set_key(table, item.removeprefix("input."))
    return make_recipe({"input": table}).input[0]


def _print(made: Iterable[Any], *, as_json: bool) -> None:
    """Print predictions as they come; records that cannot be used are reported on standard error."""
    from labelers.text.document import Reject
    from pipelines.commands.predicting import marked

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
