"""Passages as columns of a dataset, and columns as passages again."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.edits import View
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ragged_take, running_total
from labelers.second import Second
from labelers.task import SECOND, read_tasks
from labelers.vocabulary import Vocabulary
from pipelines.folder.schema import SECOND_FIELD, SOURCE_FIELDS

__all__ = [
    "canonical",
    "layer_columns",
    "passages_of",
    "plain_struct",
    "second_column",
    "second_of",
    "source_columns",
    "view_columns",
]


def source_columns(batch: PassageBatch) -> dict[str, pa.Array]:
    """Return the columns that every row has, the kept input fields, and labels that people made."""
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
        **{name: canonical(values) for name, values in batch.fields.items()},
    }


def layer_columns(batch: PassageBatch) -> dict[str, pa.Array]:
    """Return the columns of `source_columns` that a layer may have: ids, and labels that people made."""
    return {
        "id": pa.array(batch.ids, pa.string()),
        **{name: canonical(values) for name, values in batch.fields.items()},
    }


def second_column(batch: PassageBatch) -> pa.Array:
    """Return the column `SECOND_FIELD` of a batch; empty lists where a row has no second text."""
    second = Second.none(len(batch)) if batch.second is None else batch.second
    segments = second.segments - np.repeat(second.offsets[:-1], np.diff(second.segment_offsets))
    columns = [
        _lists(batch.vocabulary.strings(second.codes), second.offsets),
        _lists(pa.array(second.spaces), second.offsets),
        _lists(pa.array(segments.astype(np.int32)), second.segment_offsets),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(SECOND_FIELD.type))


def passages_of(rows: pa.RecordBatch, vocabulary: Vocabulary, split: int = 0) -> PassageBatch:
    """Return the passages of which `source_columns` and `second_column` made some rows, without labelers' columns.

    Args:
        rows: with at least the columns of `SOURCE_FIELDS`; further ones that are no structs are kept fields, as are
            labels that people made.
        vocabulary: takes their token types.
        split: index of the split in which the rows stand.

    Raises:
        ValueError: a column is missing or of another type, or the rows are in several languages.

    Example:
        >>> from labelers.text.segmenter import read_texts
        >>> batch = read_texts(["It rained. We stayed."])
        >>> rows = pa.RecordBatch.from_pydict(source_columns(batch))
        >>> passages_of(rows, Vocabulary()).segments.tolist() == batch.segments.tolist()
        True
    """
    for field in SOURCE_FIELDS:
        place = rows.schema.get_field_index(field.name)
        if place < 0 or rows.schema.field(place).type != field.type:
            raise ValueError(f"these are not rows of auxloom: there is no column {field.name!r} of type {field.type}")
    langs = rows.column("lang").unique().to_pylist()
    if len(langs) > 1:
        raise ValueError(f"the rows are in several languages ({', '.join(langs)}); give the rows of each separately")
    tokens, offsets = _ragged(rows.column("tokens"))
    segments, segment_offsets = _ragged(rows.column("segments"))
    turns, turn_offsets = _ragged(rows.column("turns"))
    return PassageBatch(
        vocabulary=vocabulary,
        ids=rows.column("id").to_pylist(),
        documents=rows.column("document").to_pylist(),
        codes=vocabulary.encode_arrow(tokens),
        offsets=offsets,
        spaces=_ragged(rows.column("spaces"))[0].to_numpy(zero_copy_only=False),
        segments=segments.to_numpy() + np.repeat(offsets[:-1], np.diff(segment_offsets)),
        segment_offsets=segment_offsets,
        turns=turns.to_numpy() + np.repeat(segment_offsets[:-1], np.diff(turn_offsets)),
        turn_offsets=turn_offsets,
        roles=vocabulary.encode_arrow(_ragged(rows.column("roles"))[0]),
        **({"lang": langs[0]} if langs else {}),
        fields=_kept_fields(rows),
        splits=np.full(len(rows), split, np.int8),
        second=second_of(rows.column(SECOND), vocabulary) if SECOND_FIELD in rows.schema else None,
    )


def second_of(column: pa.StructArray, vocabulary: Vocabulary) -> Second:
    """Return the second texts of a column, as codes of a vocabulary that takes their token types.

    Example:
        >>> from labelers.text.segmenter import read_texts
        >>> batch = read_texts(["It rained."], second=["Es regnete. Sehr."])
        >>> second_of(second_column(batch), batch.vocabulary).segments.tolist()
        [0, 3]
    """
    tokens, spaces, segments = column.flatten()
    texts, offsets = _ragged(tokens)
    starts, segment_offsets = _ragged(segments)
    return Second(
        codes=vocabulary.encode_arrow(texts),
        offsets=offsets,
        spaces=spaces.flatten().to_numpy(zero_copy_only=False),
        segments=starts.to_numpy() + np.repeat(offsets[:-1], np.diff(segment_offsets)),
        segment_offsets=segment_offsets,
    )


def _ragged(lists: pa.ListArray) -> tuple[pa.Array, IntArray]:
    """Return the values of a column of lists, and where those of each row begin."""
    return lists.flatten(), running_total(pc.list_value_length(lists).to_numpy(zero_copy_only=False))


def _kept_fields(rows: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns that came from the input: those that are no structs, and those of labels that people made."""
    known = {field.name for field in SOURCE_FIELDS}
    gold = {task.labeler for task in read_tasks(rows.schema) if task.given}
    names = [
        field.name
        for field in rows.schema
        if field.name not in known and (field.name in gold or not pa.types.is_struct(field.type))
    ]
    every = pa.array(np.arange(len(rows)))
    return {name: rows.column(name).take(every) for name in names}


def view_columns(batch: PassageBatch, view: View, keep: BoolArray) -> dict[str, pa.Array]:
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


def plain_struct(field: pa.Field, columns: Mapping[str, pa.Array]) -> pa.Array:
    """Return a struct of columns in the order of its type."""
    return pa.StructArray.from_arrays([canonical(columns[item.name]) for item in field.type], fields=list(field.type))


def canonical(array: pa.Array) -> pa.Array:
    """Return an equal array whose bytes under nulls are zero, so that equal rows are equal bytes."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_struct(array.type) and not array.null_count:
        return pa.StructArray.from_arrays([canonical(child) for child in array.flatten()], fields=list(array.type))
    if not array.null_count or pa.types.is_list(array.type):
        return array
    missing = array.is_null()
    if pa.types.is_struct(array.type):
        children = [canonical(child) for child in array.flatten()]
        return pa.StructArray.from_arrays(children, fields=list(array.type), mask=missing)
    zero = "" if pa.types.is_string(array.type) else False if pa.types.is_boolean(array.type) else 0
    _, *data = pc.fill_null(array, zero).buffers()
    present = pc.invert(missing).buffers()[1]
    return pa.Array.from_buffers(array.type, len(array), [present, *data], array.null_count)
