"""`auxloom run`."""

from pathlib import Path
from typing import Annotated

import typer

from labelers.place import local
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
_RUN = "the folder of a run"


def run(
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="Folder for dataset, model and report.json.")] = None,
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
    prose = None if given else local(out or Recipe().out, _RUN) / "input" / "pydoc.jsonl"
    if prose:
        inputs = [str(prose)]
        flags["input"] |= {"keep": {"module": "string"}}
        # of twentieths of so small a corpus, rare labels would hold out a handful
        flags["split"] = {"group": "module", "validation": 0.1, "test": 0.1}
    recipe = recipe_of(inputs or [], flags, overrides or [])
    folder = local(recipe.out, _RUN)
    check_free(recipe.out, "dataset", {"input", "dataset", "model", "report.json"}, {"input"})
    if prose:
        _write_prose(prose, as_json=as_json)
    _run(recipe, folder, overwrite=overwrite, as_json=as_json)


def _run(recipe: Recipe, folder: Path, *, overwrite: bool, as_json: bool) -> None:
    """Build and train in the folder of a run; the report stands there, too."""
    from trainer.files import write

    recipe = recipe.model_copy(update={"out": str(folder / "dataset")})
    code = build_dataset(recipe, overwrite=overwrite, as_json=False, quiet=as_json)
    if code:
        raise typer.Exit(code)
    settings = settings_of(recipe)
    train_model(folder / "dataset", folder / "model", settings, auto=True, overwrite=overwrite, as_json=as_json)
    write(folder / "report.json", (folder / "model" / "report.json").read_bytes())
    if not as_json:
        say(f"dataset {folder / 'dataset'}   model {folder / 'model'}   report {folder / 'report.json'}")


def _write_prose(path: Path, *, as_json: bool) -> None:
    """Write the prose that ships with Python, and say what it is."""
    from pipelines.input import pydoc

    path.parent.mkdir(parents=True, exist_ok=True)
    counts = pydoc.write_prose(path)
    rejected = ", ".join(f"{n:,} {key.partition(': ')[2]}" for key, n in counts.most_common() if "rejected" in key)
    if not as_json:
        say(
            f"no INPUT given: {counts['documents']:,} documents of English prose that ships with Python, from "
            f"{counts['texts']:,} distinct texts; {counts['kept']:,} blocks kept, rejected {rejected}"
        )


COMMAND = run
