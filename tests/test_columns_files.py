"""Columns of tokens and CoNLL-U: which sentences and documents files hold, wherever units begin."""

from pathlib import Path

import pytest
from columns_files import documents, records
from hypothesis import given
from hypothesis import strategies as st

from labelers.text.document import Reject
from pipelines.formats.token_blocks import head_indices
from pipelines.input.find import find_files
from pipelines.recipes.recipe_tables import InputTable

NER = {"ner": {"kind": "token", "column": "tags"}}
TREE = {"pos": {"kind": "token", "column": "upos"}, "dep": {"kind": "arc", "column": "head", "relations": "deprel"}}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.iob2", "a.bio", "a.tsv"])
def test_a_sentence_is_a_record_with_the_last_column_as_tags(tmp_path: Path, name: str) -> None:
    """Its id is its place; it is one segment, and a line of white space ends it."""
    path = write(tmp_path, name, "Oslo\tNNP\tB-x\nis\tVBZ\tO\n\t\nQuiet\tJJ\tO\n")
    one, two = documents(path, NER | {"pos": {"kind": "token", "column": "column2"}})
    assert (one.tokens, one.segments, one.id) == (("Oslo", "is"), (0,), f"{name}:0")
    assert one.labels == {"ner": ("B-x", "O"), "pos": ("NNP", "VBZ")}
    assert (two.id, two.tokens) == (f"{name}:24", ("Quiet",))


def test_columns_have_the_names_that_a_recipe_gives_them(tmp_path: Path) -> None:
    """Also where the tokens do not stand first."""
    path = write(tmp_path, "a.txt", "1 Oslo B-x\n2 is O\n")
    (one,) = documents(path, NER, format="conll", columns=["number", "tokens", "tags"])
    assert (one.tokens, one.labels) == (("Oslo", "is"), {"ner": ("B-x", "O")})


def test_line_ends_marks_tabs_and_spaces_may_be_mixed(tmp_path: Path) -> None:
    """A file from Windows with a byte-order mark, in which some lines have spaces for tabs."""
    path = write(tmp_path, "a.conll", b"\xef\xbb\xbfOslo\tB-x\r\nis   O\r\n \t\r\nfar \t O\r\noff O \r\n")
    one, two = documents(path, NER)
    assert (one.tokens, one.labels["ner"]) == (("Oslo", "is"), ("B-x", "O"))
    assert (two.tokens, two.labels["ner"]) == (("far", "off"), ("O", "O"))


def test_a_line_of_one_column_leaves_a_sentence_with_too_few_tags(tmp_path: Path) -> None:
    """A sentence of such lines alone has no labels."""
    one, two = documents(write(tmp_path, "a.conll", "Oslo\tB-x\nis\nfar\tO\n\nso\nfar\n"), NER)
    assert (one.tokens, one.labels["ner"]) == (("Oslo", "is", "far"), ("B-x", "O"))
    assert (two.tokens, two.labels) == (("so", "far"), {})


def test_a_token_may_be_a_number_sign(tmp_path: Path) -> None:
    """Comments stand at the beginning of a sentence and have their own form, or other columns."""
    text = "# sent_id = s1\n#\tO\nnow\tO\n\n# a remark of four\n#tag\tO\n\n# note\n\n# O\n! O\n"
    found = documents(write(tmp_path, "a.conll", text), NER)
    assert [item.tokens for item in found] == [("#", "now"), ("#tag",), ("#", "!")]
    assert found[0].id == "s1"


def test_documents_are_records_where_they_are_marked(tmp_path: Path) -> None:
    """Their sentences become segments; with record = "sentence" they share a side of the split."""
    text = "-DOCSTART- O\n\nOslo B-x\nis O\n\nfar O\n\n-DOCSTART- O\n\nQuiet O\n"
    path = write(tmp_path, "a.conll", text)
    one, two = documents(path, NER)
    assert (one.tokens, one.segments, one.labels["ner"]) == (("Oslo", "is", "far"), (0, 2), ("B-x", "O", "O"))
    assert (one.id, two.id, two.tokens) == ("a.conll:0", f"a.conll:{text.rindex('-DOC')}", ("Quiet",))
    sentences = documents(path, NER, record="sentence")
    assert [item.tokens for item in sentences] == [("Oslo", "is"), ("far",), ("Quiet",)]
    assert sentences[0].group == sentences[1].group != sentences[2].group


def test_a_file_without_marks_may_be_one_document(tmp_path: Path) -> None:
    """If a recipe says so."""
    path = write(tmp_path, "a.conll", "Oslo O\n\nis O\n")
    assert [item.segments for item in documents(path, NER, record="document", unit=4)] == [(0, 1)]


@given(
    st.lists(st.lists(st.sampled_from(["Oslo O", "#\tB-x", "-DOCSTART- O", "é\tO"]), min_size=1), max_size=12),
    st.integers(1, 90),
    st.sampled_from(["\n\n", "\n\t\n", "\r\n\r\n\n"]),
    st.sampled_from(["sentence", "document", "auto"]),
)
def test_where_units_begin_changes_no_record(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[str]], unit: int, gap: str, record: str
) -> None:
    """Each is read once, by the unit in which it begins."""
    path = write(tmp_path_factory.getbasetemp(), "units.conll", gap.join("\n".join(lines) for lines in blocks) or "a O")
    assert records(path, NER, unit=unit, record=record) == records(path, NER, unit=10**6, record=record)


def test_what_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    """Bytes that are no text, a sentence that is too long, another kind of file, an empty token."""
    path = write(tmp_path, "a.conll", b"O\xffslo O\n\n" + b"far O\n" * 30 + b"\n\tO\n\nnow\tO\n")
    found = records(path, NER, max_record_bytes=100)
    assert [item.reason for item in found if isinstance(item, Reject)] == ["undecodable", "too_long", "bad_token"]
    (packed,) = records(write(tmp_path, "b.conll", b"\x1f\x8bxx"), NER)
    assert isinstance(packed, Reject)
    assert packed.reason == "file"
    long = b"-DOCSTART- O\n\n" + b"far O\n\n" * 30 + b"-DOCSTART- O\n\nnow O\n"
    found = records(write(tmp_path, "c.conll", long), NER, max_record_bytes=100)
    assert [item.reason if isinstance(item, Reject) else item.tokens for item in found] == ["too_long", ("now",)]
    found = records(write(tmp_path, "d.conll", b"-DOCSTART- O\n\nf\xff O\n"), NER)
    assert [item.reason for item in found if isinstance(item, Reject)] == ["undecodable"]


def test_heads_and_numbers_in_columns(tmp_path: Path) -> None:
    """Heads count from 1, and numbers are read as such."""
    labels = {
        "dep": {"kind": "arc", "column": "head"},
        "time": {"kind": "regression", "level": "token", "column": "ms"},
    }
    path = write(tmp_path, "a.conll", "Birds 2 1.5\nsing 0 _\n\nSo 9 x\n")
    one, two = documents(path, labels, columns=["tokens", "head", "ms"])
    assert one.labels == {"dep": ((1, 1), None), "time": (1.5, None)}
    assert two.labels["dep"] == ((-9,), None)
    assert two.labels["time"].reason == "wrong_type"


CONLLU = """\
# newdoc id = d1
# sent_id = d1-1
# text = They can't go .
1\tThey\tthey\tPRON\tPRP\tCase=Nom\t4\tnsubj\t_\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_
2\tca\tcan\tAUX\tMD\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
3.1\tbe\tbe\tAUX\tVB\t_\t_\t_\t_\t_
4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No
5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

# sent_id = d1-2
1\t10 000\t_\tNUM\tCD\t_\t0\troot\t_\t_
2\t_\t_\tSYM\tSYM\t_\t1\tpunct\t_\t_

# newdoc id = d2
1\tSo\tso\tADV\tRB\t_\t0\troot\t_\t_
"""


def test_conllu_documents_have_words_spaces_and_trees(tmp_path: Path) -> None:
    """Words of one token touch where they are what it is made of; heads are places in the document."""
    one, two = documents(write(tmp_path, "a.conllu", CONLLU), TREE)
    assert (one.id, one.group, two.id) == ("d1", "d1", "d2")
    assert (one.tokens, one.segments) == (("They", "ca", "n't", "go", ".", "10_000", "_"), (0, 5))
    assert one.spaces == (True, False, True, False, True, True, True)
    assert one.labels["pos"] == ("PRON", "AUX", "PART", "VERB", "PUNCT", "NUM", "SYM")
    assert one.labels["dep"] == (
        (3, 3, 3, 3, 3, 5, 5),
        ("nsubj", "aux", "advmod", "root", "punct", "root", "punct"),
    )


def test_conllu_sentences_have_their_ids_and_stay_together(tmp_path: Path) -> None:
    """The group of the split is their document."""
    found = documents(write(tmp_path, "a.conllu", CONLLU), TREE, record="sentence")
    assert [(item.id, item.group) for item in found] == [("d1-1", "d1"), ("d1-2", "d1"), (found[2].id, "d2")]
    assert found[2].id == f"a.conllu:{CONLLU.rindex('# newdoc')}"
    assert found[1].labels["dep"][0] == (0, 0)


def test_conllu_lines_have_ten_columns(tmp_path: Path) -> None:
    """Others are rejected with their line."""
    (bad,) = records(write(tmp_path, "a.conllu", "1\tSo\tso\n"), TREE)
    assert isinstance(bad, Reject)
    assert (bad.reason, "10 columns" in bad.note) == ("bad_row", True)


def test_conllu_is_read_as_its_own_package_reads_it(tmp_path: Path) -> None:
    """The oracle: words, parts of speech, heads and relations of each sentence."""
    conllu = pytest.importorskip("conllu")
    found = documents(write(tmp_path, "a.conllu", CONLLU), TREE, record="sentence")
    for document, sentence in zip(found, conllu.parse(CONLLU), strict=True):
        words = [token for token in sentence if isinstance(token["id"], int)]
        assert document.tokens == tuple("_".join(token["form"].split()) for token in words)
        assert document.labels["pos"] == tuple(token["upos"] for token in words)
        heads = tuple(token["head"] - 1 if token["head"] else place for place, token in enumerate(words))
        assert document.labels["dep"] == (heads, tuple(token["deprel"] for token in words))


def test_heads_of_numbers_that_are_not_there() -> None:
    """They are left as they are, so that whoever reads the label can say so."""
    assert head_indices(["3", "0", "1"], ["1", "2", "4"]) == [-3, 1, 0]
    assert head_indices(["1"], ["2"]) == ["1"]


def test_a_tsv_file_is_a_table_or_columns_as_it_begins(tmp_path: Path) -> None:
    """Blank lines between sentences tell, and names of fields in the first line; a recipe may say it."""

    def formats(text: str, **table: str) -> list[str]:
        path = write(tmp_path, "a.tsv", text)
        return [file.format for file in find_files([InputTable(files=(str(path),), **table)])[0]]  # type: ignore[arg-type]

    assert formats("Oslo\tO\n\nfar\tO\n") == ["conll"]
    assert formats("text\tmood\nIt rained.\tsad\n\nIt snowed.\tgood\n") == ["tsv"]
    assert formats("words\tmood\nIt rained.\tsad\n") == ["tsv"]
    assert formats("Oslo\tB-place\nsleeps\tO\n") == ["conll"]
    assert formats("Oslo\tADJ\n", columns=["tokens", "pos"]) == ["conll"]  # type: ignore[arg-type]
    assert formats("It rained.\tsad\n", columns=["text", "mood"]) == ["tsv"]  # type: ignore[arg-type]
    assert formats("Oslo\tO\n", format="conll") == ["conll"]
    assert formats("Oslo\tO\n\nfar\tO\n", format="table") == ["csv"]


def test_an_odd_ending_is_read_as_a_recipe_says(tmp_path: Path) -> None:
    """If the file is named; a folder may hold anything."""
    path = write(tmp_path, "a.ner", "Oslo O\n")
    assert [item.tokens for item in documents(path, NER, format="conll")] == [("Oslo",)]
    with pytest.raises(ValueError, match="nothing to read"):
        documents(tmp_path, NER, format="conll")
