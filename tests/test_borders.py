"""What may be put into a sentence without reading as a part of it."""

import numpy as np
import pytest

from labelers.language.borders import BorderWords, Gaps
from labelers.vocabulary import Vocabulary


def stands_out(text: str) -> bool:
    """Return whether the words in brackets stand out from the text; what is not directly before them does not count."""
    vocabulary = Vocabulary()
    before, inside, after = (part.split() for part in text.replace("]", "[").split("["))
    left = vocabulary.encode(before[-1:]) if before else np.array([-1])
    gaps = Gaps(BorderWords(vocabulary, left), BorderWords(vocabulary, vocabulary.encode(after[:1])))
    edges = BorderWords(vocabulary, vocabulary.encode([inside[0], inside[-1]]))
    found = bool(gaps.stands_out(np.array([0]), edges, np.array([0]), np.array([1]))[0])
    assert gaps.open[0] or not found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "opened the [and went] gate",
        "walked [to see the] of the hill",
        "of [was told] the old house",
        "when he [we saw the boat] went home",
        "could [has been told] see it",
        "carried [some old miners] our trunk",
        "carried [they sold boats] our trunk",
        "we [old miners] walked on",
        "[because the] we walked on",
        "did n't [of them] walk on",
        "we did n't [the old] walk on",
        "they could [we went to] walk on",
    ],
)
def test_words_that_no_sentence_brings_together_stand_out(text: str) -> None:
    """At either border; so do two phrases where one is wanted, and a noun between a subject and its verb."""
    assert stands_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "walked [slowly] down to the river",
        "did [not] go home",
        "has [been] sold to them",
        "the [old stone] gate",
        "in [old] houses by the sea",
        "walked [to the river] with her",
        "gave [him] the boat",
        "gave [some old miners] the boat",
        "went through [this week] the old gate",
        "said [they sold boats] the day before",
        "saw [the end of] the wall",
        "told her [that he] walked on",
        "the man [who came from town] went home",
        "walked on [and sold the boat] to them",
        "we [walked on] and sold it",
        "can [help people] see it",
        "[in the morning] they went home",
        "[at noon] they went home",
        "Trust me [do n't] I know",
        "[will] we need a ticket",
        "a garden [wall] gate",
    ],
)
def test_what_may_be_a_part_of_the_sentence_does_not(text: str) -> None:
    """Adverbs, auxiliaries, attributes, phrases that say where or when, objects, clauses behind a verb of saying."""
    assert not stands_out(text)
