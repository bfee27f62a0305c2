"""Connectives taken out of the text and asked for: which one linked these two arguments (Lan et al. 2017)?

One connective of a passage is removed, at the opening of a segment or inside it, with the commas that set it off and
the partner that announces it; its form is the label, and so is its sense where the form has one.
``docs/labels/connective.md`` describes the labels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import SPAN, nullable, span_column
from labelers.declaration import Declaration
from labelers.draws import Draws
from labelers.edits import View
from labelers.labeler import Labeler, Proposal, Request
from labelers.language.between import segment_pairs
from labelers.language.candidates import Candidates, surviving
from labelers.language.discourse import find_connectives
from labelers.language.forms import lexicon
from labelers.language.inside import inside_candidates
from labelers.language.shapes import is_open
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray
from labelers.vocabulary import Property

__all__ = ["LEAST_PROBABLE", "NO_CONNECTIVE", "SENSES", "Connective", "class_names", "find_connectives", "race"]

NO_CONNECTIVE = "no_connective"
SENSES = ("Comparison", "Contingency", "Expansion", "Temporal")
LEAST_PROBABLE = 0.65
"""Lower than `discourse.THRESHOLD`: the places looked at are likely ones. Cross-validated on the annotation, 0.93 of
the strings that open a segment with such a probability are connectives, and 0.94 of those between two clauses."""

SAMPLING = ("level", "weight")
"""What ``sampling`` may be."""

_NO_PAIR, _UNSAMPLED, _LEVELLED, _OTHER_LANGUAGE = 2, 3, 4, 5


@dataclass(frozen=True, kw_only=True)
class Connective(Labeler):
    """Removes one connective per passage and labels the row with it.

    Example:
        >>> Connective(inside=True).reasons
        ('no_pair', 'unsampled', 'levelled', 'language', 'conflict')
    """

    version: ClassVar[int] = 3
    paper: ClassVar[str] = "Lan et al. 2017 [56]"
    reasons: ClassVar[tuple[str, ...]] = ("no_pair", "unsampled", "levelled", "language", "conflict")
    edits: ClassVar[bool] = True

    inside: bool = True
    """Remove connectives within a sentence too, for the task ``connective_inside``; a row serves one task or the
    other."""
    min_omission_rate: float = 0.0
    """Use forms only that annotators of implicit relations supply at least this often: n_implicit / n_all."""
    threshold: float = LEAST_PROBABLE
    """The least probability of a string to be a connective where it stands."""
    sampling: str = "level"
    """How frequent forms are kept from drowning the others: ``"level"`` uses a share of them, ``"weight"`` uses all and
    gives each row that share as its weight."""

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("min_omission_rate", "threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"connective.{name} is {value!r}; give a number between 0 and 1")
        if self.sampling not in SAMPLING:
            raise ValueError(f"connective.sampling is {self.sampling!r}; give one of {', '.join(SAMPLING)}")

    @property
    def _weight(self) -> str | None:
        """The column of the weights, if there is one."""
        return "weight" if self.sampling == "weight" else None

    def declare(self) -> Declaration:
        """Return the columns and tasks: a second label set with ``inside``, weights where they level the forms."""
        inside, weight = "connective_inside", self._weight
        columns = (
            pa.field("connective", pa.int64()),
            pa.field("sense", pa.int64()),
            pa.field("arg1", SPAN),
            pa.field("arg2", SPAN),
            pa.field("omission_rate", pa.float32()),
            pa.field("form", pa.string()),
            *((pa.field(inside, pa.int64()),) if self.inside else ()),
            *((pa.field(weight, pa.float32()),) if weight else ()),
        )
        opening, within = (class_names(inside=value) for value in (False, True))
        task, spans = self.task, ("arg1", "arg2")
        form = task.span_pair("connective", classes=opening, spans=spans, weight=weight, metric="accuracy")
        sense = task.span_pair("sense", classes=SENSES, spans=spans, weight=weight)
        second = task.span_pair(inside, classes=within, spans=spans, weight=weight, metric="accuracy", name=inside)
        return Declaration(columns, (form, sense, second) if self.inside else (form, sense))

    def forms(self) -> Property:
        """Return the types that show a form: its only word, or of several the last that is no function word."""
        return _shows_form

    def propose(self, request: Request) -> Proposal:
        """Choose one pair of arguments per row, and remove the connective between them if there is one."""
        batch, draws = request.batch, request.draws
        inside = np.zeros(len(batch), bool)
        if batch.lang != "en":
            chosen, status = Candidates.make(np.empty(0, np.int64)), np.full(len(batch), _OTHER_LANGUAGE, np.int8)
        else:
            found = segment_pairs(batch, self.threshold, self.min_omission_rate)
            chosen, status = race(batch, found, draws, "pair", every=self.sampling == "weight")
            if self.inside:
                chosen, status, inside = self._either(batch, draws, chosen, status)
        edits, hidden = chosen.removal(batch)
        return Proposal(status, edits, hidden, _state(batch, chosen, inside))

    def _either(
        self, batch: PassageBatch, draws: Draws, chosen: Candidates, status: npt.NDArray[np.int8]
    ) -> tuple[Candidates, npt.NDArray[np.int8], BoolArray]:
        """Give each row one task: the one that a coin draws, or the only one that it has a label for."""
        found = inside_candidates(batch, self.threshold, self.min_omission_rate)
        kept, other = race(batch, found, draws, "clauses", every=self.sampling == "weight")
        coin = draws.uniform("task", batch.keys) < 0.5  # noqa: PLR2004
        inside = (other <= 1) & (coin | (status > 1))
        joined = Candidates.concat([chosen.take(~inside[chosen.rows]), kept.take(inside[kept.rows])])
        neither = (status > 1) & (other > 1)
        return joined, np.where(inside, 0, np.where(neither, np.maximum(status, other), status)).astype(np.int8), inside

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Return the labels of the rows whose connective is gone from the view, and of pairs that never had one."""
        batch, state = request.batch, proposal.state
        form, within = state["form"], state["inside"]  # -1 for no connective, the last place of what is looked up
        labelled = proposal.labelled & ~_shown(proposal, view)
        opening = labelled & ~within
        omission, sense = np.append(lexicon().omission, np.nan)[form], np.append(_senses(), -1)[form]
        columns = {
            "connective": nullable(_class_numbers(inside=False)[form], opening),
            "sense": nullable(sense, opening & (sense >= 0)),
            **_spans(batch, view, state, labelled),
            "omission_rate": nullable(omission.astype(np.float32), labelled & ~np.isnan(omission)),
            "form": _names(form, labelled),
        }
        if self.inside:
            columns["connective_inside"] = nullable(_class_numbers(inside=True)[form], labelled & within)
        if self._weight:
            columns[self._weight] = pa.array(np.where(labelled, state["weight"], 0).astype(np.float32))
        return columns


def race(
    batch: PassageBatch, found: Candidates, draws: Draws, purpose: str, *, every: bool = False
) -> tuple[Candidates, npt.NDArray[np.int8]]:
    """Return the pair of each row that is used, and the status of all rows.

    Each pair draws a number and is out if that is above its rate; of the others the one whose number is the smallest
    share of its rate is used, so that all kept pairs of a row have the same chance. With ``every`` no pair that a
    connective links is out.
    """
    marked = found.form >= 0
    rate = np.where(marked, 1.0, found.rate) if every else found.rate
    drawn = draws.uniform(purpose, batch.keys[found.rows], batch.positions[found.start]) / rate
    kept = np.flatnonzero(drawn < 1)
    kept = kept[~surviving(batch, found.take(kept))]
    kept = kept[np.lexsort((drawn[kept], found.rows[kept]))]
    first = np.append(True, np.diff(found.rows[kept]) > 0)[: len(kept)]
    chosen = found.take(kept[first])
    status = np.full(len(batch), _NO_PAIR, np.int8)
    status[found.rows[~marked]] = _UNSAMPLED
    status[found.rows[marked & (drawn >= 1)]] = _LEVELLED
    status[chosen.rows] = chosen.form < 0
    return chosen, status


def _state(batch: PassageBatch, chosen: Candidates, inside: BoolArray) -> dict[str, npt.NDArray[Any]]:
    """Return what `Connective.label` needs, arrays of length P: form, task, three edges of arguments and the weight."""
    form, edges, weight = np.full(len(batch), -1), np.zeros((len(batch), 3), np.int64), np.zeros(len(batch))
    form[chosen.rows], weight[chosen.rows] = chosen.form, np.where(chosen.form < 0, 1.0, chosen.rate)
    edges[chosen.rows] = np.stack([chosen.first, chosen.border, chosen.stop], axis=1)
    return {"form": form, "inside": inside, "edges": edges, "weight": weight}


def _shown(proposal: Proposal, view: View) -> BoolArray:
    """Return which rows still show in the view a connective that they should have lost."""
    hidden = np.empty(0, bool) if proposal.hidden is None else proposal.hidden
    seen = np.append(hidden, False)[view.origin]
    return np.bincount(view.rows[seen], minlength=len(view)) > 0


def _spans(
    batch: PassageBatch, view: View, state: Mapping[str, npt.NDArray[Any]], valid: BoolArray
) -> dict[str, pa.Array]:
    """Return the two arguments as spans of the view."""
    edges, rows = state["edges"], np.arange(len(batch))
    places = view.locate(batch, edges.ravel(), np.repeat(rows, 3)).reshape(-1, 3)
    return {name: span_column(places[:, i], places[:, i + 1], valid) for i, name in enumerate(("arg1", "arg2"))}


def _names(form: npt.NDArray[np.int64], valid: BoolArray) -> pa.StringArray:
    """Return the class name of each form, null where it is not valid."""
    names = [*(known.form for known in lexicon().forms), NO_CONNECTIVE]
    return pa.array(names, pa.string()).take(nullable(np.where(form < 0, len(names) - 1, form), valid))


def class_names(*, inside: bool) -> tuple[str, ...]:
    """Return the names of a label set: the forms of which a share is kept, and between segments no connective."""
    keep = lexicon().keep_inside if inside else lexicon().keep
    names = tuple(form.form for form, rate in zip(lexicon().forms, keep, strict=True) if not math.isnan(rate))
    return names if inside else (*names, NO_CONNECTIVE)


@cache
def _class_numbers(*, inside: bool) -> npt.NDArray[np.int64]:
    """Return the class of each form, and last that of no form."""
    names = class_names(inside=inside)
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(name, -1) for name in [*(form.form for form in lexicon().forms), NO_CONNECTIVE]])


@cache
def _senses() -> npt.NDArray[np.int64]:
    """Return the sense of each form, -1 for none."""
    return np.array([SENSES.index(form.sense) if form.sense else -1 for form in lexicon().forms])


def _shows_form(texts: Sequence[str]) -> BoolArray:
    """Return which texts are a form of a class, or the last word of a longer one that stands in no closed class."""
    names = {name for inside in (False, True) for name in class_names(inside=inside)} - {NO_CONNECTIVE}
    informative = {
        name if " " not in name else next((w for w in reversed(name.split()) if is_open(w)), "") for name in names
    }
    return np.array([text.lower() in informative for text in texts], bool)
