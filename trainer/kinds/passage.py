"""One class for a whole row."""

import numpy as np

from trainer.data.targets import LabelPlaces, Placed, one_part
from trainer.kinds.kind import ClassKind
from trainer.model.heads import passage_head
from trainer.score.bags import BagOfWords

__all__ = ["KIND", "PassageKind"]


class PassageKind(ClassKind):
    """A row has a class."""

    head = staticmethod(passage_head)
    carries = True
    probes = (BagOfWords(),)

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of whole rows, of what remains of them."""
        last = places.last
        return Placed(np.arange(len(last)), places.integers(), one_part(np.minimum(1, last), last))


KIND = PassageKind()
