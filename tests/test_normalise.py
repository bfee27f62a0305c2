"""Text as speech is written down: what is left of it, and labels and positions that follow their tokens."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.label_space import LabelSpace
from labelers.text.document import Document, Spans, Turn
from labelers.text.gold import read_gold
from labelers.text.normalise import is_punctuation, normalise
from labelers.text.pieces import PieceReader
from labelers.text.segmenter import Segmenter
from labelers.vocabulary import Vocabulary
from trainer.predict import _places

NER = LabelSpace("ner", "token", classes=("O", "B-x", "I-x"), scheme="bio")
WORDS = st.sampled_from([".", ",", "!", "``", "Bell", "İSA", "ΟΔΟΣ", "a", "It", "—", "$", "U.S.", "ẞ"])


def rows(space: LabelSpace, *documents: Document, most: int = 128) -> list[dict[str, Any]]:
    """Return the labels of the rows of documents that are normalised."""
    cut, _ = Segmenter(max_tokens=most, normalise="transcript").cut(documents)
    found = read_gold(cut, [space])
    assert found.rejects == []
    columns: list[dict[str, Any]] = found.columns[space.name].to_pylist()
    return columns


def texts(*documents: Document, most: int = 128) -> list[str]:
    """Return the tokens of each row."""
    batch, _ = Segmenter(max_tokens=most, normalise="transcript").segment(documents)
    words = batch.vocabulary.strings(batch.codes).to_pylist()
    return [" ".join(words[a:b]) for a, b in zip(batch.offsets, batch.offsets[1:], strict=False)]


def test_marks_go_and_letters_are_small() -> None:
    """All tokens are followed by a space but the last of a row."""
    batch, rejects = Segmenter(normalise="transcript").segment(
        [Document("a", "“Stop!” said Ms. Gray—twice."), Document("b", "... !")]
    )
    assert batch.vocabulary.strings(batch.codes).to_pylist() == ["stop", "said", "ms.", "gray", "twice"]
    assert batch.spaces.tolist() == [True, True, True, True, False]
    assert [(item.source, item.reason) for item in rejects] == [("b", "empty")]


def test_sentences_are_found_before_their_marks_go() -> None:
    """Segments and turns of which nothing is left are gone."""
    turns = (Turn("A", "We left. It rained!"), Turn("B", "?!"), Turn("C", "Really? ... Yes."))
    batch, _ = Segmenter(normalise="transcript").segment([Document("a", turns=turns)])
    assert batch.segments.tolist() == [0, 2, 4, 5]
    assert batch.vocabulary.strings(batch.roles).to_pylist() == ["A", "C"]
    assert batch.turns.tolist() == [0, 2]


def test_the_second_text_is_normalised_too() -> None:
    """A record of which either text is left empty is rejected."""
    segmenter = Segmenter(normalise="transcript")
    pairs = [Document("a", "It rained.", second="It poured , Sir ."), Document("b", "It rained.", second=("!", "!"))]
    batch, rejects = segmenter.segment(pairs)
    assert batch.second is not None
    assert batch.vocabulary.strings(batch.second.codes).to_pylist() == ["it", "poured", "sir"]
    assert batch.second.spaces.tolist() == [True, True, False]
    assert [item.reason for item in rejects] == ["empty"]
    cut, _ = segmenter.cut(pairs)
    found, second = cut.positions, pairs[0].second
    words = [second[a:b] for a, b in zip(found.second_starts, found.second_ends, strict=True)]
    assert words == ["It", "poured", "Sir"]


def test_a_record_that_fits_without_its_marks_is_one_row() -> None:
    """Its length counts when the marks are gone."""
    whole = Document("a", tokens=("a", ",") * 8, whole=True)
    kept = Document("b", tokens=("a", ",") * 8, fields={"n": "x"})
    long = Document("c", tokens=("a",) * 9, fields={"n": "x"})
    segmenter = Segmenter(max_tokens=8, normalise="transcript", keep={"n": "string"})
    batch, rejects = segmenter.segment([whole, kept, long])
    assert batch.ids == ["a/0", "b/0"]
    assert [(item.source, item.reason) for item in rejects] == [("c", "too_long")]


def test_a_span_that_lost_its_first_token_begins_with_the_next() -> None:
    """Two spans that touch stay two."""
    tokens = ("The", "(", "Bell", ")", "!", '"', "Tower", "x")
    tags = ("O", "B-x", "I-x", "I-x", "O", "B-x", "I-x", "O")
    assert rows(NER, Document("a", tokens=tokens, labels={"ner": tags})) == [{"status": 0, "tags": [0, 1, 1, 0]}]
    tags = ("B-x", "O", "B-x", "I-x", "I-x", "B-x", "I-x", "I-x")
    assert rows(NER, Document("a", tokens=tokens, labels={"ner": tags}))[0]["tags"] == [1, 1, 1, 2]
    assert rows(NER, Document("a", tokens=(",", "b"), labels={"ner": (None, "B-x")}))[0]["tags"] == [1]


def test_spans_are_by_offsets_of_the_original_text() -> None:
    """Their marks, and spans of nothing but marks, are gone."""
    text = "He saw “Big” Ben (twice) ?!"
    spans = Spans(((7, 12, "x"), (13, 16, "x"), (25, 27, "x")))
    made = rows(NER, Document("a", text, labels={"ner": spans}))
    assert texts(Document("a", text)) == ["he saw big ben twice"]
    assert made == [{"status": 0, "tags": [0, 0, 1, 1, 0]}]


def test_heads_are_counted_anew() -> None:
    """A token whose head is a mark has none; a root is its own head."""
    space = LabelSpace("deps", "arc", classes=("a", "root"), relations=True)
    label = ((1, 1, 1, 2), ("a", "root", "a", "a"))
    document = Document("a", tokens=("It", "fell", ",", "off"), labels={"deps": label})
    assert rows(space, document) == [{"status": 0, "heads": [1, 1, -1], "relations": [0, 1, -1]}]
    label = ((0, 0, 2, 2), ("root", "a", "root", "a"))
    document = Document("a", tokens=(",", "fell", "It", "off"), labels={"deps": label})
    assert rows(space, document)[0] == {"status": 0, "heads": [-1, 1, 1], "relations": [-1, 1, 0]}


def test_labels_of_segments_and_turns_go_with_them() -> None:
    """There are as many as the record has segments; those of marks alone are gone."""
    claim = LabelSpace("claim", "segment", classes=("no", "yes"))
    tokens = ("It", "fell", ".", ".", "!", "So", "?")
    document = Document("a", tokens=tokens, segments=(0, 3, 5), labels={"claim": ("yes", "no", None)})
    assert rows(
        claim, document, Document("b", tokens=("!", "x"), segments=(0, 1), labels={"claim": ("no", "yes")})
    ) == [
        {"status": 0, "labels": [1, -1]},
        {"status": 0, "labels": [1]},
    ]
    act = LabelSpace("act", "turn", classes=("ask", "tell"))
    turns = (Turn("A", "Now?"), Turn("B", "..."), Turn("A", "We left."))
    dialogue = Document("d", turns=turns, labels={"act": ("ask", "ask", "tell")})
    assert rows(act, dialogue) == [{"status": 0, "labels": [0, 1]}]


def test_numbers_of_tokens_go_with_them() -> None:
    """One for each token of the record is given."""
    space = LabelSpace("times", "regression", level="token")
    document = Document("a", tokens=("It", ",", "fell"), labels={"times": (1.0, 2.0, 3.5)})
    assert rows(space, document) == [{"status": 0, "values": [1.0, 3.5]}]


@given(st.lists(st.lists(WORDS, min_size=1, max_size=12), max_size=6))
def test_normalising_twice_is_normalising_once(lists: list[list[str]]) -> None:
    """And only marks are lost."""
    vocabulary = Vocabulary()
    pieces = PieceReader("en", vocabulary).read_tokens([(n, words, None) for n, words in enumerate(lists)])
    once, before = normalise(vocabulary, pieces)
    twice, nothing = normalise(vocabulary, once)
    for name in ("codes", "spaces", "offsets", "starts", "documents", "roles"):
        assert getattr(once, name).tolist() == getattr(twice, name).tolist()
    assert nothing.kept.all()
    words = vocabulary.strings(pieces.codes).to_pylist()
    expected = [word.lower() for word in words if not is_punctuation([word])[0]]
    assert vocabulary.strings(once.codes).to_pylist() == expected
    assert before.read is pieces


@st.composite
def tagged(draw: st.DrawFn) -> Document:
    """Return a document with spans."""
    words = draw(st.lists(WORDS, min_size=1, max_size=30))
    tags: list[str] = []
    for _ in words:
        before = tags[-1] if tags else "O"
        tags.append(draw(st.sampled_from(["O", "B-x"] if before == "O" else ["O", "B-x", "I-x"])))
    return Document("a", tokens=tuple(words), labels={"ner": tuple(tags)})


@given(st.lists(tagged(), max_size=4))
def test_tags_of_kept_tokens_are_what_they_were(documents: list[Document]) -> None:
    """As many spans as have a word, over the words that they had; BIO stays valid."""
    documents = [Document(str(n), tokens=item.tokens, labels=item.labels) for n, item in enumerate(documents)]
    made = iter(rows(NER, *documents))
    for document in documents:
        kept = [not mark for mark in is_punctuation(document.tokens or ())]
        if not any(kept):
            continue
        found = next(made)["tags"]
        tags = document.labels["ner"]
        assert [tag > 0 for tag in found] == [tag != "O" for tag, keep in zip(tags, kept, strict=True) if keep]
        number, spans = 0, []
        for tag, keep in zip(tags, kept, strict=True):
            number += tag == "B-x"
            if keep and tag != "O":
                spans.append(number)
        assert found.count(1) == len(set(spans))
        assert all(before > 0 for before, tag in zip([0, *found], found, strict=False) if tag == 2)


@pytest.mark.parametrize("texts", [["“Oh,” he said—twice!", "?", "  \x00 Well … yes."], ["İSA.", "A\tB ,c"]])
def test_positions_are_those_of_the_tokens_that_are_kept(texts: list[str]) -> None:
    """In the text as it was given."""
    documents = [Document(str(n), text) for n, text in enumerate(texts)]
    documents.append(Document("d", turns=(Turn("A", "..."), Turn("B", "Oh, no!"))))
    batch, _, found = Segmenter(normalise="transcript").locate(documents)
    words = batch.vocabulary.strings(batch.codes).to_pylist()
    owners = np.repeat(found.texts, np.diff(batch.offsets))
    for word, owner, turn, start, end in zip(words, owners, found.turns, found.starts, found.ends, strict=True):
        document = documents[owner]
        text = document.text if document.turns is None else document.turns[turn].text
        assert text[start:end].lower() == word


def test_places_of_predictions_are_in_what_was_given() -> None:
    """Of tokens, in these with a space between two of them."""
    documents = [Document("a", tokens=("Oh", ",", "İSA")), Document("b", tokens=("!",)), Document("c", "Oh, no!")]
    cut, _ = Segmenter(normalise="transcript").cut(documents)
    starts, ends, given_texts = _places(documents, cut, np.array([0, 2, 2, 4]))
    assert given_texts == ["Oh , İSA", "!", "Oh, no!"]
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == [(0, 2), (5, 8), (0, 2), (4, 6)]
