"""The disfluency labeler: what it adds and deletes, where, how often, and what it says about it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import dialogue, passages

from labelers.disfluency import Disfluency
from labelers.edits import weave
from labelers.finding import load
from labelers.labeler import Avoid, Corpus, Request
from labelers.language.casing import Case
from labelers.language.material import Material
from labelers.language.ngrams import Ngrams
from labelers.passages import PassageBatch
from labelers.vocabulary import Vocabulary

SENTENCES = (
    "The ferry left the harbour before anyone had counted the passengers .",
    "My aunt keeps three clocks in her kitchen , and none of them agree .",
    "A letter from Lisbon arrived on the day the bridge was closed .",
    "We walked along the canal until the lamps came on .",
    "Nobody in the village could remember who had planted the walnut tree .",
    "He sold the boat , bought a piano and learned to play it badly .",
    "The committee will publish its report when the last witness has been heard .",
    "Every spring the river carries away part of the garden wall .",
    "She asked Tom whether the museum would open again after the winter .",
    "It rained so hard that the market was moved into the town hall .",
    "When the engine stopped , the pilot looked for a field without sheep .",
    "They painted the door green because blue was too expensive that year .",
)
FOREIGN = (
    "Our baker closes early on Tuesdays to visit his brother in hospital .",
    "Some engineers prefer wooden models although computers draw faster .",
    "The judge lost his spectacles between two heavy volumes of law .",
    "Small birds gather under every roof as soon as snow begins .",
    "Marta counted eleven ships from the tower and wrote down their flags .",
    "An old map shows a road where only marshes lie today .",
)


def corpus(vocabulary: Vocabulary, texts: Sequence[str] = FOREIGN) -> Corpus:
    """Return findings whose pool holds the texts, each a document."""
    return Corpus(pool=passages(texts, vocabulary, [f"pool{i}/0" for i in range(len(texts))]))


def texts(n: int, longest: int = 4) -> list[str]:
    """Return n passages of one to ``longest`` sentences."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(SENTENCES, 1 + i % longest, replace=False)) for i in range(n)]


def apply(batch: PassageBatch, found: Corpus, labeler: Disfluency | None = None, avoid: Any = None) -> SimpleNamespace:
    """Run a labeler over a batch and return everything it made."""
    labeler = labeler or Disfluency()
    request = Request(batch, found, labeler.draws(0), joint=avoid is not None, avoid=avoid)
    proposal = labeler.propose(request)
    view = weave(batch, proposal.edits)
    columns = labeler.label(request, proposal, view)
    return SimpleNamespace(batch=batch, proposal=proposal, view=view, columns=columns, rows=_rows(batch, view, columns))


def _rows(batch: PassageBatch, view: Any, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each row as a dict: source, tokens, origin (from the row's start) and all label columns."""
    texts_ = batch.vocabulary.texts
    values = {name: column.to_pylist() for name, column in columns.items()}
    rows = []
    for i in range(len(batch)):
        own, seen = slice(*batch.offsets[i : i + 2]), slice(*view.offsets[i : i + 2])
        origin = view.origin[seen]
        rows.append(
            {
                "source": [texts_[code] for code in batch.codes[own]],
                "tokens": [texts_[code] for code in view.codes[seen]],
                "origin": np.where(origin >= 0, origin - batch.offsets[i], -1).tolist(),
            }
            | {name: column[i] for name, column in values.items()}
        )
    return rows


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    """3,000 passages with the uniform profile."""
    vocabulary = Vocabulary()
    return apply(passages(texts(3_000), vocabulary), corpus(vocabulary))


@pytest.fixture(scope="module")
def spoken() -> SimpleNamespace:
    """3,000 passages with the conversational profile."""
    vocabulary = Vocabulary()
    return apply(passages(texts(3_000), vocabulary), corpus(vocabulary), Disfluency(profile="conversational"))


def added(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with additions."""
    return [row for row in rows if row["tokens"] != row["source"] and len(row["tokens"]) > len(row["source"])]


def runs(row: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the spans [start, end) of tokens that stand nowhere in the source."""
    new = [-1, *(i for i, origin in enumerate(row["origin"]) if origin >= 0), len(row["origin"])]
    return [(a + 1, b) for a, b in pairwise(new) if b > a + 1]


def share(hits: float, n: int, expected: float) -> bool:
    """Return whether a count lies within 4.5 standard deviations of its binomial expectation."""
    return abs(hits - n * expected) <= 4.5 * (n * expected * (1 - expected)) ** 0.5


def test_it_is_found_by_name() -> None:
    """``load`` gives the labeler with its options."""
    assert load("disfluency", rate=0.3) == Disfluency(rate=0.3)


def test_additions_keep_the_source(made: SimpleNamespace, spoken: SimpleNamespace) -> None:
    """From the tokens with an origin, each source token comes back, its case apart."""
    for row in added(made.rows) + added(spoken.rows):
        kept = [(origin, token) for origin, token in zip(row["origin"], row["tokens"], strict=True) if origin >= 0]
        assert [origin for origin, _ in kept] == list(range(len(row["source"])))
        assert [token.lower() for _, token in kept] == [token.lower() for token in row["source"]]


def test_only_a_capital_that_moved_away_changes(made: SimpleNamespace) -> None:
    """A kept token differs from the source only where an addition before it took its capital."""
    changed = 0
    for row in added(made.rows):
        for i, origin in enumerate(row["origin"]):
            if origin >= 0 and row["tokens"][i] != row["source"][origin]:
                assert row["origin"][i - 1] == -1
                assert row["tokens"][i][0].islower()
                assert row["source"][origin][0].isupper()
                changed += 1
    assert changed > 100


def test_tags_mark_what_was_added(made: SimpleNamespace) -> None:
    """D stands on the inserted tokens of the view and nowhere else; a row without additions is O throughout."""
    for row in made.rows:
        if len(row["tokens"]) >= len(row["source"]):
            assert row["tags"] == [int(origin < 0) for origin in row["origin"]]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """Alone, in a batch, reversed, and behind other types in the vocabulary: the same row."""
    sample, ids = texts(60), [f"doc{i}/0" for i in range(60)]

    def labels(order: list[int], vocabulary: Vocabulary, labeler: Disfluency) -> dict[int, dict[str, Any]]:
        batch = passages([sample[i] for i in order], vocabulary, [ids[i] for i in order])
        return dict(zip(order, apply(batch, corpus(vocabulary), labeler).rows, strict=True))

    for labeler in (Disfluency(), Disfluency(profile="conversational")):
        together = labels(list(range(60)), Vocabulary(), labeler)
        assert labels(list(range(59, -1, -1)), Vocabulary(), labeler) == together
        used = Vocabulary()
        used.encode(["uh", "The", "ships", "zebra"])
        alone = {i: labels([i], used, labeler)[i] for i in range(60)}
        assert alone == together


def test_another_seed_gives_other_rows(made: SimpleNamespace) -> None:
    """The draws hang on the seed."""
    labeler, batch = Disfluency(), made.batch
    other = labeler.propose(Request(batch, corpus(batch.vocabulary), labeler.draws(1)))
    assert not np.array_equal(other.edits.start, made.proposal.edits.start)


def test_the_first_copy_of_a_repeat_is_disfluent(made: SimpleNamespace) -> None:
    """About half of the additions are copies, and what they copy follows them at once."""
    edits, copied = made.proposal.edits, 0
    batch, texts_ = made.batch, made.batch.vocabulary.texts
    for e in range(len(edits)):
        written = slice(*edits.write_offsets[e : e + 2])
        new = edits.origin[written] < 0
        copies = edits.copies[written][new]
        if len(copies) and (copies >= 0).any():
            assert copies.tolist() == list(range(edits.start[e], edits.start[e] + len(copies)))
            said = [texts_[code].lower() for code in edits.codes[written][new]]
            assert said == [texts_[code].lower() for code in batch.codes[copies]]
            copied += 1
    additions = int((np.diff(edits.write_offsets) > 0).sum() - made.proposal.state["deleting"][edits.rows].sum() / 9)
    assert 0.4 < copied / additions < 0.62


def test_ngrams_stay_inside_a_sentence_and_hold_no_mark(made: SimpleNamespace) -> None:
    """Every n-gram has one to six tokens, begins and ends with a word and holds no full stop."""
    edits = made.proposal.edits
    for e in range(len(edits)):
        written = slice(*edits.write_offsets[e : e + 2])
        said = [made.batch.vocabulary.texts[code] for code in edits.codes[written][edits.origin[written] < 0]]
        removed = range(edits.start[e], edits.end[e])
        assert len(said) <= 6
        assert "." not in said
        if said:
            assert said[0][0].isalnum()
            assert said[-1][-1].isalnum()
        assert len({made.batch.token_segments[i] for i in removed}) <= 1


def test_inserted_ngrams_come_from_the_pool(made: SimpleNamespace) -> None:
    """What is no copy stands in one sentence of the pool, its first letter's case apart."""
    pool = " " + " ".join(FOREIGN).lower() + " "
    edits, found = made.proposal.edits, 0
    for e in range(len(edits)):
        written = slice(*edits.write_offsets[e : e + 2])
        new = (edits.origin[written] < 0) & (edits.copies[written] < 0)
        if new.any():
            said = " ".join(made.batch.vocabulary.texts[code] for code in edits.codes[written][new])
            assert f" {said.lower()} " in pool
            found += 1
    assert found > 1_000


@pytest.mark.parametrize("profile", ["uniform", "conversational"])
def test_an_insertion_repeats_nothing(profile: str) -> None:
    """No word of an inserted n-gram's edges stands beside it, and no one to three words follow themselves."""
    vocabulary = Vocabulary()
    sample = texts(1_000)
    result = apply(passages(sample, vocabulary), corpus(vocabulary, SENTENCES), Disfluency(profile=profile))
    edits, tags = result.proposal.edits, result.proposal.state["tags"]
    inserted = [
        e
        for e in range(len(edits))
        if ((edits.copies == -1) & (tags == 1))[slice(*edits.write_offsets[e : e + 2])].any()
    ]
    assert len(inserted) > 200
    for e in inserted:
        written = slice(*edits.write_offsets[e : e + 2])
        said = [vocabulary.texts[code].lower() for code in edits.codes[written][tags[written] == 1]]
        rest = [vocabulary.texts[code].lower() for code in result.batch.codes[edits.start[e] : edits.start[e] + 6]]
        segment = result.batch.token_segments[edits.start[e]]
        before = result.batch.codes[max(edits.start[e] - 1, result.batch.segments[segment]) : edits.start[e]]
        left = [vocabulary.texts[code].lower() for code in before]
        assert said[-1] != rest[0]
        assert said[: len(rest)] != rest[: len(said)]
        assert left[-1:] != said[:1]
        assert left[-1:] != said[-1:]


def test_an_insertion_continues_no_phrase() -> None:
    """Two words that end the left context do not begin the insertion."""
    vocabulary = Vocabulary()
    batch = passages(["She wore a red hat with feathers to every wedding in town ."] * 2_000, vocabulary)
    result = apply(batch, corpus(vocabulary, ["Our red hat hung beside her grey coat all winter ."]))
    edits, starts = result.proposal.edits, set()
    for e in range(len(edits)):
        written = slice(*edits.write_offsets[e : e + 2])
        if (edits.copies[written] < 0).any() and edits.start[e] - batch.offsets[edits.rows[e]] == 5:
            starts.add(tuple(vocabulary.texts[code] for code in edits.codes[written][:2]))
    assert ("hung", "beside") in starts
    assert ("red", "hat") not in starts


def test_a_repeat_ends_with_another_word_than_the_one_before_it() -> None:
    """In "by day and by" nobody could tell a copy of "day and by" from one of "by day and"."""
    vocabulary = Vocabulary()
    batch = passages(["We came by day and by night over the hills ."] * 1_000, vocabulary)
    edits = apply(batch, Corpus(), avoid=Avoid(vocabulary)).proposal.edits
    last = np.maximum.reduceat(edits.copies, edits.write_offsets[:-1])
    at = np.flatnonzero((last > edits.start) & (edits.start > 0))
    assert len(at) > 300
    assert (batch.codes[last[at]] != batch.codes[edits.start[at] - 1]).all()


def test_a_word_that_may_follow_itself_is_not_repeated_alone() -> None:
    """A repeated "very" would read as emphasis."""
    vocabulary = Vocabulary()
    batch = passages(["They had a very long walk and a very cold bath ."] * 500, vocabulary)
    rows = apply(batch, corpus(vocabulary), Disfluency(max_ngram=1)).rows
    doubled = {left for row in rows for left, right in pairwise(row["tokens"]) if left == right}
    assert "walk" in doubled
    assert not doubled & {"very", "long", "had"}


def test_each_corrupted_segment_has_one_to_three_places(made: SimpleNamespace) -> None:
    """Numbers of places are drawn evenly and capped at three."""
    edits = made.proposal.edits
    segments = made.batch.token_segments[edits.start]
    deleting = made.proposal.state["deleting"][edits.rows]
    _, count = np.unique(segments[~deleting], return_counts=True)
    assert set(count) == {1, 2, 3}
    assert all(share((count == k).sum(), len(count), 1 / 3) for k in (1, 2, 3))
    assert set(np.unique(segments[deleting], return_counts=True)[1]) == {1, 2, 3}


def test_places_do_not_overlap(made: SimpleNamespace) -> None:
    """A copy stops before the next place, and a word is kept between two deletions."""
    edits = made.proposal.edits
    copied = np.maximum.reduceat(np.append(edits.copies, -1), edits.write_offsets[:-1])
    copied[np.diff(edits.write_offsets) == 0] = -1
    deleting = made.proposal.state["deleting"][edits.rows]
    together = edits.rows[1:] == edits.rows[:-1]
    assert (np.maximum(copied, edits.end - 1)[:-1] < edits.start[1:])[together].all()
    kept = edits.end - np.diff(edits.write_offsets)  # the new first word is written, not deleted
    assert (kept[:-1] < edits.start[1:])[together & deleting[1:]].all()


def test_half_of_the_segments_of_addition_rows_are_corrupted(made: SimpleNamespace) -> None:
    """Each segment is drawn with probability ``rate``."""
    keep = ~made.proposal.state["deleting"]
    segments = np.unique(made.batch.token_segments[made.proposal.edits.start])
    hits = keep[made.batch.segment_rows[segments]].sum()
    assert share(hits, keep[made.batch.segment_rows].sum(), 0.5)


@pytest.mark.parametrize("segments", [1, 2, 5])
def test_deletions_are_as_frequent_as_additions(segments: int) -> None:
    """The share of deletion rows is the share of addition rows that yield a pair."""
    labeler = Disfluency()
    deletion = labeler._deletion_share(np.array([segments]))[0]
    assert deletion == pytest.approx((1 - 2**-segments) / (2 - 2**-segments))
    assert deletion == pytest.approx((1 - deletion) * (1 - 2**-segments))


def test_pair_classes_are_even(made: SimpleNamespace) -> None:
    """The four classes of the pair task come equally often."""
    pairs = [row["pair"] for row in made.rows if row["pair"] is not None]
    assert len(pairs) > 1_800
    assert all(share(pairs.count(label), len(pairs), 0.25) for label in range(4))


def test_the_pair_says_what_was_done_and_on_which_side(made: SimpleNamespace) -> None:
    """It is add or del by the length of the corrupted segment; side 0 where the view is read first."""
    for row in made.rows:
        if row["pair"] is None:
            assert (row["swap"], row["pair_source"], row["pair_view"]) == (False, None, None)
            assert row["tokens"] == row["source"]
            continue
        source, view = (span["end"] - span["start"] for span in (row["pair_source"], row["pair_view"]))
        assert row["pair"] == 2 * (view < source) + (not row["swap"])
        assert view != source


def test_the_pair_spans_are_one_segment(made: SimpleNamespace) -> None:
    """Both spans cover one whole segment: the same final marks, and the same words but for the corruption."""
    for row in made.rows:
        if row["pair"] is not None:
            source = slice(row["pair_source"]["start"], row["pair_source"]["end"])
            view = slice(row["pair_view"]["start"], row["pair_view"]["end"])
            assert row["source"][source][-1] == row["tokens"][view][-1] == "."
            assert row["source"][source].count(".") == row["tokens"][view].count(".") == 1
            inside = [origin for origin in row["origin"][view] if origin >= 0]
            assert {source.start <= origin < source.stop for origin in inside} == {True}
            if len(row["tokens"]) > len(row["source"]):
                assert inside == list(range(source.start, source.stop))


def test_a_deletion_row_touches_one_segment_and_has_no_tags(made: SimpleNamespace) -> None:
    """Three words stay, the final mark stays, and every tag is -1."""
    rows = [row for row in made.rows if len(row["tokens"]) < len(row["source"])]
    assert len(rows) > 900
    for row in rows:
        assert set(row["tags"]) == {-1}
        assert row["pair"] in {2, 3}
        view = slice(row["pair_view"]["start"], row["pair_view"]["end"])
        outside = set(range(len(row["source"]))) - set(row["origin"])
        assert {row["pair_source"]["start"] <= i < row["pair_source"]["end"] for i in outside} == {True}
        assert sum(token[0].isalnum() for token in row["tokens"][view]) >= 3
        assert row["tokens"][view][0][0].isupper()


def test_no_punctuation_is_left_doubled(made: SimpleNamespace) -> None:
    """A deletion leaves no comma beside another mark and none at the front."""
    for row in made.rows:
        for left, right in pairwise([".", *row["tokens"]]):
            assert right != "," or left[0].isalnum()


def test_the_order_of_a_pair_is_a_fair_coin(made: SimpleNamespace) -> None:
    """Half of the pairs are swapped, whatever was done to them."""
    for kind in (0, 1):
        swaps = [row["swap"] for row in made.rows if row["pair"] is not None and row["pair"] // 2 == kind]
        assert share(sum(swaps), len(swaps), 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "I was um thinking about the garden gate",
        "We saw {laugh} the man with the ladder",
        "We saw { laugh } the man with the ladder",
        "She went to the th- other side of town",
        "She went to the the other side of town",
        "She went to , to the other side of town",
        "It was a it was a very cold evening there",
        "You can not you can not you believe this story",
        "That is a p problem for all of us",
        "That is a pro problem for all of us",
        "They took it , you know , to the harbour",
        "You know , they took it to the harbour",
        "It was very very very cold on the harbour wall",
        "I do n't -- I do n't think so at all",
        "That 's not what I -- that 's not what was said",
        "It was the old -- the new one that she meant",
        "Now I have -- there are two reasons for it",
        "You should do it about — yes , I know that",
        "There is one I mean two or three of them",
        "It is only one of the , I would say",
        "Yeah , you are gon na it is a long way",
        "That it yeah it works well with us",
    ],
)
def test_disfluent_segments_are_recognised(text: str) -> None:
    """Fillers, marks, cut words, repeats of one to three words and phrases set off by commas."""
    assert _disfluent(text, spoken=True) == [True]
    assert _disfluent(text, spoken=False) == [True]


@pytest.mark.parametrize(
    "text",
    [
        "He had never seen the umbrella that she carried",
        "It was a very very long way to the sea",
        "No no , that is not the right harbour at all",
        "He said very , very little on the way home",
        "I gave an answer to the theatre in the inner town",
        "Do you know the man who carries the ladder",
        "He is sure that you know , and so is she",
        "More and more people walk along the new canal",
    ],
)
def test_fluent_segments_are_left_alone(text: str) -> None:
    """Words that merely look like fillers, emphatic pairs and short words before longer ones."""
    assert _disfluent(text, spoken=True) == [False]


def test_a_turn_that_breaks_off_without_a_mark_counts_in_transcripts() -> None:
    """Where speakers hesitate the transcriber has heard all of it; typed dialogues leave out full stops."""
    turns = [("A", "Uh , yes ."), ("B", "I have always loved the forma"), ("A", "You have told us all of it .")]
    assert Material.of(dialogue([turns]), Case.of(None), 6).disfluent.tolist() == [True, True, False]
    assert Material.of(dialogue([turns[1:]]), Case.of(None), 6).disfluent.tolist() == [False, False]


def test_some_pairs_are_fluent_in_writing_alone() -> None:
    """Writers put "had had" and "that that" on paper; speakers who say "that that" start again."""
    text = "She said that that was all he had had that day"
    assert _disfluent(text, spoken=False) == [False]
    assert _disfluent(text, spoken=True) == [True]


@pytest.mark.parametrize("cut", ["r", "th"])
def test_unknown_forms_of_one_or_two_letters_are_cut_words_in_speech(cut: str) -> None:
    """Transcribers leave "r" and "th" of words that were begun; writers use them as names."""
    text = f"We call the radius {cut} in the second part of the proof"
    assert _disfluent(text, spoken=False) == [False]
    assert _disfluent(text, spoken=True) == [True]


@pytest.mark.parametrize(
    "text",
    [
        "I think the we should close the gate now",
        "It has a the old handle on the lid",
        "So my we had a boat in those days",
        "By now we all know what our",
        "It should not be have any harm for them",
        "But they we have to go there today",
        "I would is there any more soup today",
        "They 're the old ones we 'll I know them",
        "So we can we ca n't open it now",
        "I think you have we have to go now",
        "It works across a quite a broad range",
        "But - we went back to the harbour",
        "So it has to be blue , it has to be large",
        "I had almost all You used two of them",
        "They want a blue one or a red or .",
        "No but it does n't did not work at all",
        "Now I think like we should sell them all",
        "Y you can see all of it from here",
        "We went down that hill — nobody was there",
    ],
)
def test_a_new_beginning_without_a_mark_is_recognised_in_speech(text: str) -> None:
    """Neighbours that no sentence holds, a determiner before its end, a pronoun on both sides of its verb."""
    assert _disfluent(text, spoken=True) == [True]
    assert _disfluent(text, spoken=False) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "Are they the people who you told me of",
        "You and I are in the HE sector as well",
        "The more we look the more we see of it",
        "I would like the in - the - round view",
        "What we can do is to wait for them",
        "So do we the people of this village",
        "Could it be that they have left the house",
        "They said it and we all know it well",
        "Oh my , I am so sorry for all that",
        "He said that he went , and she said so too",
        "I do feel like he has a point in that",
        "We met the Queen of Spain and The Hague",
    ],
)
def test_odd_neighbours_of_fluent_speech_are_left_alone(text: str) -> None:
    """Questions, relative clauses, capitals and hyphens bring the same words together."""
    assert _disfluent(text, spoken=True) == [False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Do you use that for your mai ?", True),
        ("The cat sat by the old fir tree", False),
        ("Ri what do you have to press now", True),
        ("Ed what do you have to press now", False),
        ("Wha we need is a much longer rope", True),
        ("I shall telephon telephone the shop tomorrow", True),
        ("Jus just with ten of these new lamps", True),
        ("That was dealt with within a day or two", False),
        ("I met Jo Johnson at the harbour wall", False),
        ("Now I think that the gate is\u2014.", True),
    ],
)
def test_broken_off_words_are_recognised_in_speech(text: str, *, expected: bool) -> None:
    """Short forms that are no words, the beginning of a common or of the next word, a dash before the full stop."""
    assert _disfluent(text, spoken=True) == [expected]


def test_an_insertion_is_no_part_of_the_sentence() -> None:
    """What is put in stands out at a border, wherever it comes from."""
    vocabulary = Vocabulary()
    batch = passages(["The porter carried our trunk to the station before breakfast ."] * 6_000, vocabulary)
    result = apply(batch, corpus(vocabulary, ["Slowly some old miners walked through every dark tunnel of the hill ."]))
    edits, found = result.proposal.edits, set()
    for e in range(len(edits)):
        written = slice(*edits.write_offsets[e : e + 2])
        new = (edits.copies[written] < 0) & (edits.origin[written] < 0)
        if new.any() and edits.start[e] - batch.offsets[edits.rows[e]] > 0:
            said = " ".join(vocabulary.texts[code].lower() for code in edits.codes[written][new])
            found.add((vocabulary.texts[batch.codes[edits.start[e] - 1]], said))
    assert ("our", "of the") in found
    assert ("carried", "some old miners") in found
    assert not {("our", "old miners"), ("carried", "dark tunnel"), ("carried", "through every dark tunnel")} & found
    assert not {said for _, said in found} & {"slowly", "through every dark tunnel of"}


def test_disfluent_sentences_of_the_pool_are_not_inserted() -> None:
    """What is inserted was fluent where it stood."""
    vocabulary = Vocabulary()
    found = corpus(
        vocabulary, [*FOREIGN, "Purple th- lemons um seldom rot in cellars .", "LOUD HEADINGS ARE LEFT OUT ."]
    )
    assert not _foreign(apply(passages(texts(500), vocabulary), found)) & {"lemons", "cellars", "headings", "loud"}


def test_a_repeat_does_not_cross_segments() -> None:
    """The same word at the end of one sentence and the start of the next is no repair."""
    assert _disfluent("We came to the harbour . Harbour walls are thick here", spoken=True) == [False, False]
    batch = dialogue([[("A", "He told us to look at the sea"), ("B", "Seagulls and the sea are all I know")]])
    assert not Material.of(batch, Case.of(None), 6).disfluent.any()


def _disfluent(text: str, *, spoken: bool) -> list[bool]:
    """Return which segments of a text count as disfluent."""
    batch = dialogue([[("A", text)]]) if spoken else passages([text])
    return Material.of(batch, Case.of(None), 6).disfluent.tolist()


def test_a_disfluent_segment_is_neither_corrupted_nor_called_fluent() -> None:
    """Its tokens carry -1, those of its neighbours a tag."""
    vocabulary = Vocabulary()
    sample = [f"{SENTENCES[i % 12]} So the the door was left open all night ." for i in range(200)]
    result = apply(passages(sample, vocabulary), corpus(vocabulary))
    for row in result.rows:
        tail = row["tokens"][-10:]
        assert tail == sample[0].split()[-10:]
        assert set(row["tags"][-10:]) == {-1}
        if row["pair"] not in {2, 3}:
            assert set(row["tags"][:-10]) <= {0, 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Not long enough .", "too_short"),
        ("Well um I was thinking of it . Yes .", "already_disfluent"),
        ("THE LAST CHAPTER OF THE OLD BOOK .", "no_place"),
        ('" a " b " c " d " e " f " g', "no_place"),
    ],
)
def test_it_abstains_with_a_reason(text: str, reason: str) -> None:
    """Nothing to corrupt: no tags, no pair, and the reason in the status."""
    vocabulary = Vocabulary()
    result = apply(passages([text], vocabulary), corpus(vocabulary))
    assert Disfluency.reasons[result.proposal.status[0] - 2] == reason
    assert result.rows[0] | {"tags": [], "pair": None, "pair_source": None, "pair_view": None} == result.rows[0]
    assert result.rows[0]["tokens"] == text.split()


def test_the_status_tells_edited_rows_from_untouched_ones(made: SimpleNamespace) -> None:
    """0 where the view differs from the source, 1 where it does not."""
    expected = [int(row["tokens"] == row["source"]) for row in made.rows]
    assert made.proposal.status.tolist() == expected


def test_the_capital_stays_at_the_front() -> None:
    """A repeat at the start of a sentence keeps the capital, the word after it loses its own; a name keeps both."""
    vocabulary = Vocabulary()
    sample = ["The lighthouse stood on the last rock of the coast ."] * 300
    sample += ["Marta carried the lamp up the stairs of the tower ."] * 300
    sample += ["Zorba carried the lamp up the stairs of the tower ."] * 300
    pool = (*FOREIGN, "The sailor whom Marta met had a wooden leg and a parrot .")
    rows = apply(passages(sample, vocabulary), corpus(vocabulary, pool), Disfluency(max_places=1, max_ngram=1)).rows
    openings = {" ".join(row["tokens"][:2]) for row in rows if row["tags"][:2] == [1, 0]}
    assert "The the" in openings
    assert "Marta Marta" in openings
    assert not any(opening.startswith("Zorba Zorba") for opening in openings)
    assert all(opening[0].isupper() for opening in openings)
    assert not any(row["tags"][0] == 1 for row in rows[600:])


def test_foreign_words_take_the_case_of_the_place() -> None:
    """A sentence's first word of the pool is lower-cased inside a sentence."""
    vocabulary = Vocabulary()
    rows = apply(passages(texts(800), vocabulary), corpus(vocabulary)).rows
    inner = {row["tokens"][start] for row in added(rows) for start, _ in runs(row) if row["origin"][start - 1] >= 0}
    assert "our" in inner
    assert not {"Some", "Small", "An"} & {
        row["tokens"][start]
        for row in added(rows)
        for start, _ in runs(row)
        if start and row["tokens"][start - 1] != "."
    }


def test_a_capital_inside_a_sentence_stays() -> None:
    """Only the word that opens its segment is lowered: no title, no name of several words, nothing behind a colon."""
    vocabulary = Vocabulary()
    sample = [
        "She read the Song of the King to Your Honor before the First Amendment was made .",
        "Great Harbour sends two old boats to the island in every month .",
        "They said : The boats have gone out to sea for the last time .",
        "Mark sends two old boats to the island in every month .",
    ]
    pool = (*FOREIGN, "A great king of the harbour read your first song with honor , made a mark and an amendment .")
    rows = apply(passages(sample * 400, vocabulary), corpus(vocabulary, pool)).rows
    for row in added(rows):
        kept = {at: word for word, at in zip(row["tokens"], row["origin"], strict=True) if at >= 0}
        changed = {row["source"][at] for at, word in kept.items() if word != row["source"][at]}
        assert changed <= {"She", "They"}
    fronts = [row["tokens"] for row in added(rows) if row["origin"][0] < 0]
    assert all("she" in tokens for tokens in fronts if "Honor" in tokens)
    assert {tokens[0] for tokens in fronts} >= {"She", "They"}
    assert not any(tokens[0] in {"Great", "Mark"} for tokens in fronts)


def test_a_deletion_leaves_no_small_letter_at_the_front() -> None:
    """A number that opened the sentence has no case of its own; a sentence in small letters stays as it is."""
    vocabulary = Vocabulary()
    texts_ = ["12 of the boats were sold before the winter came", "some of the boats were sold before the winter came"]
    rows = apply(passages(texts_ * 300, vocabulary), corpus(vocabulary)).rows
    shorter = [row for row in rows if len(row["tokens"]) < len(row["source"]) and row["origin"][0] > 0]
    assert {row["tokens"][0][0].isupper() for row in shorter if row["source"][0] == "12"} == {True}
    assert {row["tokens"][0][0].islower() for row in shorter if row["source"][0] == "some"} == {True}


def test_signs_stay_with_what_they_stand_before() -> None:
    """Nothing comes between a hashtag or a currency and its word."""
    vocabulary = Vocabulary()
    text = "They sold the boat for $ 500 and told us # boats are cheap now ."
    rows = apply(passages([text] * 500, vocabulary), corpus(vocabulary)).rows
    pairs = {pair for row in added(rows) for pair in pairwise(row["tokens"]) if pair[0] in {"$", "#"}}
    assert pairs == {("$", "500"), ("#", "boats")}


def test_words_written_together_are_not_parted() -> None:
    """Clitics stay with their word, and hyphens with both of theirs."""
    vocabulary = Vocabulary()
    text = "They do n't see the well - known man who ca n't swim and is gon na drown in cold water ."
    result = apply(passages([text] * 400, vocabulary), corpus(vocabulary))
    for row in result.rows:
        for left, right in pairwise(row["tokens"]):
            assert right != "n't" or left in {"do", "ca", "Do", "Ca"}
            assert (left == "gon") == (right == "na")
            assert "-" not in {left, right} or (left.lower(), right) in {("well", "-"), ("-", "known")}


def test_spaces_tell_what_is_written_together() -> None:
    """Without a space, "gon na" is one unit whatever its forms."""
    batch = passages(["They are gon na swim across the bay at noon ."])
    batch = replace(batch, spaces=np.array([1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0], bool))
    units = Ngrams.of(batch, np.zeros(len(batch.vocabulary), bool), 6)
    assert units.start.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert units.end.tolist() == [1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_a_deletion_at_the_front_stops_before_a_quotation() -> None:
    """The words before an opening quote are not all deleted, and the quotes stay."""
    vocabulary = Vocabulary()
    text = 'Then he said , " come in , it is late and cold out there . "'
    rows = apply(passages([text] * 500, vocabulary), corpus(vocabulary)).rows
    shorter = [row["tokens"] for row in rows if len(row["tokens"]) < len(row["source"])]
    assert {tokens[0] for tokens in shorter} == {"Then", "He", "Said"}
    assert {tokens.count('"') for tokens in shorter} == {2}


def test_deletions_start_behind_a_word() -> None:
    """Behind a comma or a quote nothing is deleted; at the opening only if another word can open."""
    batch = passages(['Yes , " we saw it , too , " said both . Yes .'])
    text = Material.of(batch, Case.of(None), 6)
    starts = [batch.vocabulary.texts[code] for code in batch.codes[text.ngrams.start[text.removable.units]]]
    assert starts == ["saw", "it", "both"]


def test_marked_units_are_told_apart_by_segment() -> None:
    """A segment without a marked unit has an empty range."""
    text = Material.of(passages(["We saw it , too . -- . Yes ."]), Case.of(None), 6)
    first, last = text.settled.offsets[:-1], text.settled.offsets[1:]
    units = [text.ngrams.start[text.settled.units[a:b]].tolist() for a, b in zip(first, last, strict=True)]
    assert [text.batch.segments.tolist(), units] == [[0, 6, 8], [[0, 1, 2, 4], [], [8]]]
    assert text.settled.some.tolist() == [True, False, True]


def test_the_case_of_a_word_follows_the_pool() -> None:
    """0: its case is its own, 1: a common word, 2: nobody knows."""
    pool = passages(["There we met Hazel and her horse . Horse hair is strong . We met Hazel . A hazel ."])
    case = Case.of(pool)
    vocabulary = Vocabulary()
    codes = vocabulary.encode(["Hazel", "Horse", "Strange", "I", "The", "NASA", "horse", "Mark"])
    assert vocabulary.derived(case)[codes].tolist() == [0, 1, 2, 0, 1, 0, 0, 2]


def test_a_document_is_no_pool_for_itself() -> None:
    """With its own document as the only pool, a row has repeats alone."""
    vocabulary = Vocabulary()
    sample = texts(200)
    batch = passages(sample, vocabulary, [f"same/{i}" for i in range(200)])
    found = Corpus(pool=passages(FOREIGN, vocabulary, [f"same/{i}" for i in range(len(FOREIGN))]))
    edits = apply(batch, found).proposal.edits
    assert (edits.copies >= 0).all()
    other = Corpus(pool=passages(FOREIGN, vocabulary))
    assert (apply(batch, other).proposal.edits.copies < 0).any()


@pytest.mark.parametrize("pool", [None, ""])
def test_without_a_pool_every_addition_is_a_repeat(pool: str | None) -> None:
    """No pool, or an empty one, is no error."""
    vocabulary = Vocabulary()
    found = Corpus() if pool is None else Corpus(pool=passages([], vocabulary))
    edits = apply(passages(texts(100), vocabulary), found).proposal.edits
    assert len(edits) > 50
    assert (edits.copies >= 0).all()


def test_an_empty_batch_gives_empty_columns() -> None:
    """No rows in, no rows out."""
    vocabulary = Vocabulary()
    result = apply(passages([], vocabulary), corpus(vocabulary))
    assert {name: len(column) for name, column in result.columns.items()} == dict.fromkeys(
        ("tags", "pair", "swap", "pair_source", "pair_view"), 0
    )


def test_columns_have_the_declared_types(made: SimpleNamespace) -> None:
    """What it declares is what `label` makes."""
    declared = {field.name: field.type for field in Disfluency().declare().columns}
    assert {name: column.type for name, column in made.columns.items()} == declared
    assert [field.name for field in Disfluency().declare().woven().columns] == ["tags"]


def test_tasks() -> None:
    """Tags read the view, pairs both sequences; a woven dataset has the tags alone."""
    tags, pair = Disfluency().declare().tasks
    assert (tags.name, tags.kind, tags.sequences, tags.classes) == (
        "disfluency.tags",
        "token",
        ("disfluency",),
        ("O", "D"),
    )
    assert (pair.name, pair.sequences, pair.spans, pair.swap) == (
        "disfluency.pair",
        ("source", "disfluency"),
        ("disfluency.pair_source", "disfluency.pair_view"),
        "disfluency.swap",
    )
    (woven,) = Disfluency(profile="conversational").declare().woven().tasks
    assert (woven.sequences, woven.mode, woven.classes) == (("woven",), "joint", ("O", "D", "I"))


def test_a_woven_view_gets_no_deletions_and_no_forbidden_forms() -> None:
    """Forms that other labelers predict are not inserted, and tags are the only column."""
    vocabulary = Vocabulary()
    batch, found = passages(texts(1_000), vocabulary), corpus(vocabulary)
    open_ = apply(batch, found, avoid=Avoid(vocabulary))
    avoid = Avoid(vocabulary, (lambda known: np.isin(known, ["the", "The", "and", "although"]),))
    result = apply(batch, found, avoid=avoid)
    assert _foreign(open_) & {"the", "although"}
    assert not _foreign(result) & {"the", "and", "although"}
    assert list(result.columns) == ["tags"]
    assert all(len(row["tokens"]) >= len(row["source"]) for row in result.rows)


def _foreign(result: SimpleNamespace) -> set[str]:
    """Return the words that additions took from the pool."""
    edits = result.proposal.edits
    return {result.batch.vocabulary.texts[code].lower() for code in edits.codes[edits.copies < 0]}


def test_an_edit_that_was_lost_leaves_no_tag() -> None:
    """Labels follow from the view: with every other edit gone, D stands on the additions that were made."""
    vocabulary = Vocabulary()
    batch, found, labeler = passages(texts(400), vocabulary), corpus(vocabulary), Disfluency(profile="conversational")
    request = Request(batch, found, labeler.draws(0), joint=True, avoid=Avoid(vocabulary))
    proposal = labeler.propose(request)
    kept = np.arange(0, len(proposal.edits), 2)
    view = weave(batch, proposal.edits.take(kept))
    view = replace(view, edit=np.where(view.edit >= 0, kept[view.edit], -1))
    tags = labeler.label(request, proposal, view)["tags"]
    written = view.origin < 0
    flat = np.array(tags.values)
    assert ((flat > 0) == written).all()
    every = labeler.label(request, proposal, weave(batch, proposal.edits))["tags"]
    assert 0 < (flat > 0).sum() < (np.array(every.values) > 0).sum()


def test_the_conversational_profile_follows_switchboard(spoken: SimpleNamespace) -> None:
    """Lengths, kinds, places and interregna as counted there."""
    edits, state = spoken.proposal.edits, spoken.proposal.state
    at = np.flatnonzero(~state["deleting"][edits.rows])
    at = at[edits.start[at] >= 0]
    reparanda, phrases, copies = [], [], []
    for e in at:
        written = slice(*edits.write_offsets[e : e + 2])
        tags = state["tags"][written]
        reparanda.append(int((tags == 1).sum()))
        phrases.append(" ".join(spoken.batch.vocabulary.texts[code] for code in edits.codes[written][tags == 2]))
        copies.append((edits.copies[written][tags == 1] >= 0).all())
    n = len(at)
    assert n > 2_000
    assert share(reparanda.count(1), n, 0.662) or 0.62 < reparanda.count(1) / n < 0.75
    assert share(n - phrases.count(""), n, 0.18)
    assert set(phrases) == {"", "uh", "you know", "I mean", "well"}
    assert phrases.count("uh") > phrases.count("you know") > phrases.count("well") > 0
    assert 0.5 < np.mean(copies) < 0.65  # in so small a pool not every substitute drawn is found


def test_interregna_have_a_tag_of_their_own(spoken: SimpleNamespace) -> None:
    """I stands between the disfluent words and their repair."""
    for row in spoken.rows:
        for left, right in pairwise(row["tags"]):
            assert (left, right) != (0, 2)
            assert (left, right) != (2, 1) or len(row["tokens"]) > len(row["source"])
    assert {tag for row in spoken.rows for tag in row["tags"]} == {-1, 0, 1, 2}


def test_spoken_repairs_prefer_the_opening(spoken: SimpleNamespace, made: SimpleNamespace) -> None:
    """38.2 % of the first drawn places are one of the first two words."""
    assert _opening(spoken) > 0.33
    assert _opening(made) < 0.25


def _opening(result: SimpleNamespace) -> float:
    """Return the share of additions at the first or second word of their segment."""
    edits = result.proposal.edits
    start = edits.start[~result.proposal.state["deleting"][edits.rows]]
    return float(np.mean(start - result.batch.segments[result.batch.token_segments[start]] < 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "chatty"}, "no profile 'chatty'; there are uniform, conversational"),
        ({"rate": 1.5}, "rate is 1.5; it must lie between 0 and 1"),
        ({"interregnum": -1}, "interregnum is -1"),
        ({"min_words": 3}, "min_words is 3; it must be 4 or more"),
        ({"max_places": 0}, "max_places is 0"),
        ({"max_ngram": 0}, "max_ngram is 0"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """An option out of range is an error that says what is allowed."""
    with pytest.raises(ValueError, match=message):
        Disfluency(**options)


@pytest.mark.parametrize("options", [{"max_ngram": 1}, {"max_places": 6}, {"max_ngram": 9}, {"rate": 1.0}])
def test_limits_hold_for_other_options(options: dict[str, Any]) -> None:
    """Places and lengths follow the options."""
    vocabulary = Vocabulary()
    labeler = Disfluency(**options)
    result = apply(passages(texts(300), vocabulary), corpus(vocabulary), labeler)
    edits = result.proposal.edits
    new = np.bincount(edits.writers[edits.origin < 0], minlength=len(edits))
    assert new.max() == labeler.max_ngram
    places = np.unique(result.batch.token_segments[edits.start], return_counts=True)[1]
    assert places.max() == labeler.max_places
    if labeler.rate == 1.0:
        assert all(row["tokens"] != row["source"] for row in result.rows)


ODD = st.lists(
    st.sampled_from(
        ["a", "The", "cat", "-", "'s", ",", ".", '"', "(", ")", "é", "\U0001f600", "12", "no", "uh", "—", "I"]
    ),
    min_size=1,
    max_size=24,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from(["uniform", "conversational"]))
def test_any_tokens_can_be_restored(rows: list[list[str]], profile: str) -> None:
    """Whatever the tokens: kept ones stand in order, only inserted ones are D, and abstained rows are empty."""
    vocabulary = Vocabulary()
    batch = passages([" ".join(row) for row in rows], vocabulary)
    result = apply(batch, corpus(vocabulary), Disfluency(profile=profile, rate=0.9))
    for row, status in zip(result.rows, result.proposal.status, strict=True):
        kept = [origin for origin in row["origin"] if origin >= 0]
        assert kept == sorted(set(kept))
        assert len(row["tags"]) == (len(row["tokens"]) if status < 2 else 0)
        if status < 2 and row["pair"] not in {2, 3}:
            assert len(kept) == len(row["source"])
            assert all((tag > 0) == (origin < 0) for tag, origin in zip(row["tags"], row["origin"], strict=True))
        if status:
            assert row["tokens"] == row["source"]
