"""Units that are made at once in one process have the bytes of units that are made one after the other."""

import itertools
import json
import shutil
import string
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from corpus import DIALOGUES, TEXTS
from small import built, files, recipe
from toy_labelers import Noting

from labelers.edits import View
from labelers.labeler import Proposal, Request
from pipelines.build import build
from pipelines.folder.finish import finish
from pipelines.plans.plan import Plan
from pipelines.plans.planning import draft, fill
from pipelines.processes import end_children
from pipelines.rebuild import rebuild
from pipelines.recipes.recipe_tables import RunTable
from pipelines.rows.shard import make_shard, make_shard_here
from pipelines.verify import verify

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

LABELERS = ["connective", "disfluency", "paraphrase", "masking", "toy_labelers:Noting"]
ROUNDS = 4

TABLES = {"with": LABELERS, "unit": {"bytes": 10_000}}

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _children() -> Iterator[None]:
    """Keep the children from test to test, as a worker does, and end them."""
    yield
    end_children()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return texts and dialogues, of which each brings a word of its own, so that every vocabulary goes on growing."""
    words = map("".join, itertools.product(string.ascii_lowercase, repeat=3))
    lines = []
    for number, word in enumerate(itertools.islice(words, 240)):
        if number % 5:
            lines.append({"text": f"{TEXTS[number % len(TEXTS)]} They gave it the name q{word} and another x{word} ."})
        else:
            turns = [{"role": role, "text": f"{text} So said k{word} ."} for role, text in DIALOGUES[number % 2]]
            lines.append({"turns": turns})
    path = tmp_path_factory.mktemp("source") / "mixed.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def planned(source: Path, out: Path, **tables: Any) -> Plan:
    """Return a new plan of six units or so, of which nothing is made."""
    settings = recipe(source, out, **TABLES, **tables)
    return fill(draft(settings), settings.run, plainly)


def plainly(
    units: Sequence[Any],
    work: Callable[[Any], Any],
    merge: Callable[[Any], Any],
    end: Callable[[Any], None],
    run: RunTable,
) -> None:
    """Do what a graph does, without Beam, which takes a second each time."""
    assert run.workers == 1
    end(merge(map(work, units)))


def in_threads(make: Make, plan: Plan, out: Path, threads: int) -> list[dict[str, Any]]:
    """Make all units, so many at once, and return their reports."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda unit: make(unit, plan, str(out)), range(len(plan.units))))


@pytest.mark.parametrize("views", ["separate", "woven"])
def test_threads_write_the_bytes_of_one(source: Path, tmp_path: Path, views: str) -> None:
    """Two threads and three in turn, under a seed of its own each time, so that no process is ready for a plan."""
    for seed in range(ROUNDS):
        one, many, threads = tmp_path / f"{seed}", tmp_path / f"{seed}x", (2, 3)[seed % 2]
        plan = planned(source, one, views=views, seed=seed)
        shutil.copytree(one, many)
        reports = in_threads(make_shard, plan, many, threads)
        assert [report["error"] for report in reports if "error" in report] == []
        assert 2 <= len({report["process"] for report in reports}) <= threads
        for unit in range(len(plan.units)):
            make_shard(unit, plan, str(one))
        assert files(one) == files(many)


def test_two_threads_of_beams_local_runner_write_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """An engine that deals units to threads of one process."""
    run = {"beam": {"direct_num_workers": 2, "direct_running_mode": "multi_threading"}}
    assert built(source, tmp_path / "one", **TABLES).exit_code == 0
    assert built(source, tmp_path / "two", **TABLES, run=run).exit_code == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")
    (line,) = (tmp_path / "two" / "run.jsonl").read_text().splitlines()
    assert len({unit["process"] for unit in json.loads(line)["units"]}) == 2


def carelessly(plan: Plan, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all units as threads made them that shared one context: each labels with what another unit has noted."""
    others = [np.zeros(1)]

    def label(self: Noting, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        noted, others[0] = others[0], self.notes[0]
        return {"turns": pa.array(np.resize(noted, len(request.batch)).astype(np.int64))}

    with monkeypatch.context() as patch:
        patch.setattr(Noting, "label", label)
        for unit in range(len(plan.units)):
            assert "error" not in make_shard_here(unit, plan, str(out))
    assert finish(plan, str(out)) is not None


def test_rebuild_finds_rows_that_were_made_wrong(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All digests, rows and counts of such a dataset agree; only units that are made again tell."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    plan = planned(source, right)
    shutil.copytree(right, wrong)
    carelessly(plan, wrong, monkeypatch)
    build(recipe(source, right, **TABLES))
    differing = sorted(name for name, data in files(right).items() if data != files(wrong)[name])
    assert differing
    assert verify(wrong) == []
    problems = rebuild(str(wrong), None, 0).problems
    named = {problem.partition(":")[0] for problem in problems}
    assert named == {name for name in differing if not name.endswith(".json")}
    shown = [problem for problem in problems if ".arrow: row " in problem]
    assert shown
    assert all(" column " in problem and " stored, " in problem for problem in shown)
    assert rebuild(str(right), None, 0).problems == ()
