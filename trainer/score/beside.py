"""Scores by further metrics of a kind, which a report shows beside that of the task."""

from dataclasses import replace
from typing import Any

from trainer.kinds import kind_of
from trainer.score.metrics import Predictions, metric_name, score
from trainer.score.probes import best_first, prior, run_probes
from trainer.score.rows import TaskRows

__all__ = ["further_scores"]


def further_scores(found: Predictions, seed: int = 0, rows: tuple[TaskRows, TaskRows] | None = None) -> dict[str, Any]:
    """Return what is to be added to the entry of a task in a report; nothing where its kind names no further metric.

    Args:
        found: what the model said.
        seed: of the bootstrap and the baselines.
        rows: train rows that baselines are fitted on, and the held-out rows; None for no baselines.
    """
    made = {}
    for name in kind_of(found.task).beside.get(metric_name(found.task), ()):
        task = replace(found.task, metric=name)
        made[name] = {"score": score(replace(found, task=task), seed).to_json()}
        if rows:
            train, held = (part.replaced(task=task) for part in rows)
            best, *_ = best_first(task, [prior(train, held, seed), *run_probes(train, held, seed)])
            made[name]["baseline"] = best.to_json()
    return {"beside": made} if made else {}
