"""Mask orchestration (T. Wang et al. 2020): one passage, and for each task another part of it hidden.

No text is changed and no token copied. A row stores which parts each task hides, and the trainer hides them in the
sequence of that task alone: what one task must predict, another may read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import SPAN, class_lists, class_type, row_lists
from labelers.declaration import Declaration
from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Corpus, Labeler, Proposal, Request
from labelers.language.speakers import role_words, told_by_turns, with_neighbours
from labelers.language.whole_words import whole_words
from labelers.language.words import Form, form_flags, leans, transcript_marks
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges, running_total
from labelers.segments import pick_segments, segment_spans

__all__ = ["Masking"]

_MIN_SEGMENTS = 3  # what stands on both sides of a segment makes it predictable
_MIN_WORDS = 3  # "Yes." and "No, no." are not worth a decoder
_MIN_TURNS = 3  # a target turn needs another than its two hidden neighbours can be
_MIN_CLASSES = 2


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

        The roles are a task where there are at least two of them.
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
        whole = whole_words(batch, words)
        some = np.diff(running_total(whole)[batch.offsets]) > 0
        state = {"forms": forms, "words": words, "whole": whole, "leans": leans(batch, words, forms)}
        return Proposal(np.where(some, 1, 2).astype(np.int8), Edits.none(), state=state)

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Return what each task hides, aligned to the view."""
        batch, corpus, draws = request.batch, request.corpus, request.draws
        rows, turn_rows = proposal.labelled, np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))
        # the last place is for what was inserted
        never = view.touched | ~np.append(proposal.state["whole"], False).take(view.origin)
        draw = _draw_bytes(batch, draws, view)
        _write_together(draw, never, _leaning(proposal.state["leans"], view))
        role = self._role_targets(batch, corpus, draws, turn_rows)
        hidden = with_neighbours(role >= 0, turn_rows) | told_by_turns(batch, role >= 0, turn_rows)
        columns = {
            "draw": row_lists(draw, view.offsets, rows),
            "never": row_lists(never, view.offsets, rows),
            "role": class_lists(role, batch.turn_offsets, rows, classes=len(_role_classes(corpus))),
            "role_hidden": row_lists(hidden, batch.turn_offsets, rows),
            "role_words": row_lists(role_words(batch, _role_classes(corpus), view, hidden), view.offsets, rows),
        }
        if not request.joint:
            bounds = np.append(batch.segments, len(batch.codes))
            columns["segment"] = segment_spans(batch, bounds, _segments(batch, draws, proposal.state))
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


def _role_classes(corpus: Corpus) -> tuple[str, ...]:
    """Return the classes of roles; none where there are fewer than two."""
    classes = corpus.classes.get("roles", ())
    return classes if len(classes) >= _MIN_CLASSES else ()


def _trails_off(texts: Sequence[str]) -> BoolArray:
    """Return where a final mark leaves a sentence open: three dots, as where a text was cut."""
    return np.fromiter(("\u2026" in text or ".." in text for text in texts), bool, len(texts))


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


def _segments(batch: PassageBatch, draws: Draws, state: Mapping[str, npt.NDArray[Any]]) -> IntArray:
    """Return int64 [P]: the segment masked whole in each row, -1 where there is none."""
    before = running_total(state["words"])
    enough = before[batch.segment_ends] - before[batch.segments] >= _MIN_WORDS
    many = np.diff(batch.segment_offsets) >= _MIN_SEGMENTS
    sentence = _is_sentence(batch, state["forms"], np.flatnonzero(state["words"]), before)
    return pick_segments(enough & sentence & many[batch.segment_rows], batch, draws, "segment")


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
