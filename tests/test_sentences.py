# ruff: noqa: RUF001  (quotes are what this is about)
"""Where sentences start: spec by example, and what holds for any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelers.text.clean import clean
from labelers.text.segmenter import read_texts
from labelers.text.sentences import sentence_starts


def split(text: str) -> list[str]:
    """Return the sentences of a text."""
    batch = read_texts([text], max_tokens=100_000)
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    pieces = [token + " " * space for token, space in zip(tokens, batch.spaces.tolist(), strict=True)]
    ends = [*batch.segments[1:], len(tokens)]
    return ["".join(pieces[start:end]).strip() for start, end in zip(batch.segments, ends, strict=True)]


@pytest.mark.parametrize(
    "marked",
    [
        "The fog lifted. | Nobody sailed! | Why not? | The wind was gone.",
        "“Is it late?” | “It is.” | (We knew.) | He left.",
        '"Is it late?" | "It is." | She laughed.',
        "“Is it late?” asked the guard. | “Very late!” said Ann.",
        "Mr. Hale met Dr. Brandt, Mrs. Lund and St. Clair. | They ate.",
        "J. B. Morton wrote it. | A. Smith did not.",
        "It cost 3.5 marks, i.e. nothing. | We paid, etc., and left.",
        "They sell bread, milk, etc. | The shop is small.",
        "See Fig. 3 and pp. 10 of vol. 2. | It is there.",
        "“Can we go?” | “No. | We must stay.”",
        "They met at 5 p.m. in Dover. | At 6 p.m. Anna left.",
        "The year was 1905. | The harvest was poor.",
        "1. Wash the rice. | 2. Boil it. | 3. Eat.",
        "Do this: 1. Wash the rice. | 2. Boil it.",
        "What?! | Never!!! | Well ... | Perhaps.",
        "He waited . . . and slept.",
        "Come home... | It is late.",
        "we ate. | then we slept. | it was fine.",
        "Oh! what a day it was.",
        "i was late! | it rained? | yes i know.",
        "That is great :) | See you soon. :D | Bye.",
        "Go to www.example.org now. | Then wait.",
        "“Stop!” ’ | Nobody did.",
        "Henry III. is dead. | Long live the king.",
        "Call 555-12. | We wait.",
        "Ten per cent. of it was gone.",
        "He saw the sea! and what a sea it was.",
        "“It was late.” said Ann.",
        "We left. | ... and then we came back.",
        "We saw it.Then we left.",
        "He fell! (but not far) and rose.",
        "Was it 1904? | 1905. | Yes.",
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(marked: str) -> None:
    """Bars stand where sentences start."""
    sentences = marked.split(" | ")
    assert split(" ".join(sentences)) == sentences


WORDS = ["a", "Go", "Mr.", "etc.", "No", "i", "3", "1", "J.", "x", "§"]
MARKS = [".", "!", "?", "...", "”", "“", '"', "'", ")", "(", ":", ",", "—", ":)", ""]
ODD = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(MARKS), st.sampled_from(["", " "])), max_size=12)


@given(texts=st.lists(ODD, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_sentences_depend_on_their_own_text_alone(texts: list[list[tuple[str, str, str]]]) -> None:
    """A text among others is split as it is alone, and each text opens with a sentence."""
    lines = [clean("".join("".join(item) for item in text)) or "x" for text in texts]
    batch = read_texts(lines, max_tokens=100_000)
    for row, line in enumerate(lines):
        alone = read_texts([line], max_tokens=100_000)
        first, last = batch.segment_offsets[row], batch.segment_offsets[row + 1]
        assert (batch.segments[first:last] - batch.offsets[row]).tolist() == alone.segments.tolist()
        assert alone.segments[0] == 0


@pytest.mark.parametrize(
    "texts", [("1.", "Go on."), ("5", ". Go on."), ("It rained.", ") Then we left."), ("Mr", ". Go on.")]
)
def test_a_text_ends_where_the_next_one_starts(texts: tuple[str, str]) -> None:
    """What stands at the edge of one text says nothing of the other."""
    batch = read_texts(texts)
    alone = [len(read_texts([text]).segments) for text in texts]
    assert [len(row) for row in np.split(batch.segments, batch.segment_offsets[1:-1])] == alone


def test_no_tokens_have_no_sentences() -> None:
    """An empty batch is no special case for the caller."""
    empty = np.zeros(0, np.int64)
    starts = sentence_starts(read_texts([]).vocabulary, empty, np.zeros(0, bool), np.zeros(1, np.int64))
    assert starts.tolist() == []
