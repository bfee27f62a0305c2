"""The end of a run: its best weights on the held-out split, and the report."""

from collections.abc import Iterable
from typing import Any

import torch

from trainer.data.dataset import TRAIN
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate
from trainer.inherit import inherited
from trainer.memory import give_back
from trainer.run import Progress, Run
from trainer.score import report
from trainer.score.metrics import Predictions
from trainer.score.surfaces import read_forms

__all__ = ["facts", "finish"]


def finish(run: Run, seconds: float, progress: Progress | None = None) -> dict[str, Any]:
    """Evaluate the best weights on the held-out split, and write the report and return it.

    The report is that of the first process; the others return none.
    """
    run.go_back()
    give_back()
    split, tell = report.held_out(run.data.splits), run.teller(progress)
    found: Iterable[Predictions] = ()
    if split:
        found = evaluate(run.model, run.data, split, tell=tell, group=run.group)
    if run.group.world > 1:
        found = [*found]  # nobody waits while baselines are fitted
        run.group.disperse()
    if not run.group.leads:
        return {}
    made = report.build_report(
        run.dataset,
        run.data,
        found,
        split=split,
        settings=run.settings.model_dump(mode="json"),
        untrained=run.untrained,
        forms=read_forms(run.folder.forms),
        run=facts(run, seconds),
        tell=tell,
    )
    report.write(run.folder.report, made)
    run.folder.publish()
    return made


def facts(run: Run, seconds: float) -> dict[str, Any]:
    """Return what the report says of the run itself."""
    state, train = run.state, run.data.splits[TRAIN]
    step = state.best.step or state.step
    return {
        "steps": state.step,
        "planned_steps": run.total,
        "stopped_early": state.step < run.total,
        "extended": [item.to_json() for item in run.mark.extensions],
        "best_step": step,
        "best_epoch": run.leg.epoch_of(step - 1) + 1,
        **({"phases": run.course.told([*state.ended, run.end()])} if run.settings.phase else {}),
        "chosen_on": run.validation or None,
        "chosen_by": _chosen_by(run),
        "pieces": state.pieces,
        "encoder": dict(find_encoder(run.settings.model.encoder).origin(run.folder.learnt)),
        "init": dict(inherited(run.folder.learnt)),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "train_rows": {task.name: len(train.targets[task.name]) for task in run.data.tasks},
        "seconds": round(seconds, 1),
        "device": str(run.device),
        "threads": torch.get_num_threads(),
        **run.group.facts(),
    }


def _chosen_by(run: Run) -> str | None:
    """Return the primary, if it has labels by which a checkpoint can be chosen."""
    primary = run.settings.primary
    targets = run.data.splits[run.validation].targets if run.validation else {}
    return primary if primary in targets and len(targets[primary]) else None
