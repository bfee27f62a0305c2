"""What to do about a misspelt name, or a dataset or layer that is damaged, unfinished or another one: one text for all.

A trainer may import it; it needs the names of files alone.
"""

import difflib
import shlex
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from labelers.stores.uri import below

__all__ = ["OTHER_LAYER", "RUN_DATASET", "damaged", "finish_layer", "nearest", "no_dataset", "restore", "unfinished"]

RUN_DATASET = "dataset"
"""Folder of the dataset in a folder that `auxloom run` wrote."""

_LAYERS = "layers"
_DEPTH = 3
"""Names from that of a layer to its deepest files: ``layers/NAME/train/FILE``."""

OTHER_LAYER = "leave it out with --layers, or rebuild it"
"""What to do about a layer that is not of the dataset, or has a column that there is already."""


def nearest(given: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known name, or nothing.

    Example:
        >>> nearest("epoch", ["epochs", "rows"])
        " (did you mean 'epochs'?)"
    """
    close = difflib.get_close_matches(given, list(known), 1, 0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def no_dataset(place: object, lacking: str, *, inner: bool) -> str:
    """Return the sentence about a folder that is not a dataset.

    Args:
        place: as the user calls it.
        lacking: name of the file by which a dataset is known.
        inner: whether the folder of a run with that file lies in it.

    Example:
        >>> no_dataset("out", "plan.json", inner=True)
        'out is not a dataset (it has no plan.json), but contains one; give out/dataset'
        >>> no_dataset("s3://b/out?region=x", "plan.json", inner=True).rpartition("; ")[2]
        'give s3://b/out/dataset?region=x'
    """
    named = f", but contains one; give {below(str(place), RUN_DATASET)}"
    return f"{place} is not a dataset (it has no {lacking})" + (
        named if inner else "; give one that `auxloom build` wrote"
    )


def restore(place: str | PurePath) -> str:
    """Return what restores the files of a dataset or a layer, given its folder or a file in it.

    Example:
        >>> restore("out/train/data-00000-of-00002.arrow")
        '`auxloom verify` lists all damaged files, and the same `auxloom build` restores them'
        >>> restore("out/layers/ner/train/data-00000-of-00002.arrow")
        '`auxloom verify` lists all damaged files, and the same `auxloom label`, `join` or `predict` restores them'
    """
    of_layer = _LAYERS in PurePath(place).parts[-_DEPTH - 1 : -1]
    command = "`auxloom label`, `join` or `predict`" if of_layer else "`auxloom build`"
    return f"`auxloom verify` lists all damaged files, and the same {command} restores them"


def damaged(file: str | PurePath, why: object) -> str:
    """Return the sentence about a file of a dataset that cannot be read, or is not what was written."""
    return f"{file} is damaged ({str(why).partition(chr(10))[0]}); {restore(file)}"


def unfinished(dataset: str | PurePath, layer: PurePath, plan: Mapping[str, Any] | None) -> str:
    """Return the sentence about a layer that has no manifest.

    Args:
        dataset: as the user calls it.
        layer: its folder.
        plan: what stands in its ``plan.json``; None where there is none.
    """
    way = finish_layer(dataset, layer, plan)
    return f"the layer {layer.name} of {dataset} is unfinished; finish it: {way}, or {OTHER_LAYER.partition(',')[0]}"


def finish_layer(dataset: str | PurePath, layer: PurePath, plan: Mapping[str, Any] | None) -> str:
    """Return the command that finishes a layer, or what else to do."""
    if plan is None or "recipe" not in plan:
        return f"run the command that started it again, or remove {layer}"
    if plan.get("joined"):
        return f"run the same auxloom join {shlex.quote(str(dataset))} again"
    if plan.get("taught"):
        return f"run the same auxloom predict ... {shlex.quote(str(dataset))} --layer {layer.name} again"
    words = [word for item in plan["recipe"]["with"] for word in ("--with", item)]
    options = " with the same --set" if plan["recipe"].get("labelers") else ""
    return shlex.join(["auxloom", "label", str(dataset), *words, "--name", layer.name]) + options
