"""The connective labeler: what is removed, what is asked, and what is left alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passages import dialogue, passages

from labelers.connective import LEAST_PROBABLE, NO_CONNECTIVE, SENSES, Connective, class_names
from labelers.edits import Edits, leaks, source_view, weave
from labelers.labeler import Corpus, Request
from labelers.language.between import segment_pairs
from labelers.language.context_model import features, model
from labelers.language.discourse import THRESHOLD, find_connectives
from labelers.language.forms import FRAMES, lexicon
from labelers.language.inside import inside_candidates
from labelers.language.matches import match
from labelers.language.medial import medial_uses
from labelers.language.shapes import shapes
from labelers.passages import PassageBatch


def label(batch: PassageBatch, *, seed: int = 0, **options: Any) -> list[dict[str, Any]]:
    """Return the labels of every row, with the words of its view and arguments."""
    labeler = Connective(**options)
    request = Request(batch, Corpus(), labeler.draws(seed))
    proposal = labeler.propose(request)
    view = weave(batch, proposal.edits)
    columns = labeler.label(request, proposal, view)
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
    proposal = labeler.propose(Request(batch, Corpus(), labeler.draws(0)))
    edits = proposal.edits.take(np.array([0]))
    first = batch.offsets[edits.rows[0]]
    assert (edits.start - first, edits.end - first) == ([6], [9])
    assert edits.origin.tolist() == edits.copies.tolist() == [first + 8]
    assert proposal.hidden is not None
    assert np.flatnonzero(proposal.hidden[first : first + 14]).tolist() == [6]


def test_words_with_capitals_of_their_own_and_lower_case_texts_stay_as_they_are() -> None:
    """A name needs no capital, and where the connective had none its follower gets none."""
    assert kept("We had no money left . However , iPods were cheap at the fair .")["arg2 words"].startswith(
        "iPods were"
    )
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
    assert kept(text, inside=False)["status"] > 1
    assert kept("We had no money left . But we went to the fair .")["form"] == "but"


def test_a_use_that_links_no_clauses_does_not_count_as_a_survivor() -> None:
    """The "and" of two nouns shows no connective."""
    row = kept("We had no money left . And we met John and Mary there .")
    assert row["arg2 words"] == "We met John and Mary there ."


def test_an_argument_never_opens_with_another_form() -> None:
    """What is left of "But when" would open with a connective, as no pair without a connective does."""
    assert kept("We had no money left . But when he came we went to the fair .")["status"] > 1


@pytest.mark.parametrize(
    "text",
    [
        "But we went to the fair .",
        "We had no money . But no !",
        "We had no money left . But - we went to the fair .",
        "We had no money left . Thus saying he went to the fair .",
        "We went to the fair . If he comes , we go again .",
        "We went to the fair . Because he came , we went there again .",
    ],
)
def test_what_links_no_two_whole_segments_is_left_alone(text: str) -> None:
    """Not without a segment before, with too few words, behind a mark, or fronted before its own main clause."""
    assert kept(text)["status"] > 1


def test_a_subordinate_clause_that_stands_alone_links_to_the_segment_before() -> None:
    """A "because" without a main clause in its own sentence looks back."""
    row = kept("We went to the fair . Because he was there again .", threshold=0.2)
    assert (row["form"], row["arg2 words"]) == ("because", "He was there again .")


def test_both_arguments_stand_in_one_turn() -> None:
    """What another speaker says is no argument of mine."""
    text = "We had no money left . However , we went to the fair ."
    assert kept(text, turns=True)["form"] == "however"
    batch = dialogue([[("A", "We had no money left ."), ("B", "However , we went to the fair .")]] * 200)
    assert {row["status"] for row in label(batch)} == {2}


def test_the_partner_of_a_pair_goes_too() -> None:
    """An "on the one hand" would announce its other hand."""
    row = kept("On the one hand , he is very rich . On the other hand , he is old .")
    assert (row["form"], row["view"]) == ("on the other hand", "He is very rich . He is old .")
    row = kept("He is , on the one hand , very rich . On the other hand , he is old .")
    assert row["view"] == "He is very rich . He is old ."


FIRST = "We had no money left . "


@pytest.mark.parametrize(
    ("second", "form", "left"),
    [
        ("She , however , stayed at home .", "however", "She stayed at home ."),
        ("She stayed at home , however .", "however", "She stayed at home ."),
        ("She stayed at home , however ; the dogs went .", "however", "She stayed at home ; the dogs went ."),
        ("He therefore went to the fair .", "therefore", "He went to the fair ."),
        ("He has therefore left the fair .", "therefore", "He has left the fair ."),
        ("They also sold the old boat .", "also", "They sold the old boat ."),
        ("We saw also that they sold the boat .", "also", "We saw that they sold the boat ."),
        ("He then opened the door .", "then", "He opened the door ."),
        ("We sold the old boat instead .", "instead", "We sold the old boat ."),
        ("This , for instance , is the door .", "for instance", "This is the door ."),
        ("We did not go , after all .", "after all", "We did not go ."),
        ("Why , then , did he open the door ?", "then", "Why did he open the door ?"),
        ("It was clear , therefore , that he stayed .", "therefore", "It was clear that he stayed ."),
    ],
)
def test_an_adverb_inside_the_second_segment_is_a_connective_of_the_same_class(
    second: str, form: str, left: str
) -> None:
    """It goes with the commas that set it off, and the second argument is all that is left of its segment."""
    row = kept(FIRST + second, threshold=0.3)
    assert (row["form"], row["arg1 words"], row["arg2 words"]) == (form, FIRST.strip(), left)
    assert row["view"] == FIRST + left
    assert class_names(inside=False)[row["connective"]] == form


@pytest.mark.parametrize(
    ("second", "left"),
    [
        ("In the morning , however , he left us .", "In the morning , he left us ."),
        ("One day , however , he left us .", "One day , he left us ."),
        ("Seeing this , however , he left us .", "Seeing this , he left us ."),
        ("He was tired , however , and left us .", "He was tired , and left us ."),
        ("The man , however , being tired , left us .", "The man , being tired , left us ."),
        ("This , however , he left to us .", "This he left to us ."),
        ("In the morning he was , however , at home .", "In the morning he was at home ."),
        ("He could not , however , but leave us .", "He could not but leave us ."),
    ],
)
def test_one_of_the_two_commas_stays_where_it_divides_something_else(second: str, left: str) -> None:
    """A fronted phrase, a participle and a second predicate keep theirs; subject, verb and object need none."""
    assert kept(FIRST + second)["arg2 words"] == left


@pytest.mark.parametrize(
    "second",
    [
        "The man , however , in spite of this , left us .",
        "The man , however , who was tired left us .",
        "The boat , for instance , moored at the pier , was old .",
        "In the garden , however , stood a house .",
        "One thing , however , he left to us .",
        "No , indeed , he left us .",
    ],
)
def test_a_use_whose_commas_may_belong_to_something_else_is_left_alone(second: str) -> None:
    """What would be left might want one of them, and no closed list tells."""
    assert kept(FIRST + second)["status"] > 1


@pytest.mark.parametrize(
    "second",
    [
        "When she came , however , he left us .",
        "She sang , and he therefore left us .",
        "She sang ; he therefore left us .",
        "She sang and , however , he left us .",
        "The man who therefore left us was old .",
        "If he comes then , we also leave .",
        "She was not only old but also tired .",
        "Even then he stayed at home .",
        "Just then he stayed at home .",
        "She was then a small child .",
        "See also the old book of songs .",
        "She stayed at home , use the boat instead .",
        '" She , however , stayed at home . "',
        "She , However , stayed at home .",
        "She sold the boat instead of the house .",
    ],
)
def test_a_use_that_links_within_its_sentence_is_left_alone(second: str) -> None:
    """Nor one in a later clause, in a new quotation, or behind a form that opens the segment; nor another string."""
    assert {row["form"] for row in label(passages([FIRST + second] * 400))} <= {None, NO_CONNECTIVE}


def test_the_model_must_agree_where_the_lexicon_says_so() -> None:
    """An "also" between subject and verb is asked for at a probability; a "therefore" is none to doubt."""
    assert kept(FIRST + "They also sold the boat .", threshold=1.0)["status"] > 1
    assert kept(FIRST + "They therefore sold the boat .", threshold=0.75)["form"] == "therefore"


@pytest.mark.parametrize(
    "second",
    [
        "She , however , also stayed at home .",
        "But she , however , stayed at home .",
        "However , she then stayed there .",
    ],
)
def test_a_segment_with_two_connectives_is_in_no_pair(second: str) -> None:
    """The one that is left would answer for the other, and no pair without a connective holds any."""
    assert kept(FIRST + second, threshold=0.3)["status"] > 1


@pytest.mark.parametrize(
    "text",
    [
        "However , we had no money left . She , however , stayed at home .",
        "We had no money left , however . She , however , stayed at home .",
        "We had no money left . She , however , stayed at home ; he left , however .",
    ],
)
def test_a_medial_connective_that_can_still_be_read_is_not_asked_for(text: str) -> None:
    """As with one that opens its segment: not at the edge of the first argument, nor once more in the second."""
    assert kept(text)["status"] > 1


def test_a_pair_whose_second_holds_an_adverb_that_may_link_it_is_never_without_connective() -> None:
    """Not even where no pair of the adverb is made: it stands in no frame, or is not likely enough."""
    for second in (
        "The dogs then ran .",
        "The dogs , however , who ran came back .",
        "The dogs ran , on the contrary .",
    ):
        rows = label(passages(["He sang a very long song . " + second] * 400), threshold=1.0)
        assert {row["status"] for row in rows} == {2}


@pytest.mark.parametrize(
    "second", ["Then came the dogs of the fair .", "Nor was he at the fair .", "So did the dogs ."]
)
def test_a_clause_that_would_be_left_with_its_verb_first_is_left_alone(second: str) -> None:
    """The inversion belongs to the connective; a question has it anyway."""
    assert kept(FIRST + second, threshold=0.1)["status"] > 1
    assert kept("Was he at home ? Or was he at the fair ?")["form"] == "or"


def test_a_degree_word_is_no_connective() -> None:
    """Without a comma behind it, "however" may measure what follows."""
    assert kept(FIRST + "However late he came to the fair .", threshold=0.1)["status"] > 1


def test_code_keeps_its_small_letter() -> None:
    """A name that is no plain word means another thing with a capital."""
    assert kept(FIRST + "However , sum(x , y) was at the fair .")["arg2 words"].startswith("sum(x")


def test_turns_that_break_off_or_start_anew_are_no_arguments() -> None:
    """A transcriber's mark before the end or soon behind the connective, or more than one for eight words."""
    for second in ("However , we went to the fair with all of them and { gap } .", "However , we { gap } went there ."):
        assert kept(FIRST + second, turns=True)["status"] > 1
    late = "However , we went to the fair with all of { gap } them ."
    assert kept(FIRST + late, turns=True)["form"] == "however"
    for over in ("However , we went { gap } to the fair with all of them .", "But my -- no , we went to the fair ."):
        assert kept(FIRST + over, turns=True)["status"] > 1


def test_pairs_without_a_connective_are_a_class_and_change_nothing() -> None:
    """Their view is the source, so the row has no edit."""
    row = kept("He sang a very long song . The dogs have run away .")
    assert class_names(inside=False)[row["connective"]] == row["form"] == NO_CONNECTIVE
    assert (row["status"], row["sense"], row["omission_rate"]) == (1, None, None)
    assert (row["arg1 words"], row["arg2 words"]) == ("He sang a very long song .", "The dogs have run away .")


def test_a_pair_whose_second_opens_with_any_form_is_never_without_connective() -> None:
    """Not even where the form is no connective there."""
    rows = label(passages(["He sang a very long song . So many dogs have run away ."] * 400), threshold=1.0)
    assert {row["status"] for row in rows} == {2}


def test_connectives_within_a_sentence_are_a_task_of_their_own() -> None:
    """The mark before goes too, and the row has a label of one task."""
    row = kept("I wanted to go there , but she was ill at home .", inside=True)
    assert (row["form"], row["connective"]) == ("but", None)
    assert class_names(inside=True)[row["connective_inside"]] == "but"
    assert (row["arg1 words"], row["arg2 words"]) == ("I wanted to go there", "she was ill at home .")
    assert row["sense"] is None
    text = "I wanted to go there , but she was ill at home ."
    assert {row["status"] for row in label(passages([text]), inside=False)} == {2}


def test_paired_forms_within_a_sentence() -> None:
    """The pair "if ... then" is a condition, and both its words go; after "not only", "but" is none."""
    row = kept("If he comes to us , then we will go to the fair .", inside=True)
    assert (row["form"], row["view"]) == ("if", "He comes to us we will go to the fair .")
    row = kept("He not only came to us , but he was ill at home .", inside=True)
    assert row["status"] > 1


@pytest.mark.parametrize(
    ("first", "second", "form"),
    [
        ("We had no money left .", "So we sold the old boat .", "so"),
        ("They did not stay at home .", "Instead they went to the fair .", "instead"),
        ("They could walk to the fair .", "Or they could take the old boat .", "or"),
        ("Do they walk to the fair ?", "Or do they take the old boat ?", "or"),
        ("We looked for her all day .", "Finally we found her at the fair .", "finally"),
        ("She must have some rest .", "In the mean time , we go to the fair .", "in the meantime"),
        ("She needs a room for the night .", "Also , she has a dog .", "also"),
    ],
)
def test_forms_that_ask_something_of_their_arguments_get_it(first: str, second: str, form: str) -> None:
    """A conclusion, an alternative, a clause; other spellings are the same form."""
    assert kept(f"{first} {second}", threshold=0.3, inside=False)["form"] == form


@pytest.mark.parametrize(
    "text",
    [
        "I love an old book . So I am not a friend of the sea .",
        "I love an old book . So , we sold the old boat .",
        "Do you love an old book ? So we sold the old boat .",
        "I love an old book . So a lot of unused books .",
        "I have changed my plans . I will go to the fair instead .",
        "No , I am sorry . I will go to the fair instead .",
        "They could walk to the fair . Or too late for that .",
        "Do they walk to the fair ? Or a boat to take them ?",
        "They went to the fair . Or do they take the old boat ?",
        "The hall is very old . Finally , the kitchen is dark .",
        "That sounds good to me . I also need a room .",
        "Sure , that will work . Also , I need a room .",
        "I thank the old man for that . In fact , we sold the boat .",
        "We went to the fair . But yeah , we sold the boat .",
        "We went to the fair . And what did they sell ?",
        "They walked to the fair . Also known as the old fair .",
        "They walked to the fair . Thus far nobody has come there .",
        "They sold the old boat . Next , the king 's horse .",
        "They sold it . At the same time Ann was at the fair , she sold it .",
        "She wants to buy it . Because her plans change make sure to ask .",
    ],
)
def test_a_form_without_what_it_asks_for_is_left_alone(text: str) -> None:
    """It opens a topic, links to something further up, or what is left is no clause."""
    assert {row["form"] for row in label(passages([text] * 400), threshold=0.3, inside=False)} <= {None, NO_CONNECTIVE}


@pytest.mark.parametrize(
    "text",
    [
        "We left , and when she came to us he was ill .",
        "He knew what to do because she was ill .",
        "It is because she was ill at home .",
        "She asked him if he was ill at home .",
        "Please tell me when he was ill at home .",
        "He left the room , when the clock struck , he was ill .",
        "We saw her two years before she was ill at home .",
        "He was ill shortly after she left the house .",
        "The boat , though it was very old , was sold .",
        "The boat was sold -- because she was ill ; he left .",
        "He said nothing and all that they knew was lost .",
        "She kept the boat until the old fair to please him .",
        "We left the house because she was ill",
        "She was glad when it comes to the sale of it .",
    ],
)
def test_a_sentence_that_is_no_two_plain_clauses_is_left_alone(text: str) -> None:
    """A clause that belongs to the following one, an argument that is none, a question told, and more clauses."""
    rows = label(passages([text] * 400), threshold=0.3)
    assert {row["connective_inside"] for row in rows} == {None}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("We left the house because she was ill .", "because"),
        ("We left the house when she was ill .", "when"),
        ("She was ill , so we left the house .", "so"),
        ("In the morning she was ill , and we left the house .", "and"),
    ],
)
def test_two_plain_clauses_of_a_sentence_are_a_pair(text: str, form: str) -> None:
    """With or without a mark between them, as the form wants it."""
    assert kept(text, threshold=0.3)["form"] == form


def test_why_a_row_has_no_label() -> None:
    """Nothing to ask for, no connective and not drawn as a pair without one, or a connective levelled away."""
    reasons = dict(enumerate(Connective.reasons, 2))
    texts = [
        "He sang .",
        "He sang a very long song . The dogs have run away .",
        "We had no money left . And we left it .",
    ]
    found = [{reasons.get(row["status"], "labelled") for row in label(passages([t] * 400))} for t in texts]
    assert found == [{"no_pair"}, {"labelled", "unsampled"}, {"labelled", "levelled"}]


def test_weights_level_the_forms_instead_of_dropping_rows() -> None:
    """Every removal is kept, and its weight is the share that would have been used; the tasks name the column."""
    texts = ["We had no money left . And we left it ."] * 200
    assert {row["status"] for row in label(passages(texts), sampling="weight")} == {0}
    (weight,) = {row["weight"] for row in label(passages(texts), sampling="weight")}
    assert weight == pytest.approx(lexicon().keep[lexicon().index["and"]])
    rows = label(passages(["He sang a very long song . The dogs have run away ."] * 400), sampling="weight")
    assert {row["weight"] for row in rows if row["status"] == 1} == {1.0}
    assert {row["weight"] for row in rows if row["status"] > 1} == {0.0}
    assert {task.weight for task in Connective(sampling="weight").declare().tasks} == {"connective.weight"}
    assert {task.weight for task in Connective().declare().tasks} == {None}
    with pytest.raises(ValueError, match="level, weight"):
        Connective(sampling="drop")


@pytest.mark.parametrize(
    "text",
    [
        "I do not know when he came .",
        "He is older than if he had slept .",
        "It is because she was ill .",
        "He was there . So I am a friend .",
        "He left or she stayed .",
    ],
)
def test_what_links_nothing_is_never_found(text: str) -> None:
    """Questions told, comparisons, reasons said of something, a "so" that opens a segment; and "or" is left out."""
    assert len(find_connectives(passages([text]), 0.0)) == 0


def test_a_row_serves_one_of_the_two_tasks() -> None:
    """A coin of the row decides where both could be had, and neither label set is lost."""
    text = "He left us alone . Therefore we went to the fair , although it was very warm ."
    rows = [row for row in label(passages([text] * 400), inside=True) if row["status"] < 2]
    both = [(row["connective"] is None, row["connective_inside"] is None) for row in rows]
    assert set(both) == {(True, False), (False, True)}
    assert 100 < sum(opening for opening, _ in both) < 300


def test_the_least_omission_rate_is_an_option() -> None:
    """Forms that are rarely left out, or of which nothing is known, can be kept out."""
    text = "We had no money left . However , we went to the fair ."
    assert kept(text, min_omission_rate=0.25)["form"] == "however"
    assert kept(text, min_omission_rate=0.3)["status"] > 1
    assert kept("He was tired . Nevertheless , he went to the fair .", min_omission_rate=0.01)["status"] > 1


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"min_omission_rate": -0.1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Connective(**options)


def test_other_languages_abstain() -> None:
    """The lexicon is English."""
    batch = replace(passages(["We had no money left . However , we went to the fair ."]), lang="de")
    assert label(batch)[0]["status"] == 5


def test_a_view_that_lost_the_removal_has_no_label() -> None:
    """In a woven view another labeler may win the place: the text still shows the answer, so nothing is asked."""
    batch = passages(["We had no money left . However , we went to the fair ."] * 30)
    labeler = Connective()
    request = Request(batch, Corpus(), labeler.draws(0), joint=True)
    proposal = labeler.propose(request)
    assert (proposal.status == 0).any()
    columns = labeler.label(request, proposal, source_view(batch))
    asked = [columns["connective"][i].as_py() for i in np.flatnonzero(proposal.status == 0)]
    assert asked == [None] * len(asked)
    one = Edits.concat([proposal.edits.take(np.arange(1))])
    columns = labeler.label(request, proposal, weave(batch, one))
    assert set(columns["form"].to_pylist()) == {None, "however"}


def test_donors_are_kept_from_showing_forms() -> None:
    """A form of one word is told by it, one of several by its longest; words of other forms are free."""
    batch = passages(["However example because the of fact hand"])
    shown = batch.vocabulary.property(Connective().forms())[batch.codes]
    assert shown.tolist() == [True, True, True, False, False, True, True]


def test_a_threshold_of_its_own_finds_fewer() -> None:
    """A higher threshold only takes connectives away."""
    batch = passages(["So he came because he was ill and tired .", "He sang so long , and then he left when we came ."])
    low, high = find_connectives(batch, 0.0), find_connectives(batch, THRESHOLD)
    assert set(high.start.tolist()) < set(low.start.tolist())
    assert (high.score >= THRESHOLD).all()


def test_the_longest_form_is_matched_and_none_inside_another() -> None:
    """The words "on the other hand" are one form; a form never crosses the end of a segment."""
    batch = passages(["On the other hand , he left as soon as he could . As . soon as"])
    matches = match(batch)
    words = [
        " ".join(batch.vocabulary.texts[code] for code in batch.codes[start:end])
        for start, end in zip(matches.start, matches.end, strict=True)
    ]
    assert words == ["On the other hand", "as soon as", "As", "as"]
    apart = match(dialogue([[("A", "He left as"), ("B", "soon as he could .")]]))
    assert (apart.end - apart.start).tolist() == [1, 1]


def test_uses_that_link_nothing_are_told_from_connectives() -> None:
    """The context decides: nouns are joined by "and", clauses by it too."""
    batch = passages(["He bought bread and butter .", "He opened the door and then he left , because he was late ."])
    found = find_connectives(batch)
    forms = [lexicon().forms[number].form for number in found.form]
    assert forms in (["and", "then", "because"], ["and", "because"])
    assert (found.start >= batch.offsets[1]).all()


@pytest.mark.parametrize(
    ("text", "distance"),
    [("But stayed .", 1), ("But , stayed .", 2), ("But Ann , stayed .", 0), ("But Ann Lee of York stayed .", 4)],
)
def test_the_nearest_verb_is_searched_up_to_a_stop(text: str, distance: int) -> None:
    """A comma at once behind the form closes nothing; what is four tokens off or more counts as four."""
    batch = passages([text])
    seen = features(batch, match(batch, batch.segments), model())
    assert seen.values["verb+1"].tolist() == [distance]


def test_tokens_that_their_class_tells_wrong() -> None:
    """A hyphen divides no clauses as other dashes do, and "you" tells no clause as other subjects do."""
    batch = passages(["- -- You they shed"])
    types = shapes(batch)[batch.codes]
    assert types["mark"].tolist() == [False, True, False, False, False]
    assert types["clause"].tolist() == [False, False, False, True, True]


def test_the_lexicon_is_sound() -> None:
    """Every class has rates, every pair its forms, every row lower-case words that are matched as themselves."""
    known = {form.form for form in lexicon().forms}
    assert len(known) == len(lexicon().forms)
    for form in lexicon().forms:
        assert form.form == " ".join(form.form.lower().split())
        used = form.opens != "" or form.medial != ""
        assert used == (not np.isnan(form.keep)) == (not np.isnan(form.keep_dialogue))
        assert {frame.rstrip("?") for frame in form.medial.split()} <= set(FRAMES)
        assert (form.inside != "") == (not np.isnan(form.keep_inside))
        assert form.sense in {"", *SENSES}
        assert {becomes for _, becomes in form.announced()} <= known | {"!"}
        batch = passages([form.form])
        assert match(batch).form.tolist() == [lexicon().index[form.form]]


WORDS = st.sampled_from(
    [
        *("But", "but", "And", "So", "However", "because", "if", "then", "Then", "either", "or", "On", "the", "one"),
        *("however", "also", "therefore", "she", "was", "fair"),
        *("other", "hand", "For", "example", "I", "he", "went", "was", "rain", "3", ",", ".", ".", ";", '"', "(", "—"),
    ]
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=40).map(" ".join), min_size=1, max_size=12)


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.booleans(), st.integers(0, 3))
def test_every_text_is_restored_and_shows_no_answer(texts: list[str], inside: bool, seed: int) -> None:  # noqa: FBT001
    """Whatever the text: edits are sound, what is hidden is gone, arguments lie in the view in order."""
    batch = passages(texts)
    labeler = Connective(inside=inside, threshold=0.1)
    request = Request(batch, Corpus(), labeler.draws(seed))
    proposal = labeler.propose(request)
    edits, view = proposal.edits, weave(batch, proposal.edits)
    assert proposal.hidden is not None
    assert not leaks(view, edits, proposal.hidden).any()
    assert (edits.end > edits.start).all()
    assert (edits.end[:-1] <= edits.start[1:]).all()
    assert set(edits.rows.tolist()) == set(np.flatnonzero(proposal.status == 0).tolist())
    own = view.origin[view.edit < 0]
    assert (view.codes[view.edit < 0] == batch.codes[own]).all()
    columns = labeler.label(request, proposal, view)
    for i in range(len(batch)):
        first, second = columns["arg1"][i].as_py(), columns["arg2"][i].as_py()
        assert (first is None) == (proposal.status[i] > 1)
        if first:
            assert 0 <= first["start"] < first["end"] <= second["start"] < second["end"]
            assert second["end"] <= view.offsets[i + 1] - view.offsets[i]


@settings(deadline=None, max_examples=100)
@given(TEXTS, st.integers(0, 3))
def test_second_arguments_hold_no_other_connective(texts: list[str], seed: int) -> None:
    """Whatever the text: no row, with a connective or without, shows one that links its second argument."""
    batch = passages(texts * 4)
    rows = [row for row in label(batch, seed=seed, threshold=0.1) if row["status"] < 2]
    left = passages([row["arg2 words"] for row in rows])
    opening = match(left, left.segments)
    assert len(opening) == 0
    assert len(medial_uses(left, np.ones(len(left.segments), bool))) == 0


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.randoms(use_true_random=False))
def test_a_row_depends_on_itself_alone(texts: list[str], random: Any) -> None:
    """Alone, shuffled or in company, a row gets the same label."""
    texts = [*texts, *["It was very late . However , they came to us , although it was late ."] * 8]
    ids = [f"d{i}/0" for i in range(len(texts))]
    together = label(passages(texts, ids=ids), inside=True, threshold=0.1)
    order = list(range(len(texts)))
    random.shuffle(order)
    shuffled = label(passages([texts[i] for i in order], ids=[ids[i] for i in order]), inside=True, threshold=0.1)
    assert [together[i] for i in order] == shuffled
    assert [label(passages([texts[i]], ids=[ids[i]]), inside=True, threshold=0.1)[0] for i in order] == shuffled


def test_no_candidates_in_no_tokens() -> None:
    """An empty batch offers nothing."""
    batch = passages(["he left"]).take(np.empty(0, np.int64))
    assert len(segment_pairs(batch, LEAST_PROBABLE, 0.0)) == len(inside_candidates(batch, THRESHOLD, 0.0)) == 0
    assert label(batch, inside=True) == []
