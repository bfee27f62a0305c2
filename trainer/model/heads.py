"""One head class per kind of task: from the encoder's states to class scores."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from labelers.task import Task
from trainer.data.batch import Items
from trainer.data.tokenizer import CLS
from trainer.model.features import CUES
from trainer.model.scratch import States

__all__ = ["HEADS", "Head", "TurnHead", "pooled", "untrained"]

_WIDE = 3.0
"""Scale of the linear model: AdamW moves a weight by about the learning rate per step, too little for a rare word."""

_LOWEST = -1e4  # below any state, and a number of every float type


class Mix(nn.Module):
    """A learnt weighted mean of all layers (Peters et al. 2018), so that a head may read low ones."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, states: Sequence[Tensor], places: Tensor) -> Tensor:
        """Return [..., width] for places [...] in layers [N, width]."""
        weights = self.weights.softmax(0)
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
    """Scores the classes of one task."""

    vectors: ClassVar[int] = 1
    """How many vectors of the encoder's width the features of a label are."""
    others: ClassVar[int] = 0
    """How many numbers they hold beside."""

    def __init__(self, task: Task, width: int, layers: int, dropout: float, vocabulary: nn.Embedding) -> None:
        """Build the head of a task over so many layers of states; ``vocabulary`` is the encoder's embedding."""
        super().__init__()
        self.task = task
        self.mix = Mix(layers)
        self._build(width, dropout, vocabulary)

    def _build(self, width: int, dropout: float, vocabulary: nn.Embedding) -> None:
        """Make what scores the features."""
        del vocabulary
        read = self.vectors * width + self.others
        self.score: nn.Module = nn.Sequential(
            nn.LayerNorm(read),
            nn.Linear(read, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, len(self.task.classes)),
        )

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
    """Tags tokens, each at its first piece, from its state and its cues."""

    others = CUES

    def features(self, states: States, items: Items) -> Tensor:
        """Return the state and the cues of the first piece."""
        first = items.spans[:, 0]
        return torch.cat([self.read(states)(first), states.cues[first]], -1)


class WideHead(Head):
    """Classifies parts of a sequence from its states and, beside them, from the bag of its pieces.

    Wide and deep (Cheng et al. 2016): a linear model over pieces learns in a few hundred rows what takes the encoder
    many thousand. It reads the same pieces as the encoder, so it sees no hidden word either.
    """

    parts: ClassVar[int] = 1

    def _build(self, width: int, dropout: float, vocabulary: nn.Embedding) -> None:
        """Make both models; the linear one begins with nothing."""
        super()._build(width, dropout, vocabulary)
        self.wide = nn.ModuleList(
            nn.Embedding(vocabulary.num_embeddings, len(self.task.classes)) for _ in range(self.parts)
        )
        for table in self.wide:
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]

    def forward(self, states: States, items: Items) -> Tensor:
        """Return the sum of both models' scores."""
        scores = super().forward(states, items)
        for part, table in enumerate(self.wide):
            start, end = items.spans[:, 2 * part], items.spans[:, 2 * part + 1]
            inside, places = _places(start, end, len(states.pieces))
            bag = (table(states.pieces[places]) * inside[..., None]).sum(1)
            scores = scores + _WIDE * bag / (end - start).clamp(min=1)[:, None].sqrt()
        return scores


class PartHead(WideHead):
    """Classifies a passage or a segment."""

    vectors = 3

    def features(self, states: States, items: Items) -> Tensor:
        """Return the part's first state (of a turn, what opens it), and the mean and the maximum of all."""
        read, (start, end, _, _) = self.read(states), items.spans.unbind(1)
        return torch.cat([read(start), *pooled(read, start, end, len(states.pieces))], -1)


class TurnHead(PartHead):
    """Classifies a turn; it reads what opens the turns around it, too, for who speaks follows from who spoke."""

    around: ClassVar[tuple[int, ...]] = (-2, -1, 1, 2)
    """Distances of those turns."""
    vectors = PartHead.vectors + len(around)

    def features(self, states: States, items: Items) -> Tensor:
        """Return the features of the part, and the first state of each turn around it, 0 where the row has none."""
        start = items.spans[:, 0].contiguous()
        openers, rows = torch.nonzero(states.openers).flatten(), torch.nonzero(states.pieces == CLS).flatten()
        turns = torch.searchsorted(openers, start)[:, None] + torch.tensor(self.around, device=start.device)
        places = F.pad(openers, (0, 1))[turns.clamp(0, len(openers))]
        there = (turns >= 0) & (turns < len(openers))
        there &= torch.searchsorted(rows, places, right=True) == torch.searchsorted(rows, start, right=True)[:, None]
        around = self.read(states)(places) * there[..., None]
        return torch.cat([super().features(states, items), around.flatten(1)], -1)


class PairHead(WideHead):
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


class WordHead(Head):
    """Predicts the pieces of masked words; its output embedding is the encoder's input embedding."""

    def _build(self, width: int, dropout: float, vocabulary: nn.Embedding) -> None:
        """Make the output layer."""
        del dropout
        self.score = Tied(width, vocabulary)

    def features(self, states: States, items: Items) -> Tensor:
        """Return the state of the masked piece."""
        return self.read(states)(items.spans[:, 0])


class Tied(nn.Module):
    """A layer whose output is compared with every piece's embedding."""

    def __init__(self, width: int, vocabulary: nn.Embedding) -> None:
        super().__init__()
        self.hidden, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary.num_embeddings))
        self._vocabulary = [vocabulary]  # a list: the weight is the encoder's, not a second parameter

    def forward(self, x: Tensor) -> Tensor:
        """Return [I, V]."""
        return F.linear(self.norm(F.relu(self.hidden(x))), self._vocabulary[0].weight, self.bias)


HEADS: Mapping[str, type[Head]] = {
    "token": TokenHead,
    "passage": PartHead,
    "segment": PartHead,
    "turn": TurnHead,
    "span_pair": PairHead,
    "pair": PairHead,
    "masked_lm": WordHead,
}
"""The head of each kind; a kind that is not here is not trained yet."""


def untrained(task: Task) -> str:
    """Return why a task cannot be trained yet, or nothing.

    Example:
        >>> untrained(Task(name="a.b", labeler="a", version=1, kind="arc", sequences=("source",), target="a.b"))
        'there is no head for the kind arc yet'
    """
    if task.kind not in HEADS:
        return f"there is no head for the kind {task.kind} yet"
    if task.multi:
        return "several labels per item are not supported yet"
    if task.kind != "masked_lm" and len(task.classes) < 2:  # noqa: PLR2004
        return "it has fewer than two classes"
    return ""
