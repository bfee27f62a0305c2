"""Settings of the whole test run."""

import gc
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import settings
from quick_beam import remember

# The clock decides nothing, and a run finds the same examples everywhere.
settings.register_profile("auxloom", deadline=None, derandomize=True)
settings.load_profile("auxloom")

_quick: list[bool] = []


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the cache of whoever runs the tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUXLOOM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Sync no file: a small build waits for the disk fifty times, and no test pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def pytest_collection_finish() -> None:
    """Keep Python's collector from looking again and again at the million objects that are loaded by now."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Do not trace property tests: it doubles their time, and plain tests run the same lines."""
    for item in items:
        if hasattr(getattr(item, "obj", None), "hypothesis"):
            item.add_marker("no_cover")


def pytest_runtest_setup() -> None:
    """Make graphs of Beam quicker as soon as a test has loaded it."""
    if not _quick and remember():
        _quick.append(True)


@pytest.fixture(scope="module")
def quick_probes() -> Iterator[None]:
    """Fit the bags of words of reports in one step instead of 300, for tests that look at something else."""
    from trainer.score.bags import BagOfWords

    fit = BagOfWords._fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BagOfWords, "_fit", lambda self, *given: fit(replace(self, passes=1, steps=1), *given))
        yield
