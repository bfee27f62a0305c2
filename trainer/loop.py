"""Training: a plain loop over the planned steps."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.data.batch import Batch, Noise, TaskSlice, collate
from trainer.data.dataset import Dataset
from trainer.failure import check_finite, told_memory
from trainer.folder import RunFolder
from trainer.inherit import told_of
from trainer.mark import Mark
from trainer.memory import give_back, keep_freed
from trainer.processes.group import Group
from trainer.processes.process_group import TrainJob, open_group
from trainer.run import Progress, Run
from trainer.run_report import finish
from trainer.run_store import followed, trained_in
from trainer.schedule.choices import told
from trainer.schedule.step_plan import EpochPlan
from trainer.settings import Settings
from trainer.validate import validate

__all__ = ["fit", "follow", "train"]


def train(
    dataset: str | Path,
    out: str | Path,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    auto: bool = False,
    overwrite: bool = False,
    stop_after: int | None = None,
    layers: Sequence[str] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Train one model on all tasks of a dataset and return the report, which also stands in ``out/report.json``.

    Args:
        dataset: a folder that `auxloom build` wrote, as a path or a URI.
        out: the folder of the run, likewise; must be empty or absent unless ``resume``, ``auto`` or ``overwrite`` is
            given.
        settings: the defaults if None. With ``resume`` the settings of the run hold: those that are named here must be
            equal, but ``epochs``, ``max_steps`` and ``tokens`` may grow.
        resume: go on where the run in ``out`` stopped; of one that ended, and is not to grow, the report is returned.
        auto: the same where there is a run with all these settings; else begin it.
        overwrite: where the run in ``out`` is on another dataset or has other settings, remove it and begin anew.
        stop_after: stop behind this step, with a checkpoint; what is returned then is no report but
            ``{"finished": False, "step": ...}``.
        layers: names of the layers of the dataset to read beside it; None: all of them.
        processes: that train on this machine; torchrun says it instead. All but the first return an empty report.
        progress: is told of every step, and what is evaluated.
        say: is told in a sentence what a run that begins decided about its tasks.
        clock: seconds, rising.

    Raises:
        FileNotFoundError: ``dataset`` is no finished dataset, or there is no run to resume.
        ValueError: it has no tasks that can be trained, ``out`` holds something else, a run on another dataset or with
            other settings, a setting does not fit the tasks or the machine, the dataset is damaged, or a process died.
    """
    started, job = clock(), TrainJob(str(dataset), str(out), layers, stop_after)
    with open_group(processes, job) as group:
        if not group.leads:
            return follow(group, job)
        with trained_in(out) as folder:
            how = {"resume": resume, "auto": auto, "overwrite": overwrite}
            run = _opened(group, Dataset.open(dataset, layers), folder, settings or {}, say, **how)
            if not run:
                return folder.known_report()
            fit(run, stop_after, progress)
            return _ended(run, clock() - started, progress)


def _ended(run: Run, seconds: float, progress: Progress | None) -> dict[str, Any]:
    """Return the report of a run, or at which step it was stopped."""
    return finish(run, seconds, progress) if run.ended else {"finished": False, "step": run.state.step}


def _opened(
    group: Group,
    data: Dataset,
    folder: RunFolder,
    settings: Settings | Mapping[str, Any],
    say: Callable[[str], None] | None,
    **how: bool,
) -> Run | None:
    """Return the run in a folder, which begins or goes on; None if it has ended. ``how`` as `RunFolder.find` has it."""
    chosen, mark = folder.find(data, settings, **how)
    if mark and mark.settings == chosen and folder.report.exists():
        folder.publish()  # it may have failed
        group.over()
        return None
    run = Run(data, folder, chosen, mark, group)
    if say and not mark:
        _tell(say, told(chosen, run.settings), told_of(folder.learnt))
    return run


def follow(group: Group, job: TrainJob) -> dict[str, Any]:
    """Train with a first process, which writes and reports; what is returned is empty."""
    if not group.wait():
        return {}
    folder = followed(job.out)
    mark = Mark.read(folder.mark)
    run = Run(Dataset.open(job.dataset, job.layers), folder, mark.settings, mark, group)
    fit(run, job.stop_after)
    return finish(run, 0.0) if run.ended else {}


def _tell(say: Callable[[str], None], *sentences: str) -> None:
    """Say what there is to be said."""
    for sentence in filter(None, sentences):
        say(sentence)


def fit(run: Run, stop_after: int | None = None, progress: Progress | None = None) -> None:
    """Take all steps that are left, or those up to ``stop_after``."""
    settings, state, note = run.settings, run.state, ""
    keep_freed()
    if run.phase_over and not run.ended:  # a limit had ended the run there
        run.begin_phase()
        run.save()
    for epoch, plan, index in _steps(run, stop_after):
        with told_memory(run):
            losses = _step(run, epoch, plan, index)
        state.count(losses)
        place = _place(run, epoch)
        if state.step % settings.log_every == 0 or run.phase_over:
            note = run.log_losses(epoch)
            give_back()
        due = run.due
        if due:
            note = validate(run, epoch, progress) or note
        if run.phase_over and not run.ended:
            run.begin_phase()
        if due or state.step % settings.save_every == 0:
            run.save()
        if progress:
            progress(state.step, run.total, f"{place}  {note}".rstrip())
    run.save()


def _steps(run: Run, end: int | None) -> Iterator[tuple[int, EpochPlan, int]]:
    """Yield the epoch of the phase, which counts from 0, its plan and the index in it of each step up to ``end``."""
    while not run.ended and (end is None or run.state.step < end):
        leg = run.leg
        epoch, length = leg.epoch_of(run.state.step), leg.streams.plan.length
        plan, first = leg.streams.plan.epoch(epoch), leg.begin + epoch * length
        give_back()
        for step in range(run.state.step, min(first + length, leg.begin + leg.steps, end or run.total)):
            yield epoch, plan, step - first


def _place(run: Run, epoch: int) -> str:
    """Say where in the run an epoch stands."""
    phases = len(run.settings.phase)
    phase = f"phase {run.phase + 1} of {phases}, " if phases else ""
    return f"{phase}epoch {epoch + 1} of {run.leg.epochs}"


def _step(run: Run, epoch: int, plan: EpochPlan, index: int) -> dict[str, tuple[float, int]]:
    """Take one step: read, encode, score, weigh, descend; return the loss and the number of labels of each task."""
    settings, model, group, step = run.settings, run.model, run.group, run.state.step
    # every step draws its own dropout, whoever was before it, and every process another one for its rows
    torch.manual_seed(settings.seed * 1_000_003 + step + (group.rank << 40))
    noise = Noise.of(settings.seed, run.epochs_before + epoch, step, run.streams.rate, run.data.tokenizer)
    requests, labels = run.streams.requests(plan, index), run.streams.labels(plan)
    model.train()
    run.optimiser.zero_grad()
    found, parts = _Losses(), [*_parts(requests, settings.accumulate)]
    for number, part in enumerate(parts, 1):
        batch = collate(run.data, "train", part, noise, group.share).to(run.device)
        losses = group.losses(batch, last=number == len(parts))
        # a label weighs the same in whichever step it falls: the divisor is a constant of the epoch; the gradient is
        # the mean over processes, and is to be their sum
        weighed = [loss * (settings.weight(name) * group.world / labels[name]) for name, loss in losses.items()]
        torch.stack(weighed).sum().backward()  # type: ignore[no-untyped-call]
        found.add(losses, batch)
    tasks = sorted({item.task.name for bucket in requests for item in bucket})
    sums, pieces = group.summed(found.sums, found.pieces, tasks)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
    check_finite(run, sums, float(norm), requests)
    for trained in run.optimiser.param_groups:
        trained["lr"] = run.rate * trained["scale"]
    run.optimiser.step()
    run.state.step += 1
    run.state.pieces += pieces
    return sums


class _Losses:
    """The loss and the number of labels of each task, and all sub-words, over the parts of a step in this process."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}
        self.pieces = 0

    def add(self, losses: Mapping[str, Tensor], batch: Batch) -> None:
        """Add those of a batch."""
        for name, loss in losses.items():
            known, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = known + float(loss.detach()), count + batch.labels(name)
        self.pieces += batch.pieces


def _parts(requests: list[list[TaskSlice]], count: int) -> Iterator[list[list[TaskSlice]]]:
    """Yield the buckets of a step in so many parts, or fewer if some are empty."""
    buckets = [bucket for bucket in requests if bucket]
    for number in range(count):
        if part := buckets[number * len(buckets) // count : (number + 1) * len(buckets) // count]:
            yield part
