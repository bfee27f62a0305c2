"""`auxloom run`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from labelers.advice import RUN_DATASET
from labelers.place import local
from labelers.stores.uri import below, is_stored
from pipelines.commands.build_command import build_dataset
from pipelines.commands.options import (
    Anew,
    AsJson,
    Beam,
    Inputs,
    Label,
    Limit,
    Runner,
    Seed,
    Set,
    Test,
    Train,
    Validation,
    Views,
    With,
    Workers,
    flags_of,
    recipe_of,
)
from pipelines.commands.train_command import train_model
from pipelines.commands.training import settings_of
from pipelines.display.terminal import say
from pipelines.extras import need
from pipelines.recipes.recipe import Recipe

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom run news/*.txt --out out   (without INPUT: the prose that ships with Python)"


def run(
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="Folder or URI for dataset, model and report.json.")] = None,
    with_: With = None,
    label: Label = None,
    train: Train = None,
    validation: Validation = None,
    test: Test = None,
    views: Views = None,
    workers: Workers = None,
    seed: Seed = None,
    limit: Limit = None,
    overrides: Set = None,
    runner: Runner = None,
    beam: Beam = None,
    overwrite: Anew = False,
    as_json: AsJson = False,
) -> None:
    """Build a dataset and train a model on it."""
    need("run", "build", "train")
    from pipelines.folder.out_folder import check_free
    from pipelines.recipes.loading import with_store

    flags = flags_of(
        out=out,
        with_=with_,
        views=views,
        workers=workers,
        seed=seed,
        limit=limit,
        runner=runner,
        beam=beam,
        label=label,
        train=train,
        validation=validation,
        test=test,
    )
    given = inputs or train or validation or test
    prose = "" if given else below(_root(out or Recipe().out), "input/pydoc.jsonl")
    if prose:
        inputs = [prose]
        flags["input"] |= {"keep": {"module": "string"}}
        # of twentieths of so small a corpus, rare labels would hold out a handful
        flags["split"] = {"group": "module", "validation": 0.1, "test": 0.1}
    recipe = with_store(recipe_of(inputs or [], flags, overrides or []))
    root = _root(recipe.out)
    check_free(recipe.out, RUN_DATASET, {"input", RUN_DATASET, "model", "report.json"}, {"input"})
    if prose:
        _write_prose(root, as_json=as_json)
    _run(recipe, root, overwrite=overwrite, as_json=as_json)


def _root(out: str) -> str:
    """Return the folder of a run, as a path or as the URI of a store."""
    return out if is_stored(out) else str(local(out, "the folder of a run"))


def _run(recipe: Recipe, root: str, *, overwrite: bool, as_json: bool) -> None:
    """Build and train in the folder of a run; the report stands there, too."""
    from pipelines.folder.layout import Folder

    dataset, model = below(root, RUN_DATASET), below(root, "model")
    recipe = recipe.model_copy(update={"out": dataset})
    code = build_dataset(recipe, overwrite=overwrite, as_json=False, quiet=as_json)
    if code:
        raise typer.Exit(code)
    settings = settings_of(recipe)
    train_model(dataset, model, settings, auto=True, overwrite=overwrite, as_json=as_json)
    Folder.at(root).write("report.json", Folder.at(model).read("report.json"))
    if not as_json:
        say(f"dataset {dataset}   model {model}   report {below(root, 'report.json')}")


def _write_prose(root: str, *, as_json: bool) -> None:
    """Write the prose that ships with Python into the folder of a run, and say what it is."""
    from pipelines.folder.layout import Folder
    from pipelines.input import pydoc

    with tempfile.TemporaryDirectory(prefix="auxloom-") as made:
        counts = pydoc.write_prose(Path(made) / "prose.jsonl")
        Folder.at(root).write("input/pydoc.jsonl", (Path(made) / "prose.jsonl").read_bytes())
    rejected = ", ".join(f"{n:,} {key.partition(': ')[2]}" for key, n in counts.most_common() if "rejected" in key)
    if not as_json:
        say(
            f"no INPUT given: {counts['documents']:,} documents of English prose that ships with Python, from "
            f"{counts['texts']:,} distinct texts; {counts['kept']:,} blocks kept, rejected {rejected}"
        )


COMMAND = run
