"""One step's rows as padded tensors, and its labels as indices into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelers.ragged import IntArray, Ragged, ranges
from labelers.task import Task
from trainer.data.cache import EncodedSplit
from trainer.data.inputs import Reading
from trainer.data.tokenizer import MASK, PAD
from trainer.schedule.epoch import generator

__all__ = ["Batch", "Bucket", "Items", "Noise", "Request", "collate"]


@dataclass(frozen=True)
class Bucket:
    """Sequences of like length that go through the encoder in one call."""

    pieces: Tensor
    """int64 [B, L]."""
    sides: Tensor
    """int64 [B, L]: 0 in the first side, 1 in the second."""
    lengths: Tensor
    """int64 [B]."""
    folds: Tensor
    """int64 [B]: see `trainer.model.bigrams`."""


@dataclass(frozen=True)
class Items:
    """The labels of one task in a batch; positions count over all buckets, flattened one behind the other."""

    label: Tensor
    """int64 [I]: class; for masked words the hidden piece."""
    spans: Tensor
    """int64 [I, 4]: flat start and end of the one or two parts that the label speaks of."""
    anchor: Tensor
    """int64 [I]: flat position of the sequence's first piece."""
    weight: Tensor
    """float32 [I]."""
    row: IntArray
    """int64 [I]: row of the split."""
    word: IntArray
    """int64 [I]: number of the word in its row, for masked words."""


@dataclass(frozen=True)
class Batch:
    """What one step computes on."""

    buckets: list[Bucket]
    items: dict[str, Items]
    """By the name of the task."""
    pieces: int
    """Pieces that are no padding."""


@dataclass(frozen=True)
class Request:
    """Rows of one task that a bucket holds: indices into the task's `Labels`."""

    task: Task
    rows: IntArray


@dataclass(frozen=True)
class Noise:
    """How masked words are hidden.

    A word is a target if ``(draw + shift) mod 256 < 256 rate``: another shift hides other words. Of these 80 % become
    [MASK], 10 % random pieces and 10 % stay (Devlin et al. 2019), told apart by the draw as well; with ``rng`` None
    (evaluation) all become [MASK].
    """

    shift: int = 0
    rng: np.random.Generator | None = None
    pieces: range = range(0)
    """The pieces that a random one is drawn from."""

    @classmethod
    def of(cls, seed: int, epoch: int, step: int, rate: float, pieces: range) -> "Noise":
        """Return the noise of a training step: each epoch hides the words that follow those of the epoch before."""
        return cls(round(epoch * 256 * rate) % 256, generator(seed, "noise", step), pieces)


def _hide(
    pieces: IntArray, word: npt.NDArray[np.int16], draw: npt.NDArray[np.uint8], rate: float, noise: Noise
) -> IntArray:
    """Hide the target words among flat pieces, in place, and return their indices."""
    turned = (draw.astype(np.int64) + noise.shift) % 256
    targets = np.flatnonzero((word >= 0) & (turned < 256 * rate))
    if noise.rng is None:
        pieces[targets] = MASK
        return targets
    part = turned[targets] / (256 * rate)
    pieces[targets[part < 0.8]] = MASK  # noqa: PLR2004  (80 %, 10 %, 10 %)
    other = targets[(part >= 0.8) & (part < 0.9)]  # noqa: PLR2004
    pieces[other] = noise.rng.integers(noise.pieces.start, noise.pieces.stop, len(other))
    return targets


class _Filler:
    """Fills one bucket: each (reading, row) stands in it once, whichever tasks ask for it."""

    def __init__(self, split: EncodedSplit, readings: Mapping[str, Reading], requests: Sequence[Request]) -> None:
        self.split, self.requests = split, requests
        asked: dict[Reading, list[IntArray]] = {}
        for request in requests:
            where = split.labels[request.task.name].where[request.rows]
            asked.setdefault(readings[request.task.name], []).append(where)
        self.rows = {reading: np.unique(np.concatenate(parts)) for reading, parts in asked.items()}
        self.first = dict(zip(self.rows, np.cumsum([0, *map(len, self.rows.values())])[:-1].tolist(), strict=True))
        self.readings = readings
        lengths = [split.sequences[reading].lengths[rows] for reading, rows in self.rows.items()]
        self.lengths = np.concatenate(lengths)
        self.width = int(self.lengths.max())
        self.targets: dict[Reading, tuple[IntArray, IntArray, IntArray, IntArray]] = {}
        """Of each hidden piece: its row here, its position, the piece that stood there, and its word."""

    def bucket(self, noise: Noise) -> Bucket:
        """Return the padded pieces; remembers which were hidden."""
        pieces = np.full((len(self.lengths), self.width), PAD, np.int64)
        sides = np.zeros_like(pieces)
        for reading, rows in self.rows.items():
            known = self.split.sequences[reading]
            here = slice(self.first[reading], self.first[reading] + len(rows))
            lengths = self.lengths[here]
            flat = ranges(known.offsets[rows], lengths)
            inside = np.arange(self.width) < lengths[:, None]
            values = known.pieces[flat].astype(np.int64)
            if reading.draw:
                owner = np.repeat(np.arange(len(rows)), lengths)
                gold = values.copy()
                hidden = _hide(values, known.word[flat], known.draw[flat], reading.rate, noise)
                position = hidden - (np.cumsum(lengths) - lengths)[owner[hidden]]
                word = known.word[flat[hidden]].astype(np.int64)
                self.targets[reading] = (owner[hidden], position, gold[hidden], word)
            pieces[here][inside] = values
            sides[here] = np.arange(self.width) >= known.second[rows][:, None]
        folds = [self.split.folds[self.split.sequences[reading].rows[rows]] for reading, rows in self.rows.items()]
        tensors = pieces, sides, self.lengths, np.concatenate(folds).astype(np.int64)
        return Bucket(*map(torch.from_numpy, tensors))

    def items(self, request: Request, base: int) -> Items:
        """Return the labels that a request asks for; ``base`` is the flat position of the bucket."""
        reading = self.readings[request.task.name]
        labels = self.split.labels[request.task.name]
        where = labels.where[request.rows]
        here = np.searchsorted(self.rows[reading], where)
        if request.task.kind == "masked_lm":
            owner, position, label, word = self.targets[reading]
            wanted = np.isin(owner, here)
            owner, position, label, word = owner[wanted], position[wanted], label[wanted], word[wanted]
            spans = np.stack([position, position + 1, 0 * position, 0 * position], axis=1)
            weight = np.ones(len(label), np.float32)
        else:
            taken = Ragged(labels.offsets, labels.label).take(request.rows)
            index = ranges(labels.offsets[request.rows], taken.lengths)
            owner, label, word = here[taken.owners], taken.values, np.zeros(len(index), np.int64)
            spans = labels.spans[index].astype(np.int64)
            weight = labels.weight[request.rows][taken.owners]
        anchor = base + (self.first[reading] + owner) * self.width
        return Items(
            torch.from_numpy(label.astype(np.int64)),
            torch.from_numpy(spans + anchor[:, None]),
            torch.from_numpy(anchor),
            torch.from_numpy(np.asarray(weight)),
            self.split.sequences[reading].rows[self.rows[reading][owner]],
            word,
        )


def _joined(parts: Sequence[Items]) -> Items:
    """Return the labels of one task from all buckets."""
    if len(parts) == 1:
        return parts[0]
    return Items(
        torch.cat([part.label for part in parts]),
        torch.cat([part.spans for part in parts]),
        torch.cat([part.anchor for part in parts]),
        torch.cat([part.weight for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.word for part in parts]),
    )


def collate(
    split: EncodedSplit, readings: Mapping[str, Reading], buckets: Sequence[Sequence[Request]], noise: Noise
) -> Batch:
    """Return the batch of some buckets of requests, empty ones left out."""
    made: list[Bucket] = []
    items: dict[str, list[Items]] = {}
    base = count = 0
    for requests in buckets:
        if not requests:
            continue
        filler = _Filler(split, readings, requests)
        made.append(filler.bucket(noise))
        for request in requests:
            items.setdefault(request.task.name, []).append(filler.items(request, base))
        base += made[-1].pieces.numel()
        count += int(filler.lengths.sum())
    return Batch(made, {name: _joined(parts) for name, parts in items.items()}, count)
