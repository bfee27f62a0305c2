"""Going on with a run: where its last checkpoint left it, and what changes if it is to be longer than it was begun."""

from dataclasses import dataclass, field

from torch import Tensor

from trainer import checkpoint
from trainer.data.cache import EncodedDataset
from trainer.folder import RunFolder
from trainer.mark import Mark
from trainer.schedule.course import Course
from trainer.score.select import Best
from trainer.settings import Settings
from trainer.state import State

__all__ = ["Resumed", "course_of", "resumed"]


@dataclass(frozen=True)
class Resumed:
    """Where a run stands, at its first step or at its last checkpoint."""

    mark: Mark
    state: State = field(default_factory=State)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """Of the checkpoint; empty: there is none."""


def course_of(data: EncodedDataset, settings: Settings, mark: Mark) -> Course:
    """Return the course of a run; epochs that began before an extension keep their shares of the tasks."""
    return Course(data, settings, [(item.step, item.epochs[0]) for item in mark.extensions])


def resumed(folder: RunFolder, mark: Mark, settings: Settings, data: EncodedDataset, *, writes: bool = True) -> Resumed:
    """Return where a run stands, its log and its mark brought to that.

    Args:
        folder: of the run.
        mark: of the run, as it stands in the folder.
        settings: by which it goes on.
        data: what it trains on.
        writes: false where another process has brought log and mark to that.
    """
    found = Resumed(mark)
    if folder.last.exists():
        tensors, known = checkpoint.load(folder.last)
        found = Resumed(mark, State.from_json(known), tensors)
    if writes:
        folder.rewind(found.state.step)
    if settings != mark.settings:
        mark = _extended(folder, mark, settings, data, found.state)
    if any(item.step == found.state.step for item in mark.extensions):
        _begin_extension(folder, found.state)
    return Resumed(mark, found.state, found.tensors)


def _extended(folder: RunFolder, mark: Mark, settings: Settings, data: EncodedDataset, state: State) -> Mark:
    """Note that the run goes on to be longer than it was begun, and return its new mark."""
    folder.report.unlink(missing_ok=True)  # first: a report is that of the run as its mark says
    before, after = (course_of(data, item, mark).legs(state.ended) for item in (mark.settings, settings))
    steps = sum(leg.steps for leg in before), sum(leg.steps for leg in after)
    epochs = before[-1].streams.plan.epochs, after[-1].streams.plan.epochs
    mark = mark.extended(settings, state.step, steps, epochs)
    mark.write(folder.mark)
    return mark


def _begin_extension(folder: RunFolder, state: State) -> None:
    """Wait anew for a better checkpoint: who asks for more steps does not mean those that patience would spare.

    A best checkpoint of a later step is one of the shorter schedule, from before a break: it counts no more.
    """
    state.best.waited = 0
    if folder.best.exists() and checkpoint.load(folder.best)[1]["best"]["step"] != state.best.step:
        state.best = Best()
