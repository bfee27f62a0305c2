"""What the results of a study say: means, and gains with intervals.

A gain is a difference of two conditions on the same documents with the same seeds. Its interval has two parts: a
bootstrap resamples documents (Koehn 2004), and each sample is moved by Student's t times the standard error over the
pairs of runs. Runs are too few to be resampled themselves: of two or three, the interval would go from the lowest
difference to the highest, and a half or a quarter of all studies without any gain would tell one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelers.task import Task
from trainer.schedule.step_plan import generator
from trainer.score.metrics import Metric, metric_of
from trainer.study.design import CONTROL, Design
from trainer.study.trials import Trial

__all__ = ["Gain", "paired_gain", "summarised"]

_REPLICATES = 1000
_MOVES = 10
"""How often each sample of documents is moved, for the tails of t."""
_BASES = ("alone", CONTROL, "permuted")
"""Conditions over which gains are reported."""

Floats = npt.NDArray[np.float64]
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Gain:
    """By how much one condition is better than another: positive where it is, also if less of the metric is better."""

    value: float
    low: float | None
    """None where there are fewer than two documents."""
    high: float | None
    pairs: int
    """Pairs of runs with the same seeds."""

    @property
    def verdict(self) -> str:
        """Say what the interval shows; that of a single pair of runs does not include the variance between runs."""
        if self.low is None or self.high is None:
            return "no interval"
        if self.pairs == 1:
            return "one run"
        if self.low > 0:
            return "helps"
        return "hurts" if self.high < 0 else "not shown"

    def to_json(self) -> dict[str, Any]:
        """Return it as a plain JSON object."""
        interval = None if self.low is None else [self.low, self.high]
        return {"gain": self.value, "interval": interval, "pairs": self.pairs, "verdict": self.verdict}


def paired_gain(first: Sequence[Result], second: Sequence[Result], metric: Metric, seed: int = 0) -> Gain | None:
    """Return the gain of one condition over another; None where no runs have the same seeds.

    Args:
        first: results of the condition.
        second: results of the one that it is compared with.
        metric: of both.
        seed: of the bootstrap.
    """
    one, other = ({(item["build"], item["seed"]): item for item in side} for side in (first, second))
    cells = sorted(one.keys() & other.keys())
    if not cells:
        return None
    names = sorted({name for side in (one, other) for cell in cells for name in side[cell]["documents"]})
    sums = [np.stack([_aligned(side[cell], names) for cell in cells]) for side in (one, other)]
    sign = 1.0 if metric.higher else -1.0
    values = sign * (metric.value(sums[0].sum(axis=1)) - metric.value(sums[1].sum(axis=1)))
    value = float(values.mean())
    if len(names) < 2:  # noqa: PLR2004
        return Gain(value, None, None, len(cells))
    draws = generator(seed, "study")
    drawn = draws.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_REPLICATES).astype(np.float64)
    by_cell = [metric.value(np.stack([drawn @ part for part in side])) for side in sums]
    found = sign * (by_cell[0] - by_cell[1]).mean(axis=0)
    if len(cells) > 1:
        moves = draws.standard_t(len(cells) - 1, size=_MOVES * _REPLICATES)
        found = np.tile(found, _MOVES) + moves * _standard_error(values, cells)
    low, high = np.percentile(found, [2.5, 97.5])
    return Gain(value, float(low), float(high), len(cells))


def _aligned(result: Result, names: Sequence[str]) -> Floats:
    """Return the sums of each document, [D, K]; 0 of those that a run was not scored on."""
    places = {name: number for number, name in enumerate(names)}
    own = np.array(result["sums"], np.float64)
    made = np.zeros((len(names), own.shape[1]))
    made[[places[name] for name in result["documents"]]] = own
    return made


def _standard_error(values: Floats, cells: Sequence[tuple[int, int]]) -> float:
    """Return that of the mean of what pairs of runs differ by; builds that differ more than their runs decide it."""
    mean, builds = values.mean(), np.array([build for build, _ in cells])
    groups = [values[builds == build] for build in np.unique(builds)]
    between = sum(len(own) * (own.mean() - mean) ** 2 for own in groups) / max(len(groups) - 1, 1)
    return float(np.sqrt(max(values.var(ddof=1), between) / len(values)))


def summarised(
    results: Sequence[Result], trials: Sequence[Trial], design: Design, failed: Mapping[str, str]
) -> dict[str, Any]:
    """Return the conditions of a study with their scores, and the gains of each of them.

    Args:
        results: of the runs of the primary that ended.
        trials: all runs.
        design: of the study.
        failed: why runs failed, by their digests.
    """
    seconds = [item for item in trials if not item.pretraining]
    first = results[0] if results else {}
    task = Task.from_json(first["task"]) if first else None
    metric = metric_of(task) if task else None
    entries = []
    for labels in design.labels:
        groups = {name: _of(results, name, labels) for name in design.conditions}
        for condition, group in groups.items():
            own = [item for item in seconds if (item.condition, item.labels) == (condition, labels)]
            why = list(dict.fromkeys(failed[item.digest] for item in own if item.digest in failed))
            entry = {"labels": labels, "condition": condition, **_scores(group), "planned": len(own), "failures": why}
            gains = {
                base: gain.to_json()
                for base in _BASES
                if metric and base in groups and base != condition
                and (gain := paired_gain(group, groups[base], metric))
            }  # fmt: skip
            entries.append(entry | {"over": gains})
    return {
        "primary": first.get("primary"),
        "metric": first.get("metric"),
        "higher_is_better": metric.higher if metric else None,
        "split": first.get("split"),
        "documents": len(first.get("documents", ())),
        "items": first.get("items", 0),
        "control": CONTROL if CONTROL in design.conditions else None,
        "conditions": entries,
        "failed": len([item for item in seconds if item.digest in failed]),
    }


def _of(results: Sequence[Result], condition: str, labels: int) -> list[Result]:
    """Return the results of a condition with so many labels."""
    return [item for item in results if (item["condition"], item["labels"]) == (condition, labels)]


def _scores(group: Sequence[Result]) -> dict[str, Any]:
    """Return the mean and the standard deviation of some runs."""
    scores = [item["score"] for item in group]
    spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    pieces = float(np.mean([item["pieces"] for item in group])) if group else None
    return {
        "runs": len(scores),
        "mean": float(np.mean(scores)) if scores else None,
        "deviation": spread,
        "scores": scores,
        "pieces": pieces,
    }
