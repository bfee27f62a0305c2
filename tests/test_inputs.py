"""Input is compared by its bytes: another time or place of the same is no change, another byte is one."""

import gzip
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small import built, files, recipe, text, write

from pipelines.build import build
from pipelines.folder.layout import Folder, to_json
from pipelines.input import changes
from pipelines.input.changes import PieceDigest, check_inputs
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import RecipeError
from pipelines.rows.shard import make_shard
from pipelines.verify import verify

LINES = text(300).splitlines()
JSONL = "".join(json.dumps({"id": f"n{i}", "text": line}) + "\n" for i, line in enumerate(LINES)).encode()


def _parquet(path: Path, word: str) -> None:
    pq.write_table(pa.table({"text": [line.replace("page", word) for line in LINES]}), path, 100, compression="none")


def _arrow(path: Path, word: str) -> None:
    table = pa.table({"text": [line.replace("page", word) for line in LINES]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


KINDS: dict[str, Callable[[Path, str], Any]] = {
    "a.txt": lambda path, word: path.write_text(text(300).replace("page", word)),
    "a.jsonl": lambda path, word: path.write_bytes(JSONL.replace(b"page", word.encode())),
    "a.jsonl.gz": lambda path, word: path.write_bytes(gzip.compress(JSONL.replace(b"page", word.encode()), 0, mtime=0)),
    "a.txt.gz": lambda path, word: path.write_bytes(
        gzip.compress(text(300).replace("page", word).encode(), 0, mtime=0)
    ),
    "a.parquet": _parquet,
    "a.arrow": _arrow,
}
TABLES: dict[str, Any] = {"unit": {"bytes": 10_000}}


def made(folder: Path, name: str, word: str = "page") -> Path:
    """Write an input of some kind, with a time that no other has."""
    path = write(folder, b"", name)
    KINDS[name](path, word)
    return path


def late(path: Path) -> Path:
    """Give a file another time."""
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


@pytest.mark.parametrize("name", KINDS)
def test_another_time_or_place_is_no_change_and_another_byte_is(tmp_path: Path, name: str) -> None:
    """In every format; what was compared once is noted, and not read again."""
    source, out = made(tmp_path, name), tmp_path / "out"
    assert built(source, out, **TABLES).exit_code == 0
    before = files(out)
    late(source)
    assert built(source, out, **TABLES).already
    assert built(source, out, **TABLES).already
    moved = Path(shutil.copy(source, (tmp_path / "elsewhere")))
    source.unlink()
    moved = moved.rename(write(tmp_path / "b", b"", name))
    assert built(moved, out, **TABLES).already
    shutil.rmtree(out / "train")
    assert built(moved, out, **TABLES).complete
    assert files(out) == before
    assert verify(out) == []
    size = moved.stat().st_size
    late(made(tmp_path / "b", name, "leaf"))
    assert moved.stat().st_size == size
    with pytest.raises(RecipeError, match=rf"the input file {name} changed since the plan was made"):
        built(moved, out, **TABLES)


def test_the_plan_holds_a_digest_of_every_byte(tmp_path: Path) -> None:
    """One for each range of text, one for any other file."""
    for name in KINDS:
        made(tmp_path, name)
    built(tmp_path / "in", tmp_path / "out", **TABLES)
    plan = Plan.read(Folder.at(str(tmp_path / "out")))
    for file in plan.files:
        assert file.pieces[0][0] == 0
        assert file.pieces[-1][1] == file.size
        assert [stop for _, stop, _ in file.pieces[:-1]] == [start for start, *_ in file.pieces[1:]]
        assert (len(file.pieces) > 1) == (file.format in {"txt", "jsonl"})


def test_what_is_read_is_not_read_again_for_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and gzip are overheard; of tables, of which columns are read here and there, the file is read once more."""
    unread: dict[str, int] = {}
    finish = PieceDigest.finish

    def noted(self: PieceDigest, stream: Any) -> None:
        unread[name] = unread.get(name, 0) + self.stop - self._place
        finish(self, stream)

    monkeypatch.setattr(PieceDigest, "finish", noted)
    for name in KINDS:
        built(made(tmp_path / name, name), tmp_path / name / "out", **TABLES)
    assert {name for name, number in unread.items() if number} == {"a.parquet", "a.arrow"}


def test_paragraphs_are_overheard_too(tmp_path: Path) -> None:
    """Their reader looks back for where one begins."""
    source, out = write(tmp_path, text(200).replace("\n", "\n\n")), tmp_path / "out"
    built(source, out, input={"paragraphs": "blank"}, **TABLES)
    late(source)
    assert built(source, out, input={"paragraphs": "blank"}, **TABLES).already


@pytest.mark.parametrize("tables", [{"input": {"limit": 50}}, {}])
def test_without_digests_the_input_is_scanned(tmp_path: Path, tables: dict[str, Any]) -> None:
    """Those of a file that was not read to its end, or of a plan that has none; other records are another plan."""
    source, out = made(tmp_path, "a.jsonl"), tmp_path / "out"
    built(source, out, **tables, **TABLES)
    folder = Folder.at(str(out))
    plan = folder.read_json("plan.json")
    if not tables:
        for file in plan["files"]:
            del file["pieces"]
        folder.write("plan.json", to_json(plan, indent=1))
    else:
        assert [file["pieces"] for file in plan["files"]] == [[]]
    late(source)
    assert built(source, out, **tables, **TABLES).already
    late(made(tmp_path, "a.jsonl", "leaf"))
    os.utime(source, (1, 1))
    with pytest.raises(RecipeError, match=r"the input file a\.jsonl changed since the plan was made"):
        built(source, out, **tables, **TABLES)


def test_a_worker_compares_the_ranges_of_its_unit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks before and after it reads; a unit whose bytes are the same is made."""
    source, out = made(tmp_path, "a.jsonl"), tmp_path / "out"
    built(source, out, **TABLES)
    plan = Plan.read(Folder.at(str(out)))
    before = files(out)
    late(source)
    (out / "stats" / "00001.json").unlink()
    sizes: list[int] = []
    finish = PieceDigest.finish
    monkeypatch.setattr(
        PieceDigest, "finish", lambda self, stream: sizes.append(self.stop - self.start) or finish(self, stream)
    )
    assert "error" not in make_shard(1, plan, str(out))
    (part,) = plan.units[1].ranges
    assert sizes == [part.stop - part.start]
    assert files(out) == before
    data = source.read_bytes()
    source.write_bytes(data[: part.start] + b"x" + data[part.start + 1 :])
    os.utime(source, (2, 2))
    assert list(check_inputs(plan.files, plan.units[1].ranges)) == ["a.jsonl"]
    assert list(check_inputs(plan.files, plan.units[0].ranges)) == []
    unknown = [replace(file, pieces=()) for file in plan.files]
    assert list(check_inputs(unknown, plan.units[0].ranges)) == ["a.jsonl"]
    changes._read.clear()


def test_new_files_are_told_how_they_are_built(tmp_path: Path) -> None:
    """By the message's own recipe they become a dataset of the same classes and pool."""
    made(tmp_path, "a.txt")
    built(tmp_path / "in", tmp_path / "out")
    new = [write(tmp_path, text(50, 900 + 50 * i), f"b{i}.txt") for i in range(5)]
    with pytest.raises(RecipeError) as told:
        built(tmp_path / "in", tmp_path / "out")
    assert (
        "5 files are new (b0.txt, b1.txt, b2.txt and 2 more); build them into a separate folder with "
        f"--set plan.from={tmp_path / 'out'} to keep the same classes and pool" in str(told.value)
    )
    more = {"input": {"files": [str(path) for path in new]}, "plan": {"from": str(tmp_path / "out")}}
    report = build(recipe(new[0], tmp_path / "night", **more))
    assert report.exit_code == 0
    assert (tmp_path / "night" / "pool.jsonl").read_bytes() == (tmp_path / "out" / "pool.jsonl").read_bytes()


def test_a_file_that_ends_early_has_no_digest(tmp_path: Path) -> None:
    """Nothing is known of bytes that were not there."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    digest = PieceDigest(0, 4)
    with path.open("rb") as stream:
        digest.finish(stream)
    assert digest.hex == ""
