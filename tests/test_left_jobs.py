"""Jobs of a driver that was killed: they are noted while they run, and the next build in the folder ends them."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_services import FlinkRest, job_service
from small import built, files, recipe, text, write

from pipelines.build import build
from pipelines.folder.layout import Folder
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners import lookup
from pipelines.runners.engine import Engine, Job
from pipelines.runners.flink import FlinkEngine
from pipelines.runners.job_service import JobServiceEngine
from pipelines.runners.left_jobs import end_left_jobs
from pipelines.runners.local import LocalEngine

TABLES: dict[str, Any] = {"with": ["masking"], "unit": {"bytes": 8_000}}


class Elsewhere(LocalEngine):
    """An engine whose workers may be anywhere, though they are here."""

    addresses = ("master",)

    def __init__(self, out: Path) -> None:
        self.out = out
        self.notes: list[dict[str, Any]] = []
        self.ended: list[tuple[RunTable, str]] = []

    def remote(self, run: RunTable) -> bool:
        """Return that they may."""
        return True

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Keep what is noted of the job that is about to run."""
        self.notes += [json.loads(path.read_bytes()) for path in self.out.glob(f".tmp-job-{job.name}.json")]
        return super().prepare(Job(job.elements, RunTable(), job.name, job.say))

    def end(self, run: RunTable, name: str) -> None:
        """Note it."""
        self.ended.append((run, name))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a text of two units."""
    return write(tmp_path, text(100))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Return an engine that is known as ``elsewhere``."""
    one = Elsewhere(tmp_path / "out")
    engines: dict[str, Engine] = {"elsewhere": one, "local": LocalEngine()}
    monkeypatch.setattr(lookup, "engines", lambda: engines)
    return one


def test_a_job_is_noted_while_it_runs_with_its_addresses_alone(source: Path, tmp_path: Path, engine: Elsewhere) -> None:
    """What else was given to the engine may be secret."""
    run = {"runner": "elsewhere", "beam": {"master": "HOST:1", "token": "hidden"}}
    assert build(recipe(source, tmp_path / "out", **TABLES, run=run)).complete
    assert engine.notes == [{"runner": "elsewhere", "beam": {"master": "HOST:1"}}]
    assert list((tmp_path / "out").glob(".tmp-*")) == []


@pytest.mark.parametrize("runner", ["elsewhere", "local"])
def test_the_next_build_ends_the_job_of_a_driver_that_was_killed(
    source: Path, tmp_path: Path, engine: Elsewhere, runner: str
) -> None:
    """Whatever it runs on; the bytes are those of any other build, and it says which job it ends."""
    out, said = tmp_path / "out", list[str]()
    out.mkdir()
    (out / ".tmp-job-auxloom-1234.json").write_text('{"runner": "elsewhere", "beam": {"master": "HOST:1"}}')
    assert build(recipe(source, out, **TABLES, run={"runner": runner}), say=said.append).complete
    assert engine.ended == [(RunTable(runner="elsewhere", beam={"master": "HOST:1"}), "auxloom-1234")]
    assert said == ["ending job auxloom-1234 on elsewhere, which a build that was killed left running"]
    assert built(source, tmp_path / "reference", **TABLES).complete
    assert files(out) == files(tmp_path / "reference")
    assert list(out.glob(".tmp-*")) == []


def test_workers_of_the_old_job_stop_whatever_the_engine_does(tmp_path: Path, engine: Elsewhere) -> None:
    """There is a stop mark even if the note is damaged, or the engine cannot be reached."""
    (tmp_path / ".tmp-job-a.json").write_text("{")
    (tmp_path / ".tmp-job-b.json").write_text('{"runner": "spark", "beam": {}}')
    end_left_jobs(Folder.at(str(tmp_path)), None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-stop-a", ".tmp-stop-b"]
    assert engine.ended == []


def test_job_servers_and_flink_are_asked_by_name() -> None:
    """Flink's REST where it is known: its job server says that a job has ended, and lets it run on."""
    ended: list[str] = []
    with job_service([], ["auxloom-1", "auxloom-2"], ended) as endpoint:
        JobServiceEngine().end(RunTable(beam={"job_endpoint": endpoint}), "auxloom-2")
        assert ended == ["id-auxloom-2"]
        with FlinkRest(2, 2, ["auxloom-1", "other"]) as rest:
            run = RunTable(beam={"job_endpoint": endpoint, "flink_master": rest.address})
            FlinkEngine().end(run, "auxloom-1")
            assert rest.asked[-1] == "PATCH /jobs/id-auxloom-1?mode=cancel"
            assert ended == ["id-auxloom-2"]
            FlinkEngine().end(run, "auxloom-2")
            assert ended == ["id-auxloom-2"] * 2
