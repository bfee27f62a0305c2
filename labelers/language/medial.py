"""Connective adverbs inside a segment that link it to the one before, as in "She, *however*, stayed".

The lexicon says in which frames a form does so (`labelers.language.forms.ConnectiveForm.medial`). A use counts only in
the first clause of its segment, where nothing that stands before it in the segment can be what it links to.
"""

from dataclasses import dataclass, fields
from functools import cache
from itertools import repeat
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.language.candidates import DOUBT, Uses
from labelers.language.context_model import RULE, log_odds, score
from labelers.language.forms import FRAMES, lexicon
from labelers.language.matches import Matches, match, medial_openers
from labelers.language.shapes import VERBS, shape, shapes, word_classes
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges
from labelers.vocabulary import Vocabulary

__all__ = ["medial_uses"]

_PERIODS = (
    "day days morning night evening afternoon week weeks month months year years hour hours minute minutes moment"
)
_SPECIAL = {
    **dict.fromkeys(_PERIODS.split(), "time"),
    "that": "that",
    "for": "for",
    "no": "no",
    "-": "hyphen",
    "'s": "'s",
    "\u2019s": "'s",
    "being": "ing",
    "having": "ing",
    "without": "preposition",
}
"""Words that weigh here otherwise than in the context model: by a class of their own, or by another one."""

_COMMA = frozenset({"comma"})
_AUXILIARIES = frozenset({"be", "have", "do", "modal", "'s"})
_MODALS = frozenset({"modal"})
_PRONOUNS = frozenset({"subject", "neutral"})
_DETERMINERS = frozenset({"article", "possessive", "this", "that", "quantity", "number"})
_STARTS = _PRONOUNS | _DETERMINERS | {"there", "title", "upper"}
"""What a clause opens with."""
_TIMES = frozenset({"time", "ly"})
_NOUNS = frozenset({"person", "word", "s", "title", "upper", "this", "that"})
_FRONTED = frozenset({"preposition", "to", "of", "ing", "ly", "time", "gone"})
"""What a phrase before the subject opens with."""
_JOINTS = frozenset({"but", "so"})
_AND = frozenset({"coordinator"})
_CLOSING = frozenset({"stop", "quote", "close"})
_HALF = frozenset({"semicolon", "dash"})
_BREAKS = _JOINTS | _CLOSING | {"subordinator", "open", "mark", "that", "than", "as", "then", "for"}
_WH = frozenset({"wh"})


def medial_uses(batch: PassageBatch, asked: BoolArray) -> Uses:
    """Return the uses that may be connectives of the first clause of a segment, and which are `framed`.

    Where the lexicon trusts the frame, a form counts as a connective like one that opens a segment before a comma.

    Args:
        batch: P passages.
        asked: bool [S]: the segments to look at.
    """
    at = medial_openers(batch)
    matches = match(batch, at[asked[batch.token_segments[at]]])
    segment = batch.token_segments[matches.start]
    inside = (lexicon().medial[matches.form] > 0) & (matches.start > batch.segments[segment])
    matches, segment = matches.take(inside), segment[inside]
    near = _Near.of(batch, matches, segment)
    matches, segment, near = matches.take(~near.later), segment[~near.later], near.take(~near.later)
    frame, odds = near.frame(), score(batch, matches)
    framed = lexicon().medial[matches.form] >> frame & 1 > 0
    trusted = framed & (lexicon().trusted[matches.form] >> frame & 1 > 0)
    set_off = near.comma_before & (near.comma_behind | near.closed)
    odds = np.where(trusted, np.maximum(odds, RULE), odds)
    uses = Uses.of(
        matches,
        segment,
        cut=matches.start - (set_off & ~near.keeps_comma),
        resume=matches.end + (near.comma_before & near.comma_behind),
        framed=framed & (near.breaks == 0) & ~near.unclear,
        odds=odds,
    )
    return uses.take(odds >= log_odds(DOUBT))


_KIND = np.dtype([("kind", np.int8), ("small", np.int8)])


def _kinds(vocabulary: Vocabulary, new: slice) -> npt.NDArray[np.void]:
    """Return the number of each type's class, and in small letters; those of `_SPECIAL` come behind the others."""
    special = {text: _names().index(name) for text, name in _SPECIAL.items()}
    texts, types = vocabulary.texts[new], vocabulary.property(shape)[new]
    found = np.fromiter(map(special.get, map(str.lower, texts), repeat(-1)), np.int8, len(texts))
    out = np.empty(len(texts), _KIND)
    out["kind"], out["small"] = (np.where(found < 0, types[name], found) for name in ("class", "small"))
    return out


@cache
def _names() -> tuple[str, ...]:
    """Return the names of the classes."""
    return tuple(dict.fromkeys((*word_classes(), *_SPECIAL.values())))


@cache
def _table(names: frozenset[str]) -> BoolArray:
    """Return for every class if its name is one of those."""
    return np.array([name in names for name in _names()])


def _among(kinds: npt.NDArray[np.int8], names: frozenset[str]) -> BoolArray:
    """Return which kinds are classes of those names."""
    return _table(names)[kinds]


@dataclass(frozen=True)
class _Near:
    """What stands around each of U matches in its segment, arrays of length U; kinds are numbers of classes."""

    opening: npt.NDArray[np.int8]
    """The kind of the segment's first token."""
    second: BoolArray
    """Nothing but that token stands before it, a comma left out."""
    before: npt.NDArray[np.int8]
    """Of the token before the match, a comma left out."""
    behind: npt.NDArray[np.int8]
    """Of the token behind it, a comma left out."""
    beyond: npt.NDArray[np.int8]
    """Of the token behind that one."""
    comma_before: BoolArray
    comma_behind: BoolArray
    closed: BoolArray
    """It ends its clause: a semicolon or dash stands behind it, or nothing but closing marks."""
    commas: IntArray
    """Commas before it in the segment, the one at once before it left out."""
    clause: BoolArray
    """A verb stands before it in the segment, as far as closed lists show, or a pronoun with something behind."""
    later: BoolArray
    """It stands in a later clause, behind a semicolon, a dash or a conjunction of clauses."""
    breaks: IntArray
    """Tokens before it that end or subordinate a clause, or that quote."""

    @classmethod
    def of(cls, batch: PassageBatch, matches: Matches, segment: IntArray) -> Self:
        """Look around the matches."""
        types = batch.vocabulary.derived(_kinds)
        first, stop = batch.segments[segment], batch.segment_ends[segment]

        def at(place: IntArray) -> npt.NDArray[np.int8]:
            found: npt.NDArray[np.int8] = types["kind"][batch.codes[np.clip(place, first, stop - 1)]]
            return found

        comma_before, comma_behind = (_among(at(edge), _COMMA) for edge in (matches.start - 1, matches.end))
        size = matches.start - comma_before - first
        left = types["kind"][batch.codes[ranges(first, size)]]
        owner = np.repeat(np.arange(len(matches)), size)

        def count(names: frozenset[str]) -> IntArray:
            found: IntArray = np.bincount(owner[_among(left, names)], minlength=len(matches))
            return found

        opening = types["small"][batch.codes[first]]  # "Seeing" is no name there
        before, behind = at(matches.start - 1 - comma_before), at(matches.end)
        commas, verbs = count(_COMMA), count(VERBS)
        others = verbs - _among(before, VERBS)
        conjoined = (count(_AND) > _among(opening, _AND)) & ((others > 0) | (commas > 0))
        last = _among(behind, _CLOSING) & _among(at(matches.end + 1), _CLOSING)
        question = _among(opening, _WH) & (size == 1)  # "Why, then, did he stay?"
        capital = shapes(batch)["capital"][batch.codes[matches.start]]
        return cls(
            opening=opening,
            second=size == 1,
            before=before,
            behind=at(matches.end + comma_behind),
            beyond=at(matches.end + comma_behind + 1),
            comma_before=comma_before,
            comma_behind=comma_behind,
            closed=(matches.end < stop) & (last | _among(behind, _HALF)),
            commas=commas,
            clause=(verbs > 0) | (count(_PRONOUNS) > _among(before, _PRONOUNS)),
            later=conjoined | (count(_JOINTS | _HALF) > _among(opening, _JOINTS)),
            breaks=count(_BREAKS) - _among(opening, frozenset({"that"})) + count(_WH) - question + capital,
        )

    def take(self, which: BoolArray) -> Self:
        """Return what stands around the given matches."""
        return type(self)(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def frame(self) -> IntArray:
        """Return the number of the frame in `labelers.language.forms.FRAMES` that each stands in, one more for none."""
        alone = ~self.comma_before & ~self.comma_behind & ~self.closed & (self.commas == 0)
        first = (self.commas == 0) & ~self.second
        noun = _among(self.before, _NOUNS) & ~self.clause
        verb = _among(self.behind, VERBS)
        subject = (_among(self.before, _PRONOUNS) & (verb | _among(self.behind, frozenset({"word", "s", "ly"})))) | (
            noun & (verb | _among(self.behind, frozenset({"s"})))
        )
        frames = {
            "commas": self.comma_before & self.comma_behind,
            "end": self.comma_before & self.closed,
            "last": ~self.comma_before & (self.closed | self.comma_behind) & self.clause & first,
            "subject": alone & subject,
            "modal": alone & _among(self.before, _MODALS) & ~_among(self.behind, _PRONOUNS),
            "auxiliary": alone & _among(self.before, _AUXILIARIES - _MODALS) & ~_among(self.behind, _PRONOUNS),
            "object": alone & _among(self.before, VERBS - _AUXILIARIES) & first,
        }
        found: IntArray = np.argmax([*(frames[name] for name in FRAMES), np.ones(len(alone), bool)], axis=0)
        return found

    @property
    def after_verb(self) -> BoolArray:
        """Which stand behind a verb: the object or the rest of the predicate follows."""
        return _among(self.before, VERBS | _AUXILIARIES)

    @property
    def keeps_comma(self) -> BoolArray:
        """Which leave one of their two commas: it divides a fronted phrase, or a clause linked on, as well."""
        subject = _among(self.behind, _PRONOUNS) | (
            _among(self.behind, _STARTS) & (_among(self.opening, _FRONTED) | ~self.clause)
        )
        participle = _among(self.behind, frozenset({"ing"})) & ~_among(self.before, frozenset({"be", "'s"}))
        # "This, however, he knew", "Which, indeed, it was"
        object_ = self.second & _among(self.before, frozenset({"this", "that", "wh"}))
        linked = _among(self.behind, _JOINTS | _AND) & ~_among(self.before, _AUXILIARIES | {"not"})
        kept = (subject & ~self.after_verb & ~object_) | participle | linked
        return kept & self.comma_before & self.comma_behind

    @property
    def unclear(self) -> BoolArray:
        """Which stand where it is not clear whose the commas are, or behind an answer ("No, indeed, ...")."""
        bound = self.after_verb | _among(self.before, _PRONOUNS)
        fronted = _among(self.opening, _FRONTED) & ~self.clause & ~_among(self.behind, _STARTS)
        aside = _among(self.behind, frozenset({"wh", "quote", "for", "subordinator", "as"}))
        # "It is clear, therefore, that he stayed", but "a noise, moreover, that ..."
        aside |= _among(self.behind, frozenset({"that"})) & ~self.after_verb & ~_among(self.opening, _PRONOUNS)
        aside |= ~self.clause & _among(self.behind, frozenset({"preposition"}))
        # "The gown, for instance, figured in the last issue, has ..."
        passive = _among(self.behind, frozenset({"ed"})) & _among(self.beyond, frozenset({"preposition"}))
        aside |= ~self.clause & passive & ~bound
        participle = self.second & _among(self.opening, frozenset({"ing"}))
        # "One thing, however, he knew" wants no comma, "One day, however, he left" does
        topic = ~self.clause & ~self.second & ~_among(self.opening, _FRONTED) & ~_among(self.before, _TIMES)
        aside |= topic & _among(self.behind, _PRONOUNS | {"there"})
        unclear = ((self.commas > 0) & ~bound) | fronted | participle | (self.comma_behind & aside)
        return (self.comma_before & unclear) | _among(self.before, frozenset({"no", "filler"}))
