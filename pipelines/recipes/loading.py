"""Labelers as a recipe asks for them, with the files that their options name."""

import hashlib
import os
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import pyarrow.fs as pafs

from labelers.advice import nearest
from labelers.finding import load
from labelers.labeler import Labeler, Resource
from labelers.stores.uri import check_place, is_uri, with_settings
from pipelines.folder.layout import Folder
from pipelines.recipes.recipe import Recipe, table_name
from pipelines.recipes.recipe_tables import INPUT_PLACES

__all__ = [
    "anywhere",
    "file_options",
    "find_own_modules",
    "load_labelers",
    "read_resource",
    "resource_digest",
    "resource_options",
    "resource_places",
    "with_store",
]


def find_own_modules(folder: str) -> None:
    """Let labelers of the user's own be imported from a folder, behind all that is installed."""
    if folder not in sys.path:
        sys.path.append(folder)


def anywhere(recipe: Recipe) -> Recipe:
    """Return a recipe without relative paths, so that a process in any other folder finds the same files.

    Raises:
        ValueError: an unknown labeler.
    """
    return _changed_places(recipe, _absolute)


def with_store(recipe: Recipe) -> Recipe:
    """Return a recipe whose URIs say what its table [store] says, so that every process reaches the stores alike.

    Raises:
        ValueError: an unknown labeler, or a URI with credentials.
    """
    settings = recipe.store.settings()
    if not settings:
        return recipe
    check_place(f"s3://bucket?proxy={recipe.store.proxy}")

    def change(place: str) -> str:
        check_place(place)
        return with_settings(place, settings)

    model = dict(recipe.model)
    if isinstance(init := model.get("init"), str):
        model["init"] = change(init)
    return _changed_places(recipe.model_copy(update={"model": model}), change)


def _changed_places(recipe: Recipe, change: Callable[[str], str]) -> Recipe:
    """Return a recipe with all its paths and URIs changed."""
    inputs = tuple(
        table.model_copy(update={name: tuple(map(change, getattr(table, name))) for name in INPUT_PLACES})
        for table in recipe.input
    )
    labelers = {name: dict(options) for name, options in recipe.labelers.items()}
    for name in recipe.with_:
        labelers.get(table_name(name), {}).update(
            {option: change(place) for option, place in _resources_of(recipe, name).items()}
        )
    plan = recipe.plan.model_copy(update={"from_": change(recipe.plan.from_)})
    return recipe.model_copy(update={"out": change(recipe.out), "input": inputs, "labelers": labelers, "plan": plan})


def _absolute(place: str) -> str:
    """Return a path from the root on; URIs, and nothing, are left as they are."""
    return place if not place or is_uri(place) else os.path.abspath(place)  # noqa: PTH100  (a glob is no path)


def load_labelers(recipe: Recipe) -> tuple[list[Labeler], dict[str, dict[str, str]]]:
    """Return the labelers of a recipe with their options, and per labeler the digest of each resource.

    Raises:
        ValueError: an unknown labeler or option.
        FileNotFoundError: a resource that is not there.
    """
    labelers: list[Labeler] = []
    digests: dict[str, dict[str, str]] = {}
    for name in recipe.with_:
        options = recipe.options(name)
        resources = {option: _read_option(name, option, place) for option, place in _resources_of(recipe, name).items()}
        labeler = load(name, **{**options, **resources})
        labelers.append(labeler)
        read = {**resources, **labeler.included()}
        digests[labeler.name] = {option: resource_digest(item) for option, item in read.items()}
    return labelers, digests


def _read_option(labeler: str, option: str, place: str) -> Resource:
    """Read what an option of a labeler names; where nothing is there, say what else it may be called."""
    try:
        return read_resource(place)
    except FileNotFoundError as error:
        if not (named := type(load(labeler)).named.get(option, ())):
            raise
        hint = f"{nearest(place, named)}; {table_name(labeler)}.{option} may also be one of {', '.join(named)}"
        raise FileNotFoundError(f"{error}{hint}") from None


def resource_places(recipe: Recipe) -> list[str]:
    """Return where the files of all labelers lie."""
    return [place for name in recipe.with_ for place in _resources_of(recipe, name).values()]


def _resources_of(recipe: Recipe, name: str) -> dict[str, str]:
    """Return the options of a labeler that name files, with what they name."""
    options = recipe.options(name)
    return {option: options[option] for option in file_options(name, options) if options[option]}


def resource_options(name: str) -> list[str]:
    """Return the options of a labeler whose annotation names a Resource."""
    labeler = type(load(name))
    hints = typing.get_type_hints(labeler)
    names = [item.name for item in fields(labeler)]  # type: ignore[arg-type]
    return [name for name in names if Resource in (hints[name], *typing.get_args(hints[name]))]


def file_options(name: str, options: Mapping[str, Any]) -> list[str]:
    """Return those options of a labeler that a recipe gives the path of a file, or of a folder."""
    named = type(load(name)).named
    given = [option for option in resource_options(name) if isinstance(options.get(option), str)]
    return [option for option in given if options[option] not in named.get(option, ())]


def read_resource(place: str) -> Resource:
    """Read the file, or every file below the folder, at a path or URI."""
    folder = Folder.at(place)
    kind = folder.kind()
    if kind == pafs.FileType.File:
        return Resource(place, {"": folder.read("")})
    infos: Iterable[Any] = ()
    if kind == pafs.FileType.Directory:
        infos = folder.fs.get_file_info(pafs.FileSelector(folder.path, recursive=True))
    names = sorted(info.path[len(folder.path) :].lstrip("/") for info in infos if info.type == pafs.FileType.File)
    if not names:
        raise FileNotFoundError(f"no file at {place}; give a file, or a folder with files")
    return Resource(place, {name: folder.read(name) for name in names})


def resource_digest(resource: Resource) -> str:
    """Return the blake2b of a resource's paths and content."""
    digest = hashlib.blake2b(digest_size=16)
    for path, data in sorted(resource.files.items()):
        digest.update(f"{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
