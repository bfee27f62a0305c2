"""The checkpoint that a run keeps: evaluation on the validation split after each epoch."""

from collections.abc import Mapping
from dataclasses import asdict

from trainer import checkpoint
from trainer.evaluate import evaluate
from trainer.memory import give_back
from trainer.run import Progress, Run
from trainer.score.metrics import FEW, score
from trainer.score.select import value_of

__all__ = ["validate"]


def validate(run: Run, epoch: int, progress: Progress | None = None) -> str:
    """Evaluate on the validation split, keep the weights if they are the best so far, and return a note."""
    if not run.validation:
        return ""
    settings, tell = run.settings, run.teller(progress)
    give_back()  # what steps leave, evaluation cannot use, and the other way round
    made = evaluate(run.model, run.data, run.validation, rows=settings.evaluate_rows, seed=settings.seed, tell=tell)
    found = [item for item in made if len(item.gold)]
    losses = {item.task.name: float(item.loss.mean()) for item in found}
    scores = {item.task.name: score(item, replicates=1).value or 0.0 for item in found}
    sure = [item.task.name for item in found if len(item.gold) >= FEW]
    telling = _telling(run, scores)
    known = [name for name in sure if name in telling]
    value = value_of(run.data.tasks, telling, known, settings.primary, run.uninformed)
    give_back()
    line = run.log_line(epoch) | {"validation_loss": losses, "validation": scores}
    run.folder.log(line | {"value": value})
    if run.state.best.improves(run.state.step, value):
        checkpoint.save(run.folder.best, run.model.state_dict(), asdict(run.state))
    return f"validation {value:.3f}"


def _telling(run: Run, scores: Mapping[str, float]) -> dict[str, float]:
    """Return the scores by which a checkpoint of the phase is chosen: of its tasks, in the last one the primary's.

    Heads that are not trained tell nothing of a checkpoint; the primary is what the run is for.
    """
    chosen = {task.name for task in run.streams.tasks}
    if run.phase == len(run.settings.phases) - 1:
        chosen.add(run.settings.primary)
    return {name: score for name, score in scores.items() if name in chosen} or dict(scores)
