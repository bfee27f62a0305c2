"""`auxloom evaluate`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.options import AsJson
from pipelines.display.progress import Bar
from pipelines.display.terminal import ERR, OUT, print_json, warn
from pipelines.extras import need
from pipelines.layers.layer_options import Layers, NoLayers, layers_asked

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom evaluate model test.tsv   or   auxloom evaluate model test.jsonl --label ner=token:tags"


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run of `auxloom train`.")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Labelled files that were not part of the run, or a dataset.")
    ],
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND[:COLUMN]",
            help="Labels of the files. Repeatable. [default: the columns that the run used]",
        ),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Score only this task. Repeatable.")] = None,
    split: Annotated[str, typer.Option(help="The split to score, if INPUT is a dataset.")] = "test",
    layers: Layers = None,
    no_layers: NoLayers = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override an input key: text=body, format=conll.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a trained model on other labelled data, with intervals, scores per class and recall of unseen spans."""
    need("evaluate", "train")
    from pipelines.folder.layout import is_dataset
    from trainer.external import evaluate as score
    from trainer.folder import RunFolder
    from trainer.score.class_table import show

    folder = RunFolder.of(run)
    folder.check_trained()
    wanted = layers_asked(layers, no_layers=no_layers)
    if len(inputs) == 1 and is_dataset(inputs[0]):
        report = score(run, inputs[0], tasks=task, split=split, layers=wanted)
    elif wanted:
        raise ValueError(f"--layers requires a dataset; {', '.join(inputs)} is not one")
    else:
        need("evaluate", "build")
        with tempfile.TemporaryDirectory(prefix="auxloom-evaluate-") as made:
            _build(folder.reading(), inputs, Path(made) / "set", label or [], overrides or [])
            report = _scored(run, Path(made) / "set", task, inputs)
        report["dataset"]["path"] = ", ".join(inputs)
    if as_json:
        print_json(report)
    else:
        show(report, OUT)


def _scored(run: str, dataset: Path, tasks: list[str] | None, files: list[str]) -> dict[str, Any]:
    """Return the scores on a dataset that was made of files, by whose names errors call it."""
    from trainer.external import evaluate as score

    try:
        return score(run, dataset, tasks=tasks)
    except ValueError as error:
        raise ValueError(str(error).replace(str(dataset), ", ".join(files))) from None


def _build(reading: Mapping[str, Any], files: list[str], out: Path, labels: list[str], overrides: list[str]) -> None:
    """Build a dataset of labelled files, and warn of what cannot be used."""
    from pipelines.commands.options import flags_of
    from pipelines.labels.labelled_files import build_labelled
    from pipelines.recipes.overrides import set_key

    settings: dict[str, Any] = {}
    for item in overrides:
        set_key(settings, item.removeprefix("input."))
    with Bar(ERR, "read", "MB") as bar:
        report = build_labelled(
            files, out, reading, labels=flags_of(label=labels).get("labels", {}), settings=settings, progress=bar
        )
    if report.failures:
        raise ValueError(report.failures[0])
    for name, book in report.books.get("labels", {}).items():
        if rejected := sum(book["rejected"].values()):
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in book["rejected"].items())
            warn(f"{rejected:,} of {book['read']:,} labels of {name} cannot be used and are not scored ({reasons})")
    if rejected := sum(report.books["records"]["rejected"].values()):
        warn(f"{rejected:,} of {report.books['records']['read']:,} records cannot be used")


COMMAND = evaluate
