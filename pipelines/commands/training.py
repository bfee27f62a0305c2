"""The training side of the command line: settings from a recipe and from options, and a run with its progress."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from labelers.stores.uri import with_settings
from pipelines.display.progress import Bar
from pipelines.interrupt import command_again, on_interrupt
from pipelines.recipes.overrides import set_key
from pipelines.recipes.recipe import Recipe, make_recipe
from trainer.settings import TABLES, Settings, make_settings

__all__ = ["defaults", "run_training", "settings_given", "settings_of", "store_settings"]


def settings_of(recipe: Recipe) -> Settings:
    """Return the settings in the tables of a recipe.

    Raises:
        ValueError: a key or a value that is not allowed.
    """
    return make_settings({"train": recipe.train, "model": recipe.model, "task": recipe.task, "phase": recipe.phase})


def settings_given(recipe: Path | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the settings that a command line names: those in the tables of a recipe file, under KEY=VALUE.

    A key without a table is one of [train].

    Raises:
        RecipeError: no such file, no TOML, or an override that cannot be read.
    """
    given: dict[str, Any] = {name: table for name, table in _read(recipe).items() if name in TABLES}
    if isinstance(given.get("model"), Mapping) and isinstance(init := given["model"].get("init"), str):
        given["model"] = {**given["model"], "init": with_settings(init, store_settings(recipe))}
    for override in overrides:
        table = override.partition("=")[0].partition(".")[0].strip()
        set_key(given, override if table in TABLES else f"train.{override}")
    return given


def store_settings(recipe: Path | None) -> dict[str, str]:
    """Return what the table [store] of a recipe file says of s3:// URIs, of those on the command line, too."""
    return make_recipe(_read(recipe)).store.settings()


def _read(recipe: Path | None) -> dict[str, Any]:
    """Return the tables of a recipe file; those that are not used are checked too, for their names may be mistaken."""
    from pipelines.recipes.recipe_file import read_toml

    data = read_toml(recipe) if recipe else {}
    make_recipe(data)
    return data


def defaults() -> str:
    """Return all settings with their defaults, as `--set` takes them."""
    known = Settings().model_dump(mode="json")
    tables = {f"model.{key}": value for key, value in known.pop("model").items()}
    plain = {key: value for key, value in known.items() if key not in TABLES}
    return ", ".join(f"{key}={value!r}" for key, value in (plain | tables).items())


def run_training(
    dataset: str | Path, out: str | Path, settings: Settings | Mapping[str, Any], console: Console, **more: Any
) -> dict[str, Any]:
    """Train with a progress bar on a console, and return the report; ``more`` are further arguments of `train`.

    Of the processes that torchrun has started, the first one alone shows something and has a report.
    """
    from pipelines.recipes.loading import find_own_modules
    from trainer.loop import train
    from trainer.processes.torchrun import place

    find_own_modules(str(Path.cwd()))
    known = place()
    if known and known.follows:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun ends it
        return train(dataset, out, settings, **more)

    again = command_again() if more.get("auto") else command_again("--resume")
    again = "the same command of torchrun and --resume" if known else again
    on_interrupt(f"the last checkpoint is kept; continue with: {again}")

    with Bar(console, "train", "steps") as bar:

        def tell(done: float, total: float, note: str) -> None:
            bar(done, total, escape(note))  # a task may be called anything

        def say(sentence: str) -> None:
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)

        return train(dataset, out, settings, progress=tell, say=say, **more)
