"""Finds an engine by its name; a further one is a module of this room with a constant ``ENGINES``."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from labelers.advice import nearest
from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.engine import Engine
from pipelines.runners.other import OtherEngine, runner_of

__all__ = ["check_addresses", "engine_of", "engines", "is_remote"]


@cache
def engines() -> dict[str, Engine]:
    """Return all engines by their names; loads none of their libraries."""
    found: dict[str, Engine] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        found |= getattr(importlib.import_module(f"{__package__}.{module.name}"), "ENGINES", {})
    return dict(sorted(found.items()))


def engine_of(name: str) -> Engine:
    """Return the engine of a short name, of a name that Beam has, or of the full name of a runner's class.

    Raises:
        RecipeError: there is none of that name.
    """
    ours = "." not in name or name.startswith("apache_beam.runners.")
    known = engines().get(name.rpartition(".")[2].lower().removesuffix("runner")) if ours else None
    if known is not None:
        return known
    try:
        runner_of(name)
    except RecipeError as error:
        names = ", ".join(["local", *(one for one in engines() if one != "local")])
        near = nearest(name, [one for one in engines() if one != "local"])
        raise RecipeError(
            f"cannot use runner {name!r}{near}: {error}; give one of {names}, or a runner's full class name"
        ) from None
    return OtherEngine(name)


def check_addresses(run: RunTable) -> None:
    """Check that no option names a cluster of another engine, which would not be asked.

    Raises:
        RecipeError: one does.
    """
    engine = engine_of(run.runner)
    if isinstance(engine, OtherEngine):
        return
    for option in (option for option in run.beam if option not in engine.addresses):
        if owners := [name for name, other in engines().items() if option in other.addresses]:
            own = f"; {run.runner} takes {' or '.join(engine.addresses)}" if engine.addresses else ""
            raise RecipeError(
                f"--beam {option} has no effect with --runner {run.runner}: it is an option of {', '.join(owners)}{own}"
            )


def is_remote(run: RunTable) -> bool:
    """Return whether the workers of a run may see another file system, and other libraries, than this process."""
    return run.runner != "local" and engine_of(run.runner).remote(run)
