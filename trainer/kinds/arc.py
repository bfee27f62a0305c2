"""Dependency trees: the head of each token and its relation to it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import IntArray, Ragged, ranges
from labelers.task import SECOND, Task
from trainer.data.dataset import Split
from trainer.data.targets import LabelPlaces, Placed
from trainer.kinds.kind import Kind, Labels
from trainer.model.biaffine import BiaffineHead
from trainer.score.attachment import ARC_BESIDE, ARC_METRICS, FrequentOffset, OffsetByForm
from trainer.score.metrics import Metric
from trainer.score.probes import Probe
from trainer.score.rows import TaskRows

__all__ = ["KIND", "ArcKind"]


@dataclass(frozen=True)
class _Arcs:
    """The I tokens of the segments of some rows in which a token has a head."""

    tokens: IntArray
    """int64 [I]: among the tokens of all rows."""
    first: IntArray
    """int64 [I]: the first token of its segment, likewise."""
    last: IntArray
    """int64 [I]: the last one."""
    labels: IntArray
    """int64 [I, 3]: head as a place in the segment, relation, 1; of a token without a head itself, 0, 0."""

    @classmethod
    def of(cls, heads: Ragged, relations: Ragged | None, starts: Ragged) -> "_Arcs":
        """Return the arcs of some rows.

        Args:
            heads: of each token, as an index into its row; its own for the root, -1 for none. One outside of the
                segment is none, too.
            relations: of each token; None: arcs have no names.
            starts: the token that opens each segment.
        """
        opens = np.zeros(len(heads.values) + 1, bool)
        opens[heads.offsets[:-1]] = True
        there = starts.values < heads.lengths[starts.owners]  # a segment at the end may have no token
        opens[(heads.offsets[starts.owners] + starts.values)[there]] = True
        firsts = np.flatnonzero(opens[:-1])
        size = np.diff(firsts, append=len(heads.values))
        first, length = np.repeat(firsts, size), np.repeat(size, size)
        own = np.arange(len(first)) - first
        place = heads.values.astype(np.int64) + heads.offsets[heads.owners] - first
        named = np.zeros(len(first), np.int64) if relations is None else relations.values.astype(np.int64)
        known = (heads.values >= 0) & (place >= 0) & (place < length) & (named >= 0)
        labels = np.stack([np.where(known, place, own), np.where(known, named, 0), known], axis=1)
        kept = np.flatnonzero(np.repeat(np.add.reduceat(known, firsts) > 0, size)) if len(firsts) else firsts
        return cls(kept, first[kept], (first + length - 1)[kept], labels[kept])


class ArcKind(Kind):
    """Each token has a head in its segment, or is the root, and a relation to it; arcs never cross segments.

    A label is the place of the head in the segment (the token's own one: the root) and the relation. The other tokens
    of a segment may be heads, too, so all of them have a label; in one of a token without a head, the third number is
    0, and it counts for nothing. The loss is the sum of the nats of head and relation.
    """

    head = BiaffineHead
    listed = True
    metrics = ARC_METRICS
    beside = ARC_BESIDE
    probes = (OffsetByForm(),)

    def untrained(self, task: Task) -> str:
        """Return why a task cannot be trained, or nothing."""
        return "its relations have no names" if task.relations and not task.classes else ""

    def default_metric(self, task: Task, /) -> str:
        """Return the one that counts relations, where there are any."""
        return "las" if task.relations else "uas"

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of tokens; each speaks of the first sub-word of its token, and of its whole segment."""
        task, encoder, layout = places.task, places.encoder, places.layout
        starts = layout.starts.take(places.where)
        ends = layout.ends[ranges(layout.starts.offsets[places.where], starts.lengths)]
        heads = encoder.aligned(task.target, places.rows, starts, -1)
        relations = encoder.aligned(task.relations, places.rows, starts, -1) if task.relations else None
        found = _Arcs.of(heads, relations, encoder.starts("segments", places.inputs.sequences[0], places.rows))
        both = starts.values[found.tokens], ends[found.tokens], starts.values[found.first], ends[found.last]
        return Placed(starts.owners[found.tokens], found.labels, np.stack(both, axis=1))

    def placeholder(self, split: Split, _task: Task, /) -> pa.Array | None:
        """Return each token as its own head, so that each is one and has one."""
        lengths = split.ragged("spaces").lengths
        return pa.array([*map(np.arange, lengths.tolist())], pa.list_(pa.int32()))

    def renumbered(self, values: Labels, numbers: IntArray, _count: int, /) -> Labels:
        """Return the arcs with the new numbers of their relations."""
        assert not isinstance(values, Ragged)  # noqa: S101  (arcs are no lists)
        relation = np.where(values[:, 1] >= 0, numbers[np.maximum(values[:, 1], 0)], -1)
        return np.stack([values[:, 0], relation, values[:, 2]], axis=1)

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return -ln p of the head and, given a head, of the relation, in nats."""
        heads, relations, _ = scores.unbind(1)
        head, relation, known = label.unbind(1)
        nats = F.cross_entropy(heads, head, reduction="none") + F.cross_entropy(relations, relation, reduction="none")
        return nats * known

    def predict(self, scores: Tensor) -> Tensor:
        """Return the head in the best tree and the most likely relation to it, int64 [I, 3]."""
        _, relations, tree = scores.unbind(1)
        head = tree.argmax(1)
        return torch.stack([head, relations.argmax(1), torch.ones_like(head)], 1)

    def prior(self, _metric: Metric, /) -> Probe:
        """Return the most frequent distance to the head, and the most frequent relation."""
        return FrequentOffset()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the arcs."""
        task = rows.task
        heads = split.ragged(task.target)
        relations = split.ragged(task.relations) if task.relations else None
        starts = split.ragged(f"{SECOND}.segments" if task.sequences[0] == SECOND else "segments")
        found, owners = _Arcs.of(heads, relations, starts), heads.owners
        return rows.replaced(
            labels=found.labels,
            owners=owners[found.tokens],
            positions=found.tokens - heads.offsets[owners[found.tokens]],
            segments=found.first,
        )


KIND = ArcKind()
