"""Where sentences start, decided for all tokens of a batch at once from what is known of each token type."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labelers.passages import BoolArray, IntArray, Vocabulary

__all__ = ["BREAK", "sentence_starts", "traits"]

FINAL, DOT, DOTS, MARK, CLOSES, OPENS, LOWER, UPPER, NUMBER, TITLE, SHORT, INITIAL, WORD, BREAK = (
    1 << i for i in range(14)
)
"""What a token type may be; bits of `traits`."""

_TITLES = frozenset(
    "adm brig capt cmdr col cpl dr esq fr gen gov hon insp lieut lt maj messrs mlle mme mr mrs ms mt pres prof "
    "pvt rep rev rt sen sgt sr st supt".split()
)
"""Before a name: a period behind one ends no sentence."""

_SHORT = frozenset(
    "abbr al approx apr art assoc aug av ave avg bldg blvd bros ca cf ch chap cie co corp ct dec dept dist ed eds eg "
    "est etc exc exp ext feb fig figs fl ft ie inc incl jan jr jul jun ltd mag mar max min misc mon nat no nos nov oct "
    "op opp orig p par pl pp pt pub rd ref refs rel ser sec sect seq sep sept sq subj tel trans tue univ v var vol "
    "vols vs viz wed".split()
)
"""A period behind one ends a sentence only where the next word looks like a first word."""

_STARTERS = frozenset(
    "a after all although an and another as at because before both but by did do does even every few finally first "
    "for from has have he her here his how however i if in is it its just later let many maybe more most my no nobody "
    "not nothing now of on once one only or our perhaps please she since so some soon still such thanks that the their "
    "then there these they this those though thus to today under until was we were what when where which while who "
    "why with yes yet you your".split()
)
"""Words that often open a sentence and stand in lower case inside one."""


_OPENING = frozenset({"“", "‘", "(", "[", "{", "«", "``", "‹", "「", "¿", "¡"})


def traits(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int16]:  # noqa: ARG001  (a Property)
    """Return the trait bits of each text."""
    return np.fromiter(map(_trait, texts), np.int16, len(texts))


def _trait(text: str) -> int:
    """Return the trait bits of one text."""
    if text.isalpha():
        return _word(text)
    if not any(map(str.isalnum, text)):
        return _punctuation(text)
    if text[-1] == "." and text[0].isalpha():  # "Mr.", "a.m.", "J.": spaCy leaves them whole
        bits = DOT | _word(text[:-1].replace(".", "")) & (UPPER | LOWER | WORD)
        name = text[:-1].lower()
        inner = len(name) == 1 and text[0].isupper()
        return bits | (TITLE if name in _TITLES else INITIAL if inner else SHORT)
    return NUMBER if text[0].isdigit() else _word(text)


def _word(text: str) -> int:
    """Return the trait bits of a word without its period."""
    name = text.lower()
    case = UPPER if text[:1].isupper() else LOWER if text[:1].islower() else 0
    short = TITLE if name in _TITLES else SHORT if name in _SHORT else 0
    letter = INITIAL if len(text) == 1 and text.isupper() else 0
    return case | short | letter | (WORD if name in _STARTERS else 0)


def _punctuation(text: str) -> int:
    """Return the trait bits of a token without letters and digits."""
    return _mark(text) | (0 if text in _OPENING else BREAK)


def _mark(text: str) -> int:
    """Return what a mark does at the end or start of a sentence."""
    if text[-1] in "!?‽！？؟" or text in {'!"', '?"'}:
        return FINAL | MARK
    if text in {".", "。", "।", "۔"}:
        return FINAL | DOT
    if set(text) <= {".", "…"}:
        return FINAL | DOTS
    if text in {"”", "’", ")", "]", "}", "»", "''", "’’", "›", "」"}:
        return CLOSES
    if text in _OPENING or text in {"-", "--", "—", "–", "*", "_", "•"}:
        return OPENS
    return CLOSES | OPENS if text in {'"', "'"} else 0


def sentence_starts(vocabulary: Vocabulary, codes: IntArray, spaces: BoolArray, pieces: IntArray) -> BoolArray:
    """Return whether each token opens a sentence.

    Args:
        vocabulary: of the N codes.
        codes: int [N].
        spaces: bool [N], a space follows.
        pieces: int [pieces + 1], offsets of the texts and turns, none empty; each opens a sentence.
    """
    count = len(codes)
    starts = np.zeros(count + 1, bool)
    starts[pieces] = True
    kinds = vocabulary.property(traits)[codes]
    marks = np.flatnonzero((kinds & (FINAL | DOT)) != 0)
    last = np.append(kinds, np.int16(0))  # so that looking beyond the end finds nothing
    follow = _behind_closers(last, spaces, starts, marks + 1)
    first = _behind_openers(last, starts, follow)
    ends = _ends(last, spaces, starts, marks, follow, first)
    starts[follow[ends]] = True
    return starts[:count]


def _behind_closers(kinds: IntArray, spaces: BoolArray, starts: BoolArray, places: IntArray) -> IntArray:
    """Return the places moved behind the quotes and brackets that close what ends before them."""
    places = places.copy()
    for _ in range(4):
        kind = kinds[places]
        closing = (kind & CLOSES != 0) & ((kind & OPENS == 0) | ~spaces[places - 1])
        places += closing & ~starts[places]
    return places


def _behind_openers(kinds: IntArray, starts: BoolArray, places: IntArray) -> IntArray:
    """Return the places moved on to the first word behind opening quotes, brackets and dashes."""
    places = places.copy()
    for _ in range(3):
        opening = kinds[places] & OPENS != 0
        places += opening & ~np.append(starts[1:], True)[places]
    return places


def _ends(
    kinds: IntArray, spaces: BoolArray, starts: BoolArray, marks: IntArray, follow: IntArray, first: IntArray
) -> IntArray:
    """Return which of the marks end a sentence.

    ``follow`` is the token behind each mark and its closers, ``first`` the first word from there on.
    """
    mark, word = kinds[marks], kinds[first]
    before = np.where(starts[marks], np.int16(0), kinds[marks - 1])
    own = np.where(mark & FINAL != 0, before, mark)  # what a period belongs to
    lower, opener = word & LOWER != 0, word & WORD != 0
    dot = mark & DOT != 0
    again = kinds[follow] & FINAL != 0  # "?!", ". . .": the last of them decides
    end = ~lower & ~again
    end &= ~(dot & (own & TITLE != 0))
    end &= ~(dot & (own & (SHORT | INITIAL) != 0) & ~opener)
    end &= spaces[follow - 1]
    return end
