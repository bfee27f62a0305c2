"""Compressed files: each format of text is read packed as it is read plain."""

import bz2
import dataclasses
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from columns_files import labelled, records
from command import run
from small import write

from labelers.text.document import Document, Reject
from pipelines.formats import FORMATS
from pipelines.input.find import find_files
from pipelines.input.units import make_units
from pipelines.recipes.recipe_tables import InputTable

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
COLUMNS = "".join(f"Oslo\tB-x\nsleeps\tO\npage\tO\n{i}\tO\n\n" for i in range(9000))  # more than is read at first
CONTENT = {
    "a.conll": COLUMNS,
    "a.tsv": COLUMNS,
    "b.conll": "-DOCSTART- O\n\nOslo O\n\n-DOCSTART- O\n\nfar O\n",
    "a.conllu": "# newdoc id = d1\n1\tSo\tso\tADV\tRB\t_\t0\troot\t_\t_\n",
    "a.csv": 'text,ner\n"It rained,\nall day.",x\nIt snowed.,y\n' * 3000,
    "b.tsv": "text\tner\nIt rained.\tx\n",
    "a.jsonl": '{"text": "It rained.", "ner": [[3, 9, "x"]]}\n',
    "a.txt": "It rained.\nIt snowed.\n",
}
LINES = ("a.jsonl", "a.txt")
NER = {"ner": {"column": "tags"}}


def bare(item: Document | Reject, *, place: bool) -> Document | Reject:
    """Return a record without the name of its file, and its block, which is smaller in a smaller file."""
    changes = {"source": "", **({} if place else {"place": 0})}
    if isinstance(item, Reject):
        return dataclasses.replace(item, **changes)
    group = "" if ":" in item.group else item.group
    return dataclasses.replace(item, **changes, id=item.id.rpartition(":")[2] if place else "", group=group)


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", CONTENT)
def test_a_packed_file_has_the_records_of_the_plain_one(tmp_path: Path, name: str, packing: str) -> None:
    """Their places are those in the unpacked text, of lines their number; the whole file is one unit."""
    plain = records(write(tmp_path, CONTENT[name], name), NER)
    path = write(tmp_path, PACK[packing](CONTENT[name].encode()), f"{name}.{packing}")
    found = records(path, NER, unit=100)
    kept = name not in LINES
    assert [bare(item, place=kept) for item in found] == [bare(item, place=kept) for item in plain]
    if not kept:
        assert [item.place for item in found] == list(range(len(found)))
    table = InputTable(files=(str(path),))
    (file,), _ = find_files((table,))
    assert file.format.partition(".")[2] == packing
    (unit,) = make_units([file], 100, (table,))
    assert [(part.start, part.stop) for part in unit.ranges] == [(0, 1)]


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_that_breaks_off_is_a_reject(tmp_path: Path, packing: str) -> None:
    """As is one that is no packed file, and a name that says less than the file is."""
    data = PACK[packing](COLUMNS.encode())
    for content in (data[: len(data) // 2], b"Oslo O\n\n" * 9):
        found = records(write(tmp_path, content, f"a.conll.{packing}"), NER)
        assert (found[-1].reason if isinstance(found[-1], Reject) else "") == "file"
    (plain,) = records(write(tmp_path, data, "a.conll"), NER)
    assert isinstance(plain, Reject)
    assert plain.sample.endswith(", not text")


def test_a_recipe_says_how_a_packed_file_is_read(tmp_path: Path) -> None:
    """Whatever its ending is, behind which that of the packing stands."""
    path = write(tmp_path, gzip.compress(b"Oslo O\n\n"), "a.ner.gz")
    (found,) = records(path, NER, format="conll")
    assert isinstance(found, Document)
    assert found.tokens == ("Oslo",)
    rows, _ = labelled(write(tmp_path, gzip.compress(COLUMNS[:900].encode()), "a.tsv.gz"), NER)
    assert rows["ner"][0]["tags"] == [1, 0, 0, 0]


def test_inspect_looks_into_a_packed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And an error lists the endings without those of packings."""
    assert run(monkeypatch, "inspect", write(tmp_path, lzma.compress(COLUMNS.encode()), "a.tsv.xz")) == 0
    assert "a.tsv.xz: read as conll.xz, the first 1,000 records" in capsys.readouterr().out
    assert run(monkeypatch, "inspect", write(tmp_path, "x", "a.doc")) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert ".conllu, " in told
    assert "text formats may also be compressed (.gz, .bz2, .xz, .zst)" in told
    assert {"conllu.zst", "csv.bz2", "jsonl.gz"} <= FORMATS.keys()
    assert "parquet.gz" not in FORMATS
