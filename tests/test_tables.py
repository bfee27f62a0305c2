"""Tab-separated tables: which lines count, where they stand, and what the package's own say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelers
from labelers.language.tables import entries, lexicon_rows, numbered_rows

FIELD = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=4)
LEXICONS = sorted(path.name for path in (Path(labelers.__file__).parent / "lexicons").glob("*.tsv"))


@given(st.lists(st.lists(FIELD, min_size=1, max_size=3)), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_line_that_says_something_is_read(rows: list[list[str]], end: str, bom: bool) -> None:  # noqa: FBT001
    """Its number is that in the file; empty lines and comments count, but are left out."""
    data = (b"\xef\xbb\xbf" if bom else b"") + "".join("\t".join(row) + end for row in rows).encode()
    lines = [(number, row) for number, row in enumerate(rows, 1) if "".join(row).strip() and not row[0].startswith("#")]
    assert list(numbered_rows(data, "x")) == lines


def test_a_line_that_is_no_text_is_an_error_that_names_it() -> None:
    """After the lines before it were read."""
    rows = numbered_rows(b"a\tb\n\xff\n", "names.tsv")
    assert next(rows) == (1, ["a", "b"])
    with pytest.raises(ValueError, match=r"names\.tsv, line 2: not UTF-8"):
        next(rows)


@pytest.mark.parametrize("name", LEXICONS)
def test_the_lexicons_of_the_package_are_tables(name: str) -> None:
    """Each has rows, and none of their lines ends in white space that somebody left there."""
    rows = list(lexicon_rows(name))
    assert rows
    assert all(row[0] == row[0].strip() for row in rows)


def test_the_entries_of_a_kind_are_its_lines_without_the_kind() -> None:
    """In the order of the file; a kind that there is not has none."""
    kinds = [row[0] for row in lexicon_rows("disfluency.tsv")]
    found = {kind: entries(kind) for kind in kinds}
    assert sum(map(len, found.values())) == len(kinds)
    assert [[kind, *row] for kind in dict.fromkeys(kinds) for row in found[kind]] == sorted(
        lexicon_rows("disfluency.tsv"), key=lambda row: list(dict.fromkeys(kinds)).index(row[0])
    )
    assert entries("no such kind") == ()
