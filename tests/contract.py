"""Labelers run as a build runs them: each over its own view, or all over one woven view."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from labelers.edits import Edits, View, collisions, weave
from labelers.labeler import Avoid, Corpus, Labeler, Proposal, Request
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray

__all__ = ["Outcome", "joint", "own", "rows"]


@dataclass(frozen=True)
class Outcome:
    """What one labeler made of a batch."""

    labeler: Labeler
    batch: PassageBatch
    corpus: Corpus
    proposal: Proposal
    view: View
    """The view that its labels are aligned to; ``edit`` counts in its own edits."""
    columns: dict[str, pa.Array]
    woven: bool
    whole: View
    """The same view; ``edit`` counts in ``edits``."""
    edits: Edits
    """All edits that the view was woven from."""
    wins: BoolArray
    """bool per edit of the proposal: it was made."""


def own(labeler: Labeler, batch: PassageBatch, corpus: Corpus, seed: int = 0) -> Outcome:
    """Label a batch over the labeler's own view."""
    request = Request(batch, corpus, labeler.draws(seed))
    proposal = labeler.propose(request)
    view = weave(batch, proposal.edits)
    columns = labeler.label(request, proposal, view)
    wins = np.ones(len(proposal.edits), bool)
    return Outcome(
        labeler, batch, corpus, proposal, view, columns, woven=False, whole=view, edits=proposal.edits, wins=wins
    )


def joint(labelers: Sequence[Labeler], batch: PassageBatch, corpus: Corpus, seed: int = 0) -> list[Outcome]:
    """Label a batch over one view with the edits of all labelers; the earlier of two labelers wins a conflict."""
    requests = [
        Request(batch, corpus, labeler.draws(seed), joint=True, avoid=_avoid(labelers, labeler, batch))
        for labeler in labelers
    ]
    proposals = [labeler.propose(request) for labeler, request in zip(labelers, requests, strict=True)]
    made = collisions(batch, [proposal.edits for proposal in proposals])
    merged = Edits.concat([proposal.edits.take(wins) for proposal, wins in zip(proposals, made, strict=True)])
    part = np.repeat(np.arange(len(made)), [wins.sum() for wins in made])
    number = np.concatenate([np.flatnonzero(wins) for wins in made])
    order = merged.order()
    edits = merged.take(order)
    view = weave(batch, edits)
    outcomes = []
    for i, (labeler, proposed, wins) in enumerate(zip(labelers, proposals, made, strict=True)):
        proposal = _after_conflicts(labeler, proposed, wins)
        # [E + 1]: own number of each merged edit, -1 for those of others and for no edit
        to_own = np.append(np.where(part == i, number, -1)[order], -1)
        mine = dataclasses.replace(view, edit=to_own[view.edit])
        columns = labeler.label(requests[i], proposal, mine)
        outcomes.append(
            Outcome(labeler, batch, corpus, proposal, mine, columns, woven=True, whole=view, edits=edits, wins=wins)
        )
    return outcomes


def _avoid(labelers: Sequence[Labeler], but: Labeler, batch: PassageBatch) -> Avoid:
    """Return the forms that are labels of the other labelers."""
    forms = (labeler.forms() for labeler in labelers if labeler is not but)
    return Avoid(batch.vocabulary, tuple(form for form in forms if form is not None))


def _after_conflicts(labeler: Labeler, proposal: Proposal, wins: BoolArray) -> Proposal:
    """Return the proposal with status conflict in rows that lost all their edits."""
    rows, size = proposal.edits.rows, len(proposal.status)
    left = np.bincount(rows[wins], minlength=size)
    lost = (np.bincount(rows, minlength=size) > 0) & (left == 0)
    status = np.where(lost, 1 + len(labeler.reasons), proposal.status).astype(np.int8)
    return dataclasses.replace(proposal, status=status)


def rows(outcome: Outcome, first: int | None = None) -> list[dict[str, Any]]:
    """Return what stands in each row, or in the first so many, free of codes: status, the view and the labels."""
    batch, view = outcome.batch, outcome.view
    borders = view.offsets[: None if first is None else first + 1].tolist()
    tokens = batch.vocabulary.strings(view.codes[: borders[-1]]).to_pylist()
    origin = np.where(view.origin >= 0, view.origin - batch.offsets[view.rows], -1)[: borders[-1]].tolist()
    columns = {name: values[: len(borders) - 1].to_pylist() for name, values in outcome.columns.items()}
    return [
        {"status": int(outcome.proposal.status[i]), "tokens": tokens[start:end], "origin": origin[start:end]}
        | {name: values[i] for name, values in columns.items()}
        for i, (start, end) in enumerate(pairwise(borders))
    ]
