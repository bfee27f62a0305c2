"""One unit into its shards: what a source gives is labelled, written and committed. Plain Python, no Beam."""

import gc
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from labelers.passages import PassageBatch
from labelers.stores.faults import explained, is_fault
from pipelines.folder.attempts import MOST_DEATHS, Attempts, KilledError
from pipelines.folder.books import balance
from pipelines.folder.layout import (
    PLAN,
    SPLITS,
    STATS,
    Folder,
    Pending,
    keys_name,
    rejects_name,
    shard_name,
    stats_name,
    to_json,
)
from pipelines.folder.marks import done_stats, seal
from pipelines.labels.held_out import HeldOutBook, is_labelled
from pipelines.plans.plan import Plan, stored_digest
from pipelines.processes import ChildError, run_exclusively
from pipelines.rows.errors import RowError, RowErrors
from pipelines.rows.labelling import copied
from pipelines.rows.passage_keys import PassageKeys, passage_keys
from pipelines.rows.source import Part, Records
from pipelines.rows.worker import UnfitError, Worker, worker_of
from pipelines.rows.writer import ShardWriter

__all__ = ["make_shard", "make_shard_here"]


def make_shard(
    unit: int, plan: Plan, out: str, *, batch: int = 2048, attempts: Attempts | None = None
) -> dict[str, Any]:
    """Write the shards of one unit, unless they are there, and return its report.

    It may be called from several threads at once: one unit at a time is made in this process, the others in child
    processes (`pipelines.processes`). With ``attempts``, a unit whose child process is killed is begun again until it
    has killed too many, and one that killed as many workers is not begun.

    The report is what the unit's commit mark says, with the seconds it took, those of them that ``setup`` took in a
    process that is new to the plan, and where; or, if the unit failed, ``error`` with the document and labeler, and
    nothing of it is left on disk.
    """
    started, text = time.time(), ""
    for _ in range(MOST_DEATHS + 1 if attempts else 1):  # the last of them finds the deaths of the others
        try:
            return run_exclusively(make_shard_here, unit, plan, out, batch, attempts)
        except ChildError as error:
            text = str(error)
    failed = {"text": text, "labeler": "", "document": ""}
    report = {"unit": unit, "host": socket.gethostname(), "process": os.getpid(), "setup": 0.0, "error": failed}
    return report | {"started": started, "seconds": time.time() - started}


def make_shard_here(
    unit: int, plan: Plan, out: str, batch: int = 2048, attempts: Attempts | None = None, *, strict: bool = True
) -> dict[str, Any]:
    """Make the shards of one unit in this process, in which no two calls may overlap; see `make_shard`.

    Unless ``strict``, labelers and libraries may have other versions than when the plan was made.
    """
    started = time.time()
    folder = Folder.at(out)
    report: dict[str, Any] = {"unit": unit, "host": socket.gethostname(), "process": os.getpid(), "setup": 0.0}
    try:
        with _uncollected():
            stats = done_stats(folder, plan, unit)
            if stats is None:
                with attempts.noted(unit) if attempts else nullcontext():
                    stats = _make(unit, plan, folder, batch, report, strict=strict)
    except Exception as error:  # noqa: BLE001  (other units go on; the report contains it)
        labeler, document = (error.labeler, error.document) if isinstance(error, RowError) else ("", "")
        text = error.text if isinstance(error, RowError) else f"{type(error).__name__}: {error}"
        report["error"] = {"text": text, "labeler": labeler, "document": document}
        if isinstance(error, KilledError):
            report["error"] |= {"text": str(error), "of_memory": True}
        elif isinstance(error, UnfitError):
            report["error"] |= {"text": str(error), "of_host": True}
        elif not isinstance(error, RowError) and is_fault(error):
            report["error"] |= {"text": explained(error), "of_host": True, "of_store": True}
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
    began = time.time()
    worker = worker_of(plan, folder, strict=strict)
    report["setup"] = time.time() - began
    source, work = worker.source(plan, folder, batch), _Work(unit, plan, folder, worker)
    try:
        source.check(unit)
        work.open()
        for part in source.read(unit):
            work.add(part)
        source.check(unit)  # of what changed meanwhile, too, nothing is kept
        return work.commit()
    except BaseException:
        work.discard()
        raise


class _Work:
    """The files of a unit while they are made."""

    def __init__(self, unit: int, plan: Plan, folder: Folder, worker: Worker) -> None:
        self._unit, self._plan, self._folder = unit, plan, folder
        self._context, self._held_out = worker.context, worker.held_out
        self._records = Records()
        self._cut = self._left_out = 0
        self._book = HeldOutBook()
        self._keys: list[PassageKeys] = []
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

    def add(self, part: Part) -> None:
        """Turn passages into rows of their splits, and book what was read for them."""
        self._records.add(part.records)
        if not len(part.passages):
            return
        passages = self._without_held_out(part.passages)
        if not len(passages):
            return
        if not self._plan.base:  # a layer has no passages of its own
            self._keys.append(passage_keys(passages))
        batch = copied(passages, self._plan.recipe.copies, labelled=bool(self._plan.recipe.labels))
        rows = self._context.label(batch, self._conflicts, self._errors)
        start = 0
        for split, size in zip(SPLITS, np.bincount(batch.splits, minlength=len(SPLITS)).tolist(), strict=True):
            self._writers[split].write(rows.slice(start, size))
            start += size

    def _without_held_out(self, passages: PassageBatch) -> PassageBatch:
        """Return passages without those of train that equal one which people labelled in validation or test."""
        self._cut += len(passages)
        if self._held_out is None:
            return passages
        train, recipe = passages.splits == 0, self._plan.recipe
        if recipe.dedup.held_out:
            leaks = train & self._held_out.stands_in(passages) & ~is_labelled(passages, list(recipe.labels))
            self._left_out += int(np.count_nonzero(leaks))
            train = train & ~leaks
            if leaks.any():
                passages, train = passages.take(np.flatnonzero(~leaks)), train[~leaks]
        self._book.add(self._held_out.seen(passages, train))
        return passages

    def commit(self) -> dict[str, Any]:
        """Name the finished files, the commit mark last, and return what it says."""
        for writer in self._writers.values():
            writer.close()
        keys = np.sort(np.concatenate([np.empty(0, np.uint64), *self._keys])).astype("<u8").tobytes()
        self._pend(keys_name(self._unit), keys)
        if self._records.rejects:
            self._pend(rejects_name(self._unit), self._records.lines())
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
        passages = {"cut": self._cut, "copies": self._plan.recipe.copies, "written": written}
        labelled: dict[str, Any] = {"labels": self._records.label_books()} if self._records.labels else {}
        if self._held_out is not None:
            passages["held_out"] = self._left_out
            labelled = {"labels": self._records.label_books(), "held_out": self._book.of_unit(self._held_out)}
        return seal({
            "plan": self._plan.digest,
            "unit": self._unit,
            "files": {pending.name: pending.facts() for pending in self._pending},
            "records": self._records.to_json(),
            **labelled,
            "passages": passages,
            "splits": splits,
            "conflicts": dict(self._conflicts),
            **({"errors": errors} if errors else {}),
        })  # fmt: skip

    def discard(self) -> None:
        """Remove the temporary files."""
        for pending in self._pending:
            pending.discard()
