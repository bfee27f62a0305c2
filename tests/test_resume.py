"""A build that is killed, and the one that ends it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small import built, files, text, write

from pipelines.folder.finish import finish
from pipelines.folder.layout import STATS, Folder, Pending
from pipelines.plans.plan import Plan
from pipelines.rows.shard import make_shard
from pipelines.verify import verify

pytestmark = pytest.mark.no_cover  # other tests run the same lines once

ROOT = Path(__file__).parents[1]
TABLES = {"unit": {"bytes": 20_000}}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text of three units, with a reject."""
    return write(tmp_path_factory.mktemp("source"), text(350).encode() + b"\xff\n")


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that was built in one go."""
    out = tmp_path_factory.mktemp("reference") / "out"
    assert built(source, out, **TABLES).exit_code == 0
    return out


def test_a_killed_build_is_ended_with_the_same_bytes(source: Path, reference: Path, tmp_path: Path) -> None:
    """Kill -9 before the plan, between the shards of a unit, before a commit mark, and before the manifest.

    Each build names its files one after the other: the scan's result, the pool, the plan, then per unit three shards,
    keys, rejects and the mark, then what stands above them.
    """
    points = ["0", "2", "3", "5", "8", "13", "20", "24"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, ROOT / "tests" / "kill_points.py", source, tmp_path, *points]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = [[int(value) for value in line.split()] for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [int(point) for point in points]
    assert [line[1] for line in lines] == [-9] * len(points)
    assert min(line[3] for line in lines) >= 1  # each left something half-written, under another name
    assert [line[4] for line in lines] == [0] * len(points)
    for point in points:
        assert files(tmp_path / point) == files(reference), point
        assert verify(tmp_path / point) == []
        assert (tmp_path / point / "auxloom.json").read_bytes() == (reference / "auxloom.json").read_bytes()


def test_a_labeler_that_dies_with_its_process_is_run_again(tmp_path: Path) -> None:
    """A worker that is killed in the middle of a unit leaves the units before it done, and its own not."""
    lines = text(350).splitlines()
    lines[250] = "Then BOOM it went, they say."
    source, out = write(tmp_path, "\n".join(lines)), tmp_path / "out"
    tables = {**TABLES, "with": ["toy_labelers:Suicidal"], "labelers": {"suicidal": {"marker": str(tmp_path / "mark")}}}
    code = f"from small import *; import sys; built(Path({str(source)!r}), Path({str(out)!r}), **{tables!r})"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", f"from pathlib import Path; {code}"]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    before = sorted(path.name for path in (out / STATS).glob("*.json"))
    assert before
    assert built(source, out, **tables).exit_code == 0
    assert len(list((out / STATS).glob("*.json"))) > len(before)
    assert verify(out) == []
    built(source, tmp_path / "other", **tables)
    assert files(tmp_path / "other") == files(out)


def test_a_second_build_of_the_same_plan_says_so(source: Path, reference: Path) -> None:
    """A complete dataset is not touched."""
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("*")}
    report = built(source, reference, **TABLES)
    assert report.complete
    assert report.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in reference.rglob("*")} == before


def test_a_missing_unit_is_done_again(source: Path, reference: Path, tmp_path: Path) -> None:
    """Without its commit mark a unit is not done, whatever of its files there are."""
    out = tmp_path / "out"
    built(source, out, **TABLES)
    (out / "auxloom.json").unlink()
    (out / STATS / "00001.json").unlink()
    shard = next(out.glob("train/data-00001-*"))
    shard.write_bytes(b"half")
    assert built(source, out, **TABLES).exit_code == 0
    assert files(out) == files(reference)


def test_a_mark_of_another_plan_does_not_count(source: Path, tmp_path: Path) -> None:
    """A unit is done if and only if its stats file carries this plan."""
    out = tmp_path / "out"
    built(source, out, **TABLES)
    folder = Folder.at(str(out))
    plan = Plan.read(folder)
    mark = folder.read_json("stats/00002.json")
    folder.write("stats/00002.json", str(mark).replace("'", '"').replace(plan.digest, "0" * 32).encode())
    assert finish(plan, str(out)) is None
    (out / "auxloom.json").unlink()
    assert built(source, out, **TABLES).exit_code == 0
    assert verify(out) == []


def test_two_runs_at_once_end_with_one_dataset(source: Path, reference: Path, tmp_path: Path) -> None:
    """A run whose temporary files another one swept away finds the unit done."""
    out = tmp_path / "out"
    built(source, out, **TABLES)
    folder = Folder.at(str(out))
    plan = Plan.read(folder)
    whole = Pending.commit

    def commit(self: Pending) -> None:
        if self.name.endswith(".arrow") and not (out / "swept").exists():
            (out / "swept").touch()
            other = make_shard(1, plan, str(out))  # the other run, faster by a breath
            assert "error" not in other
            folder.clean()
            (out / "swept").unlink()
            (out / "stats" / "kept").touch()
        whole(self)

    (out / STATS / "00001.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pending, "commit", commit)
        report = make_shard(1, plan, str(out))
    (out / "stats" / "kept").unlink()
    assert "error" not in report
    assert finish(plan, str(out)) is not None
    assert files(out) == files(reference)


def test_a_plan_that_was_replaced_stops_the_run_that_follows_it(source: Path, tmp_path: Path) -> None:
    """A run that another one with --overwrite overtook commits nothing more."""
    out = tmp_path / "out"
    built(source, out, **TABLES)
    old = Plan.read(Folder.at(str(out)))
    (out / STATS / "00001.json").unlink()
    text = (out / "plan.json").read_text()
    (out / "plan.json").write_text(text.replace(old.digest, "0" * 32))
    report = make_shard(1, old, str(out))
    assert "another build replaced plan.json" in report["error"]["text"]
    assert not (out / STATS / "00001.json").exists()
