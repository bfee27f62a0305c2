"""The `auxloom` command: three jobs (build, train, run) and four looks (show, verify, labelers, recipe)."""

import dataclasses
import importlib.metadata
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from labelers.task import local
from pipelines.extras import need, with_cure
from pipelines.interrupt import command_again, on_interrupt
from pipelines.listing import describe, list_labelers
from pipelines.options import (
    Anew,
    AsJson,
    Beam,
    Check,
    Inputs,
    Limit,
    Overwrite,
    Runner,
    Seed,
    Set,
    Views,
    With,
    Workers,
    flags_of,
    recipe_of,
)
from pipelines.progress import Bar
from pipelines.recipe import Recipe
from pipelines.terminal import ERR, OUT, fail, print_json, say, warn
from pipelines.training import defaults, run_training, settings_given, settings_of
from trainer.files import write
from trainer.settings import Settings, make_settings

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn plain text into self-supervised multi-label datasets, and train multi-task models on them.",
)
_RUN = "the folder of a run"

_defaults = defaults().replace("[", r"\[")
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help=f"Override a setting: rows=64, model.encoder=small. Settings and their defaults: {_defaults}"
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue from the last checkpoint with the settings of the run; epochs and max_steps may grow.",
    ),
]
StopAfter = Annotated[int | None, typer.Option(min=1, help="Stop after this many steps; continue later with --resume.")]


def main() -> None:
    """Run the command; a mistake of the user is one or two lines on standard error and exit code 2.

    With ``--json`` it is an object on standard output, ``{"error": ...}``, with the same exit code.
    """
    try:
        # typer prints what it finds wrong with an option, unless it is told to leave that to us
        code = app(standalone_mode="--json" not in sys.argv[1:])
        sys.exit(code if isinstance(code, int) else 0)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        fail(with_cure(error) if isinstance(error, ModuleNotFoundError) else str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # as click's errors have, of which typer may carry its own
            raise
        fail(error.format_message())


def _print_version(asked: bool) -> None:
    """Print the version and end the program."""
    if asked:
        sys.stdout.write(f"auxloom {importlib.metadata.version('auxloom')}\n")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command(epilog="Example: auxloom build news/*.txt --out data --with connective --with disfluency --workers 4")
def build(
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="Folder of the dataset.")] = None,
    with_: With = None,
    views: Views = None,
    workers: Workers = None,
    seed: Seed = None,
    limit: Limit = None,
    overrides: Set = None,
    runner: Runner = None,
    beam: Beam = None,
    overwrite: Overwrite = False,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Build a multi-label dataset from text. Run it again to finish or repair the dataset."""
    need("build", "build")
    flags = flags_of(
        out=out, with_=with_, views=views, workers=workers, seed=seed, limit=limit, runner=runner, beam=beam
    )
    recipe = _recipe(inputs or [], flags, overrides or [])
    raise typer.Exit(_build(recipe, overwrite=overwrite, check=check, as_json=as_json))


@app.command(epilog="Example: auxloom train data --out model --set sampler=temperature --set temperature=5")
def train(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    out: Annotated[str, typer.Option(help="Folder of the run: checkpoints, metrics, report.")],
    recipe: Annotated[
        Path | None,
        typer.Argument(metavar="[RECIPE.toml]", help="Its tables train, model, task and phase are the settings."),
    ] = None,
    overrides: Setting = None,
    resume: Resume = False,
    stop_after: StopAfter = None,
    as_json: AsJson = False,
) -> None:
    """Train one model on all tasks of a dataset and compare each task with its baselines."""
    need("train", "train")
    given = settings_given(recipe, overrides or [])
    settings = given if resume else make_settings(given)  # those of the run are known once its folder is read
    report = _train(dataset, out, settings, resume=resume, stop_after=stop_after, as_json=as_json)
    if not (as_json or report.get("finished", True)):
        command = shlex.join(["auxloom", "train", dataset, "--out", out, "--resume"])
        say(f"stopped after step {report['step']:,}; continue with: {command}")


@app.command(epilog="Example: auxloom run news/*.txt --out out   (without INPUT: the prose that ships with Python)")
def run(
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="Folder for dataset, model and report.json.")] = None,
    with_: With = None,
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
    from pipelines.out_folder import check_free

    flags = flags_of(
        out=out, with_=with_, views=views, workers=workers, seed=seed, limit=limit, runner=runner, beam=beam
    )
    prose = None if inputs else local(out or Recipe().out, _RUN) / "input" / "pydoc.jsonl"
    if prose:
        inputs = [str(prose)]
        flags["input"] |= {"keep": {"module": "string"}}
        # of twentieths of so small a corpus, rare labels would hold out a handful
        flags["split"] = {"group": "module", "validation": 0.1, "test": 0.1}
    recipe = _recipe(inputs or [], flags, overrides or [])
    folder = local(recipe.out, _RUN)
    check_free(recipe.out, "dataset", {"input", "dataset", "model", "report.json"}, {"input"})
    if prose:
        _write_prose(prose, as_json=as_json)
    recipe = recipe.model_copy(update={"out": str(folder / "dataset")})
    code = _build(recipe, overwrite=overwrite, as_json=False, quiet=as_json)
    if code:
        raise typer.Exit(code)
    settings = settings_of(recipe)
    _train(folder / "dataset", folder / "model", settings, auto=True, overwrite=overwrite, as_json=as_json)
    write(folder / "report.json", (folder / "model" / "report.json").read_bytes())
    if not as_json:
        say(f"dataset {folder / 'dataset'}   model {folder / 'model'}   report {folder / 'report.json'}")


@app.command(epilog="Example: auxloom show data -n 3 --with connective   or   auxloom show story.txt")
def show(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="A dataset, or text to preview without building one.")
    ],
    with_: With = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of rows.")] = 5,
    where: Annotated[str | None, typer.Option(help="Show only rows that have a label of this labeler or task.")] = None,
    views: Views = None,
    seed: Seed = None,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show rows: what was removed, inserted, replaced and masked, the labels, and why a row has none."""
    from labelers.task import tasks
    from pipelines.show import choose_tasks, first_rows, show_rows
    from pipelines.where import find_tasks

    dataset = _built(inputs)
    if dataset:
        _refuse({"--views": views, "--seed": seed, "--set": overrides}, inputs[0])
        found, place = tasks(dataset), inputs[0]
        rows = first_rows(dataset, n, find_tasks(found, where) if where else ())
        found = choose_tasks(found, with_) if with_ else found
    else:
        need("show", "build")
        from pipelines.preview import SEARCHED, preview

        flags = flags_of(with_=with_, views=views, seed=seed)
        rows, previewed = preview(_recipe(inputs, flags, overrides or []), n, where)
        found, place = list(previewed), f"the first {SEARCHED:,} documents"
    if where and not rows:
        raise ValueError(f"no row of {place} has a label of {where!r}")
    if as_json:
        for row in rows:
            print_json(row)
    else:
        show_rows(rows, found, OUT)


def _built(inputs: list[str]) -> Path | None:
    """Return the folder of the only input if it is a dataset on this machine."""
    if len(inputs) != 1 or ("://" in inputs[0] and not inputs[0].startswith("file:")):
        return None
    folder = local(inputs[0], "a dataset to show")
    return folder if (folder / "plan.json").exists() else None


def _refuse(options: Mapping[str, Any], dataset: str) -> None:
    """Raise if an option of a build is given for a dataset that is built."""
    given = [name for name, value in options.items() if value not in (None, [])]
    if given:
        raise ValueError(
            f"{given[0]} applies to previews of text only, and {dataset} is a finished dataset; leave it out"
        )


@app.command(epilog="Example: auxloom verify data --rebuild 3")
def verify(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    rebuild: Annotated[
        str | None,
        typer.Option(help="Also rebuild this many units (or: all) from the input and compare every byte."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed that selects the units of --rebuild.", show_default="random")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a dataset: recompute its checksums, rows and statistics; exit code 1 if anything does not match.

    With --rebuild, units are built again from the input, which also finds rows that were wrong when they were written.
    Use it on a new cluster, after an update, and on a few units every night. Exit code 2 if the input, or a file that
    a labeler reads, is missing or has changed.
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


@app.command(epilog="Example: auxloom labelers --json")
def labelers(as_json: AsJson = False) -> None:
    """List the labelers: version, tasks, options with their defaults, paper."""
    from labelers.finding import load, names

    found = [describe(load(name)) for name in names()]
    if as_json:
        print_json({"labelers": found})
    else:
        list_labelers(found, OUT)


@app.command("recipe", epilog="Example: auxloom recipe > mine.toml   (edit it, then: auxloom build mine.toml)")
def print_recipe() -> None:
    """Print a recipe that lists every key with its default."""
    shipped, source = Path(__file__).with_name("default.toml"), Path(__file__).parents[1] / "recipes" / "default.toml"
    sys.stdout.write((shipped if shipped.exists() else source).read_text(encoding="utf-8"))


def _recipe(inputs: list[str], flags: dict[str, Any], overrides: list[str]) -> Recipe:
    """Return the recipe of a command line; a mistake in its settings of training is told now, not after the build."""
    found = recipe_of(inputs, flags, overrides)
    settings_of(found)
    return found


def _write_prose(path: Path, *, as_json: bool) -> None:
    """Write the prose that ships with Python, and say what it is."""
    from pipelines import pydoc

    path.parent.mkdir(parents=True, exist_ok=True)
    counts = pydoc.write_prose(path)
    rejected = ", ".join(f"{n:,} {key.partition(': ')[2]}" for key, n in counts.most_common() if "rejected" in key)
    if not as_json:
        say(
            f"no INPUT given: {counts['documents']:,} documents of English prose that ships with Python, from "
            f"{counts['texts']:,} distinct texts; {counts['kept']:,} blocks kept, rejected {rejected}"
        )


def _build(recipe: Recipe, *, overwrite: bool, as_json: bool, check: bool = False, quiet: bool = False) -> int:
    """Build, print the report and return the exit code."""
    from pipelines.build import build as run_build

    on_interrupt(f"finished work is kept; continue with: {command_again()}")
    with Bar(ERR, "build", "MB") as bar:
        report = run_build(recipe, overwrite=overwrite, check=check, progress=bar, say=warn)
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        report.print(OUT)
    return int(report.exit_code)


def _train(
    dataset: str | Path, out: str | Path, settings: Settings | Mapping[str, Any], *, as_json: bool, **more: Any
) -> dict[str, Any]:
    """Train, print the report if the run is finished, and return it; ``more`` are further arguments of `train`."""
    from trainer.score.table import show as show_report

    report = run_training(dataset, out, settings, ERR, **more)
    if as_json:
        print_json(report)
    elif report.get("finished", True):
        show_report(report, OUT)
    return report


if __name__ == "__main__":
    main()
