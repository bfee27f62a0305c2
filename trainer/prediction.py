"""What a trained model says about a text, with places in the text, from what it says about rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray
from labelers.task import Task

__all__ = ["LabelledSpan", "LabelledTurn", "PartOfTask", "Prediction", "TaskPrediction", "Token"]

_HOLDS = 0.5
"""Probability from which on one of several classes holds."""


@dataclass(frozen=True)
class Token:
    """A token, and where it stands in the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class LabelledSpan:
    """Consecutive tokens with one label."""

    start: int
    """In code points of the text, as is ``end``."""
    end: int
    label: str
    score: float
    """Mean probability of its tags."""


@dataclass(frozen=True)
class LabelledTurn:
    """A turn of a dialogue with its label."""

    role: str
    start: int
    """In code points of the text, as is ``end``."""
    end: int
    label: str | None
    """None of a turn without a word."""
    score: float | None
    """Probability of the label."""


@dataclass(frozen=True)
class TaskPrediction:
    """What a model says about one task; what a kind of task does not have is None."""

    tags: list[str] | None = None
    """A class for each token or segment."""
    scores: list[float] | None = None
    """Probability of each tag."""
    spans: list[LabelledSpan] | None = None
    """Of tags that mark spans."""
    turns: list[LabelledTurn] | None = None
    """Every turn of the text, in its order."""
    label: str | None = None
    labels: list[str] | None = None
    """Several classes at once."""
    probabilities: dict[str, float] | None = None
    value: float | None = None
    values: list[float] | None = None
    heads: list[int] | None = None
    """The head of each token as its number; of a root its own."""
    relations: list[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what there is of it."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        for name in {"spans", "turns"} & known.keys():
            known[name] = [vars(item) for item in known[name]]
        return known


@dataclass(frozen=True)
class Prediction:
    """What a model says about one text."""

    id: str
    text: str
    """As it was given; tokens that were given are joined by spaces, turns by line breaks."""
    tokens: list[Token]
    tasks: dict[str, TaskPrediction]
    windows: int
    """Parts in which it was read; classes and numbers of all of it are means over them, weighted by their tokens."""
    turns: Sequence[LabelledTurn] = ()
    """Of a dialogue, without labels."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        tasks = {name: item.to_json() for name, item in self.tasks.items()}
        turns = [{"role": turn.role, "start": turn.start, "end": turn.end} for turn in self.turns]
        tokens = [vars(token) for token in self.tokens]
        spoken = {"turns": turns} if turns else {}
        return {"id": self.id, "text": self.text, **spoken, "tokens": tokens, "tasks": tasks, "windows": self.windows}


@dataclass(frozen=True)
class PartOfTask:
    """What the model says about one task of one document, and where in it."""

    task: Task
    predicted: npt.NDArray[Any]
    chances: npt.NDArray[Any] | None
    """Probabilities of all classes."""
    rows: IntArray
    """The row of each prediction."""
    tokens: Sequence[Token]
    segments: IntArray
    """The first token of the segment of each token, counted in the document."""
    lengths: IntArray
    """Tokens of each row."""
    turns: Sequence[LabelledTurn] = ()
    """All of the document, without labels."""
    turn_numbers: IntArray | None = None
    """Which of them each turn of each row is, or is part of."""

    def prediction(self) -> TaskPrediction:
        """Return the prediction for it."""
        return self._listed() if self.task.level in ("token", "segment", "turn") else self._one()

    def _listed(self) -> TaskPrediction:
        """Return the predictions for each token, segment or turn."""
        task, predicted = self.task, self.predicted
        if np.issubdtype(predicted.dtype, np.floating):
            return TaskPrediction(values=[round(float(value), 4) for value in predicted])
        if predicted.ndim > 1:  # arcs: places in a segment become those in the document
            heads = predicted[:, 0] + self.segments
            names = [task.classes[i] for i in predicted[:, 1]] if task.classes else None
            return TaskPrediction(heads=heads.tolist(), relations=names)
        tags = [task.classes[i] for i in predicted]
        scores = None if self.chances is None else np.take_along_axis(self.chances, predicted[:, None], 1)[:, 0]
        if task.level == "turn" and self.turn_numbers is not None:
            return TaskPrediction(turns=self._labelled(tags, None if scores is None else _rounded(scores)))
        spans = _spans(tags, scores, self.tokens) if task.scheme and task.level == "token" else None
        return TaskPrediction(tags=tags, scores=None if scores is None else _rounded(scores), spans=spans)

    def _labelled(self, tags: Sequence[str], scores: Sequence[float] | None) -> list[LabelledTurn]:
        """Return all turns, each with its label: one that goes on in the next row has that of its beginning."""
        assert self.turn_numbers is not None  # noqa: S101
        found = list(self.turns)
        for place, number in reversed(list(enumerate(self.turn_numbers.tolist()))):
            found[number] = replace(found[number], label=tags[place], score=scores[place] if scores else None)
        return found

    def _one(self) -> TaskPrediction:
        """Return the prediction for the whole document: the mean over its rows, weighted by their tokens."""
        classes, weights = self.task.classes, self.lengths[self.rows]
        share = weights / weights.sum()
        if np.issubdtype(self.predicted.dtype, np.floating):
            return TaskPrediction(value=round(float(share @ self.predicted), 4))
        if self.chances is None:
            return TaskPrediction(label=classes[int(self.predicted[0])])
        mean = share @ self.chances
        named = dict(zip(classes, _rounded(mean), strict=True))
        if self.task.multi:
            held = [name for name, chance in zip(classes, mean, strict=True) if chance >= _HOLDS]
            return TaskPrediction(labels=held, probabilities=named)
        return TaskPrediction(label=classes[int(mean.argmax())], probabilities=named)


def _rounded(values: npt.NDArray[Any]) -> list[float]:
    """Return probabilities as they are written."""
    return [round(float(value), 4) for value in values]


def _spans(tags: Sequence[str], scores: npt.NDArray[Any] | None, tokens: Sequence[Token]) -> list[LabelledSpan]:
    """Return the spans that BIO tags mark; an I that nothing begins begins one, as conlleval reads it."""
    bounds: list[tuple[int, int, str]] = []
    for i, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if prefix == "I" and bounds and bounds[-1][1] == i and bounds[-1][2] == kind:
            bounds[-1] = (bounds[-1][0], i + 1, kind)
        elif prefix in ("B", "I"):
            bounds.append((i, i + 1, kind))
    return [
        LabelledSpan(
            tokens[first].start,
            tokens[last - 1].end,
            kind,
            1.0 if scores is None else round(float(scores[first:last].mean()), 4),
        )
        for first, last, kind in bounds
    ]
