"""The options of commands that read or make layers."""

from typing import Annotated

import typer

from pipelines.recipes.recipe import RecipeError

__all__ = ["DropLayers", "Layers", "Name", "NoLayers", "layers_asked"]

Layers = Annotated[
    str | None, typer.Option("--layers", help="Layers to read, separated by commas.", show_default="all finished ones")
]
NoLayers = Annotated[bool, typer.Option("--no-layers", help="Read the dataset without its layers.")]
DropLayers = Annotated[bool, typer.Option("--drop-layers", help="With --overwrite: also remove the layers.")]
Name = Annotated[
    str | None, typer.Option(help="Name of the layer.", show_default="names of its labelers or labels, joined by +")
]


def layers_asked(layers: str | None, *, no_layers: bool) -> list[str] | None:
    """Return the names of the layers to read; None for all.

    Raises:
        RecipeError: some are named, and none are wanted.

    Example:
        >>> layers_asked("a,b", no_layers=False), layers_asked(None, no_layers=True)
        (['a', 'b'], [])
    """
    if layers is not None and no_layers:
        raise RecipeError("--layers and --no-layers cannot be combined")
    if no_layers:
        return []
    return None if layers is None else [name for name in layers.split(",") if name]
