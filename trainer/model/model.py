"""One shared encoder with a head per task."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from labelers.task import Task
from trainer.data.batch import Batch, Items
from trainer.data.tokenizer import Pieces
from trainer.files import places
from trainer.model.bigrams import Bigrams
from trainer.model.heads import HEADS, Head
from trainer.model.scratch import SIZES, Encoder, States
from trainer.settings import Settings

__all__ = ["Model"]


class Model(nn.Module):
    """Scores every label of a batch with one encoder call per bucket."""

    def __init__(self, tasks: Sequence[Task], vocabulary: Pieces, bigrams: Bigrams, settings: Settings) -> None:
        super().__init__()
        size = SIZES[settings.encoder]
        self.encoder = Encoder(size, vocabulary.folded(), bigrams, settings.max_pieces, settings.dropout)
        self.tasks = tuple(tasks)
        self.outside_weight = settings.outside_weight
        layers = size.layers + 1
        self._places = places([task.name for task in tasks])
        self.heads = nn.ModuleDict(
            {
                self._places[task.name]: HEADS[task.kind](
                    task, size.width, layers, settings.head_dropout, self.encoder.pieces
                )
                for task in tasks
            }
        )

    def head(self, task: Task) -> Head:
        """Return the head of a task."""
        head = self.heads[self._places[task.name]]
        assert isinstance(head, Head)  # noqa: S101  (what __init__ put there)
        return head

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the class scores of each task in the batch, float32 [I, classes], by its name."""
        states = States.joined([self.encoder(bucket) for bucket in batch.buckets])
        present = [task for task in self.tasks if task.name in batch.items]
        return {task.name: self.head(task)(states, batch.items[task.name]) for task in present}

    def losses(self, batch: Batch, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the summed loss of each task's labels, in nats, weighted."""
        return {
            task.name: self._loss(task, batch.items[task.name], scores[task.name])
            for task in self.tasks
            if task.name in scores
        }

    def _loss(self, task: Task, items: Items, scores: Tensor) -> Tensor:
        """Return the sum of a task's loss; tags outside of all spans weigh less if the settings say so."""
        loss = F.cross_entropy(scores, items.label, reduction="none") * items.weight
        if task.kind == "token" and self.outside_weight != 1:
            loss = loss * torch.where(items.label == 0, self.outside_weight, 1.0)
        return loss.sum()
