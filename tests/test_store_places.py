"""Places of datasets: URIs with settings, the table [store], and protocols that pyarrow leaves to fsspec."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store import ObjectStore, store_of
from small import built, files, recipe, text, write

from labelers.stores.opening import opened_place
from pipelines.build import build
from pipelines.folder.layout import Folder
from pipelines.input.find import find_files
from pipelines.recipes.loading import with_store
from pipelines.recipes.recipe import RecipeError, make_recipe
from pipelines.recipes.recipe_tables import InputTable

TABLES = {"unit": {"bytes": 3000}, "with": ["masking"]}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Yield a store with two input files in it."""
    with pytest.MonkeyPatch.context() as patch, store_of(patch) as found:
        found.objects["raw/a.txt"], found.objects["raw/b 1%.jsonl"] = (
            text(60).encode(),
            b'{"id": "1", "text": "One."}\n',
        )
        yield found


def test_input_is_named_by_a_uri_with_a_query(store: ObjectStore) -> None:
    """A file, a folder and a glob; names are those without it."""
    for given in (["raw"], ["raw/"], ["raw/*"], ["raw/a.txt", "raw/b 1%.jsonl"]):
        files_, skipped = find_files([InputTable(files=tuple(map(store.uri, given)))])
        assert [(file.name, file.format) for file in files_] == [("a.txt", "txt"), ("b 1%.jsonl", "jsonl")], given
        assert skipped == []
        assert {file.path for file in files_} == {store.uri("raw/a.txt"), store.uri("raw/b 1%.jsonl")}


def test_the_table_store_says_what_uris_do_not(store: ObjectStore, tmp_path: Path) -> None:
    """It changes no byte, and stands in no plan but as the query of places."""
    table = {"endpoint_override": f"127.0.0.1:{store.port}", "scheme": "http", "anonymous": True, "retries": 4}
    data = {**TABLES, "out": "s3://bucket/set", "input": {"files": ["s3://bucket/raw/a.txt"]}, "store": table}
    assert build(make_recipe(data)).complete
    assert built(write(tmp_path, text(60), "a.txt"), tmp_path / "out", **TABLES).complete
    assert store.files("set") == files(tmp_path / "out")
    plan = json.loads(store.objects["set/plan.json"])
    assert "store" not in plan["recipe"]
    assert plan["digest"] == json.loads((tmp_path / "out" / "plan.json").read_bytes())["digest"]
    assert "anonymous=true" in plan["files"][0]["path"]


def test_what_a_uri_says_counts_first() -> None:
    """And paths are left alone."""
    made = with_store(
        make_recipe(
            {"out": "s3://b/set?retries=2", "input": {"files": ["a.txt"]}, "store": {"retries": 9, "role": "r"}}
        )
    )
    assert (made.out, made.input[0].files) == ("s3://b/set?retries=2&role=r", ("a.txt",))


def test_secrets_and_unknown_settings_are_refused(tmp_path: Path) -> None:
    """In the table as in a URI."""
    with pytest.raises(RecipeError, match=r"recipe has no key 'store.secret_key'"):
        make_recipe({"store": {"secret_key": "x"}})
    with pytest.raises(ValueError, match="contains credentials"):
        with_store(recipe(tmp_path, tmp_path, store={"proxy": "http://me:word@host:80"}))
    for query in ("access_key=x", "session_token=x", "proxy=http%3A//me%3Aword%40host"):
        with pytest.raises(ValueError, match="contains credentials"):
            Folder.at(f"s3://b/set?{query}")
    with pytest.raises(ValueError, match="unknown setting 'colour' in the URI; there are region"):
        Folder.at("s3://b/set?colour=red")
    with pytest.raises(ValueError, match="anonymous=perhaps in the URI: give true or false"):
        Folder.at("s3://b/set?anonymous=perhaps")


def test_a_protocol_of_fsspec(tmp_path: Path) -> None:
    """Another process reads what this one wrote; the bytes are those of a build on a disk."""
    source = write(tmp_path, text(60), "a.txt")
    uri = f"local://{tmp_path}/set"
    made = build(make_recipe({**TABLES, "out": uri, "input": {"files": [f"local://{source}"]}}))
    assert made.complete
    assert built(source, tmp_path / "out", **TABLES).complete
    assert files(tmp_path / "set") == files(tmp_path / "out")
    code = "import sys; from pipelines.folder.layout import Folder; print(len(Folder.at(sys.argv[1]).names('stats')))"
    told = subprocess.run([sys.executable, "-c", code, uri], capture_output=True, text=True, check=True).stdout
    assert int(told) == len(list((tmp_path / "out" / "stats").iterdir()))


def test_a_protocol_that_nothing_knows() -> None:
    """The message says which."""
    with pytest.raises(ValueError, match=r"nowhere://x: .*nowhere"):
        opened_place("nowhere://x")
