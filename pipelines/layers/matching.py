"""Which row of a dataset has the annotations of which row of another: by id, by order, or by tokens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelers.advice import restore
from labelers.label_space import COPY, LABELLED, REJECTED, UNLABELLED, LabelSpace, blank
from labelers.ragged import IntArray
from labelers.text.document import Reject
from pipelines.folder.layout import MANIFEST, SPLITS, Folder, shard_name
from pipelines.folder.marks import done_stats
from pipelines.layers.folders import base_of
from pipelines.layers.rejected_labels import RejectedLabels
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import RecipeError

__all__ = [
    "Compared",
    "Matching",
    "Rows",
    "check_known_order",
    "compared",
    "differ",
    "is_copy",
    "rejected_rows",
]

_NAMED = 3
"""Rows of a kind that a report names."""
_BETWEEN = "\x1f"
"""What stands between tokens in a key."""


@dataclass(frozen=True)
class Rows:
    """The rows of a dataset in the order of its input, without copies."""

    place: str
    table: pa.Table
    """With the columns id, document and tokens, and those that were asked for."""
    own_ids: bool
    """Records brought ids of their own."""
    ordered: bool
    """The order is known: with ids of their own, records that were divided by chance have none."""

    @classmethod
    def of(cls, folder: Folder, plan: Plan, columns: Sequence[str] = (), place: str = "") -> "Rows":
        """Read the rows of a finished dataset, with some columns; a message calls it by its place.

        Raises:
            ValueError: a unit of it is unfinished or damaged.
        """
        names, place = ["id", "document", "tokens", *columns], place or folder.path
        for unit in range(len(plan.units)):
            if done_stats(folder, plan, unit) is None:
                raise ValueError(f"unit {unit} of {place} is unfinished or damaged; {restore(folder.path)}")
        shards = [(split, part) for split in SPLITS for part in _shards(folder, plan, split, names)]
        parts = [part for _, part in shards]
        table = pa.concat_tables(parts) if parts else pa.table({name: [] for name in names})
        if plan.recipe.copies > 1:
            first = [not is_copy(name, plan.recipe.copies) for name in table.column("id").to_pylist()]
            table = table.filter(pa.array(first))
        documents = table.column("document").to_pylist()
        places = _places(plan, documents)
        given = any(file.split for file in plan.files) and not (plan.splitter.carved and plan.recipe.labels)
        if places is not None and not given:
            table = table.take(pa.array(np.lexsort(places.T[::-1])))
        single = len({split for split, _ in shards}) <= 1
        return cls(place, table, places is None, given or places is not None or single)

    def keys(self, on: str) -> list[Any]:
        """Return what rows are matched by."""
        if on == "id":
            return self.table.column("id").to_pylist()  # type: ignore[no-any-return]
        if on == "order":
            return list(range(self.table.num_rows))
        return pc.binary_join(self.table.column("tokens"), _BETWEEN).to_pylist()  # type: ignore[no-any-return]


def _shards(folder: Folder, plan: Plan, split: str, names: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of each shard of a split that has rows."""
    for unit in range(len(plan.units)):
        name = shard_name(split, unit, len(plan.units))
        if folder.is_file(name):
            with folder.open(name) as file:
                table = pa.ipc.open_stream(file).read_all()
            if table.num_rows:
                yield table.select(names).replace_schema_metadata(None)


def is_copy(name: str, copies: int) -> bool:
    """Return whether a row is a further copy of a passage."""
    number = name.rpartition("#")[2]
    return "#" in name and number.isdecimal() and 0 < int(number) < copies


def _places(plan: Plan, documents: Sequence[str]) -> IntArray | None:
    """Return file and place of each document, int64 [N, 2]; None where any has an id of its own."""
    order = {file.name: (file.input, i) for i, file in enumerate(plan.files)}
    ranks = {name: rank for rank, name in enumerate(sorted(order, key=lambda name: order[name]))}
    found = np.empty((len(documents), 2), np.int64)
    for i, document in enumerate(documents):
        name, _, place = document.rpartition(":")
        if name not in ranks or not place.isdecimal():
            return None
        found[i] = ranks[name], int(place)
    return found


@dataclass(frozen=True)
class Compared:
    """What came of a comparison."""

    matched: int
    unmatched: tuple[int, tuple[str, ...]]
    """Rows of the base without annotations: how many, and the first ids."""
    unused: tuple[int, tuple[str, ...]]
    """Annotated rows that are none of the base's."""
    repeated: tuple[int, tuple[str, ...]]
    """Annotated rows that have the key of another one, which holds: of the earliest, or the earliest with a label."""
    preferred: tuple[int, tuple[str, ...]]
    """Annotated rows with a label that hold, though an earlier one has their key: of that one none can be used."""

    def lines(self, on: str) -> Iterator[str]:
        """Yield the lines of the report, given what rows were matched by."""
        yield f"joined by {on}: {self.matched:,} rows matched"
        notes = {
            "rows of the base match no annotated row and stay unlabelled": self.unmatched,
            "annotated rows are not in the base": self.unused,
            "annotated rows are duplicates; the labels of the first are used": self.repeated,
            "annotated rows are used in place of an earlier duplicate that has no usable label": (self.preferred),
        }
        for what, (count, names) in notes.items():
            if count:
                more = ", ..." if count > len(names) else ""
                yield f"{count:,} {what} ({', '.join(names)}{more})"


def compared(base: Rows, other: Rows, on: str, labels: Sequence[str]) -> Compared:
    """Match all rows and compare their tokens.

    Args:
        base: rows of the dataset.
        other: annotated rows, with the columns of their labels.
        on: what they are matched by.
        labels: names of the labels.

    Raises:
        RecipeError: rows that are matched have other tokens, or by order there is another number of them.
    """
    if on == "order":
        _check_order(base, other)
    keys, others = base.keys(on), other.keys(on)
    index = _first_of(others)
    names, strangers = base.table.column("id").to_pylist(), other.table.column("id").to_pylist()
    pairs = [(i, index[key]) for i, key in enumerate(keys) if key in index]
    if on != "tokens":
        _check_tokens(base, other, pairs)
    known = {*keys}
    unmatched = [names[i] for i, key in enumerate(keys) if key not in index]
    unused = [strangers[i] for i, key in enumerate(others) if key not in known]
    holding = {i for name in labels for i in _holding(others, other.table.column(name)).values()}
    repeated = [strangers[i] for i, key in enumerate(others) if i not in holding]
    preferred = [strangers[i] for i in sorted(holding) if index[others[i]] != i]
    if not pairs:
        first = (
            f"{names[0]!r} in the base, {strangers[0]!r} in the annotations"
            if names and strangers
            else "one of the two has no rows"
        )
        raise RecipeError(f"no row of {base.place} matches a row of {other.place} by {on} ({first}); give another --on")
    return Compared(len(pairs), _told(unmatched), _told(unused), _told(repeated), _told(preferred))


def _first_of(keys: Sequence[Any]) -> dict[Any, int]:
    """Return where each key stands first."""
    found: dict[Any, int] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, i)
    return found


_BETTER = {LABELLED: 0, REJECTED: 1}
"""Which of several annotations of a row holds: a label, else one that cannot be used, else the first."""


def _holding(keys: Sequence[Any], column: pa.ChunkedArray) -> dict[Any, int]:
    """Return the row that holds for each key, given the column of a label."""
    status = [value for part in column.chunks for value in part.field("status").to_pylist()]
    found: dict[Any, int] = {}
    for i, key in enumerate(keys):
        first = found.setdefault(key, i)
        if first != i and _BETTER.get(status[i], len(_BETTER)) < _BETTER.get(status[first], len(_BETTER)):
            found[key] = i
    return found


def _told(names: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Return how many there are, and the first."""
    return len(names), tuple(names[:_NAMED])


def check_known_order(rows: Rows) -> None:
    """Refuse rows of which nobody knows in which order they were read.

    Raises:
        RecipeError: they are.
    """
    if not rows.ordered:
        raise RecipeError(
            f"the order of the input of {rows.place} is not known: its records have ids of their own, and its splits "
            "were sampled; join with --on id or --on tokens"
        )


def _check_order(base: Rows, other: Rows) -> None:
    """Refuse rows that cannot be matched by order."""
    for rows in (base, other):
        check_known_order(rows)
    if base.table.num_rows != other.table.num_rows:
        raise RecipeError(
            f"{base.place} has {base.table.num_rows:,} rows and {other.place} has {other.table.num_rows:,}; matching "
            f"by order requires the same number{_first_difference(base, other)}; join with --on id or --on tokens, or "
            "give all files"
        )


def _first_difference(base: Rows, other: Rows) -> str:
    """Say in which row the tokens differ first, where they do before one of the two ends."""
    common = np.arange(min(base.table.num_rows, other.table.num_rows))
    places = _differing(base, other, np.stack([common, common], axis=1))
    if not len(places):
        return ""
    row = places[0]
    mine, theirs = (part.table.column("tokens")[row].as_py() for part in (base, other))
    return f" (the first row that differs is {base.table.column('id')[row].as_py()!r}: {_both(mine, theirs)})"


def _differing(base: Rows, other: Rows, places: IntArray) -> IntArray:
    """Return which of the pairs of rows, int64 [N, 2], have other tokens."""
    texts = [pc.binary_join(rows.table.column("tokens"), _BETWEEN) for rows in (base, other)]
    mine, theirs = (text.take(pa.array(places[:, side])) for side, text in enumerate(texts))
    return np.flatnonzero(pc.not_equal(mine, theirs).to_numpy())


def _check_tokens(base: Rows, other: Rows, pairs: Sequence[tuple[int, int]]) -> None:
    """Refuse rows that are matched and have other tokens."""
    places = np.array(pairs, np.int64).reshape(-1, 2)
    differing = _differing(base, other, places)
    if len(differing):
        i, j = places[differing[0]].tolist()
        more = f" ({len(differing):,} rows differ)" if len(differing) > 1 else ""
        row, annotated = (rows.table.column("id")[place].as_py() for rows, place in ((base, i), (other, j)))
        mine, theirs = (rows.table.column("tokens")[place].as_py() for rows, place in ((base, i), (other, j)))
        raise RecipeError(differ(row, annotated, mine, theirs, more))


def differ(row: str, annotated: str, mine: Sequence[str], theirs: Sequence[str], more: str = "") -> str:
    """Return the sentence about a row and its annotated row that have other tokens."""
    return (
        f"row {row!r} and annotated row {annotated!r} have different tokens: {_both(mine, theirs)}{more}; --on tokens "
        "matches rows by their tokens, in any order"
    )


def _both(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Return the tokens of two rows from where they differ."""
    place = next((i for i, (a, b) in enumerate(zip_longest(mine, theirs)) if a != b), 0)
    first, second = (" ".join(tokens[place : place + 6]) or "(no more)" for tokens in (mine, theirs))
    return f"from token {place} {first!r} in the dataset, {second!r} in the annotations"


@dataclass(frozen=True)
class Matching:
    """Label columns of annotated rows, and the row of them that a row of the base has."""

    index: Mapping[str, Mapping[str, int]]
    """By label, and by id of the base's row."""
    columns: Mapping[str, pa.Array]
    documents: pa.Array
    """Of the annotated rows."""
    rejected: RejectedLabels | None
    """None where all labels can be used."""
    copies: int
    """Of each passage of the base."""
    spaces: Sequence[LabelSpace]

    @classmethod
    def of_plan(cls, plan: Plan, folder: Folder) -> "Matching":
        """Match the rows of a layer's base to those that it is joined with.

        Args:
            plan: of the layer.
            folder: of the layer.

        Raises:
            OSError: these are not what they were when the plan was made.
        """
        base, place = base_of(folder), Folder.at(plan.joined["place"])
        names = [space.name for space in plan.spaces]
        if not place.is_file(MANIFEST) or place.read_json(MANIFEST)["rows_blake2b"] != plan.joined["rows"]:
            raise OSError(f"the annotations in {place.path} are missing or have changed; run the same join again")
        base_plan, other_plan = Plan.read(base), Plan.read(place)
        mine, theirs = Rows.of(base, base_plan), Rows.of(place, other_plan, names)
        keys, others = mine.keys(plan.joined["on"]), theirs.keys(plan.joined["on"])
        ids = mine.table.column("id").to_pylist()
        index = {}
        for name in names:
            rows = _holding(others, theirs.table.column(name))
            index[name] = {row: rows[key] for row, key in zip(ids, keys, strict=True) if key in rows}
        columns = {name: theirs.table.column(name).combine_chunks() for name in names}
        bad = any(len(rejected_rows(column)) for column in columns.values())
        documents = theirs.table.column("document").combine_chunks()
        rejected = RejectedLabels(place, other_plan, names) if bad else None
        return cls(index, columns, documents, rejected, base_plan.recipe.copies, plan.spaces)

    def labels(self, ids: Sequence[str]) -> dict[str, pa.StructArray]:
        """Return the label columns of some rows of the base; copies have none, as in a dataset."""
        status = np.full(len(ids), UNLABELLED, np.int8)
        if self.copies > 1:
            status[[is_copy(name, self.copies) for name in ids]] = COPY
        found = {}
        for space in self.spaces:
            index = self.index[space.name]
            rows = np.array([index.get(name, -1) for name in ids], np.int64)
            found[space.name] = _taken(self.columns[space.name], rows, status, space)
        return found

    def why(self, name: str, row: str) -> Reject:
        """Return why the label of a row of the base was rejected where it was read."""
        assert self.rejected is not None, "a label was rejected"  # noqa: S101
        return self.rejected.why(name, self.documents[self.index[name][row]].as_py())


def _taken(column: pa.StructArray, rows: IntArray, status: npt.NDArray[np.int8], space: LabelSpace) -> pa.Array:
    """Return some rows of a column; where the number is -1, one without a label."""
    nothing = blank(space.column.type, status)
    places = np.where(rows >= 0, rows + len(rows), np.arange(len(rows)))
    return pa.concat_arrays([nothing, column.cast(space.column.type)]).take(pa.array(places))


def rejected_rows(column: pa.StructArray) -> list[int]:
    """Return the rows whose label could not be used."""
    rows: list[int] = np.flatnonzero(column.field("status").to_numpy() == REJECTED).tolist()
    return rows
