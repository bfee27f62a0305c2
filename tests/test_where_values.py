"""Records that an input asks for by their values."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from columns_files import records
from command import run
from small import files, text, write

from labelers.text.document import Document
from pipelines.build import build
from pipelines.folder.layout import Folder
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import RecipeError, make_recipe
from pipelines.verify import verify

LINES = text(40).splitlines()
RECORDS = [
    {"text": line, "type": ("implicit", "explicit")[i % 2], "meta": {"n": i % 4}} for i, line in enumerate(LINES)
]


def jsonl(folder: Path) -> Path:
    """Write the records, and one that is none."""
    return write(folder, "".join(json.dumps(item) + "\n" for item in RECORDS) + "no JSON\n", "a.jsonl")


def kept(path: Path, **table: Any) -> list[str]:
    """Return the texts, or the tokens, of the documents of a file that are asked for."""
    found = [item for item in records(path, **table) if isinstance(item, Document)]
    return [item.text or " ".join(item.tokens or ()) for item in found]


def test_one_value_or_some_may_be_asked_for() -> None:
    """Without any the recipe is stored as it was."""
    recipe = make_recipe({"input": {"where": {"type": "implicit", "meta.n": [0, 2.5, True]}}})
    assert recipe.input[0].where == {"type": ("implicit",), "meta.n": (0, 2.5, True)}
    assert recipe.stored()["input"]["where"] == {"type": ["implicit"], "meta.n": [0, 2.5, True]}
    assert "where" not in make_recipe({}).stored()["input"]
    with pytest.raises(RecipeError, match=r"input\.0\.where\.type|input\.where\.type"):
        make_recipe({"input": {"where": {"type": []}}})


def test_records_of_each_format_are_chosen_by_their_values(tmp_path: Path) -> None:
    """By fields, columns, names of classes and comments; a record without the value is left out."""
    wanted = [line for i, line in enumerate(LINES) if i % 4 == 0]
    where = {"type": "implicit", "meta.n": [0, 1]}
    assert kept(jsonl(tmp_path), where=where) == wanted
    table = pa.Table.from_pylist(RECORDS)
    pq.write_table(table, tmp_path / "a.parquet")
    assert kept(tmp_path / "a.parquet", where=where) == wanted
    rows = [f"{item['text']};{item['type']};{item['meta']['n']}" for item in RECORDS]
    path = write(tmp_path, "\n".join(["text;type;n", *rows]), "a.csv")
    assert kept(path, where={"type": "implicit", "n": [0, 1]}) == wanted
    named = datasets.Dataset.from_list([{"text": item["text"], "n": item["meta"]["n"]} for item in RECORDS])
    named = named.cast_column("n", datasets.ClassLabel(names=["zero", "one", "two", "three"]))
    named.save_to_disk(str(tmp_path / "named"))
    assert kept(tmp_path / "named", where={"n": "zero"}) == wanted
    assert kept(write(tmp_path, "\n".join(LINES)), where={"type": "implicit"}) == []
    assert kept(write(tmp_path, '{"text": "It rained."}\n[1]\n', "b.jsonl"), where={"type": "x"}) == []


COLUMNS = """\
# newdoc id = one
# genre = tale
Oslo O

# mood = sad
sleeps O

# newdoc id = two
# genre = song
Far O
"""


@pytest.mark.parametrize(
    ("where", "record", "found"),
    [
        ({"genre": "tale"}, "document", ["Oslo sleeps"]),
        ({"genre": "tale"}, "sentence", ["Oslo", "sleeps"]),
        ({"mood": "sad"}, "document", ["Oslo sleeps"]),
        ({"mood": "sad"}, "sentence", ["sleeps"]),
        ({"tags": "O", "newdoc id": ["two"]}, "auto", ["Far"]),
    ],
)
def test_comments_of_a_document_are_those_of_its_sentences(
    tmp_path: Path, where: dict[str, Any], record: str, found: list[str]
) -> None:
    """And the other way round; they can be kept as fields."""
    path = write(tmp_path, COLUMNS, "a.conll")
    assert kept(path, where=where, record=record) == found
    items = [item for item in records(path, keep={"genre": "string"}) if isinstance(item, Document)]
    assert [item.fields for item in items] == [{"genre": "tale"}, {"genre": "song"}]


def test_what_is_left_out_is_counted_and_no_reject(tmp_path: Path) -> None:
    """Read = used + rejected + filtered; where nothing is left, the values that there are are told."""
    path = jsonl(tmp_path)

    def made(name: str, **table: Any) -> Any:
        data = {"out": str(tmp_path / name), "with": ["masking"], "input": {"files": [str(path)], **table}}
        return build(make_recipe(data | {"unit": {"bytes": 900}}))

    report = made("out", where={"type": "implicit"})
    assert report.books["records"] == {
        "read": 41,
        "used": 20,
        "rejected": {"not_json": 1},
        "filtered": 20,
        "duplicate": 0,
    }
    assert verify(tmp_path / "out") == []
    assert ", 20 filtered." in (tmp_path / "out/README.md").read_text()
    rejects = "".join(file.read_text() for file in (tmp_path / "out/rejects").iterdir())
    assert rejects.count("\n") == 1
    with pytest.raises(RecipeError, match=r"different plan: input\.where"):
        made("out", where={"type": "explicit"})
    with pytest.raises(RecipeError, match=r"no record matches: 'type' must be Implicit, but is"):
        made("none", where={"type": "Implicit"})
    plain = made("plain")
    assert "filtered" not in plain.books["records"]
    assert "where" not in (tmp_path / "plain/plan.json").read_text()
    again = Plan.read(Folder.at(str(tmp_path / "out")))
    assert again.recipe.input[0].where == {"type": ("implicit",)}
    assert files(tmp_path / "out") != files(tmp_path / "plain")


def test_the_command_line_sets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table of TOML; the report tells how many were left out."""
    words = ["--with", "masking", "--set", 'input.where={type="implicit"}']
    assert run(monkeypatch, "build", jsonl(tmp_path), "--out", tmp_path / "out", *words) == 0
    told = capsys.readouterr().out
    assert "41 read = 20 used + 1 rejected (1 not_json) + 0 duplicate + 20 filtered" in told
