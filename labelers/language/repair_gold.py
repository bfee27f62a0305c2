"""Repairs that people marked: from the tags of tokens to reparanda, what stands behind each, and how it goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from labelers.language.fluency import by_text
from labelers.language.repair_profile import UNLISTED, parted, word_class
from labelers.language.words import is_clitic

__all__ = [
    "DISFLUENT",
    "FLUENT",
    "PHRASE",
    "Annotated",
    "Filler",
    "Reparandum",
    "Written",
    "akin",
    "fillers",
    "kind_of",
    "reparanda",
    "same_head",
    "shared",
    "with_phrases",
    "written",
]

FLUENT, DISFLUENT, PHRASE = "O", "D", "I"
"""Tags: as the labeler disfluency calls them."""

_SHARED = 4  # letters that two words must begin with to be forms of one


@dataclass(frozen=True)
class Written:
    """A word as it is written, or a mark."""

    text: str
    tag: str
    mark: bool


@dataclass(frozen=True)
class Annotated:
    """An utterance with its tags: O, D (reparandum) and I (interregnum, and words that fill a pause)."""

    tokens: Sequence[str]
    tags: Sequence[str]


@dataclass(frozen=True)
class Reparandum:
    """One reparandum."""

    words: tuple[str, ...]
    """In small letters."""
    comma: bool
    """A mark stands behind it."""
    phrase: str
    """The editing phrase behind it, a comma where marks part it."""
    closed: bool
    """A mark stands behind that."""
    place: int
    """Fluent words of the utterance before it."""
    link: int
    """Reparanda at the same place before it."""


@dataclass(frozen=True)
class Filler:
    """Words that fill a pause, or a discourse marker: an editing phrase that stands behind no reparandum."""

    phrase: str
    """In small letters, a comma where marks part it."""
    behind: str
    """The fluent word before it, in small letters; "" where it opens the utterance."""
    comma: bool
    """A mark stands before it."""
    closed: bool
    """A mark stands behind it."""
    place: int
    """Fluent words of the utterance before it."""


def written(utterance: Annotated) -> list[Written]:
    """Return the words and marks of an utterance; a clitic is written with the word before it.

    Example:
        >>> [item.text for item in written(Annotated(["It", "'s", "late", "."], ["O"] * 4))]
        ["It's", 'late', '.']
    """
    found: list[Written] = []
    for token, tag in zip(utterance.tokens, utterance.tags, strict=True):
        mark = not any(map(str.isalnum, token))
        if found and is_clitic(token) and not found[-1].mark:
            found[-1] = Written(found[-1].text + token, found[-1].tag, mark=False)
        else:
            found.append(Written(token, tag, mark))
    return found


def with_phrases(utterance: Annotated) -> Annotated:
    """Return an utterance in which what ends a reparandum, and is known to be an editing phrase, is tagged so.

    It is for annotation that has one class for all that is to be deleted.

    Example:
        >>> with_phrases(Annotated(["at", "noon", "no", "wait", "at", "one"], ["D", "D", "D", "D", "O", "O"])).tags
        ['D', 'D', 'I', 'I', 'O', 'O']
    """
    tags, words = list(utterance.tags), [token.lower() for token in utterance.tokens]
    for last in range(len(tags)):
        if tags[last] == DISFLUENT and (last + 1 == len(tags) or tags[last + 1] != DISFLUENT):
            start = last + 1
            while size := _phrase_before(words, tags, start):
                start -= size
            if start and tags[start - 1] == DISFLUENT:  # something is left that it edits
                tags[start : last + 1] = [PHRASE] * (last + 1 - start)
    return Annotated(utterance.tokens, tags)


def _phrase_before(words: Sequence[str], tags: Sequence[str], end: int) -> int:
    """Return the tokens of the longest editing phrase, or of a mark, that ends at a position of a reparandum."""
    for size in range(min(_PHRASE_TOKENS, end), 0, -1):
        text = " ".join(words[end - size : end])
        if set(tags[end - size : end]) == {DISFLUENT} and (text in _phrases() or not any(map(str.isalnum, text))):
            return size
    return 0


@cache
def _phrases() -> frozenset[str]:
    """Return what is known to stand between a reparandum and its repair."""
    return frozenset(text for kind in ("interregnum", "cue", "filler") for text in by_text(kind))


_PHRASE_TOKENS = 3


def reparanda(items: Sequence[Written]) -> Iterator[Reparandum]:
    """Yield the reparanda of an utterance: a mark or an editing phrase parts those that follow each other.

    Example:
        >>> items = written(Annotated(["it", ",", "it", "uh", "it's", "late"], ["D", "D", "D", "I", "O", "O"]))
        >>> [(item.words, item.comma, item.phrase, item.place, item.link) for item in reparanda(items)]
        [(('it',), True, '', 0, 0), (('it',), False, 'uh', 0, 1)]
    """
    at = place = link = 0
    while at < len(items):
        if items[at].tag != DISFLUENT or items[at].mark:
            fluent = items[at].tag == FLUENT and not items[at].mark
            place, link, at = place + fluent, 0 if fluent else link, at + 1
            continue
        words: list[str] = []
        while at < len(items) and items[at].tag == DISFLUENT and not items[at].mark:
            words.append(items[at].text.lower())
            at += 1
        comma, at = _marks(items, at)
        phrase, closed, at = _phrase(items, at)
        yield Reparandum(tuple(words), comma, phrase, closed, place, link)
        link += 1


def fillers(items: Sequence[Written]) -> Iterator[Filler]:
    """Yield the fillers of an utterance.

    Example:
        >>> items = written(Annotated(["Well", ",", "it", "it", "uh", "is", "um", "late"], list("IIDDIOIO")))
        >>> [(item.phrase, item.behind, item.comma, item.closed, item.place) for item in fillers(items)]
        [('well', '', False, True, 0), ('um', 'is', False, False, 1)]
    """
    at = place = 0
    behind, edits, comma = "", False, False
    while at < len(items):
        item = items[at]
        if item.tag == PHRASE and not item.mark and not edits:
            phrase, closed, at = _phrase(items, at)
            yield Filler(phrase, behind, comma, closed, place)
            comma = False
            continue
        if not item.mark:
            if item.tag == FLUENT:
                place, behind = place + 1, item.text.lower()
            edits = item.tag == DISFLUENT or (edits and item.tag == PHRASE)
        comma, at = item.mark, at + 1


def _phrase(items: Sequence[Written], at: int) -> tuple[str, bool, int]:
    """Return the editing phrase at a position, whether a mark stands behind it, and the position behind both."""
    phrase: list[str] = []
    closed = False
    while at < len(items) and items[at].tag == PHRASE and not items[at].mark:
        phrase += [","] * bool(phrase and closed)
        phrase.append(items[at].text.lower())
        at += 1
        closed, at = _marks(items, at)
    return " ".join(phrase), bool(phrase) and closed, at


def _marks(items: Sequence[Written], at: int) -> tuple[bool, int]:
    """Return whether marks stand at a position, and the position behind them."""
    start = at
    while at < len(items) and items[at].mark and items[at].tag != FLUENT:
        at += 1
    return at > start, at


def kind_of(words: Sequence[str], follows: Sequence[str]) -> str:
    """Return the kind of a reparandum, given the words of the utterance that follow it.

    Example:
        >>> kind_of(["i"], ["i", "think"]), kind_of(["thi-"], ["think"]), kind_of(["it"], ["it's", "late"])
        ('repeat', 'cut', 'substitute')
        >>> kind_of(["we", "went"], ["we", "drove"]), kind_of(["they", "want"], ["so", "we", "left"])
        ('substitute', 'restart')
    """
    size = len(words)
    if list(follows[:size]) == list(words):
        return "repeat"
    cut, rest = words[-1].endswith("-"), follows[size - 1] if len(follows) >= size else ""
    if cut and list(follows[: size - 1]) == list(words[:-1]) and rest.startswith(words[-1].rstrip("-")):
        return "cut"
    if size == 1:
        return "substitute" if not cut and follows and akin(words[0], follows[0]) else "restart"
    front = list(follows[1:size]) == list(words[1:])
    return "substitute" if front or shared(words, follows) else "restart"


def shared(words: Sequence[str], follows: Sequence[str]) -> int:
    """Return with how many equal words both begin."""
    both = enumerate(zip(words, follows, strict=False))
    return next((place for place, (one, other) in both if one != other), min(len(words), len(follows)))


def akin(word: str, other: str) -> bool:
    """Return whether one word may stand for the other: a form of it, or a word of the same class.

    Example:
        >>> akin("it", "it's"), akin("my", "their"), akin("the", "gate"), akin("gate", "wall")
        (True, True, False, False)
    """
    name = word_class(word)
    if name == word_class(other) and name not in _OPEN:
        return True
    return same_head(word, other)


_OPEN = frozenset(UNLISTED) - {"digit"}


def same_head(word: str, other: str) -> bool:
    """Return whether two words are forms of one: "it" and "it's", "thought" and "thoughts"."""
    one, two = parted(word)[0], parted(other)[0]
    return one == two or (len(one) >= _SHARED and len(two) >= _SHARED and one[:_SHARED] == two[:_SHARED])
