"""The one shape of graph that a build needs, and the only module that touches Beam."""

import ctypes
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pipelines.processes import end_with
from pipelines.recipes.recipe import RecipeError, nearest
from pipelines.recipes.recipe_tables import RunTable

__all__ = ["import_beam", "run_graph", "worker_main"]

_SIGNAL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG; the parent is the thread of Beam's that waits for the worker
_WORKER = "import sys; sys.path.append({root!r}); from pipelines.graph import worker_main; worker_main()"


def run_graph(
    elements: Sequence[Any],
    work: Callable[[Any], Any],
    merge: Callable[[Any], Any],
    finish: Callable[[Any], None],
    run: RunTable,
) -> None:
    """Apply ``work`` to all elements in parallel, merge the results and hand the one that is left to ``finish``.

    There is at least one element. Elements and results cross a shuffle, so they are descriptors and small reports. All
    callables are pickled: functions of a module or dataclasses with ``__call__``. ``merge`` takes an iterable of
    results and of its own results, in any order. ``finish`` runs wherever the runner likes; what it finds out it must
    write to a file.
    """
    beam = import_beam()
    runner, options = _runner(run)
    pipeline = beam.Pipeline(runner=runner, options=options)
    results = pipeline | beam.Create(elements) | beam.Reshuffle() | "Work" >> beam.Map(work)
    # a default would come in by a side input, before which the Dask runner computes all in one process
    merged = results | "Merge" >> beam.CombineGlobally(merge).without_defaults()
    _ = merged | "Finish" >> beam.Map(finish)
    pipeline.run().wait_until_finish()


def import_beam() -> Any:
    """Import Beam without the warnings that it logs about libraries which it looks for in vain."""
    logger = logging.getLogger("apache_beam")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    with _quiet():
        import apache_beam as beam

        # these are imported here so that what they log is lost, too
        import apache_beam.io.filesystems
        import apache_beam.runners.portability.fn_api_runner
    return beam


@contextmanager
def _quiet() -> Any:
    """Drop warnings of the logging module for a while."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _runner(run: RunTable) -> tuple[Any, Any]:
    """Return the runner and its options: Beam's local one with one process per worker, or the one that was named."""
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = [flag for key, value in run.beam.items() for flag in _flags(key, value)]
    if run.runner != "local":
        runner = _named(run.runner)
        _check_flags(flags, runner)
        return runner, PipelineOptions(flags)
    _check_flags(flags, None)
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms import environments

    if run.workers == 1:
        return FnApiRunner(), PipelineOptions(flags)
    # as running mode multi_processing, but with a worker that is quiet and that no file of the current folder shadows
    code = _WORKER.format(root=str(Path(__file__).parents[1]))
    # Ctrl-C reaches the workers, too, and is answered by this process alone: they end with it
    command = f"trap '' INT; exec {shlex.quote(sys.executable)} -P -c {shlex.quote(code)}"
    environment = environments.SubprocessSDKEnvironment.from_command_string(command_string=command)
    options = PipelineOptions([f"--direct_num_workers={run.workers}", *flags])
    return FnApiRunner(default_environment=environment), options


def _named(name: str) -> Any:
    """Return the runner of a short name, a name of Beam's or a full class name.

    Raises:
        RecipeError: Beam knows none of that name.
    """
    from apache_beam.runners import create_runner

    try:
        return create_runner(_RUNNERS.get(name.lower(), name))
    except ValueError:
        reason = "Beam has no runner of that name"
    except (ImportError, AttributeError) as error:
        reason = str(error)
    known = ", ".join(["local", *_RUNNERS])
    near = nearest(name, list(_RUNNERS))
    raise RecipeError(f"cannot use runner {name!r}{near}: {reason}; give one of {known}, or a runner's full class name")


_RUNNERS = {
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
    "dataflow": "DataflowRunner",
    "direct": "DirectRunner",
    "flink": "FlinkRunner",
    "portable": "PortableRunner",
    "prism": "PrismRunner",
    "spark": "SparkRunner",
}


def _flags(key: str, value: Any) -> list[str]:
    """Return an option as Beam's command line has it.

    Example:
        >>> _flags("dask_npartitions", 4), _flags("streaming", True), _flags("experiment", ["a", "b"])
        (['--dask_npartitions=4'], ['--streaming'], ['--experiment=a', '--experiment=b'])
    """
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    return [f"--{key}={item}" for item in (value if isinstance(value, (list, tuple)) else [value])]


def _check_flags(flags: Sequence[str], runner: Any) -> None:
    """Refuse options that neither Beam nor the runner knows; a job server may know more than we can ask.

    Raises:
        RecipeError: an unknown option, or a value of another type than it has.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner

    def check(parser: Any) -> None:
        parser.error = _refuse
        for flag in parser.parse_known_args(flags)[1]:
            name = flag.removeprefix("--").partition("=")[0]
            _refuse(f"no option {name!r}{nearest(name, known)}")

    if not isinstance(runner, PortableRunner):
        known = list(PipelineOptions([]).get_all_options())
        PipelineOptions([]).get_all_options(add_extra_args_fn=check)


def _refuse(text: str) -> NoReturn:
    """Refuse options of a runner."""
    raise RecipeError(f"--beam, or [run.beam]: {text}; Beam's documentation lists its pipeline options")


def worker_main() -> None:
    """Run a Beam worker in this process, without a word on standard error, until the process that started it ends."""
    end_with(os.getppid())
    if sys.platform == "linux":  # at once, before it can complain that the other end is gone
        ctypes.CDLL(None).prctl(_SIGNAL_WHEN_PARENT_ENDS, signal.SIGKILL)
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ["PYTHONSAFEPATH"] = "1"
    import_beam()
    with _quiet():
        from apache_beam.runners.worker import sdk_worker_main
    sdk_worker_main.main(sys.argv)
