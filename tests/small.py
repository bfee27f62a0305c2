"""A small text, builds of it, and what they leave on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.build import build
from pipelines.display.build_report import BuildReport
from pipelines.recipes.recipe import Recipe, make_recipe

__all__ = ["TOYS", "built", "files", "recipe", "rows", "text", "write"]

TOYS = ["toy_labelers:Stutter", "toy_labelers:Beheading", "masking"]
_SUBJECTS = ("The lamp", "A ferry", "Nobody", "The old gardener", "Her letter", "Rain", "That bridge", "The clerk")
_VERBS = ("waited", "went out", "came back", "was late", "fell", "turned north", "held", "stood still")
_ENDS = ("at dusk", "before the bell", "in the yard", "without a word", "again", "near the mill", "for an hour")


def text(lines: int, start: int = 0) -> str:
    """Return so many lines of one to four sentences, no two the same."""
    found = []
    for i in range(start, start + lines):
        sentences = [
            f"{_SUBJECTS[(i + k) % 8]} {_VERBS[(i // 8 + 3 * k) % 8]} {_ENDS[(i // 64 + k) % 7]}, as page {i} tells."
            for k in range(1 + i % 4)
        ]
        found.append(" ".join(sentences))
    return "".join(f"{line}\n" for line in found)


def write(folder: Path, content: str | bytes, name: str = "text.txt") -> Path:
    """Write an input file and return where it lies."""
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def recipe(source: Path, out: Path, **tables: Any) -> Recipe:
    """Return a recipe of the toy labelers; tables replace those of the recipe."""
    data: dict[str, Any] = {"out": str(out), "with": TOYS, **tables}
    data["input"] = {"files": [str(source)], **tables.get("input", {})}
    return make_recipe(data)


def built(source: Path, out: Path, **tables: Any) -> BuildReport:
    """Build, and return the report."""
    return build(recipe(source, out, **tables))


def files(out: Path) -> dict[str, bytes]:
    """Return the content of every file whose bytes are promised: splits, rejects, stats."""
    folders = ("train", "validation", "test", "rejects", "stats")
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for name in folders
        for path in sorted((out / name).rglob("*"))
        if path.is_file()
    }


def rows(out: Path, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split in the order of its shards."""
    found: list[dict[str, Any]] = []
    for path in sorted((out / split).glob("data-*.arrow")):
        with pa.memory_map(str(path)) as source:
            found += pa.ipc.open_stream(source).read_all().to_pylist()
    return found


def manifest(out: Path) -> Mapping[str, Any]:
    """Return the manifest of a dataset."""
    loaded: Mapping[str, Any] = json.loads((out / "auxloom.json").read_bytes())
    return loaded
