"""A kind that the package does not have: a number for each row, as a kind of one's own would be written."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from labelers.ragged import IntArray
from labelers.task import Task
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Split
from trainer.data.targets import LabelPlaces, Placed, one_part
from trainer.kinds.kind import Kind
from trainer.model.heads import PartHead
from trainer.score.metrics import Metric, Predictions
from trainer.score.probes import Probe
from trainer.score.rows import TaskRows

__all__ = ["NUMBER"]


class MeanSquaredError(Metric):
    """Mean of the squared differences."""

    higher = False

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> npt.NDArray[np.float64]:
        """Return [D, 2]: squared differences, labels."""
        squares = (predictions.gold - predictions.predicted).astype(np.float64) ** 2
        return np.stack([np.bincount(groups, part, count) for part in (squares, np.ones(len(squares)))], axis=1)

    def value(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return their mean."""
        return sums[..., 0] / np.maximum(sums[..., 1], 1)


@dataclass(frozen=True)
class Mean:
    """The mean of the train labels."""

    name: str = "mean"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> npt.NDArray[np.float64]:
        """Return it for each label."""
        return np.full(len(held.labels), train.labels.mean())


class NumberHead(PartHead):
    """One score for a row."""

    @property
    def outputs(self) -> int:
        """Return one."""
        return 1


class NumberKind(Kind):
    """A row has a number."""

    head = NumberHead
    metrics: ClassVar = {"mse": MeanSquaredError()}

    def place(self, places: LabelPlaces) -> Placed:
        """Return the numbers of whole rows."""
        last, split = places.last, places.encoder.split
        return Placed(np.arange(len(last)), split.floats(places.task.target)[places.rows], one_part(0 * last + 1, last))

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return the squared difference."""
        return (scores[:, 0] - label) ** 2

    def predict(self, scores: Tensor) -> Tensor:
        """Return the score."""
        return scores[:, 0]

    def prior(self, metric: Metric) -> Probe:
        """Return the mean."""
        return Mean()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the numbers."""
        values = split.floats(rows.task.target)[rows.rows].astype(np.float64)
        return rows.replaced(labels=values, owners=np.arange(len(rows)), positions=np.zeros(len(rows), np.int64))

    def uninformed(self, data: EncodedDataset, task: Task, split: str) -> float:
        """Return the variance."""
        return float(np.var(np.asarray(data.splits[split].targets[task.name].values)))


NUMBER = NumberKind()
