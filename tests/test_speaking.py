"""Repairs drawn from a profile: what is said, where, how it is tagged, and that the source stays as it was."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import passages
from test_disfluency import FOREIGN, ODD, SENTENCES, apply, corpus, runs, texts

from labelers.disfluency import Disfluency
from labelers.labeler import Avoid, Corpus, Resource
from labelers.language.repair_gold import Annotated, fillers, kind_of, reparanda, written
from labelers.language.repair_learning import learn
from labelers.language.repair_profile import KINDS, SHIPPED, RepairProfile, read_profile, shipped_profile
from labelers.vocabulary import Vocabulary
from pipelines.plans.plan import Plan, identity
from pipelines.recipes.loading import load_labelers, resource_digest
from pipelines.recipes.recipe import make_recipe
from pipelines.recipes.recipe_file import load_recipe

TALK = (
    "I think that they are building a new bridge over the river .",
    "It 's the best road if you want to get to the sea in summer .",
    "They 're going to move to the coast because the rent is lower there .",
    "We do n't know whether it is open on the first day of the year .",
    "You have to ask the man who sells the tickets at the gate .",
)


def spoken(n: int = 1_500, pool: tuple[str, ...] = (*SENTENCES, *FOREIGN, *TALK), **options: Any) -> SimpleNamespace:
    """Return what a profile of repairs makes of passages without losing words."""
    vocabulary = Vocabulary()
    sample = [TALK[i % len(TALK)] if i % 2 else text for i, text in enumerate(texts(n, 1))]
    labeler = Disfluency(**({"profile": "switchboard", "rate": 1.0, "deletions": False} | options))
    found = corpus(vocabulary, pool) if pool else Corpus()
    return SimpleNamespace(labeler=labeler, **vars(apply(passages(sample, vocabulary), found, labeler)))


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    """1,500 sentences with the profile of Switchboard and tags of repairs, without fillers."""
    return spoken(repair=True, fillers=0.0)


@pytest.fixture(scope="module")
def filled() -> SimpleNamespace:
    """1,500 sentences with fillers, and repairs in some of them."""
    return spoken(rate=0.3)


def gold(result: SimpleNamespace) -> list[Annotated]:
    """Return rows as annotated utterances."""
    names = {1: "D", 2: "I"}
    return [Annotated(row["tokens"], [names.get(tag, "O") for tag in row["tags"]]) for row in result.rows]


def test_without_reparandum_and_interregnum_the_source_is_back(made: SimpleNamespace) -> None:
    """Its case apart; D and I stand on what was added and nowhere else."""
    assert sum(row["tokens"] != row["source"] for row in made.rows) > 1_400
    for row in made.rows:
        kept = [token for token, tag in zip(row["tokens"], row["tags"], strict=True) if tag not in {1, 2}]
        assert [token.lower() for token in kept] == [token.lower() for token in row["source"]]
        assert [tag in {1, 2} for tag in row["tags"]] == [origin < 0 for origin in row["origin"]]


def test_an_addition_is_reparanda_and_phrases(made: SimpleNamespace) -> None:
    """It begins with a reparandum, and a phrase stands only behind one."""
    for row in made.rows:
        for start, end in runs(row):
            assert row["tags"][start] == 1
            assert row["tokens"][start][0].isalnum()
            assert set(row["tags"][start:end]) <= {1, 2}


def test_every_kind_is_said(made: SimpleNamespace) -> None:
    """About as often as the profile has it, given what these few sentences allow."""
    counts = dict.fromkeys(KINDS, 0)
    for utterance in gold(made):
        items = written(utterance)
        fluent = [item.text.lower() for item in items if item.tag == "O" and not item.mark]
        for one in reparanda(items):
            counts[kind_of(one.words, fluent[one.place :])] += 1
    total = sum(counts.values())
    assert {kind: count / total for kind, count in counts.items()} == pytest.approx(
        {"repeat": 0.6, "cut": 0.05, "substitute": 0.12, "restart": 0.22}, abs=0.06
    )


def test_a_repair_is_what_takes_up_the_reparandum(made: SimpleNamespace) -> None:
    """R stands on as many words behind a repeat as it has, on none behind a restart."""
    repeats = 0
    for row in made.rows:
        for start, end in runs(row):
            said = [word.lower() for word in row["tokens"][start:end] if word != ","]
            behind = [i for i in range(end, len(row["tags"])) if row["origin"][i] >= 0][: len(said)]
            if said == [row["tokens"][i].lower() for i in behind] and behind == list(range(end, end + len(said))):
                assert [row["tags"][i] for i in behind] == [3] * len(behind)
                repeats += 1
    assert repeats > 500
    assert {tag for row in spoken(200, kinds=(0, 0, 0, 1), repair=True).rows for tag in row["tags"]} >= {0, 1, 3}
    assert made.labeler.classes == ("O", "D", "I", "R")


def test_only_the_word_in_front_has_the_capital_of_an_opening(made: SimpleNamespace) -> None:
    """Copies and the word itself are written small behind it, but for "I"."""
    fronts = [row for row in made.rows if row["origin"][0] < 0]
    assert len(fronts) > 200
    for row in fronts:
        assert row["tokens"][0][0].isupper()
        opening = row["source"][0]
        if opening != "I":
            assert opening not in row["tokens"][1:]


def test_commas_are_written_where_the_text_has_some(made: SimpleNamespace) -> None:
    """As often as the profile says; a transcript without marks gets none, and small letters."""
    parts = [row["tokens"][start:end] for row in made.rows for start, end in runs(row)]
    assert sum("," in part for part in parts) / len(parts) > 0.9
    assert all(part.count(",") <= 6 for part in parts)
    vocabulary = Vocabulary()
    lower = [text.lower().replace(" ,", "").replace(" .", "") for text in TALK]
    result = apply(passages(lower * 100, vocabulary), corpus(vocabulary, tuple(lower)), made.labeler)
    assert not {token for row in result.rows for token in row["tokens"]} & {",", "I", "I'm"}
    assert {"uh", "i"} <= {token for row in result.rows for token in row["tokens"]}
    assert {"I"} == {token for row in spoken(100, comma=0.0).rows for token in row["tokens"] if token in {"I", "i"}}
    assert "," not in {row["tokens"][end - 1] for row in spoken(300, comma=0.0).rows for _, end in runs(row)}


def test_clitics_are_written_as_the_pool_writes_them() -> None:
    """One token or two."""
    vocabulary = Vocabulary()
    whole = tuple(text.replace(" 's", "'s").replace(" 're", "'re").replace(" n't", "n't") for text in TALK)
    labeler = Disfluency(profile="switchboard", rate=1.0, deletions=False)
    rows = apply(passages(list(whole) * 200, vocabulary), corpus(vocabulary, whole), labeler).rows
    assert not {token for row in rows for token in row["tokens"] if token.startswith("'")}
    parted = {pair for row in spoken(1_000, TALK, kinds=(0, 0, 1, 0)).rows for pair in pairwise(row["tokens"])}
    assert ("I", "'m") in parted
    assert not {word for pair in parted for word in pair if "'" in word[1:] and word != "n't"}


def test_words_are_cut_short_of_their_end() -> None:
    """A cut word begins the one behind it, unless another one came."""
    rows = spoken(400, kinds=(0, 1, 0, 0), interregnum=0.0, fillers=0.0).rows
    cut = [(row["tokens"][i], row["tokens"][i + 1 : i + 8]) for row in rows for i in range(len(row["tokens"]))]
    cut = [(token, behind) for token, behind in cut if token.endswith("-") and len(token) > 1]
    assert len(cut) > 200
    assert all(any(word.lower().startswith(token[:-1].lower()) for word in behind) for token, behind in cut)


def test_cues_stand_behind_what_is_wrong() -> None:
    """Not behind repeats and words cut off."""
    cues = {"no", "sorry", "wait", "actually", "rather"}
    rows = spoken(400, cue=1.0, kinds=(0, 0, 1, 1)).rows
    assert (
        len([row for row in rows if cues & {t for t, g in zip(row["tokens"], row["tags"], strict=True) if g == 2}])
        > 150
    )
    rows = spoken(400, cue=1.0, kinds=(1, 1, 0, 0)).rows
    assert not {t for row in rows for t, g in zip(row["tokens"], row["tags"], strict=True) if g == 2} & cues


def test_limits_of_options_hold() -> None:
    """Words of a reparandum, places of a segment, phrases."""
    rows = spoken(300, max_ngram=1, max_places=1, interregnum=0.0, fillers=0.0).rows
    assert {2 for row in rows for tag in row["tags"] if tag == 2} == set()
    assert max(len(runs(row)) for row in rows) == 1
    found = [one for utterance in gold(spoken(300, max_ngram=1, comma=1.0)) for one in reparanda(written(utterance))]
    assert {len(one.words) for one in found} == {1}


def test_what_was_learnt_is_learnt_again(made: SimpleNamespace) -> None:
    """A profile counted in what a profile made says much the same."""
    first = learn(gold(made))
    labeler = Disfluency(profile=Resource("a", {"": first.to_toml().encode()}), rate=1.0, deletions=False)
    vocabulary = Vocabulary()
    sources = [" ".join(row["source"]) for row in made.rows]
    found = corpus(vocabulary, (*SENTENCES, *FOREIGN, *TALK))
    second = learn(gold(apply(passages(sources, vocabulary), found, labeler)))
    assert second.comma == pytest.approx(first.comma, abs=0.03)
    assert second.chain[0] == pytest.approx(first.chain[0], abs=0.03)
    assert _shares(second) == pytest.approx(_shares(first), abs=0.06)
    assert second.kinds["repeat"].lengths[0] == pytest.approx(first.kinds["repeat"].lengths[0], abs=0.06)
    often = sorted(first.starts, key=lambda word: -sum(first.starts[word]))[:6]
    for word in often:
        assert sum(second.starts.get(word, (0.0,))) == pytest.approx(sum(first.starts[word]), rel=0.45)


def _shares(profile: RepairProfile) -> list[float]:
    """Return the shares of the kinds."""
    return [rate / sum(profile.everywhere) for rate in profile.everywhere]


def test_about_the_rate_of_the_segments_is_chosen() -> None:
    """Longer ones more often than short ones."""
    vocabulary = Vocabulary()
    short = "They are building a bridge ."
    sample = [short] * 1_000 + [
        f"{short[:-2]} over the river where my aunt has lived since the old mill was closed ."
    ] * 1_000
    labeler = Disfluency(profile="switchboard", rate=0.4, min_words=4, deletions=False, fillers=0.0)
    result = apply(passages(sample, vocabulary), corpus(vocabulary), labeler)
    changed = np.array([row["tokens"] != row["source"] for row in result.rows])
    assert 0.2 < changed[:1_000].mean() < 0.4 < changed[1_000:].mean() < 0.9
    assert not any(row["tokens"] != row["source"] for row in spoken(100, rate=0.0).rows)


def test_without_a_pool_every_reparandum_is_a_repeat() -> None:
    """There is nothing else to say."""
    for utterance in gold(spoken(300, pool=(), comma=1.0)):
        items = written(utterance)
        fluent = [item.text.lower() for item in items if item.tag == "O" and not item.mark]
        assert {kind_of(one.words, fluent[one.place :]) for one in reparanda(items)} <= {"repeat"}


def test_forms_that_others_predict_are_not_said() -> None:
    """Neither as a word of the pool, nor listed, nor cut off, nor in a phrase."""
    vocabulary = Vocabulary()
    forbidden = {"the", "The", "it", "It", "uh", "in"}
    avoid = Avoid(vocabulary, (lambda known: np.isin(known, list(forbidden)),))
    labeler = Disfluency(profile="switchboard", rate=1.0)
    result = apply(passages(list(TALK) * 200, vocabulary), corpus(vocabulary, TALK), labeler, avoid)
    edits = result.proposal.edits
    new = {vocabulary.texts[code] for code in edits.codes[(edits.copies < 0) & (edits.origin < 0)]}
    assert "know" in new
    assert not new & forbidden


def test_deletions_can_be_left_out() -> None:
    """Then every row has tags; with them some rows have none, for pairs."""
    assert not any(-1 in row["tags"] for row in spoken(200).rows)
    assert any(-1 in row["tags"] for row in spoken(200, deletions=True).rows)
    assert {row["pair"] for row in spoken(200, deletions=False, profile="uniform").rows} == {0, 1, None}


@settings(deadline=None, max_examples=60)
@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from(SHIPPED))
def test_any_tokens_can_be_restored(rows: list[list[str]], profile: str) -> None:
    """Whatever the tokens, kept ones stand in order and what was added is tagged."""
    vocabulary = Vocabulary()
    batch = passages([" ".join(row) for row in rows], vocabulary)
    labeler = Disfluency(profile=profile, rate=0.9, deletions=False, repair=True, cue=0.5)
    for row in apply(batch, corpus(vocabulary), labeler).rows:
        assert [origin for origin in row["origin"] if origin >= 0] == list(range(len(row["source"])))
        assert not row["tags"] or [tag in {1, 2} for tag in row["tags"]] == [origin < 0 for origin in row["origin"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"profile": "switchbord"},
            "no profile 'switchbord'; there are uniform, conversational, switchboard, corrections",
        ),
        (
            {"comma": 0.5},
            "comma is an option of profiles of repairs, and profile is 'uniform'; set profile to switchboard",
        ),
        ({"repair": True, "profile": "conversational"}, "repair is an option of profiles of repairs"),
        (
            {"profile": "switchboard", "kinds": (1.0, 2.0)},
            r"kinds is \[1.0, 2.0\]; give a weight for each of repeat, cut",
        ),
        ({"profile": "switchboard", "fillers": 6.0}, "fillers is 6.0; it must lie between 0 and 5"),
        ({"fillers": 0.0}, "fillers is an option of profiles of repairs, and profile is 'uniform'"),
        ({"profile": "switchboard", "cue": 2.0}, "cue is 2.0; it must lie between 0 and 1"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """What was given, what is allowed, what to do."""
    with pytest.raises(ValueError, match=message):
        Disfluency(**options)


def test_a_recipe_names_a_file_or_a_profile_of_the_package(tmp_path: Path) -> None:
    """The path is relative to the recipe, the digest of the content stands in the plan; a name stays a name."""
    text = read_profile("corrections").to_toml()
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "recipe.toml").write_text(
        'with = ["disfluency"]\n[input]\nfiles = "a.txt"\n[labelers.disfluency]\nprofile = "mine.toml"\n'
    )
    (labeler,), digests = load_labelers(load_recipe(str(tmp_path / "recipe.toml"), []))
    assert isinstance(labeler, Disfluency)
    assert read_profile(labeler.profile) == read_profile("corrections")
    assert list(digests["disfluency"]) == ["profile"]
    named = make_recipe({"with": ["disfluency"], "labelers": {"disfluency": {"profile": "switchboard"}}})
    (labeler,), digests = load_labelers(named)
    assert labeler.profile == "switchboard"  # type: ignore[attr-defined]
    shipped = {"profile": resource_digest(shipped_profile("switchboard"))}  # a later version may have counted anew
    assert digests == {"disfluency": shipped}
    plan = Plan(named, (), (), (), {"disfluency": {"version": 3, "resources": shipped}}, {})
    assert identity(plan.to_json())["labelers"]["disfluency"]["resources"] == shipped
    uniform = make_recipe({"with": ["disfluency"], "labelers": {"disfluency": {"profile": "uniform"}}})
    assert load_labelers(uniform)[1] == {"disfluency": {}}


def test_fillers_stand_where_speakers_fill_pauses(filled: SimpleNamespace) -> None:
    """Apart from reparanda, tagged I, as often as the profile says; repairs stay where they were."""
    profile = read_profile("switchboard").fillers
    assert profile is not None
    opening = inside = followed = 0
    first, others = Counter[str](), Counter[str]()
    for utterance in gold(filled):
        items = written(utterance)
        fluent = [item for item in items if item.tag == "O" and not item.mark]
        followed += len(fluent) - 1
        for one in fillers(items):
            assert one.place < len(fluent)
            opening, inside = opening + (not one.place), inside + bool(one.place)
            (others if one.place else first)[one.phrase.replace(" , ", " ")] += 1
    assert opening / len(filled.rows) == pytest.approx(profile.opening, abs=0.03)
    assert 1000 * inside / followed == pytest.approx(profile.everywhere, rel=0.25)
    assert first.most_common(1)[0][0] == "well"
    assert [phrase for phrase, _ in others.most_common(2)] == ["uh", "you know"]
    assert first.keys() <= {phrase.replace(" , ", " ") for phrase in profile.first}
    repairs, alone = (
        [[item.words for item in reparanda(written(utterance))] for utterance in gold(result)]
        for result in (filled, spoken(rate=0.3, fillers=0.0))
    )
    assert repairs == alone


def test_an_opening_filler_has_the_capital(filled: SimpleNamespace) -> None:
    """The word that opened the sentence is written small behind it, and is no addition."""
    fronts = [row for row in filled.rows if row["tags"][0] == 2]
    assert len(fronts) > 100
    for row in fronts:
        assert row["tokens"][0][0].isupper()
        kept = next(i for i, origin in enumerate(row["origin"]) if origin >= 0)
        opening = row["source"][0]
        expected = opening if opening == "I" else opening[0].lower() + opening[1:]
        if all(tag == 2 for tag in row["tags"][:kept]):
            assert row["tokens"][kept] == expected


def test_how_often_fillers_are_added() -> None:
    """In multiples of what the profile says; fewer where repairs are rarer than in it, none without any."""

    def count(**options: Any) -> int:
        rows = gold(spoken(600, **({"rate": 0.3} | options)))
        return sum(1 for utterance in rows for _ in fillers(written(utterance)))

    usual = count()
    assert count(fillers=2.0) == pytest.approx(2 * usual, rel=0.15)
    assert count(fillers=0.0) == count(rate=0.0) == 0
    assert count(rate=read_profile("switchboard").rate / 2) == pytest.approx(usual / 2, rel=0.25)
    assert count(profile="corrections") == 0
    assert not any(one.comma or one.closed for row in gold(spoken(300, comma=0.0)) for one in fillers(written(row)))


def test_fillers_are_learnt_again(filled: SimpleNamespace) -> None:
    """Counted in what was made, they are much as they were."""
    first, second = read_profile("switchboard").fillers, learn(gold(filled)).fillers
    assert first is not None
    assert second is not None
    assert second.opening == pytest.approx(first.opening, abs=0.03)
    assert second.everywhere == pytest.approx(first.everywhere, rel=0.25)
    assert second.comma_behind == pytest.approx(first.comma_behind, abs=0.05)
    assert list(second.phrases)[:2] == list(first.phrases)[:2]
