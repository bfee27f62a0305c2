"""Labels of a trained model as a layer: confidences, what is left out, equal bytes, and training on them."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run as command
from object_store import store_of
from small import files

from pipelines.build import build
from pipelines.layers.merge import merge
from pipelines.layers.teach import teach
from pipelines.recipes.recipe import make_recipe
from pipelines.verify import verify
from trainer.data.dataset import Dataset
from trainer.external import evaluate
from trainer.loop import train
from trainer.predict import load

pytestmark = pytest.mark.usefixtures("quick_probes")

SETTINGS: dict[str, Any] = {
    "max_steps": 30, "rows": 16, "bucket": 16, "threads": 1, "primary": "ner",
    "model": {"vocabulary": 320, "max_pieces": 64, "features": False},
}  # fmt: skip
NAMES = ("Harbour", "Old Mill", "Green Bridge")


def _records(count: int, seed: int, *, labelled: bool) -> list[dict[str, Any]]:
    """Return sentences with names of places, with their labels or without, and dialogues."""
    draw, records = random.Random(seed), []
    for i in range(count):
        place = draw.choice(NAMES).split()
        tokens = ["We", "went", "to", "the", *place, draw.choice(["today", "again", "early"]), f"x{seed}{i}", "."]
        tags = ["O"] * 4 + ["B-place", *["I-place"] * (len(place) - 1)] + ["O"] * 3
        record: dict[str, Any] = {"tokens": tokens, "id": f"s{seed}-{i}"}
        if labelled:
            record |= {"ner": tags, "mood": ("bad", "good")[place[0] == "Harbour"]}
        records.append(record)
    asks, tells = {"role": "A", "text": "Where is it?"}, {"role": "B", "text": "Over there."}
    if labelled:
        asks, tells = asks | {"act": "ask"}, tells | {"act": "tell"}
    return [*records, *({"turns": [asks, tells] * 2, "id": f"d{seed}-{i}"} for i in range(12))]


def _build(folder: Path, *records: list[dict[str, Any]], **more: Any) -> Path:
    """Build a dataset of some files."""
    for number, part in enumerate(records):
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in part))
    recipe = {
        "out": str(folder / "set"), "with": [], "split": {"validation": 0.1, "test": 0.1},
        "input": {"files": [str(folder / f"{number}.jsonl") for number in range(len(records))]},
        "unit": {"bytes": 12_000}, **more,
    }  # fmt: skip
    build(make_recipe(recipe))
    return folder / "set"


LABELS: dict[str, Any] = {"ner": {}, "mood": {"kind": "passage"}, "act": {"kind": "turn", "column": "turns.act"}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset of which a half has labels, and a run on it."""
    root = tmp_path_factory.mktemp("teach")
    data = _build(root, _records(100, 1, labelled=True), _records(60, 2, labelled=False), labels=LABELS)
    train(data, root / "run", SETTINGS)
    return data, root / "run"


@pytest.fixture
def data(model: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the dataset."""
    return Path(shutil.copytree(model[0], tmp_path / "set"))


def test_rows_that_the_model_did_not_learn_from_get_labels(model: tuple[Path, Path], data: Path) -> None:
    """Those that `auxloom predict` tells, each with its probability; others have none."""
    made = teach(model[1], str(data), "teacher")
    assert made.columns == {"act_teacher": "act", "mood_teacher": "mood", "ner_teacher": "ner"}
    assert made.seen
    train_rows = Dataset.open(data).splits["train"].table.to_pylist()
    texts = [row for row in train_rows if not row["turns"] and row["id"].startswith("s2")][:5]
    told = load(model[1]).predict([row["tokens"] for row in texts])
    for row, item in zip(texts, told, strict=True):
        assert row["ner"]["status"] == 2
        names = [Dataset.open(data).tasks[-1].classes[i] for i in row["ner_teacher"]["tags"]]
        assert (names, row["ner_teacher"]["status"]) == (item.tasks["ner"].tags, 0)
        assert row["ner_teacher"]["confidence"] == pytest.approx(item.tasks["ner"].scores, abs=1e-4)
        mood = item.tasks["mood"]
        assert row["mood_teacher"]["confidence"] == pytest.approx(max((mood.probabilities or {}).values()), abs=1e-4)
    for row in train_rows:
        assert (row["ner"]["status"] == 0) <= (row["ner_teacher"]["tags"] == []), row["id"]
        assert len(row["act_teacher"]["labels"]) in {0, len(row["turns"])}
    held = Dataset.open(data).splits["test"].table.to_pylist()
    assert all(row["ner_teacher"]["status"] == 0 for row in held)
    assert verify(data) == []
    assert (
        "act_teacher, mood_teacher, ner_teacher are those of a trained model"
        in (data / "layers/teacher/README.md").read_text()
    )


def test_run_and_dataset_may_lie_in_a_store(
    model: tuple[Path, Path],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The layer has the bytes of one on a disk; what the model was trained on is found there, too."""
    teach(model[1], str(data), "teacher")
    (tmp_path / "a.txt").write_text("We went to the Harbour again.\n")
    with store_of(monkeypatch) as store:
        for name, root in (("set", model[0]), ("run", model[1]), ("raw", tmp_path / "a.txt")):
            paths = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
            store.objects |= {
                f"{name}/{path.relative_to(root.parent if root.is_file() else root)}": path.read_bytes()
                for path in paths
            }
        assert command(monkeypatch, "predict", store.uri("run"), store.uri("set"), "--layer", "teacher") == 0
        assert "train rows have no labels of the tasks" in capsys.readouterr().out
        assert store.files("set/layers/teacher") == files(data / "layers/teacher")
        assert command(monkeypatch, "evaluate", store.uri("run"), store.uri("set"), "--task", "mood", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["dataset"]["path"] == store.uri("set")
        assert found["tasks"] == evaluate(model[1], model[0], tasks=["mood"])["tasks"]
        assert command(monkeypatch, "predict", store.uri("run"), store.uri("raw/"), "--task", "mood") == 0
        assert json.loads(capsys.readouterr().out)["tokens"]


def test_labels_below_a_threshold_are_none_and_entropy_stands_beside(model: tuple[Path, Path], data: Path) -> None:
    """Of a token its tag, of a row its class; a repetition and an interrupted one have the same bytes."""
    options: dict[str, Any] = {"tasks": ["ner", "mood"], "threshold": 0.8, "entropy": True, "include_train": True}
    made = teach(model[1], str(data), "sure", **options)
    assert not made.seen
    layer = data / "layers/sure"
    first = files(layer)
    for row in Dataset.open(data, ["sure"]).splits["train"].table.to_pylist():
        tags, chances = row["ner_sure"]["tags"], row["ner_sure"]["confidence"]
        assert [tag >= 0 for tag in tags] == [chance >= 0.8 - 1e-6 for chance in chances]
        assert len(row["ner_sure"]["entropy"]) == len(tags)
        mood = row["mood_sure"]
        assert (mood["label"] is None) == (mood["status"] == 2) == (mood["confidence"] is None)
        if mood["label"] is not None:
            p = mood["confidence"]
            assert mood["entropy"] == pytest.approx(-p * np.log(p) - (1 - p) * np.log(1 - p + 1e-12), abs=2e-3)
    (layer / "auxloom.json").unlink()
    (layer / "stats/00000.json").unlink()
    teach(model[1], str(data), "sure", **options)
    assert files(layer) == first
    shard = next(layer.glob("train/*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"\1")  # of the same size
    teach(model[1], str(data), "sure", **options, check=True)
    assert files(layer) == first
    with pytest.raises(ValueError, match=r"contains a layer built from a different plan: .*threshold.*--overwrite"):
        teach(model[1], str(data), "sure", **(options | {"threshold": 0.5}))
    teach(model[1], str(data), "sure", **options, overwrite=True)
    assert files(layer) == first


def test_a_student_is_trained_with_the_confidences(
    model: tuple[Path, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As weights of its labels, from the layer and from a merged dataset alike."""
    teach(model[1], str(data), "teacher", tasks=["ner", "mood"], threshold=0.6)
    from trainer.data import cache

    seen, keep = [], cache.encode

    def noted(*given: Any) -> Any:
        seen.append(keep(*given))
        return seen[-1]

    monkeypatch.setattr("trainer.run_data.encode", noted)
    report = train(data, tmp_path / "student", {**SETTINGS, "max_steps": 2})
    (entry,) = [item for item in report["tasks"] if item["name"] == "ner_teacher"]
    assert (entry["constructed"], entry["taught"]) == (False, True)
    assert "labels of a model (mood_teacher, ner_teacher)" in report["note"]
    split = Dataset.open(data).splits["train"]
    for name, path in (("ner_teacher", "tags"), ("mood_teacher", "label")):
        targets = seen[0].splits["train"].targets[name]
        rows = [row for row in split.table.column(name).to_pylist() if row["status"] == 0]
        if path == "tags":
            pairs = [pair for row in rows for pair in zip(row["tags"], row["confidence"], strict=True)]
            expected = [chance for tag, chance in pairs if tag >= 0]
        else:
            expected = [row["confidence"] for row in rows]
        assert targets.weight.tolist() == pytest.approx(expected)
        assert len(set(expected)) > 3
    merge(str(data), str(tmp_path / "whole"))
    assert verify(tmp_path / "whole") == []
    assert Dataset.open(tmp_path / "whole").splits["train"].table.equals(split.table)


def test_another_dataset_has_the_names_of_the_model(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows with text that was learnt from have no label there, either; that the model's own data is gone is told."""
    data = _build(tmp_path, [*_records(100, 1, labelled=False)[:20], *_records(20, 3, labelled=False)])
    assert command(monkeypatch, "predict", model[1], data, "--layer", "teacher", "--threshold", 0.5) == 0
    out = capsys.readouterr()
    assert "train rows have no labels of the tasks that the model was trained on with them" in out.out + out.err
    assert [task.name for task in Dataset.open(data).tasks] == ["act", "mood", "ner"]
    known = {tuple(row["tokens"]) for row in Dataset.open(model[0]).splits["train"].table.to_pylist()
             if row["ner"]["status"] == 0}  # fmt: skip
    rows = [row for part in Dataset.open(data).splits.values() for row in part.table.to_pylist()]
    for row in rows:
        assert (row["ner"]["status"] == 2) == (tuple(row["tokens"]) in known)
    assert len({row["ner"]["status"] for row in rows}) == 2
    assert command(monkeypatch, "show", data, "--where", "ner", "-n", 1) == 0
    assert "ner: " in capsys.readouterr().out
    lonely = Path(shutil.copytree(model[1], tmp_path / "run"))
    (lonely / "report.json").unlink()
    assert command(monkeypatch, "predict", lonely, data, "--layer", "more", "--task", "ner") == 2
    assert "was not found, so its rows cannot be excluded; give --include-train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "nerr"], "has no task 'nerr' (did you mean 'ner'?); it has act, mood, ner"),
        (["--layers", "nothing"], "was not found"),
        (["--text", "Some."], "give INPUT or --text"),
        (["--set", "text=body"], "--layer requires one dataset"),
    ],
)
def test_what_cannot_be_taught_is_told(
    model: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    *, words: list[str], message: str,
) -> None:  # fmt: skip
    """In one line, and no layer is begun."""
    run = Path(shutil.copytree(model[1], data.parent / "run"))
    (run / "report.json").unlink()
    assert command(monkeypatch, "predict", run, data, "--layer", "teacher", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (data / "layers").exists()


def test_a_layer_of_another_model_may_have_another_name(
    model: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says with which option of this command."""
    assert command(monkeypatch, "predict", model[1], data, "--layer", "teacher", "--task", "ner") == 0
    assert command(monkeypatch, "predict", model[1], data, "--layer", "teacher", "--task", "mood") == 2
    assert "Give another --layer, or --overwrite to replace it" in " ".join(capsys.readouterr().err.split())


def test_rows_of_another_kind_are_refused(model: tuple[Path, Path], tmp_path: Path) -> None:
    """Text that was prepared otherwise; a text is no dataset; options of layers need one."""
    data = _build(tmp_path, _records(20, 4, labelled=False), text={"normalise": "transcript"})
    with pytest.raises(ValueError, match=r"was trained on text with normalise = 'none', but .* has 'transcript'"):
        teach(model[1], str(data), "teacher")
    with pytest.raises(FileNotFoundError, match="is not a dataset"):
        teach(model[1], str(tmp_path / "0.jsonl"), "teacher")
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        teach(tmp_path, str(data), "teacher")
    shutil.rmtree(data)
    plain = [record for record in _records(20, 4, labelled=False) if "tokens" in record]
    data = _build(tmp_path, plain)
    with pytest.raises(ValueError, match=r"act cannot be predicted for the rows of .*: the rows have no turns"):
        teach(model[1], str(data), "teacher", tasks=["act"])
    assert teach(model[1], str(data), "teacher").left_out == {"act": "the rows have no turns"}


def test_options_of_layers_are_for_layers(
    model: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one they say so."""
    assert command(monkeypatch, "predict", model[1], model[0], "--threshold", 0.5) == 2
    assert "--threshold requires --layer NAME" in capsys.readouterr().err
    assert command(monkeypatch, "predict", model[1], model[0], "--layers", "nothing") == 2
    assert "has no layer 'nothing'; it has none" in capsys.readouterr().err
