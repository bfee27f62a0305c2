"""`auxloom recipe`."""

import sys
from pathlib import Path

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom recipe > mine.toml   (edit it, then: auxloom build mine.toml)"
_ROOM = Path(__file__).parents[1]


def recipe() -> None:
    """Print a recipe with all keys and their defaults."""
    shipped, source = _ROOM / "default.toml", _ROOM.parent / "recipes" / "default.toml"
    sys.stdout.write((shipped if shipped.exists() else source).read_text(encoding="utf-8"))


COMMAND = recipe
