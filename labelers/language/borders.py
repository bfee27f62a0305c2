"""Whether words from elsewhere visibly do not belong to a sentence that they were inserted into, by the borders.

Words of grammar show it, because it is known what may stand next to them: no sentence holds "the went" or "in we". So
do two phrases where one is wanted: "carried [some old miners] our trunk". All else may read as text that somebody
wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import cache, cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

from labelers.language.listed import Listed
from labelers.language.shapes import listed_words
from labelers.language.tables import entries
from labelers.ragged import BoolArray, IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["BorderWords", "Gaps", "Syntax", "parts"]

_LEFT, _RIGHT = Listed("border", 1), Listed("border", 2)
_BEFORE, _HEAD = Listed("before", 1), Listed("before", 2)


class Syntax(IntFlag):
    """What the form of a word shows about its part in a phrase."""

    CONTENT = 1
    """No word of grammar, and no adverb by its ending."""
    DETERMINER = 2
    """A noun is to follow: an article, a possessive or the like."""
    SUBJECT = 4
    """Only a subject: "we"."""
    MODAL = 8
    TIME = 16
    """It ends a phrase that says when, which fits in nearly anywhere: "this week"."""
    LEADS = 32
    """A verb that two phrases, or a clause, may follow: "gave", "said"."""


_PARTS = {
    "article": Syntax.DETERMINER,
    "possessive": Syntax.DETERMINER,
    "this": Syntax.DETERMINER,
    "quantity": Syntax.DETERMINER,
    "subject": Syntax.SUBJECT,
    "modal": Syntax.MODAL,
    "time": Syntax.TIME,
    "say": Syntax.CONTENT | Syntax.LEADS,
    **dict.fromkeys(("past", "gone", "base", "third", "number"), Syntax.CONTENT),
}


def parts(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return the `Syntax` of each type, whatever its case.

    Example:
        >>> [Syntax(int(part)).name for part in parts(["The", "gate", "slowly", "told", "week", "of"])]
        ['DETERMINER', 'CONTENT', None, 'CONTENT|LEADS', 'CONTENT|TIME', None]
    """
    small = list(map(str.lower, texts))
    found = np.fromiter(map(_listed().get, small, repeat(_NOT_LISTED)), np.uint8, len(texts))
    for place in np.flatnonzero(found == _NOT_LISTED).tolist():
        found[place] = _by_ending(small[place])
    return found


@cache
def _listed() -> dict[str, Syntax]:
    """Return the part of each word that is in a list."""
    found = {text: _PARTS.get(name, Syntax(0)) for text, name in listed_words().items()}
    found["that"] = Syntax(0)  # it opens clauses too
    for kind, part in (("when", Syntax.TIME), ("leads", Syntax.LEADS)):
        for text in (word for words, *_ in entries(kind) for word in words.split()):
            found[text] = found.get(text, Syntax.CONTENT) | part
    return found


_NOT_LISTED = 255
_ADVERBIAL = ("ly", "ing", "wards")


def _by_ending(text: str) -> int:
    """Return the part of any other word in small letters."""
    return _CONTENT if text.isalpha() and not text.endswith(_ADVERBIAL) else 0


_CONTENT = Syntax.CONTENT.value


@dataclass(frozen=True)
class BorderWords:
    """What is known of words from the lists and from their parts in a phrase; a negative type stands for no word."""

    vocabulary: Vocabulary
    types: IntArray
    """In small letters."""

    @cached_property
    def part(self) -> IntArray:
        """The `Syntax` of each."""
        return np.where(self.types < 0, 0, self.vocabulary.property(parts).take(self.types))

    @cached_property
    def left(self) -> IntArray:
        """The borders at whose left each stands, as bits."""
        return _LEFT.of(self.vocabulary, self.types)

    @cached_property
    def right(self) -> IntArray:
        """Those at whose right."""
        return _RIGHT.of(self.vocabulary, self.types)

    @cached_property
    def before(self) -> IntArray:
        """The borders of a sentence that goes on, at whose left each stands."""
        return _BEFORE.of(self.vocabulary, self.types)

    @cached_property
    def head(self) -> IntArray:
        """Those at whose right."""
        return _HEAD.of(self.vocabulary, self.types)


@dataclass(frozen=True)
class Gaps:
    """E gaps between two words: what is known of an n-gram there before it is drawn."""

    left: BorderWords
    """Before the gaps: none where a mark stands between, or no word does."""
    right: BorderWords
    """Behind them."""

    @cached_property
    def open(self) -> BoolArray:
        """Bool [E]: gaps in which some n-gram stands out."""
        bits = self.left.left | self.left.before | self.right.right
        return (bits > 0) | _is(self.left.part, Syntax.SUBJECT | Syntax.MODAL) | _is(self.right.part, Syntax.DETERMINER)

    def stands_out(self, gaps: IntArray, words: BorderWords, head: IntArray, tail: IntArray) -> BoolArray:
        """Return where an n-gram is seen to be no part of the sentence.

        Args:
            gaps: which of the gaps.
            words: those that n-grams are made of.
            head: which of them is the first of each n-gram.
            tail: which is its last.
        """
        clash = self.left.left[gaps] & words.right[head] | words.left[tail] & self.right.right[gaps]
        clash |= self.left.before[gaps] & words.head[head]
        left, right, first, last = self.left.part[gaps], self.right.part[gaps], words.part[head], words.part[tail]
        whole = _is(last, Syntax.CONTENT) & ~_is(last, Syntax.TIME | Syntax.LEADS)
        # two phrases, or a clause and a phrase, where one is wanted
        doubled = whole & _is(right, Syntax.DETERMINER) & ~_is(left, Syntax.LEADS | Syntax.DETERMINER | Syntax.TIME)
        doubled &= _is(first, Syntax.DETERMINER) | (_is(first, Syntax.SUBJECT) & _is(left, Syntax.CONTENT))
        # what parts a subject or a modal from its verb
        parted = (
            whole & _is(first, Syntax.CONTENT) & ~_is(first, Syntax.LEADS) & _is(left, Syntax.SUBJECT | Syntax.MODAL)
        )
        result: BoolArray = (clash > 0) | doubled | parted
        return result


def _is(found: IntArray, asked: Syntax) -> BoolArray:
    """Return where a word has one of the parts asked for."""
    result: BoolArray = (found & asked.value) > 0
    return result
