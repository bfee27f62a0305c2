"""One look at all raw records before the build: the pool, the classes, which repeat, which shares are empty."""

import contextlib
import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.text.document import Document, Reject
from pipelines.changes import PieceDigest
from pipelines.label_scan import LabelCounts, merge_labels
from pipelines.layout import Folder, to_json
from pipelines.pool import pool_line
from pipelines.processes import run_exclusively
from pipelines.recipe import Recipe
from pipelines.record_labels import label_columns
from pipelines.records import InputFile, Piece, Unit
from pipelines.splits import Splitter, group_digest
from pipelines.units import read_unit

__all__ = ["Found", "ScanUnit", "WriteJson", "class_values", "merge_scans", "pieces_of", "repeats"]

MAX_VALUES = 100_000
"""Distinct values that a class field may have: with more it is text, not a class."""

_SMALLEST = 3  # train groups that are remembered: one for each share that may be empty, and one that stays
_KEY = np.dtype([("a", "<u8"), ("b", "<u8"), ("kind", "u1"), ("file", "<u4"), ("unit", "<u4"), ("place", "<u8")])
_REASONS = ("duplicate", "repeated_id")
_PASS_KEYS = 4_000_000  # keys looked at in one pass: 150 MB

Found = dict[str, Any]
"""What a scan found, as a JSON object that merges with others."""


@dataclass(frozen=True)
class ScanUnit:
    """Reads one unit and returns what it found; keys that may repeat go into a file of a scratch folder."""

    recipe: Recipe
    files: tuple[InputFile, ...]
    fields: tuple[str, ...]
    """Fields whose classes a labeler needs; ``roles`` for those of dialogues."""
    out: str
    scratch: str
    all_ids: bool = False
    """Keys of all ids, not only of those that records bring."""

    def __call__(self, unit: Unit) -> Found:
        """Scan a unit; what cannot be mended is returned as an error, for the caller to raise."""
        try:
            return run_exclusively(self._scan, unit)
        except Exception as error:  # noqa: BLE001  (Beam would wrap it in pages)
            return {"errors": [f"unit {unit.index}: {type(error).__name__}: {error}"]}

    def _scan(self, unit: Unit) -> Found:
        """Return what a unit holds."""
        inputs = self.recipe.input
        columns = [label_columns(self.recipe, table) for table in inputs]
        labels = LabelCounts()
        splitter = Splitter.of(self.recipe.split, self.files, {})
        content, keys = (
            hashlib.blake2b(digest_size=16),
            _Keys(self.files, unit.index, dedup=self.recipe.dedup.documents, all_ids=self.all_ids),
        )
        documents: Counter[str] = Counter()
        classes: dict[str, Counter[str]] = {name: Counter() for name in self.fields}
        groups, pool = _Smallest(_SMALLEST), _Smallest(self.recipe.plan.pool_documents)
        digests: dict[int, PieceDigest] = {}
        records = read_unit(unit, self.files, inputs, self.recipe.split.group, digests, labels=columns)
        for record in records:
            content.update(_content(record))
            if isinstance(record, Reject):
                continue
            split = splitter.split(record)
            documents[split] += 1
            keys.add(record)
            labels.add(record)
            if split == "train":
                group = group_digest(record.group)
                groups.add(group, None)
                pool.add(f"{group_digest(record.id)} {record.source}:{record.place:020d}", (group, record))
                for name, counter in classes.items():
                    counter.update(class_values(record, name))
        found = len(keys)
        if found:
            Folder.at(self.out).write(f"{self.scratch}/{unit.index:05d}.keys", keys.data())
        return {
            "units": {str(unit.index): content.hexdigest()},
            "pieces": {f"{file}:{item.start}": [item.stop, item.hex] for file, item in digests.items() if item.hex},
            "keys": {str(unit.index): found} if found else {},
            "places": keys.places,
            "unnamed": keys.unnamed,
            "documents": dict(documents),
            "classes": {name: dict(counter) for name, counter in classes.items()},
            "labels": labels.to_json(),
            "groups": [key for key, _ in groups.items()],
            "pool": [[key, group, pool_line(document)] for key, (group, document) in pool.items()],
            "pool_size": self.recipe.plan.pool_documents,
        }


def merge_scans(parts: Iterable[Found]) -> Found:
    """Return what several scans found together, whatever their order."""
    total: Found = {"units": {}, "keys": {}, "documents": {}, "classes": {}, "groups": [], "pool": [], "errors": []}
    total |= {"places": False, "unnamed": False, "pieces": {}, "labels": {}}
    for part in parts:
        total["errors"] = total["errors"] + part.get("errors", [])
        total["units"].update(part.get("units", {}))
        total["keys"].update(part.get("keys", {}))
        total["pieces"].update(part.get("pieces", {}))
        for name in ("places", "unnamed"):
            total[name] = total[name] or part.get(name, False)
        for split, n in part.get("documents", {}).items():
            total["documents"][split] = total["documents"].get(split, 0) + n
        total["labels"] = merge_labels([total["labels"], part.get("labels", {})])
        for name, values in part.get("classes", {}).items():
            known = total["classes"].setdefault(name, {})
            for value, n in values.items():
                known[value] = known.get(value, 0) + n
            if len(known) > MAX_VALUES:
                total["errors"] = [f"field {name!r} has over {MAX_VALUES:,} values; it is text, not a field of classes"]
                known.clear()
        total["pool_size"] = part.get("pool_size", total.get("pool_size", 0))
        total["groups"] = sorted({*total["groups"], *part.get("groups", [])})[:_SMALLEST]
        total["pool"] = sorted([*total["pool"], *part.get("pool", [])], key=_first)[: total["pool_size"]]
    return total


@dataclass(frozen=True)
class WriteJson:
    """Writes what is left of a graph to a file, for whoever waits for it."""

    out: str
    name: str

    def __call__(self, value: Any) -> None:
        """Write a JSON value; where it cannot be written it is missing, since Beam would print pages."""
        with contextlib.suppress(OSError):
            Folder.at(self.out).write(self.name, to_json(value))


def pieces_of(found: Found) -> dict[int, tuple[Piece, ...]]:
    """Return the digests of pieces that a scan found, by the number of their file, in the order of the file."""
    pieces: dict[int, list[Piece]] = {}
    for key, (stop, digest) in found["pieces"].items():
        file, _, start = key.partition(":")
        pieces.setdefault(int(file), []).append((int(start), stop, digest))
    return {file: tuple(sorted(items)) for file, items in pieces.items()}


def repeats(
    folder: Folder, scratch: str, keys: Mapping[str, int], names: Sequence[str]
) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield for each unit that has any its records that repeat an earlier one: [source, place, reason, first].

    An earlier record is one that is read before. The keys of a corpus of any size are looked at in passes that each
    fit into memory.
    """
    passes = max(1, -(-sum(keys.values()) // _PASS_KEYS))
    found = [_repeats_of(_load(folder, scratch, keys, part, passes)) for part in range(passes)]
    rows = np.concatenate([item for item, _ in found])
    firsts = np.concatenate([item for _, item in found])
    order = np.lexsort((rows["kind"], rows["place"], rows["file"], rows["unit"]))
    rows, firsts = rows[order], firsts[order]
    for unit in np.unique(rows["unit"]):
        lines: dict[tuple[int, int], list[Any]] = {}
        for row, first in zip(rows[rows["unit"] == unit], firsts[rows["unit"] == unit], strict=True):
            place = (int(row["file"]), int(row["place"]))
            origin = f"{names[first['file']]}:{first['place']}"
            lines.setdefault(place, [names[place[0]], place[1], _REASONS[row["kind"]], origin])
        yield int(unit), list(lines.values())


def _load(folder: Folder, scratch: str, keys: Mapping[str, int], part: int, parts: int) -> npt.NDArray[Any]:
    """Return the keys of all units that fall into one of so many parts."""
    chunks = [np.empty(0, _KEY)]
    for unit in keys:
        chunk = np.frombuffer(folder.read(f"{scratch}/{int(unit):05d}.keys"), _KEY)
        chunks.append(chunk[chunk["a"] % np.uint64(parts) == part])
    return np.concatenate(chunks)


def _repeats_of(keys: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the keys that stood before, and for each the first of its kind."""
    keys = keys[np.lexsort((keys["place"], keys["file"], keys["b"], keys["a"], keys["kind"]))]
    same = np.zeros(len(keys), bool)
    same[1:] = keys[["a", "b", "kind"]][1:] == keys[["a", "b", "kind"]][:-1]
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(keys))))
    return keys[same], keys[first[same]]


class _Smallest:
    """The n smallest of the keys that were added, each with what belongs to it; equal keys count once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[str, Any] = {}
        self._heap: list[_Reversed] = []

    def add(self, key: str, value: Any) -> None:
        """Offer a key."""
        if key in self._kept or (len(self._heap) == self._size and key >= self._heap[0].key):
            return
        self._kept[key] = value
        heapq.heappush(self._heap, _Reversed(key))
        if len(self._heap) > self._size:
            del self._kept[heapq.heappop(self._heap).key]

    def items(self) -> list[tuple[str, Any]]:
        """Return keys and values, the smallest first."""
        return sorted(self._kept.items(), key=_first)


@dataclass(frozen=True, slots=True)
class _Reversed:
    """A key that sorts from the largest on."""

    key: str

    def __lt__(self, other: "_Reversed") -> bool:
        return self.key > other.key


class _Keys:
    """Digests of what may not stand twice in a corpus: ids of records, and with dedup their texts."""

    places = False
    """Whether a record brings an id that one without might have: a file of the input and a place."""
    unnamed = False
    """Whether a record brings no id."""

    def __init__(self, files: Sequence[InputFile], unit: int, *, dedup: bool, all_ids: bool) -> None:
        self._files = {file.name: i for i, file in enumerate(files)}
        self._unit, self._dedup, self._all_ids = unit, dedup, all_ids
        self._rows: list[tuple[int, int, int, int, int, int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, document: Document) -> None:
        """Note a document."""
        place = (self._files[document.source], self._unit, document.place)
        own = document.id != f"{document.source}:{document.place}"
        if own:
            self.places = self.places or document.id.rpartition(":")[0] in self._files
        else:
            self.unnamed = True
        if own or self._all_ids:
            self._rows.append((*_halves(document.id.encode("utf-8", "surrogatepass")), 1, *place))
        if self._dedup:
            self._rows.append((*_halves(_text(document)), 0, *place))

    def data(self) -> bytes:
        """Return the keys as bytes of `_KEY`."""
        return np.array(self._rows, _KEY).tobytes()


def _halves(data: bytes) -> tuple[int, int]:
    """Return the blake2b of some bytes as two integers of 64 bits."""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _first(item: Sequence[Any]) -> Any:
    """Return the first element."""
    return item[0]


def _text(document: Document) -> bytes:
    """Return all words of a document, who says them, and those of its second text."""
    if document.turns is not None:
        text = "\2".join(f"{turn.role}\1{turn.text}" for turn in document.turns)
    else:
        text = document.text if document.tokens is None else "\1".join(document.tokens)
    if document.second is not None:
        text += "\3" + (document.second if isinstance(document.second, str) else "\1".join(document.second))
    return text.encode("utf-8", "surrogatepass")


def _content(record: Document | Reject) -> bytes:
    """Return what identifies a record in a digest of the input."""
    if isinstance(record, Reject):
        return f"\0{record.place}\0{record.reason}\0{record.sample}".encode("utf-8", "surrogatepass")
    fields = "".join(f"\0{name}\0{value}" for name, value in [*record.fields.items(), *record.labels.items()])
    head = f"\0{record.id}\0{record.place}\0{record.group}{fields}\0".encode("utf-8", "surrogatepass")
    spaces = b"" if record.spaces is None else b"\0" + bytes(record.spaces)
    return head + _text(record) + spaces


def class_values(document: Document, name: str) -> set[str]:
    """Return the values that a class field has in a document."""
    if name == "roles":
        return {turn.role for turn in document.turns or ()}
    value = document.fields.get(name)
    return set() if value is None else {str(value)}
