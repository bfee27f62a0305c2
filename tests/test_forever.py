"""A dataset opens forever: one that an early version wrote stands in golden/dataset-1, and is never rewritten.

It holds the tests' corpus as notes of two sentences, in two units and one woven view of all four labelers, with a
record that was rejected. A later version that no longer reads it breaks every dataset that users have.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from command import run
from small import built, files, rows, text, write

from labelers.task import tasks
from pipelines.folder.layout import Folder, digest_json
from pipelines.plans.plan import Plan, identity
from pipelines.plans.plan_changes import differences
from pipelines.verify import verify
from trainer.data.dataset import Dataset, Types

GOLDEN = Path(__file__).parent / "golden" / "dataset-1"


def test_verify_finds_no_fault() -> None:
    """Its digests are of what stands in it, not of what this version would write."""
    assert verify(GOLDEN) == []


def test_a_changed_byte_in_it_is_found(tmp_path: Path) -> None:
    """That nothing is found above is no blindness."""
    out = Path(shutil.copytree(GOLDEN, tmp_path / "out"))
    plan = (out / "plan.json").read_text()
    (out / "plan.json").write_text(plan.replace('"seed": 0', '"seed": 1'))
    assert verify(out) == ["plan.json is damaged: its digest does not match"]


def test_show_reads_its_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With marks and labels of every labeler."""
    assert run(monkeypatch, "show", GOLDEN, "-n", 15) == 0
    told = capsys.readouterr().out
    for mark in ("note 0/0", "connective: however", "masking", "{+", "[-"):
        assert mark in told


def test_the_trainer_reads_it() -> None:
    """Tasks, splits, tokens of the woven view and labels."""
    data = Dataset.open(GOLDEN)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 10, "validation": 1, "test": 4}
    assert {task.labeler for task in data.tasks} == {"connective", "disfluency", "paraphrase", "masking"}
    assert [task.name for task in tasks(GOLDEN)] == [task.name for task in data.tasks]
    types = Types()
    assert len(data.splits["train"].tokens("woven", types)) == 10
    assert "ferry" in types.codes


def test_datasets_reads_it() -> None:
    """As every reader of the layout does."""
    loaded = datasets.load_from_disk(str(GOLDEN))
    assert loaded["train"].to_list() == rows(GOLDEN, "train")
    assert loaded["train"].features["connective"]["connective"].names


def test_a_recipe_key_that_came_later_counts_as_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was built before there was the key is whole, and complete, but for another value of it."""
    source, out = write(tmp_path, text(30)), tmp_path / "out"
    whole = Plan.to_json

    def without(self: Plan) -> dict[str, Any]:
        data = whole(self)
        del data["recipe"]["copies"]
        del data["recipe"]["input"]["paragraphs"]
        versions = {name: version for name, version in data["versions"].items() if name != "spacy"}
        return {**data, "versions": versions}

    with monkeypatch.context() as patch:
        patch.setattr(Plan, "to_json", without)
        built(source, out)
    assert "copies" not in json.loads((out / "plan.json").read_bytes())["recipe"]
    assert verify(out) == []
    assert built(source, out).already
    (out / "pool.jsonl").unlink()
    next(out.glob("train/*.arrow")).unlink()
    assert built(source, out).complete
    assert verify(out) == []
    with pytest.raises(ValueError, match=r"a different plan: copies was 1, now 2"):
        built(source, out, copies=2)


def test_the_tables_of_training_change_nothing_of_a_dataset(tmp_path: Path) -> None:
    """One that was built before there were any is complete already, whatever they say; its digest is the same."""
    source, out = write(tmp_path, text(30)), tmp_path / "out"
    built(source, out)
    before = (out / "plan.json").read_bytes()
    tables = {"model": {"size": "small"}, "task": {"masking": {"weight": 2.0}}, "phase": [{"steps": 3}]}
    assert not {*tables} & {*json.loads(before)["recipe"]}
    assert built(source, out, **tables).already
    assert (out / "plan.json").read_bytes() == before
    assert not built(source, tmp_path / "new", **tables).already
    assert Plan.read(Folder.at(str(tmp_path / "new"))).recipe.phase == ({"steps": 3},)
    assert files(tmp_path / "new") == files(out)


def test_the_golden_plan_has_the_digest_that_it_was_given(tmp_path: Path) -> None:
    """It follows from what stands in the plan, and with tables of training that came later it is the same."""
    data = json.loads((GOLDEN / "plan.json").read_bytes())
    assert digest_json(identity(data)) == data["digest"]
    data["recipe"] |= {"model": {"size": "small"}, "task": {"masking": {"weight": 2.0}}, "phase": [{"steps": 3}]}
    assert digest_json(identity(data)) == data["digest"]
    assert differences(Plan.read(Folder.at(str(GOLDEN))), Plan.from_json(data)) == []


def test_a_plan_of_a_later_version_is_told_as_such(tmp_path: Path) -> None:
    """Its recipe has keys that nobody here knows."""
    out = Path(shutil.copytree(GOLDEN, tmp_path / "out"))
    data = json.loads((out / "plan.json").read_bytes())
    data["recipe"]["colour"] = "red"
    (out / "plan.json").write_text(json.dumps(data))
    with pytest.raises(
        ValueError, match=r"recipe that this version of auxloom cannot read: recipe has no key 'colour'"
    ):
        verify(out)


def test_other_versions_are_told_in_words() -> None:
    """Of a labeler, a library and Python."""
    plan = Plan.read(Folder.at(str(GOLDEN)))
    labelers = {name: {"version": 1, "resources": {}} for name in plan.labelers}
    newer = replace(
        plan, versions=plan.versions | {"spacy": "9.1"}, labelers={**plan.labelers, "masking": labelers["masking"]}
    )
    assert differences(plan, newer) == [
        f"it was built with spacy {plan.versions['spacy']}, but 9.1 is installed here",
        "it was built with version 2 of the labeler masking, but version 1 is installed here",
    ]
