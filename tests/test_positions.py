"""Where tokens stand in the strings that a caller gave, before these were cleaned."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelers.text.clean import clean
from labelers.text.document import Document, Turn
from labelers.text.positions import Positions
from labelers.text.segmenter import Segmenter, locate_texts, read_texts

ROOT = Path(__file__).parents[1]
ODD = [
    *("\ufeff", "\x00", "\x1b", "\x9f", "\u200b", "\u200d", "\u0301", "\u00ad"),
    *("\U0001f469\u200d\U0001f680", "\U0001f1e9\U0001f1ea"),
    *(" ", "  ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u2003", "\u2028", "\u3000", "\x1c", "\x85", "\x0c"),
    *("--", "---", "-", "\u2014", '"', "'", "\u201c", "\u201d", "\u2019", "...", "(", ")", ":-)", "``"),
    *("word", "Don't", "e\u0301", "\u00e9t\u00e9", "cannot", "U.S.", "x:(", "3.5%", "a.b/c", "I"),
    *("\u65e5\u672c\u8a9e\u3002", "\U00020000"),
]  # fmt: skip
TEXT = st.lists(st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=14).map(
    "".join
)


def left(part: str) -> str:
    """Return what cleaning leaves of a part in a text; only at the beginning is a byte-order mark one."""
    return clean(f"x{part}")[1:]


def check(strings: list[str], tokens: list[str], owners: list[int], starts: np.ndarray, ends: np.ndarray) -> None:
    """Check that the tokens of each string rise, do not overlap, and are all that is left of it."""
    reached = dict.fromkeys(range(len(strings)), 0)
    for token, owner, start, end in zip(tokens, owners, starts.tolist(), ends.tolist(), strict=True):
        string, before = strings[owner], reached[owner]
        assert before <= start < end <= len(string)
        assert left(string[start:end]) == token
        assert (string[start], string[end - 1]) == (token[0], token[-1])
        assert (left if before else clean)(string[before:start]) == ""
        reached[owner] = end
    for owner, string in enumerate(strings):
        assert (left if reached[owner] else clean)(string[reached[owner] :]) == ""


@given(st.lists(TEXT, max_size=5), st.sampled_from(["space", "break"]), st.integers(8, 20))
@settings(max_examples=300, deadline=None)
def test_tokens_are_found_in_the_callers_string(texts: list[str], newline: str, most: int) -> None:
    """Whatever cleaning takes away, and however the text is cut into rows; rows are those of `read_texts`."""
    batch, positions = locate_texts(texts, max_tokens=most, newline=newline)
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    assert [str(number) for number in positions.texts] == list(batch.documents)
    owners = np.repeat(positions.texts, np.diff(batch.offsets)).tolist()
    check(texts, tokens, owners, positions.starts, positions.ends)
    assert positions.turns.tolist() == [-1] * len(tokens)
    plain = read_texts(texts, max_tokens=most, newline=newline)
    assert (plain.ids, plain.vocabulary.strings(plain.codes).to_pylist()) == (batch.ids, tokens)


@given(st.lists(st.lists(TEXT, max_size=4), max_size=4))
@settings(max_examples=100, deadline=None)
def test_tokens_of_a_turn_are_found_in_its_own_text(dialogues: list[list[str]]) -> None:
    """Turns are counted as they were given, those without a word too."""
    documents = [Document(f"d{i}", turns=tuple(Turn("Ann", text) for text in d)) for i, d in enumerate(dialogues)]
    batch, _, positions = Segmenter(max_tokens=12).locate(documents)
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    strings = [text for dialogue in dialogues for text in dialogue]
    before = np.cumsum([0, *map(len, dialogues)])
    owners = (before[np.repeat(positions.texts, np.diff(batch.offsets))] + positions.turns).tolist()
    check(strings, tokens, owners, positions.starts, positions.ends)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
@settings(max_examples=100, deadline=None)
def test_tokens_of_a_second_text_are_found_in_it(pairs: list[tuple[str, str]]) -> None:
    """Beside those of the first."""
    texts, seconds = [first for first, _ in pairs], [second for _, second in pairs]
    batch, positions = locate_texts(texts, second=seconds)
    kept = [number for number, pair in enumerate(pairs) if all(map(clean, pair))]
    assert positions.texts.tolist() == kept
    if batch.second is not None:
        tokens = batch.vocabulary.strings(batch.second.codes).to_pylist()
        owners = np.repeat(np.arange(len(kept)), np.diff(batch.second.offsets)).tolist()
        check([seconds[i] for i in kept], tokens, owners, positions.second_starts, positions.second_ends)


def test_tokens_of_several_kinds_of_documents() -> None:
    """Tokens that are given stand in no string; a document without a passage has no row."""
    documents = [
        Document("a", "\ufeffOne\x00two -- so."),
        Document("b", " \x07"),
        Document("c", tokens=("Given", "."), second=" Its  second"),
        Document("d", turns=(Turn("Ann", " "), Turn("Bob", "\tHi--you"))),
    ]
    batch, rejects, found = Segmenter().locate(documents)
    assert [reject.source for reject in rejects] == ["b"]
    assert (batch.ids, found.texts.tolist()) == (["a/0", "c/0", "d/0"], [0, 2, 3])
    spans = list(zip(found.turns.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True))
    assert spans == [
        (-1, 1, 8), (-1, 9, 11), (-1, 12, 14), (-1, 14, 15), (-1, -1, -1), (-1, -1, -1), (1, 1, 3), (1, 3, 5), (1, 5, 8)
    ]  # fmt: skip
    assert list(zip(found.second_starts.tolist(), found.second_ends.tolist(), strict=True)) == [(1, 4), (6, 12)]
    assert batch.second is not None
    assert [b - a for a, b in pairwise(batch.second.offsets.tolist())] == [0, 2, 0]


def test_nothing_has_no_positions() -> None:
    """No text, and texts without a word."""
    for texts in ([], ["", "\ufeff \x00"]):
        _, found = locate_texts(texts)
        empty = np.zeros(0, np.int64)
        for array in vars(Positions(*[empty] * 6)):
            assert getattr(found, array).dtype == np.int64
            assert getattr(found, array).tolist() == []


NO_SPACY = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"spacy", "thinc", "nltk", "apache_beam", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run(code: str) -> str:
    """Return what a program prints where neither spaCy nor anything else of an extra can be imported."""
    found = subprocess.run(
        [sys.executable, "-c", NO_SPACY + code], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return found.stdout + found.stderr


def test_tokens_need_no_spacy() -> None:
    """Passages of tokens are cut, segmented and labelled without it."""
    code = """
from labelers.finding import load
from labelers.text.segmenter import Segmenter, locate_texts, read_texts
batch = read_texts([["Fog", "."], ["It", "rained", ".", "We", "left", "."]], second=[["Nebel", "."], ["Regen", "."]])
print(batch.ids, batch.segments.tolist(), batch.second.offsets.tolist())
print(load("masking").apply(batch).column("status").to_pylist())
"""
    assert run(code).splitlines() == ["['0/0', '1/0'] [0, 2, 5] [0, 2, 4]", "[1, 1]"]


@pytest.mark.parametrize("call", ["read_texts(['Fog.'])", "locate_texts([['Fog', '.']], second=['Nebel.'])"])
def test_a_text_without_spacy_is_an_error_that_names_the_cure(call: str) -> None:
    """One line, and what to give instead."""
    used = f"try:\n    {call}\nexcept ModuleNotFoundError as error:\n    print(error)"
    code = f"from labelers.text.segmenter import *\n{used}"
    assert run(code) == (
        "text is split by spaCy, which is not installed; "
        "install it with: pip install 'auxloom[build]', or give tokens\n"
    )


@pytest.mark.parametrize("token", ["", "two words", "a\x00b", "tab\t"])
def test_tokens_that_are_none_are_refused(token: str) -> None:
    """On either side; the message says which."""
    with pytest.raises(ValueError, match=r"text 1: token 2 is .* a token is not empty"):
        read_texts([["Fog"], ["It", "rained", token]])
    with pytest.raises(ValueError, match="text 0: token 0"):
        read_texts(["Fog"], second=[[token]])
