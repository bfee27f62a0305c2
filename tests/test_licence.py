"""The licence of the input: stated in cards, and no part of what decides a dataset's bytes."""

import json
from pathlib import Path

from small import built, text, write

from pipelines.folder.layout import Folder
from pipelines.plans.plan import Plan
from pipelines.verify import verify
from trainer.data.dataset import Dataset


def test_a_licence_changes_no_row_and_may_be_given_later(tmp_path: Path) -> None:
    """Plans without one are as they were; one that is given stands in the plan, and reaches the run."""
    source, out = write(tmp_path, text(60)), tmp_path / "out"
    plain = {"files": [str(source)]}
    built(source, out, **{"with": ["masking"], "input": plain})
    before = Plan.read(Folder.at(str(out)))
    assert '"licence"' not in (out / "plan.json").read_text()
    assert "licences" not in Dataset.open(out).reading()
    kept = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "plan.json"}
    for licence in ("CC0-1.0", "CC-BY-4.0"):
        built(source, out, **{"with": ["masking"], "input": {**plain, "licence": licence}})
        assert Plan.read(Folder.at(str(out))).digest == before.digest
        assert Dataset.open(out).reading()["licences"] == [licence]
        assert verify(out) == []
    assert {path: path.read_bytes() for path in kept} == kept
    built(source, tmp_path / "fresh", **{"with": ["masking"], "input": {**plain, "licence": "CC-BY-4.0"}})
    assert json.loads((tmp_path / "fresh/auxloom.json").read_text())["plan"] == before.digest
