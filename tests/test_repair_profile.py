"""Profiles of repairs: what is counted in annotated utterances, how a profile is written, and what a wrong one is."""

import random
from typing import Any

import pytest

from labelers.disfluency import Disfluency
from labelers.labeler import Resource
from labelers.language.repair_gold import Annotated, kind_of, reparanda, with_phrases, written
from labelers.language.repair_learning import LEAST, learn
from labelers.language.repair_profile import KINDS, SHIPPED, RepairProfile, read_profile
from labelers.language.spoken_words import tables_of

SENTENCE = ["they", "walked", "along", "the", "canal", "until", "the", "lamps", "of", "the", "town", "came", "on"]
PLANTED = {"the": 0.2, "they": 0.4}
"""How often a repair stands before a word."""


def annotated(n: int = 4_000, seed: int = 5) -> list[Annotated]:
    """Return utterances with planted repairs: half repeats, a fifth cut off, a fifth substitutes, a tenth restarts.

    Nine in ten have a comma behind, a quarter an "uh" and a comma.
    """
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        tokens: list[str] = []
        tags: list[str] = []
        for word in SENTENCE:
            if rng.random() < PLANTED.get(word, 0.0):
                said = rng.choices((word, f"{word[:2]}-", "we" if word == "they" else "a", "so"), (5, 2, 2, 1))
                said += [","] * (rng.random() < 0.9)
                phrase = ["uh", ","] * (rng.random() < 0.25)
                tokens += [*said, *phrase]
                tags += ["D"] * len(said) + ["I"] * len(phrase)
            tokens.append(word)
            tags.append("O")
        found.append(Annotated(tokens, tags))
    return found


@pytest.fixture(scope="module")
def learnt() -> RepairProfile:
    """A profile of the planted repairs."""
    return learn(annotated(), "planted")


def test_planted_rates_are_learnt(learnt: RepairProfile) -> None:
    """Of words, kinds, marks and phrases; 0.4 and 3 times 0.2 repairs of 13 words."""
    assert (learnt.source, learnt.utterances, learnt.words) == ("planted", 4_000, 4_000 * len(SENTENCE))
    assert sum(learnt.everywhere) == pytest.approx(1000 / len(SENTENCE), rel=0.05)
    assert sum(learnt.starts["they"]) == pytest.approx(400, rel=0.06)
    assert sum(learnt.starts["the"]) == pytest.approx(200, rel=0.06)
    shares = [rate / sum(learnt.everywhere) for rate in learnt.everywhere]
    assert shares == pytest.approx([0.5, 0.2, 0.2, 0.1], abs=0.03)
    assert learnt.comma == pytest.approx(0.9, abs=0.02)
    assert learnt.comma_behind_phrase == 1.0
    assert [learnt.kinds[kind].interregnum for kind in KINDS] == pytest.approx([0.25] * 4, abs=0.06)
    assert learnt.phrases.keys() == {"uh"}
    assert learnt.stems == (0.0, 1.0)
    assert learnt.chain == (1.0,)
    assert learnt.alternates == {"the": {"a": pytest.approx(480, rel=0.2)}, "they": {"we": pytest.approx(320, rel=0.2)}}


def test_repairs_per_utterance_are_learnt(learnt: RepairProfile) -> None:
    """All utterances are of one band; the others have the rate of all."""
    none = 0.6 * 0.8**3
    assert learnt.rate == pytest.approx(1 - none, abs=0.03)
    assert [band.rate for band in learnt.bands] == [learnt.rate] * 3
    assert learnt.bands[1].places[0] == pytest.approx((0.4 * 0.8**3 + 0.6 * 3 * 0.2 * 0.8**2) / (1 - none), abs=0.04)


def test_openings_are_compared_with_what_their_words_tell() -> None:
    """The same word is repaired three times as often where it opens an utterance."""
    fluent = Annotated(["I", "know", "that", "I", "know", "that", "I", "know"], ["O"] * 8)
    first = Annotated(["I", *fluent.tokens], ["D", *fluent.tags])
    later = Annotated([*fluent.tokens[:3], "I", *fluent.tokens[3:]], [*"OOO", "D", *"OOOOO"])
    assert learn([fluent] * 40 + [first] * 60 + [later] * 40).opening[0] == pytest.approx(3, rel=0.1)


def test_a_profile_is_written_and_read(learnt: RepairProfile) -> None:
    """As TOML, and equal; the same annotation gives the same bytes."""
    text = learnt.to_toml()
    assert read_profile(Resource("a.toml", {"": text.encode()})) == learnt
    assert learn(annotated(), "planted").to_toml() == text


@pytest.mark.parametrize("name", SHIPPED)
def test_the_profiles_of_the_package_are_profiles(name: str) -> None:
    """Each says what it was counted in."""
    profile = read_profile(name)
    assert profile.repairs > 1_000
    assert "(" in profile.source
    assert tables_of(profile).starts.table.shape[1] == len(KINDS)


def test_fillers_are_counted_apart_from_interregna() -> None:
    """By the word before them; words of a class that never has one have the lower rate, and none at the end counts."""
    written_ = (
        (50, "and they saw the gate", "OOOOO"),
        (30, "uh , and they saw the gate um", "IIOOOOOI"),
        (60, "and , uh , they they saw the uh gate", "OIIIDOOOIO"),
        (60, "and they um they saw the gate", "ODIOOOO"),
    )
    fillers = learn([Annotated(text.split(), list(tags)) for n, text, tags in written_ for _ in range(n)]).fillers
    assert fillers is not None
    assert fillers.opening == pytest.approx(0.15)
    assert fillers.everywhere == pytest.approx(1000 * 120 / 800, rel=0.01)
    assert (fillers.first, fillers.phrases) == ({"uh": 30.0}, {"uh": 120.0})
    assert (fillers.comma_before, fillers.comma_behind) == (0.5, pytest.approx(90 / 150))
    assert 250 < fillers.behind["and"] < 310
    assert fillers.behind["the"] == pytest.approx(fillers.behind["and"])
    assert fillers.behind[":subject"] < 30
    assert learn(annotated(100)).fillers is None


def test_too_little_annotation_is_refused() -> None:
    """The message says how much there is, and how much it takes."""
    with pytest.raises(ValueError, match=f"^1 reparanda are marked, but a profile requires {LEAST} or more"):
        learn([Annotated(["I", "I", "know"], ["D", "O", "O"])])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("comma = 0", "comma = 1"),
            r"profile a\.toml: comma: input should be less than or equal to 1; write one with",
        ),
        (("comma = ", "coma = "), r"profile a\.toml: comma: field required"),
        (("format = 1", "format = 2"), r"format is 2; this version of auxloom reads format 1"),
        (("[kinds.cut]", "[kinds.uct]"), r"kinds must be repeat, cut, substitute, restart"),
        (("chain = [1.0]", "chain = [0.0]"), r"chain: at least one weight must be above 0"),
        (("[phrases]", "[phrases"), r"profile a\.toml is not a TOML file"),
    ],
)
def test_a_broken_profile_is_an_error_that_says_what_is_wrong(
    learnt: RepairProfile, change: tuple[str, str], message: str
) -> None:
    """Place, reason, and the command that writes one."""
    resource = Resource("a.toml", {"": learnt.to_toml().replace(*change, 1).encode()})
    with pytest.raises(ValueError, match=message):
        Disfluency(profile=resource)


def test_fillers_need_phrases() -> None:
    """A file that a user has emptied is told as any other mistake; without the table there are none."""
    text = read_profile("switchboard").to_toml()
    before, fillers = text.split("[fillers]\n")
    assert read_profile(Resource("a.toml", {"": before.encode()})).fillers is None
    numbers = fillers.split("\n\n")[0]
    broken = f"{before}[fillers]\n{numbers}\n[fillers.first]\n[fillers.phrases]\nuh = 1.0\n[fillers.behind]\n"
    with pytest.raises(ValueError, match=r"profile a\.toml: fillers\.first: .* at least 1 item"):
        Disfluency(profile=Resource("a.toml", {"": broken.encode()}))


def test_a_folder_is_no_profile() -> None:
    """A profile is one file."""
    with pytest.raises(ValueError, match="profile b is a folder; give a file"):
        Disfluency(profile=Resource("b", {"a.toml": b""}))


def test_kinds_get_other_shares(learnt: RepairProfile) -> None:
    """Weights replace the shares of kinds, words stay as different as they are; no weights change nothing."""
    changed = learnt.weighted((1, 0, 1, 2))
    assert [rate / sum(changed.everywhere) for rate in changed.everywhere] == pytest.approx([0.25, 0, 0.25, 0.5])
    assert sum(changed.everywhere) == pytest.approx(sum(learnt.everywhere))
    assert changed.starts["they"][0] / changed.starts["the"][0] == pytest.approx(
        learnt.starts["they"][0] / learnt.starts["the"][0]
    )
    assert learnt.weighted(None) is learnt
    uncut = read_profile("corrections")
    assert uncut.everywhere[1] == 0
    assert {rates[1] for rates in uncut.weighted((0, 1, 0, 0)).starts.values()} == {sum(uncut.everywhere)}


@pytest.mark.parametrize(
    ("words", "follows", "kind"),
    [
        ("I don't", "I don't know", "repeat"),
        ("it", "it's late", "substitute"),
        ("my", "their house", "substitute"),
        ("in Rome", "near Rome", "substitute"),
        ("we walk", "we ran home", "substitute"),
        ("the gar-", "the garden", "cut"),
        ("the gar-", "the orchard", "substitute"),
        ("th-", "we left", "restart"),
        ("they had a", "so we left", "restart"),
        ("boat", "gate", "restart"),
    ],
)
def test_kinds_are_told_by_what_follows(words: str, follows: str, kind: str) -> None:
    """A repeat, a word cut off, a substitute that the repair takes up, or a restart."""
    assert kind_of(words.split(), follows.split()) == kind


def test_reparanda_that_follow_each_other_are_parted() -> None:
    """By a mark or an editing phrase; fillers elsewhere are none, and what stands at the end has nothing behind it."""
    tokens = ["well", "I", ",", "I", "do", "n't", "uh", ",", "I", "know", "it", "and"]
    tags = ["I", "D", "D", "D", "D", "D", "I", "I", "O", "O", "O", "D"]
    found = [(item.words, item.phrase, item.place, item.link) for item in reparanda(written(Annotated(tokens, tags)))]
    assert found == [(("i",), "", 0, 0), (("i", "don't"), "uh", 0, 1), (("and",), "", 3, 0)]


def test_phrases_are_found_where_all_is_marked_alike() -> None:
    """Known ones at the end of what is to be deleted; what is nothing else stays a reparandum."""
    marked: Any = Annotated(["at", "noon", ",", "i", "mean", "at", "one"], [*"DDDDD", "O", "O"])
    assert with_phrases(marked).tags == ["D", "D", "I", "I", "I", "O", "O"]
    alone = Annotated(["well", "it", "rained"], ["D", "O", "O"])
    assert with_phrases(alone).tags == ["D", "O", "O"]
