# ruff: noqa: RUF001, SIM905  (quotes are what this is about; lists of words read best as text)
"""Where sentences start, decided for all tokens of a batch at once from what is known of each token type."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["BREAK", "sentence_starts", "traits"]

FINAL, DOT, DOTS, CLOSES, OPENS, COLON, BREAK = (1 << bit for bit in range(7))
LOWER, UPPER, NUMBER, ITEM, TITLE, SHORT, COUNTS, INITIAL, OPENER, CASUAL = (1 << bit for bit in range(7, 17))
"""What a token type may be; bits of `traits`."""

_TITLES = frozenset(
    "adm brig capt cmdr col cpl dr esq fr gen gov hon insp lieut lt maj messrs mlle mme mr mrs ms mt pres prof "
    "pvt rep rev rt sen sgt sr st supt".split()
)
"""Before a name: a period behind one ends no sentence."""

_SHORT = frozenset(
    "abbr approx apr assoc attn aug avg bldg blvd bros ca cent cf cie co corp ct dec dept dist ed eds eg est etc exc "
    "feb fl fri ft ie inc incl jan jr jul jun ltd misc mon nov oct op opp orig pl pub rd ref refs sep sept sq subj tel "
    "thur thurs trans tue tues univ viz vs wed".split()
)
"""A period behind one ends a sentence only where the next word looks like a first word."""

_LONGEST_SHORT = 5
"""Characters of the longest token that is taken for an abbreviation for its period alone."""

_COUNTED = frozenset("art ch chap ex ext fig figs no nos p par ph pp pt sec sect ser v vol vols".split())
"""Before a number: a period between the two ends no sentence."""

_STARTERS = frozenset(
    "a after all although an and another as at because before both but by did do does even every few finally first "
    "for from has have he her here his how however i if in is it its just later let many maybe more most my no nobody "
    "not nothing now of on once one only or our perhaps please she since so some soon still such thanks that the their "
    "then there these they this those though thus to today under until was we were what when where which while who "
    "why with yes yet you your".split()
)
"""Words that often open a sentence and stand in lower case inside one."""

_CASUAL = frozenset("i im ive dont cant didnt doesnt u ur thx pls lol".split())
"""Spellings of people who open sentences in lower case."""

_OPENING = frozenset("“‘([{«‹「¿¡") | {"``"}
_LOUD = frozenset("!?‽！？؟")
_MARKS: Mapping[str, int] = {
    **dict.fromkeys(".。।۔", FINAL | DOT),
    ":": COLON,
    **dict.fromkeys(["''", "’’", *"”’)]}»›」"], CLOSES),
    **dict.fromkeys(["--", "---", *"-—–*_•", *_OPENING], OPENS),
    **dict.fromkeys("\"'", CLOSES | OPENS),
}
_FACE = re.compile(r"[<>]?[:;=8xX]['’]?[-^o]?[()\[\]DdPpOo03|/\\*]+|[(\[]+[-^o]?['’]?[:;=]|<3+|\^_+\^")
"""An emoticon, as far as spaCy keeps it in one token."""


def traits(texts: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return the trait bits of each text."""
    return np.fromiter(map(_trait, texts), np.int32, len(texts))


def _trait(text: str) -> int:
    """Return the trait bits of one text."""
    if text.isalpha():
        return _word(text)
    if text.isdigit():
        return NUMBER | (ITEM if len(text) < 3 else 0)  # noqa: PLR2004
    if _FACE.fullmatch(text):
        return FINAL | CLOSES
    if not any(map(str.isalnum, text)):
        return _mark(text) | (0 if text in _OPENING else BREAK)
    if text[-1] == "." and text[0].isalpha():  # "Mr.", "a.m.", "J.": spaCy leaves them whole
        word = _word(text[:-1])
        known = word & (TITLE | COUNTS | INITIAL) or (text[:-1].isalpha() and len(text) > _LONGEST_SHORT)
        return DOT | word if known else DOT | SHORT | word
    return (NUMBER if text[0].isdigit() else _word(text)) | (FINAL if text[-1] in _LOUD else 0)


_LISTS = (
    (TITLE, _TITLES),
    (SHORT, _SHORT),
    (COUNTS, _COUNTED),
    (OPENER, _STARTERS),
)


def _word(text: str) -> int:
    """Return the trait bits of a word without its period."""
    name = text.lower()
    bits = UPPER if text[0].isupper() else LOWER if text[0].islower() else 0
    for kind, names in _LISTS:
        if name in names:
            bits |= kind
    return bits | (INITIAL if len(text) == 1 and bits & UPPER else 0) | (CASUAL if text in _CASUAL else 0)


def _mark(text: str) -> int:
    """Return what a token of marks does at the end or the start of a sentence."""
    if text in _MARKS:
        return _MARKS[text]
    if text[-1] in _LOUD:
        return FINAL
    return FINAL | DOTS if set(text) <= {".", "…"} else 0


def sentence_starts(vocabulary: Vocabulary, codes: IntArray, spaces: BoolArray, pieces: IntArray) -> BoolArray:
    """Return whether each token opens a sentence.

    Args:
        vocabulary: of the N codes.
        codes: int [N].
        spaces: bool [N], a space follows; none at the end of a piece.
        pieces: int [pieces + 1], offsets of the stretches of text, none empty; each opens a sentence.
    """
    count = len(codes)
    if count == 0:
        return np.zeros(0, bool)
    starts = np.zeros(count + 1, bool)
    starts[pieces] = True
    kinds = vocabulary.property(traits)[codes]
    marks = np.flatnonzero((kinds & (FINAL | DOT)) != 0)
    last = np.append(kinds, np.int32(0))  # so that looking beyond the end finds nothing
    follow = _behind_closers(last, spaces, starts, marks + 1)
    first = _behind_openers(last, starts, follow)
    casual = np.add.reduceat(kinds & CASUAL, pieces[:-1])[np.searchsorted(pieces, marks, side="right") - 1] > 0
    ends = _ends(last, spaces, starts, np.stack([marks, follow, first]), casual)
    starts[follow[ends]] = True
    starts[follow[ends & _items(last, spaces, starts, marks)]] = False
    return starts[:count]


def _behind_closers(kinds: IntArray, spaces: BoolArray, starts: BoolArray, places: IntArray) -> IntArray:
    """Return the places moved behind the quotes and brackets that close what ends before them."""
    places = places.copy()
    for _ in range(4):
        kind = kinds[places]
        places += (kind & CLOSES != 0) & ((kind & OPENS == 0) | ~spaces[places - 1]) & ~starts[places]
    return places


def _behind_openers(kinds: IntArray, starts: BoolArray, places: IntArray) -> IntArray:
    """Return the places moved on to the first word behind opening quotes, brackets and dashes."""
    places = places.copy()
    for _ in range(3):
        places += (kinds[places] & OPENS != 0) & ~starts[np.minimum(places + 1, len(starts) - 1)]
    return places


def _ends(kinds: IntArray, spaces: BoolArray, starts: BoolArray, places: IntArray, casual: BoolArray) -> BoolArray:
    """Return which marks end a sentence.

    ``places`` [3, M] are the mark, the token behind it and its closers, and the first word from there on; ``casual``
    tells whether it is in a text that opens sentences in lower case.
    """
    marks, follow, first = places
    mark, word, beyond = kinds[marks], kinds[first], kinds[follow]
    dot, final, bare = mark & DOT != 0, mark & FINAL != 0, follow == marks + 1
    before = np.where(starts[marks], 0, kinds[marks - 1])
    own = np.where(final, before, mark)  # what a period belongs to
    plain = (own & LOWER != 0) & (own & (TITLE | SHORT | COUNTS) == 0)
    end: BoolArray = word & LOWER == 0
    end |= final & bare & np.where(dot, plain, casual)  # not so in: “I must go.” said he
    end &= spaces[follow - 1] & ((beyond & FINAL == 0) | (beyond & DOTS != 0))  # of "?!" and ". . ." the last decides
    end &= ~(dot & (own & TITLE != 0))
    end &= ~(dot & (own & (SHORT | INITIAL) != 0) & (word & OPENER == 0))
    end &= ~(dot & (own & COUNTS != 0) & (word & NUMBER != 0))
    return end


def _items(kinds: IntArray, spaces: BoolArray, starts: BoolArray, marks: IntArray) -> BoolArray:
    """Return which marks stand behind the number of an item: where a sentence starts, or behind a colon or dash."""
    earlier = np.maximum(marks - 2, 0)
    head = starts[marks - 1] | ((kinds[earlier] & (OPENS | COLON) != 0) & spaces[earlier])
    items: BoolArray = (kinds[marks] & DOT != 0) & (kinds[marks - 1] & ITEM != 0) & ~starts[marks] & head
    return items
