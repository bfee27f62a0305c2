"""Runners by name, what is asked of an engine before a job is sent, and what a job is given."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Self

import pytest
from fake_services import FlinkRest, closed_port, job_service, silent_port

from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners import dask, flink
from pipelines.runners import job_service as service
from pipelines.runners.dask import DaskEngine
from pipelines.runners.engine import Job
from pipelines.runners.flink import FlinkEngine
from pipelines.runners.job_service import environment
from pipelines.runners.lookup import check_addresses, engine_of, engines, is_remote

OURS = {"environment_type": "PROCESS", "environment_config": {"command": "auxloom-worker"}}


def job(runner: str, *, elements: int = 8, workers: int = 1, **beam: Any) -> tuple[Job, list[str]]:
    """Return a job, and what it says."""
    said: list[str] = []
    return Job(elements, RunTable(runner=runner, workers=workers, beam=beam), "auxloom-test", said.append), said


def prepared(runner: str, **given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the options that Beam gets for a job, and what was said."""
    one, said = job(runner, **given)
    _, options = engine_of(runner).prepare(one)
    flags = [flag.removeprefix("--").partition("=") for flag in options._flags]
    return {name: value for name, _, value in flags}, said


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("local", "local"),
        ("Flink", "flink"),
        ("FlinkRunner", "flink"),
        ("PortableRunner", "portable"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "dask"),
        ("apache_beam.runners.portability.spark_runner.SparkRunner", "spark"),
        ("DirectRunner", "direct"),
    ],
)
def test_an_engine_is_found_by_any_of_its_names(name: str, short: str) -> None:
    """Short, as Beam has it, and by the class."""
    assert engine_of(name) is engines()[short]


def test_a_runner_that_beam_alone_knows_is_left_to_it() -> None:
    """By the full name of its class."""
    name = "apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner"
    runner, _ = engine_of(name).prepare(job(name)[0])
    assert type(runner).__name__ == "BundleBasedDirectRunner"


@pytest.mark.parametrize(
    ("runner", "beam", "remote"),
    [
        ("local", {}, False),
        ("direct", {}, False),
        ("dask", {}, False),
        ("dask", {"dask_client_address": "tcp://host:8786"}, True),
        ("dask", {"dask_scheduler_file": "s.json"}, True),
        ("flink", {}, False),
        ("flink", {"flink_master": "[local]"}, False),
        ("flink", {"flink_master": "host:8081"}, True),
        ("flink", {"job_endpoint": "host:8099"}, True),
        ("spark", {"spark_master_url": "local[2]"}, False),
        ("spark", {"spark_master_url": "spark://host:7077"}, True),
        ("portable", {"job_endpoint": "embed"}, False),
        ("portable", {"job_endpoint": "host:8099"}, True),
    ],
)
def test_workers_are_elsewhere_where_a_cluster_is_named(runner: str, beam: dict[str, str], *, remote: bool) -> None:
    """An engine that runs on this machine sees what this process sees."""
    assert is_remote(RunTable(runner=runner, beam=beam)) == remote


@pytest.mark.parametrize("runner", ["flink", "spark", "portable"])
def test_a_wrong_endpoint_is_told_in_a_line(runner: str) -> None:
    """Nothing listens there."""
    endpoint = f"127.0.0.1:{closed_port()}"
    with pytest.raises(RecipeError) as told:
        prepared(runner, job_endpoint=endpoint)
    text = f"no Beam job server answers at job_endpoint={endpoint} (connection refused); is it running?"
    assert str(told.value) == text


@pytest.mark.parametrize("endpoint", ["localhost", "http://localhost:8099/", ":8099", "localhost:no"])
def test_an_endpoint_is_a_host_and_a_port(endpoint: str) -> None:
    """And no URL."""
    with pytest.raises(RecipeError, match=r"is not HOST:PORT"):
        prepared("portable", job_endpoint=endpoint)


def test_what_answers_may_be_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flink's REST where its job server was meant, for example."""
    monkeypatch.setattr(service, "_ANSWER", 0.2)
    with silent_port() as port, pytest.raises(RecipeError, match="is not a Beam job server"):
        prepared("flink", job_endpoint=f"127.0.0.1:{port}")


@pytest.mark.parametrize("runner", ["flink", "spark", "portable"])
def test_workers_are_processes_of_ours(runner: str) -> None:
    """Beam itself would let the driver do all units, or start containers."""
    with job_service(["parallelism"]) as endpoint:
        found, _ = prepared(runner, job_endpoint=endpoint)
    assert found["environment_type"] == "PROCESS"
    assert json.loads(found["environment_config"]) == {"command": "auxloom-worker"}
    assert found["job_name"] == "auxloom-test"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"environment_type": "PROCESS"}, OURS),
        (
            {"environment_config": "/opt/bin/auxloom-worker"},
            {**OURS, "environment_config": {"command": "/opt/bin/auxloom-worker"}},
        ),
        (
            {"environment_config": '{"command": "w", "env": {"A": "1"}}'},
            {**OURS, "environment_config": {"command": "w", "env": {"A": "1"}}},
        ),
        ({"environment_type": "DOCKER", "environment_config": "image"}, {}),
        ({"environment_type": "EXTERNAL", "environment_config": "localhost:50000"}, {}),
        ({"environment_type": "LOOPBACK"}, {}),
        ({"environment_options": "process_command=w"}, {}),
    ],
)
def test_another_environment_may_be_named(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What is named is left as it is."""
    assert environment(given) == wanted


@pytest.mark.parametrize(
    ("config", "told"), [("image:latest", "also requires an environment_type"), ("{no", "not valid JSON")]
)
def test_an_environment_that_may_mean_anything_is_refused(config: str, told: str) -> None:
    """An image, a pool or a program."""
    with pytest.raises(RecipeError, match=told):
        environment({"environment_config": config})


def test_an_option_that_a_job_server_does_not_know_is_an_error() -> None:
    """With the nearest that it or Beam knows."""
    with (
        job_service(["parallelism"]) as endpoint,
        pytest.raises(RecipeError, match=r"no option 'paralelism' \(did you mean 'parallelism'\?\)"),
    ):
        prepared("flink", job_endpoint=endpoint, paralelism=2)


def test_parallelism_is_what_was_said_else_one() -> None:
    """By the option of the engine, or by --workers; that it is one is said."""
    with job_service(["parallelism"]) as endpoint:
        assert prepared("flink", job_endpoint=endpoint, parallelism=3) == (
            {**prepared("flink", job_endpoint=endpoint, workers=3)[0]},
            [],
        )
        found, said = prepared("flink", job_endpoint=endpoint)
    assert found["parallelism"] == "1"
    (told,) = said
    assert told.endswith("give --beam parallelism=N, or --beam flink_master=HOST:8081 to use all free slots")


@pytest.mark.parametrize(
    ("slots", "given", "wanted", "says"),
    [
        ((4, 4), {}, "4", ""),
        ((4, 2), {}, "2", ""),
        ((4, 4), {"elements": 3}, "3", ""),
        ((4, 0), {}, "4", "waiting for the cluster: 4 slots needed, 0 free"),
        ((2, 1), {"parallelism": 2}, "2", "waiting for the cluster: 2 slots needed, 1 free"),
        ((2, 1), {"parallelism": 1}, "1", ""),
        ((1, 1), {"workers": 2}, "2", "waiting for the cluster: 2 slots needed, 1 free of 1 in all; if no more are "),
    ],
)
def test_flink_is_asked_for_free_slots(
    monkeypatch: pytest.MonkeyPatch, slots: tuple[int, int], given: dict[str, Any], wanted: str, says: str
) -> None:
    """A job waits for slots that exist, and the job server is not told where the cluster is: it knows."""
    monkeypatch.setattr(flink, "_POLL", 0.0)
    with job_service(["parallelism"]) as endpoint, FlinkRest(*slots) as rest:
        found, said = prepared("flink", job_endpoint=endpoint, flink_master=rest.address, **given)
    assert found["parallelism"] == wanted
    assert "".join(said).startswith(says)
    assert len(said) == bool(says)
    assert "flink_master" not in found


def test_a_flink_that_does_not_answer_is_told_in_a_line() -> None:
    """Nothing is there, or it is not Flink."""
    with job_service(["parallelism"]) as endpoint:
        with pytest.raises(RecipeError, match=r"Flink's REST API does not answer at flink_master=.*Connection refused"):
            prepared("flink", job_endpoint=endpoint, flink_master=f"127.0.0.1:{closed_port()}")
        with (
            FlinkRest(1, 1) as rest,
            pytest.raises(RecipeError, match="is not Flink's REST"),
        ):
            prepared("flink", job_endpoint=endpoint, flink_master=f"http://{rest.address}/jobs/overview?")


class Result:
    """A job of Beam's."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        """Note it."""
        self.cancelled = True


def test_flink_ends_a_job_by_rest() -> None:
    """Only ours; without an address, or before the job is there, the job server is asked."""
    result = Result()
    with FlinkRest(1, 1, ["auxloom-test", "other"]) as rest:
        FlinkEngine().cancel(job("flink", flink_master=rest.address)[0], result)
        assert rest.asked == ["GET /jobs/overview", "PATCH /jobs/id-auxloom-test?mode=cancel"]
    assert not result.cancelled
    FlinkEngine().cancel(job("flink")[0], result)
    assert result.cancelled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("java.util.concurrent.TimeoutException: Timeout has occurred: 300000 ms", "too few free slots"),
        (
            'Caused by: java.io.IOException: Cannot run program "auxloom-worker": error=2',
            "a task manager cannot find auxloom-worker; put aux",
        ),
        ("Caused by: java.lang.RuntimeException: Process died with exit code 1", "exit code 1 on a task manager"),
        ("Caused by: java.io.IOException: No space left", "No space left"),
    ],
)
def test_what_flink_says_is_put_in_words(text: str, told: str) -> None:
    """With what to do."""
    assert told in FlinkEngine().cause(text)


@pytest.mark.parametrize(
    ("elements", "threads", "given", "wanted"),
    [
        (8, 2, {}, "8"),
        (1000, 2, {}, "128"),
        (8, 2, {"dask_npartitions": 3}, "3"),
        (8, 2, {"dask_partition_size": 4}, ""),
    ],
)
def test_dask_gets_a_partition_for_each_unit(
    monkeypatch: pytest.MonkeyPatch, elements: int, threads: int, given: dict[str, int], wanted: str
) -> None:
    """Up to 64 for each thread, unless somebody says how many."""
    monkeypatch.setattr(dask, "_threads", lambda job: threads)
    found, _ = prepared("dask", elements=elements, dask_client_address="tcp://host:8786", **given)
    assert found.get("dask_npartitions", "") == wanted


@pytest.fixture
def dask_configuration() -> Iterator[dict[str, Any]]:
    """Return the configuration of Dask, with nothing said of logging; it is as it was afterwards."""
    from dask import config

    found: dict[str, Any] = config.config
    before = deepcopy(found)
    found.pop("logging", None)
    yield found
    found.clear()
    found.update(before)


@pytest.mark.parametrize(("own", "level"), [({}, "warning"), ({"logging": {"distributed": "info"}}, "info")])
def test_the_cluster_that_dask_starts_is_quiet(
    dask_configuration: dict[str, Any], own: dict[str, Any], level: str
) -> None:
    """Its workers load Beam without Beam's warnings; what the user's own configuration says holds."""
    dask_configuration.update(own)
    prepared("dask")
    assert dask_configuration["logging"]["distributed"] == level
    if not own:
        assert dask_configuration["distributed"]["worker"]["preload"] == [dask.__name__]
    dask.dask_setup(None)


def test_dask_waits_for_its_first_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so once."""
    counts = iter([{}, {}, {"tcp://a": 2, "tcp://b": 1}])
    monkeypatch.setattr(dask, "_POLL", 0.0)
    monkeypatch.setattr("dask.distributed.Client", client_of(lambda: next(counts)))
    monkeypatch.setattr(dask, "check_port", lambda *given: None)
    one, said = job("dask", dask_client_address="tcp://host:8786")
    assert dask._threads(one) == 3
    assert said == ["waiting for the cluster: 1 worker needed, 0 available"]


def client_of(count: Callable[[], dict[str, int]]) -> type:
    """Return a client of Dask that knows how many threads there are."""

    class Client:
        def __init__(self, **given: Any) -> None:
            assert given["address"] == "tcp://host:8786"

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *given: object) -> None:
            pass

        def nthreads(self) -> dict[str, int]:
            return count()

    return Client


def test_a_scheduler_that_does_not_answer_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's own error is a page."""

    def fail(**given: Any) -> None:
        raise OSError("Timed out trying to connect\nto it")

    monkeypatch.setattr("dask.distributed.Client", fail)
    monkeypatch.setattr(dask, "check_port", lambda *given: None)
    with pytest.raises(RecipeError) as told:
        DaskEngine().prepare(job("dask", dask_client_address="tcp://host:1")[0])
    text = "no Dask scheduler answers at dask_client_address=tcp://host:1 (Timed out trying to connect)"
    assert str(told.value) == f"{text}; is it running?"


@pytest.mark.parametrize(
    ("runner", "option", "message"),
    [
        ("dask", "job_endpoint", "an option of flink, portable, spark; dask takes dask_client_address or dask_schedul"),
        ("spark", "flink_master", "an option of flink; spark takes job_endpoint or spark_master_url"),
        ("local", "dask_scheduler_file", "an option of dask$"),
    ],
)
def test_the_address_of_another_engine_is_an_error(runner: str, option: str, message: str) -> None:
    """Nobody would ask there, and the build would run on this machine without a word."""
    with pytest.raises(RecipeError, match=f"--beam {option} has no effect with --runner {runner}: it is {message}"):
        check_addresses(RunTable(runner=runner, beam={option: "HOST:1"}))
    for name, engine in engines().items():
        check_addresses(RunTable(runner=name, beam=dict.fromkeys(engine.addresses, "HOST:1")))
    check_addresses(RunTable(runner="prism", beam={"job_endpoint": "HOST:1"}))
