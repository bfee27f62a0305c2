"""`auxloom train`."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from labelers.stores.uri import with_settings
from pipelines.commands.options import AsJson
from pipelines.commands.training import defaults, run_training, settings_given, store_settings
from pipelines.display.terminal import ERR, OUT, print_json, say
from pipelines.extras import need
from pipelines.layers.layer_options import Layers, NoLayers, layers_asked
from trainer.settings import Settings, make_settings

__all__ = ["COMMAND", "EXAMPLE", "train_model"]

EXAMPLE = "auxloom train data --out model --set sampler=temperature --set temperature=5"

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
        help="Continue from the last checkpoint with the same settings; epochs, max_steps and tokens may be increased.",
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        help="Processes on this machine that share the rows of each step: one per GPU, or several on CPUs. A run may "
        "be resumed with another number. On several machines: torchrun ... -m trainer DATASET --out RUN.",
    ),
]
StopAfter = Annotated[int | None, typer.Option(min=1, help="Stop after this many steps; continue later with --resume.")]


def train(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that `auxloom build` wrote.")],
    out: Annotated[str, typer.Option(help="Folder or URI of the run: checkpoints, metrics, report.")],
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE.toml]", help="A recipe whose tables train, model, task and phase contain the settings."
        ),
    ] = None,
    overrides: Setting = None,
    resume: Resume = False,
    processes: Processes = 1,
    stop_after: StopAfter = None,
    layers: Layers = None,
    no_layers: NoLayers = False,
    as_json: AsJson = False,
) -> None:
    """Train one model on all tasks of a dataset and compare each task with its baselines."""
    need("train", "train")
    if processes > 1:  # before torch is loaded: it warns of what tasks are that a share does not have
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    given, store = settings_given(recipe, overrides or []), store_settings(recipe)
    dataset, out = with_settings(dataset, store), with_settings(out, store)
    settings = given if resume else make_settings(given)  # those of the run are known once its folder is read
    wanted = layers_asked(layers, no_layers=no_layers)
    more = {"resume": resume, "processes": processes, "stop_after": stop_after, "layers": wanted}
    report = train_model(dataset, out, settings, **more, as_json=as_json)
    if not (as_json or report.get("finished", True)):
        chosen = ["--no-layers"] if no_layers else ["--layers", layers] if layers else []
        chosen += ["--processes", str(processes)] if processes > 1 else []
        command = shlex.join(["auxloom", "train", dataset, "--out", out, *chosen, "--resume"])
        say(f"stopped after step {report['step']:,}; continue with: {command}")


def train_model(
    dataset: str | Path, out: str | Path, settings: Settings | Mapping[str, Any], *, as_json: bool, **more: Any
) -> dict[str, Any]:
    """Train, print the report if the run is finished, and return it; ``more`` are further arguments of `train`."""
    from trainer.score.table import show as show_report

    report = run_training(dataset, out, settings, ERR, **more)
    if not report:  # that of a process beside the first one
        return report
    if as_json:
        print_json(report)
    elif report.get("finished", True):
        show_report(report, OUT)
    return report


COMMAND = train
