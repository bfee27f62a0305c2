"""A trained model on texts that nobody prepared: tags, classes and numbers, with places in the caller's own strings.

This is the one module of the trainer that reads text, with the front end that builds do (`labelers.text`); spaCy is
loaded with the first string, and token lists do without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelers.ragged import IntArray, Ragged
from labelers.task import Task
from trainer.apply import model_of
from trainer.data.bare import BareRows, RowEncoder, asked
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate
from trainer.folder import RunFolder
from trainer.model.model import Model
from trainer.prediction import LabelledSpan, LabelledTurn, PartOfTask, Prediction, TaskPrediction, Token
from trainer.score.metrics import Predictions

if TYPE_CHECKING:
    from labelers.text.cutting import CutDocuments
    from labelers.text.document import Document

__all__ = ["LabelledSpan", "LabelledTurn", "Prediction", "Predictor", "TaskPrediction", "Token", "load"]


Text = str | Sequence[str]
"""A text, or the tokens of one."""


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
    """Tasks that could not be predicted for the last texts: they mask words, read spans, or need a second text."""

    def __post_init__(self) -> None:
        """Load the model."""
        from labelers.text.segmenter import Segmenter

        folder = RunFolder.of(self.run)
        self.model: Model = model_of(folder)
        settings = folder.settings()
        self._encoder = RowEncoder(folder.learnt, find_encoder(settings.model.encoder), settings)
        self._segmenter = Segmenter(**folder.reading().get("text", {}))

    def predict(
        self, texts: Sequence[Text], *, tasks: Sequence[str] = (), second: Sequence[Text] | None = None
    ) -> list[Prediction]:
        """Return what the model says about each text.

        Args:
            texts: strings, or lists of tokens.
            tasks: names of the tasks to predict; none: all that can be predicted.
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
        """Return the tasks to predict, in the form that a text needs."""
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
    segments, turn_rows, turn_tokens = _segments(rows), rows.turns.owners, rows.turn_tokens()
    found = []
    for n, document in enumerate(documents):
        first, last = int(token_bounds[n]), int(token_bounds[n + 1])
        tokens = [Token(words[i], int(starts[i]), int(ends[i])) for i in range(first, last)]
        tasks, turns = {}, _turns(document)
        for name, item in made.items():
            part = slice(int(places[name][n]), int(places[name][n + 1]))
            if part.start < part.stop:
                chances = None if item.probabilities is None else item.probabilities[part]
                own = item.rows[part]
                opens = segments[first:last] - first
                spoken = np.isin(turn_rows, own)
                labelled = PartOfTask(
                    item.task,
                    item.predicted[part],
                    chances,
                    own,
                    tokens,
                    opens,
                    rows.lengths,
                    turns,
                    cut.positions.turns[turn_tokens[spoken]] if turns else None,
                )
                tasks[name] = labelled.prediction()
        found.append(Prediction(document.id, texts[n], tokens, tasks, int(bounds[n + 1] - bounds[n]), turns))
    return found


def _turns(document: "Document") -> list[LabelledTurn]:
    """Return the turns of a document with their places in its text, joined by line breaks."""
    found, place = [], 0
    for turn in document.turns or ():
        found.append(LabelledTurn(turn.role, place, place + len(turn.text), None, None))
        place += len(turn.text) + 1
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
