# ruff: noqa: D102  (Labeler says what its methods do)
"""A small labeler of passages that have a second text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from labelers.columns import class_lists, class_type, nullable
from labelers.declaration import Declaration
from labelers.edits import Edits, View
from labelers.labeler import Labeler, Proposal, Request
from labelers.task import SECOND


def _is_upper(texts: Sequence[str]) -> np.ndarray:
    """Return where a form begins with a capital."""
    return np.fromiter((text[:1].isupper() for text in texts), bool, len(texts))


@dataclass(frozen=True)
class Parallel(Labeler):
    """Tells which of the two texts is longer, tags capitals and short segments of the second; leaves equal lengths."""

    reasons: ClassVar[tuple[str, ...]] = ("equal",)

    def declare(self) -> Declaration:
        second = self.task.over(SECOND)
        pair = second.pair("longer", classes=("first", "second"))
        tags = pa.list_(class_type(2))
        columns = (pa.field("longer", pa.int64()), pa.field("capitals", tags), pa.field("short", tags))
        short = second.segment("short", classes=("long", "short"))
        return Declaration(columns, (pair, second.token("capitals", classes=("O", "C")), short))

    def propose(self, request: Request) -> Proposal:
        batch, pool = request.batch, request.corpus.pool
        if batch.vocabulary.find("BOOM") in batch.codes:
            raise KeyError("no such thing")
        assert batch.second is not None
        assert pool is not None
        assert pool.second is not None
        assert "Die" in batch.vocabulary.strings(pool.second.codes).to_pylist()
        equal = np.diff(batch.offsets) == np.diff(batch.second.offsets)
        return Proposal(np.where(equal, 2, 1).astype(np.int8), Edits.none())

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        batch, labelled = request.batch, proposal.labelled
        assert batch.second is not None
        longer = np.diff(batch.second.offsets) > np.diff(batch.offsets)
        short = np.diff(batch.second.segments, append=len(batch.second.codes)) < 5
        capitals = batch.vocabulary.property(_is_upper)[batch.second.codes]
        return {
            "longer": nullable(longer.astype(np.int64), labelled),
            "capitals": class_lists(capitals, batch.second.offsets, labelled, classes=2),
            "short": class_lists(short, batch.second.segment_offsets, labelled, classes=2),
        }
