"""One shared encoder with a head per task."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from labelers.task import Task
from trainer.data.batch import Batch, Items
from trainer.data.targets import Targets
from trainer.encoders.encoder import States, find_encoder
from trainer.files import places
from trainer.kinds import kind_of
from trainer.model.heads import Head
from trainer.settings import Settings

__all__ = ["Model"]


class Model(nn.Module):
    """Scores every label of a batch with one encoder call."""

    def __init__(self, tasks: Sequence[Task], learnt: Path, settings: Settings) -> None:
        """Build the model, its first weights drawn from torch's generator.

        Args:
            tasks: get a head each.
            learnt: the folder that `Encoder.prepare` wrote.
            settings: of the run.
        """
        super().__init__()
        family = find_encoder(settings.model.encoder)
        self.encoder = family.build(learnt, settings)
        self.special = family.tokenizer(learnt).special
        self.tasks, self.settings = tuple(tasks), settings
        self._places = places([task.name for task in tasks])
        heads = {self._places[task.name]: kind_of(task).head(task, self.encoder, settings) for task in tasks}
        self.heads = nn.ModuleDict(heads)

    def head(self, task: Task) -> Head:
        """Return the head of a task."""
        head = self.heads[self._places[task.name]]
        assert isinstance(head, Head)  # noqa: S101  (what __init__ put there)
        return head

    def begin(self, targets: Mapping[str, Targets]) -> None:
        """Show each head the labels of its task in the train split."""
        for task in self.tasks:
            self.head(task).begin(targets[task.name])

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the scores of each task's labels in the batch, float32 [I, ...], by its name."""
        states = States.of(batch, self.encoder(batch.buckets), self.special)
        present = [task for task in self.tasks if task.name in batch.items]
        return {task.name: self.head(task)(states, batch.items[task.name]) for task in present}

    def losses(self, batch: Batch, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the summed loss of each task's labels, weighted."""
        present = [task for task in self.tasks if task.name in scores]
        return {task.name: self._loss(task, batch.items[task.name], scores[task.name]) for task in present}

    def _loss(self, task: Task, items: Items, scores: Tensor) -> Tensor:
        """Return the sum of a task's loss."""
        kind = kind_of(task)
        loss = kind.losses(scores, items.label) * items.weight
        emphasis = kind.emphasis(task, items.label, self.settings)
        return (loss if emphasis is None else loss * emphasis).sum()
