"""`auxloom-worker`: what an engine starts, what it becomes, and a pool of them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_fn_api_pb2 as fn
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_fn_api_pb2_grpc as services
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_provision_api_pb2 as provision
from apache_beam.portability.api.org.apache.beam.model.pipeline.v1 import endpoints_pb2
from apache_beam.runners.worker import sdk_worker_main
from fake_services import closed_port, provision_service

from pipelines import extras
from pipelines.runners import launcher, worker_pool
from pipelines.runners.worker_pool import WorkerPool, serve_pool, start_pool, start_worker


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the environment, and the process, as they are."""
    monkeypatch.setattr(launcher, "end_with", lambda parent: None)
    monkeypatch.setattr(launcher, "end_when_asked", lambda: None)
    before = dict(os.environ)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # it is put back
    yield
    os.environ.clear()
    os.environ.update(before)


def start(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """Run the program, and return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["auxloom-worker", *words])
    try:
        launcher.main()
    except SystemExit as left:
        return left.code
    return 0


def endpoint(url: str) -> Any:
    """Return a descriptor of an endpoint."""
    return endpoints_pb2.ApiServiceDescriptor(url=url)


def test_it_becomes_a_worker_of_the_engine_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is asked by the worker's name; options that we need not know are passed over."""
    info = provision.ProvisionInfo(
        control_endpoint=endpoint("host:1"),
        logging_endpoint=endpoint("host:2"),
        status_endpoint=endpoint("host:3"),
        runner_capabilities=["a", "b"],
    )
    info.pipeline_options.update({"beam:option:job_name:v1": "auxloom-1"})
    found: dict[str, str] = {}
    monkeypatch.setattr(sdk_worker_main, "main", lambda words: found.update(os.environ))
    asked: list[str] = []
    with provision_service(info, asked) as place:
        code = start(monkeypatch, "--id=1-1", "--artifact_endpoint=x:1", f"--provision_endpoint={place}")
    assert (code, asked) == (0, ["1-1"])
    assert found["WORKER_ID"] == "1-1"
    assert found["CONTROL_API_SERVICE_DESCRIPTOR"] == 'url: "host:1"\n'
    assert found["LOGGING_API_SERVICE_DESCRIPTOR"] == 'url: "host:2"\n'
    assert found["STATUS_API_SERVICE_DESCRIPTOR"] == 'url: "host:3"\n'
    assert "auxloom-1" in found["PIPELINE_OPTIONS"]
    assert found["RUNNER_CAPABILITIES"] == "a b"
    assert found["PYTHONSAFEPATH"] == "1"
    rest = launcher.environment_of("w", provision.ProvisionInfo())
    assert "STATUS_API_SERVICE_DESCRIPTOR" not in rest


def test_a_connection_that_the_engine_closes_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in this thread nor in another one; what else goes wrong is told."""
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: told.append(failed.exc_type))

    def close(words: list[str]) -> None:
        for kind in (grpc.RpcError, ValueError):
            threading.excepthook(threading.ExceptHookArgs((kind, kind("closed"), None, threading.current_thread())))
        raise grpc.RpcError

    launcher._work(close)
    assert told == [ValueError]


def test_an_engine_that_does_not_answer_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has some time."""
    monkeypatch.setattr(launcher, "_ANSWER", 0.05)
    place = f"127.0.0.1:{closed_port()}"
    told = str(start(monkeypatch, "--id=1-1", f"--provision_endpoint={place}"))
    assert told.startswith(f"auxloom-worker: the engine does not answer at {place}: ")
    assert "\n" not in told


def test_without_the_extra_it_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Beam is loaded for that."""
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    told = start(monkeypatch, "--id=1-1", "--provision_endpoint=host:1")
    assert told == (
        "auxloom-worker: `auxloom-worker` needs apache_beam, nltk, spacy; install it with: pip install 'auxloom[build]'"
    )


def test_nobody_starts_it_by_hand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says who does."""
    assert start(monkeypatch) == 2
    assert (
        "an engine starts this program, with --id and --provision_endpoint; or give --pool" in capsys.readouterr().err
    )


def test_it_loads_nothing_heavy_before_it_must() -> None:
    """The program starts where nothing but the core is installed."""
    code = "import sys, pipelines.runners.launcher; print({'apache_beam', 'grpc', 'spacy'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert found.stdout.strip() == "set()"


class Process:
    """A worker's process."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.code: int | None = None
        self.asked, self._stubborn = False, stubborn

    def poll(self) -> int | None:
        """Return how it ended."""
        return self.code

    def terminate(self) -> None:
        """Ask it to end."""
        self.asked = True
        self.code = self.code if self._stubborn else 0

    def kill(self) -> None:
        """End it."""
        self.code = -9

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended."""
        if self.code is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self.code


def request(worker: str, control: str) -> Any:
    """Return the request for a worker."""
    return fn.StartWorkerRequest(
        worker_id=worker, control_endpoint=endpoint(control), provision_endpoint=endpoint(f"{control}0")
    )


def test_a_pool_starts_workers_for_whoever_asks() -> None:
    """Two engines on a machine call theirs alike: both have one, and neither ends that of the other."""
    started: list[tuple[list[str], Process]] = []

    def begin(options: list[str]) -> Any:
        started.append((options, Process()))
        return started[-1][1]

    pool = WorkerPool(begin)
    server, port = start_pool("localhost", 0, pool)
    try:
        with pytest.raises(OSError, match=f"cannot listen on localhost:{port}"):
            start_pool("localhost", port, pool)
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            stub = services.BeamFnExternalWorkerPoolStub(channel)
            for control in ("a:1", "b:1", "a:1"):
                assert stub.StartWorker(request("1-1", control)).error == ""
            assert [options for options, _ in started] == [
                ["--id=1-1", "--provision_endpoint=a:10"],
                ["--id=1-1", "--provision_endpoint=b:10"],
            ]
            stop = fn.StopWorkerRequest(worker_id="1-1")
            stub.StopWorker(stop)
            assert [process.asked for _, process in started] == [False, False]
            started[0][1].code = 0  # its engine closed the connection
            stub.StopWorker(stop)
            stub.StopWorker(stop)
            assert [process.asked for _, process in started] == [False, True]
            assert pool.workers == {}
    finally:
        server.stop(0).wait()


def test_a_pool_that_cannot_start_a_worker_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the engine; and at its own end no worker is left, willing or not."""

    def fail(options: list[str]) -> Any:
        raise OSError("no memory")

    assert WorkerPool(fail).StartWorker(request("1", "a:1"), None).error == "no worker can be started: no memory"
    monkeypatch.setattr(worker_pool, "_PATIENCE", 0.0)
    stubborn = Process(stubborn=True)
    pool = WorkerPool(lambda options: stubborn)  # type: ignore[arg-type, return-value]
    pool.StartWorker(request("1", "a:1"), None)
    pool.end()
    assert (stubborn.asked, stubborn.code, pool.workers) == (True, -9, {})


def test_a_worker_of_a_pool_is_this_program_under_this_interpreter() -> None:
    """Whatever `python` is first on the PATH."""
    worker = start_worker(["--id=1"])
    assert worker.args[:3] == [sys.executable, "-P", "-c"]  # type: ignore[index]
    assert worker.wait() == 2


def test_a_pool_serves_until_it_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By either signal; `--pool` starts it."""
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(worker_pool.signal, "signal", handlers.__setitem__)
    wait = threading.Event.wait

    def told(self: threading.Event, timeout: float | None = None) -> bool:
        if signal.SIGTERM in handlers:
            handlers[signal.SIGTERM]()
        return wait(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", told)
    assert start(monkeypatch, "--pool", "--port", "0") == 0
    assert f"auxloom-worker: process {os.getpid()} starts workers for localhost:" in capsys.readouterr().err
    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    assert serve_pool.__doc__
