"""What heads are made of: from the states of an encoder to the scores of labels."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from labelers.task import Task
from trainer.data.batch import Items
from trainer.data.targets import Targets
from trainer.encoders.classifier import Classifier
from trainer.encoders.encoder import Encoder, States
from trainer.settings import Settings

__all__ = [
    "BagHead",
    "Head",
    "PairHead",
    "PartHead",
    "PlainHead",
    "Read",
    "TokenHead",
    "passage_head",
    "pooled",
    "token_head",
]

_BAG_SCALE = 3.0
"""Scale of the linear model: AdamW moves a weight by about the learning rate per step, too little for a rare word."""

_DENSE = 2
"""Where a head reads more than one place in so many, all states are mixed before they are gathered."""

_LOWEST = -1e4  # below any state, and a number of every float type


class Mix(nn.Module):
    """A learnt weighted mean of all layers (Peters et al. 2018), so that a head may read low ones."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, states: Sequence[Tensor], places: Tensor) -> Tensor:
        """Return [..., width] for places [...] in layers [N, width]."""
        weights = self.weights.softmax(0)
        if _DENSE * places.numel() >= len(states[0]):  # three gathers and their gradients cost more than all the sums
            return functools.reduce(torch.add, map(torch.mul, states, weights))[places]
        mixed = states[0][places] * weights[0]
        for layer, weight in zip(states[1:], weights[1:], strict=True):
            mixed = mixed + layer[places] * weight
        return mixed


Read = Callable[[Tensor], Tensor]
"""Gives the mixed states [..., width] at places [...]."""


def _places(start: Tensor, end: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return for I spans of at most K positions out of ``count`` which are inside and where, bool and int64 [I, K]."""
    length = end - start
    steps = torch.arange(int(length.max()) if len(length) else 0, device=start.device)
    return steps < length[:, None], (start[:, None] + steps).clamp(max=count - 1)


def pooled(read: Read, start: Tensor, end: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return mean and maximum of the states of each span of ``count`` places, [I, width]; the mean of none is 0."""
    inside, places = _places(start, end, count)
    gathered = read(places)  # [I, K, width]
    mean = (gathered * inside[..., None]).sum(1) / (end - start).clamp(min=1)[:, None]
    if not places.shape[1]:
        return mean, mean
    return mean, gathered.masked_fill(~inside[..., None], _LOWEST).amax(1)


class Head(nn.Module):
    """Scores the labels of one task."""

    vectors: ClassVar[int] = 1
    """How many states the features of a label are."""
    mixes: ClassVar[bool] = True
    """It reads all layers."""

    def __init__(self, task: Task, encoder: Encoder, settings: Settings) -> None:
        """Build the head of a task over the layers of an encoder."""
        super().__init__()
        self.task = task
        if self.mixes:
            self.mix = Mix(encoder.depth + 1)
        self._build(encoder, settings)

    @property
    def outputs(self) -> int:
        """How many scores a label has."""
        return len(self.task.classes)

    def numbers(self, _encoder: Encoder, /) -> int:
        """Return how many numbers the features of a label hold beside states."""
        return 0

    def _build(self, encoder: Encoder, settings: Settings, /) -> None:
        """Make what scores the features."""
        read = self.vectors * encoder.width + self.numbers(encoder)
        self.score: nn.Module = nn.Sequential(
            nn.LayerNorm(read),
            nn.Linear(read, encoder.width),
            nn.ReLU(),
            nn.Dropout(settings.model.head_dropout),
            nn.Linear(encoder.width, self.outputs),
        )

    def by_class(self) -> Mapping[str, int]:
        """Return which of its weights have a slice for each class, and along which dimension; {}: it has no classes."""
        last = len(list(self.score.children())) - 1
        return {f"score.{last}.weight": 0, f"score.{last}.bias": 0}

    def begin(self, _targets: Targets, /) -> None:
        """Take over what the labels of the train split tell before the first step; checkpoints keep it."""

    def features(self, states: States, items: Items) -> Tensor:
        """Return [I, vectors * width + others]."""
        raise NotImplementedError

    def read(self, states: States) -> Read:
        """Return what gives the states that the head reads at some places."""
        return functools.partial(self.mix, states.layers)

    def forward(self, states: States, items: Items) -> Tensor:
        """Return the class scores of each label, float32 [I, classes]."""
        scores: Tensor = self.score(self.features(states, items))
        return scores.float()


class TokenHead(Head):
    """Tags tokens, each at its first sub-word, from its state and its features."""

    def numbers(self, encoder: Encoder, /) -> int:
        """Return how many features a sub-word has."""
        return encoder.features

    def features(self, states: States, items: Items) -> Tensor:
        """Return the state and the features of the first sub-word."""
        first = items.spans[:, 0]
        state = self.read(states)(first)
        return state if states.features is None else torch.cat([state, states.features[first]], -1)


class PlainHead(Head):
    """Classifies tokens or passages from one state of the last layer, as models of the encoder's family do."""

    mixes = False

    def _build(self, encoder: Encoder, settings: Settings, /) -> None:
        """Make what the family has."""
        form = encoder.form(self.task.kind)
        self.score = Classifier(encoder.width, self.outputs, settings.model.head_dropout, form)

    def by_class(self) -> Mapping[str, int]:
        """Return those of its last layer."""
        return {"score.out.weight": 0, "score.out.bias": 0}

    def features(self, states: States, items: Items) -> Tensor:
        """Return the state of the first sub-word: of the token, or of the sequence, which is [CLS]."""
        return states.layers[-1][items.spans[:, 0] if self.task.kind == "token" else items.anchor]


class BagHead(Head):
    """Classifies parts of a sequence from its states and, beside them, from the bag of its pieces.

    Wide and deep (Cheng et al. 2016): a linear model over pieces learns in a few hundred rows what takes the encoder
    many thousand. It reads the same pieces as the encoder, so it sees no hidden word either.
    """

    parts: ClassVar[int] = 1

    def _build(self, encoder: Encoder, settings: Settings, /) -> None:
        """Make both models; the linear one begins with nothing."""
        super()._build(encoder, settings)
        self.bags = nn.ModuleList(
            nn.Embedding(encoder.embedding.num_embeddings, self.outputs)
            for _ in range(self.parts if settings.model.bag else 0)
        )
        for table in self.bags:
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]

    def by_class(self) -> Mapping[str, int]:
        """Return those of both models."""
        return {**super().by_class(), **{f"bags.{part}.weight": 1 for part in range(len(self.bags))}}

    def forward(self, states: States, items: Items) -> Tensor:
        """Return the sum of both models' scores."""
        scores = super().forward(states, items)
        for part, table in enumerate(self.bags):
            start, end = items.spans[:, 2 * part], items.spans[:, 2 * part + 1]
            inside, places = _places(start, end, len(states.pieces))
            bag = (table(states.pieces[places]) * inside[..., None]).sum(1)
            scores = scores + _BAG_SCALE * bag / (end - start).clamp(min=1)[:, None].sqrt()
        return scores


class PartHead(BagHead):
    """Classifies a passage or a segment."""

    vectors = 3

    def features(self, states: States, items: Items) -> Tensor:
        """Return the part's first state (of a turn, what opens it), and the mean and the maximum of all."""
        read, (start, end, _, _) = self.read(states), items.spans.unbind(1)
        return torch.cat([read(start), *pooled(read, start, end, len(states.pieces))], -1)


class PairHead(BagHead):
    """Classifies two parts of one sequence: two spans, or the two sides of a pair that are read together."""

    parts = 2
    vectors = 8

    def features(self, states: States, items: Items) -> Tensor:
        """Return [CLS], where the second part begins, means and maxima of both, and what parts the means."""
        read, (start, end, other, last) = self.read(states), items.spans.unbind(1)
        mean, top = pooled(read, start, end, len(states.pieces))
        mean_2, top_2 = pooled(read, other, last, len(states.pieces))
        both = [read(items.anchor), read(other), mean, top, mean_2, top_2]
        return torch.cat([*both, mean - mean_2, mean * mean_2], -1)


def token_head(task: Task, encoder: Encoder, settings: Settings) -> Head:
    """Return the head of a token task that the settings ask for."""
    return (PlainHead if settings.model.heads == "plain" else TokenHead)(task, encoder, settings)


def passage_head(task: Task, encoder: Encoder, settings: Settings) -> Head:
    """Return the head of a passage task that the settings ask for."""
    return (PlainHead if settings.model.heads == "plain" else PartHead)(task, encoder, settings)
