"""One engine at a time, and an object store beside it, on free ports of this machine."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from engines import ENGINES, S3, Cluster, start_s3  # noqa: E402
from machine import Machine, MissingError  # noqa: E402


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


@pytest.fixture(scope="session", params=sorted(ENGINES))
def cluster(request: pytest.FixtureRequest, store: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield an engine that runs; its workers have the credentials of the store in their environment."""
    folder = tmp_path_factory.mktemp(request.param)
    machine = Machine(folder, {**store.environment, "AUXLOOM_TESTS_BEGUN": str(folder / "begun")})
    (folder / "begun").mkdir()
    try:
        yield ENGINES[request.param](machine)
    except MissingError as error:
        _skip(error)
    finally:
        machine.stop()
