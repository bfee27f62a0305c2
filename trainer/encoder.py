"""The shared encoder: a pre-norm transformer with rotary positions, trained from scratch."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from trainer.batch import Bucket
from trainer.bigrams import Bigrams
from trainer.data import IntArray

__all__ = ["SIZES", "Encoder", "Size"]

_REACH = 16  # pieces before and behind in which an equal one is looked for; an n-gram of six words has about eight
_STRETCH = 8  # pieces of the longest stretch that is left out on trial, likewise
_SMOOTH = 0.05  # what is added to counts: a pair of rare pieces that was never seen says nothing
_WORST = 8.0  # bound of a gain
_SPREAD = 2.0  # what features are divided by: they then vary about as much as embeddings do
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


class Fit(nn.Module):
    """Tells each piece how well it fits its neighbours, and how they would fit without it.

    The association of two pieces is log((n + e + c) / (2 e + c)): n times one followed the other in the train split,
    e times it would have by chance (`Bigrams`). What is put between two words that go together fits worse on both
    sides than they fit each other: for each length up to `_STRETCH`, the largest gain over all stretches of that length
    that cover the piece, if one were left out. Special pieces, so also masked words, fit everything alike.
    """

    folded: Tensor
    keys: Tensor
    pairs: Tensor
    single: Tensor

    def __init__(self, folded: Tensor, bigrams: Bigrams, width: int) -> None:
        super().__init__()
        self.register_buffer("folded", folded, persistent=False)
        for name in ("keys", "pairs", "single"):
            self.register_buffer(name, torch.from_numpy(getattr(bigrams, name)), persistent=False)
        self.project = nn.Sequential(nn.Linear(2 + _STRETCH, width), nn.ReLU(), nn.Linear(width, width, bias=False))

    def forward(self, pieces: Tensor, folds: Tensor) -> Tensor:
        """Return what is added to the embeddings, [B, L, width], for pieces [B, L] and folds [B]."""
        added: Tensor = self.project(self.features(pieces, folds))
        return added

    @torch.no_grad()
    def features(self, pieces: Tensor, folds: Tensor) -> Tensor:
        """Return float [B, L, 2 + stretch]: the fit to the left and to the right, and the gain of each length."""
        known = self.folded[pieces]
        length = known.shape[1]
        beside = self._association(known, folds, 1)  # [B, L]: of each piece and the next one
        found = [F.pad(beside, (1, 0))[:, :length], beside]
        for stretch in range(1, _STRETCH + 1):
            # the gain if the stretch that begins behind piece i were left out
            gain = self._association(known, folds, stretch + 1) - beside - F.pad(beside, (0, stretch))[:, stretch:]
            start = F.pad(gain, (1, 0))[:, :length]
            covering = F.pad(start, (stretch - 1, 0), value=-_WORST).unfold(1, stretch, 1).amax(-1)
            found.append(covering)
        return torch.stack(found, -1).clamp(-_WORST, _WORST) / _SPREAD

    def _association(self, known: Tensor, folds: Tensor, distance: int) -> Tensor:
        """Return how well each piece would be followed by the one so far behind it, [B, L]; 0 if one is special."""
        other = F.pad(known, (0, distance), value=-1)[:, distance:]
        real = (known >= 0) & (other >= 0)
        first, second = known.clamp(min=0), other.clamp(min=0)
        size = self.single.shape[1]
        key = first * size + second
        place = torch.searchsorted(self.keys, key).clamp(max=max(len(self.keys) - 1, 0))
        fold = folds[:, None]
        seen = self.pairs[fold, place] * (self.keys[place] == key) if len(self.keys) else torch.zeros_like(key)
        total = self.single.sum(1).clamp(min=1)[fold]
        chance = self.single[fold, first] * self.single[fold, second] / total
        return (((seen + chance + _SMOOTH) / (2 * chance + _SMOOTH)).log() * real).float()


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

    Beside the piece and the side it stands in, the input holds at which distances a piece is repeated (`Repeats`) and
    how well it fits its neighbours (`Fit`); a depthwise convolution then shows each position those beside it.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, size: Size, folded: IntArray, bigrams: Bigrams, max_pieces: int, dropout: float) -> None:
        super().__init__()
        self.pieces = nn.Embedding(len(folded), size.width)
        self.sides = nn.Embedding(2, size.width)
        self.repeats = Repeats(torch.from_numpy(folded), size.width)
        self.fit = Fit(torch.from_numpy(folded), bigrams, size.width)
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
        x = self.pieces(bucket.pieces) + self.sides(bucket.sides)
        x = x + self.repeats(bucket.pieces) + self.fit(bucket.pieces, bucket.folds)
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
