"""A dataset and its layers in the trainer: one table, one digest, tasks of all."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run
from small import built, text, write

from pipelines.layers.label import label
from trainer.data.dataset import Dataset
from trainer.loop import train

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {"max_steps": 2, "rows": 8, "bucket": 8, "threads": 1, "model": {"vocabulary": 320}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset with two layers, one of which holds confidences."""
    folder = tmp_path_factory.mktemp("layers")
    source = write(folder, text(350))
    built(source, folder / "out", **{"with": ["toy_labelers:Stutter"], "unit": {"bytes": 20_000}})
    label(str(folder / "out"), ["masking"])
    label(str(folder / "out"), ["toy_labelers:Sure"])
    return folder / "out"


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def names(dataset: Dataset) -> list[str]:
    """Return the names of its tasks."""
    return [task.name for task in dataset.tasks]


def test_columns_and_tasks_of_layers_stand_beside_those_of_the_base(out: Path, tmp_path: Path) -> None:
    """Without a copy, as a build of all of them would have had them; each choice has a digest of its own."""
    data = Dataset.open(out)
    assert names(data) == ["stutter.tags", "masking.word", "masking.segment", "sure.long"]
    source = write(tmp_path, text(350))
    labelers = ["toy_labelers:Stutter", "masking", "toy_labelers:Sure"]
    built(source, tmp_path / "both", **{"with": labelers, "unit": {"bytes": 20_000}})
    both = Dataset.open(tmp_path / "both")
    assert data.splits["train"].table.equals(both.splits["train"].table)
    digests = {Dataset.open(out, chosen).digest for chosen in (None, [], ["masking"], ["sure"])}
    assert len(digests) == 4
    assert names(Dataset.open(out, ["sure"])) == ["stutter.tags", "sure.long"]
    shutil.rmtree(out / "layers")
    assert Dataset.open(out).digest in digests


def test_a_layer_with_confidences_is_trained_with_them(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of weight 0 are no labels; another choice of layers is another dataset."""
    report = train(out, tmp_path / "run", QUICK)
    assert {task["name"] for task in report["tasks"]} >= {"stutter.tags", "sure.long", "masking.word"}
    from trainer.data import cache

    seen = {}
    keep = cache.encode

    def noted(*given: Any) -> Any:
        seen["data"] = keep(*given)
        return seen["data"]

    monkeypatch.setattr("trainer.run_data.encode", noted)
    train(out, tmp_path / "sure", QUICK, layers=["sure"])
    targets = seen["data"].splits["train"].targets["sure.long"]
    expected = Dataset.open(out).splits["train"].floats("sure.confidence")
    assert {*np.unique(expected).tolist()} == {0.0, 0.5}
    assert np.array_equal(targets.weight, expected[targets.where])
    words = [f"--set={key}={value}" for key, value in QUICK.items() if key != "model"]
    command = ["train", out, "--out", tmp_path / "none", *words, "--set=model.vocabulary=320"]
    assert run(monkeypatch, *command, "--no-layers", "--stop-after", 1) == 0
    assert f"--out {tmp_path / 'none'} --no-layers --resume" in capsys.readouterr().out
    assert run(monkeypatch, "train", out, "--out", tmp_path / "none", "--resume", "--layers", "sure") == 2


def _rows(out: Path) -> str:
    other = out.parent / "other"
    built(write(out.parent, text(350, 1)), other, **{"with": ["masking"], "unit": {"bytes": 20_000}})
    shutil.rmtree(out / "layers")
    shutil.copytree(other, out / "layers/masking")
    return r"row 1 of train is '.*' in the layer and '.*' in the dataset; leave it out with --layers"


def _base(out: Path) -> str:
    path = out / "layers/masking/auxloom.json"
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps(manifest | {"base": manifest["base"] | {"rows_blake2b": "0"}}))
    return "belongs to another dataset than .*, whose rows have the same ids"


def _column(out: Path) -> str:
    shutil.copytree(out / "layers/masking", out / "layers/zoo")
    return "the layer zoo has a column 'masking' that the layer masking also has"


def _unfinished(out: Path) -> str:
    (out / "layers/masking/auxloom.json").unlink()
    return "finish it: auxloom label .*out --with masking --name masking, or leave it out with --layers"


def _begun(out: Path) -> str:
    shutil.rmtree(out / "layers/masking/train")
    (out / "layers/masking/auxloom.json").unlink()
    (out / "layers/masking/plan.json").unlink()
    return "finish it: run the command that started it again, or remove .*masking"


def _joined(out: Path) -> str:
    (out / "layers/masking/auxloom.json").unlink()
    path = out / "layers/masking/plan.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"joined": {"on": "id"}}))
    return "finish it: run the same auxloom join .*out again"


@pytest.mark.parametrize("damage", [_rows, _base, _column, _unfinished, _begun, _joined])
def test_what_is_no_layer_of_the_dataset_is_refused(out: Path, damage: Any) -> None:
    """With what is wrong and what to do."""
    told = damage(out)
    with pytest.raises(ValueError, match=told):
        Dataset.open(out)
    assert names(Dataset.open(out, [])) == ["stutter.tags"]
    with pytest.raises(ValueError, match="has no layer 'nothing'; it has "):
        Dataset.open(out, ["nothing"])
