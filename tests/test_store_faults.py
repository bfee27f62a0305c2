"""Stores that fail in the middle of a build: tried again a few times, then one line; what was done stays."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from object_store import ObjectStore, Request, right, store_of
from small import built, text
from typer.testing import CliRunner

from labelers.stores.faults import explained
from pipelines.display.build_report import BuildReport

TABLES = {"unit": {"bytes": 3000}, "with": ["masking"]}
UNITS = 5


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield a store with an input file in it, and a dataset that was built without a fault."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        found.objects["raw/a.txt"] = text(UNITS * 24).encode()
        assert build(found, "whole").complete
        yield found


@pytest.fixture(autouse=True)
def _no_fault(store: ObjectStore) -> None:
    """Begin with a store that works."""
    store.fault = right


def build(store: ObjectStore, out: str, retries: int = 3) -> BuildReport:
    """Build from and to the store."""
    return built(store.uri("raw/", retries=retries), store.uri(out, retries=retries), **TABLES)


def after_marks(store: ObjectStore, out: str, marks: int, fault: str) -> Callable[[int, Request], str]:
    """Return what answers every request with a fault, once so many units are done."""

    def answer(number: int, request: Request) -> str:
        done = sum(name.startswith(f"{out}/stats/") and name.endswith(".json") for name in store.objects)
        return fault if done >= marks else ""

    return answer


def test_every_twentieth_request_is_refused(store: ObjectStore) -> None:
    """The client asks again, and nobody notices."""
    store.fault = lambda number, request: "" if number % 20 else "503 SlowDown"
    assert build(store, "busy").complete
    assert store.files("busy") == store.files("whole")


def test_connections_are_closed_half_way(store: ObjectStore) -> None:
    """Reading input, too: what was read so far is no shorter file."""
    store.fault = lambda number, request: "close" if number % 7 == 0 and request[0] != "HEAD" else ""
    assert build(store, "closing").complete
    assert store.files("closing") == store.files("whole")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("403 InvalidAccessKeyId", "s3://bucket refuses the credentials"),
        ("400 ExpiredToken", "s3://bucket"),
        ("503 SlowDown", "s3://bucket is too busy, also after several attempts"),
        ("away", "s3://bucket does not answer"),
    ],
)
def test_a_store_that_stays_away_ends_the_build_in_a_line(store: ObjectStore, fault: str, said: str) -> None:
    """Units that are done stay, no further one waits for it, and resumed the bytes are the same."""
    out = f"ends-{fault[:3]}"
    store.fault = after_marks(store, out, 2, fault)
    with pytest.raises(OSError, match=r"AWS Error") as caught:
        build(store, out, retries=2)
    told = explained(caught.value)
    assert told.startswith(said)
    assert "\n" not in told
    asked = len(store.requests)
    store.fault = right
    done = [name for name in store.files(out) if name.startswith("stats/") and name.endswith(".json")]
    assert len(done) == 2
    assert build(store, out).complete
    assert store.files(out) == store.files("whole")
    assert all(done[0] not in path for method, path in store.requests[asked:] if method == "PUT")


def test_input_that_cannot_be_read_is_no_reject(store: ObjectStore) -> None:
    """A fault of the store would otherwise leave out the rest of a file."""

    def deny(number: int, request: Request) -> str:
        denied = request[0] == "GET" and "raw/a.txt" in request[1] and "denied/plan.json" in store.objects
        return "403 AccessDenied" if denied else ""

    store.fault = deny
    made = build(store, "denied")
    units = len(json.loads(store.objects["denied/plan.json"])["units"])
    assert not made.complete
    assert made.exit_code == 1
    (line,) = made.failures
    assert line.startswith(f"{units} units: s3://bucket refuses the credentials (GetObject: ACCESS_DENIED); check ")
    store.fault = right
    assert build(store, "denied").complete
    assert store.files("denied") == store.files("whole")


def test_the_server_goes_and_comes_back(store: ObjectStore) -> None:
    """For longer than a request is tried without a pause."""

    def leave(number: int, request: Request) -> str:
        if request == ("PUT", "/bucket/back/stats/00001.json"):
            store.fault = right
            threading.Thread(target=away).start()
            return "away"
        return ""

    def away() -> None:
        store.stop()
        time.sleep(0.5)
        store.fault = right
        store.start()

    store.fault = leave
    assert build(store, "back", retries=10).complete
    assert store.files("back") == store.files("whole")


def test_a_bucket_that_is_not_there(store: ObjectStore) -> None:
    """One line of the command says so."""
    from pipelines.cli import app

    out = store.uri("set").replace("bucket/", "nothing/")
    result = CliRunner().invoke(app, ["build", store.uri("raw/"), "--out", out, "--with", "masking"])
    assert isinstance(result.exception, OSError)
    assert explained(result.exception) == (
        "s3://nothing has no such bucket (PutObject: NO_SUCH_BUCKET); make it, or correct the URI"
    )
