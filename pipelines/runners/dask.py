"""Dask: a partition for each unit, because Beam's runner puts all of them into one by default."""

import re
import time
from collections.abc import Mapping
from typing import Any

from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.beam_options import check_flags, flags_of_beam, import_beam
from pipelines.runners.causes import first_line
from pipelines.runners.engine import Engine, Job
from pipelines.runners.other import runner_of
from pipelines.runners.ports import check_port

__all__ = ["ENGINES", "DaskEngine", "dask_setup"]

_ANSWER = 6.0  # seconds
_POLL = 2.0  # seconds between two looks at the workers
_DEATHS = 30  # of workers that a unit may be near to; one that kills three itself is given up by us
_PARTITIONS = 64  # of each thread: beyond it a partition has several units
_ALLOWED = "distributed.scheduler.allowed-failures"
_SIZES = ("dask_npartitions", "dask_partition_size")
_CLUSTERS = ("dask_client_address", "dask_scheduler_file")


class DaskEngine(Engine):
    """Dask's scheduler gives partitions to the threads of its workers, and those of a lost worker to others."""

    addresses = _CLUSTERS

    def remote(self, run: RunTable) -> bool:
        """Return whether a scheduler is named; without one, Dask starts workers on this machine."""
        return any(name in run.beam for name in _CLUSTERS)

    def check(self, run: RunTable) -> None:
        """Check that the scheduler answers."""
        if self.remote(run):
            _client(run).close()

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return the runner, once there is a worker."""
        from apache_beam.options.pipeline_options import PipelineOptions

        if not self.remote(job.run):
            _mute()
            _endure()
        runner, options = runner_of("apache_beam.runners.dask.dask_runner.DaskRunner"), dict(job.run.beam)
        check_flags(flags_of_beam(options))
        if self.remote(job.run):
            threads = _threads(job)
            if not any(name in options for name in _SIZES):
                options["dask_npartitions"] = min(job.elements, _PARTITIONS * threads)
        return runner, PipelineOptions(flags_of_beam(options))

    def close(self, result: Any) -> None:
        """Leave the scheduler."""
        result.client.close()


ENGINES = {"dask": DaskEngine()}


def _mute() -> None:
    """Have the cluster that Dask starts here log only warnings and errors, unless the user configured its logging."""
    from dask import config

    if not {"logging", "logging-file-config"} & set(config.config):  # read when `distributed` is imported
        loud = {"distributed": "warning", "distributed.worker.state_machine": "error"}  # we report Ctrl-C ourselves
        config.set({"logging": loud, "distributed.worker.preload": [__name__]})


def _endure() -> None:
    """Have the cluster that Dask starts here go on when several units kill workers, unless the user said when to stop.

    Dask blames the death of a worker on all units that were assigned to it.
    """
    from dask import config

    if config.get(_ALLOWED, None) is None:
        config.set({_ALLOWED: _DEATHS})


def dask_setup(worker: Any) -> None:
    """Load Beam in a worker without its warnings; Dask calls this in each worker that preloads this module."""
    del worker
    import_beam()


def _client(run: RunTable) -> Any:
    """Return a client of the scheduler.

    Raises:
        RecipeError: it does not answer.
    """
    address = str(run.beam.get("dask_client_address", ""))
    if re.fullmatch(r"tcp://[^/]+:\d+", address):
        check_port("dask_client_address", address, "Dask scheduler")
    from dask.distributed import Client

    try:
        return Client(timeout=_ANSWER, set_as_default=False, **_place(run.beam))
    except (OSError, ValueError) as error:
        place = " ".join(f"{name}={run.beam[name]}" for name in _CLUSTERS if name in run.beam)
        raise RecipeError(f"no Dask scheduler answers at {place} ({first_line(error)}); is it running?") from None


def _threads(job: Job) -> int:
    """Return how many threads the workers have, as soon as there is one."""
    with _client(job.run) as client:
        threads, reported = _count(client), False
        while not threads:
            if not reported:
                job.say("waiting for the cluster: 1 worker needed, 0 available")
                reported = True
            time.sleep(_POLL)
            threads = _count(client)
    return threads


def _place(beam: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a client finds its scheduler."""
    names = {"dask_client_address": "address", "dask_scheduler_file": "scheduler_file"}
    return {names[name]: beam[name] for name in _CLUSTERS if name in beam}


def _count(client: Any) -> int:
    """Return the threads of all workers."""
    return sum(client.nthreads().values())
