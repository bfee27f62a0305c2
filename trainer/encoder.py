"""The shared encoder: a pre-norm transformer with rotary positions, trained from scratch."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from trainer.batch import Bucket

__all__ = ["SIZES", "Encoder", "Size"]

_REACH = 16  # pieces before and behind in which an equal one is looked for; an n-gram of six words has about eight
_ROTARY_BASE = 10_000.0  # Su et al. 2021, RoFormer


@dataclass(frozen=True)
class Size:
    """Shape of an encoder."""

    layers: int
    width: int
    heads: int


SIZES = {"tiny": Size(2, 128, 4), "small": Size(4, 256, 8), "base": Size(12, 768, 12)}


class Repeats(nn.Module):
    """Tells each piece at which distances an equal one stands, whatever its case.

    From pieces alone, of what the encoder reads: a masked word equals nothing. An attention head that matches content
    can learn this too (an induction head), but needs far more text to do so than a small run has.
    """

    folded: Tensor

    def __init__(self, folded: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("folded", folded, persistent=False)
        self.project = nn.Linear(2 * _REACH, width, bias=False)

    def forward(self, pieces: Tensor) -> Tensor:
        """Return what is added to the embeddings, [B, L, width], for pieces [B, L]."""
        known = self.folded[pieces]  # [B, L], -1: special
        padded = F.pad(known, (_REACH, _REACH), value=-2)
        near = padded.unfold(1, 2 * _REACH + 1, 1)  # [B, L, 2 reach + 1]
        equal = (near == known[..., None]) & (known[..., None] >= 0)
        others = torch.cat([equal[..., :_REACH], equal[..., _REACH + 1 :]], -1)
        added: Tensor = self.project(others.to(self.project.weight.dtype))
        return added


class Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = size.heads, dropout
        self.inner = nn.Linear(size.width, 3 * size.width, bias=False)
        self.outer = nn.Linear(size.width, size.width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        """Return [B, L, width]; ``mask`` [B, 1, 1, L] is true where a piece may be seen."""
        batch, length, width = x.shape
        query, key, value = self.inner(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = _rotated(query, angles), _rotated(key, angles)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        result: Tensor = self.outer(mixed.transpose(1, 2).reshape(batch, length, width))
        return result


def _rotated(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair of features by the angle of its position: x [B, heads, L, d], angles [L, d / 2]."""
    left, right = x.chunk(2, -1)
    cos, sin = angles
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1).to(x.dtype)


class Layer(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a skip connection."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.attention, self.norm = Attention(size, 0.0), nn.LayerNorm(size.width)
        self.forward_norm = nn.LayerNorm(size.width)
        self.wide, self.narrow = nn.Linear(size.width, 4 * size.width), nn.Linear(4 * size.width, size.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        """Return [B, L, width]."""
        x = x + self.dropout(self.attention(self.norm(x), angles, mask))
        result: Tensor = x + self.dropout(self.narrow(F.relu(self.wide(self.forward_norm(x)))))
        return result


class Encoder(nn.Module):
    """Pieces to states.

    Beside the piece and the side it stands in, the input holds at which distances a piece is repeated (`Repeats`), and
    a depthwise convolution shows each position its neighbours before the first layer.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, size: Size, folded: Tensor, max_pieces: int, dropout: float) -> None:
        super().__init__()
        self.pieces = nn.Embedding(len(folded), size.width)
        self.sides = nn.Embedding(2, size.width)
        self.repeats = Repeats(folded, size.width)
        self.near = nn.Conv1d(size.width, size.width, 5, padding=2, groups=size.width)
        self.norm = nn.LayerNorm(size.width)
        self.layers = nn.ModuleList(Layer(size, dropout) for _ in range(size.layers))
        self.last = nn.LayerNorm(size.width)
        self.dropout = nn.Dropout(dropout)
        half = size.width // size.heads // 2
        turns = torch.arange(max_pieces)[:, None] * _ROTARY_BASE ** (-torch.arange(half) / half)
        self.register_buffer("cos", turns.cos(), persistent=False)
        self.register_buffer("sin", turns.sin(), persistent=False)
        self._start(size)

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

    def forward(self, bucket: Bucket) -> list[Tensor]:
        """Return the states before the first layer and behind each one, [B, L, width] each."""
        length = bucket.pieces.shape[1]
        mask = None
        if bool((bucket.lengths != length).any()):
            mask = (torch.arange(length, device=bucket.pieces.device) < bucket.lengths[:, None])[:, None, None]
        x = self.pieces(bucket.pieces) + self.sides(bucket.sides) + self.repeats(bucket.pieces)
        if mask is not None:
            x = x * mask[:, 0, 0, :, None]
        x = x + F.relu(self.near(x.transpose(1, 2))).transpose(1, 2)
        x = self.dropout(self.norm(x))
        states, angles = [x], (self.cos[:length], self.sin[:length])
        for layer in self.layers:
            x = layer(x, angles, mask)
            states.append(x)
        states[-1] = self.last(x)
        return states
