"""Datasets in a store: commands read, check and label them where they lie, and the trainer a copy in the cache."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store import ObjectStore, store_of
from small import built, text
from typer.testing import CliRunner

from labelers.stores.copies import dataset_folder
from labelers.task import tasks
from pipelines.cli import app
from pipelines.layers.label import label
from pipelines.layers.merge import merge
from pipelines.verify import verify
from trainer.data.dataset import Dataset

TABLES = {"unit": {"bytes": 3000}, "with": ["masking"]}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield a store with a dataset."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        found.objects["raw/a.txt"] = text(60).encode()
        assert built(found.uri("raw/a.txt"), found.uri("set"), **TABLES).complete
        yield found


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache."""
    monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_layer_is_made_merged_and_verified_in_the_store(store: ObjectStore) -> None:
    """With settings in the query; its folder lies in that of the dataset."""
    assert label(store.uri("set"), ["toy_labelers:Stutter"]).complete
    assert "set/layers/stutter/auxloom.json" in store.objects
    assert merge(store.uri("set"), store.uri("merged"), None)["splits"]
    assert verify(store.uri("set")) == []
    assert verify(store.uri("merged")) == []


def test_the_trainer_opens_a_copy(store: ObjectStore, cache: Path) -> None:
    """It is made once, and again where the dataset has changed."""
    data = Dataset.open(store.uri("set"), [])
    assert [task.name for task in data.tasks] == [task.name for task in tasks(store.uri("set"))]
    assert data.path.parent == cache
    before = len(store.requests)
    assert Dataset.open(store.uri("set"), []).path == data.path
    assert len(store.requests) == before + 1
    store.objects["set/README.md"] += b"\n"
    assert dataset_folder(store.uri("set")) != data.path


def test_the_cache_has_a_limit(store: ObjectStore, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older copies make room; what is larger than all of it is refused before it is copied."""
    first = dataset_folder(store.uri("set"))
    size = sum(path.stat().st_size for path in first.rglob("*") if path.is_file())
    monkeypatch.setenv("AUXLOOM_CACHE_BYTES", str(int(1.5 * size)))
    store.objects["set/README.md"] += b"\n"
    second = dataset_folder(store.uri("set"))
    assert list(cache.iterdir()) == [second]
    monkeypatch.setenv("AUXLOOM_CACHE_BYTES", "1000")
    with pytest.raises(ValueError, match="raise AUXLOOM_CACHE_BYTES"):
        dataset_folder(store.uri("set"))


def test_show_prints_rows_of_a_dataset_in_a_store(store: ObjectStore) -> None:
    """As of one on a disk."""
    shown = CliRunner().invoke(app, ["show", store.uri("set"), "-n", "1", "--no-layers"])
    assert shown.exit_code == 0, shown.output
    assert "a.txt:" in shown.output


def test_a_dataset_that_is_not_there(store: ObjectStore) -> None:
    """The message names the place."""
    with pytest.raises(FileNotFoundError, match="there is no dataset at s3://bucket/nothing"):
        Dataset.open(store.uri("nothing"))
