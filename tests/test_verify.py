"""verify: whatever is changed in a dataset is found and named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from small import built, text, write

from pipelines.folder.layout import digest_json
from pipelines.folder.marks import seal
from pipelines.verify import verify


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of two units with a reject and a repeated record."""
    folder = tmp_path_factory.mktemp("verify")
    lines = [json.dumps({"id": f"n{i}", "text": line}) for i, line in enumerate(text(2800).splitlines())]
    source = write(folder, "\n".join([*lines, lines[0], "{"]) + "\n", "text.jsonl")
    report = built(source, folder / "out", unit={"bytes": 300_000})
    assert report.books["records"]["rejected"] == {"not_json": 1, "repeated_id": 1}
    return folder / "out"


def _flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _edit(name: str, *keys: str, value: object, sealed: bool = False) -> Callable[[Path], None]:
    """Return a change of one value in a JSON file, and of the seal if that is to follow."""

    def change(out: Path) -> None:
        data = inner = json.loads((out / name).read_bytes())
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (out / name).write_text(json.dumps(seal(data) if sealed else data))

    return change


def _rewrite(out: Path) -> None:
    """Write a shard again with its batches cut otherwise, and with a mark that says so."""
    path = next(out.glob("train/data-00000-*"))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table, max_chunksize=1000)


CHANGES: list[tuple[str, Callable[[Path], None]]] = [
    (
        "train/data-00000-of-00002.arrow is damaged: its sha256 does not match",
        lambda out: _flip(next(out.glob("train/data-00000-*"))),
    ),
    ("record batches of", _rewrite),
    ("train/data-00001-of-00002.arrow is missing", lambda out: next(out.glob("train/data-00001-*")).unlink()),
    (
        "train/data-00009-of-00010.arrow is not part of any unit",
        lambda out: (out / "train/data-00009-of-00010.arrow").touch(),
    ),
    ("pool.jsonl is damaged: it does not match the plan", lambda out: _flip(out / "pool.jsonl")),
    (
        "dropped/00001.json is damaged: it does not match the plan",
        lambda out: (out / "dropped/00001.json").write_text("[]"),
    ),
    ("plan.json is damaged: its digest does not match", _edit("plan.json", "recipe", "seed", value=3)),
    ("stats/00001.json is missing", lambda out: (out / "stats/00001.json").unlink()),
    ("stats/00001.json is from another plan", _edit("stats/00001.json", "plan", value="0")),
    ("stats/00001.json is damaged: its digest does not match", _edit("stats/00001.json", "records", "read", value=7)),
    ("records: 7 read", _edit("stats/00001.json", "records", "read", value=7, sealed=True)),
    ("stats/00000.keys is damaged: its sha256 does not match", lambda out: _flip(out / "stats/00000.keys")),
    ("rejects/00001.jsonl is missing", lambda out: (out / "rejects/00001.jsonl").unlink()),
    ("stats/00007.json is not part of any unit", lambda out: (out / "stats/00007.json").touch()),
    ("auxloom.json is missing", lambda out: (out / "auxloom.json").unlink()),
    ("auxloom.json: rows_blake2b is not", _edit("auxloom.json", "rows_blake2b", value="0")),
    ("auxloom.json: equal_passages is not", _edit("auxloom.json", "equal_passages", "repeats", value=9)),
    ("auxloom.json: passages", _edit("auxloom.json", "passages", "cut", value=1)),
    ("train/state.json is damaged: its sha256 does not match", lambda out: _flip(out / "train/state.json")),
    ("README.md is damaged: its sha256 does not match", lambda out: _flip(out / "README.md")),
]


def test_a_sound_dataset_has_no_problems(dataset: Path) -> None:
    """All digests, rows and books add up."""
    assert verify(dataset) == []


@pytest.mark.parametrize(("expected", "change"), CHANGES, ids=[expected for expected, _ in CHANGES])
def test_a_change_is_named(dataset: Path, tmp_path: Path, expected: str, change: Callable[[Path], None]) -> None:
    """Each kind of damage has a sentence that names the file."""
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    change(out)
    problems = verify(out)
    assert any(expected in problem for problem in problems), problems


def test_a_damaged_schema_puts_no_other_shard_in_the_wrong(dataset: Path, tmp_path: Path) -> None:
    """Even in the first shard."""
    out = Path(shutil.copytree(dataset, tmp_path / "out"))
    shard = next(out.glob("train/data-00000-*"))
    data = shard.read_bytes()
    assert b"huggingface" in data
    shard.write_bytes(data.replace(b"huggingface", b"huggingfake", 1))
    told = verify(out)
    assert told
    assert all(text.startswith("train/data-00000-") for text in told), told


def test_rows_that_were_changed_with_their_digest_are_found(dataset: Path, tmp_path: Path) -> None:
    """Counts and column checksums are recomputed from the rows, and do not follow from the sha256 alone."""
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    path = next(out.glob("train/data-00000-*"))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table.slice(0, table.num_rows - 1), max_chunksize=1024)
    problems = verify(out)
    assert any(
        "rows, tokens, labelers, tasks, columns do not match the statistics of the unit" in item for item in problems
    )


def test_a_folder_without_a_dataset_is_an_error(tmp_path: Path) -> None:
    """The message says what to give."""
    with pytest.raises(
        FileNotFoundError, match=r"is not a dataset \(it has no plan\.json\); give one that `auxloom build` wrote"
    ):
        verify(tmp_path)


def test_a_digest_depends_on_nothing_but_the_value() -> None:
    """Canonical JSON: the order of keys does not count."""
    assert (
        digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": [1, 2], "a": 1}) != digest_json({"a": 1, "b": [2, 1]})
    )
