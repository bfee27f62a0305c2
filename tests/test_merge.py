"""A dataset and its layers in one folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from command import run
from small import built, files, rows, text, write

from pipelines.layers.label import label
from pipelines.layers.merge import merge
from pipelines.rebuild import rebuild
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

TABLES: dict[str, Any] = {"unit": {"bytes": 20_000}, "with": ["toy_labelers:Stutter"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset with two layers."""
    folder = tmp_path_factory.mktemp("merge")
    source = write(folder, text(350).encode() + b"\xff\n")
    built(source, folder / "out", **TABLES)
    label(str(folder / "out"), ["masking"])
    label(str(folder / "out"), ["toy_labelers:Sure"], name="more")
    return folder / "out"


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def test_a_merged_dataset_stands_alone(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It verifies, has the rows of all, opens with datasets in both ways, and takes layers itself."""
    new = tmp_path / "new"
    assert run(monkeypatch, "merge", out, "--out", new) == 0
    assert "rows with the labels of 4 tasks (masking.segment, masking.word" in capsys.readouterr().out
    shutil.move(out, tmp_path / "away")
    assert verify(new) == []
    for split in ("train", "validation", "test"):
        found = rows(new, split)
        parts = [rows(tmp_path / "away" / part, split) for part in ("", "layers/masking", "layers/more")]
        assert found == [a | b | c for a, b, c in zip(*parts, strict=True)]
    loaded = datasets.load_from_disk(str(new))
    assert loaded["train"].features["sure"]["long"].names == ["short", "long"]
    assert loaded["train"][:] == datasets.load_dataset(str(new), cache_dir=str(tmp_path / "cache"))["train"][:]
    label(str(new), ["paraphrase"])
    assert verify(new) == []
    with pytest.raises(ValueError, match="is merged from a dataset and its layers; --rebuild only"):
        rebuild(str(new), 1, 0)


def test_a_merge_that_was_broken_off_goes_on(out: Path, tmp_path: Path) -> None:
    """With the units that are missing."""
    new = tmp_path / "new"
    merge(str(out), str(new))
    before, manifest = files(new), (new / "auxloom.json").read_bytes()
    (new / "stats/00001.json").unlink()
    (new / "auxloom.json").unlink()
    merge(str(out), str(new))
    assert files(new) == before
    assert (new / "auxloom.json").read_bytes() == manifest
    with pytest.raises(RecipeError, match="contains another dataset; give another --out"):
        merge(str(out), str(new), ["more"])


def test_what_cannot_be_merged_is_refused(out: Path, tmp_path: Path) -> None:
    """No layer, one of another dataset, two columns of one name, a folder of something else, damage."""
    with pytest.raises(RecipeError, match="has no layer to merge; make one with `auxloom label`"):
        merge(str(out), str(tmp_path / "new"), [])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").touch()
    with pytest.raises(RecipeError, match="contains other files"):
        merge(str(out), str(tmp_path / "mine"))
    shutil.copytree(out / "layers/more", out / "layers/again")
    with pytest.raises(RecipeError, match="again and more both have a column 'sure'"):
        merge(str(out), str(tmp_path / "new"))
    shutil.rmtree(out / "layers/again")
    next((out / "layers/more/train").glob("*.arrow")).unlink()
    with pytest.raises(
        OSError,
        match=r"unit 0 of .*more is damaged; `auxloom verify` lists all damaged files, and the same `auxloom label`",
    ):
        merge(str(out), str(tmp_path / "new"))
    path = out / "layers/more/auxloom.json"
    plan = out / "layers/more/plan.json"
    plan.write_text(plan.read_text().replace('"rows_blake2b": "', '"rows_blake2b": "0'))
    with pytest.raises(RecipeError, match="the layer more belongs to another dataset than"):
        merge(str(out), str(tmp_path / "other"))
    assert json.loads(path.read_bytes())["base"]
