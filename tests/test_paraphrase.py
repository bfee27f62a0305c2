"""The paraphrase labeler: names are exchanged symmetrically, in their case and number, and labels follow."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import dialogue, passages
from small import built, rows, write

from labelers.draws import Draws
from labelers.edits import leaks, weave
from labelers.finding import load
from labelers.labeler import Avoid, Corpus, Labeler, Request, Resource
from labelers.language.dictionary import general, plural, read_tsv, takes_an
from labelers.language.exchange import Frequencies
from labelers.language.holdout import held_out
from labelers.language.mentions import Names, tokenise
from labelers.language.places import NameKind
from labelers.passages import PassageBatch
from labelers.task import WOVEN

LINES = """\
id\tname\tsynonyms\ttype
C1\tvinegar\tacetic acid\tthing
C2\thuge\tenormous\tadj
C3\ttiny\tinfinitesimal\tadj
C4\tfilm\tmovie\tnoun
C5\tin spite of\tdespite\tprep
C6\tdepend on\tdepend upon\tverb
C7\tfilm noir\t\tshield
C8\tAIDS\tacquired immune deficiency syndrome\tillness
"""
SEEDS = 60
NO_POOL = Corpus()
"""Shared by all tests, since a labeler remembers in it what it has found of its dictionary."""
WORDS = ["a", "an", "A", "huge", "Enormous", "film", "MOVIES", "vinegar", "acetic", "acid", "ß", "漢", "-", ".", "tiny"]


def dictionary(lines: str = LINES) -> Resource:
    """Return a dictionary handed over as content."""
    return Resource("names.tsv", {"": lines.encode()})


def labeler(lines: str = LINES, **options: object) -> Labeler:
    """Return the labeler with a dictionary."""
    return load("paraphrase", dictionary=dictionary(lines), **options)


def run(
    maker: Labeler, batch: PassageBatch, seed: int = 0, corpus: Corpus | None = None, avoid: Avoid | None = None
) -> list[dict]:
    """Return per row: status, tokens of the view, origin, tags, equivalent, swap, weight."""
    request = Request(batch, corpus or NO_POOL, maker.draws(seed), joint=avoid is not None, avoid=avoid)
    proposal = maker.propose(request)
    view = weave(batch, proposal.edits)
    columns = maker.label(request, proposal, view)
    rows = []
    for i in range(len(batch)):
        own = slice(view.offsets[i], view.offsets[i + 1])
        origin = view.origin[own]
        rows.append(
            {
                "status": int(proposal.status[i]),
                "tokens": batch.vocabulary.strings(view.codes[own]).to_pylist(),
                "origin": np.where(origin < 0, -1, origin - batch.offsets[i]).tolist(),
                **{name: values[i].as_py() for name, values in columns.items()},
            }
        )
    return rows


def views(text: str, lines: str = LINES) -> set[str]:
    """Return what a text may become over many seeds, wrong concepts apart."""
    maker, batch = labeler(lines), passages([text])
    rows = [run(maker, batch, seed)[0] for seed in range(SEEDS)]
    return {" ".join(row["tokens"]) for row in rows if row["status"] == 0 and row["equivalent"] != 0}


def test_replaced_tokens_are_tagged_and_the_others_are_not() -> None:
    """R stands exactly where the view shows another token than the source."""
    batch = passages(["We tasted vinegar there .", "A film in spite of it ."])
    seen = set()
    for seed in range(SEEDS):
        for row, source in zip(run(labeler(), batch, seed), (0, 1), strict=True):
            if row["status"] == 0 and row["equivalent"] != 0:
                assert [tag == 1 for tag in row["tags"]] == [place < 0 for place in row["origin"]]
                seen.add(source)
            if row["status"] == 1:
                assert 1 not in row["tags"]
    assert seen == {0, 1}


def test_a_passage_has_at_least_one_concept_to_look_at() -> None:
    """Fewer than one is an error before the build."""
    with pytest.raises(ValueError, match="labeler 'paraphrase': max_concepts is 0; it must be at least 1"):
        load("paraphrase", max_concepts=0)


def test_every_word_comes_back_from_the_origin() -> None:
    """The source is what the origin tells, with the hidden tokens where the origin has a hole."""
    batch = passages(["A huge film and vinegar in spite of a tiny movie .", "Nothing ."] * 10)
    for seed in range(10):
        maker = labeler()
        proposal = maker.propose(Request(batch, Corpus(), maker.draws(seed)))
        view = weave(batch, proposal.edits)
        shown = set(view.origin[view.origin >= 0].tolist())
        assert shown == set(np.flatnonzero(~proposal.hidden).tolist())
        assert not leaks(view, proposal.edits, proposal.hidden).any()
        own = view.edit < 0
        assert (view.codes[own] == batch.codes[view.origin[own]]).all()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("We had vinegar there .", "We had acetic acid there ."),
        ("Vinegar is sour .", "Acetic acid is sour ."),
        ("VINEGAR IS SOUR .", "ACETIC ACID IS SOUR ."),
        ("Some films ended .", "Some movies ended ."),
        ("He died of AIDS .", "He died of acquired immune deficiency syndrome ."),
        ("AIDS is bad .", "Acquired immune deficiency syndrome is bad ."),
    ],
)
def test_case_and_number_are_kept(text: str, written: str) -> None:
    """The other name is written as the present one was, in the same number."""
    assert views(text) == {written}


def test_a_common_word_with_a_capital_inside_a_sentence_is_a_proper_name() -> None:
    """It is left alone, unless nearly all names of the dictionary have capitals."""
    assert run(labeler(), passages(["The Film of it ."]))[0]["status"] == 2
    assert run(labeler(), passages(["Paris , Film of it ."]))[0]["status"] == 2
    assert views('" Film it , " he said .') == {'" Movie it , " he said .'}
    drugs = "C1\tAcetaminophen\tParacetamol|Acetic Acid"
    assert views("Treated with Paracetamol .", drugs) == {
        "Treated with Acetaminophen .",
        "Treated with Acetic acid .",
    }
    assert "Treated With Paracetamol ." in views("Treated With Acetic Acid .", drugs)


def test_a_name_with_capitals_is_found_only_so() -> None:
    """A word that only looks like an abbreviation is left alone."""
    assert run(labeler(), passages(["It aids us ."]))[0]["status"] == 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It is a huge dog .", "It is an enormous dog ."),
        ("An enormous dog .", "A huge dog ."),
        ("A huge dog .", "An enormous dog ."),
        ("AN ENORMOUS DOG .", "A HUGE DOG ."),
    ],
)
def test_the_article_is_repaired_and_keeps_its_origin(text: str, written: str) -> None:
    """An article follows the new word; it was not replaced itself."""
    assert written in views(text)
    place = [word.lower() for word in written.split()].index("an" if "an" in written.lower().split() else "a")
    for seed in range(SEEDS):
        row = run(labeler(), passages([text]), seed)[0]
        if " ".join(row["tokens"]) == written:
            assert row["origin"][place] == place
            assert row["tags"][place] == 0


def test_the_longest_name_is_found_and_a_lone_name_shields_its_words() -> None:
    """A "film noir" has no other name, so the film in it is no film."""
    assert run(labeler(), passages(["A film noir ended ."]))[0]["status"] == 2
    assert views("In spite of it .") == {"Despite it ."}


def test_a_part_of_a_longer_word_is_no_name() -> None:
    """Hyphens, slashes and segment ends bound no name."""
    batch = passages(["a film - maker .", "a film - maker ."])
    tight = replace(batch, spaces=batch.spaces & ~np.isin(np.arange(len(batch.codes)), [1, 2]))
    assert [row["status"] == 2 for row in run(labeler(), tight)] == [True, False]
    assert run(labeler(), dialogue([[("a", "in spite"), ("b", "of it")]]))[0]["status"] == 2


def test_tokens_that_both_names_share_stay() -> None:
    """Of "depend on" only "on" is replaced."""
    for seed in range(SEEDS):
        row = run(labeler(), passages(["They depend on rain ."]), seed)[0]
        if row["status"] == 0:
            assert row["tokens"] == ["They", "depend", "upon", "rain", "."]
            assert row["tags"] == [0, 0, 1, 0, 0]
            assert row["origin"] == [0, 1, -1, 3, 4]
            return
    pytest.fail("no seed replaced it")


@pytest.mark.parametrize(
    "text",
    [
        "Vinegar is acid .",  # a word of the other name stands elsewhere
        "Acetic acid is no common acid .",  # a word of the present name would still be read
        "We saw a film and a movie .",  # both names are there
    ],
)
def test_a_name_is_not_written_where_a_word_of_it_stands(text: str) -> None:
    """An exchange would repeat a word, or leave the answer in sight."""
    assert {run(labeler(), passages([text]), seed)[0]["status"] for seed in range(SEEDS)} == {1}


def test_a_name_is_not_written_beside_its_own_first_or_last_word() -> None:
    """Short words may stand anywhere but there."""
    lines = "C1\tinstantly\tat once\nC2\ttower\ttop of it\n"
    assert views("He looked at instantly .", lines) == set()
    assert views("The tower it was .", lines) == set()
    assert views("He stayed at home instantly .", lines) == {"He stayed at home at once ."}


def test_behind_a_word_that_grades_one_word_gives_way_to_one_word_alone() -> None:
    """They come "more often", not "more from time to time"; and the way back is closed as well."""
    maker = labeler("C1\toften\tfrom time to time\tadv\n")
    texts = ("They came more often .", "So from time to time they came .", "They came often .")
    changed = [any(run(maker, passages([text]), seed)[0]["status"] == 0 for seed in range(SEEDS)) for text in texts]
    assert changed == [False, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "Her poems mirror the life of a baker .",
        "They sat on top of that wall .",
        "Come as soon as possible .",
        "The garbage collector runs at night .",
        "Not a lot of rain fell .",
        "A number of the boats sank .",
        "It runs two channels at once .",
        "The finally clause runs last .",
        "It is the same as in June .",
        "Think twice before you leap .",
        "All phones of this dialect are voiced .",
        "He was aged 31 then .",
        "The rock was determined to be old .",
        "It stood at the tenth avenue .",
        "Finally , the third boat sank .",
        "They were denied it in the first place .",
        "He has a work permit .",
        "They jailed him , but to jail a king is no custom .",
        "Merry Christmas to all of them .",
        "He holds a power of attorney .",
        "We bought into their story .",
        "An almost certain loss .",
        "We saw several .",
        "Lucky numbers are drawn .",
        "Forest Road is long .",
        "A nearby farm burned .",
        "They walked carefully .",
    ],
)
def test_names_in_another_sense_are_left_alone(text: str) -> None:
    """Reading rows found these; a rule of place, a shield or the lack of a name keeps each of them."""
    maker = load("paraphrase")
    assert all(run(maker, passages([text]), seed)[0]["tokens"] == text.split() for seed in range(SEEDS))


PLACES = """\
C1\tmirror\tlooking glass\tnoun
C2\tpermit\tallow\tverb.base
C3\tfirst of all\tto begin with\topening
C4\tfreedom\tliberty\tmass
C5\tNew Moss\tN. M.\tcity
C6\tseveral\ta number of\tquantity
C7\tProfessor\tProf.\ttitle
C8\tcolour\tcolor\tspelling
"""


@pytest.mark.parametrize(
    ("left", "changed"),
    [
        ("They want to mirror it .", "They want a mirror for it ."),
        ("We did n\u2019t mirror it .", "We did it in a mirror ."),
        ("A permit was needed .", "They would permit it ."),
        ("It came to them first of all .", "But first of all it came ."),
        ("Freedom House is old .", "Freedom is old ."),
        ("The New Moss Times is old .", "The town of New Moss is old ."),
        ("We saw several .", "We saw several boats ."),
        ("The Professor said it .", "The old Professor Moss said it ."),
    ],
)
def test_a_name_stands_where_its_kind_of_word_stands(left: str, changed: str) -> None:
    """Nouns, base forms, openings, cities and names that go on are told by the words around them and by capitals."""
    assert views(left, PLACES) == set()
    assert views(changed, PLACES) != set()


def test_a_tag_of_social_media_is_no_name() -> None:
    """Behind "#" or "@", without a space, a word is part of a tag."""
    batch = passages(["# colour of it", "# colour of it"])
    tight = replace(batch, spaces=batch.spaces & (np.arange(len(batch.codes)) != 0))
    assert [row["status"] == 2 for row in run(labeler(PLACES), tight)] == [True, False]


def test_names_are_written_as_the_text_is_cut() -> None:
    """Of "gonna" the tokeniser makes two tokens, so a name is looked for, and written, as two."""
    assert tokenise("gonna be") == ("gon", "na", "be")
    rows = [sided(load("paraphrase"), ["It is gon na be late ."], seed)[2][0] for seed in range(SEEDS)]
    assert "It is going to be late ." in {" ".join(row["tokens"]) for row in rows}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("toward", "prior to"),
        ("today", "nowadays"),
        ("a great many", "a large number of"),
        ("because of", "for fear of"),
        ("extremely", "a great deal"),
        ("nevertheless", "by contrast"),
        ("purchased", "obtained"),
        ("tiny", "scanty"),
    ],
)
def test_near_synonyms_are_never_called_different(one: str, other: str) -> None:
    """A wrong concept is of the same type; what is close in meaning has types of its own."""
    names = Names(general())
    types = dict(zip(names.texts, names.types.tolist(), strict=True))
    assert types[one] != types[other]


def test_all_mentions_of_a_concept_share_one_fate() -> None:
    """Two names for one thing in one passage would tell which was put there."""
    assert views("The film was a good film .") == {"The movie was a good movie ."}
    assert views("The alpha and the beta .", "C1\talpha\tbeta|gamma") == set()


def test_the_wrong_concept_is_of_the_same_type_and_the_row_has_no_tags() -> None:
    """Half of the rows name another concept; there every tag is -1 and the source is no target."""
    batch = passages([f"It was a huge dog number {i} ." for i in range(400)])
    rows = [row for row in run(labeler(), batch) if row["status"] == 0]
    wrong = [row for row in rows if row["equivalent"] == 0]
    assert {word for row in wrong for word in row["tokens"]} & {"tiny", "infinitesimal"}
    assert not {word for row in wrong for word in row["tokens"]} & {"huge", "enormous", "vinegar", "film"}
    assert {tag for row in wrong for tag in row["tags"]} == {-1}
    assert {row["weight"] for row in wrong} == {0.0}
    assert {row["weight"] for row in rows if row["equivalent"] == 1} == {1.0}
    assert 0.4 < len(wrong) / len(rows) < 0.6
    assert 0.4 < np.mean([row["swap"] for row in rows]) < 0.6


def test_a_name_without_a_match_of_its_type_has_no_pair_label() -> None:
    """Where no wrong concept could stand, the words alone would tell that the meaning is the same."""
    rows = [run(labeler(), passages(["In spite of it ."]), seed)[0] for seed in range(SEEDS)]
    assert {row["equivalent"] for row in rows} == {None}
    assert {row["swap"] for row in rows} == {False}
    assert {row["status"] for row in rows} == {0, 1}


def test_rows_without_a_name_abstain() -> None:
    """No mention: no labels."""
    row = run(labeler(), passages(["Nothing here ."]))[0]
    assert (row["status"], row["tags"], row["equivalent"], row["swap"]) == (2, [], None, False)


# ---- the exchange is symmetric


def shares(counts: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return how often each shown name was replaced and left by the coin, for a corpus with these counts of names."""
    lines = "C1\t" + "\t".join([next(iter(counts)), "|".join(list(counts)[1:])])
    maker = labeler(lines)
    texts = [f"see {name} here" for name, count in counts.items() for _ in range(count)]
    batch = passages(texts)
    shown: Counter[tuple[str, int]] = Counter()
    for seed in range(3):
        for row in run(maker, batch, seed, Corpus(pool=batch)):
            shown[row["tokens"][1], row["tags"][1]] += 1
    return {name: (shown[name, 1], shown[name, 0]) for name in counts}


def test_the_form_does_not_tell_whether_it_was_put_there() -> None:
    """Each name is replaced in and left alone equally often, however rare it is."""
    for name, (put, left) in shares({"alpha": 1500, "beta": 400, "gamma": 100}).items():
        share = put / (put + left)
        deviation = 0.5 / np.sqrt(put + left)
        assert abs(share - 0.5) < 4 * deviation, (name, put, left)


def test_draws_by_anything_but_the_frequency_would_tell() -> None:
    """Without the counts of the pool a rare name is nearly always one that was put there."""
    maker = labeler("C1\talpha\tbeta")
    batch = passages(["see alpha here"] * 950 + ["see beta here"] * 50)
    tags = Counter((row["tokens"][1], row["tags"][1]) for row in run(maker, batch))
    assert tags["beta", 1] > 5 * tags["beta", 0]


def test_names_keep_their_share() -> None:
    """What the views show has the frequencies of what the sources show."""
    weights = {"alpha": 700, "beta": 200, "gamma": 100}
    maker = labeler("C1\talpha\tbeta|gamma")
    batch = passages([f"see {name} here" for name, count in weights.items() for _ in range(count)])
    shown = Counter(row["tokens"][1] for row in run(maker, batch, 3, Corpus(pool=batch)))
    for name, count in weights.items():
        assert abs(shown[name] - count) < 5 * np.sqrt(count)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_both_directions_of_a_pair_are_equally_likely(counts: list[int]) -> None:
    """p(a) P(b drawn | a) P(taken | a, b) is the same with a and b exchanged."""
    names = Names(read_tsv(("C1\tname0\t" + "|".join(f"name{i}" for i in range(1, len(counts)))).encode(), "x"))
    frequencies = Frequencies(names, np.array(counts), np.zeros(len(names), bool))
    weights = frequencies.weights / frequencies.weights.sum()
    grid = (np.arange(4096) + 0.5) / 4096
    flow = np.zeros((len(counts), len(counts)))
    for a in range(len(counts)):
        drawn = np.bincount(frequencies.rival(np.full(4096, a), grid), minlength=len(counts)) / 4096
        assert drawn[a] == 0
        flow[a] = weights[a] * drawn * frequencies.chance(np.full(len(counts), a), np.arange(len(counts)))
    assert np.allclose(flow, flow.T, atol=2e-3)


# ---- held-out concepts


def sided(maker: Labeler, texts: list[str], seed: int = 0) -> dict[int, list[dict]]:
    """Return the rows of each split, 0 train, 1 validation, 2 test, for the same texts in each of them."""
    batch = passages(texts * 3)
    batch = replace(batch, splits=np.repeat(np.arange(3, dtype=np.int8), len(texts)))
    rows = run(maker, batch, seed)
    return {split: rows[split * len(texts) : (split + 1) * len(texts)] for split in range(3)}


def changed(row: dict, text: str) -> tuple[str, str]:
    """Return what a row with one exchange took away, and what it wrote."""
    old = [word for place, word in enumerate(text.split()) if place not in row["origin"]]
    new = [word for place, word in zip(row["origin"], row["tokens"], strict=True) if place < 0]
    return " ".join(old).lower(), " ".join(new).lower()


NAMES = Names(general())
HELD = held_out(NAMES)
COMMON = [
    name
    for name, kind, exact, rivals in zip(NAMES.texts, NAMES.kinds, NAMES.exact, NAMES.rivals, strict=True)
    if not kind & (NameKind.VERB | NameKind.OPENING) and not exact and rivals and name.isascii() and name[-1].isalpha()
]
SENTENCES = [f"Then {' '.join(tokenise(name))} old boats sank ." for name in COMMON]


def test_a_part_of_the_dictionary_is_held_out() -> None:
    """Between a twentieth and a quarter of the concepts, each as a whole, singular and plural, in all its forms."""
    several = NAMES.rivals > 0
    assert 0.05 < HELD[several].mean() < 0.25
    sides: dict[str, set[bool]] = {}
    for group, side in zip(NAMES.groups[several].tolist(), HELD[several].tolist(), strict=True):
        sides.setdefault(NAMES.ids[group], set()).add(side)
    assert {len(side) for side in sides.values()} == {1}
    held = dict(zip(NAMES.texts, HELD.tolist(), strict=True))
    for family in (
        ("vanish", "vanished"),
        ("depends on", "relied upon"),
        ("every day", "each time"),
        ("realise", "realised"),
    ):
        assert len({held[name] for name in family}) == 1, family


def test_the_side_of_a_concept_is_its_own() -> None:
    """Other concepts of the dictionary and their order change it as little as the seed does."""
    lines = [f"C{i}\tolda{i}x\tnewb{i}y\tthing" for i in range(60)]
    names = [Names(read_tsv("\n".join(some).encode(), "x")) for some in (lines, lines[::-1], lines[:40])]
    held = [{text for text, side in zip(one.texts, held_out(one), strict=True) if side} for one in names]
    assert held[0] == held[1]
    assert held[2] == held[0] & set(names[2].texts)
    assert 0 < len(held[2]) < 40


def test_a_small_dictionary_holds_nothing_out() -> None:
    """Ten concepts at least must be on the side of train for each set that is held out; else all rows are labelled."""
    assert not held_out(Names(read_tsv(LINES.encode(), "x"))).any()
    rows = [sided(labeler(), ["It was a huge dog ."], seed) for seed in range(SEEDS)]
    assert all({row[split][0]["equivalent"] for row in rows} == {None, 0, 1} for split in range(3))


def test_no_pair_of_names_that_train_shows_is_asked_for_later() -> None:
    """Train exchanges no held-out name; later rows are labelled for these alone, and a table of train says nothing."""
    known = {" ".join(words): bool(side) for words, side in zip(NAMES.words, HELD, strict=True)}
    pairs: tuple[set[tuple[str, str]], ...] = (set(), set(), set())
    for seed in range(3):
        for split, made in sided(load("paraphrase"), SENTENCES, seed).items():
            for row, text in zip(made, SENTENCES, strict=True):
                if row["status"] == 0 and (split == 0 or row["equivalent"] is not None):
                    old, new = (" ".join(words[1 : words.index("old")]) for words in (text.split(), row["tokens"]))
                    assert known[old] == known[new] == (split > 0)
                    pairs[split].add(changed(row, text))
    assert min(map(len, pairs)) > 50
    assert not pairs[0] & (pairs[1] | pairs[2])


def test_later_rows_without_a_held_out_name_have_tags_alone() -> None:
    """Which token was replaced is no matter of pairs; the pair and the source are not asked for."""
    train = next(text for text, name in zip(SENTENCES, COMMON, strict=True) if name == "furthermore")
    assert not HELD[NAMES.texts.index("furthermore")]
    rows = [row for seed in range(SEEDS) for row in sided(load("paraphrase"), [train], seed)[2] if row["status"] == 0]
    assert rows
    assert {(row["equivalent"], row["weight"], 1 in row["tags"]) for row in rows} == {(None, 0.0, True)}


def test_rows_of_train_with_held_out_names_alone_abstain() -> None:
    """The reason is held_out; in a woven view, which labels no pair, all names are exchanged everywhere."""
    name = next(name for name in COMMON if HELD[NAMES.texts.index(name)])
    text = SENTENCES[COMMON.index(name)]
    maker = load("paraphrase")
    rows = [sided(maker, [text], seed) for seed in range(SEEDS)]
    assert {maker.reasons[row[0][0]["status"] - 2] for row in rows} == {"held_out"}
    assert {row[2][0]["status"] for row in rows} == {0, 1}
    batch = passages([text])
    woven = {run(maker, batch, seed, avoid=Avoid(batch.vocabulary))[0]["status"] for seed in range(SEEDS)}
    assert woven == {0, 1}


def test_a_build_tells_which_rows_are_train(tmp_path: Path) -> None:
    """Held-out names are exchanged in validation and test, and not in train."""
    lines = "".join(f"{text} This is page {i}.\n" for i, text in enumerate(SENTENCES))
    source = write(tmp_path, lines.replace(" .", "."))
    built(source, tmp_path / "out", **{"with": ["paraphrase"]}, split={"validation": 0.3, "test": 0.3})
    known = {tuple(words): bool(side) for words, side in zip(NAMES.words, HELD, strict=True)}
    found: dict[str, set[bool]] = {}
    for split in ("train", "validation", "test"):
        for row in rows(tmp_path / "out", split):
            if row["paraphrase"]["equivalent"] is not None:
                words = row["tokens"][1 : row["tokens"].index("old")]
                found.setdefault(split, set()).add(known[tuple(words)])
    assert found == {"train": {False}, "validation": {True}, "test": {True}}


# ---- independence, odd text, woven views


def test_the_end_of_a_row_is_no_neighbour_of_the_next() -> None:
    """A word in another row repeats nothing, and a hyphen there joins nothing."""
    texts, maker = ["some acetic", "vinegar", "acid -", "film"], labeler()
    shown = {" ".join(run(maker, passages(texts), seed)[1]["tokens"]) for seed in range(SEEDS)}
    assert "acetic acid" in shown
    assert run(maker, passages(texts))[3]["status"] < 2


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """Alone, in a batch, reversed, over another vocabulary: the same row."""
    texts = ["A huge film .", "Vinegar and films .", "None .", "", "They depend on a tiny movie .", "vinegar -"]
    texts = [*texts, "acid vinegar", "vinegar", "upon it", "movie in", "acid", "film despite"] * 4
    ids = [f"d{i}/0" for i in range(len(texts))]
    maker = labeler()
    whole = run(maker, passages(texts, ids=ids))
    assert whole[::-1] == run(maker, passages(texts[::-1], ids=ids[::-1]))
    alone = [run(maker, passages([text], ids=[name]))[0] for text, name in zip(texts, ids, strict=True)]
    assert whole == alone


@given(
    st.lists(
        st.lists(st.sampled_from(WORDS)),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_order_of_words_gives_sound_rows(rows: list[list[str]]) -> None:
    """Tags fit the view, edits do not overlap, untouched tokens stay."""
    batch = passages([" ".join(words) for words in rows])
    for row, words in zip(run(labeler(), batch), rows, strict=True):
        assert len(row["tags"]) == (0 if row["status"] == 2 else len(row["tokens"]))
        kept = [place for place in row["origin"] if place >= 0]
        assert kept == sorted(set(kept))
        same = [(t, words[o]) for t, o in zip(row["tokens"], row["origin"], strict=True) if o >= 0]
        assert all(t == w or {t.lower(), w.lower()} == {"a", "an"} for t, w in same)


def test_woven_views_have_tags_alone_and_no_wrong_concepts() -> None:
    """A wrong concept would spoil the text for the other labelers."""
    batch = passages(["A huge film and vinegar ."] * 200)
    maker = labeler()
    rows = run(maker, batch, avoid=Avoid(batch.vocabulary))
    assert {key for row in rows for key in row} == {"status", "tokens", "origin", "tags"}
    assert not {"tiny", "infinitesimal"} & {word for row in rows for word in row["tokens"]}
    assert [task.sequences for task in maker.declare().woven().tasks] == [(WOVEN,)]
    assert [field.name for field in maker.declare().woven().columns] == ["tags"]


def test_an_edit_that_was_lost_leaves_no_tag() -> None:
    """The coin had fallen for R, the token stands: neither O nor R is its label."""
    batch, maker = passages(["Some vinegar ."] * 50), labeler()
    request = Request(batch, Corpus(), maker.draws(0), joint=True, avoid=Avoid(batch.vocabulary))
    proposal = maker.propose(request)
    view = weave(batch, proposal.edits.take(np.zeros(len(proposal.edits), bool)))
    tags = maker.label(request, proposal, view)["tags"].to_pylist()
    assert {tuple(tags[row]) for row in proposal.edits.rows.tolist()} == {(0, -1, 0)}


def test_words_that_are_labels_of_others_are_not_exchanged() -> None:
    """In a woven view a label form is neither written nor taken away."""
    batch, maker = passages(["Some vinegar ."] * 50), labeler()
    avoid = Avoid(batch.vocabulary, (lambda known: np.array(known, dtype=np.str_) == "vinegar",))
    assert {row["status"] for row in run(maker, batch, avoid=avoid)} == {1}


def test_no_more_concepts_than_allowed_are_exchanged() -> None:
    """The rest is left without tags."""
    batch = passages(["vinegar huge tiny film despite AIDS"] * 30)
    rows = run(labeler(max_concepts=1), batch)
    assert max(sum(tag >= 0 for tag in row["tags"]) for row in rows if row["equivalent"] != 0) <= 6
    groups = [sum(place < 0 for place in row["origin"]) for row in rows]
    assert max(groups) <= 4
    assert max(sum(p < 0 for p in row["origin"]) for row in run(labeler(), batch)) > 4


def test_what_it_makes_is_what_it_declares() -> None:
    """Columns have the declared names and types; tasks name them."""
    maker, batch = labeler(), passages(["A huge film .", "Nothing ."])
    request = Request(batch, Corpus(), Draws(0, "paraphrase", 1))
    proposal = maker.propose(request)
    made = maker.label(request, proposal, weave(batch, proposal.edits))
    assert {field.name: field.type for field in maker.declare().columns} == {k: v.type for k, v in made.items()}
    targets = {task.name: (task.kind, task.target, task.sequences) for task in maker.declare().tasks}
    assert targets == {
        "paraphrase.tags": ("token", "paraphrase.tags", ("paraphrase",)),
        "paraphrase.equivalent": ("pair", "paraphrase.equivalent", ("source", "paraphrase")),
        "paraphrase.source": ("generation", "tokens", ("paraphrase",)),
    }


# ---- dictionaries


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no line with a concept"),
        (b"id\tname\n", "no line with a concept after the line of column names"),
        (b"C1\tone\ttwo\nC2", r"names.tsv, line 2: 1 columns; give id, name"),
        (b"id\tname\nC1\talpha\tbeta", "line 2: 3 columns, but the first line names 2"),
        (b"C1\talpha\nC1\tbeta", "line 2: the id 'C1' already occurs in an earlier line"),
        (b"C1\talpha\n\tbeta", "line 2: no id"),
        (b"# note\n\nC1\t\tbeta", "line 3: no name"),
        (b"C1\talpha\nC2\t\xff\xfe", "line 2: not UTF-8"),
    ],
)
def test_a_broken_dictionary_names_the_line(data: bytes, message: str) -> None:
    """The message says where and what."""
    with pytest.raises(ValueError, match=message):
        read_tsv(data, "names.tsv")


def test_a_dictionary_may_have_other_columns_and_header_capitals() -> None:
    """Columns are found by name; capitals that nearly all names have are the file's habit."""
    data = b"\xef\xbb\xbfid\tname\tcas\tsynonyms\r\nD1\tAspirin\t50-78-2\tAcetylsalicylic acid|ASA|as|Aspirin\r\n"
    (concept,) = read_tsv(data, "drugs.tsv")
    assert concept.names == ("aspirin", "acetylsalicylic acid", "ASA")


def test_a_folder_is_no_dictionary() -> None:
    """The message says what to give, before any text is read."""
    with pytest.raises(ValueError, match="words is a folder; give a file"):
        load("paraphrase", dictionary=Resource("words", {"a.tsv": b"C1\tx"}))


def test_a_name_that_two_concepts_share_is_never_exchanged() -> None:
    """Which of them is meant cannot be told."""
    lines = "C1\tcold\tchill\nC2\tcold\tcatarrh\nC3\tfreezing cold\ticy\n"
    assert run(labeler(lines), passages(["The cold came ."]))[0]["status"] == 2
    assert run(labeler(lines), passages(["The chill came ."]))[0]["status"] == 2


# ---- the general English of the package


def test_general_english_is_large_and_sound() -> None:
    """At least 250 concepts; no name is in two of them; every tokenised name is found by itself, a verb behind "to"."""
    concepts = general()
    assert sum(len(concept.names) > 1 for concept in concepts) >= 250
    assert [name for name, n in Counter(name for c in concepts for name in c.names).items() if n > 1] == []
    names = Names(concepts)
    verbs = names.kinds & NameKind.VERB > 0
    batch = passages(
        [" ".join(["to"] * verb + [*words]) for words, verb in zip(names.words, verbs.tolist(), strict=True)]
    )
    found = names.find(batch)
    assert found.name.tolist() == list(range(len(names)))


def test_general_english_needs_no_file() -> None:
    """The default works on any text."""
    batch = passages([f"Perhaps he saw an enormous film in spite of everybody {i} ." for i in range(50)])
    rows = run(load("paraphrase"), batch)
    assert {row["status"] for row in rows} == {0, 1}
    assert {row["equivalent"] for row in rows} == {0, 1, None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("film", "films"), ("colour", "colours"), ("box", "boxes"), ("city", "cities"), ("valley", "valleys"),
     ("lady of the house", "lady of the houses"), ("human", "humans"), ("mailman", "mailmen"), ("church", "churches")],
)  # fmt: skip
def test_plurals(name: str, expected: str) -> None:
    """The last word takes the regular ending."""
    assert plural(name) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("apple", True), ("unit", False), ("uninteresting", True), ("hour", True), ("house", False), ("European", False),
     ("one", False), ("onerous", False), ("use", False), ("usher", True), ("ubiquitous", False), ("umbrella", True),
     ("unanimous", False), ("Ewe", False), ("honour", True), ("user", False), ("once", False)],
)  # fmt: skip
def test_articles(word: str, expected: bool) -> None:  # noqa: FBT001
    """By sound, as far as spelling tells it."""
    assert takes_an(word) is expected


def test_names_are_cut_as_passages_are() -> None:
    """By the tokeniser of spaCy: a hyphen inside a word stands alone."""
    assert tokenise("motor-car") == ("motor", "-", "car")
    assert tokenise("dead body") == ("dead", "body")
