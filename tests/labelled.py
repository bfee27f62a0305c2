"""Records with labels of people beside raw text, and builds of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from small import text, write

from pipelines.build import build
from pipelines.display.build_report import BuildReport
from pipelines.recipes.recipe import make_recipe

__all__ = ["built", "jsonl", "recipe_tables", "record"]

LABELS = {"ner": {"kind": "token", "column": "tags"}}


def record(name: str, line: str, **more: Any) -> dict[str, Any]:
    """Return tokens of a line with tags: words in capitals begin a span, which the next word may be a part of."""
    tokens = line.replace(".", " .").replace(",", " ,").split()
    tags: list[str] = []
    for token in tokens:
        goes_on = bool(tags) and tags[-1] == "B-x" and len(token) > 5
        tags.append("B-x" if token[0].isupper() else "I-x" if goes_on else "O")
    return {"id": name, "tokens": tokens, "tags": tags, **more}


def jsonl(folder: Path, name: str, records: Sequence[Any]) -> Path:
    """Write JSON lines."""
    return write(folder, "".join(json.dumps(item) + "\n" for item in records), name)


def recipe_tables(folder: Path, *, lines: int = 60) -> dict[str, Any]:
    """Write labelled records in three splits and raw text that repeats some of them, and return a recipe's tables."""
    given: dict[str, list[str]] = {}
    for number, split in enumerate(("train", "validation", "test")):
        part = text(lines, 1000 * number).splitlines()
        path = jsonl(folder, f"{split}.jsonl", [record(f"r{i}", line) for i, line in enumerate(part)])
        given[split] = [str(path)]
    raw = [*text(lines, 5000).splitlines(), *text(lines, 1000).splitlines()[:10], *text(lines).splitlines()[:10]]
    records = [
        {key: value for key, value in record(f"w{i}", line).items() if key != "tags"} for i, line in enumerate(raw)
    ]
    given["files"] = [str(jsonl(folder, "raw/raw.jsonl", records))]
    return {"input": [given], "labels": LABELS, "with": ["masking"], "unit": {"bytes": 6000}}


def built(out: Path, tables: dict[str, Any], **keys: Any) -> BuildReport:
    """Build, and return the report."""
    options = {name: keys.pop(name) for name in ("overwrite", "check") if name in keys}
    return build(make_recipe({"out": str(out), **tables, **keys}), **options)
