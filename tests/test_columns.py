"""Label columns: types that hold what they must, and arrays as one value or list per row."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import built, rows, text, write

from labelers.columns import SPAN, class_lists, class_type, nullable, row_lists, span_column
from labelers.ragged import running_total
from pipelines.verify import verify

COUNTS = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1))


@given(COUNTS)
def test_the_type_of_labels_holds_every_class_and_none(classes: int) -> None:
    """From -1 for none up to the last class, and never in more bytes than a larger number of classes has."""
    kind = class_type(classes)
    limits = np.iinfo(kind.to_pandas_dtype())
    assert limits.min <= -1
    assert classes - 1 <= limits.max
    assert kind.bit_width <= class_type(min(classes + 1, 2**31 - 1)).bit_width


@pytest.mark.parametrize(
    ("classes", "kind"), [(0, "int8"), (128, "int8"), (129, "int16"), (32_768, "int16"), (32_769, "int32")]
)
def test_the_type_of_labels_is_small(classes: int, kind: str) -> None:
    """A byte, as far as it goes."""
    assert str(class_type(classes)) == kind


@given(st.lists(st.tuples(st.lists(st.integers(0, 9)), st.booleans())))
def test_rows_that_are_not_kept_have_an_empty_list(lists: list[tuple[list[int], bool]]) -> None:
    """The others have their own values, and offsets are those of the lists."""
    values = np.array([value for row, _ in lists for value in row], np.int64)
    offsets = running_total(np.array([len(row) for row, _ in lists], np.int64))
    found = row_lists(values, offsets, np.array([keep for _, keep in lists], bool))
    assert found.to_pylist() == [row if keep else [] for row, keep in lists]


@given(st.lists(st.tuples(st.lists(st.integers(-1, 199)), st.booleans())), st.sampled_from([200, 40_000]))
def test_labels_come_back_from_their_lists(lists: list[tuple[list[int], bool]], classes: int) -> None:
    """In the type of so many classes; rows that are not kept have an empty list."""
    values = np.array([label for labels, _ in lists for label in labels], np.int64)
    offsets = running_total(np.array([len(labels) for labels, _ in lists], np.int64))
    keep = np.array([kept for _, kept in lists], bool)
    found = class_lists(values, offsets, keep, classes=classes)
    assert found.type == pa.list_(class_type(classes))
    assert found.to_pylist() == [labels if kept else [] for labels, kept in lists]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.booleans())))
def test_spans_and_values_are_null_where_there_are_none(lists: list[tuple[int, int, bool]]) -> None:
    """One value per row, of the declared type."""
    start, end, valid = (np.array(column) for column in zip(*lists, strict=True)) if lists else (np.empty(0, int),) * 3
    valid = valid.astype(bool)
    spans = span_column(start, end, valid)
    assert spans.type == SPAN
    assert spans.to_pylist() == [{"start": a, "end": b} if kept else None for a, b, kept in lists]
    assert nullable(start, valid).to_pylist() == [a if kept else None for a, _, kept in lists]


def test_a_dataset_of_many_classes_is_counted_as_it_is_written(tmp_path: Path) -> None:
    """Two hundred classes of tokens: every number is kept, and the books name the class that it stands for."""
    out = tmp_path / "out"
    report = built(write(tmp_path, text(60)), out, **{"with": ["toy_labelers:Sorting"]})
    found = [row for split in report.splits for row in rows(out, split)]
    written = Counter(drawer for row in found for drawer in row["sorting"]["drawer"])
    assert written == Counter(sum(map(ord, token)) % 200 for row in found for token in row["tokens"])
    assert max(written) > 127
    books = Counter[str]()
    for book in report.books["splits"].values():
        books.update(book["tasks"]["sorting.drawer"])
    assert {name: count for name, count in books.items() if count} == {f"drawer {i}": n for i, n in written.items()}
    assert verify(out) == []
