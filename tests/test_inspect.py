"""`auxloom inspect`: what stands in a file, and how its labels are declared."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command import run

from pipelines.labels.look import columns_of
from pipelines.labels.suggest import suggest
from pipelines.recipes.recipe import make_recipe
from pipelines.recipes.recipe_tables import InputTable

WORDS = ["Gulls", "cry", "far", "off"]


def looked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    """Return what the command tells of a file; the recipe that it suggests is one."""
    assert run(monkeypatch, "inspect", path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)["files"]
    make_recipe(tomllib.loads(found["recipe"]))
    return dict(found)


def suggested(records: list[dict[str, Any]], *, tables: bool = False) -> dict[str, Any]:
    """Return the tables that are suggested for records."""
    table = InputTable()
    return tomllib.loads(suggest(columns_of(records, table.tokens), records, table, tables=tables).toml)


def test_columns_of_tokens_are_tags_of_a_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values have their counts; what to write stands below them."""
    path = tmp_path / "a.tsv"
    path.write_text("Oslo\tB-place\nsleeps\tO\n\nfar\tO\noff\tO\n\n" * 9)
    found = looked(monkeypatch, capsys, path)
    assert (found["format"], found["records"]) == ("conll", 18)
    tags = next(item for item in found["columns"] if item["column"] == "tags")
    assert (tags["types"], tags["values"]) == ({"list of str": 18}, [["O", 27], ["B-place", 9]])
    assert found["options"] == ["--label tags=token"]
    assert run(monkeypatch, "inspect", path) == 0
    shown = capsys.readouterr().out
    assert '[labels.tags]  # spans, bio\nkind = "token"\n\n--label tags=token\n' in shown
    assert "  tags: list of str in 18; 2 values: O 27, B-place 9\n" in shown


def test_a_file_without_labels_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text alone; what cannot be read is counted."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Gulls cry far off."}\n[1]\nnot json\n')
    found = looked(monkeypatch, capsys, path)
    assert (found["records"], found["unreadable"], found["recipe"]) == (1, {"not_an_object": 1, "not_json": 1}, "")
    assert run(monkeypatch, "inspect", path) == 0
    assert "1 unreadable (not_json)" in (shown := capsys.readouterr().out)
    assert "no column looks like labels" in shown
    (tmp_path / "a.txt").write_text("Gulls cry.\n")
    assert looked(monkeypatch, capsys, tmp_path / "a.txt")["columns"][0]["column"] == "text"


def test_conllu_has_tags_and_arcs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the relations beside the heads; lemmas are no labels."""
    row = "{}\tgulls\tgull\tNOUN\t_\tNumber=Plur\t{}\t{}\t_\t_\n"
    path = tmp_path / "a.conllu"
    path.write_text((row.format(1, 2, "nsubj") + row.format(2, 0, "root") + "\n") * 5)
    tables = tomllib.loads(looked(monkeypatch, capsys, path)["recipe"])["labels"]
    assert tables == {
        "upos": {"kind": "token"},
        "feats": {"kind": "token"},
        "head": {"kind": "arc", "relations": "deprel"},
    }


def test_kinds_follow_from_what_records_hold() -> None:
    """Classes, several, numbers of records and of tokens, spans, turns; ids and text are no labels."""
    records = [
        {
            "id": f"r{i}", "tokens": WORDS, "mood": "good" if i % 2 else "bad", "topics": ["sea", "art"][: 1 + i % 2],
            "score": i / 7, "times": [0.5 * i] * 4, "spans": [[0, 5, "bird"]], "note": f"the {i} note of this record",
            "constant": 1, "deep": {"sure": bool(i % 2)}, "objects": [{"x": 1}], "mixed": {"a": None},
        }
        for i in range(20)
    ]  # fmt: skip
    assert suggested(records) == {
        "labels": {
            "mood": {"kind": "passage"},
            "topics": {"kind": "multilabel"},
            "score": {"kind": "regression"},
            "times": {"kind": "regression", "level": "token"},
            "spans": {"kind": "token"},
            "sure": {"column": "deep.sure", "kind": "passage"},
        }
    }


def test_turns_and_pairs() -> None:
    """Acts of turns; two texts under other names are source and second."""
    turns = [{"role": "A", "text": "Is it far to go?", "act": "ask"}, {"role": "B", "text": "No.", "act": "tell"}]
    assert suggested([{"turns": turns}] * 9)["labels"] == {"act": {"column": "turns.act", "kind": "turn"}}
    pairs = [
        {"premise": f"They left the house {i}.", "hypothesis": f"The house {i} is empty.", "label": i % 3}
        for i in range(12)
    ]
    assert suggested(pairs) == {
        "input": {"text": "premise", "second": "hypothesis"},
        "labels": {"label": {"kind": "pair"}},
    }


def test_numbers_of_a_table_are_strings() -> None:
    """With fractions they are no classes."""
    records = [{"text": f"They left house number {i}.", "stars": str(i % 2), "score": f"{i % 4}.5"} for i in range(20)]
    assert suggested(records, tables=True)["labels"] == {
        "stars": {"kind": "passage"},
        "score": {"kind": "regression"},
    }


def test_what_has_no_text_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of words has labels and nothing that they are of; a column without values says so."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"word": "gulls", "kind": "bird", "notes": []}\n{"word": "cry", "kind": "bird", "notes": []}\n')
    assert not looked(monkeypatch, capsys, path)["text"]
    assert run(monkeypatch, "inspect", path) == 0
    shown = capsys.readouterr().out
    assert "no column looks like text; name it with --set input.text=COLUMN" in shown
    assert "  notes: no value in 2\n" in shown
    assert "  kind: str in 2; 1 value: bird 2\n" in shown
