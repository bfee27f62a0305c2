"""A layer of labels: further labelers for the rows of a dataset that is built, which stays as it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelers.advice import nearest
from pipelines.build import Progress, build_plan
from pipelines.display.build_report import BuildReport
from pipelines.folder.lock import Say
from pipelines.folder.out_folder import check_free
from pipelines.layers.layer_plan import draft_layer, layer_recipe, read_base
from pipelines.recipes.loading import find_own_modules
from pipelines.recipes.overrides import set_key
from pipelines.recipes.recipe import RecipeError, table_name

__all__ = ["label"]

_KEYS = ("labelers", "run", "seed", "on_error", "with")
"""Keys of a recipe that a layer may have otherwise than its base."""


def label(
    dataset: str,
    with_: Sequence[str],
    *,
    name: str = "",
    seed: int | None = None,
    run: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> BuildReport:
    """Label the rows of a dataset with further labelers, into the folder ``layers/NAME`` of it.

    A labeler's columns are those that the base would have had with it: pool, classes and, unless there is a ``seed``,
    the seed are the base's. Views are separate, also where those of the base are woven.

    Args:
        dataset: path or URI of a finished dataset.
        with_: labelers.
        name: of the layer; empty: the labelers' names, joined by ``+``.
        seed: of the draws.
        run: the table [run] of a recipe.
        overrides: ``KEY=VALUE`` for keys of a recipe, such as options of the labelers.
        overwrite: make all of the layer again, also of another plan.
        check: compare the digest of every file that is there already.
        progress: see `pipelines.build.build`.
        say: see `pipelines.build.build`.

    Raises:
        ValueError: a layer that cannot be made, or a folder that holds another one.
    """
    find_own_modules(str(Path.cwd()))
    _, base, manifest = read_base(dataset)
    data = _tables(with_, seed, run or {}, overrides)
    name = name or "+".join(map(table_name, data["with"]))
    recipe = layer_recipe(dataset, base, name, data)
    check_free(recipe.out)
    draft = draft_layer(recipe, base, manifest)
    return build_plan(draft, overwrite=overwrite, check=check, progress=progress, say=say)


def _tables(with_: Sequence[str], seed: int | None, run: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return what a layer has of a recipe otherwise than its base."""
    data: dict[str, Any] = {"with": list(with_), "run": dict(run), "labelers": {}}
    data |= {} if seed is None else {"seed": seed}
    for override in overrides:
        key = override.partition("=")[0].partition(".")[0].strip()
        if key not in _KEYS:
            raise RecipeError(
                f"--set {override}: a layer uses the text of its base; it can only set {', '.join(_KEYS)}"
                f"{nearest(key, _KEYS)}"
            )
        set_key(data, override)
    if not data["with"]:
        raise RecipeError("give at least one labeler: --with NAME (`auxloom labelers` lists them)")
    return data
