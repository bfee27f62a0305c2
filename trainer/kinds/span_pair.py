"""One class for two spans of one sequence."""

import numpy as np

from trainer.data.targets import LabelPlaces, Placed
from trainer.kinds.kind import ClassKind
from trainer.model.heads import PairHead
from trainer.score.bags import BagOfWords
from trainer.score.pairs import Lengths

__all__ = ["KIND", "SpanPairKind"]


class SpanPairKind(ClassKind):
    """How two spans of a sequence relate."""

    head = PairHead
    probes = (Lengths(), BagOfWords())

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of two spans of tokens."""
        layout, first = places.layout, places.layout.starts.offsets[places.where]
        parts = []
        for path in places.task.spans:
            span = places.encoder.split.spans(path)[places.rows]
            parts += [layout.starts.values[first + span[:, 0]], layout.ends[first + span[:, 1] - 1]]
        return Placed(np.arange(len(first)), places.integers(), np.stack(parts, axis=1))


KIND = SpanPairKind()
