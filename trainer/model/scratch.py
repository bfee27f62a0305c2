"""The shared encoder: a pre-norm transformer with rotary positions, trained from scratch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from labelers.ragged import IntArray
from trainer.data.batch import Bucket
from trainer.data.tokenizer import ROLE_MASK
from trainer.model.bigrams import Bigrams
from trainer.model.features import CUES, Cues

__all__ = ["SIZES", "Encoder", "Size", "States"]

_ROTARY_BASE = 10_000.0  # Su et al. 2021, RoFormer


@dataclass(frozen=True)
class Size:
    """Shape of an encoder."""

    layers: int
    width: int
    heads: int


SIZES = {"tiny": Size(2, 128, 4), "small": Size(4, 256, 8), "base": Size(12, 768, 12)}


@dataclass(frozen=True)
class States:
    """What the heads read of N pieces, those of all buckets one behind the other."""

    layers: Sequence[Tensor]
    """Before the first layer and behind each one, [N, width] each."""
    cues: Tensor
    """float32 [N, CUES]: see `Cues`."""
    pieces: Tensor
    """int64 [N]."""
    openers: Tensor
    """bool [N]: the piece opens a turn, whether it tells the role or hides it."""

    @classmethod
    def joined(cls, parts: Sequence["States"]) -> "States":
        """Return the states of all parts."""
        layers = [torch.cat(layer) for layer in zip(*(part.layers for part in parts), strict=True)]
        cues, pieces, openers = zip(*((part.cues, part.pieces, part.openers) for part in parts), strict=True)
        return cls(layers, torch.cat(cues), torch.cat(pieces), torch.cat(openers))


class Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = size.heads, dropout
        self.inner = nn.Linear(size.width, 3 * size.width, bias=False)
        self.outer = nn.Linear(size.width, size.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, L, width]; ``mask`` [B, 1, 1, L] is true where a piece may be seen."""
        batch, length, width = x.shape
        both, value = self.inner(x).split((2 * width, width), -1)
        query, key = _rotated(both.view(batch, length, 2, self.heads, -1), turns).permute(2, 0, 3, 1, 4).to(x.dtype)
        value = value.view(batch, length, self.heads, -1).transpose(1, 2).to(x.dtype)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        result: Tensor = self.outer(mixed.transpose(1, 2).reshape(batch, length, width))
        return result


def _rotated(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each pair of features by the angle of its position: x [B, L, ..., d], turns complex [L, d / 2]."""
    pairs = torch.view_as_complex(x.float().view(*x.shape[:-1], -1, 2))
    turned: Tensor = torch.view_as_real(pairs * turns[:, None, None]).flatten(-2)
    return turned


class Layer(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a skip connection."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.attention, self.norm = Attention(size, 0.0), nn.LayerNorm(size.width)
        self.forward_norm = nn.LayerNorm(size.width)
        self.wide, self.narrow = nn.Linear(size.width, 4 * size.width), nn.Linear(4 * size.width, size.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Tensor, mask: Tensor | None) -> Tensor:
        """Return [B, L, width]."""
        x = x + self.dropout(self.attention(self.norm(x), turns, mask))
        result: Tensor = x + self.dropout(self.narrow(F.relu(self.wide(self.forward_norm(x)))))
        return result


class Encoder(nn.Module):
    """Pieces to states.

    Beside the piece and the side it stands in, the input holds what can be said of the piece by looking around it
    (`Cues`); a depthwise convolution then shows each position those beside it.
    """

    turns: Tensor
    """complex64 [max_pieces, features of a head / 2]: the turn of each position (Su et al. 2021)."""

    def __init__(self, size: Size, folded: IntArray, bigrams: Bigrams, max_pieces: int, dropout: float) -> None:
        super().__init__()
        self.pieces = nn.Embedding(len(folded), size.width)
        self.special = int(np.count_nonzero(folded < 0))
        self.sides = nn.Embedding(2, size.width)
        self.cues = Cues(folded, bigrams)
        self.cued = nn.Sequential(nn.Linear(CUES, size.width), nn.ReLU(), nn.Linear(size.width, size.width, bias=False))
        self.near = nn.Conv1d(size.width, size.width, 5, padding=2, groups=size.width)
        self.norm = nn.LayerNorm(size.width)
        self.layers = nn.ModuleList(Layer(size, dropout) for _ in range(size.layers))
        self.last = nn.LayerNorm(size.width)
        self.dropout = nn.Dropout(dropout)
        half = size.width // size.heads // 2
        angles = torch.arange(max_pieces)[:, None] * _ROTARY_BASE ** (-torch.arange(half) / half)
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)
        self._start(size)
        self._known(folded, bigrams)

    def _start(self, size: Size) -> None:
        """Draw the first weights, those before a skip connection smaller with depth (Radford et al. 2019)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.pieces.weight, std=1 / math.sqrt(size.width))
        nn.init.normal_(self.sides.weight, std=1 / math.sqrt(size.width))
        for name, parameter in self.layers.named_parameters():
            if name.endswith(("outer.weight", "narrow.weight")):
                nn.init.normal_(parameter, std=1 / math.sqrt(2 * size.layers * parameter.shape[1]))

    @torch.no_grad()
    def _known(self, folded: IntArray, bigrams: Bigrams) -> None:
        """Begin the embeddings of pieces with the company they keep in the text of one fold's readers."""
        company = torch.from_numpy(np.concatenate([bigrams.left[0], bigrams.right[0]], axis=1))[folded]
        weight = self.pieces.weight[:, : company.shape[1]]
        plain = torch.from_numpy(folded) >= 0
        known = company[plain, : weight.shape[1]]
        weight[plain] = known * weight.std() / known.square().mean().sqrt().clamp(min=1e-6)

    def forward(self, bucket: Bucket) -> States:
        """Return the states of a bucket's pieces, its rows one behind the other, padding included."""
        length = bucket.pieces.shape[1]
        mask = None
        if bool((bucket.lengths != length).any()):
            mask = (torch.arange(length, device=bucket.pieces.device) < bucket.lengths[:, None])[:, None, None]
        cues = self.cues(bucket.pieces, bucket.folds)
        x = self.pieces(bucket.pieces) + self.sides(bucket.sides) + self.cued(cues)
        if mask is not None:
            x = x * mask[:, 0, 0, :, None]
        x = x + F.relu(self.near(x.transpose(1, 2))).transpose(1, 2)
        x = self.dropout(self.norm(x))
        layers = [x]
        for layer in self.layers:
            x = layer(x, self.turns[:length], mask)
            layers.append(x)
        layers[-1] = self.last(x)
        pieces = bucket.pieces.flatten()
        openers = (pieces >= ROLE_MASK) & (pieces < self.special)
        return States([state.flatten(0, 1) for state in layers], cues.flatten(0, 1), pieces, openers)
