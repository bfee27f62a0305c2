"""What a process makes the units of a plan with; what costs seconds to load serves all of them."""

import socket
from dataclasses import dataclass

from pipelines.folder.layout import Folder
from pipelines.labels.held_out import HeldOut, read_held_out
from pipelines.layers.folders import base_of
from pipelines.layers.join_source import JoinSource
from pipelines.layers.matching import Matching
from pipelines.layers.taught_source import TaughtSource, Teaching
from pipelines.plans.plan import Plan
from pipelines.plans.plan_changes import changed_resources, changed_tools
from pipelines.recipes.loading import load_labelers
from pipelines.rows.context import Context
from pipelines.rows.cutter import Cutter
from pipelines.rows.pool import read_pool
from pipelines.rows.rows_source import RowsSource
from pipelines.rows.source import Source
from pipelines.rows.text_source import TextSource

__all__ = ["UnfitError", "Worker", "worker_of"]

_cached: dict[str, "Worker"] = {}
"""The worker of one plan, by its digest; it makes one unit at a time."""


class UnfitError(OSError):
    """A process that would make other rows; all units in it report the same."""


@dataclass(frozen=True)
class Worker:
    """What reads and what labels the units of a plan."""

    context: Context
    cutter: Cutter
    held_out: HeldOut | None
    """Of the labelled passages that train is not to show; None without labels of people."""
    matching: Matching | None = None
    """Of annotations to rows, where the plan joins them."""
    teaching: Teaching | None = None
    """The model that labels rows, where the plan names one."""

    def source(self, plan: Plan, folder: Folder, batch: int) -> Source:
        """Return where the rows of the plan come from.

        Args:
            plan: which may lie in another folder, or read another copy of the input, than when the worker was made.
            folder: in which it lies.
            batch: documents that are labelled at a time.
        """
        if not plan.base:
            return TextSource(plan, folder, self.cutter, batch)
        rows = RowsSource(base_of(folder), plan.base["plan"])
        if self.teaching:
            return TaughtSource(rows, self.teaching)
        return JoinSource(rows, self.matching) if self.matching else rows


def worker_of(plan: Plan, folder: Folder, *, strict: bool) -> Worker:
    """Return this process's worker for a plan; if ``strict``, all that can change a row must be as in the plan.

    Raises:
        UnfitError: it is not.
    """
    if plan.digest not in _cached:
        _cached.clear()
        labelers, digests = load_labelers(plan.recipe)
        changed = [*changed_resources(plan, digests), *(changed_tools(plan, labelers) if strict else ())]
        if changed:
            advice = "install what the plan was made with on all workers, or build into another folder"
            raise UnfitError(f"{socket.gethostname()} would produce different rows: {'; '.join(changed)}; {advice}")
        cutter, documents = Cutter(plan.recipe, plan.spaces), read_pool(folder)
        pool = cutter.cut(documents)[0] if documents and labelers else None  # nobody else looks into it
        context = Context.make(plan.recipe, labelers, plan.classes or {}, pool, plan.spaces, layer=bool(plan.base))
        matching = Matching.of_plan(plan, folder) if plan.joined else None
        teaching = Teaching.of_plan(plan, folder) if plan.taught else None
        _cached[plan.digest] = Worker(context, cutter, read_held_out(folder, plan.held_out), matching, teaching)
    return _cached[plan.digest]
