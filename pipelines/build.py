"""The build: plan, then one graph over the units, then the manifest; run it again and it does what is missing."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from labelers.stores.faults import explained, is_fault
from pipelines.display.build_report import BuildReport, make_report
from pipelines.folder.attempts import Attempts
from pipelines.folder.damage import Damage, inspect, plan_problems, read_manifest
from pipelines.folder.finish import finish
from pipelines.folder.layout import MANIFEST, RUNS, STATS, TEMPORARY, Folder, stats_name, to_json
from pipelines.folder.lock import Say, locked
from pipelines.folder.marks import Problem
from pipelines.folder.out_folder import check_free
from pipelines.interrupt import command_again
from pipelines.large.ending import finish_large
from pipelines.large.plan_parts import divided, is_large, planned
from pipelines.layers.folders import layer_names
from pipelines.plans.plan import Plan
from pipelines.plans.planning import draft
from pipelines.plans.prepare import again, prepare
from pipelines.recipes.loading import anywhere, find_own_modules, resource_places, with_store
from pipelines.recipes.recipe import Recipe, RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.rows.shard import make_shard
from pipelines.runners.left_jobs import end_left_jobs
from pipelines.runners.lost_workers import noted_attempts, run_again

__all__ = ["Finish", "MakeShard", "build", "build_plan", "merge_reports"]

Progress = Callable[[float, float, str], None]

_POLL = 0.5  # seconds between two looks at what is done
_STORE_POLL = 5.0  # the same in a store, where looking is paid for
_REST = 50  # at least so many times as long as a look took, nobody looks again
_MOST_FAULTS = 2  # units in a row that a store may fail, after which a process tries no more
_faults: dict[str, tuple[int, str]] = {}  # of the last run of this process, how many and what was said


def build(
    recipe: Recipe,
    *,
    overwrite: bool = False,
    drop_layers: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> BuildReport:
    """Build the dataset of a recipe, or what is missing or damaged of it.

    Args:
        recipe: what to build, and in its table ``run`` how.
        overwrite: remove what the folder holds of this or another plan, and build all of it.
        drop_layers: remove its layers with it; else a dataset that has any is not overwritten.
        check: compare the digest of every file that is there already, not only its size.
        progress: is called with (megabytes done, megabytes in all, note), from another thread.
        say: called with messages that the user should see at once.

    Returns:
        What was built; ``exit_code`` is not 0 where units failed, files could not be read, or too much was rejected.

    Raises:
        ValueError: a recipe that cannot be built, an output folder that holds something else or another plan, or one
            that another build is working in.
    """
    find_own_modules(str(Path.cwd()))
    recipe = with_store(recipe)
    check_free(recipe.out)
    recipe = _placed(recipe)
    layers = layer_names(Folder.at(recipe.out)) if overwrite else []
    if layers and not drop_layers:
        raise RecipeError(
            f"{recipe.out} has layers ({', '.join(layers)}), which --overwrite would remove; add --drop-layers, or "
            "give another --out"
        )
    return build_plan(draft(recipe), overwrite=overwrite, check=check, progress=progress, say=say)


def build_plan(
    new: Plan,
    *,
    overwrite: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> BuildReport:
    """Build the dataset or the layer of a draft; see `build`."""
    started, recipe = time.time(), _placed(new.recipe)
    new = new if recipe is new.recipe else replace(new, recipe=recipe)
    folder, graph = Folder.at(recipe.out), _graph(say)
    with locked(folder, say):
        end_left_jobs(folder, say)
        plan, damage, lost = _state(new, folder, graph, overwrite=overwrite, check=check)
        reports = [] if damage.complete else _run_units(plan, recipe, damage, graph, progress, say=say)
        manifest = read_manifest(folder)
        already = damage.complete and not lost
        if already:
            with contextlib.suppress(OSError):  # it may be read-only
                folder.clean()
        else:
            _log(folder, recipe.run, started, reports)
    made = {report["unit"] for report in reports if "error" not in report}
    mended = damage.of(made) if manifest is None else damage.of(damage.units) + damage.whole
    remade = [f"{item.name}: {item.what}" for item in lost + mended]
    return make_report(plan, manifest, reports, retry=_retry(recipe), remade=remade, already=already)


def _state(
    new: Plan, folder: Folder, graph: Any, *, overwrite: bool, check: bool
) -> tuple[Plan, Damage, list[Problem]]:
    """Return the plan to follow, what is to be done, and what of the plan was made again."""
    plan, lost = prepare(new, folder, graph, overwrite=overwrite)
    damage = inspect(plan, folder, check=check)
    broken = list(plan_problems(plan, folder, None if check else sorted(damage.units)))
    if broken:
        plan = again(plan, new, folder, graph)
    return plan, damage, lost + broken


def _graph(say: Say | None) -> Any:
    """Return `run_graph` with `say` bound; Beam is loaded where it is used."""
    from pipelines.graph import run_graph

    return partial(run_graph, say=say) if say else run_graph


def _placed(recipe: Recipe) -> Recipe:
    """Return a recipe as its workers need it; for those of a cluster, which must answer, without relative paths."""
    if recipe.run.beam:
        from pipelines.runners.lookup import check_addresses

        check_addresses(recipe.run)
    if not _is_remote(recipe.run):
        return recipe
    from pipelines.runners.lookup import engine_of

    engine_of(recipe.run.runner).check(recipe.run)
    return anywhere(recipe)


def _is_remote(run: RunTable) -> bool:
    """Return whether workers may be on other machines; engines are loaded where one is named."""
    if run.runner == "local":
        return False
    from pipelines.runners.lookup import is_remote

    return is_remote(run)


def _run_units(
    plan: Plan, recipe: Recipe, damage: Damage, graph: Any, progress: Progress | None, *, say: Say | None
) -> list[dict[str, Any]]:
    """Do the missing units and the end, and return the report of each unit."""
    folder, missing = Folder.at(recipe.out), sorted(damage.units)
    if damage.finished:  # whatever breaks off from here, the dataset is unfinished
        folder.remove(MANIFEST)
    for unit in missing:
        if damage.units[unit]:
            folder.remove(stats_name(unit))
    name = f"{TEMPORARY}reports-{os.getpid()}-{time.time_ns()}.json"
    end = Finish(recipe.out, plan.digest, name, is_large(plan))
    notes = noted_attempts(recipe.out, recipe.run, f"{name.removesuffix('.json')}-attempts")
    with _watched(plan, folder, progress), divided(plan, folder, name), notes as attempts:
        work = MakeShard(recipe.out, plan.digest, name, recipe.run.batch, str(Path.cwd()), attempts)
        try:
            if missing:
                units = partial(graph, missing, work, merge_reports, end, recipe.run)
                run_again(units, recipe.run, attempts, say)
            else:
                end([])
            reports = _reports(folder, name)
            if end.later and not any("error" in report for report in reports):
                finish_large(plan, folder, name, graph, recipe.run)
        except RecipeError:
            raise
        except Exception as error:  # noqa: BLE001  (a runner may fail in any way; what is done stays done)
            hint = "if this message is empty, a worker may have been killed or run out of memory"
            text = str(error) if _is_remote(recipe.run) else f"{type(error).__name__}: {error}; {hint}"
            text = explained(error) if is_fault(error) else text
            return [{"unit": -1, "error": {"text": text, "labeler": "", "document": ""}}]
    folder.remove(name)
    return reports


def _reports(folder: Folder, name: str) -> list[dict[str, Any]]:
    """Return the reports of units; where another run of the same plan ended meanwhile, it has removed them."""
    reports: list[dict[str, Any]] = json.loads(folder.read_if_there(name) or b"[]")
    return reports


@dataclass(frozen=True)
class MakeShard:
    """Makes the shards of one unit, wherever a runner sends it."""

    out: str
    plan: str
    """Digest of the plan."""
    run: str
    """Distinguishes this run from others: a process may outlive it."""
    batch: int
    folder: str
    """Where modules of the user's own may be found."""
    attempts: Attempts | None = None
    """Where attempts at units are noted."""

    def __call__(self, unit: int) -> list[dict[str, Any]]:
        """Return a list with the report of the unit."""
        find_own_modules(self.folder)
        faults, text = _faults.get(self.run, (0, ""))
        if faults >= _MOST_FAULTS:  # each further unit would wait for the store in vain
            return self.refused(unit, text)
        plan = planned(self.out, self.plan, self.run).of(unit)
        report = make_shard(unit, plan, self.out, batch=self.batch, attempts=self.attempts)
        report.pop("stats", None)  # it stands in the folder, and need not cross a shuffle
        error = report.get("error", {})
        _faults.clear()
        if error.get("of_store"):
            _faults[self.run] = (faults + 1, error["text"])
        return [report]

    def places(self, unit: int) -> list[str]:
        """Return the input of a unit, and the files of labelers."""
        plan = planned(self.out, self.plan, self.run).of(unit)
        inputs = [] if plan.base else [plan.files[part.file].path for part in plan.units[unit].ranges]
        return [*inputs, *resource_places(plan.recipe)]

    def refused(self, unit: int, why: str) -> list[dict[str, Any]]:
        """Return the report of a unit that cannot be made on this host."""
        here = {"host": socket.gethostname(), "process": os.getpid(), "setup": 0.0}
        error = {"text": why, "labeler": "", "document": "", "of_host": True}
        return [{"unit": unit, **here, "error": error, "started": time.time(), "seconds": 0.0}]


@dataclass(frozen=True)
class Finish:
    """Ends a build: the manifest if all units are done, and the reports for whoever waits for them."""

    out: str
    plan: str
    name: str
    later: bool = False
    """The manifest of a large dataset is made by further graphs."""

    def __call__(self, reports: list[dict[str, Any]]) -> None:
        """Write manifest and reports."""
        if not self.later and not any("error" in report for report in reports):
            finish(planned(self.out, self.plan, self.name).head, self.out)
        Folder.at(self.out).write(self.name, to_json(reports))


def merge_reports(parts: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the reports of several parts as one list, in the order of units."""
    return sorted((report for part in parts for report in part), key=_unit)


def _unit(report: Mapping[str, Any]) -> int:
    """Return the unit of a report."""
    return int(report["unit"])


def _retry(recipe: Recipe) -> str:
    """Return the command that does what is missing: the one that was given, which is to remove nothing now."""
    if Path(sys.argv[0]).stem in {"auxloom", "cli"}:
        return command_again()
    return f"the same build of {recipe.out}"


def _log(folder: Folder, run: RunTable, started: float, reports: Sequence[Mapping[str, Any]]) -> None:
    """Add a line about this run: times and hosts, which stand outside the promise of equal bytes."""
    line = {
        "started": started,
        "seconds": time.time() - started,
        "host": socket.gethostname(),
        "workers": run.workers,
        "runner": run.runner,
        "units": list(reports),
    }
    folder.append(RUNS, to_json(line))


@contextmanager
def _watched(plan: Plan, folder: Folder, progress: Progress | None) -> Iterator[None]:
    """Report progress from a thread while the body runs: which units are done is seen from outside."""
    if progress is None:
        yield
        return
    sizes = {f"{unit:05d}.json": size / 1e6 for unit, size in enumerate(plan.unit_sizes())}
    stop, wait = threading.Event(), _POLL if folder.local else _STORE_POLL

    def look() -> float:
        began = time.monotonic()
        names = [name for name in folder.names(STATS) if name in sizes]
        done = sum(sizes[name] for name in names)
        progress(done, sum(sizes.values()), f"{len(names)} of {len(sizes)} units")
        return max(wait, _REST * (time.monotonic() - began))

    def watch() -> None:
        rest = wait
        while not stop.wait(rest):
            rest = look()

    look()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        look()
