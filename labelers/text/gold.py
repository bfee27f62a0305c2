"""Labels that people made, carried from documents to the passages that are cut from them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import class_lists, nullable, row_lists
from labelers.label_space import LABELLED, REJECTED, UNLABELLED, LabelSpace, class_numbers
from labelers.ragged import IntArray
from labelers.text.arcs import read_arcs
from labelers.text.cutting import CutDocuments
from labelers.text.document import BadLabel, Reject, Spans
from labelers.text.tags import TagReader, mark_spans

__all__ = ["GoldLabels", "read_gold"]


@dataclass
class GoldLabels:
    """The labels of some cut."""

    columns: dict[str, pa.StructArray]
    rejects: list[Reject]
    books: dict[str, Counter[str]]
    """For each label space, of how many documents labels were read, and used, and rejected for which reason."""


def read_gold(cut: CutDocuments, spaces: Sequence[LabelSpace]) -> GoldLabels:
    """Return the labels of passages; a label that cannot be used takes those of its document with it.

    Args:
        cut: the passages, with the documents that they were cut from.
        spaces: the label spaces to read.
    """
    found = GoldLabels({}, [], {})
    for space in spaces:
        column, bad = _read(cut, space)
        found.columns[space.name] = column
        found.books[space.name] = _book(cut.labels(space.name), bad)
        for number, label in sorted(bad.items()):
            document = cut.documents[number]
            given = document.labels[space.name]
            sample = "" if isinstance(given, BadLabel) else str(given)[:200]  # the note describes one that has no form
            found.rejects.append(Reject(document.source, document.place, label.reason, sample, label.note, space.name))
    return found


def _book(labels: Sequence[Any], bad: Mapping[int, BadLabel]) -> Counter[str]:
    """Return how many documents have a label, and what became of it."""
    read = sum(label is not None for label in labels)
    return Counter({"read": read, "used": read - len(bad)}) + Counter(label.reason for label in bad.values())


def _read(cut: CutDocuments, space: LabelSpace) -> tuple[pa.StructArray, dict[int, BadLabel]]:
    """Return the column of a label space, and why labels of some documents cannot be used."""
    labels = cut.labels(space.name)
    bad = {number: label for number, label in enumerate(labels) if isinstance(label, BadLabel)}
    known = {n: label for n, label in enumerate(labels) if label is not None and n not in bad}
    made = _READERS[space.kind](cut, space, known, bad)
    status = np.full(len(labels), UNLABELLED, np.int8)
    status[list(known)] = LABELLED
    status[list(bad)] = REJECTED
    rows = status[cut.owners]
    columns = [pa.array(rows), *(make(rows == LABELLED) for make in made)]
    return pa.StructArray.from_arrays(columns, fields=list(space.column.type)), bad


_Known = Mapping[int, Any]
_Bad = dict[int, BadLabel]
_Made = list[Callable[[npt.NDArray[np.bool_]], pa.Array]]
"""Columns that are made once it is known which rows have a label."""


def _tags(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read a tag for each token."""
    batch, offsets = cut.batch, cut.read_offsets
    values = np.full(len(cut.read.codes), -1)
    reader = TagReader(space)
    lists = {n: label for n, label in known.items() if not isinstance(label, Spans)}
    sizes, lengths = np.diff(offsets), np.zeros(len(offsets) - 1, np.int64)
    lengths[list(lists)] = list(map(len, lists.values()))
    wrong_length = np.flatnonzero((lengths != sizes) & np.isin(np.arange(len(sizes)), list(lists))).tolist()
    bad |= {n: BadLabel("wrong_length", f"{lengths[n]} tags for {sizes[n]} tokens") for n in wrong_length}
    for scheme, good in _by_scheme(cut, space, [n for n in lists if n not in bad]).items():
        read, wrong = reader.read([lists[n] for n in good], scheme)
        bad |= {good[i]: label for i, label in wrong.items()}
        chosen = np.zeros(len(sizes), bool)
        chosen[good] = True
        values[np.repeat(chosen, sizes)] = read
    marked = [(n, label) for n, label in known.items() if isinstance(label, Spans)]
    if marked:
        places = cut.read_positions
        for n, label in marked:
            part = slice(offsets[n], offsets[n + 1])
            marks = mark_spans(label, places.starts[part], places.ends[part], reader)
            if isinstance(marks, BadLabel):
                bad[n] = marks
            else:
                values[part] = marks
    values = reader.opened(reader.kept(values, cut.kept), batch.offsets[:-1])
    return [lambda keep: class_lists(values, batch.offsets, keep, classes=len(space.classes))]


def _by_scheme(cut: CutDocuments, space: LabelSpace, numbers: list[int]) -> dict[str, list[int]]:
    """Return the documents by the scheme of their tags."""
    if not space.schemes:
        return {space.scheme: numbers}
    found: dict[str, list[int]] = {}
    for n in numbers:
        found.setdefault(space.schemes.get(cut.documents[n].source, space.scheme), []).append(n)
    return found


def _unknown(space: LabelSpace, value: Any) -> BadLabel:
    """Return what is wrong with a class that is none."""
    return BadLabel("unknown_class", f"{value!r} is none of the {len(space.classes)} classes")


def _name(value: Any) -> Any:
    """Return a class as it is called."""
    return str(value).lower() if isinstance(value, bool) else value


def _one(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read a class for each document."""
    table, values = class_numbers(space.classes), np.full(len(cut.documents), -1)
    for n, label in known.items():
        values[n] = table.get(_name(label), -1)
        if values[n] < 0:
            bad[n] = _unknown(space, label)
    return [lambda keep: nullable(np.where(keep, values[cut.owners], 0), keep)]


def _several(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read the classes of each document."""
    table, values = class_numbers(space.classes), np.zeros((len(cut.documents), len(space.classes)), bool)
    for n, label in known.items():
        places = [table.get(_name(item), -1) for item in label]
        if min(places, default=0) < 0:
            bad[n] = _unknown(space, label[places.index(-1)])
        else:
            values[n, places] = True
    offsets = np.arange(len(cut.batch) + 1) * len(space.classes)
    return [lambda keep: row_lists(values[cut.owners].ravel(), offsets, keep)]


def _parts(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read a class for each segment or turn; of one that was cut in two only the first part has it."""
    batch, pieces = cut.batch, cut.read
    if space.kind == "turn":
        places, offsets, opened = (
            pieces.offsets[:-1][pieces.roles >= 0],
            batch.turn_offsets,
            batch.segments[batch.turns],
        )
    else:
        places, offsets, opened = np.flatnonzero(pieces.starts), batch.segment_offsets, batch.segments
    bounds = np.searchsorted(places, cut.read_offsets)
    values = np.full(len(places), -1)
    table = {None: -1, **class_numbers(space.classes)}
    for n, label in known.items():
        start, end = bounds[n], bounds[n + 1]
        found = [table.get(_name(item), -2) for item in label]
        if len(found) != end - start:
            bad[n] = BadLabel("wrong_length", f"{len(found)} labels for {end - start} {space.kind}s")
        elif min(found, default=0) < -1:
            bad[n] = _unknown(space, label[found.index(-2)])
        else:
            values[start:end] = found
    if cut.normalised is not None:  # those of which nothing is left are gone
        bounds = cut.places[np.append(places, len(cut.kept))]
        filled = bounds[1:] > bounds[:-1]
        places, values = bounds[:-1][filled], values[filled]
    where = np.minimum(np.searchsorted(places, opened), max(len(places) - 1, 0))
    own = np.where(places[where] == opened, values[where], -1) if len(places) else np.full(len(opened), -1)
    return [lambda keep: class_lists(own, offsets, keep, classes=len(space.classes))]


def _numbers(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read a number for each document or token."""
    batch, offsets = cut.batch, cut.read_offsets
    if space.whole:
        values = np.zeros(len(cut.documents), np.float32)
        values[list(known)] = list(known.values())
        bad |= {n: BadLabel("not_a_number") for n in known if not np.isfinite(values[n])}
        return [lambda keep: nullable(np.where(keep, values[cut.owners], 0).astype(np.float32), keep)]
    values = np.full(len(cut.read.codes), np.nan, np.float32)
    for n, label in known.items():
        if len(label) != offsets[n + 1] - offsets[n]:
            bad[n] = BadLabel("wrong_length", f"{len(label)} numbers for {offsets[n + 1] - offsets[n]} tokens")
            continue
        found = np.array([np.nan if item is None else item for item in label], np.float32)
        if any(item is not None and not np.isfinite(item) for item in label):
            bad[n] = BadLabel("not_a_number")
        else:
            values[offsets[n] : offsets[n + 1]] = found
    left = values[cut.kept]
    return [lambda keep: row_lists(left, batch.offsets, keep)]


def _arcs(cut: CutDocuments, space: LabelSpace, known: _Known, bad: _Bad) -> _Made:
    """Read the head of each token, and the relation to it."""
    batch, offsets = cut.batch, cut.read_offsets
    heads, relations = np.full(len(cut.read.codes), -1), np.full(len(cut.read.codes), -1)
    table = {None: -1, **class_numbers(space.classes)}
    for n, label in known.items():
        found = read_arcs(label, int(offsets[n + 1] - offsets[n]), table if space.relations else None)
        if isinstance(found, BadLabel):
            bad[n] = found
        else:
            part = slice(offsets[n], offsets[n + 1])
            heads[part] = np.where(found[0] < 0, -1, found[0] + offsets[n])
            relations[part] = found[1]
    heads, relations = _still_headed(heads, cut)[cut.kept], relations[cut.kept]
    start, end = batch.offsets[:-1][batch.rows], batch.offsets[1:][batch.rows]
    inside = (heads >= start) & (heads < end)  # an arc that was cut has no head in its row
    heads, relations = np.where(inside, heads - start, -1).astype(np.int32), np.where(inside, relations, -1)
    made: _Made = [lambda keep: row_lists(heads, batch.offsets, keep)]
    if space.relations:
        made.append(lambda keep: class_lists(relations, batch.offsets, keep, classes=len(space.classes)))
    return made


def _still_headed(heads: IntArray, cut: CutDocuments) -> IntArray:
    """Return heads as places among the tokens of the passages, -1 where the head is not among them."""
    return np.where((heads >= 0) & cut.kept[heads], cut.places[heads], -1)


_READERS: Mapping[str, Callable[[CutDocuments, LabelSpace, _Known, _Bad], _Made]] = {
    "token": _tags,
    "passage": _one,
    "multilabel": _several,
    "segment": _parts,
    "turn": _parts,
    "pair": _one,
    "regression": _numbers,
    "arc": _arcs,
}
