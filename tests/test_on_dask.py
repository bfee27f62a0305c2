"""Dask makes the same datasets and layers as one process: one program, since each that starts a cluster takes long."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import labelled
import pytest
from small import built, files, text, write

from pipelines.layers.join import join
from pipelines.layers.label import label

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

ROOT = Path(__file__).parents[1]
UNIT = {"bytes": 14_000}
NER: dict[str, Any] = {"ner": {"kind": "token", "column": "tags"}}

PROGRAM = """
import json, logging, sys
from pathlib import Path

logging.disable(logging.INFO)
import labelled, small
from pipelines.plans import planning
from pipelines.layers.join import join
from pipelines.layers.label import label

if __name__ == "__main__":
    from distributed import LocalCluster

    given = json.loads(sys.argv[1])
    at = {name: Path(folder) for name, folder in given["at"].items()}
    small_input = planning._SMALL_INPUT
    for workers, threads in ((2, 1), (1, 2)):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None)
        run = {"runner": "dask", "beam": {"dask_npartitions": 4, "dask_client_address": cluster.scheduler_address}}
        out = at[f"{workers} x {threads}"]
        assert small.built(at["source"], out, unit=given["unit"], run=run).exit_code == 0
        if workers == 2:
            planning._SMALL_INPUT = 0  # the look at held-out passages is a graph of its own
            assert labelled.built(at["labelled"], given["tables"], run=run).exit_code == 0
            planning._SMALL_INPUT = small_input
            label(str(at["layers"]), ["masking"], run=run)
            join(str(at["layers"]), [given["other"]], labels=given["ner"], run=run)
        cluster.close()
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a text, annotations and datasets that were made in one process."""
    folder = tmp_path_factory.mktemp("reference")
    source = write(folder, text(400).encode() + b"\xff\xfe\n" + text(500, 400).encode())
    assert built(source, folder / "built", unit=UNIT).exit_code == 0
    tables = labelled.recipe_tables(folder)
    assert labelled.built(folder / "labelled", tables).exit_code == 0
    (folder / "tables.json").write_text(json.dumps(tables))
    tokens = [line.replace(".", " .").replace(",", " ,").split() for line in text(90).splitlines()]
    records = [{"id": f"r{i}", "tokens": words} for i, words in enumerate(tokens)]
    source = write(folder, "".join(json.dumps(item) + "\n" for item in records), "base.jsonl")
    assert built(source, folder / "plain", **{"with": [], "unit": {"bytes": 10_000}}).exit_code == 0
    tagged = [{**item, "tags": ["B-x"] + ["O"] * (len(item["tokens"]) - 1 - i % 2)} for i, item in enumerate(records)]
    other = write(folder, "".join(json.dumps(item) + "\n" for item in tagged), "ner.jsonl")
    shutil.copytree(folder / "plain", folder / "layers")
    label(str(folder / "layers"), ["masking"])
    join(str(folder / "layers"), [str(other)], labels=NER)
    return folder


@pytest.fixture(scope="module")
def made(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what two workers made, and one with two threads."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(reference / "plain", folder / "layers")
    at = {name: str(folder / name) for name in ("2 x 1", "1 x 2", "labelled", "layers")}
    given = {
        "at": at | {"source": str(reference / "in/text.txt")},
        "unit": UNIT,
        "tables": json.loads((reference / "tables.json").read_bytes()),
        "other": str(reference / "in/ner.jsonl"),
        "ner": NER,
    }
    (folder / "run.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, folder / "run.py", json.dumps(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def processes(out: Path) -> int:
    """Return how many processes made the units of the only run."""
    (line,) = (out / "run.jsonl").read_text().splitlines()
    return len({unit["process"] for unit in json.loads(line)["units"]})


@pytest.mark.parametrize("name", ["2 x 1", "1 x 2"])
def test_dask_writes_the_same_bytes(reference: Path, made: Path, name: str) -> None:
    """Another Beam runner makes the same dataset: in two workers, and in one with two threads."""
    assert files(made / name) == files(reference / "built")
    assert processes(made / name) == 2


def test_dask_leaves_out_the_same_passages(reference: Path, made: Path) -> None:
    """Where labelled records are held out from train, also where the look at them is a graph of its own."""
    assert files(made / "labelled") == files(reference / "labelled")
    for name in ("auxloom.json", "held_out.keys", "pool.jsonl", "README.md", "train/dataset_info.json"):
        assert (made / "labelled" / name).read_bytes() == (reference / "labelled" / name).read_bytes(), name


@pytest.mark.parametrize("layer", ["masking", "ner"])
def test_dask_makes_the_same_layers(reference: Path, made: Path, layer: str) -> None:
    """Labels of labelers, and of people, in two workers."""
    here, there = made / "layers/layers" / layer, reference / "layers/layers" / layer
    assert files(here) == files(there)
    assert (here / "auxloom.json").read_bytes() == (there / "auxloom.json").read_bytes()
    assert processes(here) == 2
