"""The plan that a build follows: the stored one if it is the same, else a new one, and the stored one made again."""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.folder.damage import read_manifest
from pipelines.folder.layout import PLAN, STATS, Folder, digest_json, to_json
from pipelines.folder.marks import Problem
from pipelines.folder.out_folder import clear
from pipelines.input.changes import changed_inputs
from pipelines.input.records import InputFile
from pipelines.layers.folders import layer_at, layer_names
from pipelines.plans.plan import Plan, PlanError, identity, plan_bytes
from pipelines.plans.plan_changes import differences, found_differences
from pipelines.plans.planning import Scan, fill
from pipelines.recipes.recipe import Recipe, RecipeError, licences

__all__ = ["again", "prepare"]

_LAYER_WAYS = "Give another {option}, or --overwrite to replace it"
_WAYS = "Give another --out, or --overwrite to replace it"


def prepare(new: Plan, folder: Folder, scan: Scan, *, overwrite: bool) -> tuple[Plan, list[Problem]]:
    """Return the plan to follow, and what of it had to be made again.

    Args:
        new: the draft of the recipe, with its table ``run``.
        folder: of the dataset.
        scan: runs a graph.
        overwrite: remove what was built, and plan anew in any case.

    Raises:
        RecipeError: the folder holds a dataset of another plan.
    """
    if overwrite:
        clear(folder)
        return fill(new, new.recipe.run, scan), []
    old, lost = _stored(folder)
    if old is None:
        built = _built_by(folder)
        missing = [Problem(PLAN, "missing")] if built and not lost else lost
        return fill(new, new.recipe.run, scan, lambda plan: _of_units(plan, folder, built)), missing
    differing = differences(old, new)
    if differing:
        option = "--layer" if new.taught else "--name"
        what, ways = ("layer", _LAYER_WAYS.format(option=option)) if new.base else ("dataset", _WAYS)
        raise RecipeError(
            f"{new.recipe.out} contains a {what} built from a different plan: {'; '.join(differing[:5])}. {ways}"
        )
    if new.base:
        if (old.joined, old.taught) != (new.joined, new.taught):  # what is joined, or the model, lies elsewhere
            told = {name: dict(value) for name, value in (("joined", new.joined), ("taught", new.taught)) if value}
            folder.write(PLAN, to_json({**folder.read_json(PLAN), **told}, indent=1))
        return replace(old, recipe=new.recipe, joined=new.joined, taught=new.taught), []
    changed, unknown = changed_inputs(old.files, new.files)
    if changed:
        raise _changed(new, changed)
    if unknown:
        return again(old, new, folder, scan, unknown), []
    files = tuple(replace(file, pieces=before.pieces) for file, before in zip(new.files, old.files, strict=True))
    if files != old.files:  # other places or times: noted, so that no process reads the input to compare it
        folder.write(PLAN, _with_files(folder, files))
    if licences(old.recipe) != licences(new.recipe):
        folder.write(PLAN, _with_input(folder, new.recipe))
    return replace(old, recipe=new.recipe, files=files), []


def again(old: Plan, new: Plan, folder: Folder, scan: Scan, changed: Sequence[str] = ()) -> Plan:
    """Scan the input once more, write what belongs to the stored plan, and return it.

    Args:
        old: the stored plan.
        new: the draft of the recipe.
        folder: of the dataset.
        scan: runs a graph.
        changed: input that may hold something else than when it was planned.

    Raises:
        RecipeError: the scan does not find what it found then.
    """

    def settle(plan: Plan) -> bytes:
        if found_differences(old, plan):
            raise _changed(new, changed)
        return _with_files(folder, plan.files)

    return fill(new, new.recipe.run, scan, settle)


def _stored(folder: Folder) -> tuple[Plan | None, list[Problem]]:
    """Return the plan that a folder holds, if there is one that can be read, and what is wrong with it."""
    if not folder.is_file(PLAN):
        return None, []
    try:
        plan = Plan.read(folder)
    except PlanError:
        return None, [Problem(PLAN, "damaged")]
    if digest_json(identity(folder.read_json(PLAN))) != plan.digest:
        return None, [Problem(PLAN, "damaged: its digest does not match")]
    return plan, []


def _built_by(folder: Folder) -> str:
    """Return the digest of the plan that units were built by, empty where there are none."""
    manifest = read_manifest(folder)
    if manifest:
        return str(manifest["plan"])
    for name in folder.names(STATS):
        try:
            return str(folder.read_json(f"{STATS}/{name}")["plan"])
        except (ValueError, KeyError, TypeError):
            continue
    for name in layer_names(folder):
        layer = layer_at(folder, name)
        if layer.is_file(PLAN):
            return Plan.read(layer).base.get("plan", "")
    return ""


def _of_units(plan: Plan, folder: Folder, built: str) -> bytes:
    """Return what plan.json is to hold, if the units that there are were built by the plan of this digest, or none."""
    if built not in {"", plan.digest}:
        raise RecipeError(
            f"{folder.full(PLAN)} is missing, and the files beside it were built from another recipe, input or "
            f"version; run the build with the original ones. {_WAYS}"
        )
    return plan_bytes(plan)


def _with_files(folder: Folder, files: Sequence[InputFile]) -> bytes:
    """Return the stored plan with other places and times of its input; all that its digest covers stays as it was."""
    return to_json({**folder.read_json(PLAN), "files": [file.to_json() for file in files]}, indent=1)


def _with_input(folder: Folder, recipe: Recipe) -> bytes:
    """Return the stored plan with the licences that a recipe gives its input, which its digest does not cover."""
    data = folder.read_json(PLAN)
    stored = data["recipe"]["input"]
    tables = stored if isinstance(stored, list) else [stored]
    plain = [{key: value for key, value in table.items() if key != "licence"} for table in tables]
    stated = zip(plain, recipe.input, strict=True)
    told = [table | ({"licence": new.licence} if new.licence else {}) for table, new in stated]
    data["recipe"]["input"] = told if isinstance(stored, list) else told[0]
    return to_json(data, indent=1)


def _changed(new: Plan, names: Sequence[str]) -> RecipeError:
    """Return the error of input that holds something else now."""
    which = f"the input file {names[0]}" if names else "the input"
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    text = f"{which}{more} changed since the plan was made"
    return RecipeError(f"{new.recipe.out} contains a dataset built from a different plan: {text}. {_WAYS}")
