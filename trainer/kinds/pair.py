"""One class for two sequences that are read together."""

from dataclasses import replace

import numpy as np

from labelers.task import Task
from trainer.data.inputs import Inputs
from trainer.data.targets import LabelPlaces, Placed
from trainer.kinds.kind import ClassKind
from trainer.model.heads import PairHead
from trainer.score.bags import BagOfWords
from trainer.score.pairs import Lengths, ReplacedWords

__all__ = ["KIND", "PairKind"]


class PairKind(ClassKind):
    """How two sequences, or a span of each, relate."""

    head = PairHead
    probes = (Lengths(), BagOfWords(), ReplacedWords())

    def inputs(self, task: Task) -> Inputs:
        """Return both sequences, of which only the spans are read if there are any."""
        return replace(super().inputs(task), spans=task.spans)

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of two sides; a side that was cut loses the label."""
        layout, last = places.layout, places.last
        second = layout.second[places.where]
        spans = np.stack([np.ones_like(second), second - 1, second, last], axis=1)
        return Placed(np.arange(len(last)), places.integers(), spans, cut=~layout.whole[places.where])


KIND = PairKind()
