"""Steps that fail: the message about them, and what is left."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from labelers.stores.uri import below
from trainer.data.batch import TaskSlice
from trainer.run import Run

__all__ = ["check_finite", "told_memory"]

_SHOWN = 5  # rows

_ALLOCATORS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says in errors that are of no class of their own."""


def check_finite(
    run: Run, losses: Mapping[str, tuple[float, int]], norm: float, requests: Sequence[Sequence[TaskSlice]]
) -> None:
    """Check that a step can be taken.

    Args:
        run: which takes it.
        losses: the loss of each task, and its number of labels.
        norm: of the gradient.
        requests: the rows of the step.

    Raises:
        ValueError: a loss or the gradient is not a number; the message says where, and what is left.
    """
    if math.isfinite(norm) and all(math.isfinite(loss) for loss, _ in losses.values()):
        return
    wrong = [name for name, (loss, _) in losses.items() if not math.isfinite(loss)]
    what = f"the loss of {', '.join(wrong)}" if wrong else f"the gradient ({', '.join(losses)})"
    rows = _rows(run, requests, wrong or list(losses))
    raise ValueError(
        f"{what} is not a finite number in {_step(run)}, with the train rows {rows}; {_kept(run)}. Train in another "
        "folder with a lower learning_rate, or a longer warmup"
    )


@contextmanager
def told_memory(run: Run) -> Iterator[None]:
    """Say what to lower where a step needs more memory than there is.

    Raises:
        ValueError: it does.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        ours = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not ours and not any(said in str(error) for said in _ALLOCATORS):
            raise
    else:
        return
    settings = run.settings  # behind the handler, so that what the step held is free
    parts = settings.rows // settings.bucket
    more = f"accumulate (now {settings.accumulate}; up to rows / bucket = {parts})"
    cures = [f"lower bucket (now {settings.bucket}) or model.max_pieces (now {settings.model.max_pieces})"]
    cures += [f"raise {more}"] if settings.accumulate < parts else []
    cures += [] if settings.checkpointing else ["set checkpointing = true (now false)"]
    raise ValueError(
        f"out of memory on {run.device} in {_step(run)}; {_kept(run)}. Train in another folder: {', or '.join(cures)}"
    )


def _step(run: Run) -> str:
    """Name the step that follows."""
    phases = len(run.settings.phase)
    return f"step {run.state.step + 1}" + (f", in phase {run.phase + 1} of {phases}" if phases else "")


def _kept(run: Run) -> str:
    """Say which checkpoint is left."""
    if run.saved <= 0:
        return "none was kept yet"
    return f"the checkpoint of step {run.saved} is kept in {below(run.folder.name, run.folder.last.name)}"


def _rows(run: Run, requests: Sequence[Sequence[TaskSlice]], tasks: Sequence[str]) -> str:
    """Return the names of the rows of some tasks in a step, or as many as can be read."""
    train, split = run.data.splits["train"], run.dataset.splits["train"]
    found = [
        train.read(item.task.name).rows[train.targets[item.task.name].where[item.rows]]
        for bucket in requests
        for item in bucket
        if item.task.name in tasks
    ]
    rows = np.unique(np.concatenate(found))
    shown = split.chosen(rows[:_SHOWN]).column("id").to_pylist()
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(map(str, shown)) + more
