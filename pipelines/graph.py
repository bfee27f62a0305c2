"""The one shape of graph that a build needs; beside it only `large.merge_tree` and `pipelines.runners` touch Beam."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.beam_options import import_beam
from pipelines.runners.lookup import engine_of
from pipelines.runners.on_worker import Ending, Work
from pipelines.runners.remote import new_job, run_remote

__all__ = ["import_beam", "run_graph"]


def run_graph(
    elements: Sequence[Any],
    work: Callable[[Any], Any],
    merge: Callable[[Any], Any],
    finish: Callable[[Any], None],
    run: RunTable,
    *,
    say: Callable[[str], None] | None = None,
) -> None:
    """Apply ``work`` to all elements in parallel, merge the results and hand the one that is left to ``finish``.

    There is at least one element. Elements and results cross a shuffle, so they are descriptors and small reports. All
    callables are pickled: functions of a module or dataclasses with ``__call__``. ``merge`` takes an iterable of
    results and of its own results, in any order, and nothing, too. ``finish`` runs wherever the runner likes; what it
    finds out it must write to a file. On a cluster ``work`` must be a `pipelines.runners.on_worker.Work` and
    ``finish`` an `Ending`. ``say`` is called with messages that the user should see at once.
    """
    beam = import_beam()
    from pipelines.large.merge_tree import MergeTree

    def start(runner: Any, options: Any, work: Callable[[Any], Any], finish: Callable[[Any], None]) -> Any:
        pipeline = beam.Pipeline(runner=runner, options=options)
        results = pipeline | beam.Create(elements) | beam.Reshuffle() | "Work" >> beam.Map(work)
        # a default would come in by a side input, before which the Dask runner computes all in one process
        merged = results | "Merge" >> beam.CombineGlobally(MergeTree(merge)).without_defaults()
        _ = merged | "Finish" >> beam.Map(finish)
        return pipeline.run()

    engine, job = engine_of(run.runner), new_job(len(elements), run, say)
    if engine.remote(run):
        run_remote(engine, job, cast("Work", work), merge, cast("Ending", finish), start)
    else:
        start(*engine.prepare(job), work, finish).wait_until_finish()
