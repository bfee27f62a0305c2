"""Layers on other runners, in several processes, and after a break: the same bytes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small import built, files, text, write

from pipelines.folder.layout import Folder, Pending
from pipelines.layers.join import join
from pipelines.layers.label import label

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

ROOT = Path(__file__).parents[1]
NER: dict[str, Any] = {"ner": {"kind": "token", "column": "tags"}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of some units without layers; beside it lie annotations of its text, of which some are wrong."""
    folder = tmp_path_factory.mktemp("plain")
    tokens = [line.replace(".", " .").replace(",", " ,").split() for line in text(90).splitlines()]
    records = [{"id": f"r{i}", "tokens": words} for i, words in enumerate(tokens)]
    source = write(folder, "".join(json.dumps(item) + "\n" for item in records), "base.jsonl")
    assert not built(source, folder / "out", **{"with": [], "unit": {"bytes": 10_000}}).exit_code
    tagged = [{**item, "tags": ["B-x"] + ["O"] * (len(item["tokens"]) - 1 - i % 2)} for i, item in enumerate(records)]
    write(folder, "".join(json.dumps(item) + "\n" for item in tagged), "ner.jsonl")
    return folder / "out"


def other(plain: Path) -> str:
    """Return the annotations."""
    return str(plain.parent / "in/ner.jsonl")


@pytest.fixture(scope="module")
def reference(plain: Path) -> Path:
    """Return a copy with two layers that were made in one process and one go."""
    out = Path(shutil.copytree(plain, plain.parent / "reference"))
    label(str(out), ["masking"])
    join(str(out), [other(plain)], labels=NER)
    return out


def same(out: Path, reference: Path, layer: str) -> None:
    """Check that a layer has the same bytes in two datasets."""
    here, there = out / "layers" / layer, reference / "layers" / layer
    assert files(here) == files(there)
    assert (here / "auxloom.json").read_bytes() == (there / "auxloom.json").read_bytes()


def test_two_workers_join_the_same_labels(plain: Path, reference: Path, tmp_path: Path) -> None:
    """Each matches the rows for itself."""
    out = Path(shutil.copytree(plain, tmp_path / "out"))
    join(str(out), [other(plain)], labels=NER, run={"workers": 2})
    same(out, reference, "ner")


@pytest.mark.parametrize("point", [0, 2, 6])
def test_a_join_that_broke_off_is_ended_with_the_same_bytes(
    plain: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """At a shard, a commit mark, or another unit; the second run matches all rows again and makes what is missing."""
    out, begin, whole, seen = Path(shutil.copytree(plain, tmp_path / "out")), Pending.__init__, Pending.commit, []
    folders: dict[int, Folder] = {}

    def init(self: Pending, folder: Folder, name: str) -> None:
        folders[id(self)] = folder
        begin(self, folder, name)

    def commit(self: Pending) -> None:
        if "/layers/ner/" in f"{folders[id(self)].path}/" and self.name.partition("/")[2]:
            seen.append(self.name)
            if len(seen) > point:
                raise OSError("no space left")
        whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(Pending, "__init__", init)
        patch.setattr(Pending, "commit", commit)
        assert join(str(out), [other(plain)], labels=NER).exit_code == 1
    assert not (out / "layers/ner/auxloom.json").exists()
    assert join(str(out), [other(plain)], labels=NER).report.complete
    same(out, reference, "ner")
