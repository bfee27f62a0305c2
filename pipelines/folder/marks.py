"""Commit marks: a unit is done if its mark is whole, of this plan, and the files that it names have their sizes."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from labelers.stores.reading import open_to_read
from pipelines.folder.layout import REJECTS, SPLITS, STATS, Folder, digest_json, keys_name, shard_name, stats_name
from pipelines.plans.plan import Plan

__all__ = [
    "MarkError",
    "Problem",
    "Sizes",
    "content_problem",
    "done_stats",
    "is_listed",
    "is_sealed",
    "listed",
    "read_mark",
    "seal",
    "size_problems",
]

Sizes = Mapping[str, Mapping[str, int]]
"""Per folder of a dataset the size of each file in it."""

_KEYS = {"plan", "unit", "files", "records", "passages", "splits", "conflicts"}
_SEAL = "blake2b"
_FIRST, _BYTES = b'{"blake2b":"', 16
_COLUMNS = b'"columns":{'
_CHUNK = 1 << 20


class Problem(NamedTuple):
    """A file of a dataset that is not as it should be."""

    name: str
    what: str
    """What it is, in words that follow "is"."""

    def __str__(self) -> str:
        return f"{self.name} is {self.what}"


class MarkError(ValueError):
    """A commit mark that does not count; the message says why."""


def seal(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with a digest of all else in it.

    Example:
        >>> sorted(seal({"rows": 3}))
        ['blake2b', 'rows']
        >>> seal(seal({"rows": 3})) == seal({"rows": 3})
        True
    """
    rest = {key: item for key, item in value.items() if key != _SEAL}
    return {**rest, _SEAL: digest_json(rest)}


def is_sealed(value: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is what was sealed; one of a version that sealed none is taken for it."""
    return value.get(_SEAL) in (None, seal(value)[_SEAL])


def _is_sealed(data: bytes) -> bool:
    """Return whether the bytes of a file are those of an object that was sealed: its seal stands first.

    Example:
        >>> from pipelines.folder.layout import to_json
        >>> _is_sealed(to_json(seal({"files": {}}))), _is_sealed(to_json(seal({"files": {}})).replace(b"f", b"g"))
        (True, False)
    """
    start, stop = len(_FIRST), len(_FIRST) + 2 * _BYTES
    rest = b"{" + data[stop + len('",') :]
    digest = hashlib.blake2b(rest, digest_size=_BYTES).hexdigest().encode()
    return data.startswith(_FIRST) and digest == data[start:stop]


def listed(folder: Folder) -> Sizes:
    """Return the sizes of all files of units, from one listing for each folder."""
    names, stats = (REJECTS, *SPLITS), folder.sizes(STATS)
    if not stats and folder.whole:  # no unit is done
        return {STATS: stats, **{name: {} for name in names}}
    return {STATS: stats, **{name: folder.sizes(name) for name in names}}


def read_mark(folder: Folder, digest: str, unit: int, *, brief: bool = False) -> dict[str, Any]:
    """Return the commit mark of a unit, whose file is there, of the plan with this digest.

    Args:
        folder: of the dataset.
        digest: of the plan.
        unit: which unit.
        brief: leave out the checksums of columns, which are most of it.

    Raises:
        MarkError: it is damaged, or not the mark of this unit and this plan.
    """
    return _mark(folder.read(stats_name(unit)), digest, unit, brief=brief)


def _mark(data: bytes, digest: str, unit: int, *, brief: bool = False) -> dict[str, Any]:
    """Return the commit mark that a file holds; see `read_mark`."""
    try:
        mark = _without_columns(data) if brief and _is_sealed(data) else None
        mark = json.loads(data) if mark is None else mark
    except ValueError:
        raise MarkError("damaged: it is not valid JSON") from None
    if not isinstance(mark, dict) or mark.keys() < _KEYS:
        raise MarkError("damaged: it is not a commit mark")
    if mark["plan"] != digest:
        raise MarkError("from another plan")
    if mark["unit"] != unit:
        raise MarkError(f"the mark of unit {mark['unit']}, not of unit {unit}")
    if not (_is_sealed(data) or is_sealed(mark)):
        raise MarkError("damaged: its digest does not match")
    return mark


def _without_columns(data: bytes) -> Any:
    """Return the value of a mark with no column, None where a name in it has a brace.

    Example:
        >>> _without_columns(b'{"train":{"columns":{"a":[1,2],"b#":[3,4]},"rows":5}}')
        {'train': {'columns': {}, 'rows': 5}}
        >>> _without_columns(b'{"train":{"columns":{"}":[1,2]}}}') is None
        True
    """
    first, *rest = data.split(_COLUMNS)
    try:
        return json.loads(b"".join([first, *(_COLUMNS + part[part.find(b"}") :] for part in rest)]))
    except ValueError:
        return None


def size_problems(mark: Mapping[str, Any], sizes: Sizes) -> Iterator[Problem]:
    """Yield each file of a unit that is missing or has another size.

    A shard without rows may be missing: of a split that has none at all, the folder is left out.
    """
    for name, facts in mark["files"].items():
        parent, _, base = name.partition("/")
        size = sizes.get(parent, {}).get(base)
        if size is None:
            if parent not in SPLITS or mark["splits"][parent]["rows"]:
                yield Problem(name, "missing")
        elif size != facts["bytes"]:
            yield Problem(name, f"damaged: it has {size:,} bytes, not {facts['bytes']:,}")


def content_problem(folder: Folder, name: str, facts: Mapping[str, Any]) -> Problem | None:
    """Return what is wrong with the bytes of a file; None where they are those that were written."""
    digest = hashlib.sha256()
    try:
        with open_to_read(folder.fs, folder.full(name)) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        return Problem(name, f"damaged: it cannot be read ({error})")
    if digest.hexdigest() == facts["sha256"]:
        return None
    return Problem(name, "damaged: its sha256 does not match")


def done_stats(folder: Folder, plan: Plan, unit: int, sizes: Sizes | None = None) -> dict[str, Any] | None:
    """Return what the commit mark of a unit says; None unless the unit is done under this very plan.

    Args:
        folder: of the dataset.
        plan: which it follows.
        unit: which unit.
        sizes: what lies in the folder, where it was listed.
    """
    data = folder.read_if_there(stats_name(unit))
    if data is None:
        return None
    try:
        mark = _mark(data, plan.digest, unit)
    except MarkError:
        return None
    return None if any(size_problems(mark, _sizes(folder, mark) if sizes is None else sizes)) else mark


def _sizes(folder: Folder, mark: Mapping[str, Any]) -> Sizes:
    """Return the sizes of the files of one unit."""
    names = list(mark["files"])
    sizes: dict[str, dict[str, int]] = {}
    for name, info in zip(names, folder.fs.get_file_info([folder.full(name) for name in names]), strict=True):
        if info.is_file:
            parent, _, base = name.partition("/")
            sizes.setdefault(parent, {})[base] = info.size
    return sizes


def is_listed(unit: int, units: int, sizes: Sizes) -> bool:
    """Return whether a listing alone shows that a unit is done: its mark, its keys and its shards are there.

    That is enough in a store in which a file appears only as a whole, and the mark last.

    Args:
        unit: which unit.
        units: how many there are.
        sizes: what lies in the folder.
    """
    names = [stats_name(unit), keys_name(unit), *(shard_name(split, unit, units) for split in SPLITS if sizes[split])]
    return all(base in sizes[parent] for parent, _, base in (name.partition("/") for name in names))
