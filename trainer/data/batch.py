"""One step's rows as padded tensors, and its labels as indices into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import BoolArray, IntArray, Ragged, ranges
from labelers.task import Task
from trainer.data.cache import EncodedDataset, EncodedSplit
from trainer.data.inputs import Inputs
from trainer.data.targets import Targets, one_part
from trainer.data.tokenizer import Tokenizer
from trainer.schedule.step_plan import generator

__all__ = ["Batch", "Bucket", "Items", "Noise", "Share", "TaskSlice", "collate"]

_FILLER = -1  # no sub-word


@dataclass(frozen=True)
class Bucket:
    """Sequences of like length that go through the encoder in one call."""

    pieces: Tensor
    """int64 [B, L]."""
    sides: Tensor
    """int64 [B, L]: 0 in the first side, 1 in the second."""
    lengths: Tensor
    """int64 [B]."""
    row_inputs: Mapping[str, Tensor]
    """[B, ...]: what else the encoder asks for of each row, see `Encoder.row_inputs`."""

    def to(self, device: torch.device) -> "Bucket":
        """Return the bucket on a device."""
        row_inputs = {name: value.to(device) for name, value in self.row_inputs.items()}
        return Bucket(self.pieces.to(device), self.sides.to(device), self.lengths.to(device), row_inputs)


@dataclass(frozen=True)
class Items:
    """The labels of one task in a batch; positions count over all buckets, flattened one behind the other."""

    label: Tensor
    """[I, ...]: in the form of the task's kind; for masked words the hidden sub-word; lists are filled with -1."""
    spans: Tensor
    """int64 [I, 4]: flat start and end of the one or two parts that the label speaks of."""
    anchor: Tensor
    """int64 [I]: flat position of the sequence's first sub-word."""
    weight: Tensor
    """float32 [I]."""
    row: IntArray
    """int64 [I]: row of the split."""
    unit: IntArray
    """int64 [I]: number in its row of what the label is of; the sub-words of a masked word are one unit."""

    def to(self, device: torch.device) -> "Items":
        """Return the labels on a device."""
        label, spans, anchor = self.label.to(device), self.spans.to(device), self.anchor.to(device)
        return Items(label, spans, anchor, self.weight.to(device), self.row, self.unit)


@dataclass(frozen=True)
class Batch:
    """What one step computes on."""

    buckets: Sequence[Bucket]
    items: Mapping[str, Items]
    """By the name of the task."""
    pieces: int
    """Sub-words that are no padding."""
    lent: bool = False
    """Its rows are those of another process: they weigh nothing, and are not counted."""

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        if device.type == "cpu":
            return self
        items = {name: item.to(device) for name, item in self.items.items()}
        return Batch([bucket.to(device) for bucket in self.buckets], items, self.pieces, self.lent)

    def labels(self, task: str) -> int:
        """Return how many labels of a task count."""
        return 0 if self.lent else len(self.items[task].label)


@dataclass(frozen=True)
class TaskSlice:
    """Rows of one task that a bucket holds: indices into the task's `Targets`."""

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
    mask: int = 0
    """The sub-word [MASK]."""
    plain: range = range(0)
    """The sub-words that a random one is drawn from."""

    @classmethod
    def of(cls, seed: int, epoch: int, step: int, rate: float, tokenizer: Tokenizer) -> "Noise":
        """Return the noise of a training step: each epoch hides the words that follow those of the epoch before."""
        shift, rng = round(epoch * 256 * rate) % 256, generator(seed, "noise", step)
        return cls(shift, rng, tokenizer.special.mask, tokenizer.plain)

    def hide(self, pieces: IntArray, word: npt.NDArray[np.int16], draw: npt.NDArray[np.uint8], rate: float) -> IntArray:
        """Hide the target words among flat sub-words, in place, and return their indices."""
        turned = (draw.astype(np.int64) + self.shift) % 256
        targets = np.flatnonzero((word >= 0) & (turned < 256 * rate))
        if self.rng is None:
            pieces[targets] = self.mask
            return targets
        part = turned[targets] / (256 * rate)
        pieces[targets[part < 0.8]] = self.mask  # noqa: PLR2004  (80 %, 10 %, 10 %)
        other = targets[(part >= 0.8) & (part < 0.9)]  # noqa: PLR2004
        pieces[other] = self.rng.integers(self.plain.start, self.plain.stop, len(other))
        return targets


@dataclass(frozen=True)
class _Hidden:
    """The sub-words of a bucket that are hidden."""

    owner: IntArray
    """Row among those of their inputs."""
    position: IntArray
    """In its row."""
    label: IntArray
    """What stood there."""
    unit: IntArray
    """Number of the word in its row."""


@dataclass(frozen=True)
class Share:
    """The rows of a step that one of several processes takes: they are dealt in turn."""

    index: int = 0
    count: int = 1

    def mine(self, lengths: IntArray, dealt: int) -> BoolArray:
        """Tell which rows of a bucket are those of the process, bool [R]: the longest are dealt first.

        Args:
            lengths: int64 [R].
            dealt: rows of other buckets before them.
        """
        mine = np.zeros(len(lengths), bool)
        mine[np.argsort(-lengths, kind="stable")[(self.index - dealt) % self.count :: self.count]] = True
        return mine


class _Filler:
    """Fills one bucket: each (inputs, row) stands in it once, whichever tasks ask for it."""

    def __init__(self, data: EncodedDataset, split: EncodedSplit, requests: Sequence[TaskSlice]) -> None:
        self.split, self.pad, self.requests = split, data.tokenizer.special.pad, list(requests)
        asked: dict[Inputs, list[IntArray]] = {}
        for request in requests:
            where = split.targets[request.task.name].where[request.rows]
            asked.setdefault(split.inputs[request.task.name], []).append(where)
        self._all = {read: np.unique(np.concatenate(parts)) for read, parts in asked.items()}
        self._mine = {read: np.ones(len(rows), bool) for read, rows in self._all.items()}
        self.count = sum(map(len, self._all.values()))
        self.hidden: dict[Inputs, _Hidden] = {}
        self._lay_out()

    def _lay_out(self) -> None:
        """Say where the rows stand that are taken."""
        self.rows = {read: rows[self._mine[read]] for read, rows in self._all.items() if self._mine[read].any()}
        self.first = dict(zip(self.rows, np.cumsum([0, *map(len, self.rows.values())])[:-1].tolist(), strict=True))
        lengths = [self.split.sequences[read].lengths_of(rows) for read, rows in self.rows.items()]
        self.lengths = np.concatenate(lengths) if lengths else np.empty(0, np.int64)
        self.width = int(self.lengths.max(initial=0))

    def take(self, share: Share, dealt: int) -> None:
        """Take a share of the rows alone; ``dealt`` is how many rows of other buckets were dealt before."""
        if share.count == 1:
            return
        mine = share.mine(self.lengths, dealt)
        edges = np.cumsum([len(rows) for rows in self._all.values()])[:-1]
        self._mine = dict(zip(self._all, np.split(mine, edges), strict=True))
        self._lay_out()
        kept = []
        for request in self.requests:
            where = self.split.targets[request.task.name].where[request.rows]
            rows = request.rows[np.isin(where, self.rows.get(self.split.inputs[request.task.name], []))]
            kept += [TaskSlice(request.task, rows)] if len(rows) else []
        self.requests = kept

    def bucket(self, noise: Noise) -> Bucket:
        """Return the padded sub-words; remembers which were hidden."""
        pieces = np.full((len(self.lengths), self.width), self.pad, np.int64)
        sides = np.zeros_like(pieces)
        values = {read: self._values(read, noise) for read in self._all if read.draw or read in self.rows}
        for read, rows in self.rows.items():
            here = slice(self.first[read], self.first[read] + len(rows))
            pieces[here][np.arange(self.width) < self.lengths[here][:, None]] = values[read]
            sides[here] = np.arange(self.width) >= self.split.sequences[read].second[rows][:, None]
        split_rows = [self.split.sequences[read].rows[rows] for read, rows in self.rows.items()]
        placed = np.concatenate([np.empty(0, np.int64), *split_rows])
        row_inputs = {name: torch.from_numpy(value[placed]) for name, value in self.split.row_inputs.items()}
        return Bucket(torch.from_numpy(pieces), torch.from_numpy(sides), torch.from_numpy(self.lengths), row_inputs)

    def _values(self, read: Inputs, noise: Noise) -> IntArray:
        """Return the sub-words of the rows that are taken, flat.

        Words are hidden in all rows, so that a word is hidden by the same draw, whatever is taken.
        """
        known, mine = self.split.sequences[read], self._mine[read]
        rows = self._all[read] if read.draw else self.rows[read]
        lengths = known.lengths_of(rows)
        flat = ranges(known.offsets[rows], lengths)
        values: IntArray = known.pieces[flat].astype(np.int64)
        if not read.draw:
            return values
        owner, gold, word = np.repeat(np.arange(len(rows)), lengths), values.copy(), known.word[flat]
        hidden = noise.hide(values, word, known.draw[flat], read.rate)
        hidden = hidden[mine[owner[hidden]]]
        position = hidden - (np.cumsum(lengths) - lengths)[owner[hidden]]
        number = np.cumsum(mine) - 1  # of a row among those that are taken
        self.hidden[read] = _Hidden(number[owner[hidden]], position, gold[hidden], word[hidden].astype(np.int64))
        return values[mine[owner]]

    def items(self, request: TaskSlice, base: int) -> Items:
        """Return the labels that a request asks for; ``base`` is the flat position of the bucket."""
        read = self.split.inputs[request.task.name]
        targets = self.split.targets[request.task.name]
        here = np.searchsorted(self.rows[read], targets.where[request.rows])
        if targets.drawn:
            hidden = self.hidden[read]
            wanted = np.isin(hidden.owner, here)
            owner, position, label = hidden.owner[wanted], hidden.position[wanted], hidden.label[wanted]
            spans, unit = one_part(position, position + 1), hidden.unit[wanted]
            weight = np.ones(len(label), np.float32)
        else:
            starts = targets.offsets[request.rows]
            lengths = targets.offsets[request.rows + 1] - starts
            index, place = ranges(starts, lengths), np.repeat(np.arange(len(here)), lengths)
            owner, label, unit = here[place], _labels(targets, index), ranges(0 * starts, lengths)
            spans = targets.spans[index].astype(np.int64)
            weight = (
                targets.weight[request.rows][place] if len(targets.weight) == len(targets) else targets.weight[index]
            )
        anchor = base + (self.first[read] + owner) * self.width
        return Items(
            torch.from_numpy(label if label.dtype in (bool, np.float32) else label.astype(np.int64)),
            torch.from_numpy(spans + anchor[:, None]),
            torch.from_numpy(anchor),
            torch.from_numpy(np.asarray(weight)),
            self.split.sequences[read].rows[self.rows[read][owner]],
            unit,
        )


def _labels(targets: Targets, index: IntArray) -> npt.NDArray[Any]:
    """Return some labels of a task, lists as rows of equal length."""
    if not isinstance(targets.values, Ragged):
        return targets.values[index]
    lists = targets.values.take(index)
    padded = np.full((len(lists), int(lists.lengths.max(initial=0))), _FILLER)
    padded[np.arange(padded.shape[1]) < lists.lengths[:, None]] = lists.values
    return padded


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Return labels one behind the other; lists are filled up to the longest."""
    if parts[0].dim() > 1 and len({part.shape[1] for part in parts}) > 1:
        width = max(part.shape[1] for part in parts)
        parts = [F.pad(part, (0, width - part.shape[1]), value=_FILLER) for part in parts]
    return torch.cat(list(parts))


def _joined(parts: Sequence[Items]) -> Items:
    """Return the labels of one task from all buckets."""
    if len(parts) == 1:
        return parts[0]
    return Items(
        _stacked([part.label for part in parts]),
        torch.cat([part.spans for part in parts]),
        torch.cat([part.anchor for part in parts]),
        torch.cat([part.weight for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.unit for part in parts]),
    )


def collate(
    data: EncodedDataset,
    split: str,
    buckets: Sequence[Sequence[TaskSlice]],
    noise: Noise | None = None,
    share: Share = Share(),
) -> Batch:
    """Return the batch of some buckets of requests, empty ones left out.

    Args:
        data: the encoded dataset.
        split: whose rows are asked for.
        buckets: what each bucket asks for.
        noise: how words are hidden; None: all that the draws name become [MASK].
        share: which of the rows are taken; if there are fewer rows than shares, one is taken that weighs nothing.
    """
    noise = noise or Noise(mask=data.tokenizer.special.mask)
    fillers = [_Filler(data, data.splits[split], requests) for requests in buckets if requests]
    lent = share.index >= max(
        sum(filler.count for filler in fillers), 1
    )  # none is left, and a model must read something
    made: list[Bucket] = []
    items: dict[str, list[Items]] = {}
    base = count = dealt = 0
    for filler in fillers:
        filler.take(Share(0, share.count) if lent else share, dealt)
        dealt += filler.count
        bucket = filler.bucket(noise)
        if not len(filler.lengths):
            continue
        made.append(bucket)
        for request in filler.requests:
            items.setdefault(request.task.name, []).append(filler.items(request, base))
        base += bucket.pieces.numel()
        count += int(filler.lengths.sum())
    joined = {name: _joined(parts) for name, parts in items.items()}
    if lent:
        joined = {name: replace(item, weight=torch.zeros_like(item.weight)) for name, item in joined.items()}
    return Batch(made, joined, 0 if lent else count, lent)
