"""What can be said of each piece by looking at the pieces around it: the encoder's second input.

Every feature is computed from the pieces that the encoder reads, after masking, so nothing hidden can come through it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from labelers.ragged import IntArray
from trainer.encoders.bigrams import Bigrams

__all__ = ["FEATURES", "SubwordFeatures"]

_REACH = 16  # pieces before and behind in which an equal one is looked for
_STRETCH = 8  # pieces of the longest stretch that is left out on trial: about those of an n-gram of six words
_REPEAT = 12  # pieces of the longest stretch that is looked for twice
_SMOOTH = 0.05  # what is added to counts: a pair of rare pieces that was never seen says nothing
_WORST = 8.0  # bound of a gain
_SPREAD = 2.0  # what associations are divided by: they then vary about as much as embeddings do

FEATURES = 2 * _REACH + 2 * _REPEAT + 2 * (2 + _STRETCH) + 1
"""How many numbers are known of each piece."""

_Association = Callable[[int], Tensor]
"""Gives how well each piece would be followed by the one so many places behind it, [B, L]."""


class SubwordFeatures(nn.Module):
    """Tells each piece where it is repeated, how well it fits its neighbours, and how frequent it is.

    An attention head that matches content (an induction head) and a language model can learn all of this, but need far
    more text to do so than a small run has.
    """

    folded: Tensor
    keys: Tensor
    pairs: Tensor
    single: Tensor
    left: Tensor
    right: Tensor
    frequency: Tensor

    def __init__(self, folded: IntArray, bigrams: Bigrams) -> None:
        super().__init__()
        self.register_buffer("folded", torch.from_numpy(folded), persistent=False)
        for name in ("keys", "pairs", "single", "left", "right"):
            self.register_buffer(name, torch.from_numpy(getattr(bigrams, name)), persistent=False)
        seen = torch.log1p(self.single.mean(0))
        self.register_buffer("frequency", (seen - seen.mean()) / seen.std().clamp(min=1e-3), persistent=False)

    @torch.no_grad()
    def forward(self, pieces: Tensor, folds: Tensor) -> Tensor:
        """Return float32 [B, L, FEATURES] for pieces [B, L] of rows of the folds [B]."""
        known = self.folded[pieces]  # [B, L], -1: special
        real = known >= 0
        frequency = (self.frequency[known.clamp(min=0)] * real)[..., None]
        counted = self._gains(lambda distance: self._counted(known, folds, distance))
        place = folds[:, None], known.clamp(min=0)
        left, right = (table[place] * real[..., None] for table in (self.left, self.right))
        every = F.pad(left @ right.transpose(1, 2), (0, _STRETCH + 1))  # [B, L, L + stretch + 1]: of any two pieces
        fitted = self._gains(lambda distance: every.diagonal(distance, 1, 2))
        return torch.cat([_equal(known), _repeated(known), counted, fitted, frequency], -1)

    def _gains(self, association: _Association) -> Tensor:
        """Return how well each piece fits what is beside it, and how things would fit without it: [B, L, 2 + stretch].

        What is put between two pieces that go together fits worse on both sides than they fit each other: for each
        length up to `_STRETCH`, the largest gain over all stretches of that length that cover the piece, if one were
        left out.
        """
        beside = association(1)  # [B, L]: of each piece and the next one
        found = [_behind(beside, 1), beside]
        for stretch in range(1, _STRETCH + 1):
            # the gain if the stretch that begins behind piece i were left out
            gain = association(stretch + 1) - beside - _ahead(beside, stretch)
            found.append(_covered(_behind(gain, 1), stretch, -_WORST))
        return torch.stack(found, -1).clamp(-_WORST, _WORST) / _SPREAD

    def _counted(self, known: Tensor, folds: Tensor, distance: int) -> Tensor:
        """Return how well each piece would be followed by the one so far behind it, [B, L]; 0 if one is special.

        It is log((n + e + c) / (2 e + c)): n times one followed the other, e times it would have by chance.
        """
        other = _ahead(known, distance, -1)
        real = (known >= 0) & (other >= 0)
        first, second = known.clamp(min=0), other.clamp(min=0)
        key = first * self.single.shape[1] + second
        place = torch.searchsorted(self.keys, key).clamp(max=max(len(self.keys) - 1, 0))
        fold = folds[:, None]
        seen = self.pairs[fold, place] * (self.keys[place] == key) if len(self.keys) else torch.zeros_like(key)
        total = self.single.sum(1).clamp(min=1)[fold]
        chance = self.single[fold, first] * self.single[fold, second] / total
        return (((seen + chance + _SMOOTH) / (2 * chance + _SMOOTH)).log() * real).float()


def _ahead(x: Tensor, distance: int, fill: float = 0) -> Tensor:
    """Return at each place of x [B, L, ...] what stands so far behind it."""
    return _moved(x, 0, distance, fill)[:, distance:]


def _behind(x: Tensor, distance: int, fill: float = 0) -> Tensor:
    """Return at each place of x [B, L, ...] what stands so far before it."""
    return _moved(x, distance, 0, fill)[:, : x.shape[1]]


def _moved(x: Tensor, before: int, behind: int, fill: float) -> Tensor:
    """Return x [B, L, ...] with so many places more along L."""
    rest = (0, 0) * (x.dim() - 2)
    return F.pad(x, (*rest, before, behind), value=fill)


def _covered(starts: Tensor, stretch: int, worst: float) -> Tensor:
    """Return for each place the largest value [B, L] of the stretches that cover it, each known where it starts."""
    return F.pad(starts, (stretch - 1, 0), value=worst).unfold(1, stretch, 1).amax(-1)


def _equal(known: Tensor) -> Tensor:
    """Return at which distances an equal piece stands, whatever its case: float [B, L, 2 reach]."""
    near = _moved(known, _REACH, _REACH, -2).unfold(1, 2 * _REACH + 1, 1)  # [B, L, 2 reach + 1]
    equal = (near == known[..., None]) & (known[..., None] >= 0)
    return torch.cat([equal[..., :_REACH], equal[..., _REACH + 1 :]], -1).float()


def _repeated(known: Tensor) -> Tensor:
    """Return for each length if the piece stands in a stretch that is said again at once, or in that second copy.

    Returns:
        float [B, L, 2 repeat], 0 or 1.
    """
    found = []
    for stretch in range(1, _REPEAT + 1):
        equal = ((known == _ahead(known, stretch, -2)) & (known >= 0)).float()
        whole = _moved(equal, 0, stretch - 1, 0).unfold(1, stretch, 1).amin(-1)  # known where it starts
        first = _covered(whole, stretch, 0)
        found += [first, _behind(first, stretch)]
    return torch.stack(found, -1)
