"""Cheap probes: what can be had without a network, fitted on the train rows and scored on the held-out labels.

A score on constructed labels says little alone. Injected words may be known by their form, a corrupted side by its
length; a network has learnt something where it is better than the best of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray, Ragged
from labelers.task import Task
from trainer.data.dataset import Types
from trainer.kinds import kind_of
from trainer.schedule.step_plan import generator
from trainer.score.metrics import Predictions, Score, metric_of, score
from trainer.score.rates import FloatArray, classes_of, counted, rates_of
from trainer.score.rows import TaskRows, folded

__all__ = [
    "MostFrequent",
    "Probe",
    "ProbeScore",
    "RandomGuess",
    "Repetition",
    "Unigram",
    "WordForm",
    "best_first",
    "prior",
    "repeated",
    "run_probes",
]

_LONGEST = 6
"""Words of the longest repetition that is looked for: the longest n-gram that the disfluency labeler injects
(Wang et al. 2020)."""


class Probe(Protocol):
    """Predicts held-out labels from train rows."""

    @property
    def name(self) -> str:
        """What the probe looks at, for the report."""
        ...

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> npt.NDArray[Any]:
        """Return what each held-out label should be, [I, ...]; for metrics of losses its loss, float64 [I]."""
        ...


@dataclass(frozen=True)
class ProbeScore:
    """The score of one probe and the number of train rows that it saw."""

    name: str
    score: Score
    train_rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the score as a plain JSON object."""
        return {"name": self.name, **self.score.to_json(), "train_rows": self.train_rows}


@dataclass(frozen=True)
class MostFrequent:
    """The most frequent class of the train labels: the prior of accuracy."""

    name: str = "most frequent class"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> IntArray:  # noqa: ARG002  (no randomness)
        """Return one class for all."""
        return np.full(len(held.labels), np.bincount(train.labels, minlength=1).argmax())


@dataclass(frozen=True)
class RandomGuess:
    """A class drawn at the rates of the train labels: the prior of F1, which rewards no constant guess fairly."""

    name: str = "random guess at the train rates"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> IntArray:
        """Return one drawn class for each label."""
        rates = np.bincount(train.labels, minlength=1) / max(len(train.labels), 1)
        drawn = generator(seed, "prior", train.task.name).random(len(held.labels))
        said: IntArray = np.searchsorted(np.cumsum(rates), drawn, side="right").clip(max=len(rates) - 1)
        return said


@dataclass(frozen=True)
class Unigram:
    """The frequency of a word among the train words of as many pieces, for the model sees how many are hidden.

    A word seen n times among N words of V forms has n / (N + V); the V / (N + V) that remain are for new words (Witten,
    Bell 1991, method C), spelled out by the frequency of pieces. Without pieces, words are spelled in bytes and an end.
    """

    name: str = "unigram"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> FloatArray:  # noqa: ARG002
        """Return the nats of each held-out word."""
        codes = train.parts[0].values if train.maskable is None else train.parts[0].values[train.maskable]
        texts = list(train.types.codes)
        spelled = _bytes(texts) if train.spell is None else train.spell(texts)
        group = spelled.lengths * (train.spell is not None)
        counts = np.bincount(codes, minlength=len(texts)).astype(np.float64)
        seen = counts > 0
        words_of, forms_of = (np.bincount(group, weights)[group] for weights in (counts, seen.astype(np.float64)))
        symbols = 1.0 + np.bincount(spelled.values, np.repeat(seen, spelled.lengths))  # one for those never met
        nats = np.bincount(spelled.owners, -np.log(symbols / symbols.sum())[spelled.values], minlength=len(texts))
        known = -np.log(np.where(seen, counts, np.maximum(forms_of, 1)) / np.maximum(words_of + forms_of, 1))
        result: FloatArray = (known + np.where(seen, 0, nats))[held.labels]
        return result


def _bytes(texts: Sequence[str]) -> Ragged:
    """Return the UTF-8 bytes of each text and 255, which no text holds, at its end."""
    data = [text.encode("utf-8", "surrogatepass") + b"\xff" for text in texts]
    return Ragged.of(np.array([len(item) for item in data], np.int64), np.frombuffer(b"".join(data), np.uint8))


@dataclass(frozen=True)
class WordForm:
    """The form of the word alone, whatever stands around it.

    Where the first class is outside, a form is tagged if its rate of tags reaches a threshold: the one that is best
    for the other half of the documents.
    """

    name: str = "word form"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> IntArray:  # noqa: ARG002
        """Return the class of each held-out token."""
        size, classes = len(train.types), classes_of(train)
        forms = train.parts[0].values[train.parts[0].offsets[train.owners] + train.positions].astype(np.int64)
        there = held.parts[0].values[held.parts[0].offsets[held.owners] + held.positions]
        rates = rates_of(counted(forms, train.labels, size, classes))
        if not metric_of(train.task).outside:
            result: IntArray = rates.argmax(axis=1)[there]
            return result
        documents = train.documents if np.ptp(train.documents) else train.rows  # of one document, the other half of it
        half = documents[train.owners] % 2 == 0
        threshold = _threshold(
            rates_of(counted(forms[half], train.labels[half], size, classes)),
            counted(forms[~half], train.labels[~half], size, classes),
        )
        inside = 1 + rates[:, 1:].argmax(axis=1)
        said = np.where(rates[np.arange(size), inside] >= threshold, inside, 0)
        tagged: IntArray = said[there]
        return tagged


def _threshold(rates: FloatArray, counts: FloatArray) -> float:
    """Return the rate from which tagging a form is best for micro F1 over the classes other than the first.

    Args:
        rates: [V, C], of one half of the labels.
        counts: [V, C], of the other half.
    """
    inside = 1 + rates[:, 1:].argmax(axis=1)
    rate = rates[np.arange(len(rates)), inside]
    order = np.argsort(-rate, kind="stable")
    right = np.cumsum(counts[np.arange(len(rates)), inside][order])
    f1 = 2 * right / np.maximum(np.cumsum(counts.sum(axis=1)[order]) + counts[:, 1:].sum(), 1)
    last = np.append(np.diff(rate[order]) != 0, True)
    return float(rate[order][np.where(last, f1, -1.0).argmax()])


@dataclass(frozen=True)
class Repetition:
    """The rule "the same words follow at once": one to six words that are said again right after them."""

    name: str = "the same words follow at once"

    def predict(self, train: TaskRows, held: TaskRows, seed: int) -> IntArray:  # noqa: ARG002
        """Return the class that the rule's tokens have most often in train, or the first class."""
        fired = train.labels[_repeats(train) & (train.labels > 0)]
        said = np.bincount(fired, minlength=2).argmax() if len(fired) else 1
        return np.where(_repeats(held), said, 0)


def _repeats(rows: TaskRows) -> BoolArray:
    """Tell for each label whether its token is repeated."""
    part = rows.parts[0]
    first = part.offsets[rows.owners] + rows.positions
    result: BoolArray = repeated(folded(rows.types)[part.values], part.owners, _words(rows.types)[part.values])[first]
    return result


def _words(types: Types) -> BoolArray:
    """Tell of each type whether it holds a letter or a digit."""
    return np.array([any(map(str.isalnum, text)) for text in types.codes], bool)


def repeated(codes: IntArray, owners: IntArray, word: BoolArray) -> BoolArray:
    """Tell for each token, bool [N], whether it stands in an n-gram that is followed by itself in the same row.

    The n-gram opens with a word, so that no run of dashes counts.

    Example:
        >>> repeated(np.array([1, 2, 3, 2, 3, 4]), np.zeros(6, int), np.ones(6, bool)).astype(int).tolist()
        [0, 1, 1, 0, 0, 0]
    """
    count = len(codes)
    found = np.zeros(count, bool)
    for n in range(1, min(_LONGEST, count // 2) + 1):
        same = (codes[:-n] == codes[n:]) & (owners[:-n] == owners[n:])
        runs = np.concatenate([[0], np.cumsum(same)])
        opens = (runs[n:] - runs[:-n] == n) & word[: count - 2 * n + 1]
        edges = np.zeros(count + 1, np.int64)
        edges[: len(opens)] += opens
        edges[n : n + len(opens)] -= opens
        found |= np.cumsum(edges)[:-1] > 0
    return found


def prior(train: TaskRows, held: TaskRows, seed: int = 0) -> ProbeScore:
    """Score what is known without a look at the text: the class prior of the train rows."""
    return _scored(kind_of(train.task).prior(metric_of(train.task)), train, held, seed)


def run_probes(train: TaskRows, held: TaskRows, seed: int = 0) -> list[ProbeScore]:
    """Score every probe of the task's kind, the best one first; both sides must share their `Types`."""
    return best_first(train.task, [_scored(probe, train, held, seed) for probe in kind_of(train.task).probes])


def best_first(task: Task, scores: Sequence[ProbeScore]) -> list[ProbeScore]:
    """Return scores of a task, the best one first; equal ones stay in their order."""
    sign = -1 if metric_of(task).higher else 1
    return sorted(scores, key=lambda item: sign * (item.score.value or 0.0))


def _scored(probe: Probe, train: TaskRows, held: TaskRows, seed: int) -> ProbeScore:
    """Fit a probe and score it."""
    if not len(train.labels):
        raise ValueError(f"task {train.task.name} has no train labels to fit the probe {probe.name!r} on")
    said = probe.predict(train, held, seed)
    from_loss = metric_of(train.task).from_loss
    found = Predictions(
        task=held.task,
        gold=held.labels,
        predicted=held.labels if from_loss else said,
        loss=said.astype(np.float64) if from_loss else np.empty(0),
        documents=held.documents[held.owners],
        rows=held.rows[held.owners],
    )
    return ProbeScore(probe.name, score(found, seed), len(train))
