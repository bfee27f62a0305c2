"""Where the strings of the lexicon's forms stand in a batch, and the partners that announce them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.language.forms import lexicon
from labelers.language.trie import Trie
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["Matches", "inside_openers", "links_back", "match", "match_partners", "medial_openers", "openers"]


def _word(texts: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return the number in the lexicon of each type, -1 for the words of no form."""
    words = lexicon().words
    return np.array([words.get(text.lower().replace("\u2019", "'"), -1) for text in texts], np.int16)


@dataclass(frozen=True)
class Matches:
    """C places where the string of a form stands."""

    start: IntArray
    """int64 [C]: global position of the first token."""
    end: IntArray
    """int64 [C]: global position behind the last token."""
    form: IntArray
    """int64 [C]: number of the form in the lexicon."""

    def __len__(self) -> int:
        """Return the number of matches."""
        return len(self.start)

    def take(self, which: IntArray | BoolArray) -> "Matches":
        """Return the given matches."""
        return Matches(self.start[which], self.end[which], self.form[which])


def match(batch: PassageBatch, at: IntArray | None = None) -> Matches:
    """Return where forms stand, the longest at each place and none inside another; with ``at`` only at those places.

    Args:
        batch: P passages.
        at: int64, sorted: global positions to look at, each the first token of a possible match; None for all.
    """
    at = openers(batch, np.arange(len(batch.codes))) if at is None else at
    form, length = _longest(batch, at, lexicon().form_trie)
    found = np.flatnonzero(form >= 0)
    start, end = at[found], at[found] + length[found]
    free = np.ones(len(start), bool)
    free[1:] = start[1:] >= np.maximum.accumulate(end)[:-1]
    return Matches(start[free], end[free], form[found][free])


def openers(batch: PassageBatch, places: IntArray) -> IntArray:
    """Return those of the places, global positions, where a form may stand."""
    opens = (lexicon().form_trie.first > 0)[batch.vocabulary.property(_word)]
    found: IntArray = places[opens[batch.codes[places]]]
    return found


def _opens_inside(vocabulary: Vocabulary, new: slice) -> BoolArray:
    """Return which types open a form that is a class within a sentence."""
    opens: BoolArray = lexicon().inside_openers[vocabulary.property(_word)[new]]
    return opens


def inside_openers(batch: PassageBatch) -> IntArray:
    """Return the positions, sorted, where a form that is a class within a sentence may stand."""
    return np.flatnonzero(batch.vocabulary.derived(_opens_inside).take(batch.codes))


def _opens_medial(vocabulary: Vocabulary, new: slice) -> BoolArray:
    """Return which types open a form with frames."""
    opens: BoolArray = lexicon().medial_openers[0][vocabulary.property(_word)[new]]
    return opens


def medial_openers(batch: PassageBatch) -> IntArray:
    """Return the positions, sorted, where a form with frames may stand: behind a comma where all of them want one."""
    at = np.flatnonzero(batch.vocabulary.derived(_opens_medial).take(batch.codes))
    free = lexicon().medial_openers[1][batch.vocabulary.property(_word)[batch.codes[at]]]
    places: IntArray = at[free | (batch.codes[at - 1] == batch.vocabulary.find(","))]
    return places


def links_back(vocabulary: Vocabulary, codes: IntArray, starts: IntArray) -> BoolArray:
    """Return which segments open with a form that links them to the one before, where it is a connective.

    Args:
        vocabulary: of the codes.
        codes: int64 [N].
        starts: int64 [S], rising: the first token of each segment.
    """
    ends = np.append(starts[1:], len(codes))[: len(starts)]

    def goes_on(place: IntArray) -> BoolArray:
        inside: BoolArray = place < ends[np.searchsorted(starts, place - 1, "right") - 1]
        return inside

    form, _ = lexicon().form_trie.longest(vocabulary.property(_word), codes, starts, goes_on=goes_on)
    return (form >= 0) & lexicon().opens[form]


def _longest(batch: PassageBatch, at: IntArray, trie: Trie) -> tuple[IntArray, IntArray]:
    """Return (number of the longest text from each place, -1 for none; its length), never across a segment's end."""

    def goes_on(place: IntArray) -> BoolArray:
        inside: BoolArray = place < batch.segment_ends[batch.token_segments[place - 1]]
        return inside

    return trie.longest(batch.vocabulary.property(_word), batch.codes, at, goes_on=goes_on)


def match_partners(
    batch: PassageBatch, form: IntArray, first: IntArray, stop: IntArray, *, within: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Look for the partner of each of C connectives in its first argument ``[first, stop)``.

    Between segments (not ``within`` a sentence) a single word counts only where it opens the argument, and changes or
    rules out nothing.

    Returns:
        int64 [C] each: the form that the two make (BLOCKED where the partner rules it out), and where the partner
        starts and ends (-1 for none).
    """
    allowed = lexicon().paired
    some = np.flatnonzero((allowed != -1).any(axis=1)[form])
    # flat places of the first arguments of these connectives, and whose each is
    size = (stop - first)[some]
    owner = np.repeat(some, size)
    place = np.arange(size.sum()) + np.repeat(first[some] - np.cumsum(size) + size, size)
    partner, length = _longest(batch, place, lexicon().partner_trie)
    made = np.where(partner >= 0, allowed[form[owner], partner], -1)
    if not within:
        made[(made != form[owner]) | ((length == 1) & (place != first[owner]))] = -1
    pair, out = np.flatnonzero(made != -1), form.copy()
    start, end = np.full(len(form), -1), np.full(len(form), -1)
    # the last of several partners is the one assigned
    out[owner[pair]], start[owner[pair]], end[owner[pair]] = made[pair], place[pair], (place + length)[pair]
    return out, start, end
