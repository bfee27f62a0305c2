"""Rows of a dataset with labels of a trained model."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.label_space import COPY, LABELLED, UNLABELLED, LabelSpace, blank
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, Ragged, running_total
from pipelines.folder.layout import Folder
from pipelines.layers.folders import base_of
from pipelines.layers.join_source import label_books
from pipelines.layers.matching import is_copy
from pipelines.plans.plan import Plan
from pipelines.rows.rows_source import RowsSource
from pipelines.rows.source import Part, Source

if TYPE_CHECKING:
    from trainer.data.bare import BareRows
    from trainer.teach.teacher import TaughtLabels, Teacher

__all__ = ["TaughtSource", "Teaching"]


@dataclasses.dataclass(frozen=True)
class Teaching:
    """A model that labels rows, and the rows that it may not label."""

    teacher: "Teacher"
    seen: Mapping[str, frozenset[bytes]]
    """By task the keys of the rows that the model was trained on."""
    tasks: Mapping[str, str]
    """The task of the model, by column."""
    spaces: tuple[LabelSpace, ...]
    threshold: float
    copies: int
    """Of each passage of the base."""

    @classmethod
    def of_plan(cls, plan: Plan, folder: Folder) -> "Teaching":
        """Load what the plan of a layer names.

        Raises:
            OSError: it is not there any more.
        """
        from trainer.folder import RunFolder
        from trainer.teach.seen import seen_by
        from trainer.teach.teacher import Teacher

        taught = plan.taught
        if RunFolder.of(taught["place"]).weights_digest() != taught["weights"]:
            raise OSError(f"the model in {taught['place']} is missing or has changed; run the same predict again")
        names = list(taught["tasks"].values())
        seen = seen_by(taught["trained_on"], taught["layers"], names) if taught["trained_on"] else {}
        copies = Plan.read(base_of(folder)).recipe.copies
        return cls(Teacher(taught["place"], names), seen, taught["tasks"], plan.spaces, taught["threshold"], copies)

    def labels(self, batch: PassageBatch) -> dict[str, pa.Array]:
        """Return the label columns of some rows."""
        rows = _bare(batch)
        predicted, keys = self.teacher.label(rows), _keys(rows)
        copies = np.array([self.copies > 1 and is_copy(name, self.copies) for name in batch.ids], bool)
        found = {}
        for space in self.spaces:
            task = self.tasks[space.name]
            known = self.seen.get(task, frozenset())
            shut = copies | np.array([key in known for key in keys], bool)
            status = np.where(copies, COPY, UNLABELLED)
            found[space.name] = self._column(space, predicted.get(task), shut, status)
        return found

    def _column(
        self, space: LabelSpace, predicted: "TaughtLabels | None", shut: BoolArray, status: IntArray
    ) -> pa.StructArray:
        """Return the column of a label space; rows that are shut have no label, nor has what is too uncertain."""
        if predicted is None:
            return blank(space.column.type, status)
        sure = predicted.confidence >= self.threshold
        owners = np.repeat(np.arange(len(shut)), predicted.lengths)
        kept = ~shut & (np.bincount(owners[sure], minlength=len(shut)) > 0)
        inside = kept[owners]
        labels, sure = predicted.labels[inside], sure[inside]
        measures = {"confidence": predicted.confidence[inside], "entropy": predicted.entropy[inside]}
        columns: list[pa.Array] = [pa.array(np.where(kept, LABELLED, status).astype(np.int8))]
        for field in list(space.column.type)[1:]:
            values = measures.get(field.name)
            if values is None:
                values = labels if labels.dtype == bool else np.where(sure, labels, -1)
            columns.append(_laid(field.type, values, np.where(kept, predicted.lengths, 0)))
        return pa.StructArray.from_arrays(columns, fields=list(space.column.type))


class TaughtSource(Source):
    """The passages of a dataset's rows, with the labels that a model gives them."""

    def __init__(self, rows: RowsSource, teaching: Teaching) -> None:
        """Read nothing yet.

        Args:
            rows: of the dataset.
            teaching: labels them.
        """
        self._rows, self._teaching = rows, teaching

    def check(self, unit: int) -> None:
        """Check that a unit of the dataset is finished, and that its files have their sizes."""
        self._rows.check(unit)

    def read(self, unit: int) -> Iterator[Part]:
        """Yield the passages of a unit's shards, a record batch at a time."""
        for part in self._rows.read(unit):
            labels = self._teaching.labels(part.passages)
            records = dataclasses.replace(part.records, labels=label_books(labels))
            yield Part(dataclasses.replace(part.passages, fields=labels), records)


def _laid(kind: pa.DataType, values: npt.NDArray[Any], lengths: IntArray) -> pa.Array:
    """Return a value or a list for each row, null or empty for those of length 0."""
    if values.ndim > 1:  # several classes at once
        offsets = running_total(lengths * values.shape[1])
        flat = pa.array(values.ravel())
    elif pa.types.is_list(kind):
        offsets, flat = running_total(lengths), pa.array(values).cast(kind.value_type)
    else:
        places = np.where(lengths > 0, running_total(lengths)[:-1], -1)
        return pa.array(values).cast(kind).take(pa.array(places, mask=places < 0))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat)


def _keys(rows: "BareRows") -> list[bytes]:
    """Return the keys by which rows are known again."""
    from trainer.teach.seen import keys_of

    return keys_of(rows.tokens)


def _bare(batch: PassageBatch) -> "BareRows":
    """Return passages as rows that a model is asked of."""
    from trainer.data.bare import BareRows

    strings = batch.vocabulary.strings
    turn_rows = np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))
    second = batch.second
    return BareRows(
        np.arange(len(batch)),
        _lists(batch.offsets, strings(batch.codes)),
        Ragged(batch.segment_offsets, batch.segments - batch.offsets[batch.segment_rows]),
        Ragged(batch.turn_offsets, batch.turns - batch.segment_offsets[turn_rows]),
        _lists(batch.turn_offsets, strings(batch.roles)),
        batch.spaces,
        None if second is None else _lists(second.offsets, strings(second.codes)),
        None if second is None else _lists(second.offsets, pa.array(second.spaces)),
        batch.documents,
    )


def _lists(offsets: IntArray, values: pa.Array) -> pa.ListArray:
    """Return a list for each row."""
    return pa.ListArray.from_arrays(pa.array(np.asarray(offsets).astype(np.int32)), values)
