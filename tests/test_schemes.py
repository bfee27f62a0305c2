"""Tags of several schemes in one label: each file is read in its own, and all are stored as BIO."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small import files, write

from labelers.text.tags import find_schemes, signs_of
from pipelines.build import build
from pipelines.display.build_report import BuildReport
from pipelines.recipes.recipe import make_recipe

TAGS = {
    "bio": ["B-x", "I-x", "O", "B-x", "B-x", "O"],
    "iob1": ["I-x", "I-x", "O", "I-x", "B-x", "O"],
    "bioes": ["B-x", "E-x", "O", "S-x", "S-x", "O"],
    "bilou": ["B-x", "L-x", "O", "U-x", "U-x", "O"],
}
STORED = [1, 2, 0, 1, 1, 0]


def write_tags(folder: Path, name: str, tags: Sequence[str], count: int) -> str:
    """Write sentences with tags, no two the same, and return where."""
    lines = [[f"w{i}", "Oslo", "and", name, "far", "off"] for i in range(count)]
    text = "".join("".join(f"{a}\t{b}\n" for a, b in zip(line, tags, strict=True)) + "\n" for line in lines)
    return str(write(folder, text, f"{name}.conll"))


def made(folder: Path, paths: Sequence[str], out: str = "out", **tables: Any) -> tuple[BuildReport, Any, list[Any]]:
    """Build, and return the report, what the plan says of the label, and its tags."""
    data = {
        "out": str(folder / out),
        "with": [],
        "input": {"files": list(paths)},
        "labels": {"ner": {"column": "tags"}},
    }
    report = build(make_recipe({**data, "split": {"validation": 0, "test": 0}, **tables}))
    plan = json.loads((folder / out / "plan.json").read_bytes())
    rows = [pa.ipc.open_stream(path.read_bytes()).read_all() for path in sorted((folder / out).glob("train/*.arrow"))]
    return report, plan["labels"]["ner"], [row for table in rows for row in table.column("ner").to_pylist()]


@pytest.mark.parametrize(
    ("counts", "scheme", "schemes"),
    [
        ({"bio": 30, "bioes": 9}, "bio", {"bioes.conll": "bioes"}),
        ({"bio": 9, "bilou": 30}, "bioes", {"bio.conll": "bio"}),
        ({"bio": 30, "iob1": 9, "bioes": 9}, "bio", {"iob1.conll": "iob1", "bioes.conll": "bioes"}),
        ({"bio": 9, "iob1": 30}, "iob1", {}),
        ({"bioes": 9, "bilou": 30}, "bioes", {}),
    ],
)
def test_each_file_is_read_in_its_own_scheme(
    tmp_path: Path, counts: dict[str, int], scheme: str, schemes: dict[str, str]
) -> None:
    """Whatever part of it a unit has; the plan names those of another scheme than most, if there are any."""
    paths = [write_tags(tmp_path, name, TAGS[name], count) for name, count in counts.items()]
    report, found, rows = made(tmp_path, paths, unit={"bytes": 300})
    assert {tuple(row["tags"]) for row in rows} == {tuple(STORED)}
    assert report.books["labels"]["ner"]["rejected"] == {}
    assert found["scheme"] == scheme
    assert found.get("schemes", {}) == schemes
    assert ("schemes" in found) == bool(schemes)
    made(tmp_path, paths, "again", unit={"bytes": 300}, run={"batch": 2})
    assert files(tmp_path / "out") == files(tmp_path / "again")


def test_what_is_ambiguous_stays_as_it_is(tmp_path: Path) -> None:
    """A few spans that open with I- are mistakes, as are such spans beside others in one file; a declaration holds."""
    paths = [
        write_tags(tmp_path, "bio", TAGS["bio"], 30),
        write_tags(tmp_path, "few", TAGS["iob1"], 3),
        write_tags(tmp_path, "mixed", ["I-x", "O", "B-x", "O", "O", "O"], 30),
        write_tags(tmp_path, "none", ["O"] * 6, 30),
    ]
    report, found, _ = made(tmp_path, paths)
    assert found == {"classes": ["O", "B-x", "I-x"], "scheme": "bio"}
    assert report.books["labels"]["ner"]["rejected"] == {"bad_scheme": 33}
    declared = {"labels": {"ner": {"column": "tags", "scheme": "bioes"}}}
    report, found, _ = made(tmp_path, [paths[0], write_tags(tmp_path, "bioes", TAGS["bioes"], 9)], "two", **declared)
    assert "schemes" not in found
    assert report.books["labels"]["ner"]["rejected"] == {"bad_scheme": 30}


def test_an_earlier_dataset_lends_classes_and_not_schemes(tmp_path: Path) -> None:
    """The files are others."""
    made(tmp_path, [write_tags(tmp_path, "bio", TAGS["bio"], 30)])
    paths = [write_tags(tmp_path, "bioes", TAGS["bioes"], 9)]
    report, found, rows = made(tmp_path, paths, "more", plan={"from": str(tmp_path / "out")})
    assert (found["scheme"], report.books["labels"]["ner"]["rejected"]) == ("bioes", {})
    assert {tuple(row["tags"]) for row in rows} == {tuple(STORED)}


def test_signs_are_those_of_all_parts() -> None:
    """A file without spans, or with other tags, has none."""
    assert signs_of({("", "O"): 3, ("O", "O"): 1}) == signs_of({("", "B-x"): 3, ("", "NOUN"): 1}) == {}
    assert find_schemes("bio", {"a": {}}) == ("bio", {})
