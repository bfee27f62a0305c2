# ruff: noqa: D102  (Labeler says what its methods do)
"""Small labelers that do on purpose what the builder must withstand."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.columns import SPAN, class_lists, class_type, nullable, span_column
from labelers.declaration import Declaration
from labelers.edits import Edits, View
from labelers.labeler import Corpus, Labeler, Proposal, Request


@dataclass(frozen=True)
class Stutter(Labeler):
    """Repeats one token of about half of the rows; tags the first of the two."""

    paper: ClassVar[str] = "a test"
    reasons: ClassVar[tuple[str, ...]] = ("short", "conflict")
    edits: ClassVar[bool] = True

    def declare(self) -> Declaration:
        return Declaration((pa.field("tags", pa.list_(class_type(2))),), (self.task.token("tags", classes=("O", "R")),))

    def propose(self, request: Request) -> Proposal:
        batch, draws = request.batch, request.draws
        lengths = np.diff(batch.offsets)
        status = np.where(lengths < 4, 2, draws.integers("half", batch.keys, 2)).astype(np.int8)
        rows = np.flatnonzero(status == 0)
        start = batch.offsets[rows] + draws.integers("place", batch.keys[rows], lengths[rows])
        none = np.full(len(rows), -1)
        edits = Edits(rows, start, start, np.arange(len(rows) + 1), batch.codes[start], none, start, none)
        return Proposal(status, edits)

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        return {"tags": class_lists(view.edit >= 0, view.offsets, proposal.labelled, classes=2)}


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

    def declare(self) -> Declaration:
        columns = (pa.field("upper", pa.int64()), pa.field("share", pa.float32()), pa.field("rest", SPAN))
        return Declaration(columns, (self.task.passage("upper", classes=("lower", "upper"), metric="accuracy"),))

    def propose(self, request: Request) -> Proposal:
        batch = request.batch
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

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        batch, corpus, labelled = request.batch, request.corpus, proposal.labelled
        first = batch.codes[batch.offsets[:-1]]
        pool = corpus.pool.codes if corpus.pool is not None else np.empty(0, np.int32)
        counts = np.bincount(pool, minlength=len(batch.vocabulary))
        share = (counts[first] / max(len(pool), 1)).astype(np.float32)
        upper = batch.vocabulary.property(_is_upper)[first].astype(np.int64)
        return {
            "upper": nullable(upper, labelled),
            "share": nullable(share, labelled),
            "rest": span_column(np.zeros(len(batch)), np.diff(view.offsets), labelled),
        }


@dataclass(frozen=True)
class Counting(Labeler):
    """Labels each token by whether it is a word of the role's name or not; edits nothing and needs roles."""

    reasons: ClassVar[tuple[str, ...]] = ()
    needs_classes: ClassVar[tuple[str, ...]] = ("roles",)

    def declare_found(self, corpus: Corpus) -> Declaration:
        classes = ("none", *corpus.classes.get("roles", ()))
        task = self.task.passage("turns", classes=classes, metric="accuracy")
        return Declaration((pa.field("turns", pa.int64()),), (task,))

    def propose(self, request: Request) -> Proposal:
        return Proposal(np.ones(len(request.batch), np.int8), Edits.none())

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        return {"turns": pa.array(np.zeros(len(request.batch), np.int64))}


@dataclass(frozen=True)
class Origin(Labeler):
    """Labels each row with where its document comes from: the field ``source``, whose classes it takes for granted."""

    needs_classes: ClassVar[tuple[str, ...]] = ("source",)

    def declare_found(self, corpus: Corpus) -> Declaration:
        task = self.task.passage("place", classes=corpus.classes["source"], metric="accuracy")
        return Declaration((pa.field("place", pa.int64()),), (task,))

    def propose(self, request: Request) -> Proposal:
        return Proposal(np.ones(len(request.batch), np.int8), Edits.none())

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        places, classes = request.batch.fields["source"], pa.array(request.corpus.classes["source"])
        return {"place": pc.index_in(places, classes).cast(pa.int64())}


@dataclass(frozen=True)
class Sorting(Labeler):
    """Puts each token into one of 200 classes, by the code points of its form."""

    CLASSES: ClassVar[tuple[str, ...]] = tuple(f"drawer {number}" for number in range(200))

    def declare(self) -> Declaration:
        columns = (pa.field("drawer", pa.list_(class_type(len(self.CLASSES)))),)
        return Declaration(columns, (self.task.token("drawer", classes=self.CLASSES),))

    def propose(self, request: Request) -> Proposal:
        return Proposal(np.ones(len(request.batch), np.int8), Edits.none())

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        drawers = request.batch.vocabulary.property(_drawer)[view.codes]
        return {"drawer": class_lists(drawers, view.offsets, proposal.labelled, classes=len(self.CLASSES))}


def _drawer(texts: Sequence[str]) -> np.ndarray:
    """Return a number below 200 for each form."""
    return np.array([sum(map(ord, text)) % 200 for text in texts], np.int64)


@dataclass(frozen=True)
class Fragile(Counting):
    """Raises where a row holds the word BOOM, and makes a column of another type where one holds WRONG."""

    def propose(self, request: Request) -> Proposal:
        if request.batch.vocabulary.find("BOOM") in request.batch.codes:
            raise KeyError("no such thing")
        return super().propose(request)

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        columns = super().label(request, proposal, view)
        if request.batch.vocabulary.find("WRONG") in request.batch.codes:
            return {"turns": columns["turns"].cast(pa.int32())}
        return columns


@dataclass(frozen=True)
class Suicidal(Counting):
    """Kills its process where a row holds the word BOOM and a file does not exist yet."""

    marker: str = ""

    def propose(self, request: Request) -> Proposal:
        if request.batch.vocabulary.find("BOOM") in request.batch.codes and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().propose(request)


@dataclass(frozen=True)
class Deadly(Counting):
    """Kills its process where a row holds the word BOOM, so many times in all; a file has a byte for each."""

    log: str = ""
    times: int = 1

    def propose(self, request: Request) -> Proposal:
        if request.batch.vocabulary.find("BOOM") in request.batch.codes:
            killed = Path(self.log).stat().st_size
            if killed < self.times:
                Path(self.log).write_bytes(bytes(killed + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().propose(request)


@dataclass(frozen=True)
class Noting(Counting):
    """Notes in `propose` what `label` needs, in the instance: the number of the first token of each row."""

    notes: ClassVar[list[np.ndarray]] = []

    def propose(self, request: Request) -> Proposal:
        batch = request.batch
        time.sleep(0)  # here another thread may come in
        self.notes[:] = [np.array([len(batch.vocabulary.texts[code]) for code in batch.codes[batch.offsets[:-1]]])]
        time.sleep(0.001)
        return super().propose(request)

    def declare_found(self, corpus: Corpus) -> Declaration:
        task = self.task.passage("turns", classes=tuple(map(str, range(100))), metric="accuracy")
        return replace(super().declare_found(corpus), tasks=(task,))

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        return {"turns": pa.array(np.resize(self.notes[0], len(request.batch)).astype(np.int64))}


@dataclass(frozen=True)
class Slow(Counting):
    """Takes its time, and notes who began which rows in the folder that the environment names."""

    seconds: float = 0.1

    def propose(self, request: Request) -> Proposal:
        if noted := os.environ.get("AUXLOOM_TESTS_BEGUN"):
            Path(noted, f"{request.batch.ids[0]}-{os.getpid()}".replace("/", "_")).touch()
        time.sleep(self.seconds)
        return super().propose(request)


@dataclass(frozen=True)
class Sure(Labeler):
    """Tells whether a row is long, with a confidence that is 0 where it is very short."""

    share: float = 0.5

    def declare(self) -> Declaration:
        columns = (pa.field("long", pa.int64()), pa.field("confidence", pa.float32()))
        return Declaration(columns, (self.task.passage("long", classes=("short", "long"), weight="confidence"),))

    def propose(self, request: Request) -> Proposal:
        return Proposal(np.ones(len(request.batch), np.int8), Edits.none())

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        lengths = np.diff(request.batch.offsets)
        sure = np.where(lengths < 12, 0, self.share).astype(np.float32)
        return {"long": pa.array((lengths > 25).astype(np.int64)), "confidence": pa.array(sure)}
