"""One engine at a time, and an object store beside it, on free ports of this machine."""

import os
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from engines import ENGINES, S3, Cluster, start_s3  # noqa: E402
from machine import Machine, MissingError  # noqa: E402

_FAILED = pytest.StashKey[bool]()
_LINES = 12  # of each log of an engine, told of a test that failed


def _skip(error: MissingError) -> NoReturn:
    """Skip what cannot be run here, unless nothing may be missing."""
    if os.environ.get("AUXLOOM_CLUSTER") == "required":
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Yield an object store that runs."""
    machine = Machine(tmp_path_factory.mktemp("s3"), {})
    try:
        yield start_s3(machine)
    except MissingError as error:
        _skip(error)
    finally:
        machine.stop()


class Engine:
    """An engine that is started when a test wants it, and again after a test that failed."""

    def __init__(self, name: str, store: S3, places: pytest.TempPathFactory) -> None:
        self.name, self.store, self.places = name, store, places
        self.machine: Machine | None = None
        self.cluster: Cluster | None = None

    def running(self) -> Cluster:
        """Return it; its workers have the credentials of the store in their environment."""
        if self.cluster is None:
            self.stop()  # what was started of one that did not get ready
            folder = self.places.mktemp(self.name)
            (folder / "begun").mkdir()
            self.machine = Machine(folder, {**self.store.environment, "AUXLOOM_TESTS_BEGUN": str(folder / "begun")})
            self.cluster = ENGINES[self.name](self.machine)
        return self.cluster

    def stop(self) -> None:
        """Stop all its programs."""
        if self.machine:
            self.machine.stop()
        self.machine = self.cluster = None


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, store: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield each engine in turn."""
    engine = Engine(request.param, store, tmp_path_factory)
    yield engine
    engine.stop()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Cluster]:
    """Yield an engine that runs, and that no test has left in disorder."""
    try:
        yield engine.running()
    except MissingError as error:
        _skip(error)
    if request.node.stash.get(_FAILED, False):
        engine.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, and add to its report what its commands and the engine said last."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        for log in _logs(getattr(item, "funcargs", {})):
            lines = log.read_text(errors="replace").splitlines()
            report.sections.append((f"end of {log.name}", "\n".join(line[:300] for line in lines[-_LINES:])))
    return report


def _logs(fixtures: Mapping[str, Any]) -> list[Path]:
    """Return the log of a test's commands and those of its engine, as far as there are any."""
    machine = fixtures["engine"].machine if "engine" in fixtures else None
    own = [*fixtures["tmp_path"].glob("log")] if "tmp_path" in fixtures else []
    return own + (sorted(machine.folder.glob("*.log")) if machine else [])
