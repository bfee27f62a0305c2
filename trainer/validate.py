"""The checkpoint that a run keeps: evaluation on the validation split after each epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from trainer import checkpoint
from trainer.evaluate import evaluate
from trainer.memory import give_back
from trainer.run import Progress, Run
from trainer.score.metrics import FEW, Predictions, score
from trainer.score.select import value_of

__all__ = ["validate"]


def validate(run: Run, epoch: int, progress: Progress | None = None) -> str:
    """Evaluate on the validation split, keep the weights if they are the best so far, and return a note."""
    if not run.validation:
        return ""
    settings, tell, group = run.settings, run.teller(progress), run.group
    give_back()  # what steps leave, evaluation cannot use, and the other way round
    rows, seed = settings.evaluate_rows, settings.seed
    made = evaluate(run.model, run.data, run.validation, rows=rows, seed=seed, tell=tell, group=group)
    found = [item for item in made if len(item.gold)]
    value = group.agreed(_value(run, found, epoch) if group.leads else 0.0)
    give_back()
    if run.state.best.improves(run.state.step, value) and group.leads:
        checkpoint.save(run.folder.best, run.model.state_dict(), asdict(run.state))
    return f"validation {value:.3f}"


def _value(run: Run, found: Sequence[Predictions], epoch: int) -> float:
    """Return by what the checkpoint is chosen, and write it to the log with all scores."""
    losses = {item.task.name: float(item.loss.mean()) for item in found}
    scores = {item.task.name: score(item, replicates=1).value or 0.0 for item in found}
    sure = [item.task.name for item in found if len(item.gold) >= FEW]
    telling = _telling(run, scores)
    known = [name for name in sure if name in telling]
    value = value_of(run.data.tasks, telling, known, run.settings.primary, run.uninformed)
    line = run.log_line(epoch) | {"validation_loss": losses, "validation": scores}
    run.folder.log(line | {"value": value})
    return value


def _telling(run: Run, scores: Mapping[str, float]) -> dict[str, float]:
    """Return the scores by which a checkpoint of the phase is chosen: of its tasks, in the last one the primary's.

    Heads that are not trained tell nothing of a checkpoint; the primary is what the run is for.
    """
    chosen = {task.name for task in run.streams.tasks}
    if run.phase == len(run.settings.phases) - 1:
        chosen.add(run.settings.primary)
    return {name: score for name, score in scores.items() if name in chosen} or dict(scores)
