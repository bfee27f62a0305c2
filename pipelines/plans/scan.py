"""One look at all raw records before the build: the pool, the classes, which repeat, which shares are empty."""

import contextlib
import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labelers.stores.faults import explained, is_fault
from labelers.text.document import Document, Reject
from pipelines.folder.layout import Folder, to_json
from pipelines.input.changes import PieceDigest
from pipelines.input.records import InputFile, Piece, Unit
from pipelines.input.repeats import RecordKeys, record_keys_name, words_of
from pipelines.input.splits import Splitter, group_digest
from pipelines.input.units import read_unit
from pipelines.labels.label_scan import LabelCounts, merge_labels
from pipelines.labels.labelled_documents import LabelledDocuments
from pipelines.labels.record_labels import label_columns
from pipelines.processes import run_exclusively
from pipelines.recipes.recipe import Recipe
from pipelines.rows.pool import pool_line

__all__ = ["Found", "ScanUnit", "WriteJson", "class_values", "merge_scans", "pieces_of"]

MAX_VALUES = 100_000
"""Distinct values that a class field may have: with more it is text, not a class."""

_SMALLEST = 3  # train groups that are remembered: one for each share that may be empty, and one that stays

Found = dict[str, Any]
"""What a scan found, as a JSON object that merges with others."""


@dataclass(frozen=True)
class ScanUnit:
    """Reads one unit and returns what it found; keys that may repeat go into a file of a scratch folder."""

    recipe: Recipe
    files: Sequence[InputFile]
    fields: tuple[str, ...]
    """Fields whose classes a labeler needs; ``roles`` for those of dialogues."""
    out: str
    scratch: str
    all_ids: bool = False
    """Keys of all ids that records may get, not only of those that they bring."""

    def __call__(self, unit: Unit) -> Found:
        """Scan a unit; what cannot be mended is returned as an error, for the caller to raise."""
        try:
            return run_exclusively(self._scan, unit)
        except Exception as error:  # noqa: BLE001  (Beam would wrap it in pages)
            return {
                "errors": [
                    explained(error) if is_fault(error) else f"unit {unit.index}: {type(error).__name__}: {error}"
                ]
            }

    def places(self, unit: Unit) -> list[str]:
        """Return the input of a unit."""
        return [self.files[part.file].path for part in unit.ranges]

    def refused(self, unit: Unit, why: str) -> Found:  # noqa: ARG002  (all units tell the same of a host)
        """Return what is found of a unit that cannot be read on this host."""
        return {"errors": [why]}

    def _scan(self, unit: Unit) -> Found:
        """Return what a unit holds."""
        inputs = self.recipe.input
        columns = [label_columns(self.recipe, table) for table in inputs]
        labels, documents, asked = LabelCounts(), Counter[str](), Counter[str]()
        choosy = {file.name: str(file.input) for file in self.files if inputs[file.input].where}
        splitter = Splitter.of(self.recipe.split, self.files, {})
        content = hashlib.blake2b(digest_size=16)
        keys = RecordKeys(self.files, unit.index, dedup=self.recipe.dedup.documents, all_ids=self.all_ids)
        train = _Train(self.recipe.plan.pool_documents, self.fields, carved=splitter.carved)
        held_out = LabelledDocuments(self.out, self.scratch, unit.index)
        digests: dict[int, PieceDigest] = {}
        records = read_unit(unit, self.files, inputs, self.recipe.split.group, digests, labels=columns)
        for record in records:
            content.update(_content(record))
            if isinstance(record, Reject):
                continue
            split = splitter.split(record)
            documents[split] += 1
            if record.source in choosy:
                asked[choosy[record.source]] += 1
            keys.add(record)
            labels.add(record)
            if split == "train":
                train.add(record)
            elif record.labels:
                held_out.add(record)
        held_out.close()
        found = len(keys)
        if found:
            Folder.at(self.out).write(record_keys_name(self.scratch, unit.index), keys.data())
        return {
            "units": {str(unit.index): content.hexdigest()},
            "pieces": {f"{file}:{item.start}": [item.stop, item.hex] for file, item in digests.items() if item.hex},
            "keys": {str(unit.index): found} if found else {},
            **keys.found(),
            "documents": dict(documents),
            "asked": dict(asked),
            "labels": labels.to_json(),
            **train.found(),
        }


class _Train:
    """What is found of the documents of train: classes, the pool, and the groups of the smallest digests."""

    def __init__(self, pool: int, fields: Sequence[str], *, carved: bool) -> None:
        self._classes: dict[str, Counter[str]] = {name: Counter() for name in fields}
        self._groups, self._labelled = _Smallest(_SMALLEST), _Smallest(_SMALLEST)
        self._pool, self._size, self._carved = _Smallest(pool), pool, carved

    def add(self, document: Document) -> None:
        """Look at a document."""
        group = group_digest(document.group)
        self._groups.add(group, None)
        if self._carved and document.labels:
            self._labelled.add(group, None)
        place = f"{group_digest(document.id)} {document.source}:{document.place:020d}"
        self._pool.add(place, (group, document))
        for name, counter in self._classes.items():
            counter.update(class_values(document, name))

    def found(self) -> Found:
        """Return what was found."""
        return {
            "classes": {name: dict(counter) for name, counter in self._classes.items()},
            "groups": [key for key, _ in self._groups.items()],
            "labelled": [key for key, _ in self._labelled.items()],
            "pool": [[key, group, pool_line(document)] for key, (group, document) in self._pool.items()],
            "pool_size": self._size,
        }


def merge_scans(parts: Iterable[Found]) -> Found:
    """Return what several scans found together, whatever their order."""
    total: Found = {"units": {}, "keys": {}, "documents": {}, "classes": {}, "groups": [], "pool": [], "errors": []}
    total |= {"places": False, "unnamed": [], "numbered": [], "pieces": {}, "labels": {}, "labelled": [], "asked": {}}
    for part in parts:
        total["errors"] = total["errors"] + part.get("errors", [])
        total["units"].update(part.get("units", {}))
        total["keys"].update(part.get("keys", {}))
        total["pieces"].update(part.get("pieces", {}))
        total["places"] = total["places"] or part.get("places", False)
        for name in ("unnamed", "numbered"):
            total[name] = sorted({*total[name], *part.get(name, [])})
        for name in ("documents", "asked"):
            for split, n in part.get(name, {}).items():
                total[name][split] = total[name].get(split, 0) + n
        total["labels"] = merge_labels([total["labels"], part.get("labels", {})])
        for name, values in part.get("classes", {}).items():
            known = total["classes"].setdefault(name, {})
            for value, n in values.items():
                known[value] = known.get(value, 0) + n
            if len(known) > MAX_VALUES:
                total["errors"] = [f"field {name!r} has over {MAX_VALUES:,} values; it is text, not a field of classes"]
                known.clear()
        total["pool_size"] = part.get("pool_size", total.get("pool_size", 0))
        for name in ("groups", "labelled"):
            total[name] = sorted({*total[name], *part.get(name, [])})[:_SMALLEST]
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


def _first(item: Sequence[Any]) -> Any:
    """Return the first element."""
    return item[0]


def _content(record: Document | Reject) -> bytes:
    """Return what identifies a record in a digest of the input."""
    if isinstance(record, Reject):
        return f"\0{record.place}\0{record.reason}\0{record.sample}".encode("utf-8", "surrogatepass")
    fields = "".join(f"\0{name}\0{value}" for name, value in [*record.fields.items(), *record.labels.items()])
    head = f"\0{record.id}\0{record.place}\0{record.group}{fields}\0".encode("utf-8", "surrogatepass")
    spaces = b"" if record.spaces is None else b"\0" + bytes(record.spaces)
    return head + words_of(record) + spaces


def class_values(document: Document, name: str) -> set[str]:
    """Return the values that a class field has in a document."""
    if name == "roles":
        return {turn.role for turn in document.turns or ()}
    value = document.fields.get(name)
    return set() if value is None else {str(value)}
