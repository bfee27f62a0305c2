"""Probes of pairs: how long the sides are, and by which words they differ."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray, Ragged, ranges
from trainer.score.rates import FloatArray, classes_of, counted, rates_of
from trainer.score.rows import TaskRows, folded

__all__ = ["Lengths", "ReplacedWords"]

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Lengths:
    """How long the two parts are, and by how much one is longer."""

    name: str = "lengths"
    nearest: int = 12
    """Differences beyond this are one."""

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return the most frequent class of the lengths; of the difference alone where few rows have such lengths."""
        classes = classes_of(train)
        size = 8 * 8 * (2 * self.nearest + 1)
        counts = counted(self._keys(train), train.labels, size, classes)
        by_difference = counts.reshape(64, -1, classes).sum(axis=0)
        back_off = np.tile(rates_of(by_difference), (64, 1))
        rates = counts + 10 * back_off
        result: IntArray = rates.argmax(axis=1)[self._keys(held)]
        return result

    def _keys(self, rows: TaskRows) -> IntArray:
        """Return a number for the lengths of each row's parts."""
        first, second = (part.lengths for part in rows.parts)
        bins = [np.log2(lengths + 1).astype(np.int64).clip(max=7) for lengths in (first, second)]
        difference = (second - first).clip(-self.nearest, self.nearest) + self.nearest
        keys: IntArray = (bins[0] * 8 + bins[1]) * (2 * self.nearest + 1) + difference
        return keys


@dataclass(frozen=True)
class ReplacedWords:
    """By which words the two sides differ: the labels that each such pair had in train.

    A pair is what stands on either side between two tokens that both have from the source, in any case. One that was
    seen rarely goes by its labels in either order. Where a row has several, each weighs in by how much more often a
    class goes with it than with any row.
    """

    name: str = "replaced words seen in train"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return the most likely class of each row's pairs; where none was seen in train the most frequent class."""
        fitted, found = _Replaced.of(train), _Replaced.of(held)
        labels, classes = train.labels[fitted.rows], classes_of(train)
        prior = rates_of(np.bincount(train.labels, minlength=classes)[None].astype(np.float64))
        rates = np.repeat(rates_of(np.bincount(labels, minlength=classes)[None].astype(np.float64)), len(found.rows), 0)
        gains = -np.log(rates + _LEAST)
        for seen, keys in ((fitted.unordered, found.unordered), (fitted.ordered, found.ordered)):
            rates = _sharpened(rates, keys, seen, labels)
        gains += np.log(rates + _LEAST)
        scores = np.repeat(np.log(prior + _LEAST), len(held), axis=0)
        np.add.at(scores, found.rows, gains)
        result: IntArray = scores.argmax(axis=1)[held.owners]
        return result


_LEAST = 1e-9  # a class without labels has a rate of 0


def _sharpened(rates: FloatArray, keys: Keys, seen: Keys, labels: IntArray) -> FloatArray:
    """Return the rates of classes, float64 [K, C], once the labels that each key had in train are known, too."""
    _, inverse = np.unique(np.concatenate([seen, keys]), return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = counted(inverse[: len(seen)], labels, int(inverse.max(initial=-1)) + 1, rates.shape[1])
    return rates_of(counts[inverse[len(seen) :]], rates)


@dataclass(frozen=True)
class _Replaced:
    """The K places where the parts of rows differ."""

    rows: IntArray
    """int64 [K]."""
    ordered: Keys
    """uint64 [K]: a number for what stands there on the first and on the second side."""
    unordered: Keys
    """uint64 [K]: the same whichever side is the first."""

    @classmethod
    def of(cls, rows: TaskRows) -> "_Replaced":
        """Find them."""
        owner, places = _anchors(*rows.origins)
        starts = places[:, :-1] + 1
        lengths = np.maximum(places[:, 1:] - starts, 0)
        kept = (owner[:-1] == owner[1:]) & (lengths.max(axis=0, initial=0) > 0)
        forms = folded(rows.types).astype(np.uint64)
        old, new = (
            _digest(forms[part.values], start[kept], length[kept])
            for part, start, length in zip(rows.parts, starts, lengths, strict=True)
        )
        return cls(owner[:-1][kept], old * _STEP + new, np.minimum(old, new) * _STEP + np.maximum(old, new))


def _anchors(first: Ragged, second: Ragged) -> tuple[IntArray, IntArray]:
    """Return the row of each anchor, int64 [A], and where it stands among all tokens of either side, int64 [2, A].

    Anchors are the tokens that both sides have from the same place of the source, and what stands before and behind
    each row.
    """
    stride = int(max(first.values.max(initial=0), second.values.max(initial=0))) + 1
    places = [np.flatnonzero(side.values >= 0) for side in (first, second)]
    keys = [
        side.owners[place] * stride + side.values[place] for side, place in zip((first, second), places, strict=True)
    ]
    _, left, right = np.intersect1d(*keys, return_indices=True)
    inner = np.stack([places[0][left], places[1][right]])
    before, behind = (
        np.stack([first.offsets[edge], second.offsets[edge]]) for edge in (slice(None, -1), slice(1, None))
    )
    every = np.arange(len(first))
    owner = np.concatenate([every, first.owners[inner[0]], every])
    kind = np.repeat([0, 1, 2], [len(every), inner.shape[1], len(every)])
    anchors = np.concatenate([before - 1, inner, behind], axis=1)
    order = np.lexsort((anchors[0], kind, owner))
    return owner[order], anchors[:, order]


_STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, without a pattern: 2 ** 64 over the golden ratio


def _digest(forms: npt.NDArray[np.uint64], starts: IntArray, lengths: IntArray) -> npt.NDArray[np.uint64]:
    """Return a number for each run of forms, uint64 [K]: a polynomial of them modulo 2 ** 64."""
    power = np.power(_STEP, ranges(np.zeros(len(lengths), np.int64), lengths).astype(np.uint64))
    mixed = (forms[ranges(starts, lengths)] + np.uint64(1)) * _STEP
    mixed ^= mixed >> np.uint64(29)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed * power, dtype=np.uint64)])
    ends = np.cumsum(lengths)
    digests: npt.NDArray[np.uint64] = sums[ends] - sums[ends - lengths]
    return digests
