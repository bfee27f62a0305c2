"""From passages to rows: run every labeler on a batch, weave, prove that no view tells an answer, build the columns."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelers.edits import Edits, View, collisions, leaks, weave
from labelers.labeler import Avoid, Corpus, Labeler, Proposal
from labelers.passages import PassageBatch, Vocabulary
from labelers.ragged import BoolArray, IntArray, ragged_take, running_total
from labelers.task import FRAMEWORK_REASONS, SECOND, WOVEN
from pipelines.errors import RaisedError, RowError, RowErrors, guarded
from pipelines.second_text import SECOND_FIELD, second_column

__all__ = ["copied", "label_rows"]

ABSTAINED = 2
"""The first status of a row that a labeler abstained from."""


def copied(batch: PassageBatch, copies: int) -> PassageBatch:
    """Return the batch with each passage repeated; copy k > 0 has ``#k`` at the end of its id, and so its own draws."""
    if copies == 1:
        return batch
    repeated = batch.take(np.repeat(np.arange(len(batch)), copies))
    ids = [f"{name}#{copy}" if copy else name for name in batch.ids for copy in range(copies)]
    return dataclasses.replace(repeated, ids=ids)


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
        columns = _source_columns(batch)
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
    return _plain_struct(field, values | {"status": pa.array([_ERROR] * rows, pa.int8())})


_MOST_REASONS = min(FRAMEWORK_REASONS) - ABSTAINED
_ERROR = next(status for status, reason in FRAMEWORK_REASONS.items() if reason == "error")


def _separate(batch: PassageBatch, labeler: Labeler, corpus: Corpus, field: pa.Field, seed: int) -> pa.Array:
    """Return the struct of a labeler whose view holds its edits alone."""
    draws = labeler.draws(seed)

    def run(part: PassageBatch) -> tuple[Proposal, View, dict[str, pa.Array]]:
        proposal = labeler.propose(part, corpus, draws)
        _check_proposal(labeler, part, proposal)
        view = weave(part, proposal.edits)
        return proposal, view, labeler.label(part, corpus, draws, proposal, view)

    proposal, view, columns = guarded(labeler, batch, run)
    _check_leak(batch, view, proposal.edits, proposal.hidden, (labeler.name,))
    if labeler.edits:
        columns = _view_columns(batch, view, proposal.status == 0) | columns
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
    proposals = []
    for labeler, avoid in zip(labelers, _avoided(labelers, batch.vocabulary), strict=True):

        def propose(part: PassageBatch, labeler: Labeler = labeler, avoid: Avoid = avoid) -> Proposal:
            proposal = labeler.propose(part, corpus, labeler.draws(seed), avoid=avoid)
            _check_proposal(labeler, part, proposal)
            return proposal

        proposals.append(guarded(labeler, batch, propose))
    made = collisions(batch, [proposal.edits for proposal in proposals])
    edits, places = _joined([proposal.edits for proposal in proposals], made)
    view = weave(batch, edits)
    touched = np.bincount(edits.rows, minlength=len(batch)) > 0
    columns = {WOVEN: _plain_struct(schema.field(WOVEN), _view_columns(batch, view, touched))}
    for labeler, proposal, kept, place in zip(labelers, proposals, made, places, strict=True):
        conflicts[labeler.name] += int(np.count_nonzero(~kept))
        final = dataclasses.replace(proposal, status=_joint_status(labeler, proposal, kept, len(batch)))
        own = dataclasses.replace(view, edit=place[view.edit])  # place[-1] is -1
        _check_leak(batch, view, edits, _still_hidden(proposal, kept), tuple(item.name for item in labelers))

        def label(
            part: PassageBatch, labeler: Labeler = labeler, final: Proposal = final, own: View = own
        ) -> dict[str, pa.Array]:
            if part is batch:
                return labeler.label(part, corpus, labeler.draws(seed), final, own, joint=True)
            again = labeler.propose(part, corpus, labeler.draws(seed))
            return labeler.label(part, corpus, labeler.draws(seed), again, weave(part, again.edits), joint=True)

        found = guarded(labeler, batch, label)
        columns[labeler.name] = _struct(batch, labeler, schema.field(labeler.name), final.status, found)
    return columns


def _avoided(labelers: Sequence[Labeler], vocabulary: Vocabulary) -> list[Avoid]:
    """Return for each labeler the forms that are labels of another one."""
    return [Avoid(vocabulary, tuple(other.forms for other in labelers if other is not own)) for own in labelers]


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


def _check_proposal(labeler: Labeler, batch: PassageBatch, proposal: Proposal) -> None:
    """Raise unless a proposal is what a labeler may propose."""
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


def _source_columns(batch: PassageBatch) -> dict[str, pa.Array]:
    """Return the columns that every row has, and the kept input fields."""
    strings = batch.vocabulary.strings
    turn_rows = np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))
    segments = batch.segments - batch.offsets[batch.segment_rows]
    turns = batch.turns - batch.segment_offsets[turn_rows]
    return {
        "id": pa.array(batch.ids, pa.string()),
        "document": pa.array(batch.documents, pa.string()),
        "lang": pa.repeat(batch.lang, len(batch)),
        "tokens": _lists(strings(batch.codes), batch.offsets),
        "spaces": _lists(pa.array(batch.spaces), batch.offsets),
        "segments": _lists(pa.array(segments.astype(np.int32)), batch.segment_offsets),
        "turns": _lists(pa.array(turns.astype(np.int32)), batch.turn_offsets),
        "roles": _lists(strings(batch.roles), batch.turn_offsets),
        **{name: _canonical(values) for name, values in batch.fields.items()},
    }


def _view_columns(batch: PassageBatch, view: View, keep: BoolArray) -> dict[str, pa.Array]:
    """Return tokens and origin of a view for the rows to keep, empty for the others."""
    rows = np.flatnonzero(keep)
    tokens, taken = ragged_take(view.offsets, rows)
    origin = view.origin.take(tokens) - np.repeat(batch.offsets[rows], np.diff(taken))
    local = np.maximum(origin, -1).astype(np.int32)  # what has none lies below zero
    offsets = running_total(np.where(keep, np.diff(view.offsets), 0))
    return {
        "tokens": _lists(batch.vocabulary.strings(view.codes.take(tokens)), offsets),
        "origin": _lists(pa.array(local), offsets),
    }


def _lists(values: pa.Array, offsets: IntArray) -> pa.Array:
    """Return a list per row of flat values."""
    return pa.ListArray.from_arrays(pa.array(np.asarray(offsets).astype(np.int32)), values)


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
    return _plain_struct(field, {"status": pa.array(status), **columns})


def _broken(labeler: Labeler, batch: PassageBatch, text: str) -> RowError:
    """Return the error of a labeler that does not keep its declaration."""
    return RowError(labeler.name, batch.documents[0] if len(batch) else "", text)


def _plain_struct(field: pa.Field, columns: Mapping[str, pa.Array]) -> pa.Array:
    """Return a struct of columns in the order of its type."""
    return pa.StructArray.from_arrays([_canonical(columns[item.name]) for item in field.type], fields=list(field.type))


def _canonical(array: pa.Array) -> pa.Array:
    """Return an equal array whose bytes under nulls are zero, so that equal rows are equal bytes."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not array.null_count or pa.types.is_list(array.type):
        return array
    missing = array.is_null()
    if pa.types.is_struct(array.type):
        children = [_canonical(child) for child in array.flatten()]
        return pa.StructArray.from_arrays(children, fields=list(array.type), mask=missing)
    zero = "" if pa.types.is_string(array.type) else False if pa.types.is_boolean(array.type) else 0
    _, *data = pc.fill_null(array, zero).buffers()
    present = pc.invert(missing).buffers()[1]
    return pa.Array.from_buffers(array.type, len(array), [present, *data], array.null_count)
