"""Make units of a finished dataset again, from its input and its plan, and compare every byte.

What `verify` recomputes follows from the files of the dataset: rows that a faulty machine or engine made wrong, and
that were counted and digested as they were, agree with all of it. Only the input shows it.
"""

import hashlib
import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.folder.layout import DROPPED, HELD_OUT, PLAN, POOL, Folder, stats_name
from pipelines.folder.marks import MarkError, read_mark
from pipelines.input.changes import check_inputs
from pipelines.plans.plan import Plan
from pipelines.plans.plan_changes import changed_resources, changed_tools
from pipelines.processes import Child, ChildError
from pipelines.recipes.loading import find_own_modules, load_labelers
from pipelines.rows.shard import make_shard_here

__all__ = ["Asked", "Rebuilt", "rebuild", "units_asked"]

_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class Rebuilt:
    """What came of making units again."""

    seed: int
    units: tuple[int, ...]
    notes: tuple[str, ...]
    """What is not as it was when the dataset was built, and may explain a difference."""
    problems: tuple[str, ...]
    """A sentence for each file whose bytes are not the same."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        yield from (*self.notes, *self.problems)
        units = ", ".join(map(str, self.units))
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        result = count if self.problems else "identical bytes"
        yield f"rebuilt {'unit' if len(self.units) == 1 else 'units'} {units} (seed {self.seed}): {result}"


@dataclass(frozen=True)
class Asked:
    """How many units to make again, None for all, and the seed that draws them."""

    count: int | None
    seed: int


def units_asked(rebuild: str | None, seed: int | None) -> Asked | None:
    """Return what ``--rebuild`` and ``--seed`` ask for; None where no unit is to be made again.

    Raises:
        ValueError: another value than a number of units or ``all``, or a seed for nothing.

    Example:
        >>> units_asked("3", 7), units_asked("all", 0).count, units_asked(None, None)
        (Asked(count=3, seed=7), None, None)
    """
    if rebuild is None:
        if seed is not None:
            raise ValueError("--seed selects the units of --rebuild; give both or neither")
        return None
    if rebuild != "all" and not (rebuild.isdecimal() and int(rebuild)):
        raise ValueError(f"--rebuild is {rebuild!r}; give a number of units or all")
    count = None if rebuild == "all" else int(rebuild)
    return Asked(count, secrets.randbelow(1 << 32) if seed is None else seed)


def rebuild(out: str, count: int | None, seed: int) -> Rebuilt:
    """Make some units of a dataset again in a fresh process and compare their files byte by byte.

    Args:
        out: the dataset.
        count: how many units to make, drawn by ``seed``; None makes all of them.
        seed: decides which units are drawn, and nothing else.

    Raises:
        OSError: an input file or a resource that a drawn unit needs is gone, or not what it was.
        ValueError: the dataset has no finished unit.
    """
    find_own_modules(str(Path.cwd()))
    folder = Folder.at(out)
    plan = Plan.read(folder)
    if plan.base or plan.merged:
        what = "a layer, whose rows come from its base" if plan.base else "merged from a dataset and its layers"
        raise ValueError(f"{out} is {what}; --rebuild only rebuilds units of datasets that were built from text")
    done = [unit for unit in range(len(plan.units)) if _is_marked(folder, plan, unit)]
    if not done:
        raise ValueError(f"{out} has no finished unit to rebuild; run the build first")
    units = sorted(sorted(done, key=lambda unit: _digest(seed, unit))[:count])
    _check_sources(plan, units)
    notes = tuple(_check_tools(plan))
    problems: list[str] = []
    child = Child()
    try:
        for unit in units:
            child = child if child.serves else Child()
            problems += _compare_unit(unit, plan, folder, child)
    finally:
        child.end()
    return Rebuilt(seed, tuple(units), notes, tuple(problems))


def _is_marked(folder: Folder, plan: Plan, unit: int) -> bool:
    """Return whether a unit was finished, whatever has become of its files."""
    try:
        return bool(read_mark(folder, plan.digest, unit))
    except (MarkError, FileNotFoundError):
        return False


def _digest(seed: int, unit: int) -> bytes:
    """Return what a unit is drawn by."""
    return hashlib.blake2b(f"{seed}\0{unit}".encode(), digest_size=8).digest()


def _check_sources(plan: Plan, units: Sequence[int]) -> None:
    """Raise unless the input files of the units are what they were."""
    for name in check_inputs(plan.files, [part for unit in units for part in plan.units[unit].ranges]):
        path = next(file.path for file in plan.files if file.name == name)
        state = "changed since the dataset was built" if Folder.at(path).is_file("") else f"is missing from {path}"
        raise OSError(f"cannot rebuild: the input file {name} {state}")


def _check_tools(plan: Plan) -> Iterator[str]:
    """Yield which labelers and libraries have another version than the dataset was built with.

    Raises:
        OSError: a resource is gone, or not what it was.
    """
    labelers, resources = load_labelers(plan.recipe)
    for text in changed_resources(plan, resources):
        raise OSError(f"cannot rebuild: {text}")
    yield from changed_tools(plan, labelers)


def _compare_unit(unit: int, plan: Plan, folder: Folder, child: Child) -> Iterator[str]:
    """Yield how the files of a unit differ from those that are made of it now."""
    with tempfile.TemporaryDirectory(prefix="auxloom-rebuild-") as place:
        made = Folder.at(place)
        for name in (PLAN, POOL, HELD_OUT, f"{DROPPED}/{unit:05d}.json"):
            if folder.is_file(name):
                made.write(name, folder.read(name))
        try:
            report = child.call(partial(make_shard_here, unit, plan, place, strict=False))
        except ChildError as error:
            report = {"error": {"text": str(error), "labeler": ""}}
        if "error" in report:
            failure = report["error"]
            where = f" (labeler {failure['labeler']!r}, document {failure['document']!r})" if failure["labeler"] else ""
            yield f"unit {unit} could not be rebuilt: {failure['text']}{where}"
            return
        names = {*folder.read_json(stats_name(unit))["files"], *report["stats"]["files"]}
        names = {name for name in names if not _is_left_out(name, report["stats"], folder)}
        differing = [text for name in sorted(names) if (text := _difference(name, folder, made))]
        # counts and digests follow from the files above
        yield from differing or filter(None, [_difference(stats_name(unit), folder, made)])


def _is_left_out(name: str, mark: Mapping[str, Any], folder: Folder) -> bool:
    """Return whether a file is a shard without rows that is not there: a build removes those of a split without any."""
    split = mark["splits"].get(name.partition("/")[0])
    return split is not None and not split["rows"] and not folder.is_file(name)


def _difference(name: str, stored: Folder, made: Folder) -> str:
    """Return how a file differs from the one that was made now, nothing where no byte does."""
    for folder, state in ((stored, "is missing"), (made, "is no longer produced")):
        if not folder.is_file(name):
            return f"{name} {state}"
    if _digest_file(stored, name) == _digest_file(made, name):
        return ""
    try:
        if name.endswith(".arrow"):
            return f"{name}: {_first_row(stored, made, name)}"
        if name.endswith(".keys"):
            return f"{name}: the keys of its passages differ"
        return f"{name}: {_first_line(stored, made, name)}"
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        return f"{name} cannot be read: {error}"


def _digest_file(folder: Folder, name: str) -> bytes:
    """Return the blake2b of a file."""
    digest = hashlib.blake2b()
    with folder.open(name) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.digest()


def _first_line(stored: Folder, made: Folder, name: str) -> str:
    """Return the first line in which two files of JSON differ, of one line the first key."""
    for number, (old, new) in enumerate(zip_longest(stored.read(name).splitlines(), made.read(name).splitlines())):
        if old != new:
            before, after = (None if line is None else json.loads(line) for line in (old, new))
            if isinstance(before, dict) and isinstance(after, dict):
                key = next(key for key in sorted({*before, *after}) if before.get(key) != after.get(key))
                return f"line {number + 1}, key {key}: {_both(before.get(key), after.get(key))}"
            return f"line {number + 1}: {_both(before, after)}"
    return "its lines are equal, but its bytes differ"


def _first_row(stored: Folder, made: Folder, name: str) -> str:
    """Return the first row and column in which two shards differ."""
    with stored.open(name) as one, made.open(name) as other:
        old, new = pa.ipc.open_stream(one), pa.ipc.open_stream(other)
        if not old.schema.equals(new.schema, check_metadata=True):
            return "its schema differs"
        before = 0
        for first, second in zip_longest(old, new):
            rows = [0 if batch is None else batch.num_rows for batch in (first, second)]
            same = _equal_rows(first, second, min(rows))
            if same < max(rows):
                if same == min(rows):
                    return f"it has at least {before + rows[0]:,} rows, the rebuilt one at least {before + rows[1]:,}"
                row = f"row {before + same:,} ({first.column('id')[same].as_py()!r})"
                return f"{row}, {_first_column(first, second, same)}"
            before += rows[0]
    return "its rows are equal, but its bytes differ"


def _equal_rows(first: pa.RecordBatch | None, second: pa.RecordBatch | None, rows: int) -> int:
    """Return how many rows at the beginning of two batches are equal, of so many that both have."""
    if first is None or second is None or first.slice(0, rows).equals(second.slice(0, rows)):
        return rows
    return next((row for row in range(rows) if not first.slice(row, 1).equals(second.slice(row, 1))), rows)


def _first_column(first: pa.RecordBatch, second: pa.RecordBatch, row: int) -> str:
    """Return the first column, down to the leaves of structs, in which a row differs, and both values."""
    old, new, path = first.slice(row, 1).to_struct_array(), second.slice(row, 1).to_struct_array(), ""
    while pa.types.is_struct(old.type) and old.is_valid()[0].as_py() and new.is_valid()[0].as_py():
        pairs = zip(old.type, old.flatten(), new.flatten(), strict=True)
        found = next(((field.name, a, b) for field, a, b in pairs if not a.equals(b)), None)
        if found is None:
            break
        path, old, new = f"{path}.{found[0]}".lstrip("."), found[1], found[2]
    return f"column {path}: {_both(old[0].as_py(), new[0].as_py())}"


def _both(old: Any, new: Any) -> str:
    """Return two values for a message, from where they differ if they are lists."""
    if isinstance(old, list) and isinstance(new, list):
        place = next((i for i, (a, b) in enumerate(zip_longest(old, new)) if a != b), 0)
        if place:
            return f"from index {place} {_short(old[place:])} stored, {_short(new[place:])} rebuilt"
    return f"{_short(old)} stored, {_short(new)} rebuilt"


def _short(value: Any) -> str:
    """Return a value as JSON, cut to what fits a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
