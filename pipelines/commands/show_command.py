"""`auxloom show`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.options import (
    AsJson,
    Label,
    Seed,
    Set,
    Test,
    Train,
    Validation,
    Views,
    With,
    flags_of,
    recipe_of,
)
from pipelines.display.terminal import OUT, print_json
from pipelines.extras import need
from pipelines.layers.layer_options import Layers, NoLayers, layers_asked

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom show data -n 3 --with connective   or   auxloom show story.txt"


def show(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT", help="A dataset, or text to preview without building one.")
    ] = None,
    with_: With = None,
    label: Label = None,
    train: Train = None,
    validation: Validation = None,
    test: Test = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of rows.")] = 5,
    where: Annotated[str | None, typer.Option(help="Show only rows that have a label of this labeler or task.")] = None,
    views: Views = None,
    seed: Seed = None,
    overrides: Set = None,
    layers: Layers = None,
    no_layers: NoLayers = False,
    as_json: AsJson = False,
) -> None:
    """Show rows: removed, inserted, replaced and masked text, the labels, or why a row has none."""
    from labelers.task import tasks
    from pipelines.display.show import choose_tasks, first_rows, show_rows
    from pipelines.display.where import find_tasks
    from pipelines.folder.layout import LAYERS, Folder
    from pipelines.layers.folders import chosen_layers

    inputs = inputs or []
    dataset, wanted = _built(inputs), layers_asked(layers, no_layers=no_layers)
    if dataset:
        held = {"--train": train, "--validation": validation, "--test": test}
        _refuse({"--views": views, "--seed": seed, "--set": overrides, "--label": label} | held, inputs[0])
        beside = [dataset / LAYERS / name for name in chosen_layers(Folder.at(str(dataset)), inputs[0], wanted)]
        found, place = [task for folder in (dataset, *beside) for task in tasks(folder)], inputs[0]
        rows = first_rows(dataset, n, find_tasks(found, where) if where else (), beside)
        found = choose_tasks(found, with_) if with_ else found
    else:
        need("show", "build")
        from pipelines.preview import SEARCHED, preview

        flags = flags_of(
            with_=with_, views=views, seed=seed, label=label, train=train, validation=validation, test=test
        )
        rows, previewed = preview(recipe_of(inputs, flags, overrides or []), n, where)
        found, place = list(previewed), f"the first {SEARCHED:,} documents"
    if where and not rows:
        raise ValueError(f"no row of {place} has a label of {where!r}")
    if as_json:
        for row in rows:
            print_json(row)
    else:
        show_rows(rows, found, OUT)


def _built(inputs: list[str]) -> Path | None:
    """Return the folder of the only input if it is a dataset; of one in a store, that of its copy."""
    from labelers.stores.copies import dataset_folder
    from pipelines.folder.layout import is_dataset

    if len(inputs) != 1 or not is_dataset(inputs[0]):
        return None
    return dataset_folder(inputs[0])


def _refuse(options: Mapping[str, Any], dataset: str) -> None:
    """Raise if an option of a build is given for a dataset that is built."""
    given = [name for name, value in options.items() if value not in (None, [])]
    if given:
        raise ValueError(
            f"{given[0]} applies to previews of text only, and {dataset} is a finished dataset; leave it out"
        )


COMMAND = show
