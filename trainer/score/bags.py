"""Bag of words: a linear model of which words stand in each part of a row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import IntArray, Ragged, ranges
from trainer.schedule.optimiser import AdamW
from trainer.schedule.step_plan import generator
from trainer.score.rates import classes_of
from trainer.score.rows import TaskRows, folded

__all__ = ["BagOfWords"]

_FEATURES = 20_000
_ROWS = 256
_RATE = 0.02


@dataclass(frozen=True)
class BagOfWords:
    """Logistic regression on the words of each part, which count once; the parts have bags of their own.

    Multinomial for labels of one class, one regression for each class where several may hold. A fixed number of steps
    of Adam with a falling rate: no setting is tuned, and two runs give the same.
    """

    name: str = "bag of words"
    passes: int = 6
    """Passes over the rows, where they are many."""
    steps: int = 300
    """Fewest steps."""

    def predict(self, train: TaskRows, held: TaskRows, seed: int, /) -> npt.NDArray[Any]:
        """Return the class of each held-out row, int64 [n], or the classes that hold in it, bool [n, C]."""
        several = train.labels.ndim > 1
        classes = train.labels.shape[1] if several else classes_of(train)
        forms = folded(train.types)
        tables = [_table(forms[part.values], part.owners) for part in train.parts]
        bags = _bags([forms[part.values] for part in train.parts], train.parts, tables)
        weights, bias = self._fit(bags, train.labels, sum(map(_size, tables)), classes, seed)
        unseen = _bags([forms[part.values] for part in held.parts], held.parts, tables)
        index, offsets = torch.from_numpy(unseen.values), torch.from_numpy(unseen.offsets[:-1])
        with torch.no_grad():
            scores = _scores(index, offsets, weights, bias)
        result: npt.NDArray[Any] = (scores >= 0 if several else scores.argmax(1)).numpy()
        return result

    def _fit(
        self, bags: Ragged, labels: npt.NDArray[Any], features: int, classes: int, seed: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weights [F + 1, C] and the bias [C]."""
        weights = torch.zeros(features + 1, classes, requires_grad=True)
        bias = torch.zeros(classes, requires_grad=True)
        optimizer = AdamW([{"params": [weights, bias]}], _RATE)
        rng = generator(seed, self.name)
        steps = -(-len(labels) // _ROWS)  # of a pass
        passes = max(self.passes, -(-self.steps // steps))
        gold = torch.from_numpy(labels)
        for number, rows in enumerate(_batches(len(labels), passes, rng)):
            lengths = bags.lengths[rows]
            values = torch.from_numpy(bags.values[ranges(bags.offsets[rows], lengths)])
            offsets = torch.from_numpy(np.cumsum(lengths) - lengths)
            loss = _loss(_scores(values, offsets, weights, bias), gold[torch.from_numpy(rows)])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for group in optimizer.param_groups:
                group["lr"] = _RATE * (1 - number / (passes * steps))
            optimizer.step()
        return weights, bias


def _batches(count: int, passes: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Yield the rows of each step."""
    for _ in range(passes):
        order = rng.permutation(count)
        yield from (order[i : i + _ROWS] for i in range(0, count, _ROWS))


def _loss(scores: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of some rows."""
    if gold.dtype == torch.bool:
        return F.binary_cross_entropy_with_logits(scores, gold.float(), reduction="sum") / len(gold)
    return F.cross_entropy(scores, gold)


def _scores(index: torch.Tensor, offsets: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the score of each class, float32 [n, C], for bags of features."""
    return F.embedding_bag(index, weights, offsets, mode="sum") + bias


def _table(forms: IntArray, owners: IntArray) -> IntArray:
    """Return the feature of each form, -1 for forms that are too rare; int64 [V]."""
    distinct = np.unique(owners * (int(forms.max(initial=0)) + 1) + forms) % (int(forms.max(initial=0)) + 1)
    rows = np.bincount(distinct, minlength=1)
    kept = np.argsort(-rows, kind="stable")[:_FEATURES]
    kept = kept[rows[kept] > 1]  # a word of one row says nothing about others
    table = np.full(len(rows), -1)
    table[kept] = np.arange(len(kept))
    return table


def _size(table: IntArray) -> int:
    """Return the number of features of a table."""
    return int(table.max(initial=-1)) + 1


def _bags(forms: list[IntArray], parts: tuple[Ragged, ...], tables: list[IntArray]) -> Ragged:
    """Return the distinct features of each row, those of the second part behind those of the first."""
    owners, features, before = [], [], 0
    for form, part, table in zip(forms, parts, tables, strict=True):
        feature = np.where(form < len(table), table[np.minimum(form, len(table) - 1)], -1)
        owners.append(part.owners[feature >= 0])
        features.append(feature[feature >= 0] + before)
        before += _size(table)
    keys = np.unique(np.concatenate(owners) * (before + 1) + np.concatenate(features))
    lengths = np.bincount(keys // (before + 1), minlength=len(parts[0]))
    return Ragged.of(lengths, keys % (before + 1))
