"""A trained model on texts that nobody prepared: tags, classes and numbers, with places in the caller's own strings.

This is the one module of the trainer that reads text, with the front end that builds do (`labelers.text`); spaCy is
loaded with the first string, and token lists do without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.place import local
from labelers.ragged import IntArray, Ragged
from labelers.task import Task
from trainer.apply import load_model
from trainer.data.bare import BareRows, RowEncoder, asked
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate
from trainer.folder import RunFolder
from trainer.model.model import Model
from trainer.score.metrics import Predictions

if TYPE_CHECKING:
    from labelers.text.cutting import CutDocuments
    from labelers.text.document import Document

__all__ = ["LabelledSpan", "Prediction", "Predictor", "TaskPrediction", "Token", "load"]


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
class TaskPrediction:
    """What a model says about one task; what a kind of task does not have is None."""

    tags: list[str] | None = None
    """A class for each token, or for each segment or turn."""
    scores: list[float] | None = None
    """Probability of each tag."""
    spans: list[LabelledSpan] | None = None
    """Of tags that mark spans."""
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
        return {**known, "spans": [vars(span) for span in self.spans]} if self.spans is not None else known


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

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        tasks = {name: item.to_json() for name, item in self.tasks.items()}
        tokens = [vars(token) for token in self.tokens]
        return {"id": self.id, "text": self.text, "tokens": tokens, "tasks": tasks, "windows": self.windows}


Text = str | Sequence[str]
"""A text, or the tokens of one."""

_HOLDS = 0.5
"""Probability from which on one of several classes holds."""


def load(run: str | Path) -> "Predictor":
    """Return the model of a run, ready to predict.

    Raises:
        FileNotFoundError: the folder holds no run with a checkpoint.
        ValueError: the run is of another format than this version writes.
    """
    return Predictor(run)


@dataclass
class Predictor:
    """Applies the model of a run to texts."""

    run: str | Path
    left_out: list[str] = field(default_factory=list)
    """Tasks that the last texts could not be asked: they hide words, read spans, or need a second text."""

    def __post_init__(self) -> None:
        """Load the model."""
        from labelers.text.segmenter import Segmenter

        self.model: Model = load_model(self.run)
        folder = RunFolder(local(self.run, "a run folder"))
        settings = folder.settings()
        self._encoder = RowEncoder(folder.learnt, find_encoder(settings.model.encoder), settings)
        self._segmenter = Segmenter(**folder.reading().get("text", {}))

    def predict(
        self, texts: Sequence[Text], *, tasks: Sequence[str] = (), second: Sequence[Text] | None = None
    ) -> list[Prediction]:
        """Return what the model says about each text.

        Args:
            texts: strings, or lists of tokens.
            tasks: names of the tasks to tell; none: all that can be told.
            second: a second text for each, for tasks over two.

        Raises:
            ValueError: the model has no such task.
        """
        from labelers.text.document import Document

        documents = [
            Document(str(number), text) if isinstance(text, str) else Document(str(number), tokens=tuple(text))
            for number, text in enumerate(texts)
        ]
        if second is not None:
            pairs = zip(documents, second, strict=True)
            documents = [_with_second(document, other) for document, other in pairs]
        return self.predict_documents(documents, tasks=tasks)

    def predict_documents(self, documents: "Sequence[Document]", *, tasks: Sequence[str] = ()) -> list[Prediction]:
        """Return what the model says about each document; one without a word has no token and no label."""
        chosen = self._tasks(tasks, second=any(document.second is not None for document in documents))
        cut, _ = self._segmenter.cut(documents)
        rows = self._encoder.fitting(_rows(cut, documents))
        made: dict[str, Predictions] = {}
        if len(rows):
            data = self._encoder.encode(rows, chosen)
            made = {item.task.name: item for item in evaluate(self.model, data, "test", probabilities=True)}
        return _assembled(documents, cut, rows, made)

    def _tasks(self, names: Sequence[str], *, second: bool) -> list[Task]:
        """Return the tasks to tell as they are asked of a text."""
        known = {task.name: task for task in self.model.tasks}
        for name in names:
            if name not in known:
                raise ValueError(f"the model in {self.run} has no task {name!r}; it has {', '.join(known)}")
        wanted = [known[name] for name in names] or list(known.values())
        found = [(task, asked(task, second=second)) for task in wanted]
        self.left_out = [task.name for task, item in found if item is None]
        return [item for _, item in found if item is not None]


def _with_second(document: "Document", text: Text) -> "Document":
    """Return a document with a second text."""
    from dataclasses import replace

    return replace(document, second=text if isinstance(text, str) else tuple(text))


def _rows(cut: "CutDocuments", documents: "Sequence[Document]") -> BareRows:
    """Return the passages as rows."""
    batch = cut.batch
    strings = batch.vocabulary.strings
    turn_rows = np.repeat(np.arange(len(batch)), np.diff(batch.turn_offsets))
    numbers = np.array(list(dict.fromkeys(cut.pieces.documents.tolist())), np.int64)
    second = second_spaces = None
    if any(document.second is not None for document in documents) and batch.second is not None:
        second = pa.ListArray.from_arrays(_int32(batch.second.offsets), strings(batch.second.codes))
        second_spaces = pa.ListArray.from_arrays(_int32(batch.second.offsets), pa.array(batch.second.spaces))
    return BareRows(
        numbers[cut.owners] if len(batch) else np.empty(0, np.int64),
        pa.ListArray.from_arrays(_int32(batch.offsets), strings(batch.codes)),
        Ragged(batch.segment_offsets, batch.segments - batch.offsets[batch.segment_rows]),
        Ragged(batch.turn_offsets, batch.turns - batch.segment_offsets[turn_rows]),
        pa.ListArray.from_arrays(_int32(batch.turn_offsets), strings(batch.roles)),
        batch.spaces,
        second,
        second_spaces,
    )


def _segments(rows: BareRows) -> IntArray:
    """Return the first token of the segment of each token, counted over all rows."""
    starts = rows.tokens.offsets.to_numpy().astype(np.int64)
    first = np.zeros(starts[-1] + 1, np.int64)
    opens = np.concatenate([starts, rows.segments.values + starts[:-1][rows.segments.owners]])
    first[opens] = opens
    return np.maximum.accumulate(first)[:-1]


def _int32(offsets: IntArray) -> pa.Array:
    """Return offsets as Arrow has them."""
    return pa.array(np.asarray(offsets).astype(np.int32))


def _assembled(
    documents: "Sequence[Document]", cut: "CutDocuments", rows: BareRows, made: Mapping[str, Predictions]
) -> list[Prediction]:
    """Return the predictions of each document from those of its rows."""
    bounds = np.searchsorted(rows.documents, np.arange(len(documents) + 1))
    row_starts = rows.tokens.offsets.to_numpy()
    token_bounds = row_starts[bounds]
    starts, ends, texts = _places(documents, cut, token_bounds)
    words = cut.batch.vocabulary.strings(cut.batch.codes).to_pylist()  # those of the rows may be shortened
    places = {name: np.searchsorted(item.rows, bounds) for name, item in made.items()}
    segments = _segments(rows)
    found = []
    for n, document in enumerate(documents):
        first, last = int(token_bounds[n]), int(token_bounds[n + 1])
        tokens = [Token(words[i], int(starts[i]), int(ends[i])) for i in range(first, last)]
        tasks = {}
        for name, item in made.items():
            part = slice(int(places[name][n]), int(places[name][n + 1]))
            if part.start < part.stop:
                chances = None if item.probabilities is None else item.probabilities[part]
                own = item.rows[part]
                opens = segments[first:last] - first
                told = _Part(item.task, item.predicted[part], chances, own, tokens, opens, rows.lengths)
                tasks[name] = told.told()
        found.append(Prediction(document.id, texts[n], tokens, tasks, int(bounds[n + 1] - bounds[n])))
    return found


def _places(
    documents: "Sequence[Document]", cut: "CutDocuments", bounds: IntArray
) -> tuple[IntArray, IntArray, list[str]]:
    """Return start and end of each token in the text of its document, and these texts."""
    positions = cut.positions
    starts, ends, texts = positions.starts.copy(), positions.ends.copy(), []
    read = np.searchsorted(cut.read.owners, np.arange(len(documents) + 1))
    for n, document in enumerate(documents):
        part = slice(int(bounds[n]), int(bounds[n + 1]))
        if document.tokens is not None:
            kept = np.flatnonzero(cut.kept[read[n] : read[n + 1]])
            lengths = np.array([len(token) for token in document.tokens], np.int64)
            starts[part] = (np.cumsum(lengths + 1) - lengths - 1)[kept]
            ends[part] = starts[part] + lengths[kept]
            texts.append(" ".join(document.tokens))
        elif document.turns is not None:
            before = np.cumsum([0, *(len(turn.text) + 1 for turn in document.turns)])
            shift = before[positions.turns[part]]
            starts[part] += shift
            ends[part] += shift
            texts.append("\n".join(turn.text for turn in document.turns))
        else:
            texts.append(document.text)
    return starts, ends, texts


@dataclass(frozen=True)
class _Part:
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

    def told(self) -> TaskPrediction:
        """Return what is told of it."""
        return self._listed() if self.task.level in ("token", "segment", "turn") else self._one()

    def _listed(self) -> TaskPrediction:
        """Return what is told of each token, segment or turn."""
        task, predicted = self.task, self.predicted
        if np.issubdtype(predicted.dtype, np.floating):
            return TaskPrediction(values=[round(float(value), 4) for value in predicted])
        if predicted.ndim > 1:  # arcs: places in a segment become those in the document
            heads = predicted[:, 0] + self.segments
            names = [task.classes[i] for i in predicted[:, 1]] if task.classes else None
            return TaskPrediction(heads=heads.tolist(), relations=names)
        tags = [task.classes[i] for i in predicted]
        scores = None if self.chances is None else np.take_along_axis(self.chances, predicted[:, None], 1)[:, 0]
        spans = _spans(tags, scores, self.tokens) if task.scheme and task.level == "token" else None
        return TaskPrediction(tags=tags, scores=None if scores is None else _rounded(scores), spans=spans)

    def _one(self) -> TaskPrediction:
        """Return what is told of the whole document: the mean over its rows, weighted by their tokens."""
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
