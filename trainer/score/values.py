"""Numbers as labels: their metrics, and what can be predicted without a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labelers.ragged import IntArray
from trainer.score.metrics import FloatArray, Metric, Predictions
from trainer.score.rows import TaskRows

__all__ = ["VALUE_METRICS", "FormMean", "Length", "TrainMean"]

_SMOOTH = 2.0
"""Labels that the mean of all weighs beside those of one word form."""

_FLAT = 1e-12
"""Share of a variance that rounding may leave where there is none."""


def _grouped(groups: IntArray, count: int, *values: FloatArray) -> FloatArray:
    """Return the sums of some values [I] in each group, and the number of labels, float64 [count, K + 1]."""
    ones = np.ones(len(groups))
    return np.stack([np.bincount(groups, value, minlength=count) for value in (*values, ones)], axis=1)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below, 0 where nothing is below."""
    result: FloatArray = np.divide(above, below, out=np.zeros(np.shape(below)), where=below > 0)
    return result


def _both(predictions: Predictions) -> tuple[FloatArray, FloatArray]:
    """Return gold and predicted numbers, float64 [I] each."""
    return predictions.gold.astype(np.float64), predictions.predicted.astype(np.float64)


class Pearson(Metric):
    """Correlation of gold and predicted numbers (Pearson 1895); 0 where either are all equal."""

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 6]: numbers, their squares and products, about their means, which keeps the digits; and labels."""
        gold, said = (values - values.mean() for values in self._values(predictions))
        return _grouped(groups, count, gold, said, gold * gold, said * said, gold * said)

    def _values(self, predictions: Predictions) -> tuple[FloatArray, FloatArray]:
        """Return what is correlated."""
        return _both(predictions)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return the covariance divided by both deviations."""
        gold, said, gold_squares, said_squares, products, labels = np.moveaxis(sums, -1, 0)
        of_gold = gold_squares - _ratio(gold * gold, labels)
        of_said = said_squares - _ratio(said * said, labels)
        spread = (of_gold > _FLAT * gold_squares) & (of_said > _FLAT * said_squares)
        below = np.sqrt(np.where(spread, of_gold * of_said, 0.0))
        result: FloatArray = np.clip(_ratio(products - _ratio(gold * said, labels), below), -1, 1)
        return result


class Spearman(Pearson):
    """Correlation of ranks (Spearman 1904), equal numbers having the mean of their ranks.

    The interval keeps the ranks among all held-out labels, for sums over documents cannot rank anew in each sample.
    """

    def _values(self, predictions: Predictions) -> tuple[FloatArray, FloatArray]:
        """Return the ranks."""
        gold, said = _both(predictions)
        return _ranks(gold), _ranks(said)


def _ranks(values: FloatArray) -> FloatArray:
    """Return the rank of each number, from 1, float64 [I].

    Example:
        >>> _ranks(np.array([5.0, 1.0, 5.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[place.reshape(-1)]
    return ranks


class AbsoluteError(Metric):
    """Mean of the absolute errors; less is better."""

    higher = False

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 2]: absolute errors, labels."""
        gold, said = _both(predictions)
        return _grouped(groups, count, np.abs(gold - said))

    def value(self, sums: FloatArray) -> FloatArray:
        """Return errors / labels."""
        return _ratio(sums[..., 0], sums[..., 1])


class SquaredError(Metric):
    """Mean of the squared errors; less is better."""

    higher = False

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 2]: squared errors, labels."""
        gold, said = _both(predictions)
        return _grouped(groups, count, (gold - said) ** 2)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return errors / labels."""
        return _ratio(sums[..., 0], sums[..., 1])


class RootSquaredError(SquaredError):
    """Root of the mean of the squared errors, in the unit of the numbers; less is better."""

    def value(self, sums: FloatArray) -> FloatArray:
        """Return the root of errors / labels."""
        return np.sqrt(super().value(sums))


class Determination(Metric):
    """R²: the share of the variance of the gold numbers that the predictions account for; 0 where there is none.

    The variance is about the mean of the scored labels themselves, and in each sample of the interval about its own.
    """

    def sums(self, predictions: Predictions, groups: IntArray, count: int) -> FloatArray:
        """Return [D, 4]: squared errors, numbers about their mean, their squares, labels."""
        gold, said = _both(predictions)
        about = gold - gold.mean()
        return _grouped(groups, count, (gold - said) ** 2, about, about * about)

    def value(self, sums: FloatArray) -> FloatArray:
        """Return 1 - errors / variance."""
        errors, gold, squares, labels = np.moveaxis(sums, -1, 0)
        variance = squares - _ratio(gold * gold, labels)
        variance = np.where(variance > _FLAT * squares, variance, 0.0)
        result: FloatArray = np.where(variance > 0, 1 - _ratio(errors, variance), 0.0)
        return result


VALUE_METRICS: Mapping[str, Metric] = {
    "pearson": Pearson(),
    "spearman": Spearman(),
    "mae": AbsoluteError(),
    "mse": SquaredError(),
    "rmse": RootSquaredError(),
    "r2": Determination(),
}
"""Metrics of numbers, by name."""


@dataclass(frozen=True)
class TrainMean:
    """The mean of the train labels."""

    name: str = "train mean"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> FloatArray:
        """Return one number for all."""
        return np.full(len(held.labels), train.labels.mean())


def _line(train: FloatArray, labels: FloatArray, held: FloatArray) -> FloatArray:
    """Return the least-squares line through train labels over one feature, at the held-out values of the feature."""
    about, spread = train - train.mean(), train.var()
    slope = float((about * labels).mean() / spread) if spread > 0 else 0.0
    line: FloatArray = labels.mean() + slope * (held - train.mean())
    return line


@dataclass(frozen=True)
class Length:
    """A line over the logarithm of the length: of a passage in tokens, of a token in characters."""

    name: str = "length"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> FloatArray:
        """Return the number that the line has at each length."""
        return _line(self._feature(train), train.labels, self._feature(held))

    def _feature(self, rows: TaskRows) -> FloatArray:
        """Return the logarithm of each length, float64 [I]."""
        if rows.task.level == "token":
            characters = np.array([len(text) for text in rows.types.codes], np.float64)
            return np.log1p(characters[_forms(rows)])
        return np.log1p(rows.parts[0].lengths[rows.owners].astype(np.float64))


@dataclass(frozen=True)
class FormMean:
    """The mean number of each word form; for passages a line over the mean of these means."""

    name: str = "mean per word form"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> FloatArray:
        """Return the number that the form of each token, or the forms of each passage, stand for."""
        if train.task.level == "token":
            return self._means(_forms(train), train.labels, len(train.types))[_forms(held)]
        part = train.parts[0]
        means = self._means(part.values, train.labels[part.owners], len(train.types))
        return _line(self._over(train, means), train.labels, self._over(held, means))

    @staticmethod
    def _means(forms: IntArray, labels: FloatArray, size: int) -> FloatArray:
        """Return the smoothed mean of the labels that go with each form, float64 [V]."""
        counts = np.bincount(forms, minlength=size) + _SMOOTH
        result: FloatArray = (np.bincount(forms, labels, minlength=size) + _SMOOTH * labels.mean()) / counts
        return result

    @staticmethod
    def _over(rows: TaskRows, means: FloatArray) -> FloatArray:
        """Return the mean over the tokens of each passage, float64 [I]."""
        part = rows.parts[0]
        total = np.bincount(part.owners, means[part.values], minlength=len(part))
        return _ratio(total.astype(np.float64), part.lengths.astype(np.float64))


def _forms(rows: TaskRows) -> IntArray:
    """Return the code of the token of each label, int64 [I]."""
    part = rows.parts[0]
    forms: IntArray = part.values[part.offsets[rows.owners] + rows.positions]
    return forms
