"""Words that are hidden and predicted."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import ranges
from labelers.task import Task
from trainer.data.batch import Items
from trainer.data.cache import EncodedDataset
from trainer.data.dataset import Split
from trainer.data.inputs import Inputs
from trainer.data.targets import LabelPlaces, Placed
from trainer.encoders.encoder import Encoder, States
from trainer.kinds.kind import Kind
from trainer.model.heads import Head
from trainer.score.metrics import Metric
from trainer.score.probes import Probe, Unigram
from trainer.score.rows import TaskRows, aligned
from trainer.settings import Settings

__all__ = ["KIND", "MaskedWordKind", "WordHead"]

_CHUNK = 1 << 20  # sub-words that are counted at a time


class WordHead(Head):
    """Predicts the pieces of masked words; its output embedding is the encoder's input embedding."""

    def _build(self, encoder: Encoder, _settings: Settings, /) -> None:
        """Make the output layer."""
        self.score = Tied(encoder.width, encoder.embedding)

    def by_class(self) -> Mapping[str, int]:
        """Return none: its classes are the pieces of the encoder."""
        return {}

    def features(self, states: States, items: Items) -> Tensor:
        """Return the state of the masked piece."""
        return self.read(states)(items.spans[:, 0])


class Tied(nn.Module):
    """A layer whose output is compared with every piece's embedding."""

    def __init__(self, width: int, vocabulary: nn.Embedding) -> None:
        super().__init__()
        inner = vocabulary.embedding_dim  # of some pretrained encoders less than the width
        self.hidden, self.norm = nn.Linear(width, inner), nn.LayerNorm(inner)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary.weight)))  # without rows that no text spells
        self._vocabulary = [vocabulary]  # a list: the weight is the encoder's, not a second parameter

    def forward(self, x: Tensor) -> Tensor:
        """Return [I, V]."""
        return F.linear(self.norm(F.relu(self.hidden(x))), self._vocabulary[0].weight, self.bias)


class MaskedWordKind(Kind):
    """Draws hide words, and each of their sub-words is predicted."""

    head = WordHead
    listed = True
    probes = (Unigram(),)

    def inputs(self, task: Task) -> Inputs:
        """Return what the encoder reads, and the draws that hide words of it."""
        return replace(super().inputs(task), draw=task.target, exclude=task.exclude, rate=task.rate or 0.0)

    def place(self, places: LabelPlaces) -> Placed:
        """Raise: draws decide in each batch which words are targets."""
        raise TypeError(f"task {places.task.name} has no labels before words are drawn")

    def losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return -ln p of each sub-word, in nats."""
        return F.cross_entropy(scores, label, reduction="none")

    def predict(self, scores: Tensor) -> Tensor:
        """Return the most likely sub-word."""
        return scores.argmax(1)

    def prior(self, _metric: Metric, /) -> Probe:
        """Return the frequency of the word."""
        return Unigram()

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the words that the draws hide."""
        task, tokens = rows.task, rows.parts[0]
        maskable = np.ones(len(tokens.values), bool)
        if task.exclude:
            maskable = aligned(split, task.exclude, tokens, 1) == 0
        draws = aligned(split, task.target, tokens, 255)
        items = np.flatnonzero(maskable & (draws < 256 * (task.rate or 0.0)))
        return rows.replaced(
            labels=tokens.values[items].astype(np.int64),
            owners=tokens.owners[items],
            positions=ranges(0 * tokens.lengths, tokens.lengths)[items],
            maskable=maskable,
        )

    def uninformed(self, data: EncodedDataset, task: Task, split: str) -> float:
        """Return the nats per masked word under a unigram model over sub-words (add-one)."""
        inputs, size = data.splits[split].inputs[task.name], len(data.tokenizer)
        train = data.splits["train"].read(task.name)
        count = np.ones(size, np.int64)
        for start in range(0, len(train.pieces), _CHUNK):
            part = slice(start, start + _CHUNK)
            count += np.bincount(train.pieces[part][train.word[part] >= 0], minlength=size)
        prior = np.log(count / count.sum())
        held = data.splits[split].read(task.name)
        hidden = np.flatnonzero((np.asarray(held.word) >= 0) & (np.asarray(held.draw) < 256 * inputs.rate))
        if not len(hidden):
            return 0.0
        owner = np.searchsorted(held.offsets, hidden, side="right") - 1
        words = len(np.unique(owner << 16 | held.word[hidden]))
        return float(-prior[held.pieces[hidden]].sum() / words)


KIND = MaskedWordKind()
