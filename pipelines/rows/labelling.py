"""From passages to rows: run every labeler on a batch, weave, check that no view reveals a label, build columns."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.edits import Edits, View, collisions, leaks, weave
from labelers.label_space import COPY, hidden
from labelers.labeler import Avoid, Corpus, Labeler, Proposal, Request
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ranges
from labelers.task import ABSTAINED, FRAMEWORK_REASONS, SECOND, WOVEN
from pipelines.folder.schema import SECOND_FIELD, TEXT
from pipelines.rows.errors import RaisedError, RowError, RowErrors, guarded
from pipelines.rows.row_columns import layer_columns, plain_struct, second_column, source_columns, view_columns

__all__ = ["copied", "label_rows"]


def copied(batch: PassageBatch, copies: int, *, labelled: bool = False) -> PassageBatch:
    """Return the batch with each passage repeated; copy k > 0 has ``#k`` at the end of its id, and so its own draws.

    Labels that people made stay with the first of them. Where the dataset has such labels (``labelled``), passages of
    validation and test stand once: scores are of what people labelled.
    """
    if copies == 1:
        return batch
    counts = np.where(labelled & (batch.splits > 0), 1, copies)
    repeated = batch.take(np.repeat(np.arange(len(batch)), counts))
    number = ranges(np.zeros_like(counts), counts)
    ids = [f"{name}#{copy}" if copy else name for name, copy in zip(repeated.ids, number.tolist(), strict=True)]
    further = number > 0
    fields = {
        name: hidden(values, further, COPY) if pa.types.is_struct(values.type) else values
        for name, values in repeated.fields.items()
    }
    return dataclasses.replace(repeated, ids=ids, fields=fields)


def label_rows(
    batch: PassageBatch,
    labelers: Sequence[Labeler],
    corpus: Corpus,
    schema: pa.Schema,
    *,
    seed: int,
    joint: bool,
    conflicts: Counter[str],
    errors: RowErrors | None = None,
) -> pa.RecordBatch:
    """Return one row per passage, in the given schema.

    Args:
        batch: P passages.
        labelers: in the order that decides where woven edits collide.
        corpus: the findings of the plan, over the batch's vocabulary.
        schema: of `declare`; what the labelers make is checked against it.
        seed: of the build.
        joint: weave all edits into one view.
        conflicts: is raised by the edits that each labeler lost.
        errors: None: a labeler that raises fails the batch. Else it abstains from the rows on which it raises, which
            are as if it had not been asked for, and are noted here.

    Raises:
        RowError: a labeler raised, made other columns than it declared, or a view shows what a task must predict.
    """
    run = _Run(labelers, corpus, schema, seed, joint)
    if errors is None:
        return run.rows(batch, labelers, conflicts)
    return _abstaining(run, batch, labelers, conflicts, errors)


def _abstaining(
    run: "_Run", batch: PassageBatch, labelers: Sequence[Labeler], conflicts: Counter[str], errors: RowErrors
) -> pa.RecordBatch:
    """Return the rows of a batch; where a labeler raises each half is tried by itself, and a single row without it."""
    lost: Counter[str] = Counter()
    try:
        rows = run.rows(batch, labelers, lost)
    except RaisedError as error:
        if len(batch) == 1:
            errors.add(error.labeler, batch.ids[0], error.kept)
            rest = [labeler for labeler in labelers if labeler.name != error.labeler]
            return _abstaining(run, batch, rest, conflicts, errors)
        middle = len(batch) // 2
        parts = [
            _abstaining(run, batch.take(np.arange(start, stop)), labelers, conflicts, errors)
            for start, stop in ((0, middle), (middle, len(batch)))
        ]
        columns = [pa.concat_arrays([part.column(i) for part in parts]) for i in range(len(run.schema))]
        return pa.record_batch(columns, schema=run.schema)
    conflicts.update(lost)
    return rows


@dataclasses.dataclass(frozen=True)
class _Run:
    """What labels every batch alike; see `label_rows`."""

    labelers: Sequence[Labeler]
    corpus: Corpus
    schema: pa.Schema
    seed: int
    joint: bool

    def rows(self, batch: PassageBatch, asked: Sequence[Labeler], conflicts: Counter[str]) -> pa.RecordBatch:
        """Return the rows of a batch; labelers that are not asked abstain with the reason ``error``."""
        columns = source_columns(batch) if TEXT in self.schema.names else layer_columns(batch)
        if SECOND_FIELD in self.schema:
            columns[SECOND] = second_column(batch)
        if self.joint:
            columns |= _woven(batch, asked, self.corpus, self.schema, seed=self.seed, conflicts=conflicts)
        else:
            for labeler in asked:
                field = self.schema.field(labeler.name)
                columns[labeler.name] = _separate(batch, labeler, self.corpus, field, self.seed)
        for labeler in self.labelers:
            if labeler not in asked:
                columns[labeler.name] = _without_labels(self.schema.field(labeler.name), len(batch))
        return pa.record_batch([columns[field.name] for field in self.schema], schema=self.schema)


def _without_labels(field: pa.Field, rows: int) -> pa.Array:
    """Return the struct of a labeler that raised: empty lists, and null for all else."""
    empty: dict[str, Any] = {item.name: [] if pa.types.is_list(item.type) else None for item in field.type}
    values = {item.name: pa.array([empty[item.name]] * rows, item.type) for item in field.type}
    return plain_struct(field, values | {"status": pa.array([_ERROR] * rows, pa.int8())})


_MOST_REASONS = min(FRAMEWORK_REASONS) - ABSTAINED
_ERROR = next(status for status, reason in FRAMEWORK_REASONS.items() if reason == "error")


def _separate(batch: PassageBatch, labeler: Labeler, corpus: Corpus, field: pa.Field, seed: int) -> pa.Array:
    """Return the struct of a labeler whose view holds its edits alone."""

    def run(part: PassageBatch) -> tuple[Proposal, View, dict[str, pa.Array]]:
        request = Request(part, corpus, labeler.draws(seed))
        proposal = _proposal(labeler, request)
        view = weave(part, proposal.edits)
        return proposal, view, labeler.label(request, proposal, view)

    proposal, view, columns = guarded(labeler, batch, run)
    _check_leak(batch, view, proposal.edits, proposal.hidden, (labeler.name,))
    if labeler.edits:
        columns = view_columns(batch, view, proposal.status == 0) | columns
    return _struct(batch, labeler, field, proposal.status, columns)


def _woven(
    batch: PassageBatch,
    labelers: Sequence[Labeler],
    corpus: Corpus,
    schema: pa.Schema,
    *,
    seed: int,
    conflicts: Counter[str],
) -> dict[str, pa.Array]:
    """Return the woven view and the struct of each labeler, whose labels follow from the edits that were made."""
    asked = _asked(batch, labelers, corpus, seed)
    proposals = [guarded(one.labeler, batch, one.propose) for one in asked]
    made = collisions(batch, [proposal.edits for proposal in proposals])
    edits, places = _joined([proposal.edits for proposal in proposals], made)
    view = weave(batch, edits)
    touched = np.bincount(edits.rows, minlength=len(batch)) > 0
    columns = {WOVEN: plain_struct(schema.field(WOVEN), view_columns(batch, view, touched))}
    for one, proposal, kept, place in zip(asked, proposals, made, places, strict=True):
        labeler = one.labeler
        conflicts[labeler.name] += int(np.count_nonzero(~kept))
        final = dataclasses.replace(proposal, status=_joint_status(labeler, proposal, kept, len(batch)))
        own = dataclasses.replace(view, edit=place[view.edit])  # place[-1] is -1
        _check_leak(batch, view, edits, _still_hidden(proposal, kept), tuple(item.name for item in labelers))
        found = guarded(labeler, batch, partial(one.label, final, own))
        columns[labeler.name] = _struct(batch, labeler, schema.field(labeler.name), final.status, found)
    return columns


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A labeler of a woven view, and what it is asked for."""

    labeler: Labeler
    request: Request

    def propose(self, part: PassageBatch) -> Proposal:
        """Return what it proposes for the batch or a part of it."""
        return _proposal(self.labeler, dataclasses.replace(self.request, batch=part))

    def label(self, proposal: Proposal, view: View, part: PassageBatch) -> dict[str, pa.Array]:
        """Return its columns; those of a part, to find the row on which it raises, over a view of its own edits."""
        if part is self.request.batch:
            return self.labeler.label(self.request, proposal, view)
        request = dataclasses.replace(self.request, batch=part)
        again = self.labeler.propose(request)
        return self.labeler.label(request, again, weave(part, again.edits))


def _asked(batch: PassageBatch, labelers: Sequence[Labeler], corpus: Corpus, seed: int) -> list[_Asked]:
    """Return what each labeler is asked for; none may insert the forms that are labels of another one."""
    forms = [labeler.forms() for labeler in labelers]
    asked = []
    for i, labeler in enumerate(labelers):
        others = tuple(form for j, form in enumerate(forms) if form is not None and j != i)
        request = Request(batch, corpus, labeler.draws(seed), joint=True, avoid=Avoid(batch.vocabulary, others))
        asked.append(_Asked(labeler, request))
    return asked


def _joined(parts: Sequence[Edits], made: Sequence[BoolArray]) -> tuple[Edits, list[IntArray]]:
    """Return the edits that are made, sorted, and per part int64 [E + 1]: which of its own each of them is, or -1."""
    edits = Edits.concat([part.take(kept) for part, kept in zip(parts, made, strict=True)])
    order = edits.order()
    owner = np.repeat(np.arange(len(parts)), [int(np.count_nonzero(kept)) for kept in made])[order]
    number = np.concatenate([np.flatnonzero(kept) for kept in made])[order]
    places = [np.append(np.where(owner == i, number, -1), -1) for i in range(len(parts))]
    return edits.take(order), places


def _joint_status(labeler: Labeler, proposal: Proposal, kept: BoolArray, rows: int) -> npt.NDArray[np.int8]:
    """Return the status of each row: ``conflict`` where all edits of a labeler were lost to others."""
    wanted = np.bincount(proposal.edits.rows, minlength=rows)
    lost = (wanted > 0) & (np.bincount(proposal.edits.rows[kept], minlength=rows) == 0)
    if not lost.any():
        return proposal.status
    return np.where(lost, ABSTAINED + labeler.reasons.index("conflict"), proposal.status).astype(np.int8)


def _still_hidden(proposal: Proposal, kept: BoolArray) -> BoolArray | None:
    """Return what a labeler's tasks predict, without what only edits that were lost would have removed."""
    if proposal.hidden is None or kept.all():
        return proposal.hidden
    lost = proposal.edits.take(~kept)
    size = len(proposal.hidden) + 1
    open_spans = np.cumsum(np.bincount(lost.start, minlength=size) - np.bincount(lost.end, minlength=size))
    result: BoolArray = proposal.hidden & (open_spans[:-1] == 0)
    return result


def _proposal(labeler: Labeler, request: Request) -> Proposal:
    """Return what a labeler proposes, if it is what it may propose."""
    batch, proposal = request.batch, labeler.propose(request)
    status = proposal.status
    if status.shape != (len(batch),) or status.dtype != np.int8:
        raise TypeError(f"status must be int8 [{len(batch)}], got {status.dtype} {list(status.shape)}")
    highest = ABSTAINED + len(labeler.reasons[:_MOST_REASONS])
    if len(status) and not 0 <= status.min() <= status.max() < highest:
        raise ValueError(f"status {int(status.max())} has no reason; there are {labeler.reasons}")
    wrong = np.flatnonzero(status[proposal.edits.rows] != 0)
    if len(wrong):
        row = batch.ids[int(proposal.edits.rows[wrong[0]])]
        raise ValueError(f"row {row!r} has an edit but not status 0")
    return proposal


def _check_leak(
    batch: PassageBatch, view: View, edits: Edits, hidden: BoolArray | None, labelers: tuple[str, ...]
) -> None:
    """Raise if a view shows what a task must predict from it."""
    if hidden is None or not hidden.any():
        return
    rows = np.flatnonzero(leaks(view, edits, hidden))
    if len(rows):
        row = int(rows[0])
        text = (
            f"row {batch.ids[row]!r} shows what a task must predict, or a copy of it (labelers {', '.join(labelers)})"
        )
        raise RowError(labelers[0], batch.documents[row], text)


def _struct(
    batch: PassageBatch,
    labeler: Labeler,
    field: pa.Field,
    status: npt.NDArray[np.int8],
    columns: Mapping[str, pa.Array],
) -> pa.Array:
    """Return a labeler's struct, checked against its declaration."""
    names = [item.name for item in field.type if item.name != "status"]
    if sorted(names) != sorted(columns):
        raise _broken(labeler, batch, f"returned the columns {sorted(columns)}, but declares {sorted(names)}")
    for item in field.type:
        column = columns.get(item.name)
        if column is not None and (column.type != item.type or len(column) != len(batch)):
            got = f"{column.type} [{len(column)}]"
            raise _broken(labeler, batch, f"column {item.name!r} is {got}, but declared as {item.type} [{len(batch)}]")
        if column is not None and pa.types.is_list(item.type) and (column.null_count or column.flatten().null_count):
            raise _broken(labeler, batch, f"column {item.name!r} contains a null; use an empty list")
    return plain_struct(field, {"status": pa.array(status), **columns})


def _broken(labeler: Labeler, batch: PassageBatch, text: str) -> RowError:
    """Return the error of a labeler that does not keep its declaration."""
    return RowError(labeler.name, batch.documents[0] if len(batch) else "", text)
