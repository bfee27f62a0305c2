"""Ids: unique in a dataset, whatever its files have in common."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from small import built, rows, text, write

from pipelines.folder.layout import Folder
from pipelines.input import repeats
from pipelines.plans.plan import Plan
from pipelines.verify import verify


def jsonl(folder: Path, name: str, records: Sequence[Any]) -> Path:
    """Write JSON lines."""
    return write(folder, "".join(json.dumps(record) + "\n" for record in records), name)


def documents(out: Path) -> list[str]:
    """Return the document ids of all rows, one for each document."""
    return sorted({row["document"] for split in ("train", "validation", "test") for row in rows(out, split)})


def rejects(out: Path) -> list[tuple[str, str]]:
    """Return reason and sample of all rejects."""
    lines = [line for path in sorted(out.glob("rejects/*")) for line in path.read_bytes().splitlines()]
    return [(item["reason"], item["sample"]) for item in map(json.loads, lines)]


@pytest.mark.parametrize("passes", [4_000_000, 3])
def test_an_id_of_an_earlier_file_gets_the_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: int
) -> None:
    """In the order of files; what a file itself repeats is rejected, with the place in that file."""
    monkeypatch.setattr(repeats, "_PASS_KEYS", passes)
    lines = text(30).splitlines()
    parts = [[(i, lines[10 * n + i]) for i in range(10)] for n in range(3)]
    for name, part in zip("abc", parts, strict=True):
        records = [{"id": f"r{i}", "text": line} for i, line in part]
        jsonl(tmp_path, f"{name}.jsonl", [*records, {"id": "r3", "text": "It is here again."}])
    report = built(tmp_path / "in", tmp_path / "out", unit={"bytes": 700})
    assert report.books["records"] == {"read": 33, "used": 30, "rejected": {"repeated_id": 3}, "duplicate": 0}
    plain, renamed = [f"r{i}" for i in range(10)], [f"{n}.jsonl:r{i}" for n in "bc" for i in range(10)]
    assert documents(tmp_path / "out") == sorted([*plain, *renamed])
    for (reason, sample), name in zip(rejects(tmp_path / "out"), "abc", strict=True):
        assert reason == "repeated_id"
        assert sample.startswith(f"id 'r3' stands first at {name}.jsonl:")
    assert verify(tmp_path / "out") == []


def test_both_copies_of_an_id_are_in_one_split(tmp_path: Path) -> None:
    """The split follows from the id that the record brings."""
    for number, name in enumerate("ab"):
        lines = text(100, 100 * number).splitlines()
        jsonl(tmp_path, f"{name}.jsonl", [{"id": f"r{i}", "text": line} for i, line in enumerate(lines)])
    built(tmp_path / "in", tmp_path / "out", split={"validation": 0.3, "test": 0.3})
    for split in ("train", "validation", "test"):
        names = {row["document"] for row in rows(tmp_path / "out", split)}
        assert len(names) > 20
        assert {name.removeprefix("b.jsonl:") for name in names} == {name for name in names if ":" not in name}


def test_a_new_id_that_another_record_has_is_rejected(tmp_path: Path) -> None:
    """Whether the other record brings it or is called so by its place."""
    first = [{"id": "7", "text": "It rained."}, {"id": "b.jsonl:x", "text": "It snowed."}, {"id": "x", "text": "So."}]
    jsonl(tmp_path, "a.jsonl", [*first, {"id": "0", "text": "A fox."}])
    lines = [{"text": "It is dry, and warm."}, {"id": "0", "text": "A hen."}]
    jsonl(tmp_path, "b.jsonl", [*lines, {"id": "7", "text": "We left."}, {"id": "x", "text": "We stayed."}])
    report = built(tmp_path / "in", tmp_path / "out")
    assert report.books["records"]["rejected"] == {"repeated_id": 2}
    assert [sample for _, sample in rejects(tmp_path / "out")] == [
        "id '0' stands first at b.jsonl:0",
        f"id 'x' stands first at a.jsonl:{len(json.dumps(first[0])) + 1}",
    ]
    assert documents(tmp_path / "out") == ["0", "7", "b.jsonl:0", "b.jsonl:7", "b.jsonl:x", "x"]


def test_lists_of_renamed_records_are_part_of_the_plan(tmp_path: Path) -> None:
    """A build with a list that was lost makes it again."""
    for number, name in enumerate("ab"):
        jsonl(tmp_path, f"{name}.jsonl", [{"id": "r", "text": text(1, number)}])
    out = tmp_path / "out"
    built(tmp_path / "in", out)
    (name,) = Plan.read(Folder.at(str(out))).dropped or {}
    path = out / "dropped" / f"{int(name):05d}.json"
    assert json.loads(path.read_bytes()) == [["b.jsonl", 0, "renamed", "a.jsonl:0"]]
    before = path.read_bytes()
    path.write_text("[]")
    assert verify(out) == [f"dropped/{path.name} is damaged: it does not match the plan"]
    path.unlink()
    assert built(tmp_path / "in", out).remade == [f"dropped/{path.name}: missing"]
    assert path.read_bytes() == before
