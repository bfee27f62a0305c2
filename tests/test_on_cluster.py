"""A build whose workers are elsewhere: what they check first, what the driver sends, Ctrl-C, failures, credentials."""

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_services import closed_port
from object_store import store_of
from small import built, files, recipe, text, write

from labelers.stores.uri import check_place
from pipelines import interrupt
from pipelines.build import MakeShard, build
from pipelines.folder.layout import LOCK, Folder
from pipelines.input.find import find_files
from pipelines.labels.held_out_scan import FindHeldOut, merge_held_out
from pipelines.plans.plan import Plan, installed_versions
from pipelines.plans.scan import ScanUnit, merge_scans
from pipelines.recipes.loading import anywhere
from pipelines.recipes.recipe import RecipeError, make_recipe
from pipelines.recipes.recipe_tables import InputTable, RunTable
from pipelines.runners import lookup, on_worker
from pipelines.runners.causes import cause_of
from pipelines.runners.engine import Engine, Job
from pipelines.runners.local import LocalEngine
from pipelines.runners.on_worker import OnWorker, OnWorkerEnd

HOST = socket.gethostname()
TABLES: dict[str, Any] = {"with": ["masking"], "unit": {"bytes": 8_000}}
RUN = {"runner": "elsewhere"}


class Elsewhere(LocalEngine):
    """An engine whose workers may be anywhere, though they are here."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.closed = 0
        self.error: Exception | None = None

    def remote(self, run: RunTable) -> bool:
        """Return that they may."""
        return True

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return a runner in memory, or one that fails."""
        runner, options = super().prepare(job)
        if self.error:
            error = self.error

            def fail(*given: object) -> None:
                logging.getLogger("apache_beam").error("a page of text")
                raise error

            runner.run_pipeline = fail
        return runner, options

    def cancel(self, job: Job, result: Any) -> None:
        """Note it."""
        self.cancelled.append(job.name)

    def close(self, result: Any) -> None:
        """Count it."""
        self.closed += 1


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Elsewhere]:
    """Return an engine that is known as ``elsewhere``, and forget what this process saw."""
    one = Elsewhere()
    monkeypatch.setattr(lookup, "engines", lambda: {"elsewhere": one, "local": LocalEngine()})
    monkeypatch.setattr(on_worker, "_seen", set())
    (tmp_path / "log").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "log"))
    return one


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text of some units."""
    return write(tmp_path_factory.mktemp("source"), text(200))


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dataset as it is built here."""
    out = tmp_path_factory.mktemp("reference") / "out"
    assert built(source, out, **TABLES).complete
    return out


def test_relative_paths_are_sent_from_the_root_on(
    source: Path, reference: Path, tmp_path: Path, engine: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers run in folders of their own, as the scan does; bytes and plan are those of a build here."""
    monkeypatch.chdir(source.parent)
    monkeypatch.setattr("pipelines.plans.planning._SMALL_INPUT", 0)
    assert build(recipe(Path(source.name), Path("../out"), **TABLES, run=RUN)).complete
    out = source.parent.parent / "out"
    plan = Plan.read(Folder.at(str(out)))
    assert [file.path for file in plan.files] == [str(source)]
    assert plan.recipe.out == str(out)
    assert plan.digest == Plan.read(Folder.at(str(reference))).digest
    assert files(out) == files(reference)
    assert engine.closed == 2
    assert list(out.rglob(".tmp-*")) == []
    assert list((tmp_path / "log").iterdir()) == []


def test_what_a_recipe_names_is_absolute_and_uris_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs, globs, output, an earlier dataset and the files of labelers; other options are no paths."""
    monkeypatch.chdir(tmp_path)
    given = {
        "out": "data/out",
        "with": ["paraphrase", "masking"],
        "input": [{"files": ["a*.txt", "s3://bucket/raw/*"], "test": "../t.txt"}, {"files": ["/b"]}],
        "plan": {"from": "monday"},
        "labelers": {"paraphrase": {"dictionary": "names.tsv"}, "masking": {"rate": 0.2}},
    }
    found = anywhere(make_recipe(given))
    assert found.out == str(tmp_path / "data/out")
    assert found.input[0].files == (str(tmp_path / "a*.txt"), "s3://bucket/raw/*")
    assert found.input[0].test == (str(tmp_path.parent / "t.txt"),)
    assert found.input[1].files == ("/b",)
    assert found.plan.from_ == str(tmp_path / "monday")
    assert found.labelers == {"paraphrase": {"dictionary": str(tmp_path / "names.tsv")}, "masking": {"rate": 0.2}}
    assert anywhere(found) == found


def planned(source: Path, reference: Path, out: Path) -> tuple[Plan, MakeShard]:
    """Return the plan of a folder in which nothing is made yet, and the work for it."""
    folder, plan = Folder.at(str(out)), Plan.read(Folder.at(str(reference)))
    for name in ("plan.json", "pool.jsonl"):
        folder.write(name, (reference / name).read_bytes())
    folder.write(LOCK, b"")
    return plan, MakeShard(str(out), plan.digest, "run", 2048, str(source.parent))


def on_host(work: Any, out: Path, **given: Any) -> OnWorker:
    """Return work on a worker."""
    return OnWorker(work, given.get("merge", sum), str(out), "stop", given.get("versions", installed_versions()))


def test_a_host_that_does_not_see_the_folder_refuses_its_units(tmp_path: Path) -> None:
    """Nothing is raised, so that no engine tries again; no folder appears there; the end of a graph is not lost."""
    out = tmp_path / "unseen"
    work = MakeShard(str(out), "digest", "run", 2048, ".")
    ((report,),) = [on_host(work, out)(3)]
    told = f"{HOST} cannot find {out}; give a URI, or a path that is the same folder on all machines"
    assert (report["unit"], report["error"]["text"], report["host"]) == (3, told, HOST)
    with pytest.raises(OSError, match=re.escape(told)):
        OnWorkerEnd(work, "stop")([])
    assert not out.exists()


def test_a_host_that_cannot_read_the_folder_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As without credentials of its own."""

    def fail(*given: object) -> None:
        raise OSError("AWS Error ACCESS_DENIED\nmore")

    monkeypatch.setattr(Folder, "kind", fail)
    monkeypatch.setattr(Folder, "is_file", fail)
    ((report,),) = [on_host(MakeShard(str(tmp_path), "digest", "run", 2048, "."), tmp_path)(0)]
    assert report["error"]["text"] == (
        f"{HOST} cannot read {tmp_path}: AWS Error ACCESS_DENIED; workers take credentials from their own environment"
    )


def test_a_host_that_does_not_see_the_input_refuses_its_units(source: Path, reference: Path, tmp_path: Path) -> None:
    """It names the file; a host that saw one file of a folder is not asked again."""
    plan, work = planned(source, reference, tmp_path / "out")
    on_worker._seen.clear()
    assert "error" not in on_host(work, tmp_path / "out")(0)[0]
    assert on_worker._seen == {str(source.parent)}
    on_worker._seen.clear()
    hidden = source.rename(source.with_suffix(".hidden"))
    try:
        (report,) = on_host(work, tmp_path / "out")(1)
    finally:
        hidden.rename(source)
    assert report["error"]["text"].startswith(f"{HOST} cannot find {source}; ")
    assert plan.files[0].path == str(source)


def test_a_host_with_other_libraries_refuses_its_units(tmp_path: Path) -> None:
    """All that differ are named, before anything is read."""
    (tmp_path / LOCK).touch()
    versions = {**installed_versions(), "spacy": "3.1", "auxloom": ""}
    work = MakeShard(str(tmp_path), "digest", "run", 2048, ".")
    (report,) = on_host(work, tmp_path, versions=versions)(0)
    here = installed_versions()
    assert report["error"]["text"] == (
        f"{HOST} has auxloom {here['auxloom']} instead of (none), spacy {here['spacy']} instead of 3.1; install the "
        "versions of the driver on all workers"
    )


def test_looks_at_the_input_are_refused_in_the_same_way(source: Path, reference: Path, tmp_path: Path) -> None:
    """A scan, and one for labelled passages, ends with the reason instead of a plan."""
    plan = Plan.read(Folder.at(str(reference)))
    scan, held_out = ScanUnit(plan.recipe, plan.files, (), str(tmp_path / "no"), ""), FindHeldOut(plan, "")
    for work, merge in ((scan, merge_scans), (held_out, merge_held_out)):
        assert work.places(plan.units[0]) == [str(source)]
        found = merge([on_host(work, tmp_path / "no", merge=merge)(plan.units[0])])
        (error,) = found["errors"]
        assert error.startswith(f"{HOST} cannot find ")


def test_units_that_a_host_refuses_are_told_in_one_line(
    source: Path, tmp_path: Path, engine: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are."""
    monkeypatch.setattr(on_worker, "installed_versions", lambda: {"python": "3.99"})
    monkeypatch.setattr("pipelines.runners.remote.installed_versions", lambda: {"python": "3.11"})
    report = built(source, tmp_path / "out", **TABLES, run=RUN)
    (failure,) = report.failures
    assert re.fullmatch(rf"\d+ units: {HOST} has python 3.99 instead of 3.11; install .*", failure)


def test_a_failure_is_one_line_and_a_file(source: Path, tmp_path: Path, engine: Elsewhere) -> None:
    """The line has the innermost cause; the file all that was said; the next build goes on."""
    engine.error = RuntimeError(
        "Pipeline x failed in state FAILED: a.B: c\n\tat d.E\nCaused by: f.GError: no memory\n\tat h"
    )
    report = built(source, tmp_path / "out", **TABLES, run=RUN)
    (failure,) = report.failures
    found = re.fullmatch(r"the runner: no memory; full output: (.*\.log)", failure)
    assert found
    log = Path(found[1]).read_text()
    assert "a page of text" in log
    assert "at d.E" in log
    engine.error = None
    assert built(source, tmp_path / "out", **TABLES, run=RUN).complete


def test_ctrl_c_ends_the_job_and_no_further_unit_begins(
    source: Path, reference: Path, tmp_path: Path, engine: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop mark in the output folder holds back what an engine still begins; the same build goes on."""
    made: list[int] = []
    whole = MakeShard.__call__

    def make(self: MakeShard, unit: int) -> Any:
        made.append(unit)
        if len(made) == 2:
            for act in interrupt._last_acts:
                act()
        return whole(self, unit)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(MakeShard, "__call__", make)
        assert not built(source, out, **TABLES, run=RUN).complete
    assert len(made) == 2
    assert len(list(out.glob("stats/*.json"))) == 2
    assert len(list(out.glob(".tmp-stop-*"))) == 1
    assert built(source, out, **TABLES, run=RUN).complete
    assert files(out) == files(reference)
    assert list(out.glob(".tmp-*")) == []


@pytest.mark.parametrize(
    ("runner", "option", "told"),
    [
        ("flink", "job_endpoint=127.0.0.1", "no Beam job server answers at job_endpoint=127.0.0.1:"),
        ("spark", "job_endpoint=127.0.0.1", "no Beam job server answers at job_endpoint=127.0.0.1:"),
        ("dask", "dask_client_address=tcp://127.0.0.1", "no Dask scheduler answers at dask_client_address=tcp://"),
        ("flink", "flink_master=127.0.0.1", "Flink's REST API does not answer at flink_master="),
    ],
)
def test_an_engine_that_is_not_there_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: str, option: str, told: str
) -> None:
    """Reading the input may take long, and is of no use then."""
    monkeypatch.setattr("pipelines.runners.dask._ANSWER", 0.2)
    monkeypatch.setattr("pipelines.build.draft", lambda recipe: pytest.fail("the input was read"))
    name, _, place = option.partition("=")
    run = {"runner": runner, "beam": {name: f"{place}:{closed_port()}"}}
    with pytest.raises(RecipeError, match=re.escape(told)):
        built(tmp_path / "in.txt", tmp_path / "out", run=run)
    assert not (tmp_path / "out").exists()


SECRET = "wJalrXUtnFEMI"  # noqa: S105  (nobody's)


@pytest.mark.parametrize(
    "place",
    [
        f"s3://AKIAKEY:{SECRET}@bucket/raw",
        "s3://AKIAKEY@bucket/raw",
        f"S3://AKIAKEY:{SECRET}@bucket/raw",
        f"abfs://user:{SECRET}@account.blob.core.windows.net/raw",
        f"abfs://container@account.dfs.core.windows.net/raw?client_secret={SECRET}",
    ],
)
def test_credentials_in_a_uri_are_refused(place: str, source: Path, tmp_path: Path) -> None:
    """Wherever one is given, and the error does not repeat them; nothing is written."""
    for given in ({"input": {"files": [place]}}, {"out": place}, {"plan": {"from": place}}):
        data: dict[str, Any] = {"input": {"files": [str(source)]}, "out": str(tmp_path / "out"), **TABLES}
        with pytest.raises(ValueError, match="URI contains credentials; leave them out, and set them in the") as told:
            build(make_recipe({**data, **given}))
        assert SECRET not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "place",
    [
        "s3://bucket/a@b:c/raw?region=eu-west-1",
        "gs://anonymous@bucket/raw",
        "abfs://container@account.dfs.core.windows.net/raw",
        "file:///home/a:b@c",
        "/home/a:b@c",
    ],
)
def test_other_uris_are_none(place: str) -> None:
    """A user without a password, and signs of all kinds in a path."""
    check_place(place)


def test_credentials_of_the_driver_stand_nowhere(
    source: Path, tmp_path: Path, engine: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In no file of the dataset, no log and no error; workers have their own."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    engine.error = RuntimeError("it failed")
    report = built(source, tmp_path / "out", **TABLES, run=RUN)
    engine.error = None
    assert built(source, tmp_path / "out", **TABLES, run=RUN).complete
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [data for data in [*written, json.dumps(report.to_json()).encode()] if SECRET.encode() in data] == []


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("", "no reason given"),
        ("one\ntwo\n\n", "two"),
        ("a.B: x\n\tat c\nCaused by: a.b.CException: d.EException: the reason\n\tat f\n\t... 5 more", "the reason"),
        (
            "Traceback (most recent call last):\n  File\nKeyError: 'a'\n\nThe above\n\nOSError: full\n at x",
            "OSError: full",
        ),
        ("x" * 600, "x" * 500 + "..."),
    ],
)
def test_a_cause_is_found_in_pages(said: str, cause: str) -> None:
    """What Python raised last, what Java names last, or the last line."""
    assert cause_of(said) == cause


def test_an_engine_cancels_by_beam_unless_it_knows_better() -> None:
    """As Spark does."""

    class Plain(Engine):
        def prepare(self, job: Job) -> tuple[Any, Any]:
            return None, None

    class Result:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    result = Result()
    engine, job = Plain(), Job(1, RunTable(), "name", print)
    engine.cancel(job, result)
    engine.close(result)
    assert result.cancelled
    assert not engine.remote(job.run)
    assert engine.cause("a\nb") == "b"


def test_a_folder_in_an_object_store_may_end_with_a_slash(source: Path) -> None:
    """As a completed path of a shell does."""
    for place in (source.parent.as_uri(), f"{source.parent.as_uri()}/"):
        files, _ = find_files([InputTable(files=(place,))])
        assert [(file.name, file.path) for file in files] == [(source.name, source.as_uri())]


def test_a_further_unit_takes_few_requests_there_too(engine: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 15 beside reading input and the lock, though a worker looks for a stop mark and notes that it begins."""
    counts = []
    with store_of(monkeypatch) as store:
        for lines in (40, 120):
            store.objects["raw/a.txt"], out = text(lines).encode(), f"set{lines}"
            store.requests.clear()
            tables: dict[str, Any] = {"unit": {"bytes": 1500}, "with": ["masking"], "run": RUN}
            assert built(store.uri("raw/"), store.uri(out), **tables).complete
            counts.append((len(json.loads(store.objects[f"{out}/plan.json"])["units"]), store.counted("raw", ".lock")))
            assert [name for name in store.objects if ".tmp-" in name] == []
    (few, before), (many, after) = counts
    assert many >= few + 6
    assert after - before <= 15 * (many - few)
