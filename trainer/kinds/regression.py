"""A number for a whole row, or for each of its tokens."""

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from labelers.ragged import BoolArray, Ragged, ranges
from labelers.task import Task
from trainer.data.batch import Items
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Split
from trainer.data.targets import LabelPlaces, Placed, Targets, one_part
from trainer.encoders.encoder import Encoder, States
from trainer.kinds.kind import Kind, zeros_like
from trainer.model.heads import Head, PartHead, TokenHead
from trainer.score.metrics import Metric, Predictions, score
from trainer.score.probes import Probe
from trainer.score.rows import TaskRows
from trainer.score.values import VALUE_METRICS, FormMean, Length, TrainMean
from trainer.settings import Settings

__all__ = ["KIND", "PassageValueHead", "RegressionKind", "TokenValueHead", "ValueHead"]


class ValueHead(Head):
    """Predicts a number in the units of the labels; inside, they are standardised by those of the train split.

    Mean and standard deviation are buffers: every checkpoint holds them, and another dataset is predicted with those of
    the run.
    """

    mean: Tensor
    """float32: of the train labels."""
    deviation: Tensor
    """float32: their standard deviation, 1 where they are all equal."""

    def _build(self, encoder: Encoder, settings: Settings, /) -> None:
        """Make what scores the features, and room for what `begin` brings."""
        super()._build(encoder, settings)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    @property
    def outputs(self) -> int:
        """Return one."""
        return 1

    def by_class(self) -> Mapping[str, int]:
        """Return none: a number has no classes."""
        return {}

    def begin(self, targets: Targets, /) -> None:
        """Take over mean and standard deviation of the train labels."""
        values = np.asarray(targets.values, np.float64)
        self.mean.fill_(float(values.mean()))
        self.deviation.fill_(float(values.std()) or 1.0)

    def forward(self, states: States, items: Items) -> Tensor:
        """Return the number of each label, and the deviation in which its error is measured, float32 [I, 2]."""
        standardised = super().forward(states, items)[:, 0]
        return torch.stack([self.mean + self.deviation * standardised, self.deviation.expand_as(standardised)], 1)


class PassageValueHead(ValueHead, PartHead):
    """A number for a whole row."""


class TokenValueHead(ValueHead, TokenHead):
    """A number for each token."""


class RegressionKind(Kind):
    """A row, or each of its tokens, has a number.

    The loss is the squared error of standardised numbers, so that a prediction of the train mean has a loss of 1 in
    whatever unit, and tasks weigh alike. Metrics are of the numbers in their own unit.
    """

    metrics = VALUE_METRICS
    probes = (Length(), FormMean())

    @staticmethod
    def head(task: Task, encoder: Encoder, settings: Settings) -> Head:
        """Return the head of the task's level."""
        return (TokenValueHead if _of_tokens(task) else PassageValueHead)(task, encoder, settings)

    def untrained(self, task: Task) -> str:
        """Return why a task cannot be trained, or nothing."""
        known = ("passage", "token")
        return "" if task.level in known else f"there is no regression of the level {task.level} yet"

    def _has_label(self, split: Split, task: Task) -> BoolArray:
        """Tell which rows have a number, or a list of them, bool [P]."""
        if not _of_tokens(task):
            return super()._has_label(split, task)
        listed: BoolArray = split.ragged(task.target).lengths > 0
        return listed

    def place(self, places: LabelPlaces) -> Placed:
        """Return the numbers of whole rows, or of tokens, which are predicted at their first sub-word."""
        task, encoder, last = places.task, places.encoder, places.last
        if not _of_tokens(task):
            values = encoder.split.floats(task.target)[places.rows]
            return Placed(np.arange(len(last)), values, one_part(np.minimum(1, last), last))
        starts = places.layout.starts.take(places.where)
        numbers = encoder.aligned(task.target, places.rows, starts, math.nan)
        ends = places.layout.ends[ranges(places.layout.starts.offsets[places.where], starts.lengths)]
        return Placed(numbers.owners, numbers.values, one_part(starts.values, ends))

    def placeholder(self, split: Split, task: Task, /) -> pa.Array | None:
        """Return 0 for each token, or for each row."""
        if _of_tokens(task):
            return zeros_like(split, task.level).cast(pa.list_(pa.float32()))
        return pa.array(np.zeros(len(split), np.float32))

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return the squared error in units of the train labels' variance."""
        value, deviation = scores.unbind(1)
        return ((value - label) / deviation).square()

    def predict(self, scores: Tensor) -> Tensor:
        """Return the numbers, float32 [I]."""
        return scores[:, 0]

    def prior(self, _metric: Metric, /) -> Probe:
        """Return the mean of the train labels."""
        return TrainMean()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the numbers."""
        task = rows.task
        if _of_tokens(task):
            lists = split.ragged(task.target)
        else:
            lists = Ragged(np.arange(len(rows) + 1), split.floats(task.target))
        items = np.flatnonzero(~np.isnan(lists.values))
        return rows.replaced(
            labels=lists.values[items].astype(np.float64),
            owners=lists.owners[items],
            positions=ranges(0 * lists.lengths, lists.lengths)[items],
        )

    def uninformed(self, data: EncodedDataset, task: Task, split: str) -> float:
        """Return the metric of the train mean as every prediction."""
        train, gold = (np.asarray(data.splits[name].targets[task.name].values) for name in ("train", split))
        nothing = np.zeros(len(gold), np.int64)
        constant = np.full(len(gold), train.mean(dtype=np.float64))
        found = score(Predictions(task, gold, constant, np.empty(0), nothing, nothing))
        return found.value or 1.0  # 1: nothing can be saved


def _of_tokens(task: Task) -> bool:
    """Tell whether the numbers are those of tokens."""
    return task.level == "token"


KIND = RegressionKind()
