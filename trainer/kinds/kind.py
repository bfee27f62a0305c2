"""What a kind of task is: how its labels are read, placed, predicted, learnt and scored.

A kind is one module of this package with a constant ``KIND``; `trainer.kinds.find` looks it up by the module's name.
Everything else in the trainer asks the object and compares no names.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import BoolArray, IntArray, Ragged
from labelers.task import Task
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Split
from trainer.data.inputs import Inputs
from trainer.data.targets import LabelPlaces, Placed
from trainer.encoders.encoder import Encoder
from trainer.model.heads import Head
from trainer.score.metrics import METRICS, Metric
from trainer.score.probes import MostFrequent, Probe, RandomGuess
from trainer.score.rows import TaskRows, label_list, one_label
from trainer.settings import Settings

__all__ = ["ClassKind", "Kind", "Labels", "zeros_like"]

Labels = npt.NDArray[Any] | Ragged

_KEPT_CLASSES = 1000
"""Classes up to which probabilities are kept."""

_ABSTAINED = 2  # the first status of a row without a label


class Kind(ABC):
    """The behaviour of one kind of label space."""

    head: Callable[[Task, Encoder, Settings], Head]
    """Makes what scores labels from the states of an encoder: a class, or what chooses one."""
    listed: ClassVar[bool] = False
    """The column of labels holds a list for each row, not one value."""
    carries: ClassVar[bool] = False
    """Its labels of a source are also labels of a view of it: a task may be trained on one, see `Task.on`."""
    metrics: ClassVar[Mapping[str, Metric]] = METRICS
    """By the names that tasks give them; the first one is the default."""
    beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By the name of a metric, further ones by which a report scores the same predictions."""
    probes: ClassVar[tuple[Probe, ...]] = ()
    """Baselines that look at one simple property each."""

    def untrained(self, task: Task) -> str:
        """Return why a task of the kind cannot be trained, or nothing."""
        return "several labels per item are not supported yet" if task.multi else ""

    def default_metric(self, _task: Task, /) -> str:
        """Return the name of the metric of a task that names none."""
        return next(iter(self.metrics))

    def inputs(self, task: Task) -> Inputs:
        """Return what the encoder reads for a task."""
        return Inputs(
            sequences=task.sequences,
            swap=task.swap,
            roles=task.roles and len(task.sequences) == 1,
            hide_roles=task.hide_roles,
            hide_tokens=task.hide_tokens,
        )

    def present(self, split: Split, task: Task) -> BoolArray:
        """Tell which of the P rows of a split have a label, bool [P]."""
        present = self._has_label(split, task)
        for path in task.spans:
            span = split.spans(path)
            present &= span[:, 1] > span[:, 0]
        if task.status:
            present &= split.integers(task.status) < _ABSTAINED
        return present

    def _has_label(self, split: Split, task: Task) -> BoolArray:
        """Tell which rows have a value in the column of labels, bool [P]."""
        if self.listed:
            listed: BoolArray = split.ragged(task.target).lengths > 0
            return listed
        return split.present(task.target)

    @abstractmethod
    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of some rows, and which pieces of its row each of them speaks of."""

    def placeholder(self, _split: Split, _task: Task, /) -> pa.Array | None:
        """Return a column of labels that stand for those to be told of rows that have none, None where none can be."""
        return None

    def renumbered(self, values: Labels, numbers: IntArray, count: int) -> Labels:
        """Return labels as `place` gives them with other numbers for their classes.

        Args:
            values: the labels, all of them known.
            numbers: int64 [C]: the new number of each class.
            count: the number of classes after that.

        Raises:
            ValueError: the kind does not say what of its labels is a class.
        """
        if isinstance(values, Ragged) or values.dtype != bool:
            raise ValueError(f"{type(self).__name__} has labels that cannot be matched by the names of their classes")
        made = np.zeros((len(values), count), bool)
        made[:, numbers] = values
        return made

    @abstractmethod
    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return the loss of each label, float32 [I]; lower is better.

        Args:
            scores: [I, ...], of the head.
            label: [I, ...], as the kind placed it.
        """

    def emphasis(self, _task: Task, _label: Tensor, _settings: Settings, /) -> Tensor | None:
        """Return by what the losses are multiplied in training, [I]; None: by nothing."""
        return None

    @abstractmethod
    def predict(self, scores: Tensor) -> Tensor:
        """Return what the scores say, in the form of a label, [I, ...]."""

    def probabilities(self, _scores: Tensor, /) -> Tensor | None:
        """Return the probability of each class, float [I, C]; None where there are none, or too many to keep."""
        return None

    @abstractmethod
    def prior(self, metric: Metric, /) -> Probe:
        """Return what is known of the labels without a look at the text."""

    @abstractmethod
    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Return rows for baselines with their labels, of a split that holds no others; see `trainer.score.rows`."""

    def uninformed(self, data: EncodedDataset, task: Task, split: str) -> float:
        """Return the value of a metric of which less is better for a model that knows nothing of the text.

        By it tasks with such a metric are compared with the others: they count as the share of it that they save.
        """
        raise NotImplementedError(f"kind {task.kind} has no reference for the metric {task.metric} ({split}, {data})")


_LEVELS = {"token": "spaces", "segment": "segments", "turn": "turns"}
"""A column that has a value for each."""


def zeros_like(split: Split, level: str) -> pa.ListArray:
    """Return a 0 for each token, segment or turn of a row, lists of int32."""
    parts = split.ragged(_LEVELS[level])
    return pa.ListArray.from_arrays(
        pa.array(parts.offsets.astype(np.int32)), pa.array(np.zeros(len(parts.values), np.int32))
    )


class ClassKind(Kind):
    """Kinds whose label is one of several classes."""

    def untrained(self, task: Task) -> str:
        """Return why a task cannot be trained, or nothing."""
        return super().untrained(task) or ("it has fewer than two classes" if len(task.classes) < 2 else "")  # noqa: PLR2004

    def placeholder(self, split: Split, task: Task, /) -> pa.Array | None:
        """Return the first class for each token, segment or turn, or for each row."""
        if not self.listed:
            return pa.array(np.zeros(len(split), np.int64))
        return zeros_like(split, task.level)

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return -ln p of the label, in nats."""
        return F.cross_entropy(scores, label, reduction="none")

    def renumbered(self, values: Labels, numbers: IntArray, _count: int, /) -> Labels:
        """Return the classes by their new numbers."""
        assert not isinstance(values, Ragged)  # noqa: S101  (classes are no lists)
        made: IntArray = numbers[values]
        return made

    def predict(self, scores: Tensor) -> Tensor:
        """Return the most likely class, int64 [I]."""
        return scores.argmax(1)

    def probabilities(self, scores: Tensor, /) -> Tensor | None:
        """Return those of all classes, where they are few."""
        return scores.softmax(1) if scores.shape[1] <= _KEPT_CLASSES else None

    def prior(self, metric: Metric, /) -> Probe:
        """Return the most frequent class, or a random guess for a metric that punishes a constant one."""
        return MostFrequent() if metric.constant else RandomGuess()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the classes."""
        return label_list(rows, split) if self.listed else one_label(rows, split)
