"""The encoder that is trained from scratch: a pre-norm transformer with rotary positions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from labelers.ragged import IntArray, Ragged
from labelers.task import SOURCE
from trainer.data.batch import Bucket
from trainer.data.dataset import Dataset, Split, Types
from trainer.data.spelling import PieceTable
from trainer.data.tokenizer import BytePairs
from trainer.encoders.bigrams import Bigrams, folds
from trainer.encoders.encoder import Encoder, EncoderOutput
from trainer.encoders.features import FEATURES, SubwordFeatures
from trainer.memory import give_back
from trainer.settings import Settings

__all__ = ["SIZES", "ScratchEncoder", "Size"]

_TOKENIZER, _BIGRAMS = "vocabulary.json", "bigrams.npz"
_ROTARY_BASE = 10_000.0  # Su et al. 2021, RoFormer


@dataclass(frozen=True)
class Size:
    """Shape of an encoder."""

    layers: int
    width: int
    heads: int


SIZES = {"tiny": Size(2, 128, 4), "small": Size(4, 256, 8), "base": Size(12, 768, 12)}


@dataclass(frozen=True)
class _Layout:
    """How N sub-words, padding included, stand in buckets of B sequences of L; most of a model reads them as a list."""

    shapes: Sequence[tuple[int, int]]
    """B and L of each bucket."""
    masks: Sequence[Tensor | None]
    """bool [B, 1, 1, L] of each bucket: true where a sub-word may be seen; None where all may."""
    angles: Tensor
    """complex64 [N, 1, 1, features of an attention head / 2]: the rotation of each position."""

    @classmethod
    def of(cls, buckets: Sequence[Bucket], angles: Tensor) -> Self:
        """Return the layout of some buckets, by the rotation of each position in a sequence."""
        shapes = [(bucket.pieces.shape[0], bucket.pieces.shape[1]) for bucket in buckets]
        masks = [_seen(bucket) for bucket in buckets]
        places = [angles[:length].expand(count, length, -1).flatten(0, 1) for count, length in shapes]
        return cls(shapes, masks, _joined(places)[:, None, None])

    def split(self, x: Tensor) -> list[Tensor]:
        """Return x [N, ...] as [B, L, ...] of each bucket."""
        parts = torch.split(x, [count * length for count, length in self.shapes])
        return [part.view(*shape, *x.shape[1:]) for part, shape in zip(parts, self.shapes, strict=True)]


def _seen(bucket: Bucket) -> Tensor | None:
    """Return where a bucket holds no padding, bool [B, 1, 1, L]; None if it holds none at all."""
    length = bucket.pieces.shape[1]
    if not bool((bucket.lengths != length).any()):
        return None
    return (torch.arange(length, device=bucket.pieces.device) < bucket.lengths[:, None])[:, None, None]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return the tensors one behind the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


class Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = size.heads, dropout
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)

    def forward(self, x: Tensor, layout: _Layout) -> Tensor:
        """Return [N, width]."""
        width = x.shape[-1]
        both, value = self.qkv(x).split((2 * width, width), -1)
        rotated = _rotated(both.unflatten(-1, (2, self.heads, -1)), layout.angles).to(x.dtype)
        value = value.unflatten(-1, (self.heads, -1)).to(x.dtype)
        dropout = self.dropout if self.training else 0.0
        mixed = []
        for turned, values, mask in zip(layout.split(rotated), layout.split(value), layout.masks, strict=True):
            query, key = turned.permute(2, 0, 3, 1, 4)  # [B, heads, L, features] each
            found = F.scaled_dot_product_attention(
                query, key, values.transpose(1, 2), attn_mask=mask, dropout_p=dropout
            )
            mixed.append(found.transpose(1, 2).flatten(2).flatten(0, 1))
        result: Tensor = self.out(_joined(mixed))
        return result


def _rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate each pair of features of x [N, 2, heads, d] by the angle of its position, complex [N, 1, 1, d / 2]."""
    pairs = torch.view_as_complex(x.float().view(*x.shape[:-1], -1, 2))
    rotated: Tensor = torch.view_as_real(pairs * angles).flatten(-2)
    return rotated


class Layer(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a skip connection."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.attention, self.norm = Attention(size, 0.0), nn.LayerNorm(size.width)
        self.forward_norm = nn.LayerNorm(size.width)
        self.up, self.down = nn.Linear(size.width, 4 * size.width), nn.Linear(4 * size.width, size.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, layout: _Layout) -> Tensor:
        """Return [N, width]."""
        x = x + self.dropout(self.attention(self.norm(x), layout))
        result: Tensor = x + self.dropout(self.down(F.relu(self.up(self.forward_norm(x)))))
        return result


class ScratchEncoder(Encoder):
    """A transformer without any training before that on the dataset.

    Beside the piece and the side it stands in, the input holds what can be said of the piece by looking around it
    (`SubwordFeatures`); a depthwise convolution then shows each position those beside it.
    """

    names = tuple(SIZES)
    angles: Tensor
    """complex64 [max_pieces, features of an attention head / 2]: the rotation of each position (Su et al. 2021)."""
    checkpointing = False
    """Layers are computed anew in the backward pass."""

    def __init__(self, size: Size, folded: IntArray, bigrams: Bigrams | None, max_pieces: int, dropout: float) -> None:
        """Draw the first weights.

        Args:
            size: of the encoder.
            folded: a number per sub-word, shared by those that differ in case alone, -1 for special ones.
            bigrams: what the features are computed with; None: a plain transformer.
            max_pieces: longest sequence.
            dropout: in the layers.
        """
        super().__init__()
        self.width, self.depth, self.features = size.width, size.layers, FEATURES if bigrams else 0
        self.embedding = nn.Embedding(len(folded), size.width)
        self.sides = nn.Embedding(2, size.width)
        if bigrams:
            self.known = SubwordFeatures(folded, bigrams)
            self.projection = nn.Sequential(
                nn.Linear(FEATURES, size.width), nn.ReLU(), nn.Linear(size.width, size.width, bias=False)
            )
            self.convolution = nn.Conv1d(size.width, size.width, 5, padding=2, groups=size.width)
        self.norm = nn.LayerNorm(size.width)
        self.layers = nn.ModuleList(Layer(size, dropout) for _ in range(size.layers))
        self.last_norm = nn.LayerNorm(size.width)
        self.dropout = nn.Dropout(dropout)
        half = size.width // size.heads // 2
        angles = torch.arange(max_pieces)[:, None] * _ROTARY_BASE ** (-torch.arange(half) / half)
        self.register_buffer("angles", torch.polar(torch.ones_like(angles), angles), persistent=False)
        self._start(size)
        if bigrams:
            self._start_embedding(folded, bigrams)

    @classmethod
    def prepare(cls, dataset: Dataset, folder: Path, settings: Settings) -> None:
        """Learn the tokenizer, and count which sub-words follow each other."""
        train = dataset.splits["train"]
        tokenizer = BytePairs.learn(train, settings.model.vocabulary, dataset.roles())
        tokenizer.save(folder / _TOKENIZER)
        give_back()
        if not settings.model.features:
            return
        types = Types()
        table = PieceTable(types, tokenizer)

        def spelled(part: Split) -> Ragged:
            tokens = part.tokens(SOURCE, types)
            pieces = table.of(tokens.values.astype(np.int64))
            return Ragged(pieces.offsets[tokens.offsets], pieces.values)

        Bigrams.count(((spelled(part), folds(part)) for part in train.parts()), tokenizer.folded()).save(
            folder / _BIGRAMS
        )

    @classmethod
    def tokenizer(cls, folder: Path) -> BytePairs:
        """Return the tokenizer in a folder."""
        return BytePairs.load(folder / _TOKENIZER)

    @classmethod
    def key(cls, settings: Settings) -> Sequence[Any]:
        """Return the size of the vocabulary, and whether bigrams are counted."""
        return [*super().key(settings), settings.model.features]

    @classmethod
    def row_inputs(cls, split: Split, settings: Settings, /) -> Mapping[str, npt.NDArray[Any]]:
        """Return the fold of each row, by which its features are computed."""
        return {"fold": folds(split)} if settings.model.features else {}

    @classmethod
    def build(cls, folder: Path, settings: Settings) -> Self:
        """Return the encoder of the size that the settings name."""
        size, folded = SIZES[settings.model.encoder], cls.tokenizer(folder).folded()
        bigrams = Bigrams.load(folder / _BIGRAMS) if settings.model.features else None
        encoder = cls(size, folded, bigrams, settings.model.max_pieces, settings.model.dropout)
        encoder.checkpointing = settings.checkpointing
        return encoder

    def _start(self, size: Size) -> None:
        """Draw the first weights, those before a skip connection smaller with depth (Radford et al. 2019)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(size.width))
        nn.init.normal_(self.sides.weight, std=1 / math.sqrt(size.width))
        for name, parameter in self.layers.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(parameter, std=1 / math.sqrt(2 * size.layers * parameter.shape[1]))

    @torch.no_grad()
    def _start_embedding(self, folded: IntArray, bigrams: Bigrams) -> None:
        """Begin the embeddings of pieces with the company they keep in the text of one fold's readers."""
        company = torch.from_numpy(np.concatenate([bigrams.left[0], bigrams.right[0]], axis=1))[folded]
        weight = self.embedding.weight[:, : company.shape[1]]
        plain = torch.from_numpy(folded) >= 0
        known = company[plain, : weight.shape[1]]
        weight[plain] = known * weight.std() / known.square().mean().sqrt().clamp(min=1e-6)

    def forward(self, buckets: Sequence[Bucket]) -> EncoderOutput:
        """Return the states and the features of the sub-words of all buckets."""
        layout = _Layout.of(buckets, self.angles)
        pieces, sides = (_joined([getattr(item, name).flatten() for item in buckets]) for name in ("pieces", "sides"))
        x, features = self.embedding(pieces) + self.sides(sides), None
        if self.features:
            features = _joined(
                [self.known(item.pieces, item.row_inputs["fold"].long()).flatten(0, 1) for item in buckets]
            )
            x = self._convolved(x + self.projection(features), layout)
        x = self.dropout(self.norm(x))
        layers = [x]
        for layer in self.layers:
            x = self._checkpointed(layer, x, layout) if self.checkpointing else layer(x, layout)
            layers.append(x)
        layers[-1] = self.last_norm(x)
        return EncoderOutput(layers, features)

    @staticmethod
    def _checkpointed(layer: nn.Module, x: Tensor, layout: _Layout) -> Tensor:
        """Return what a layer makes of x [N, width]; it is computed again in the backward pass."""
        from torch.utils.checkpoint import checkpoint

        result: Tensor = checkpoint(layer, x, layout, use_reentrant=False)
        return result

    def _convolved(self, x: Tensor, layout: _Layout) -> Tensor:
        """Show each place of x [N, width] those beside it in its sequence."""
        made = []
        for part, mask in zip(layout.split(x), layout.masks, strict=True):
            seen = part if mask is None else part * mask[:, 0, 0, :, None]
            made.append((seen + F.relu(self.convolution(seen.transpose(1, 2))).transpose(1, 2)).flatten(0, 1))
        return _joined(made)
