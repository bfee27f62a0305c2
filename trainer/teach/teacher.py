"""What a trained model says of the rows of a dataset, and how sure it is of each label."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from labelers.ragged import IntArray, running_total
from labelers.task import Task
from trainer.apply import model_of
from trainer.data.bare import BareRows, RowEncoder, asked
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate
from trainer.folder import RunFolder
from trainer.score.metrics import Predictions

__all__ = ["KINDS", "TaughtLabels", "Teacher", "teachable"]

KINDS = ("token", "passage", "multilabel", "segment", "turn", "pair")
"""Kinds of tasks whose labels a model gives with a probability."""

_HOLDS = 0.5
"""Probability from which on one of several classes holds."""
_PLACES = 4
"""Digits of confidences: more would be noise of the machine."""


def teachable(task: Task, *, second: bool) -> str:
    """Return why a model cannot label bare rows for a task, nothing if it can.

    Args:
        task: as it was trained.
        second: the rows have second texts.
    """
    if task.kind not in KINDS or not task.classes:
        return f"labels of kind {task.kind} have no probability"
    if asked(task, second=second) is None:
        return "it reads hidden words, marked spans or a second text that the rows do not have"
    return ""


@dataclass(frozen=True)
class TaughtLabels:
    """What a model predicts for P rows in one task: I labels."""

    lengths: IntArray
    """int64 [P]: the labels of each row; 0 where nothing can be said."""
    labels: npt.NDArray[Any]
    """int64 [I] classes, or bool [I, C]."""
    confidence: npt.NDArray[np.float32]
    """float32 [I]: the probability of the label; of several classes that of the least certain one."""
    entropy: npt.NDArray[np.float32]
    """float32 [I]: of the distribution over classes, in nats; of several classes the sum over them."""

    @classmethod
    def of(cls, found: Predictions, rows: BareRows, count: int) -> Self:
        """Return what predictions for windows of ``count`` rows say of these rows."""
        assert found.probabilities is not None  # noqa: S101  (what `teachable` asks for)
        owners, chances = rows.documents[found.rows], found.probabilities.astype(np.float64)
        lengths = np.bincount(owners, minlength=count)
        if found.task.level == "passage":  # the mean over windows, weighted by their tokens
            chances = _mean(chances, rows.lengths[found.rows], owners, count)[lengths > 0]
            lengths = np.minimum(lengths, 1)
        if found.task.multi:
            labels: npt.NDArray[Any] = chances >= _HOLDS
            sure = np.where(labels, chances, 1 - chances).min(axis=1, initial=1)
            entropy = (_nats(chances) + _nats(1 - chances)).sum(axis=1)
        else:
            labels, sure, entropy = chances.argmax(axis=1), chances.max(axis=1), _nats(chances).sum(axis=1)
        return cls(lengths, labels, _rounded(sure), _rounded(entropy))

    def only(self, expected: IntArray) -> "TaughtLabels":
        """Return the labels of those rows that have as many as they should; the others have none."""
        right = (self.lengths == expected) & (expected > 0)
        kept = np.repeat(right, self.lengths)
        lengths = np.where(right, self.lengths, 0)
        return TaughtLabels(lengths, self.labels[kept], self.confidence[kept], self.entropy[kept])

    @property
    def offsets(self) -> IntArray:
        """Where the labels of each row begin, int64 [P + 1]."""
        return running_total(self.lengths)


def _mean(chances: npt.NDArray[np.float64], tokens: IntArray, owners: IntArray, count: int) -> npt.NDArray[np.float64]:
    """Return the mean of the probabilities of each of ``count`` rows, weighted by tokens."""
    total = np.zeros((count, chances.shape[1]))
    np.add.at(total, owners, chances * tokens[:, None])
    weight = np.bincount(owners, weights=tokens, minlength=count)
    return total / np.maximum(weight, 1)[:, None]


def _nats(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return -p ln p, 0 for 0."""
    found: npt.NDArray[np.float64] = -chances * np.log(np.maximum(chances, 1e-300))
    return found


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return values as they are written; a confidence is never 0, which would be no label."""
    return np.maximum(values.round(_PLACES), 10.0**-_PLACES).astype(np.float32)


class Teacher:
    """The model of a run, which labels rows on one thread of the CPU, so that the same rows get the same labels."""

    def __init__(self, run: str | Path, names: Sequence[str]) -> None:
        """Load it.

        Args:
            run: the folder of a run.
            names: of its tasks to predict.
        """
        folder = RunFolder.of(run)
        self._model = model_of(folder)
        settings = folder.settings()
        self._encoder = RowEncoder(folder.learnt, find_encoder(settings.model.encoder), settings)
        self._tasks = [task for task in self._model.tasks if task.name in set(names)]

    def label(self, rows: BareRows) -> dict[str, TaughtLabels]:
        """Return its predictions for rows, by the name of the task; tasks that no row has a place for are left out."""
        second = rows.second is not None
        chosen = [item for task in self._tasks if (item := asked(task, second=second))]
        if not len(rows) or not chosen:
            return {}
        windows = self._encoder.fitting(rows)
        data = self._encoder.encode(windows, chosen)
        with _one_thread():
            found = list(evaluate(self._model, data, "test", probabilities=True))
        return {
            item.task.name: TaughtLabels.of(item, windows, len(rows)).only(_expected(item.task, rows))
            for item in found
            if len(item.rows)
        }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums of several threads differ in their last places with their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _expected(task: Task, rows: BareRows) -> IntArray:
    """Return how many labels each row should have, int64 [P]."""
    counts = {"token": rows.lengths, "segment": rows.segments.lengths, "turn": rows.turns.lengths}
    found: IntArray = counts.get(task.level, np.ones(len(rows), np.int64))
    return found
