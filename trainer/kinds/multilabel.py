"""Several classes at once for a whole row."""

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import BoolArray, Ragged
from labelers.task import Task
from trainer.data.dataset import Split
from trainer.data.targets import LabelPlaces, Placed, Targets, one_part
from trainer.kinds.kind import Kind
from trainer.model.heads import PartHead
from trainer.score.bags import BagOfWords
from trainer.score.metrics import Metric
from trainer.score.probes import Probe
from trainer.score.rows import TaskRows
from trainer.score.sets import SET_METRICS, ClassRates, FrequentSet

__all__ = ["KIND", "MultilabelHead", "MultilabelKind"]


class MultilabelHead(PartHead):
    """One score for each class, which holds where the score is above 0."""

    @torch.no_grad()
    def begin(self, targets: Targets, /) -> None:
        """Begin with the base rate of each class (Lin et al. 2017): else rare ones rule the loss of the first steps."""
        last = list(self.score.children())[-1]
        assert isinstance(last, torch.nn.Linear)  # noqa: S101  (what `Head._build` made)
        count, size = np.count_nonzero(np.asarray(targets.values), axis=0), len(targets.values)
        odds = np.log((count + 0.5) / (size - count + 0.5))
        last.bias.copy_(torch.from_numpy(odds))


class MultilabelKind(Kind):
    """A row has a set of classes, which may be empty.

    The loss of a row is -ln p of its set, the classes being independent of each other: the sum over classes of binary
    cross entropy, not their mean. So it is in nats per row, as that of a passage with one class, and both weigh alike.
    """

    head = MultilabelHead
    listed = True
    metrics = SET_METRICS
    probes = (FrequentSet(), BagOfWords())

    def untrained(self, task: Task) -> str:
        """Return why a task cannot be trained, or nothing."""
        return "" if task.classes else "it has no classes"

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of whole rows, of what remains of them."""
        last, split = places.last, places.encoder.split
        sets = _sets(split.ragged(places.task.target).take(places.rows), places.task, split.name)
        return Placed(np.arange(len(last)), sets, one_part(np.minimum(1, last), last))

    def placeholder(self, split: Split, task: Task, /) -> pa.Array | None:
        """Return the empty set for each row."""
        return pa.array([[False] * len(task.classes)] * len(split), pa.list_(pa.bool_()))

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return -ln p of the set, in nats."""
        return F.binary_cross_entropy_with_logits(scores, label.to(scores.dtype), reduction="none").sum(1)

    def predict(self, scores: Tensor) -> Tensor:
        """Return the classes whose probability is one half or more, bool [I, C]."""
        return scores >= 0

    def probabilities(self, scores: Tensor, /) -> Tensor | None:
        """Return the probability of each class; they do not add up to 1."""
        return scores.sigmoid()

    def prior(self, _metric: Metric, /) -> Probe:
        """Return a draw at the base rate of each class, for F1 punishes a constant guess."""
        return ClassRates()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the sets."""
        sets = _sets(split.ragged(rows.task.target), rows.task, split.name)
        return rows.replaced(labels=sets, owners=np.arange(len(sets)), positions=np.zeros(len(sets), np.int64))


def _sets(lists: Ragged, task: Task, split: str) -> BoolArray:
    """Return lists of equal length as bool [n, C].

    Raises:
        ValueError: a list has another length than the task has classes.
    """
    wrong = np.flatnonzero(lists.lengths != len(task.classes))
    if len(wrong):
        raise ValueError(
            f"{task.target} has {lists.lengths[wrong[0]]} entries in a row of {split}, but {task.name} has "
            f"{len(task.classes)} classes; the dataset is damaged: run `auxloom verify`"
        )
    return lists.values.astype(bool).reshape(len(lists), len(task.classes))


KIND = MultilabelKind()
