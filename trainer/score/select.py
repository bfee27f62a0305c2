"""Which checkpoint is the best, and for how long there was no better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelers.task import Task
from trainer.score.metrics import metric_of

__all__ = ["VALIDATION", "Best", "value_of"]

VALIDATION = "validation"
"""The one split by which a checkpoint is chosen: never the one that is reported on if there are two."""


@dataclass
class Best:
    """The best checkpoint so far."""

    step: int = 0
    """0 before the first evaluation."""
    value: float = 0.0
    waited: int = 0
    """Evaluations since then."""

    def improves(self, step: int, value: float) -> bool:
        """Record an evaluation, and return whether it is the best so far."""
        if self.step and value <= self.value:
            self.waited += 1
            return False
        self.step, self.value, self.waited = step, value, 0
        return True


def value_of(
    tasks: Sequence[Task], scores: Mapping[str, float], sure: Sequence[str], primary: str, unigram: Mapping[str, float]
) -> float:
    """Return by what the best checkpoint is chosen, higher is better.

    The primary's metric; without a primary the mean over tasks of their metric, of which nats per word count as the
    share that they save of a unigram model's. Not the loss: of a small task it rises while the answers get better.

    Args:
        tasks: all that are trained.
        scores: the metric of each task.
        sure: tasks that have enough labels for their metric to be informative; the others count only if there are
            none.
        primary: a task, or "".
        unigram: nats per word of a unigram model, for tasks of masked words.
    """
    metrics = {task.name: metric_of(task) for task in tasks}
    if primary in scores:
        return scores[primary] if metrics[primary].higher else -scores[primary]
    chosen = {name: scores[name] for name in sure or scores}
    values = [value if metrics[name].higher else 1 - value / unigram[name] for name, value in chosen.items()]
    return sum(values) / max(len(values), 1)
