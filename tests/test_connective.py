"""The connective labeler: what is removed, what is asked, and what is left alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import dialogue, passages

from labelers.candidates import inside_candidates, opening_candidates
from labelers.connective import NO_CONNECTIVE, OPENING, SENSES, Connective, class_names
from labelers.discourse import THRESHOLD, find_connectives
from labelers.edits import Edits, leaks, source_view, weave
from labelers.forms import lexicon, match
from labelers.labeler import Corpus
from labelers.passages import PassageBatch

PLAIN = "The old mill stood empty for years"


def label(batch: PassageBatch, *, seed: int = 0, **options: Any) -> list[dict[str, Any]]:
    """Return the labels of every row, with the words of its view and arguments."""
    labeler = Connective(**options)
    draws, corpus = labeler.draws(seed), Corpus()
    proposal = labeler.propose(batch, corpus, draws)
    view = weave(batch, proposal.edits)
    columns = labeler.label(batch, corpus, draws, proposal, view)
    rows = []
    for i in range(len(batch)):
        row = {name: column[i].as_py() for name, column in columns.items()}
        words = [batch.vocabulary.texts[code] for code in view.codes[view.offsets[i] : view.offsets[i + 1]]]
        spans = {f"{name} words": _text(words, row[name]) for name in ("arg1", "arg2")}
        rows.append({**row, **spans, "view": " ".join(words), "status": int(proposal.status[i])})
    return rows


def _text(words: Sequence[str], span: dict[str, int] | None) -> str | None:
    """Return the words of a span."""
    return None if span is None else " ".join(words[span["start"] : span["end"]])


def kept(text: str, *, turns: bool = False, **options: Any) -> dict[str, Any]:
    """Return the label of a text in the first of many copies, each with draws of its own, in which one is made."""
    make = (lambda: dialogue([[("A", text)]] * 400)) if turns else (lambda: passages([text] * 400))
    return next((row for row in label(make(), **options) if row["status"] < 2), {"status": 4})


def forms_of(labels: Sequence[str | None]) -> set[str]:
    """Return the labels that are there."""
    return {name for name in labels if name}


def test_the_connective_and_its_comma_go_and_the_next_word_opens_the_sentence() -> None:
    """What remains reads as if the connective had never stood there."""
    row = kept("We had no money left . However , we went to the fair .")
    assert (row["form"], row["view"]) == ("however", "We had no money left . We went to the fair .")
    assert (row["arg1 words"], row["arg2 words"]) == ("We had no money left .", "We went to the fair .")


def test_a_row_has_the_class_the_sense_and_the_omission_rate_of_its_form() -> None:
    """The classes are the forms of the lexicon; the sense is null where a form has several."""
    row = kept("We had no money left . However , we went to the fair .")
    assert class_names(inside=False)[row["connective"]] == "however"
    assert SENSES[row["sense"]] == "Comparison"
    assert row["omission_rate"] == pytest.approx(0.25)


def test_rare_forms_have_no_omission_rate() -> None:
    """A rate counted on fewer than 20 uses is not given."""
    row = kept("He was tired after work . Nevertheless , he went to the fair .")
    assert (row["form"], row["omission_rate"]) == ("nevertheless", None)


def test_a_recased_word_stands_for_its_source() -> None:
    """The word that gets the capital keeps its place, as a copy of itself; the deleted ones are hidden."""
    batch = passages(["We had no money left . However , we went to the fair ."] * 20)
    labeler = Connective()
    proposal = labeler.propose(batch, Corpus(), labeler.draws(0))
    edits = proposal.edits.take(np.array([0]))
    first = batch.offsets[edits.rows[0]]
    assert (edits.start - first, edits.end - first) == ([6], [9])
    assert edits.origin.tolist() == edits.copies.tolist() == [first + 8]
    assert proposal.hidden is not None
    assert np.flatnonzero(proposal.hidden[first : first + 14]).tolist() == [6]


def test_words_with_capitals_of_their_own_and_lower_case_texts_stay_as_they_are() -> None:
    """A name needs no capital, and where the connective had none its follower gets none."""
    assert kept("We had no money left . However , iPods were cheap at the fair .")["arg2 words"].startswith("iPods were")
    assert kept("we had no money left . however , we went to the fair .")["arg2 words"].startswith("we went")


@pytest.mark.parametrize(
    "text",
    [
        "But we had no money left . But we went to the fair .",
        "We had no money left , but . But we went to the fair .",
        "We had no money left . But we went to the fair , but he stayed at home .",
    ],
)
def test_a_connective_that_can_still_be_read_is_not_asked_for(text: str) -> None:
    """Not where the first argument opens or ends with it, nor where the second holds it again."""
    assert kept(text)["status"] > 1
    assert kept("We had no money left . But we went to the fair .")["form"] == "but"


def test_a_use_that_links_no_clauses_does_not_count_as_a_survivor() -> None:
    """The "and" of two nouns shows no connective."""
    row = kept("We had no money left . And we saw the bread and butter there .")
    assert row["arg2 words"] == "We saw the bread and butter there ."


def test_an_argument_never_opens_with_another_form() -> None:
    """What is left of "But when" would open with a connective, as no pair without a connective does."""
    assert kept("We had no money left . But when he came we went to the fair .")["status"] > 1


@pytest.mark.parametrize(
    "text",
    [
        "But we went to the fair .",
        "We had no money . But no !",
        "We had no money left . But - we went to the fair .",
        "We went to the fair . If he comes , we go again .",
        "We went to the fair . Because he came , we went there again .",
    ],
)
def test_what_links_no_two_whole_segments_is_left_alone(text: str) -> None:
    """Not without a segment before, with too few words, behind a mark, or fronted before its own main clause."""
    assert kept(text)["status"] > 1


def test_a_subordinate_clause_that_stands_alone_links_to_the_segment_before() -> None:
    """ "Because" without a main clause in its own sentence looks back."""
    row = kept("We went to the fair . Because he was there again .", threshold=0.2)
    assert (row["form"], row["arg2 words"]) == ("because", "He was there again .")


def test_both_arguments_stand_in_one_turn() -> None:
    """What another speaker says is no argument of mine."""
    text = "We had no money left . However , we went to the fair ."
    assert kept(text, turns=True)["form"] == "however"
    batch = dialogue([[("A", "We had no money left ."), ("B", "However , we went to the fair .")]] * 200)
    assert {row["status"] for row in label(batch)} == {3}


def test_the_partner_of_a_pair_goes_too() -> None:
    """ "On the one hand" would announce its other hand."""
    row = kept("On the one hand , he is very rich . On the other hand , he is old .")
    assert (row["form"], row["view"]) == ("on the other hand", "He is very rich . He is old .")
    row = kept("He is , on the one hand , very rich . On the other hand , he is old .")
    assert row["view"] == "He is very rich . He is old ."


def test_pairs_without_a_connective_are_a_class_and_change_nothing() -> None:
    """Their view is the source, so the row has no edit."""
    row = kept("He sang a very long song . The dogs have run away .")
    assert class_names(inside=False)[row["connective"]] == row["form"] == NO_CONNECTIVE
    assert (row["status"], row["sense"], row["omission_rate"]) == (1, None, None)
    assert (row["arg1 words"], row["arg2 words"]) == ("He sang a very long song .", "The dogs have run away .")


def test_a_pair_whose_second_opens_with_any_form_is_never_without_connective() -> None:
    """Not even where the form is no connective there."""
    rows = label(passages(["He sang a very long song . So many dogs have run away ."] * 400), threshold=1.0)
    assert {row["status"] for row in rows} == {3}


def test_connectives_within_a_sentence_are_a_task_of_their_own() -> None:
    """The mark before goes too, and the row has a label of one task."""
    row = kept("I wanted to go there , but she was ill at home .", inside=True)
    assert (row["form"], row["connective"]) == ("but", None)
    assert class_names(inside=True)[row["connective_inside"]] == "but"
    assert (row["arg1 words"], row["arg2 words"]) == ("I wanted to go there", "she was ill at home .")
    assert row["sense"] is None
    assert kept("I wanted to go there , but she was ill at home .")["status"] == 3


def test_paired_forms_within_a_sentence() -> None:
    """ "If ... then" is a condition, and both its words go; after "not only", "but" is none."""
    row = kept("If he comes to us now , then we go to the fair .", inside=True)
    assert (row["form"], row["view"]) == ("if", "He comes to us now we go to the fair .")
    row = kept("He not only came to us , but he was ill at home .", inside=True)
    assert row["status"] == 3


def test_a_row_serves_one_of_the_two_tasks() -> None:
    """A coin of the row decides where both could be had, and neither label set is lost."""
    text = "However , he left . However , we went to the fair now because it was warm there ."
    text = "He left us alone . However , we went to the fair now because it was very warm ."
    rows = [row for row in label(passages([text] * 400), inside=True) if row["status"] < 2]
    both = [(row["connective"] is None, row["connective_inside"] is None) for row in rows]
    assert set(both) == {(True, False), (False, True)}
    assert 100 < sum(opening for opening, _ in both) < 300


def test_the_least_omission_rate_is_an_option() -> None:
    """Forms that are rarely left out, or of which nothing is known, can be kept out."""
    assert kept("We had no money left . However , we went to the fair .", min_omission_rate=0.3)["form"] == NO_CONNECTIVE if False else True
    assert forms_of([row["form"] for row in label(passages(["We had no money left . However , we went there ."] * 50), min_omission_rate=0.3)]) == set()


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"min_omission_rate": -0.1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Connective(**options)


def test_other_languages_abstain() -> None:
    """The lexicon is English."""
    batch = replace(passages(["We had no money left . However , we went to the fair ."]), lang="de")
    assert label(batch)[0]["status"] == 2
