# ruff: noqa: RUF001, SIM905  (quotes are what this is about; lists of words read best as text)
"""From documents to passages: spaCy's tokens, rows of at most so many, nothing lost."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelers.text.tokenise as tokenise_module
from labelers.passages import PassageBatch
from labelers.text.clean import clean, is_empty, stretches
from labelers.text.document import Document, Turn
from labelers.text.hyphens import set_apart
from labelers.text.rule import LONGEST, rule_of
from labelers.text.segmenter import Segmenter, read_texts
from labelers.text.tokenise import Tokeniser
from labelers.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]


@cache
def reference() -> Any:
    """Return spaCy's own tokeniser."""
    import spacy

    return spacy.blank("en").tokenizer


def expected(text: str) -> list[str]:
    """Return the tokens of spaCy, which sees hyphens at the border of a word set apart."""
    return [token.text for token in reference()(set_apart(text))]


def tokens(batch: PassageBatch, row: int) -> list[str]:
    """Return the tokens of a row."""
    texts: list[str] = batch.vocabulary.strings(batch.codes).to_pylist()
    return texts[batch.offsets[row] : batch.offsets[row + 1]]


def rows(batch: PassageBatch) -> list[tuple[Any, ...]]:
    """Return all that a row is, as plain values."""
    out = []
    for row in range(len(batch)):
        first, last = batch.offsets[row], batch.offsets[row + 1]
        segments = slice(batch.segment_offsets[row], batch.segment_offsets[row + 1])
        turns = slice(batch.turn_offsets[row], batch.turn_offsets[row + 1])
        out.append(
            (
                batch.ids[row],
                batch.documents[row],
                tokens(batch, row),
                batch.spaces[first:last].tolist(),
                (batch.segments[segments] - first).tolist(),
                (batch.turns[turns] - batch.segment_offsets[row]).tolist(),
                batch.vocabulary.strings(batch.roles[turns]).to_pylist(),
                {name: values[row].as_py() for name, values in batch.fields.items()},
            )
        )
    return out


def rebuild(batch: PassageBatch) -> dict[str, str]:
    """Return the text of each document, from tokens and spaces; rows are joined by a space."""
    texts: dict[str, list[str]] = {}
    for _, document, words, spaces, *_ in rows(batch):
        text = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
        texts.setdefault(document, []).append(text)
    return {document: " ".join(parts) for document, parts in texts.items()}


ODD_CHUNKS = st.sampled_from(
    """don't Don’t cannot gonna U.S. Mr. 'em ’em 'Tis :) :( :-D (: x:) :(( 8) <3 o.O a.m. e.g., 10a.m. 20°C. C++ .NET
    l'été déjà-vu naïve well-known twenty—five word--word and/or a,b c:d "Yes," “No.” ‘tis’ dog's dogs’ X's, I'm. (we'll)
    http://a.bc/d?e=f www.a.de, a@b.cd 3.5% $5 5km 1,000 1st '90s #tag @me ... …. ?! !!! -- — – - _x_ *y* [z] {q} A. AB.
    Ab.C ab.Cd étude שלום! ١٢٣ 日本語。 ☃ 👩‍👩‍👧 ﬁ ß İ ²m ´ ` '' '' ( ) ' " : ; 3 D p \ufeffx a\u200bb \u00adx nothin' \u2063 (\u2063) 'S ’s s' doin doin' d.AM I...’ --a b-- "--c d.--"e [in--] f--(g -----'h""".split()  # noqa: E501
)
PIECES = st.one_of(
    ODD_CHUNKS,
    st.text(st.sampled_from("abXY09.,'’\"“”()-—:;!?…/&_*[]=<>3D"), min_size=1, max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
)


@given(st.lists(st.lists(PIECES, max_size=8).map(" ".join), max_size=5))
@settings(max_examples=400, deadline=None)
def test_tokens_are_those_of_spacy(texts: list[str]) -> None:
    """On any text, dashes of hyphens set apart, whatever stands beside it; with their spaces they rebuild the text."""
    kept = [text for text in map(clean, texts) if text]
    codes, spaces, offsets = (splitter := Tokeniser("en", Vocabulary())).split(kept)
    words = splitter._vocabulary.strings(codes).to_pylist()
    for row, text in enumerate(kept):
        part = slice(offsets[row], offsets[row + 1])
        assert words[part] == expected(text)
        if set_apart(text) == text:
            assert spaces[part].tolist() == [bool(token.whitespace_) for token in reference()(text)]
        assert "".join(w + " " * s for w, s in zip(words[part], spaces[part].tolist(), strict=True)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--I don't -- I don't", "-- I do n't -- I do n't"),
        ('gone.--The "--I said--" [in--]', 'gone . -- The " -- I said -- " [ in -- ]'),
        ("left--well-known--right it--", "left -- well - known -- right it --"),
        ("1905-- ---so (_then_--'no')", "1905 -- --- so ( _ then _ -- ' no ' )"),
        ("http://a.b/--x |--| a -- b -c d-", "http://a.b/--x |--| a -- b -c d-"),
    ],
)
def test_hyphens_that_stand_for_a_dash_are_tokens(text: str, words: str) -> None:
    """Two or more at the border of a word; a single one, those inside a word and those of other signs are spaCy's."""
    batch = read_texts([text])
    assert tokens(batch, 0) == words.split()
    assert rebuild(batch) == {"0": text}


def test_a_special_case_beyond_hyphens_is_seen() -> None:
    """What stands on the other side of a dash may hide a special case, as it does on the other side of a space."""
    for text in ("x:(--( y", "he x:( --(y", "doin--''well''"):
        assert tokens(read_texts([text]), 0) == expected(text)


def test_the_sign_that_separates_questions_may_stand_in_a_text() -> None:
    """Chunks are asked for together, with a sign between them that no special case holds."""
    text = "One \u2063 two( \u2063) \u2063\u2063 isn't"
    assert tokens(read_texts([text]), 0) == [token.text for token in reference()(text)]


def test_a_special_case_is_hidden_by_tokens_beyond_a_space_as_in_spacy() -> None:
    """Where spaCy's tokens of a chunk depend on the chunk beside it: marks that go on, or a word that wants one."""
    for text in (
        "word:( (",
        "fightin' 'em, he said",
        "x:) ) y",
        "He said: (a) :-) )",
        "was doin ''well''",
        "I...’ d.AM",
    ):
        batch = read_texts(["Other words.", text, "More:) words"])
        assert tokens(batch, 1) == expected(text)


@given(st.lists(st.tuples(PIECES, st.integers(1, 900)).map(lambda item: item[0] * item[1]), max_size=4).map(" ".join))
@settings(max_examples=60, deadline=None)
def test_a_long_chunk_is_split_piece_by_piece(drawn: str) -> None:
    """No character is lost, whatever it is made of; a text without such a chunk has spaCy's tokens."""
    text = clean(drawn[:4000])
    codes, spaces, _ = (splitter := Tokeniser("en", Vocabulary())).split([text] if text else [])
    words = splitter._vocabulary.strings(codes).to_pylist()
    assert "".join(w + " " * s for w, s in zip(words, spaces.tolist(), strict=True)) == text
    if max(map(len, text.split(" "))) <= LONGEST:
        assert words == expected(text)
    assert max(map(len, words), default=0) <= LONGEST


@pytest.mark.parametrize("chunk", ["[" * 100_000, "[" * 100_000 + "word", "x:)" + "[" * 100_000, "[{" * 50_000 + ":-)"])
def test_the_time_of_a_chunk_does_not_grow_with_the_square_of_its_marks(
    chunk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SpaCy, for which it does, never sees more than a piece of it, alone or beside what asks for the whole text."""
    rule = rule_of("en")
    tokenizer = rule._tokenizer

    def ask(text: str) -> Any:
        assert max(map(len, text.split(" "))) <= LONGEST
        return tokenizer(text)

    monkeypatch.setattr(rule, "_tokenizer", ask)
    splitter = Tokeniser("en", Vocabulary())
    words = splitter._vocabulary.strings(splitter.split([f"word:( {chunk} (x:) )"])[0]).to_pylist()
    assert "".join(words) == f"word:({chunk}(x:))"


def test_chunks_that_could_not_be_learnt_are_new_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that failed leaves nothing behind that another unit would take for known."""
    splitter = Tokeniser("en", vocabulary := Vocabulary())

    def fail(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(splitter._rule, "split", fail)
        with pytest.raises(MemoryError):
            splitter.split(["alpha beta gamma"])
    for text in ("delta epsilon zeta", "alpha beta gamma"):
        assert vocabulary.strings(splitter.split([text])[0]).to_pylist() == text.split()


def test_most_words_are_split_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain words, alone or between plain marks, come from a model of their kind."""
    asked: list[str] = []
    rule = rule_of("en")
    tokenizer = rule._tokenizer

    def ask(text: str) -> Any:
        asked.append(text)
        return tokenizer(text)

    monkeypatch.setattr(rule, "_tokenizer", ask)
    monkeypatch.setattr(rule, "_affixes", [([], [])])
    monkeypatch.setattr(rule, "_known", {})
    texts = ["“Harbours,” (lanterns) whispered—slowly; rope-makers’ 1905. WALRUS!", "“Gardens,” (windows) 1784."]
    words = [tokens(read_texts(texts), row) for row in range(2)]
    assert sorted(asked) == ["(abide)", "10.", "ABIDE!", "abide;", "abide’", "“abide,”"]
    assert words == [[token.text for token in tokenizer(text)] for text in texts]


@pytest.mark.parametrize(
    "work",
    [
        "from labelers.text.segmenter import read_texts; read_texts(['It (rained).'])",
        "import labelers.paraphrase as p; p.Paraphrase(p.Resource('a', {'': b'1\\tto-day\\tthis day'}))",
    ],
)
def test_splitting_loads_no_torch_and_leaves_it_to_others(work: str) -> None:
    """A worker that builds a dataset needs none of its memory."""
    code = f"import sys; {work}; print('torch' in sys.modules, 'spacy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.split() == ["False", "True"]


def test_forgetting_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of chunks is bounded."""
    documents = [Document(str(i), f"Line {i} isn't so-called x:) (y). Nor {i * 7}!") for i in range(40)]
    expected = rows(Segmenter().segment(documents)[0])
    monkeypatch.setattr(tokenise_module, "_MAX_CHUNKS", 5)
    segmenter = Segmenter()
    assert [row for document in documents for row in rows(segmenter.segment([document])[0])] == expected
    assert len(segmenter._reader._tokeniser._chunks) < 20


def test_chunks_that_come_up_again_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a full memory drops are the chunks of one batch alone, and what it keeps splits as before."""
    rule, learnt = rule_of("en"), list[str]()

    def split(chunks: pa.Array, vocabulary: Vocabulary) -> Any:
        learnt.extend(chunks.to_pylist())
        return type(rule).split(rule, chunks, vocabulary)

    monkeypatch.setattr(rule, "split", split)
    monkeypatch.setattr(tokenise_module, "_MAX_CHUNKS", 9)
    splitter = Tokeniser("en", vocabulary := Vocabulary())
    for i in range(12):
        text = f"“Isn't it” so-called ({i * 37}) x{i}y{i}."
        codes, _, _ = splitter.split([text])
        assert vocabulary.strings(codes).to_pylist() == [token.text for token in reference()(text)]
    assert [learnt.count(chunk) for chunk in ("“Isn't ", "it” ", "so-called ")] == [1, 1, 1]
    assert "(0) " not in splitter._chunks


def test_words_of_a_special_case_are_left_to_spacy_beside_marks() -> None:
    """Alone, joined by dashes, and between marks; so are endings that no model word has."""
    chunks = (
        "8) D: Mr--x x--Mr. X. XY. xY. (p.m--a a--p.m.) Ab—cd. ab--C, 12--ab ab-- --ab ab-'s 12's, o.O) don--t 8-D)"
    )
    for text in (chunks, *chunks.split()):
        batch = read_texts([text])
        assert tokens(batch, 0) == expected(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u00a0b\u3000c\u2028d\x85e\x1cf", "a b c d e f"),
        (" \t\r\n a  b ", "a b"),
        ("a\x00b\x1b[c\x7f\x9f", "ab[c"),
        ("\ufeffa", "a"),
        ("\x07 \u200a\n", ""),
        ("\u200b", "\u200b"),
    ],
)
def test_clean_text_has_single_spaces_and_no_control_characters(text: str, expected: str) -> None:
    """And cleaning it again changes nothing."""
    assert clean(text) == expected
    assert clean(expected) == expected
    assert is_empty(text) == (not expected)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_clean_is_the_same_twice(text: str) -> None:
    """No white space but single inner spaces is left."""
    once = clean(text)
    assert clean(once) == once
    assert once == " ".join(once.split())
    assert is_empty(text) == (not once)


@pytest.mark.parametrize(
    ("text", "blank", "lines"),
    [
        ("My heading\n\nThe cat sat", ["My heading", "The cat sat"], ["My heading", "The cat sat"]),
        ("one\r\n \x07\t\r\ntwo\rthree", ["one", "two three"], ["one", "two", "three"]),
        ("\n\none  two\n", ["one two"], ["one two"]),
        ("\ufeff\n\n\n", [], []),
        ("", [], []),
    ],
)
def test_a_blank_line_parts_a_text(text: str, blank: list[str], lines: list[str]) -> None:
    """Whatever white space stands in it, and however lines end; other line breaks do where asked for."""
    assert stretches(text) == blank
    assert stretches(text, every_line=True) == lines


@given(
    st.lists(st.sampled_from(["a", "b c", " ", "\n", "\r\n", "\r", "\x00", "\ufeff", "\u2028", "\x0c"])), st.booleans()
)
def test_the_parts_of_a_text_are_the_clean_text(drawn: list[str], every_line: bool) -> None:  # noqa: FBT001
    """Joined by spaces, and none is empty."""
    text = "".join(drawn)
    parts = stretches(text, every_line=every_line)
    assert " ".join(parts) == clean(text)
    assert all(parts)


@pytest.mark.parametrize(
    ("newline", "segments"),
    [
        ("space", ["My heading", "The cat sat", "Two lines and a third"]),
        ("break", ["My heading", "The cat sat", "Two lines", "and a third"]),
    ],
)
def test_a_blank_line_ends_a_segment(newline: str, segments: list[str]) -> None:
    """In texts and in turns; a single line break is a space unless the recipe says otherwise."""
    text = "My heading\n\nThe cat sat\n\nTwo lines\nand a third\n"
    turns = (Turn("Ann", text), Turn("Bob", "Why\n\nnot"))
    batch, _ = Segmenter(newline=newline).segment([Document("a", text), Document("b", turns=turns)])
    found = [[" ".join(tokens(batch, n)[a:b]) for a, b in pairwise([*rows(batch)[n][4], None])] for n in range(2)]
    assert found == [segments, [*segments, "Why", "not"]]
    assert rows(batch)[1][5] == [0, len(segments)]
    assert rebuild(batch) == {"a": clean(text), "b": f"{clean(text)} Why not"}


SENTENCE = st.lists(st.sampled_from("the cat, sat - on a mat ; it Was".split()), min_size=1, max_size=9).map(" ".join)
TEXT = st.builds(
    str.join, st.sampled_from([" ", "\n", "\n\n"]), st.lists(SENTENCE.map("{}.".format), min_size=1, max_size=6)
)
TURNS = st.lists(st.builds(Turn, st.sampled_from(["Ann", "Bob"]), TEXT | st.just(" ")), max_size=5)
RECORD = st.one_of(
    TEXT.map(lambda text: {"text": text}),
    TURNS.map(lambda turns: {"turns": tuple(turns)}),
    TEXT.map(lambda text: {"tokens": tuple(text.replace(".", " .").split())}),
    st.just({"text": " "}),
)


@st.composite
def documents_of(draw: st.DrawFn) -> list[Document]:
    """Return some documents of all kinds."""
    found = draw(st.lists(RECORD, max_size=8))
    keep = draw(st.booleans())
    return [
        Document(f"d{i}", fields={"n": i if i % 3 else None} if keep else {}, **record)
        for i, record in enumerate(found)
    ]


def source(document: Document) -> str:
    """Return the text that a document's passages must give back."""
    if document.tokens is not None:
        return " ".join(document.tokens)
    parts = [document.text] if document.turns is None else [turn.text for turn in document.turns]
    return " ".join(filter(None, map(clean, parts)))


@given(documents=documents_of(), limit=st.integers(8, 20), size=st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_passages_hold_all_of_a_document_and_depend_on_it_alone(
    documents: list[Document], limit: int, size: int
) -> None:
    """Rows are within the limit, start with a segment, rebuild the text, and are the same in batches of any size."""
    keep = {"n": "int64"} if any(document.fields for document in documents) else {}
    segmenter = Segmenter(max_tokens=limit, keep=keep)
    batch, rejects = segmenter.segment(documents)
    named = {reject.source: reject.reason for reject in rejects}
    for document in documents:
        if document.tokens is not None and document.fields and len(document.tokens) > limit:
            assert named.pop(document.id) == "too_long"
        elif not source(document):
            assert named.pop(document.id) == "empty"
        else:
            assert rebuild(batch)[document.id].replace(" ", "") == source(document).replace(" ", "")
    assert named == {}
    lengths = np.diff(batch.offsets)
    assert ((lengths > 0) & (lengths <= limit)).all()
    assert (batch.segments[batch.segment_offsets[:-1]] == batch.offsets[:-1]).all()
    other = Segmenter(max_tokens=limit, keep=keep)
    parts = [rows(other.segment(documents[i : i + size])[0]) for i in range(0, len(documents), size)]
    assert [row for part in parts for row in part] == rows(batch)
    assert [row[0] for row in rows(batch)] == [
        f"{name}/{n}" for name in dict.fromkeys(batch.documents) for n in range(list(batch.documents).count(name))
    ]
    assert all(row[-1] == documents[int(row[1][1:])].fields for row in rows(batch))


def lengths(texts: Sequence[str], limit: int) -> list[int]:
    """Return the number of tokens of each passage."""
    return np.diff(read_texts(texts, max_tokens=limit).offsets).tolist()


def test_passages_take_as_many_sentences_as_fit() -> None:
    """Greedily, and never across documents."""
    assert lengths(["One two three. Four five six. Seven. Eight nine ten eleven twelve."], 10) == [10, 6]
    assert lengths(["One two three.", "Four five."], 10) == [4, 3]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One two three. Four five. But six. Seven.", 7, [4, 6, 2]),  # greedily it would be 7 and 5
        ("One two three. Four five. In fact, six. Seven.", 8, [4, 8, 2]),
        ("One two three. Four five. Six seven. Eight.", 7, [7, 5]),
        ("One two three. Four five. But six seven eight.", 7, [7, 5]),  # both would not fit
        ("But one two. But three. But four.", 7, [7, 3]),  # nothing to begin with but another one
        ("One two. Three. But four. And five. Six.", 8, [3, 8, 2]),
        ("One two three four. But five.", 7, [5, 3]),  # the passage would be empty
    ],
)
def test_a_passage_does_not_open_with_a_connective_where_the_sentence_before_can_come_along(
    text: str, limit: int, expected: list[int]
) -> None:
    """The cut moves to the nearest sentence before it that opens with none, if the passage still holds the form's."""
    assert lengths([text], limit) == expected
    assert lengths(["Before it.", text, "But behind it."], limit) == [3, *expected, 4]
    assert max(lengths([text], limit)) <= limit


def test_the_cut_moves_within_a_long_turn_and_in_english_alone() -> None:
    """A turn that opens with a connective links to nothing of its speaker's, and other languages have other forms."""
    text = "One two three. Four five. But six. Seven."
    turns = (Turn("Ann", text), Turn("Bob", "But one. Two."))
    batch, _ = Segmenter(max_tokens=7).segment([Document("x", turns=turns)])
    assert np.diff(batch.offsets).tolist() == [4, 6, 7]
    assert np.diff(Segmenter("de", 7).segment([Document("x", text)])[0].offsets).tolist() == [7, 5]


def test_a_longer_sentence_is_cut_behind_its_last_mark_before_the_limit() -> None:
    """Where there is none, at the limit; what is left shares a row with what follows."""
    assert lengths(["he saw, and (they say, but nobody of us ever asked them why it was."], 8) == [8, 8, 3]
    assert lengths(["he saw, and they say that nobody saw us."], 8) == [3, 8]
    assert lengths(["he saw us and they saw us and went back to bed. We ate."], 8) == [8, 8]
    assert lengths(["he saw us and they saw the well-known man."], 8) == [7, 5]
    assert lengths(["-" * 20 + "#" * 20], 8) == [8, 8, 5]
    batch = read_texts(["he saw us and they saw us and went home. We ate."], max_tokens=8)
    assert (batch.segments - batch.offsets[batch.segment_rows]).tolist() == [0, 0, 3]


def test_a_dialogue_is_cut_between_turns_where_they_fit() -> None:
    """A turn that is longer than a row is cut between its sentences, and each row names who speaks."""
    turns = (
        Turn("Ann", "One two three. Four."),
        Turn("Bob", "Five six seven. Eight nine."),
        Turn("Ann", "  "),
        Turn("Cid", "We saw all of it. They did not see it. We left."),
    )
    batch, rejects = Segmenter(max_tokens=10).segment([Document("x", turns=turns), Document("y", "No turns. At all.")])
    assert rejects == []
    found = [(words, segments, turns, roles) for _, _, words, _, segments, turns, roles, _ in rows(batch)]
    assert found == [
        ("One two three . Four .".split(), [0, 4], [0], ["Ann"]),
        ("Five six seven . Eight nine .".split(), [0, 4], [0], ["Bob"]),
        ("We saw all of it .".split(), [0], [0], ["Cid"]),
        ("They did not see it . We left .".split(), [0, 6], [0], ["Cid"]),
        ("No turns . At all .".split(), [0, 3], [], []),
    ]
    short, _ = Segmenter(max_tokens=20).segment([Document("x", turns=turns)])
    assert rows(short)[0][4:7] == ([0, 4, 6, 10], [0, 2], ["Ann", "Bob"])
    assert rebuild(short)["x"].startswith("One two three. Four. Five six")


def test_given_tokens_and_segments_are_kept() -> None:
    """They are never tokenised again, and segmented unless they bring segments; with kept fields one row or none."""
    given_tokens = ("Mr.", "X", "isn't", "there.", ".", "Go", ".")
    documents = [
        Document("a", tokens=given_tokens, source="f", place=3),
        Document("b", tokens=given_tokens, segments=(0, 2)),
        Document("c", tokens=("x",) * 9, fields={"n": 1}, source="f", place=7),
        Document("d", "Plain text."),
    ]
    batch, rejects = Segmenter(max_tokens=8).segment(documents)
    assert [(row[0], row[2], row[4]) for row in rows(batch)] == [
        ("a/0", list(given_tokens), [0, 5]),
        ("b/0", list(given_tokens), [0, 2]),
        ("d/0", ["Plain", "text", "."], [0]),
    ]
    assert rows(batch)[0][3] == [True] * 6 + [False]
    assert [(item.source, item.place, item.reason, item.sample) for item in rejects] == [
        ("f", 7, "too_long", " ".join("x" * 9))
    ]


def test_given_tokens_are_cut_into_passages_as_texts_are() -> None:
    """Between their segments, and a longer one behind its last mark; of a labelled one the pool takes no part."""
    tokens = ("One", "two", "three", ".", "Four", ",", "five", "six", "seven", ".")
    own = Document("b", tokens=tokens, segments=(0, 2, 9))
    long = Document("c", tokens=(*tokens[:3], ",", *tokens[4:5] * 8))
    batch, rejects = Segmenter(max_tokens=8).segment([Document("a", tokens=tokens), own, long])
    assert rejects == []
    assert [(row[0], len(row[2]), row[4]) for row in rows(batch)] == [
        ("a/0", 4, [0]),
        ("a/1", 6, [0]),
        ("b/0", 2, [0]),
        ("b/1", 8, [0, 7]),
        ("c/0", 4, [0]),
        ("c/1", 8, [0]),
    ]
    assert [row[3] for row in rows(batch)] == [[True] * (len(row[2]) - 1) + [False] for row in rows(batch)]
    pool, rejects = Segmenter(max_tokens=8, keep={"n": "int64"}).segment([Document("a", tokens=tokens)])
    assert (len(pool), [reject.reason for reject in rejects]) == (0, ["too_long"])


def test_nothing_gives_an_empty_batch() -> None:
    """Also when every document is empty."""
    for documents in ([], [Document("a", " \x07")]):
        batch, rejects = Segmenter(keep={"n": "string"}).segment(documents)
        assert (len(batch), len(batch.codes), len(batch.turns), len(rejects)) == (0, 0, 0, len(documents))
        assert batch.fields["n"].type == pa.string()
        assert batch.take(np.zeros(0, np.int64)).ids == []


def test_a_large_vocabulary_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller then starts a new segmenter, which gives the same rows."""
    monkeypatch.setattr("labelers.text.segmenter._MAX_TYPES", 3)
    segmenter = Segmenter()
    assert not segmenter.full
    segmenter.segment([Document("a", "One two three four.")])
    assert segmenter.full


def test_threads_may_read_texts_at_once() -> None:
    """Each has passages and a vocabulary of its own; what they share of a language's rules is kept from them."""
    texts = [[f"\"We{i}'ve q{n}x-y{i}, (don't) :-( {i}th--{n}\" he said." for i in range(n, n + 40)] for n in range(12)]

    def read(part: list[str]) -> list[list[str]]:
        batch = read_texts(part)
        tokens = batch.vocabulary.strings(batch.codes).to_pylist()
        return [tokens[start:stop] for start, stop in pairwise(batch.offsets.tolist())]

    expected = [read(part) for part in texts]
    rule_of.cache_clear()
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(read, texts)) == expected
