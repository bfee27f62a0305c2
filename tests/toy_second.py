# ruff: noqa: D102  (Labeler says what its methods do)
"""A small labeler of passages that have a second text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Avoid, Corpus, Labeler, Proposal
from labelers.passages import PassageBatch, Vocabulary, row_lists
from labelers.task import SECOND, SOURCE, Task


def _is_upper(vocabulary: Vocabulary, texts: Sequence[str]) -> np.ndarray:
    """Return where a form begins with a capital."""
    return np.fromiter((text[:1].isupper() for text in texts), bool, len(texts))


@dataclass(frozen=True)
class Parallel(Labeler):
    """Tells which of the two texts is longer, and tags the capitals of the second; one of the same length is left."""

    reasons: ClassVar[tuple[str, ...]] = ("equal",)

    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        return (pa.field("longer", pa.int64()), pa.field("capitals", pa.list_(pa.int8())))

    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        if joint:  # nothing of a second text is woven
            return ()
        classes = ("first", "second")
        pair = self.task("longer", "pair", joint=False, sequences=(SOURCE, SECOND), classes=classes, metric="accuracy")
        tags = ("O", "C")
        return pair, self.task("capitals", "token", joint=False, sequences=(SECOND,), classes=tags, metric="tag_f1")

    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        if batch.vocabulary.find("BOOM") in batch.codes:
            raise KeyError("no such thing")
        assert batch.second is not None
        assert corpus.pool is not None
        assert corpus.pool.second is not None
        equal = np.diff(batch.offsets) == np.diff(batch.second.offsets)
        return Proposal(np.where(equal, 2, 1).astype(np.int8), Edits.none())

    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        assert batch.second is not None
        labelled = proposal.status < 2
        longer = np.diff(batch.second.offsets) > np.diff(batch.offsets)
        capitals = batch.vocabulary.property(_is_upper)[batch.second.codes].astype(np.int8)
        return {
            "longer": pa.array(longer.astype(np.int64), mask=~labelled),
            "capitals": row_lists(capitals, batch.second.offsets, labelled),
        }
