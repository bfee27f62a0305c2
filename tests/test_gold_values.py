"""Labels that people made on the screen, and in the books of rows."""

import json
from pathlib import Path
from typing import Any

import pytest
from columns_files import documents
from command import run
from small import built, manifest, rows

from pipelines.rows.pool import pool_document, pool_line

RECORDS = [
    {
        "id": "a", "tokens": ["Gulls", "cry", "over", "Old", "Harbour"], "tags": ["O", "O", "O", "B-place", "I-place"],
        "pos": ["NOUN", "VERB", "ADP", "PROPN", "PROPN"], "head": [1, 1, 4, 4, 1],
        "rel": ["nsubj", "root", "case", "amod", "obl"], "mood": "calm", "topics": ["sea", "town"], "score": 0.25,
        "times": [1, None, 2, 3, 4], "parts": ["one"],
    },
    {
        "id": "b", "tokens": ["Boats", "leave"], "tags": ["O", "O"], "pos": [None, "VERB"], "head": [None, 1],
        "mood": "busy", "topics": [], "tag": 1, "rel": [None, "root"], "parts": [None],
    },
]  # fmt: skip
LABELS = {
    "ner": {"column": "tags"},
    "pos": {"kind": "token"},
    "dep": {"kind": "arc", "column": "head", "relations": "rel"},
    "mood": {"kind": "passage"},
    "topics": {"kind": "multilabel"},
    "score": {"kind": "regression"},
    "times": {"kind": "regression", "level": "token"},
    "parts": {"kind": "segment"},
}


def write(folder: Path, *items: Any) -> Path:
    """Write JSON lines."""
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return what `auxloom show` prints."""
    assert run(monkeypatch, "show", *words) == 0
    return capsys.readouterr().out


def test_a_label_of_each_kind_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spans with their words, arcs as relations of two words, and why there is no label."""
    built(write(tmp_path, *RECORDS), tmp_path / "out", labels=LABELS)
    text = shown(monkeypatch, capsys, tmp_path / "out", "-n", "2", *(f"--with={name}" for name in LABELS))
    one, two = sorted(text.strip().split("\n\n"))
    assert one.splitlines() == [
        "a/0",
        "  dep: nsubj(cry, Gulls) root(cry) case(Harbour, over) amod(Harbour, Old)",
        "  obl(cry, Harbour)",
        "  mood: calm",
        "  ner: place Old Harbour",
        "    Gulls cry over <place Old Harbour place>",
        "  parts: segment 1 one",
        "  pos: 2 PROPN, 1 NOUN, 1 VERB, 1 ADP",
        "    Gulls/NOUN cry/VERB over/ADP Old/PROPN Harbour/PROPN",
        "  score: 0.25",
        "  times: 4 numbers, mean 2.5",
        "    Gulls/1 cry over/2 Old/3 Harbour/4",
        "  topics: sea, town",
    ]
    assert two.splitlines() == [
        "b/0",
        "  dep: root(leave)",
        "  mood: busy",
        "  ner: no spans",
        "  parts  no label: unlabelled",
        "  pos: 1 VERB",
        "    Boats leave/VERB",
        "  score  no label: unlabelled",
        "  times  no label: unlabelled",
        "  topics: no class",
    ]


def test_books_count_classes_of_each_kind(tmp_path: Path) -> None:
    """Of arcs the relations, of several classes those that hold."""
    built(write(tmp_path, *RECORDS), tmp_path / "out", labels=LABELS)
    found: dict[str, dict[str, int]] = {}
    for split in manifest(tmp_path / "out")["splits"].values():
        for task, counts in split["tasks"].items():
            for name, n in counts.items():
                found.setdefault(task, {}).setdefault(name, 0)
                found[task][name] += n
    assert found["topics"] == {"sea": 1, "town": 1}
    assert found["dep"] == {"amod": 1, "case": 1, "nsubj": 1, "obl": 1, "root": 2}
    assert found["mood"] == {"busy": 1, "calm": 1}


def test_turns_have_their_labels_beside_who_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a preview, too, for which nothing is built."""
    turns = [{"role": "A", "text": "Is it far?", "act": "ask"}, {"role": "B", "text": "Very.", "act": None}]
    path = write(tmp_path, {"turns": turns})
    text = shown(monkeypatch, capsys, path, "--label", "act=turn:turns.act", "--with", "masking", "-n", "1")
    assert "  act\n    A (ask): Is it far?\n    B: Very.\n" in text


def test_two_texts_and_the_class_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under names of their own, and at paths."""
    pair = {"premise": "They left.", "hypothesis": "They stayed.", "label": "no"}
    deep = tmp_path / "b.jsonl"
    deep.write_text(json.dumps({"meta": pair}))
    path, texts = write(tmp_path, pair), ("input.text=premise", "input.second=hypothesis")
    for place, option in ((path, "nli=pair:label"), (deep, "nli=pair:meta.label")):
        names = texts if place == path else [name.replace("=", "=meta.") for name in texts]
        options = [item for name in names for item in ("--set", name)]
        text = shown(monkeypatch, capsys, place, "--label", option, *options, "--with", "masking")
        assert "second: They stayed." in text
        assert "  nli: no\n" in text


def test_spaces_that_a_file_tells_reach_rows_and_pool(tmp_path: Path) -> None:
    """Words between which there is none stand together."""
    row = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
    path = tmp_path / "a.conllu"
    path.write_text(row.format(1, "Far", "SpaceAfter=No") + row.format(2, ".", "_"))
    (document,) = documents(path)
    assert document.spaces == (False, True)
    assert pool_document(pool_line(document)).spaces == (False, True)
    built(path, tmp_path / "out")
    assert [row["spaces"] for split in ("train", "test") for row in rows(tmp_path / "out", split)] == [[False, False]]
