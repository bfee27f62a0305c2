"""In what a recipe and its input differ from a plan that is stored, said so that a reader knows what to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelers.labeler import Labeler
from pipelines.plans.plan import Plan, identity, installed_versions

__all__ = ["changed_resources", "changed_tools", "differences", "found_differences"]

_SHOWN = 3  # names in a sentence
_OWN_FOLDER = "build {them} into a separate folder with --set plan.from={out} to keep the same classes and pool"


def differences(old: Plan, new: Plan) -> list[str]:
    """Return a sentence for each thing in which a new draft differs from a stored plan; none where it is the same.

    What only reading can show is not compared. A recipe key or library that the stored plan does not name had no say
    in it: the key counts as its default.
    """
    before, after = (identity(plan.to_json(), scanned=False) for plan in (old, new))
    versions = {name: item["version"] for name, item in new.labelers.items()}
    resources = {name: item["resources"] for name, item in new.labelers.items()}
    found = [*_versions(old, new.versions), *_labelers(old, versions), *_resources(old, resources), *_files(old, new)]
    for key in ("recipe", "earlier", "base", "joined", "taught", "merged"):
        found += _unequal(before.get(key, {}), after.get(key, {}), key)
    if not found and before["units"] != after["units"]:
        found.append("the input is divided into different units")
    return found


def changed_tools(plan: Plan, labelers: Sequence[Labeler]) -> list[str]:
    """Return a sentence for each labeler and library whose version in this process is not that of a plan."""
    versions = {labeler.name: labeler.version for labeler in labelers}
    return [*_versions(plan, installed_versions()), *_labelers(plan, versions)]


def changed_resources(plan: Plan, digests: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a sentence for each file of a labeler that is not what it was when a plan was made.

    Args:
        plan: the plan.
        digests: per labeler the digest of each file now, as `load_labelers` returns them.
    """
    return list(_resources(plan, digests))


def found_differences(old: Plan, new: Plan) -> list[str]:
    """Return the names of what a scan finds otherwise than the stored plan says."""
    return [
        name
        for name in ("classes", "labels", "pool", "moved", "dropped", "held_out", "content")
        if getattr(old, name) != getattr(new, name)
    ]


def _versions(old: Plan, now: Mapping[str, str]) -> Iterator[str]:
    """Yield which libraries have another version."""
    for name, version in now.items():
        before = old.versions.get(name, version)
        if before != version:
            yield f"it was built with {name} {before or '(none)'}, but {version or 'none'} is installed here"


def _labelers(old: Plan, now: Mapping[str, int]) -> Iterator[str]:
    """Yield which labelers have another version; that others are asked for stands in the recipe."""
    for name, version in sorted(now.items()):
        before = old.labelers.get(name, {"version": version})["version"]
        if before != version:
            yield f"it was built with version {before} of the labeler {name}, but version {version} is installed here"


def _resources(old: Plan, now: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield which files that labelers read are not what they were."""
    for name, digests in sorted(now.items()):
        before = old.labelers.get(name, {}).get("resources", digests)
        for option in sorted({*before, *digests}):
            if before.get(option) != digests.get(option):
                yield f"the file that labeler {name!r} reads as {option} has changed since the plan was made"


def _files(old: Plan, new: Plan) -> Iterator[str]:
    """Yield which files came, went, or have another size, format or split."""
    before, after = ({file.name: file for file in plan.files} for plan in (old, new))
    gone, fresh = [name for name in before if name not in after], [name for name in after if name not in before]
    if gone:
        yield f"{_count(gone)} now missing ({_few(gone)})"
    if fresh:
        words = {"them": "it", "their": "its"} if len(fresh) == 1 else {"them": "them", "their": "their"}
        way = "" if gone else f"; {_OWN_FOLDER.format(out=new.recipe.out, **words)}"
        yield f"{_count(fresh)} new ({_few(fresh)}){way}"
    both = [(before[name], after[name]) for name in before if name in after]
    grown = [now.name for was, now in both if (was.size, was.format) != (now.size, now.format)]
    moved = [now.name for was, now in both if was.split != now.split]
    if grown:
        yield f"the input changed since the plan was made: {_few(grown)}"
    if moved:
        yield f"the input is assigned to other splits: {_few(moved)}"


def _count(names: Sequence[str]) -> str:
    """Return how many files there are, up to the verb."""
    return "1 file is" if len(names) == 1 else f"{len(names):,} files are"


def _few(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _unequal(before: Any, after: Any, path: str) -> list[str]:
    """Return a sentence for each leaf that differs, by its dotted path; keys of the recipe have no prefix."""
    old, new = _flat(before, path), _flat(after, path)
    return [
        f"{key.removeprefix('recipe.')} was {_short(old.get(key))}, now {_short(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _flat(value: Any, path: str) -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted path."""
    if not isinstance(value, Mapping):
        return {path: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{path}.{key}")
    return flat


def _short(value: Any) -> str:
    """Return a value for an error message."""
    text = "not there" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  (what an eye takes in)
