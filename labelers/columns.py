"""Label columns: the types that labelers declare, and arrays as columns of a batch, one value or list per row."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.ragged import BoolArray, IntArray, ragged_take, running_total

__all__ = ["SPAN", "class_lists", "class_type", "nullable", "row_lists", "span_column"]

SPAN = pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())])
"""Tokens [start, end) of a row's sequence."""

_WIDTHS = ((np.int8, pa.int8()), (np.int16, pa.int16()), (np.int32, pa.int32()))
"""As numpy and Arrow call them: Arrow's own way from one to the other needs pandas."""


def class_type(classes: int) -> pa.DataType:
    """Return the type of labels of tokens, segments or turns: the smallest that holds so many classes, -1 for none.

    Labels of rows are int64, as readers of datasets expect, with null for none.

    Example:
        >>> class_type(2), class_type(200)
        (DataType(int8), DataType(int16))
    """
    return _width(classes)[1]


def _width(classes: int) -> tuple[type[np.signedinteger[Any]], pa.DataType]:
    """Return the smallest integer type that holds so many classes."""
    return next(width for width in _WIDTHS if classes - 1 <= np.iinfo(width[0]).max)


def class_lists(labels: IntArray, offsets: IntArray, keep: BoolArray, *, classes: int) -> pa.ListArray:
    """Return a list of labels per row, as `row_lists` does, in the type of `class_type`."""
    return row_lists(labels.astype(_width(classes)[0], copy=False), offsets, keep)


def row_lists(values: npt.NDArray[Any], offsets: IntArray, keep: BoolArray) -> pa.ListArray:
    """Return a list per row of ragged values [offsets[-1]]; rows that are not kept get an empty one.

    Example:
        >>> row_lists(np.array([1, 2, 3]), np.array([0, 1, 3]), np.array([False, True])).to_pylist()
        [[], [2, 3]]
    """
    if not keep.all():
        taken, _ = ragged_take(offsets, np.flatnonzero(keep))
        values, offsets = values.take(taken), running_total(np.where(keep, np.diff(offsets), 0))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def nullable(values: npt.NDArray[Any], valid: BoolArray) -> pa.Array:
    """Return one value per row, null where it is not valid.

    Example:
        >>> nullable(np.array([3, 4]), np.array([False, True])).to_pylist()
        [None, 4]
    """
    return pa.array(values, mask=~valid)


def span_column(start: IntArray, end: IntArray, valid: BoolArray) -> pa.StructArray:
    """Return the span [start, end) of each row, null where it is not valid.

    Example:
        >>> span_column(np.array([0, 2]), np.array([2, 5]), np.array([False, True])).to_pylist()
        [None, {'start': 2, 'end': 5}]
    """
    edges = [pa.array(np.asarray(edge).astype(np.int32)) for edge in (start, end)]
    return pa.StructArray.from_arrays(edges, fields=list(SPAN), mask=pa.array(~valid))
