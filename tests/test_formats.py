"""The formats: one module for each, found by itself."""

import sys
from pathlib import Path

import pytest

import pipelines.formats
from labelers.text.document import Document
from pipelines.formats import FORMATS, ending_of, find_formats
from pipelines.input.find import find_files
from pipelines.input.units import make_units, read_unit
from pipelines.recipes.recipe_tables import InputTable

MODULE = """
from pipelines.formats.format import LineFormat

class Shout(LineFormat):
    def record(self, parser, place, offset, line):
        return parser.text(place, offset, line.decode().upper())

ENDINGS = {"toy": Shout(), "txt.toy": Shout()}
"""


def add(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, content: str) -> None:
    """Add a module to the folder of formats, for one test."""
    (folder / f"{name}.py").write_text(content)
    monkeypatch.setattr(pipelines.formats, "__path__", [*pipelines.formats.__path__, str(folder)])
    monkeypatch.setitem(sys.modules, f"pipelines.formats.{name}", None)  # so that it is forgotten after the test
    monkeypatch.delitem(sys.modules, f"pipelines.formats.{name}")


def test_a_module_in_the_folder_is_a_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is found and read like all others; of two endings the longer one counts."""
    add(monkeypatch, tmp_path, "toy_lines", MODULE)
    for ending, form in find_formats().items():
        monkeypatch.setitem(FORMATS, ending, form)  # type: ignore[arg-type]
    assert ending_of("a.txt.toy") == "txt.toy"
    (tmp_path / "a.toy").write_bytes(b"one\ntwo\n")
    form = InputTable(files=(str(tmp_path / "a.toy"),))
    files, skipped = find_files((form,))
    assert ([file.format for file in files], skipped) == (["toy"], [])
    found = [item for unit in make_units(files, 4) for item in read_unit(unit, files, (form,))]
    assert [item.text for item in found if isinstance(item, Document)] == ["ONE", "TWO"]


def test_an_ending_has_one_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two modules that read the same files are told apart by nothing."""
    add(monkeypatch, tmp_path, "toy_text", MODULE.replace('"toy"', '"txt"'))
    with pytest.raises(ValueError, match=r"^\.txt is read by TextFormat and Shout$"):
        find_formats()


def test_errors_list_the_endings_in_a_fixed_order() -> None:
    """Text before tables, whatever formats there are besides."""
    known = ["jsonl.gz", "txt.gz", "jsonl", "txt", "parquet", "arrow"]
    assert [ending for ending in FORMATS if ending in known] == known


def test_a_format_without_parts_is_read_as_a_whole() -> None:
    """A packed file cannot be cut."""
    assert FORMATS["jsonl.gz"].parts("a.jsonl.gz") == 1
