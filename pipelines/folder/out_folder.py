"""The output folder of a build: whether what lies in it is ours, and removing that."""

import pyarrow.fs as pafs

from pipelines.folder.layout import (
    CARD,
    DROPPED,
    HELD_OUT,
    LAYERS,
    LOCK,
    MANIFEST,
    PLAN,
    POOL,
    REJECTS,
    RUNS,
    SPLITS,
    STATS,
    TEMPORARY,
    Folder,
)
from pipelines.recipes.recipe import RecipeError

__all__ = ["check_free", "clear", "occupant"]

_FOLDERS = (STATS, DROPPED, LAYERS, REJECTS, *SPLITS)
_FILES = (CARD, POOL, HELD_OUT, "dataset_dict.json")
_OURS = {PLAN, MANIFEST, RUNS, *_FILES, *_FOLDERS}
_BEFORE_PLAN = {POOL, DROPPED, HELD_OUT}


def check_free(out: str, mark: str = PLAN, ours: set[str] = _OURS, before: set[str] = _BEFORE_PLAN) -> None:
    """Check that an output folder holds nothing but what we wrote.

    Args:
        out: the folder; it need not exist.
        mark: the name that says whose the folder is.
        ours: what may lie beside the mark.
        before: what may lie there without it.

    Raises:
        RecipeError: it holds something else.
    """
    stranger = occupant(Folder.at(out), mark, ours, before)
    if stranger:
        raise RecipeError(f"the output folder {out} contains other files ({stranger}); give a new or empty folder")


def occupant(folder: Folder, mark: str = PLAN, ours: set[str] = _OURS, before: set[str] = _BEFORE_PLAN) -> str:
    """Return the name of something in a folder that we did not write, empty where there is none; see `check_free`."""
    if not folder.whole and folder.kind() == pafs.FileType.File:
        return folder.path
    names = [name for name in folder.names() if not name.startswith(TEMPORARY) and name != LOCK]
    known = ours if mark in names or (mark == PLAN and MANIFEST in names) else before
    return next((name for name in names if name not in known), "")


def clear(folder: Folder) -> None:
    """Remove a dataset but for its plan, the manifest first, so that a break leaves an unfinished dataset."""
    folder.remove(MANIFEST)
    for name in _FOLDERS:
        folder.remove_folder(name)
    for name in _FILES:
        folder.remove(name)
    folder.clean()
