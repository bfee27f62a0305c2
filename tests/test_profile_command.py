"""`auxloom profile`: from files with annotated repairs to a profile."""

import json
import tomllib
from pathlib import Path

import pytest
from command import run
from test_repair_profile import annotated

from labelers.labeler import Resource
from labelers.language.repair_profile import read_profile

NAMES = {"D": "RM", "I": "F", "O": "O"}


def lines(path: Path, names: dict[str, str], n: int = 200, column: str = "labels") -> Path:
    """Write annotated utterances as JSON lines."""
    records = (
        {"tokens": list(item.tokens), column: [names[tag] for tag in item.tags], "text": " ".join(item.tokens)}
        for item in annotated(n)
    )
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def columns(path: Path, names: dict[str, str]) -> Path:
    """Write annotated utterances as columns."""
    blocks = (zip(item.tokens, item.tags, strict=True) for item in annotated(200))
    path.write_text("\n".join("".join(f"{token}\t{names[tag]}\n" for token, tag in block) for block in blocks))
    return path


def test_a_profile_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was read and counted is said, and how to use the file."""
    out = tmp_path / "mine.toml"
    assert run(monkeypatch, "profile", "disfluency", lines(tmp_path / "calls.jsonl", NAMES), "--out", out) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "calls.jsonl: 200 utterances; column labels: reparanda RM, interregna F"
    assert "reparanda in 200 utterances of 2,600 fluent words" in shown[1]
    assert shown[-1] == f'wrote {out}; a recipe uses it with [labelers.disfluency] profile = "{out}"'
    profile = read_profile(Resource("a", {"": out.read_bytes()}))
    assert (profile.source, profile.utterances) == ("calls.jsonl", 200)


def test_the_same_annotation_in_columns_is_the_same_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --out it is printed; classes may have prefixes of spans, or be the labeler's own."""
    files = [
        lines(tmp_path / "a.jsonl", NAMES),
        columns(tmp_path / "b.tsv", {"D": "B-RM", "I": "I-IM", "O": "O"}),
        columns(tmp_path / "c.tsv", {"D": "D", "I": "I", "O": "O"}),
        columns(tmp_path / "d.conll", {"D": "reparandum", "I": "interregnum", "O": "repair"}),
    ]
    found = []
    for file in files:
        assert run(monkeypatch, "profile", "disfluency", file) == 0
        found.append(tomllib.loads(capsys.readouterr().out) | {"source": ""})
    assert found[1:] == found[:1] * 3


def test_classes_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one class marks all that is to be deleted, phrases are known by their words."""
    file = lines(tmp_path / "a.jsonl", {"D": "1", "I": "1", "O": "0"}, column="gone")
    words = ("profile", "disfluency", file, "--column", "gone", "--reparandum", "1", "--json")
    assert run(monkeypatch, *words) == 0
    profile = json.loads(capsys.readouterr().out)["profile"]
    assert profile["phrases"].keys() == {"uh"}
    assert profile["kinds"]["repeat"]["interregnum"] == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ({"D": "X", "I": "Y", "O": "O"}, ()),
            "has no reparanda marked by RM, reparandum, EDITED, D: labels has O 260, X 32, Y 8. Give the column and",
        ),
        ((NAMES, ("--column", "label")), "has no column label with a tag for each token (did you mean 'labels'?)"),
        (
            (NAMES, ("--reparandum", "RN", "--column", "labels")),
            "has no class RN (did you mean 'RM'?); it has O 260",
        ),
        ((NAMES, ()), "reparanda are marked, but a profile requires 50 or more; give more annotated text"),
    ],
)
def test_what_cannot_be_learnt_from_is_an_error_that_helps(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[dict[str, str], tuple[str, ...]],
    message: str,
) -> None:
    """What stands there, and what to write."""
    file = lines(tmp_path / "a.jsonl", given[0], 20)
    assert run(monkeypatch, "profile", "disfluency", file, *given[1]) == 2
    assert message in capsys.readouterr().err


def test_a_text_marks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no column of tags."""
    path = tmp_path / "a.txt"
    path.write_text("It rained all day.\n")
    assert run(monkeypatch, "profile", "disfluency", path) == 2
    assert "it has no column of tags. Give the column and its classes" in capsys.readouterr().err
