"""A first line that names the columns of a file of tokens is no sentence, and a sentence is no such line."""

from pathlib import Path
from typing import Any

import pytest
from columns_files import documents, records
from command import run
from hypothesis import given
from hypothesis import strategies as st
from small import write

from labelers.text.document import Document, Reject
from pipelines.input.find import find_files
from pipelines.recipes.recipe_tables import InputTable

SENTENCES = "Oslo\tB-x\nsleeps\tO\n\nQuiet\tO\n"
NER = {"ner": {"kind": "token", "column": "ner"}}
FOUND = [(("Oslo", "sleeps"), ("B-x", "O")), (("Quiet",), ("O",))]


def tagged(found: list[Document]) -> list[tuple[Any, Any]]:
    """Return tokens and tags of sentences."""
    return [(item.tokens, item.labels.get("ner")) for item in found]


@pytest.mark.parametrize(
    "header",
    [
        "token\tner\n",
        "Token\tNER\n\n",
        "\ufeffword\tner\r\n",
        "# a remark\n# made = by hand\nWord\tner\n",
        "# columns: tokens ner\n",
        "# columns = word ner\n",
        "# global.columns = FORM NER\n",
        "-DOCSTART- O\n\ntoken\tner\n",
    ],
)
def test_a_header_is_no_sentence(tmp_path: Path, header: str) -> None:
    """It names the columns, with or without a blank line behind it, wherever units begin."""
    path = write(tmp_path, header + SENTENCES, "a.conll")
    for unit in (0, 5):
        found = documents(path, NER, unit=unit, record="sentence")
        assert tagged(found) == FOUND
    whole = documents(path, NER, record="document")
    assert [item.tokens for item in whole] == [("Oslo", "sleeps", "Quiet")]


@pytest.mark.parametrize(
    ("text", "labels", "table"),
    [
        ("Wort\tArt\n", {"column": "Art"}, {"columns": ["Wort", "Art"], "tokens": "Wort"}),
        ("token\tmine\n", {"column": "mine"}, {}),
        ("token\tner\n", {"column": "tags"}, {}),  # as the last column is called without a header
        ("lemma\ttoken\tner\n", {"column": "tags"}, {}),
    ],
)
def test_columns_have_names_that_the_recipe_or_habit_gives_them(
    tmp_path: Path, text: str, labels: dict[str, str], table: dict[str, Any]
) -> None:
    """Names of the recipe are known, too, and a label may be in the last column whatever its header says."""
    lines = (
        SENTENCES
        if "lemma" not in text
        else "".join(f"x\t{line}\n" if line else "\n" for line in SENTENCES.split("\n"))
    )
    found = documents(write(tmp_path, text + lines, "a.conll"), {"ner": labels}, **table)
    assert tagged(found) == FOUND


@pytest.mark.parametrize(
    "text",
    [
        "Word\tNOUN\n\nOslo\tNOUN\n",  # a sentence of one token
        "Token\tO\n\nOslo\tB-x\n",
        "word\ttag\n\nOslo\ttag\n",  # "tag" is a tag of this file
        "token\n\nOslo\n",  # a name alone
        "token\ttoken\n\nOslo\tO\n",
    ],
)
def test_a_sentence_of_one_token_is_kept(tmp_path: Path, text: str) -> None:
    """Whatever it is, unless each of its cells names a column and is no value of one."""
    found = documents(write(tmp_path, text, "a.conll"), {"ner": {"column": "tags"}})
    assert len(found) == 2


def test_declared_columns_without_tokens_are_no_reason_to_break_off(tmp_path: Path) -> None:
    """The header is found, and each record says what it lacks."""
    found = records(write(tmp_path, "Wort\tArt\n" + SENTENCES, "a.conll"), NER, columns=["Wort", "Art"])
    assert [item.reason for item in found if isinstance(item, Reject)] == ["missing_field"] * 2


@given(st.lists(st.tuples(st.sampled_from(["word", "token", "Oslo"]), st.sampled_from(["O", "B-x"])), min_size=1))
def test_no_sentence_with_tags_is_lost(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    """Whatever its words are."""
    text = "".join(f"{token}\t{tag}\n\n" for token, tag in rows)
    path = write(tmp_path_factory.getbasetemp(), text, "kept.conll")
    assert [item.tokens for item in documents(path, {"ner": {"column": "tags"}})] == [(token,) for token, _ in rows]


def test_columns_of_conllu_plus(tmp_path: Path) -> None:
    """Of tokens of several words and empty nodes the words are read."""
    text = (
        "# global.columns = ID FORM UPOS NER\n# sent_id = s1\n"
        "1-2\tcan't\t_\t_\n1\tca\tAUX\tO\n2\tn't\tPART\tO\n2.1\tgo\tVERB\tO\n3\tgo\tVERB\tB-x\n"
    )
    (found,) = documents(write(tmp_path, text, "a.conllup"), NER | {"pos": {"kind": "token", "column": "upos"}})
    assert (found.id, found.tokens) == ("s1", ("ca", "n't", "go"))
    assert found.labels == {"ner": ("O", "O", "B-x"), "pos": ("AUX", "PART", "VERB")}


def test_inspect_tells_of_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a .tsv file with one is a table or columns as its lines look."""
    assert run(monkeypatch, "inspect", write(tmp_path, "token\tner\n" + SENTENCES * 9, "a.tsv")) == 0
    told = capsys.readouterr().out
    assert "a.tsv: read as conll, the first 10 records\n  the header names the columns tokens, ner\n" in told
    assert "--label ner=token" in told

    def form(text: str) -> str:
        (file,), _ = find_files([InputTable(files=(str(write(tmp_path, text, "b.tsv")),))])
        return file.format

    assert form("tokens\ttags\nOslo\tO\n\nfar\tO\n") == "conll"
    assert form("tokens\ttags\nOslo is\tO O\n\nSo far\tO O\n") == "tsv"
    assert form("tokens\ttags\nOslo\tO\nfar\tO\n") == "tsv"
