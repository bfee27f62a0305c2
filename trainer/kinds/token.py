"""Tags: one class for each token."""

import torch
from torch import Tensor

from labelers.ragged import ranges
from labelers.task import Task
from trainer.data.targets import LabelPlaces, Placed, one_part
from trainer.kinds.kind import ClassKind
from trainer.model.heads import token_head
from trainer.score.probes import Repetition, WordForm
from trainer.settings import Settings

__all__ = ["KIND", "TokenKind"]


class TokenKind(ClassKind):
    """Each token of a sequence has a class."""

    head = staticmethod(token_head)
    listed = True
    carries = True
    probes = (WordForm(), Repetition())

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of tokens; each speaks of all sub-words of its token and is predicted at the first one."""
        starts = places.layout.starts.take(places.where)
        if places.carried:
            tags = places.encoder.carried(places.task, places.task.on, places.rows)
        else:
            tags = places.encoder.aligned(places.task.target, places.rows, starts, -1)
        ends = places.layout.ends[ranges(places.layout.starts.offsets[places.where], starts.lengths)]
        return Placed(tags.owners, tags.values, one_part(starts.values, ends))

    def emphasis(self, task: Task, label: Tensor, settings: Settings, /) -> Tensor | None:
        """Return the weight of tags outside of all spans: what a labeler writes is rare by its rate, not by nature."""
        if settings.outside_weight == 1 or not task.constructed or task.classes[:1] != ("O",):
            return None
        return torch.where(label == 0, settings.outside_weight, 1.0)


KIND = TokenKind()
