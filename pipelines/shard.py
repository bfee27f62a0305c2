"""One unit of input into its shards: read, segment, label, weave, write, commit. Plain Python, no Beam."""

import dataclasses
import gc
import hashlib
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.passages import PassageBatch, Vocabulary
from labelers.ragged import IntArray, ranges
from labelers.text.document import Document, Reject
from pipelines.books import balance
from pipelines.compare import changed_resources, changed_tools
from pipelines.context import Context, load_labelers, read_pool
from pipelines.errors import RowError, RowErrors
from pipelines.inputs import check_inputs
from pipelines.labelling import copied
from pipelines.layout import (
    DROPPED,
    PLAN,
    SPLITS,
    STATS,
    Folder,
    Pending,
    digest_json,
    keys_name,
    rejects_name,
    shard_name,
    stats_name,
    to_json,
)
from pipelines.marks import done_stats, seal
from pipelines.plan import Plan, stored_digest
from pipelines.processes import ChildError, run_exclusively
from pipelines.records import InputFile
from pipelines.sources import read_unit
from pipelines.writer import ShardWriter

__all__ = ["make_shard", "make_shard_here", "passage_keys"]

BATCH_CHARACTERS = 2_000_000
"""A processing batch ends here at the latest, whatever the number of its documents: it bounds memory."""

_REPEATED = "repeated_id"
_cached: dict[str, Context] = {}
"""The context of one plan: what costs seconds to make serves all units of a process, one at a time."""


def make_shard(unit: int, plan: Plan, out: str, *, batch: int = 2048) -> dict[str, Any]:
    """Write the shards of one unit, unless they are there, and return its report.

    It may be called from several threads at once: one unit at a time is made in this process, the others in child
    processes (`pipelines.processes`).

    The report is what the unit's commit mark says, with the seconds it took, those of them that ``setup`` took in a
    process that is new to the plan, and where; or, if the unit failed, ``error`` with the document and labeler, and
    nothing of it is left on disk.
    """
    started = time.time()
    try:
        return run_exclusively(make_shard_here, unit, plan, out, batch)
    except ChildError as error:
        failed = {"text": str(error), "labeler": "", "document": ""}
        report = {"unit": unit, "host": socket.gethostname(), "process": os.getpid(), "setup": 0.0, "error": failed}
        return report | {"started": started, "seconds": time.time() - started}


def make_shard_here(unit: int, plan: Plan, out: str, batch: int = 2048, *, strict: bool = True) -> dict[str, Any]:
    """Make the shards of one unit in this process, in which no two calls may overlap; see `make_shard`.

    Unless ``strict``, labelers and libraries may have other versions than when the plan was made.
    """
    started = time.time()
    folder = Folder.at(out)
    report: dict[str, Any] = {"unit": unit, "host": socket.gethostname(), "process": os.getpid(), "setup": 0.0}
    try:
        with _uncollected():
            stats = done_stats(folder, plan, unit) or _make(unit, plan, folder, batch, report, strict=strict)
    except Exception as error:  # noqa: BLE001  (other units go on; the report tells of it)
        labeler, document = (error.labeler, error.document) if isinstance(error, RowError) else ("", "")
        text = error.text if isinstance(error, RowError) else f"{type(error).__name__}: {error}"
        report["error"] = {"text": text, "labeler": labeler, "document": document}
    else:
        report["stats"] = stats
    return report | {"started": started, "seconds": time.time() - started}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python's collector of reference cycles out of a unit: it makes none, and thousands of objects at a time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _make(unit: int, plan: Plan, folder: Folder, batch: int, report: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Write and commit a unit and return its commit mark; note in the report how long getting ready took."""
    _check_unchanged(unit, plan)
    began = time.time()
    work = _Work(unit, plan, folder, _context(plan, folder, strict=strict))
    report["setup"] = time.time() - began
    try:
        work.open()
        for documents in work.read(batch):
            work.label(documents)
        _check_unchanged(unit, plan)
        return work.commit()
    except BaseException:
        work.discard()
        raise


def _check_unchanged(unit: int, plan: Plan) -> None:
    """Raise if a file of the unit is not what it was when it was planned."""
    for name in check_inputs(plan.files, plan.units[unit].ranges):
        raise OSError(f"the input file {name} changed since the plan was made; start again with --overwrite")


def _context(plan: Plan, folder: Folder, *, strict: bool) -> Context:
    """Return this process's context for a plan; if ``strict``, all that can change a row must be as in the plan."""
    if plan.digest not in _cached:
        _cached.clear()
        labelers, digests = load_labelers(plan.recipe)
        changed = [*changed_resources(plan, digests), *(changed_tools(plan, labelers) if strict else ())]
        if changed:
            advice = "install what the plan was made with on all workers, or build into another folder"
            raise OSError(f"{socket.gethostname()} would produce different rows: {'; '.join(changed)}; {advice}")
        _cached[plan.digest] = Context.make(plan.recipe, labelers, plan.classes or {}, read_pool(folder))
    context = _cached[plan.digest]
    context.refresh()
    return context


@dataclass
class _Records:
    """The book of records of a unit, and its rejects."""

    read: int = 0
    used: int = 0
    duplicate: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, item: Reject) -> None:
        """Note a record that cannot be used."""
        self.rejected[item.reason] += 1
        self.rejects.append(item)

    def lines(self, files: Sequence[InputFile]) -> bytes:
        """Return the rejects as JSON lines in the order of the input, whatever the order they were found in."""
        order = {file.name: i for i, file in enumerate(files)}
        ordered = sorted(self.rejects, key=lambda item: (order[item.source], item.place))
        return b"".join(to_json(dataclasses.asdict(item)) for item in ordered)

    def to_json(self) -> dict[str, Any]:
        """Return the book."""
        rejected = dict(sorted(self.rejected.items()))
        return {"read": self.read, "used": self.used, "rejected": rejected, "duplicate": self.duplicate}


class _Work:
    """The files of a unit while they are made."""

    def __init__(self, unit: int, plan: Plan, folder: Folder, context: Context) -> None:
        self._unit, self._plan, self._folder, self._context = unit, plan, folder, context
        self._splitter = plan.splitter
        self._dropped = self._read_dropped()
        self._records = _Records()
        self._cut = 0
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._conflicts: Counter[str] = Counter()
        self._errors = RowErrors()
        self._pending: list[Pending] = []
        self._writers: dict[str, ShardWriter] = {}

    def open(self) -> None:
        """Begin the shard of each split."""
        for split in SPLITS:
            name = shard_name(split, self._unit, len(self._plan.units))
            self._writers[split] = ShardWriter(self._folder, name, self._context.schema, self._context.tasks)
            self._pending.append(self._writers[split].file)

    def _read_dropped(self) -> dict[tuple[str, int], tuple[str, str]]:
        """Return the (reason, first place) of each record that the plan found to repeat another."""
        key = str(self._unit)
        if key not in (self._plan.dropped or {}):
            return {}
        lines = self._folder.read_json(f"{DROPPED}/{self._unit:05d}.json")
        if digest_json(lines) != (self._plan.dropped or {})[key]:
            raise OSError(f"{DROPPED}/{self._unit:05d}.json does not match the plan; start again with --overwrite")
        return {(source, place): (reason, first) for source, place, reason, first in lines}

    def read(self, batch: int) -> Iterator[list[Document]]:
        """Yield the documents of the unit that are used, in batches, and keep the book of records."""
        waiting: list[Document] = []
        characters = 0
        recipe = self._plan.recipe
        for record in read_unit(self._plan.units[self._unit], self._plan.files, recipe.input, recipe.split.group):
            self._records.read += 1
            if isinstance(record, Reject):
                self._records.reject(record)
            elif not self._drop(record):
                waiting.append(record)
                characters += _characters(record)
            # each copy of a passage is a row to label
            if len(waiting) >= batch / recipe.copies or characters >= BATCH_CHARACTERS / recipe.copies:
                yield waiting
                waiting, characters = [], 0
        if waiting:
            yield waiting

    def _drop(self, document: Document) -> bool:
        """Book a record that repeats an earlier one, and return whether it does."""
        if not self._dropped:
            return False
        reason, first = self._dropped.get((document.source, document.place), ("", ""))
        if reason == _REPEATED:
            sample = f"id {document.id[:200]!r} stands first at {first}"
            self._records.reject(Reject(document.source, document.place, reason, sample))
        elif reason:
            self._records.duplicate += 1
        return bool(reason)

    def label(self, documents: Sequence[Document]) -> None:
        """Turn documents into rows of their splits."""
        context, recipe = self._context, self._plan.recipe
        context.refresh()
        split_of = {document.id: self._splitter.split(document) for document in documents}
        # sorted by split, the rows of each split lie together, and one pass labels all
        ordered = sorted(documents, key=lambda document: SPLITS.index(split_of[document.id]))
        batch, rejects = context.segmenter.segment(ordered)
        for item in rejects:
            self._records.reject(item)
        self._records.used += len(documents) - len(rejects)
        if not len(batch):
            return
        self._cut += len(batch)
        self._keys.append(passage_keys(batch))
        splits = np.array([SPLITS.index(split_of[name]) for name in batch.documents], np.int8)
        batch = copied(dataclasses.replace(batch, splits=splits), recipe.copies)
        rows = context.label(batch, self._conflicts, self._errors)
        sizes = Counter(split_of[name] for name in batch.documents)
        start = 0
        for split in SPLITS:
            self._writers[split].write(rows.slice(start, sizes[split]))
            start += sizes[split]

    def commit(self) -> dict[str, Any]:
        """Name the finished files, the commit mark last, and return what it says."""
        for writer in self._writers.values():
            writer.close()
        keys = np.sort(np.concatenate([np.empty(0, np.uint64), *self._keys])).astype("<u8").tobytes()
        self._pend(keys_name(self._unit), keys)
        if self._records.rejects:
            self._pend(rejects_name(self._unit), self._records.lines(self._plan.files))
        stats = self._stats()
        for text in balance(stats):
            raise AssertionError(f"the statistics of unit {self._unit} are inconsistent: {text}")
        mark = Pending(self._folder, stats_name(self._unit))
        self._pending.append(mark)
        mark.write(to_json(stats))
        mark.close()
        if stored_digest(self._folder) != self._plan.digest:
            raise OSError(f"another build replaced {PLAN} of this output folder")
        return self._rename(stats)

    def _rename(self, stats: dict[str, Any]) -> dict[str, Any]:
        """Give all files their names; another run that did the same unit and cleaned up has won."""
        *files, mark = self._pending
        try:
            for pending in files:
                pending.commit()
            self._folder.sync({pending.name.rpartition("/")[0] for pending in files} - {STATS})
            mark.commit()
            self._folder.sync([STATS])
        except FileNotFoundError:
            other = done_stats(self._folder, self._plan, self._unit)
            if other is None:
                raise
            return other
        return stats

    def _pend(self, name: str, data: bytes) -> None:
        """Write a file that waits for its name."""
        pending = Pending(self._folder, name)
        self._pending.append(pending)
        pending.write(data)
        pending.close()

    def _stats(self) -> dict[str, Any]:
        """Return the commit mark."""
        splits = {split: writer.facts() for split, writer in self._writers.items()}
        written = sum(split["rows"] for split in splits.values())
        errors = self._errors.to_json()
        return seal({
            "plan": self._plan.digest,
            "unit": self._unit,
            "files": {pending.name: pending.facts() for pending in self._pending},
            "records": self._records.to_json(),
            "passages": {"cut": self._cut, "copies": self._plan.recipe.copies, "written": written},
            "splits": splits,
            "conflicts": dict(self._conflicts),
            **({"errors": errors} if errors else {}),
        })  # fmt: skip

    def discard(self) -> None:
        """Remove the temporary files."""
        for pending in self._pending:
            pending.discard()


def _characters(document: Document) -> int:
    """Return about how long a document is."""
    second = _length(document.second) if document.second else 0
    if document.turns is not None:
        return second + sum(len(turn.text) for turn in document.turns)
    return second + (len(document.text) if document.tokens is None else _length(document.tokens))


def _length(text: str | Sequence[str]) -> int:
    """Return about how many characters a text or a list of tokens has."""
    return len(text) if isinstance(text, str) else 6 * len(text)


def passage_keys(batch: PassageBatch) -> npt.NDArray[np.uint64]:
    """Return a uint64 for each distinct passage of each document: equal where the tokens of both its texts are.

    Example:
        >>> from labelers.text.segment import read_texts
        >>> len(passage_keys(read_texts(["A word.", "A word."]))), len(set(passage_keys(read_texts(["A.", "A."]))))
        (2, 1)
    """
    digests = batch.vocabulary.property(_digests)
    keys = _sums(digests[batch.codes], batch.offsets)
    if batch.second is not None:
        keys += _SECOND * _sums(digests[batch.second.codes], batch.second.offsets)
    changes = (before != name for before, name in pairwise(batch.documents))
    document = np.cumsum(np.fromiter(chain([False], changes), bool, len(batch)))
    order = np.lexsort((keys, document))
    document, keys = document[order], keys[order]
    again = np.concatenate([[False], (document[1:] == document[:-1]) & (keys[1:] == keys[:-1])])
    distinct: npt.NDArray[np.uint64] = keys[~again]
    return distinct


_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: the golden ratio in 64 bits
_SECOND = np.uint64(0xBF58476D1CE4E5B9)  # odd: what stands in one text counts otherwise than in the other


def _sums(digests: npt.NDArray[np.uint64], offsets: IntArray) -> npt.NDArray[np.uint64]:
    """Return a uint64 for each row of ragged digests, 0 for one without any."""
    lengths = np.diff(offsets)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)), _BASE, np.uint64))
    sums = np.zeros(len(digests) + 1, np.uint64)
    np.cumsum(digests * powers[ranges(np.zeros_like(lengths), lengths)], out=sums[1:])
    found: npt.NDArray[np.uint64] = sums[offsets[1:]] - sums[offsets[:-1]]
    return found


def _digests(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint64]:  # noqa: ARG001
    """Return the blake2b of each form, 8 bytes."""
    data = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(data, "<u8").astype(np.uint64)
