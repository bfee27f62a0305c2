"""The head of dependency trees: deep biaffine attention over the tokens of a sentence (Dozat, Manning 2017)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from trainer.data.batch import Items
from trainer.encoders.encoder import Encoder, States
from trainer.model.heads import TokenHead
from trainer.score.trees import spanning_tree
from trainer.settings import Settings

__all__ = ["BiaffineHead"]

_WIDER = 2
"""How much wider than its state a token is as one end of an arc."""

_RELATION = 64
"""Numbers of a token as one end of a relation."""

_NARROWEST = 8
"""Tokens that the shortest sentences are padded to; the longer ones to the next power of two."""


@dataclass(frozen=True)
class _Sentences:
    """How I tokens, one behind the other, make up G sentences."""

    first: Tensor
    """int64 [G]: the first token of each."""
    lengths: Tensor
    """int64 [G]."""
    place: Tensor
    """int64 [I]: of each token in its sentence."""

    @classmethod
    def of(cls, items: Items) -> "_Sentences":
        """Find the sentences: where another one begins, or, of a row that a step reads twice, the same one again."""
        sentence, unit = items.spans[:, 2], torch.from_numpy(items.unit).to(items.spans.device)
        opens = torch.diff(sentence, prepend=sentence.new_full((1,), -1)) != 0
        opens |= torch.diff(unit, prepend=unit.new_full((1,), -1)) <= 0
        first = opens.nonzero().flatten()
        lengths = torch.diff(first, append=first.new_tensor([len(opens)]))
        place = torch.arange(len(opens), device=first.device) - first.repeat_interleave(lengths)
        return cls(first, lengths, place)

    def padded(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sentences of like length: the tokens of each, int64 [g, width], and which of them are none."""
        widths = 2 ** torch.ceil(torch.log2(self.lengths.clamp(min=_NARROWEST).double())).long()
        for width in sorted(set(widths.tolist())):
            same = widths == width
            steps = torch.arange(width, device=widths.device)
            yield (
                (self.first[same, None] + steps).clamp(max=len(self.place) - 1),
                steps >= self.lengths[same, None],
            )


class BiaffineHead(TokenHead):
    """Scores every token of a sentence as the head of every other one, and the relations of each token to one head.

    A token has one vector as a dependent and one as a head, for arcs and for relations: d and h. The arc of i to j has
    the score d_i W h_j + u h_j (equation 7 of the paper), and i as the root v d_i: a score of its own in place of that
    of i as its own head. The relation r of i to j has (d_i, 1) U_r (h_j, 1) (equation 3); a root's h is learnt.

    In training the relation is scored for the head that people gave, else for the one in the best tree.
    """

    def _build(self, encoder: Encoder, settings: Settings, /) -> None:
        """Make the four vectors of a token and what compares them."""
        read, arc = encoder.width + self.numbers(encoder), _WIDER * encoder.width
        self.sizes = [arc, arc, _RELATION, _RELATION]
        self.ends = nn.Sequential(
            nn.LayerNorm(read),
            nn.Linear(read, sum(self.sizes)),
            nn.LeakyReLU(0.1),
            nn.Dropout(settings.model.head_dropout),
        )
        self.arc, self.likely, self.root = nn.Linear(arc, arc, bias=False), nn.Linear(arc, 1), nn.Linear(arc, 1)
        self.above = nn.Parameter(torch.zeros(_RELATION))
        self.relation = nn.Linear(_RELATION + 1, self.outputs * (_RELATION + 1), bias=False)
        nn.init.normal_(self.arc.weight, std=1 / arc)
        nn.init.normal_(self.relation.weight, std=1 / (_RELATION + 1))

    def by_class(self) -> Mapping[str, int]:
        """Return none: classes are relations, which it scores for pairs."""
        return {}

    @property
    def outputs(self) -> int:
        """Return how many relations there are; arcs without names are of one that is certain."""
        return len(self.task.classes) if self.task.relations else 1

    def forward(self, states: States, items: Items) -> Tensor:
        """Return the scores of heads, those of relations, and 0 for the head that these are of; float32 [I, 3, W].

        Heads are places in the sentence. What is no head or relation has -inf, and W is what the longest needs.
        """
        if not len(items.label):
            return states.layers[0].new_zeros(0, 3, self.outputs)
        dependent, head, lower, upper = self.ends(self.features(states, items)).split(self.sizes, -1)
        sentences = _Sentences.of(items)
        arcs = self._arcs(dependent, head, sentences)
        place = items.label[:, 0] if self.training else _trees(arcs, sentences)
        chosen = torch.arange(len(place), device=place.device) - sentences.place + place
        above = torch.where((place == sentences.place)[:, None], self.above, upper[chosen])
        relations = self._relations(lower, above)
        width = max(arcs.shape[1], relations.shape[1])
        others = torch.arange(arcs.shape[1], device=place.device) != place[:, None]
        certain = torch.zeros_like(arcs).masked_fill(others, -torch.inf)
        return torch.stack([_wide(part, width) for part in (arcs, relations, certain)], 1)

    def _arcs(self, dependent: Tensor, head: Tensor, sentences: _Sentences) -> Tensor:
        """Return the score of each place in the sentence as the head of each token, float32 [I, longest sentence]."""
        turned, likely, root = self.arc(dependent), self.likely(head), self.root(dependent)
        longest, parts, tokens = int(sentences.lengths.max()), [], []
        for places, none in sentences.padded():
            table = turned[places] @ head[places].transpose(1, 2) + likely[places].transpose(1, 2)
            itself = torch.eye(table.shape[1], dtype=torch.bool, device=table.device)
            table = torch.where(itself, root[places], table).float().masked_fill(none[:, None], -torch.inf)
            parts.append(_wide(table[~none], longest))
            tokens.append(places[~none])
        return torch.cat(parts)[torch.cat(tokens).argsort()]

    def _relations(self, lower: Tensor, above: Tensor) -> Tensor:
        """Return the score of each relation between both ends, float32 [I, R]."""
        if not self.task.relations:
            return lower.new_zeros(len(lower), 1).float()
        forms = self.relation(F.pad(lower, (0, 1), value=1.0)).unflatten(-1, (self.outputs, -1))
        found: Tensor = (forms * F.pad(above, (0, 1), value=1.0)[:, None]).sum(-1)
        return found.float()


def _wide(scores: Tensor, width: int) -> Tensor:
    """Return scores [I, ...] with so many places: filled with -inf, or without those that no sentence reaches."""
    return F.pad(scores, (0, width - scores.shape[1]), value=-torch.inf)


def _trees(arcs: Tensor, sentences: _Sentences) -> Tensor:
    """Return the head of each token in the best tree of its sentence, as a place in it, int64 [I]."""
    table = arcs.detach().double().cpu().numpy()
    bounds = zip(sentences.first.tolist(), sentences.lengths.tolist(), strict=True)
    heads = [torch.from_numpy(spanning_tree(table[first : first + size, :size])) for first, size in bounds]
    return torch.cat(heads).to(arcs.device)
