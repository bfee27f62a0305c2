"""Which records repeat another one: its id, or with dedup its text."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.text.document import Document
from pipelines.folder.layout import Folder
from pipelines.input.dropped import DUPLICATE, RENAMED, REPEATED
from pipelines.input.records import InputFile

__all__ = [
    "KEY",
    "REPEAT",
    "RecordKeys",
    "are_many",
    "read_record_keys",
    "record_keys_name",
    "repeats",
    "repeats_among",
    "repeats_by_unit",
    "words_of",
]

KEY = np.dtype([("a", "<u8"), ("b", "<u8"), ("kind", "u1"), ("file", "<u4"), ("unit", "<u4"), ("place", "<u8")])
_TEXT, _ID, _NEW_ID = range(3)
"""Kinds of keys: of the text, of the id, and of the id that a record gets where another file has its own."""
_REASONS = (DUPLICATE, REPEATED, RENAMED)
_PASS_KEYS = 2_000_000  # keys looked at in one pass: 130 MB with what is sorted beside them
_MANY_KEYS = 2_000_000  # keys above which the work is shared out


_TAKEN = len(_REASONS)  # a record that cannot get another id
REPEAT = np.dtype([
    ("unit", "<u4"), ("file", "<u4"), ("place", "<u8"), ("what", "u1"), ("first_file", "<u4"), ("first_place", "<u8"),
])  # fmt: skip
"""What becomes of a record that repeats another, and where that one stands."""

Repeats = npt.NDArray[Any]


def are_many(keys: Mapping[str, int]) -> bool:
    """Return whether the keys of records, given how many each unit has, are more than one process looks at."""
    return sum(keys.values()) > _MANY_KEYS


def repeats(
    folder: Folder, scratch: str, keys: Mapping[str, int], names: Sequence[str]
) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield for each unit that has any its records that repeat an earlier one: [source, place, what, first].

    An earlier record is one of an earlier file, or one that stands before it in the same file. One that has the id of a
    record of an earlier file gets another, unless that is taken. Keys are looked at in passes that fit into memory; of
    many keys, `pipelines.large.repeated` has workers look at ranges.
    """
    passes = max(1, -(-sum(keys.values()) // _PASS_KEYS))
    found = [repeats_among(_load(folder, scratch, keys, part, passes)) for part in range(passes)]
    yield from repeats_by_unit(np.concatenate(found), names)


def repeats_among(keys: npt.NDArray[Any]) -> Repeats:
    """Return which of some keys repeat another one; equal keys must be together."""
    own, first = _repeats_of(keys[keys["kind"] != _NEW_ID])
    clashing, taker = _taken(keys[keys["kind"] != _TEXT])
    return np.concatenate([_rows(own, own["kind"], first), _rows(clashing, np.uint8(_TAKEN), taker)])


def _rows(keys: npt.NDArray[Any], what: Any, first: npt.NDArray[Any]) -> Repeats:
    """Return repeats by the keys of records, and those of the first ones."""
    rows = np.empty(len(keys), REPEAT)
    for name in ("unit", "file", "place"):
        rows[name] = keys[name]
    rows["what"], rows["first_file"], rows["first_place"] = what, first["file"], first["place"]
    return rows


def repeats_by_unit(rows: Repeats, names: Sequence[str]) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield what `repeats` does, given all that was found of some units.

    Args:
        rows: in any order.
        names: of all files.
    """
    rows = rows[np.lexsort((rows["what"], rows["place"], rows["file"], rows["unit"]))]
    starts = [0, *(np.flatnonzero(np.diff(rows["unit"])) + 1).tolist(), len(rows)]
    for start, stop in pairwise(starts):
        lines: dict[tuple[int, int], list[Any]] = {}
        own, taken = rows[start:stop], dict[tuple[int, int], tuple[int, int]]()
        for _, file, place, what, *first in own.tolist():
            if what == _TAKEN:
                taken[file, place] = (first[0], first[1])
        for _, file, place, what, *first in own.tolist():
            if what == _TAKEN:
                continue
            reason, at = _REASONS[what], (first[0], first[1])
            if reason == RENAMED and (file, place) in taken:
                reason, at = REPEATED, taken[file, place]
            lines.setdefault((file, place), [names[file], place, reason, f"{names[at[0]]}:{at[1]}"])
        if lines:
            yield int(own["unit"][0]), list(lines.values())


def _load(folder: Folder, scratch: str, keys: Mapping[str, int], part: int, parts: int) -> npt.NDArray[Any]:
    """Return the keys of all units that fall into one of so many parts."""
    chunks = [np.empty(0, KEY)]
    for unit in keys:
        chunk = read_record_keys(folder, scratch, int(unit))
        chunks.append(chunk[chunk["a"] % np.uint64(parts) == part])
    return np.concatenate(chunks)


def record_keys_name(scratch: str, unit: int) -> str:
    """Return where the keys of the records of a unit lie."""
    return f"{scratch}/{unit:05d}.keys"


def read_record_keys(folder: Folder, scratch: str, unit: int) -> npt.NDArray[Any]:
    """Return the keys of the records of a unit."""
    return np.frombuffer(folder.read(record_keys_name(scratch, unit)), KEY)


def _repeats_of(keys: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the keys that stood before, their kind the index of what becomes of them, and for each the first one.

    Of a record whose id stands in its own file before, the first one is that of this file.
    """
    keys = keys[np.lexsort((keys["place"], keys["file"], keys["b"], keys["a"], keys["kind"]))]
    same = _as_before(keys, "a", "b", "kind")
    again = same & (_as_before(keys, "file") | (keys["kind"] == _TEXT))
    first = _first_of(same)
    first = np.where(again & (keys["kind"] == _ID), _first_of(again), first)
    rows = keys[same]
    rows["kind"] += (~again)[same]  # of ids, those that only another file has
    return rows, keys[first[same]]


def _as_before(keys: npt.NDArray[Any], *names: str) -> npt.NDArray[np.bool_]:
    """Return which keys are equal in some fields to the one before."""
    same = np.zeros(len(keys), bool)
    same[1:] = np.logical_and.reduce([keys[name][1:] == keys[name][:-1] for name in names])
    return same


def _first_of(same: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the first of each run, given which elements belong to that of the one before."""
    first: npt.NDArray[np.int64] = np.maximum.accumulate(np.where(same, 0, np.arange(len(same))))
    return first


def _taken(keys: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the records that cannot get a new id, and for each the one whose id, or new id, it is."""
    keys = keys[np.lexsort((keys["place"], keys["file"], keys["kind"], keys["b"], keys["a"]))]
    same = _as_before(keys, "a", "b")
    first = _first_of(same)
    # a file that repeats an id would give the same new id twice: its second record is rejected anyway
    clash = (keys["kind"] == _NEW_ID) & ((keys["kind"][first] == _ID) | (keys["file"] != keys["file"][first]))
    return keys[clash], keys[first[clash]]


class RecordKeys:
    """Digests of what may not stand twice in a corpus: ids of records, and with dedup their texts."""

    def __init__(self, files: Sequence[InputFile], unit: int, *, dedup: bool, all_ids: bool) -> None:
        """Start with none."""
        self._files = {file.name: i for i, file in enumerate(files)}
        self._unit, self._dedup, self._all_ids = unit, dedup, all_ids
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._places = False
        self._numbered: set[int] = set()
        self._unnamed: set[int] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def found(self) -> dict[str, Any]:
        """Return what tells whether the keys of all ids must be compared.

        That is whether a record brings an id as others get it, ``<file>:...``, and the files in which a record brings a
        number as its id, and those in which one brings none and is called by its place.
        """
        return {"places": self._places, "numbered": sorted(self._numbered), "unnamed": sorted(self._unnamed)}

    def add(self, document: Document) -> None:
        """Note a document."""
        file = self._files[document.source]
        place, name = (file, self._unit, document.place), document.id
        own = name != f"{document.source}:{document.place}"
        if own:
            self._note(name, file)
        else:
            self._unnamed.add(file)
        if own or self._all_ids:
            self._rows.append((*_halves(name.encode("utf-8", "surrogatepass")), _ID, *place))
        if self._all_ids:
            new = f"{document.source}:{name}".encode("utf-8", "surrogatepass")
            self._rows.append((*_halves(new), _NEW_ID, *place))
        if self._dedup:
            self._rows.append((*_halves(words_of(document)), _TEXT, *place))

    def _note(self, name: str, file: int) -> None:
        """Note what the id of a record looks like."""
        if name.isdecimal():
            self._numbered.add(file)
        while ":" in name and not self._places:
            name = name.rpartition(":")[0]
            self._places = name in self._files

    def data(self) -> bytes:
        """Return the keys as bytes of `KEY`."""
        return np.array(self._rows, KEY).tobytes()


def _halves(data: bytes) -> tuple[int, int]:
    """Return the blake2b of some bytes as two integers of 64 bits."""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def words_of(document: Document) -> bytes:
    """Return all words of a document, who says them, and those of its second text."""
    if document.turns is not None:
        text = "\2".join(f"{turn.role}\1{turn.text}" for turn in document.turns)
    else:
        text = document.text if document.tokens is None else "\1".join(document.tokens)
    if document.second is not None:
        text += "\3" + (document.second if isinstance(document.second, str) else "\1".join(document.second))
    return text.encode("utf-8", "surrogatepass")
