"""How labels are counted in the table of a build and in the card: as many as are trained on."""

import io
import json
from pathlib import Path

from rich.console import Console
from small import text, write

from pipelines.build import build
from pipelines.recipes.recipe import make_recipe
from trainer.data.dataset import Dataset


def test_a_set_of_classes_is_one_label(tmp_path: Path) -> None:
    """However many classes it has; tags are counted one by one, and the header says what numbers are of."""
    lines = text(12).splitlines()
    records = [{"text": line, "topics": ["sea", "art"][: 1 + i % 2]} for i, line in enumerate(lines)]
    source = write(tmp_path, "".join(json.dumps(record) + "\n" for record in records), "a.jsonl")
    tables = {"with": [], "labels": {"topics": {"kind": "multilabel"}}, "split": {"validation": 0, "test": 0}}
    report = build(make_recipe({"out": str(tmp_path / "out"), "input": {"files": [str(source)]}, **tables}))
    assert report.tasks == {"topics": {"train": 12}}
    assert sum(report.books["splits"]["train"]["tasks"]["topics"].values()) == 18  # one and two classes in turn
    assert "| topics | multilabel | source | 12 |" in (tmp_path / "out/README.md").read_text()
    split = Dataset.open(tmp_path / "out").splits["train"]
    assert len(split.table) == 12
    console = Console(file=io.StringIO(), width=100)
    report.print(console)
    assert "labels per task" in console.file.getvalue()  # type: ignore[attr-defined]
