"""An embedding with more rows than a pretrained one has."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

__all__ = ["GrownEmbedding"]


class GrownEmbedding(nn.Embedding):
    """The embedding of a pretrained encoder, and behind it rows for sub-words that it does not know.

    They are weights of their own, so that they are learnt where the others are kept as they are.
    """

    def __init__(self, known: nn.Embedding, more: int) -> None:
        super().__init__(known.num_embeddings, known.embedding_dim, known.padding_idx, device="meta")
        self.weight = known.weight
        self.num_embeddings = known.num_embeddings + more
        self.more = nn.Parameter(torch.empty(more, known.embedding_dim))
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """Begin the rows behind as the mean of all others."""
        self.more.copy_(self.weight.mean(0, keepdim=True).expand_as(self.more))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the rows of some numbers."""
        known = len(self.weight)
        found = F.embedding(numbers.clamp(max=known - 1), self.weight)
        added = F.embedding((numbers - known).clamp(min=0), self.more)
        return torch.where((numbers >= known)[..., None], added, found)
