"""The dataset card: what it says of the labels."""

from pathlib import Path

from small import built, manifest, text, write

from labelers.task import Task, tasks
from pipelines.folder.card import card
from pipelines.folder.layout import Folder
from pipelines.plans.plan import Plan

SENTENCE = (
    "Scores on constructed labels show\nwhether a task can be learnt, not whether learning it helps another task."
)


def test_the_card_warns_of_constructed_labels_alone(tmp_path: Path) -> None:
    """Of all, or by name where people made the others; it says nothing of the kind where people made all."""
    built(write(tmp_path, text(40)), tmp_path / "out", **{"with": ["masking", "disfluency"]})
    plan, found = Plan.read(Folder.at(str(tmp_path / "out"))), tasks(tmp_path / "out")
    gold = [Task.from_json(task.to_json() | {"gold": True}) for task in found]

    plain = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"The labels are constructed by rules and random draws, not annotated by people. {SENTENCE}" in plain
    mixed = card(plan, manifest(tmp_path / "out"), [found[0], *gold[1:]])
    assert f"The labels of {found[0].name} are constructed by rules" in mixed
    assert SENTENCE in mixed
    annotated = card(plan, manifest(tmp_path / "out"), gold)
    assert "constructed" not in annotated
    assert f"with the labels of {len(gold)} tasks.\n\nOpen it with" in annotated
