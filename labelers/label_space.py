"""Label spaces that people, or a model, filled: what each declares, and the column that holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from labelers.columns import class_type
from labelers.declaration import Declaration, TaskBuilder
from labelers.ragged import BoolArray, IntArray
from labelers.task import SECOND, SOURCE, Task

__all__ = [
    "COPY",
    "LABELLED",
    "REASONS",
    "REJECTED",
    "UNLABELLED",
    "LabelSpace",
    "blank",
    "class_numbers",
    "hidden",
    "of_record",
]

REASONS = ("unlabelled", "rejected", "copy")
"""Why a row has no label: nobody made one, it cannot be used, or the row is a further copy of one that has it."""

LABELLED, UNLABELLED, REJECTED, COPY = 0, 2, 3, 4
"""Statuses of a row."""

_ROW_KINDS = ("passage", "multilabel", "pair")
"""Kinds whose label speaks of a whole record, and so of a row that is not cut; a regression of passages does, too."""

_METRICS = {
    "passage": "macro_f1",
    "multilabel": "micro_f1",
    "segment": "macro_f1",
    "turn": "macro_f1",
    "pair": "macro_f1",
    "regression": "pearson",
}


@dataclass(frozen=True)
class LabelSpace:
    """One label space as it is written: all that a recipe says of it, and what was found in the input.

    Example:
        >>> space = LabelSpace("ner", "token", classes=("O", "B-place", "I-place"), scheme="bio")
        >>> space.task.metric, space.column.type.field("tags").type
        ('span_f1', ListType(list<item: int8>))
    """

    name: str
    kind: str
    """token, passage, multilabel, segment, turn, pair, regression or arc."""
    classes: tuple[str, ...] = ()
    """As they are written; of arcs the relations."""
    scheme: str = ""
    """How tags of the input mark spans: bio, iob1 or bioes; they are written as bio. Empty: they do not."""
    metric: str = ""
    level: str = "passage"
    """regression: passage or token."""
    relations: bool = False
    """arc: arcs have names."""
    on: str = ""
    schemes: Mapping[str, str] = field(default_factory=dict)
    """Schemes of input files that have another one than most, by their names."""
    taught: bool = False
    """A model made the labels, and says how sure it was."""
    entropy: bool = False
    """Of labels of a model: the entropy of its distribution stands beside them."""

    @property
    def whole(self) -> bool:
        """Whether a label speaks of a record, which is then not cut."""
        return of_record(self.kind, self.level)

    @property
    def target(self) -> str:
        """Name of the column in the struct that holds the label."""
        if self.kind == "regression":
            return "value" if self.whole else "values"
        names = {"token": "tags", "arc": "heads", "passage": "label", "pair": "label"}
        return names.get(self.kind, "labels")

    @property
    def column(self) -> pa.Field:
        """The struct of a row."""
        number = class_type(len(self.classes))
        kinds = {
            "tags": pa.list_(number),
            "heads": pa.list_(pa.int32()),
            "label": pa.int64(),
            "value": pa.float32(),
            "values": pa.list_(pa.float32()),
            "labels": pa.list_(pa.bool_() if self.kind == "multilabel" else number),
        }
        fields = [pa.field("status", pa.int8()), pa.field(self.target, kinds[self.target])]
        if self.relations:
            fields.append(pa.field("relations", pa.list_(number)))
        for name in self.measures:
            listed = pa.types.is_list(kinds[self.target]) and self.kind != "multilabel"
            fields.append(pa.field(name, pa.list_(pa.float32()) if listed else pa.float32()))
        return pa.field(self.name, pa.struct(fields))

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the columns that say how sure a model was, of each label that it made."""
        return (("confidence", "entropy") if self.entropy else ("confidence",)) if self.taught else ()

    @property
    def task(self) -> Task:
        """What is learnt from it."""
        build = TaskBuilder(self.name, 1, "", REASONS, SOURCE)
        task = build.token(self.target, classes=self.classes, metric=self._metric, name=self.name)
        level = self.kind if self.kind in ("token", "segment", "turn") else "token" if self.kind == "arc" else "passage"
        return replace(
            task,
            kind=self.kind,
            sequences=(SOURCE, SECOND) if self.kind == "pair" else (SOURCE,),
            level=self.level if self.kind == "regression" else level,
            multi=self.kind == "multilabel",
            roles=self.kind == "turn",
            relations=f"{self.name}.relations" if self.relations else None,
            gold=not self.taught,
            taught=self.taught,
            weight=f"{self.name}.confidence" if self.taught else None,
            scheme="bio" if self.scheme else "",
            on=self.on,
        )

    @property
    def _metric(self) -> str:
        """The metric that a report shows first."""
        if self.metric:
            return self.metric
        if self.kind == "token":
            return "span_f1" if self.scheme else "tag_f1" if "O" in self.classes else "accuracy"
        if self.kind == "arc":
            return "las" if self.relations else "uas"
        return _METRICS[self.kind]

    def declare(self) -> Declaration:
        """Return column and task as a labeler declares them."""
        return Declaration((self.column,), (self.task,))


def class_numbers(classes: Sequence[str]) -> dict[Any, int]:
    """Return the index of each class by its name, and by number: its own where names are numbers, else its place.

    Example:
        >>> class_numbers(["bad", "good"]) == {"bad": 0, "good": 1, 0: 0, 1: 1}
        True
        >>> class_numbers(["1", "2"]) == {"1": 0, "2": 1, 1: 0, 2: 1}
        True
    """
    index: dict[Any, int] = {name: i for i, name in enumerate(classes)}
    named = {int(name): i for name, i in index.items() if _is_integer(name)}
    return index | (named or {i: i for i in range(len(classes))})


def _is_integer(name: str) -> bool:
    """Return whether a name is an integer as Python writes it."""
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(name)) == name


def of_record(kind: str, level: str) -> bool:
    """Return whether labels of a kind speak of a whole record, at a level that only numbers have a choice of.

    Example:
        >>> of_record("pair", "passage"), of_record("regression", "token"), of_record("turn", "passage")
        (True, False, False)
    """
    return kind in _ROW_KINDS or (kind == "regression" and level == "passage")


def blank(kind: pa.StructType, status: Sequence[int] | IntArray) -> pa.StructArray:
    """Return rows of a label space that have no label, for the reasons that their status gives."""
    rows = len(status)
    empty: list[Any] = [[] if pa.types.is_list(item.type) else None for item in kind]
    columns = [pa.array([value] * rows, item.type) for value, item in zip(empty, kind, strict=True)]
    columns[0] = pa.array(np.asarray(status, np.int8))
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def hidden(column: pa.StructArray, rows: BoolArray, status: int) -> pa.StructArray:
    """Return a column in which those of some rows that have a label have lost it, for the reason of a status."""
    rows = rows & (column.field("status").to_numpy() == LABELLED)
    if not rows.any():
        return column
    empty = blank(column.type, np.full(len(column), status, np.int8))
    places = np.arange(len(column)) + np.where(rows, len(column), 0)
    return pa.concat_arrays([column, empty]).take(pa.array(places))
