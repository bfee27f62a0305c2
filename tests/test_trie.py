"""Tries: the longest of many texts from each place, whether their steps stand in a table or are searched for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelers.language.trie as trie_module
from labelers.language.trie import Trie

WORDS = 4
TEXTS = st.lists(st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=4).map(tuple), max_size=9, unique=True)
TOKENS = st.lists(st.integers(-1, WORDS - 1), max_size=20)


def longest(texts: list[tuple[int, ...]], tokens: list[int], start: int, end: int) -> tuple[int, int]:
    """Return number and length of the longest text from a place, up to an end, by comparing them all."""
    fits = [(len(t), i) for i, t in enumerate(texts) if tuple(tokens[start : min(start + len(t), end)]) == t]
    length, number = max(fits, default=(0, -1))
    return number, length


@pytest.mark.parametrize("dense", [True, False])
@given(TEXTS, TOKENS, st.sets(st.integers(0, 20)))
def test_the_longest_text_is_found(
    dense: bool,  # noqa: FBT001
    texts: list[tuple[int, ...]],
    tokens: list[int],
    borders: set[int],
) -> None:
    """From every place, never across a border; a word that no text holds leads nowhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie_module, "_DENSE", 10**9 if dense else 0)
        trie = Trie(enumerate(texts), WORDS)
    types, codes = np.unique(np.array(tokens, np.int64), return_inverse=True)
    ends = sorted({b for b in borders if b < len(tokens)} | {len(tokens)})
    found = trie.longest(
        types, codes, np.arange(len(tokens)), goes_on=lambda place: ~np.isin(place, np.array(ends, np.int64))
    )
    expected = [longest(texts, tokens, i, next(end for end in ends if end > i)) for i in range(len(tokens))]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@given(TEXTS, TOKENS)
def test_texts_that_do_not_count_are_passed_over(texts: list[tuple[int, ...]], tokens: list[int]) -> None:
    """Of those that count the longest is found, and without a border a text may go on to the last token."""
    words = np.arange(WORDS + 1)
    words[-1] = -1
    trie = Trie(enumerate(texts), WORDS)
    codes = np.array(tokens, np.int64)
    number, length = trie.longest(words, codes, np.arange(len(tokens)), counts=lambda start, end: end - start != 2)
    kept = [text if len(text) != 2 else (-9,) for text in texts]
    assert list(zip(number.tolist(), length.tolist(), strict=True)) == [
        longest(kept, tokens, i, len(tokens)) for i in range(len(tokens))
    ]
