"""One head class per kind of task: from the encoder's states to class scores."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from labelers.task import Task
from trainer.batch import Items

__all__ = ["HEADS", "Head", "untrained"]


class Mix(nn.Module):
    """A learnt weighted mean of all layers (Peters et al. 2018), so that a head may read low ones."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Return [N, width] for layers of that shape."""
        weights = self.weights.softmax(0)
        mixed = states[0] * weights[0]
        for state, weight in zip(states[1:], weights[1:], strict=True):
            mixed = mixed + state * weight
        return mixed


def pooled(states: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the maximum of the states [N, width] of each span, [I, width]; 0 for an empty one."""
    length = end - start
    places = torch.arange(int(length.max()) if len(length) else 0, device=states.device)
    inside = (places < length[:, None])[..., None]  # [I, longest, 1]
    gathered = states[(start[:, None] + places).clamp(max=len(states) - 1)]
    mean = (gathered * inside).sum(1) / length.clamp(min=1)[:, None]
    top = gathered.masked_fill(~inside, -1e4).amax(1) if len(places) else mean
    return mean, top


class Head(nn.Module):
    """Scores the classes of one task."""

    def __init__(self, task: Task, width: int, layers: int, dropout: float, vocabulary: nn.Embedding) -> None:
        super().__init__()
        self.task = task
        self.mix = Mix(layers)
        self.score = self._scorer(width, len(task.classes), dropout, vocabulary)

    parts = 1
    """How many vectors of the encoder's width the features of a label are."""

    def _scorer(self, width: int, classes: int, dropout: float, vocabulary: nn.Embedding) -> nn.Module:
        del vocabulary
        hidden = nn.Linear(self.parts * width, width)
        return nn.Sequential(nn.LayerNorm(self.parts * width), hidden, nn.GELU(), nn.Dropout(dropout), nn.Linear(width, classes))

    def features(self, states: Tensor, items: Items) -> Tensor:
        """Return [I, parts * width] from the mixed states [N, width]."""
        raise NotImplementedError

    def forward(self, states: Sequence[Tensor], items: Items) -> Tensor:
        """Return the class scores of each label, float [I, classes], from all layers' states [N, width]."""
        scores: Tensor = self.score(self.features(self.mix(states), items))
        return scores.float()


class TokenHead(Head):
    """Tags tokens, each at its first piece."""

    def features(self, states: Tensor, items: Items) -> Tensor:
        """Return the state of the first piece."""
        return states[items.spans[:, 0]]


class PartHead(Head):
    """Classifies a passage, a segment or a turn."""

    parts = 3

    def features(self, states: Tensor, items: Items) -> Tensor:
        """Return the part's first state (a turn's role piece), and the mean and the maximum of all."""
        return torch.cat([states[items.spans[:, 0]], *pooled(states, items.spans[:, 0], items.spans[:, 1])], -1)


class PairHead(Head):
    """Classifies two parts of one sequence: two spans, or the two sides of a pair that are read together."""

    parts = 7

    def features(self, states: Tensor, items: Items) -> Tensor:
        """Return [CLS], the means and maxima of both parts, and what parts them: difference and product of the means."""
        start, end, other, last = items.spans.unbind(1)
        mean, top = pooled(states, start, end)
        mean_2, top_2 = pooled(states, other, last)
        return torch.cat([states[items.anchor], mean, top, mean_2, top_2, mean - mean_2, mean * mean_2], -1)


class WordHead(Head):
    """Predicts the pieces of masked words; its output embedding is the encoder's input embedding."""

    def _scorer(self, width: int, classes: int, dropout: float, vocabulary: nn.Embedding) -> nn.Module:
        del classes, dropout
        return Tied(width, vocabulary)

    def features(self, states: Tensor, items: Items) -> Tensor:
        """Return the state of the masked piece."""
        return states[items.spans[:, 0]]


class Tied(nn.Module):
    """A layer whose output is compared with every piece's embedding."""

    def __init__(self, width: int, vocabulary: nn.Embedding) -> None:
        super().__init__()
        self.hidden, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary.num_embeddings))
        self._vocabulary = [vocabulary]  # a list: the weight is the encoder's, not a second parameter

    def forward(self, x: Tensor) -> Tensor:
        """Return [I, V]."""
        return F.linear(self.norm(F.gelu(self.hidden(x))), self._vocabulary[0].weight, self.bias)


HEADS: Mapping[str, type[Head]] = {
    "token": TokenHead,
    "passage": PartHead,
    "segment": PartHead,
    "turn": PartHead,
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
        return "several labels at once are not trained yet"
    if task.kind != "masked_lm" and len(task.classes) < 2:  # noqa: PLR2004
        return "it has fewer than two classes"
    return ""
