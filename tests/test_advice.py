"""What to do about damage is said alike by every command, and names the command that made what is damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small import built, text, write

from pipelines.display.show import first_rows
from pipelines.layers.label import label
from pipelines.layers.merge import merge
from trainer.data.dataset import Dataset

LISTS = "`auxloom verify` lists all damaged files, and the same "
OF_BASE, OF_LAYER = (
    f"{LISTS}`auxloom build` restores them",
    f"{LISTS}`auxloom label`, `join` or `predict` restores them",
)
READERS: dict[str, Callable[[Path], object]] = {
    "show": lambda out: first_rows(out, 1, layers=[out / "layers/masking"]),
    "train": Dataset.open,
    "merge": lambda out: merge(str(out), f"{out}-whole"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset with a layer."""
    folder = tmp_path_factory.mktemp("advice")
    built(write(folder, text(60)), folder / "out", **{"with": ["toy_labelers:Stutter"]})
    label(str(folder / "out"), ["masking"])
    return folder / "out"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("part", "told"), [("", OF_BASE), ("layers/masking", OF_LAYER)], ids=["base", "layer"])
def test_damage_is_told_alike(whole: Path, tmp_path: Path, reader: str, part: str, told: str) -> None:
    """By all that read a dataset with a layer."""
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    shard = next((out / part / "train").glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-200])
    with pytest.raises((ValueError, OSError)) as error:
        READERS[reader](out)
    assert str(error.value).endswith(told)


@pytest.mark.parametrize("reader", READERS)
def test_a_layer_of_other_rows_is_told_alike(whole: Path, tmp_path: Path, reader: str) -> None:
    """It can be left out."""
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    shutil.rmtree(out / "layers")
    built(write(tmp_path, text(60, 1)), out / "layers/masking", **{"with": ["masking"]})
    with pytest.raises(ValueError, match=r"; leave it out with --layers, or rebuild it$"):
        READERS[reader](out)
