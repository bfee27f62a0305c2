"""The second text of a passage as a column of a dataset, and that column as second texts again."""

import numpy as np
import pyarrow as pa

from labelers.passages import PassageBatch, Vocabulary
from labelers.ragged import IntArray, running_total
from labelers.second import Second
from labelers.task import SECOND

__all__ = ["SECOND_FIELD", "second_column", "second_of"]

SECOND_FIELD = pa.field(
    SECOND,
    pa.struct(
        [
            pa.field("tokens", pa.list_(pa.string())),
            pa.field("spaces", pa.list_(pa.bool_())),
            pa.field("segments", pa.list_(pa.int32())),
        ]
    ),
)
"""The column of datasets whose input has a second text."""


def second_column(batch: PassageBatch) -> pa.Array:
    """Return the column of a batch; empty lists where a row has no second text."""
    second = batch.second if batch.second is not None else Second.none(len(batch))
    starts = second.segments - np.repeat(second.offsets[:-1], np.diff(second.segment_offsets))
    lists = [
        (second.offsets, batch.vocabulary.strings(second.codes)),
        (second.offsets, pa.array(second.spaces)),
        (second.segment_offsets, pa.array(starts.astype(np.int32))),
    ]
    columns = [pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values) for offsets, values in lists]
    return pa.StructArray.from_arrays(columns, fields=list(SECOND_FIELD.type))


def second_of(column: pa.StructArray, vocabulary: Vocabulary) -> Second:
    """Return the second texts of a column, as codes of a vocabulary that takes their token types.

    Example:
        >>> from labelers.text.segment import read_texts
        >>> batch = read_texts(["It rained."], second=["Es regnete. Sehr."])
        >>> second_of(second_column(batch), batch.vocabulary).segments.tolist()
        [0, 3]
    """
    tokens, spaces, segments = column.flatten()
    offsets, segment_offsets = _offsets(tokens), _offsets(segments)
    starts: IntArray = segments.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    return Second(
        codes=vocabulary.encode_arrow(tokens.flatten()),
        offsets=offsets,
        spaces=spaces.flatten().to_numpy(zero_copy_only=False),
        segments=starts + np.repeat(offsets[:-1], np.diff(segment_offsets)),
        segment_offsets=segment_offsets,
    )


def _offsets(lists: pa.ListArray) -> IntArray:
    """Return where each list begins among all values of an array, which may be a slice of more."""
    return running_total(lists.value_lengths().to_numpy(zero_copy_only=False))
