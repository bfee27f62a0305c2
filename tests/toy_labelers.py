# ruff: noqa: D102  (Labeler says what its methods do)
"""Small labelers that do on purpose what the builder must withstand."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Avoid, Corpus, Labeler, Proposal
from labelers.passages import PassageBatch
from labelers.task import Task


def _lists(values: np.ndarray, offsets: np.ndarray, keep: np.ndarray) -> pa.Array:
    """Return a list per row, empty where not kept."""
    rows = np.repeat(np.arange(len(keep)), np.diff(offsets))
    ends = np.concatenate([[0], np.cumsum(keep[rows])])[offsets]
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(values[keep[rows]]))


@dataclass(frozen=True)
class Stutter(Labeler):
    """Repeats one token of about half of the rows; tags the first of the two."""

    paper: ClassVar[str] = "a test"
    reasons: ClassVar[tuple[str, ...]] = ("short", "conflict")
    edits: ClassVar[bool] = True

    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        return (pa.field("tags", pa.list_(pa.int8())),)

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        return (self.task("tags", "token", joint=joint, classes=("O", "R"), level="token", metric="tag_f1"),)

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        lengths = np.diff(batch.offsets)
        status = np.where(lengths < 4, 2, draws.integers("half", batch.keys, 2)).astype(np.int8)
        rows = np.flatnonzero(status == 0)
        start = batch.offsets[rows] + draws.integers("place", batch.keys[rows], lengths[rows])
        none = np.full(len(rows), -1)
        edits = Edits(rows, start, start, np.arange(len(rows) + 1), batch.codes[start], none, start, none)
        return Proposal(status, edits)

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        return {"tags": _lists((view.edit >= 0).astype(np.int8), view.offsets, proposal.status < 2)}


def _is_upper(texts: Sequence[str]) -> np.ndarray:
    """Return where a form begins with a capital."""
    return np.fromiter((text[:1].isupper() for text in texts), bool, len(texts))


@dataclass(frozen=True)
class Beheading(Labeler):
    """Removes the first token of each row; to be told is whether it began with a capital, and its share of the pool."""

    shown: bool = False
    """Leave the token where it is, and so tell the answer."""

    reasons: ClassVar[tuple[str, ...]] = ("single", "conflict")
    edits: ClassVar[bool] = True
    needs_pool: ClassVar[bool] = True

    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        span = pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())])
        return (pa.field("upper", pa.int64()), pa.field("share", pa.float32()), pa.field("rest", span))

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        return (self.task("upper", "passage", joint=joint, classes=("lower", "upper"), metric="accuracy"),)

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        lengths = np.diff(batch.offsets)
        status = np.where(lengths < 2, 2, 0).astype(np.int8)
        rows = np.flatnonzero(status == 0)
        start, none = batch.offsets[rows], np.full(len(rows), -1)
        hidden = np.zeros(len(batch.codes), bool)
        hidden[start] = True
        none_written = np.zeros(len(rows) + 1, np.int64)
        empty = np.empty(0, np.int64)
        edits = Edits(rows, start, start + 1, none_written, empty.astype(np.int32), empty, empty, none)
        return Proposal(status, edits.take(np.arange(0 if self.shown else len(edits))), hidden)

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        missing = proposal.status >= 2
        first = batch.codes[batch.offsets[:-1]]
        pool = corpus.pool.codes if corpus.pool is not None else np.empty(0, np.int32)
        counts = np.bincount(pool, minlength=len(batch.vocabulary))
        share = (counts[first] / max(len(pool), 1)).astype(np.float32)
        lengths = np.diff(view.offsets).astype(np.int32)
        ends = [pa.array(np.zeros(len(batch), np.int32)), pa.array(lengths)]
        upper = batch.vocabulary.property(_is_upper)[first].astype(np.int64)
        return {
            "upper": pa.array(upper, mask=missing),
            "share": pa.array(share, mask=missing),
            "rest": pa.StructArray.from_arrays(ends, names=["start", "end"], mask=pa.array(missing)),
        }


@dataclass(frozen=True)
class Counting(Labeler):
    """Labels each token by whether it is a word of the role's name or not; edits nothing and needs roles."""

    reasons: ClassVar[tuple[str, ...]] = ()
    needs_classes: ClassVar[tuple[str, ...]] = ("roles",)

    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        return (pa.field("turns", pa.int64()),)

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        classes = ("none", *corpus.classes.get("roles", ()))
        return (self.task("turns", "passage", joint=joint, classes=classes, metric="accuracy"),)

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        return Proposal(np.ones(len(batch), np.int8), Edits.none())

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        return {"turns": pa.array(np.zeros(len(batch), np.int64))}


@dataclass(frozen=True)
class Origin(Labeler):
    """Labels each row with where its document comes from: the field ``source``, whose classes it takes for granted."""

    needs_classes: ClassVar[tuple[str, ...]] = ("source",)

    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        return (pa.field("place", pa.int64()),)

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        return (self.task("place", "passage", joint=joint, classes=corpus.classes["source"], metric="accuracy"),)

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        return Proposal(np.ones(len(batch), np.int8), Edits.none())

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        return {"place": pc.index_in(batch.fields["source"], pa.array(corpus.classes["source"])).cast(pa.int64())}


@dataclass(frozen=True)
class Fragile(Counting):
    """Raises where a row holds the word BOOM, and makes a column of another type where one holds WRONG."""

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        if batch.vocabulary.find("BOOM") in batch.codes:
            raise KeyError("no such thing")
        return super().propose(batch, corpus, draws, avoid=avoid)

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        columns = super().label(batch, corpus, draws, proposal, view, joint=joint)
        if batch.vocabulary.find("WRONG") in batch.codes:
            return {"turns": columns["turns"].cast(pa.int32())}
        return columns


@dataclass(frozen=True)
class Suicidal(Counting):
    """Kills its process where a row holds the word BOOM and a file does not exist yet."""

    marker: str = ""

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        if batch.vocabulary.find("BOOM") in batch.codes and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().propose(batch, corpus, draws, avoid=avoid)


@dataclass(frozen=True)
class Noting(Counting):
    """Notes in `propose` what `label` needs, in the instance: the number of the first token of each row."""

    notes: ClassVar[list[np.ndarray]] = []

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        time.sleep(0)  # here another thread may come in
        self.notes[:] = [np.array([len(batch.vocabulary.texts[code]) for code in batch.codes[batch.offsets[:-1]]])]
        time.sleep(0.001)
        return super().propose(batch, corpus, draws, avoid=avoid)

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        return (self.task("turns", "passage", joint=joint, classes=tuple(map(str, range(100))), metric="accuracy"),)

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        return {"turns": pa.array(np.resize(self.notes[0], len(batch)).astype(np.int64))}


@dataclass(frozen=True)
class Slow(Counting):
    """Takes its time."""

    seconds: float = 0.1

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        time.sleep(self.seconds)
        return super().propose(batch, corpus, draws, avoid=avoid)
