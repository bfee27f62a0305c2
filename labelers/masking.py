"""Mask orchestration (T. Wang et al. 2020): one passage, and for each task another part of it hidden.

No text is changed and no token copied. A row stores which parts each task hides, and the trainer hides them in the
sequence of that task alone: what one task must predict, another may read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, ClassVar
from unicodedata import category, combining, normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import SPAN, class_lists, class_type, row_lists, span_column
from labelers.declaration import Declaration
from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Corpus, Labeler, Proposal, Request
from labelers.language.fluency import broken_words
from labelers.language.words import Form, form_flags, leans, transcript_marks
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges, running_total

__all__ = ["Masking"]

_MIN_SEGMENTS = 3  # what stands on both sides of a segment makes it predictable
_MIN_WORDS = 3  # "Yes." and "No, no." are not worth a decoder
_MIN_TURNS = 3  # a target turn needs another than its two hidden neighbours can be
_MIN_CLASSES = 2
_SILENT = frozenset({"a", "an", "and", "for", "in", "of", "on", "the", "to"})  # in a role's name they name nobody
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Masking(Labeler):
    """Masked words, one segment masked whole, and in dialogues hidden roles.

    Options:
        rate: share of the words that word prediction hides.
        role_rate: share of a dialogue's turns whose role is to be predicted; at least one of a passage.
    """

    rate: float = 0.15  # Devlin et al. 2019, section 3.1
    role_rate: float = 0.2

    version: ClassVar[int] = 3
    paper: ClassVar[str] = "T. Wang et al. 2020 [126]"
    reasons: ClassVar[tuple[str, ...]] = ("no_words",)
    needs_classes: ClassVar[tuple[str, ...]] = ("roles",)

    def __post_init__(self) -> None:
        """Refuse rates that are no shares."""
        for option in ("rate", "role_rate"):
            value = getattr(self, option)
            if not 0 < value < 1:
                raise ValueError(f"labeler 'masking': {option} is {value!r}; it must lie between 0 and 1")

    def declare_found(self, corpus: Corpus) -> Declaration:
        """Return draw and never per token, the span of a segment, and role per turn with what hides it.

        The roles are a task where there are two of them to tell apart.
        """
        roles = _role_classes(corpus)
        columns = (
            pa.field("draw", pa.list_(pa.uint8())),
            pa.field("never", pa.list_(pa.bool_())),
            pa.field("segment", SPAN),
            pa.field("role", pa.list_(class_type(len(roles)))),
            pa.field("role_hidden", pa.list_(pa.bool_())),
            pa.field("role_words", pa.list_(pa.bool_())),
        )
        name = f"{self.name}.word"
        word = self.task.masked_lm("draw", exclude="never", rate=self.rate, roles=True, name=name)
        segment = self.task.generation("segment", span="segment", level="segment")
        role = self.task.turn("role", classes=roles, hide_roles="role_hidden", hide_tokens="role_words")
        return Declaration(columns, (word, segment, role) if roles else (word, segment))

    def propose(self, request: Request) -> Proposal:
        """Abstain from rows without a word; there are no edits."""
        batch = request.batch
        forms = batch.vocabulary.property(form_flags).take(batch.codes)
        words = (forms & Form.WORD.value > 0) & ~transcript_marks(batch, forms)
        marks = batch.vocabulary.property(_marks).take(batch.codes)
        whole = words & (marks & _Mark.PLAIN.value > 0)
        whole[broken_words(batch, words)] = False
        whole[_tagged(batch, marks)] = False
        some = np.diff(running_total(whole)[batch.offsets]) > 0
        state = {"forms": forms, "words": words, "whole": whole, "leans": leans(batch, words, forms)}
        return Proposal(np.where(some, 1, 2).astype(np.int8), Edits.none(), state=state)

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Return what each task hides, aligned to the view."""
        batch, corpus, draws = request.batch, request.corpus, request.draws
        rows, turn_rows = proposal.status < 2, np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))  # noqa: PLR2004
        # the last place is for what was inserted
        never = view.touched | ~np.append(proposal.state["whole"], False).take(view.origin)
        draw = _draw_bytes(batch, draws, view)
        _write_together(draw, never, _leaning(proposal.state["leans"], view))
        role = self._role_targets(batch, corpus, draws, turn_rows)
        hidden = _with_neighbours(role >= 0, turn_rows) | _told_by_turns(batch, role >= 0, turn_rows)
        columns = {
            "draw": row_lists(draw, view.offsets, rows),
            "never": row_lists(never, view.offsets, rows),
            "role": class_lists(role, batch.turn_offsets, rows, classes=len(_role_classes(corpus))),
            "role_hidden": row_lists(hidden, batch.turn_offsets, rows),
            "role_words": row_lists(_role_words(batch, corpus, view, hidden), view.offsets, rows),
        }
        if not request.joint:
            columns["segment"] = _spans(batch, *_segments(batch, draws, proposal.state))
        return columns

    def _role_targets(self, batch: PassageBatch, corpus: Corpus, draws: Draws, turn_rows: IntArray) -> IntArray:
        """Return int64 [T]: the class of each target turn, -1 for the others."""
        classes, result = _role_classes(corpus), np.full(len(turn_rows), -1)
        table = np.full(len(batch.vocabulary) + 1, -1)  # by type; the last place takes roles never met
        table[[batch.vocabulary.find(name) for name in classes]] = np.arange(len(classes))
        table[-1] = -1
        turns = np.diff(batch.turn_offsets)
        able = np.flatnonzero((table[batch.roles] >= 0) & (turns[turn_rows] >= _MIN_TURNS))
        able_rows, number = turn_rows[able], able - batch.turn_offsets[turn_rows[able]]
        order = np.lexsort((draws.uniform("role", batch.keys[able_rows], number), able_rows))
        # the able turns of a row lie together in this order; the first of them are its targets
        first = np.searchsorted(able_rows, able_rows)
        wanted = np.maximum(np.rint(self.role_rate * turns), 1)
        chosen = able[order[np.arange(len(able)) - first < wanted[able_rows]]]
        result[chosen] = table[batch.roles[chosen]]
        return result


_PLAIN = re.compile(
    r"""
    ['\u2019]?                                                                  # 'tis, 's
    (?:
        \d+(?:[.,:/]\d+)+(?:st|nd|rd|th|s|am|pm|k|m|bn|km|kg|cm|mm)?             # 1,000  9/11  7:30pm
      | [^\W_]+(?:['\u2019\-\u2010\u2011&/][^\W_]+)*['\u2019]?                    # 27th  o'clock  and/or  goin'
      | (?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}\.?                                    # U.S.  p.m.  Ph.D.
      | (?:mrs?|ms|messrs|dr|st|prof|rev|hon|gov|sen|rep|gen|mt|jr|sr|co|corp|inc|ltd|bros|vs|etc)\.
      | (?:jan|feb|mar|apr|aug|sept?|oct|nov|dec)\.
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_RUN_ON = re.compile(r"\d[^\W\d_]{4}")
"""A number and a word that no space parts: "40loans", but "27th" and "5pm"."""
_HUMPS = re.compile("[a-z][A-Z].*[a-z][A-Z]")
"""Three words or more that capitals alone part, as in a tag of social media."""
_JOINERS = frozenset("\u200c\u200d")
"""They show nothing; scripts such as the Persian one write them inside words."""


class _Mark(IntFlag):
    """What a type's form says of it as a target of word prediction."""

    PLAIN = 1
    """A word as it is written: no mark is glued to it that is no part of it."""
    TAG = 2
    """It makes a tag, a name or an entity of what is written together with it: "#", "@", "&"."""


def _marks(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return the `_Mark` of each type.

    Example:
        >>> texts = ["in--", "--the", "U.S.", "I.", "o'clock", "7:30pm", "40,000loans", "a@b.org", "#tag", "n't"]
        >>> [text for text, mark in zip(texts, _marks(texts)) if mark]
        ['U.S.', "o'clock", '7:30pm', "n't"]
    """
    marks = (_Mark.PLAIN * _plain(text) | _Mark.TAG * (text in _TAGS) for text in texts)
    return np.fromiter(marks, np.uint8, len(texts))


_TAGS = frozenset("#@&")


def _plain(text: str) -> bool:
    """Return whether a text is a word as it is written; the marks of a script over its letters belong to it."""
    if text.isalpha():
        return text[1:].islower() or not _HUMPS.search(text)
    if not text.isascii() and category(text[:1])[:1] != "M":
        text = "".join(letter for letter in text if category(letter)[0] != "M" and letter not in _JOINERS)
    return _PLAIN.fullmatch(text) is not None and not _RUN_ON.search(text)


def _tagged(batch: PassageBatch, marks: npt.NDArray[np.uint8]) -> IntArray:
    """Return the positions of tokens behind the mark of a tag, from which no space parts them."""
    at = np.flatnonzero(marks[:-1] & _Mark.TAG.value)
    tagged: IntArray = at[~batch.spaces[at] & (batch.rows[at] == batch.rows[at + 1])] + 1
    return tagged


def _trails_off(texts: Sequence[str]) -> BoolArray:
    """Return where a final mark leaves a sentence open: three dots, as where a text was cut."""
    return np.fromiter(("\u2026" in text or ".." in text for text in texts), bool, len(texts))


@dataclass(frozen=True)
class _IsRoleWord:
    """Property of a type: it is, or holds, a word of one of the role names, whatever its case."""

    names: tuple[str, ...]

    def __call__(self, texts: Sequence[str]) -> BoolArray:
        """Return bool for each text."""
        words = {word for name in self.names for word in _WORD.findall(_folded(name))} - _SILENT
        words |= {f"{word}s" for word in words if len(word) > 1}
        return np.fromiter((_holds(_folded(text), words) for text in texts), bool, len(texts))


def _folded(text: str) -> str:
    """Return a text in lower case without accents: "Siân" is spoken to where the role says "Sian"."""
    if text.isascii():
        return text.casefold()
    return "".join(letter for letter in normalize("NFKD", text) if not combining(letter)).casefold()


def _holds(text: str, words: set[str]) -> bool:
    """Return whether the text is one of the words, or a longer one stands in it: "cook's", but not the d of "we'd"."""
    return text in words or any(len(part) > 1 and part in words for part in _WORD.findall(text))


def _role_classes(corpus: Corpus) -> tuple[str, ...]:
    """Return the classes of roles; none where there is nothing to tell apart."""
    classes = corpus.classes.get("roles", ())
    return classes if len(classes) >= _MIN_CLASSES else ()


def _draw_bytes(batch: PassageBatch, draws: Draws, view: View) -> npt.NDArray[np.uint8]:
    """Return uint8 [M]: one draw per token; the 64 bits of draw i serve the tokens 8 i to 8 i + 7 of a row."""
    lengths = np.diff(view.offsets)
    blocks = -(-lengths // 8)
    first = np.cumsum(blocks) - blocks
    number = np.arange(blocks.sum()) - np.repeat(first, blocks)
    data = draws.bits("word", np.repeat(batch.keys, blocks), number).astype("<u8").view(np.uint8)
    return np.delete(data, ranges(8 * first + lengths, 8 * blocks - lengths))  # what a row's last block has too many


def _leaning(leans: BoolArray, view: View) -> IntArray:
    """Return the positions of tokens that lean on the one before them in the view as they do in the source."""
    at = np.flatnonzero(np.append(leans, False).take(view.origin[1:])) + 1
    leaning: IntArray = at[view.origin[at] == view.origin[at - 1] + 1]
    return leaning


def _write_together(draw: npt.NDArray[np.uint8], never: BoolArray, leaning: IntArray) -> None:
    """Give all tokens of a written word the draw of its first one; if one of them may not be hidden, none may.

    Args:
        draw: uint8 [M].
        never: bool [M]: tokens that may not be hidden.
        leaning: positions of tokens that lean on the one before them, rising, the first token left out.

    Example:
        >>> draw, never = np.array([7, 200, 90], np.uint8), np.array([False, True, False])
        >>> _write_together(draw, never, np.array([1]))
        >>> draw.tolist(), never.tolist()
        ([7, 7, 90], [True, True, False])
    """
    opens = np.diff(leaning, prepend=-1) > 1
    first = np.maximum.accumulate(np.where(opens, leaning - 1, 0))
    draw[leaning] = draw[first]
    never[first[never[leaning]]] = True
    never[leaning] = never[first]


def _with_neighbours(targets: BoolArray, turn_rows: IntArray) -> BoolArray:
    """Return bool [T]: target turns and, of the same row, the turns before and behind them."""
    hidden = targets.copy()
    together = turn_rows[1:] == turn_rows[:-1]
    hidden[1:] |= targets[:-1] & together
    hidden[:-1] |= targets[1:] & together
    return hidden


def _told_by_turns(batch: PassageBatch, targets: BoolArray, turn_rows: IntArray) -> BoolArray:
    """Return bool [T]: all turns of rows with a target in which two speakers take turns.

    There any role that is seen tells all others to who counts the turns, so none is seen. A speaker may go on for a
    turn: three of four turns that follow another one must be another speaker's.
    """
    rows, turns = len(batch), np.diff(batch.turn_offsets)
    together = turn_rows[1:] == turn_rows[:-1]
    changes = np.bincount(turn_rows[1:][together & (batch.roles[1:] != batch.roles[:-1])], minlength=rows)
    distinct = np.unique(turn_rows * (len(batch.vocabulary) + 1) + batch.roles + 1)
    roles = np.bincount(distinct // (len(batch.vocabulary) + 1), minlength=rows)
    asked = np.bincount(turn_rows[targets], minlength=rows) > 0
    told: BoolArray = asked & (roles == 2) & (4 * changes >= 3 * (turns - 1))  # noqa: PLR2004
    return told[turn_rows]


def _role_words(batch: PassageBatch, corpus: Corpus, view: View, hidden: BoolArray) -> BoolArray:
    """Return bool [M]: words of a role's name in hidden turns.

    An inserted token stands at a turn's edge or inside it, so it is hidden wherever its row has a hidden turn.
    """
    result = np.zeros(len(view.codes), bool)
    if not hidden.any():
        return result
    by_turn = np.append(hidden, False)  # the last place is for tokens outside turns, of turn -1
    source = by_turn[batch.segment_turns[batch.token_segments]]
    rows = np.bincount(batch.rows[source], minlength=len(batch)) > 0
    is_role_word = batch.vocabulary.property(_IsRoleWord(_role_classes(corpus)))[view.codes]
    return is_role_word & np.where(view.origin >= 0, source[view.origin], rows[view.rows])


def _segments(batch: PassageBatch, draws: Draws, state: Mapping[str, npt.NDArray[Any]]) -> tuple[IntArray, BoolArray]:
    """Return (int64 [P], bool [P]): the segment masked whole in each row, and whether there is one."""
    before = running_total(state["words"])
    enough = before[batch.segment_ends] - before[batch.segments] >= _MIN_WORDS
    many = np.diff(batch.segment_offsets) >= _MIN_SEGMENTS
    sentence = _is_sentence(batch, state["forms"], np.flatnonzero(state["words"]), before)
    able = np.flatnonzero(enough & sentence & many[batch.segment_rows])
    count = np.bincount(batch.segment_rows[able], minlength=len(batch))
    chosen = np.cumsum(count) - count + draws.integers("segment", batch.keys, count)
    return np.append(able, 0)[np.where(count > 0, chosen, -1)], count > 0


def _is_sentence(batch: PassageBatch, forms: IntArray, words: IntArray, before: IntArray) -> BoolArray:
    """Return bool [S]: segments that begin and end as sentences do.

    Behind the last word stands a final mark that is no three dots, and the first word has no small letter first: what a
    speaker goes on with after an interruption is half a sentence. Rows in which no segment is marked so are spared
    either rule.

    Args:
        batch: P passages.
        forms: [N]: the `Form` of each token.
        words: positions of words.
        before: int64 [N + 1]: words before each position.
    """
    first, behind = before[batch.segments], before[batch.segment_ends]
    finals = np.flatnonzero(forms & Form.FINAL.value)
    final = np.append(-1, finals)[np.searchsorted(finals, batch.segment_ends)]  # the last one before the end
    ended = (final >= batch.segments) & (final > np.append(-1, words)[behind])
    ended[ended] = ~batch.vocabulary.property(_trails_off)[batch.codes[final[ended]]]
    small = forms[np.append(words, 0)[first]] & Form.SMALL.value > 0
    opened = (first < behind) & ~small
    result: BoolArray = _or_none(ended, batch) & _or_none(opened, batch)
    return result


def _or_none(marked: BoolArray, batch: PassageBatch) -> BoolArray:
    """Return bool [S]: marked segments, and all those of rows that have none."""
    some = np.bincount(batch.segment_rows[marked], minlength=len(batch)) > 0
    result: BoolArray = marked | ~some[batch.segment_rows]
    return result


def _spans(batch: PassageBatch, segments: IntArray, valid: BoolArray) -> pa.Array:
    """Return a span per row, in tokens of the row, null where not valid."""
    if not len(batch.segments):
        return pa.nulls(len(batch), SPAN)
    start = np.where(valid, batch.segments[segments] - batch.offsets[:-1], 0)
    end = np.where(valid, batch.segment_ends[segments] - batch.offsets[:-1], 0)
    return span_column(start, end, valid)
