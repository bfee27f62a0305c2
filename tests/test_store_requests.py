"""Building in an object store: which requests it takes, and that nothing half-written is ever published."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store import ObjectStore, store_of
from small import built, files, recipe, text

from pipelines.build import build
from pipelines.folder.finish import finish
from pipelines.folder.layout import Folder, Pending
from pipelines.plans.plan import Plan
from pipelines.rows.shard import make_shard

LINES, UNIT = 168, 1500
TABLES = {"unit": {"bytes": UNIT}, "with": ["masking"]}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield a store with an input file in it."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        found.objects["raw/a text.txt"] = text(LINES).encode()
        yield found


@pytest.fixture(scope="module")
def requests(store: ObjectStore) -> list[tuple[str, str]]:
    """Return the requests of a build from and to the store."""
    assert built(store.uri("raw/"), store.uri("set"), **TABLES).complete
    return list(store.requests)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same dataset as it is built on a disk."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "a text.txt").write_text(text(LINES))
    assert built(folder / "a text.txt", folder / "out", **TABLES).complete
    return folder / "out"


def units(store: ObjectStore) -> int:
    """Return how many units the dataset has."""
    return len(json.loads(store.objects["set/plan.json"])["units"])


def test_a_unit_takes_few_requests(store: ObjectStore, requests: list[tuple[str, str]]) -> None:
    """At most 15 each beside reading input and the lock, with all that a build asks for once."""
    own = [path for _, path in requests if "raw" not in path and ".lock" not in path]
    assert units(store) >= 14
    assert len(own) <= 15 * units(store)


def test_files_are_written_under_their_own_names(store: ObjectStore, requests: list[tuple[str, str]]) -> None:
    """One request each, no copies, no markers of folders while units run, and nobody asks for the bucket."""
    written = [path for method, path in requests if method == "PUT"]
    shards = [path for path in written if "data-" in path or "/stats/" in path]
    assert len(shards) == len(set(shards)) == 5 * units(store)
    assert [path for path in written if path.endswith(("train/", "validation/", "test/", "stats/"))] == []
    assert ("HEAD", "/bucket") not in requests
    assert not [path for method, path in requests if method == "POST" and "uploads" in path]


def test_the_bytes_are_those_of_a_build_on_a_disk(
    store: ObjectStore, requests: list[tuple[str, str]], reference: Path
) -> None:
    """And nothing temporary is left."""
    assert store.files("set") == files(reference)
    assert [name for name in store.objects if ".tmp-" in name] == []


def test_a_build_of_what_is_there_opens_no_mark(store: ObjectStore, requests: list[tuple[str, str]]) -> None:
    """What is done is found by listing; a shard that is missing is found so, too, and made again."""
    store.requests.clear()
    assert built(store.uri("raw/"), store.uri("set"), **TABLES).complete
    assert [path for method, path in store.requests if "/stats/0" in path or "data-" in path] == []
    whole = store.files("set")
    del store.objects[f"set/train/data-00003-of-{units(store):05d}.arrow"]
    remade = built(store.uri("raw/"), store.uri("set"), **TABLES).remade
    assert remade == [f"train/data-00003-of-{units(store):05d}.arrow: missing"]
    assert store.files("set") == whole


def test_a_check_opens_all_marks(store: ObjectStore, requests: list[tuple[str, str]]) -> None:
    """It compares digests, and finds what another program wrote in the place of a shard."""
    whole = store.files("set")
    name = f"set/train/data-00002-of-{units(store):05d}.arrow"
    store.objects[name] = bytes(len(store.objects[name]))
    made = build(recipe(store.uri("raw/"), store.uri("set"), **TABLES), check=True)
    assert made.remade == [f"{name.removeprefix('set/')}: damaged: its sha256 does not match"]
    assert store.files("set") == whole


def test_a_mark_of_another_plan_is_made_again(store: ObjectStore, requests: list[tuple[str, str]]) -> None:
    """A listing does not show it; the end of the build does, and the next build heals it."""
    whole, folder = store.files("set"), Folder.at(store.uri("set"))
    plan = Plan.read(folder)
    mark = store.objects["set/stats/00001.json"]
    store.objects["set/stats/00001.json"] = mark.replace(plan.digest.encode(), b"0" * 32)
    del store.objects["set/auxloom.json"]
    assert finish(plan, store.uri("set")) is None
    assert built(store.uri("raw/"), store.uri("set"), **TABLES).complete
    assert store.files("set") == whole


def test_a_draft_that_fails_publishes_nothing(store: ObjectStore) -> None:
    """Neither what was written so far, nor an empty file; what is there already stays."""
    folder = Folder.at(store.uri("drafts"))
    folder.write("a/b", b"whole")
    store.requests.clear()
    pending = Pending(folder, "a/b")
    pending.write(b"half")
    pending.close()
    pending.discard()
    assert store.requests == []
    assert folder.read("a/b") == b"whole"


def test_a_large_file_is_uploaded_in_parts(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the disk, and it appears when the last one has arrived."""
    folder, data = Folder.at(store.uri("drafts")), bytes(range(256)) * 48_000
    folder.write("large", data)
    assert folder.read("large") == data
    store.fault = lambda number, request: "400 BadDigest" if "partNumber=2" in request[1] else ""
    with pytest.raises(OSError, match="BadDigest"):
        folder.write("broken", data)
    store.fault = lambda number, request: ""
    assert not folder.is_file("broken")


def test_a_failed_attempt_leaves_what_another_committed(
    store: ObjectStore, requests: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails while it uploads, and removes nothing: the other attempt has the same names."""
    uri, whole = store.uri("set"), store.files("set")
    plan, commit = Plan.read(Folder.at(uri)), Pending.commit
    del store.objects["set/stats/00001.json"]

    def overtaken(self: Pending) -> None:
        if self.name.startswith("validation"):
            monkeypatch.setattr(Pending, "commit", commit)
            assert "error" not in make_shard(1, plan, uri)
            raise OSError("the connection broke")
        commit(self)

    monkeypatch.setattr(Pending, "commit", overtaken)
    assert "the connection broke" in make_shard(1, plan, uri)["error"]["text"]
    assert store.files("set") == whole
