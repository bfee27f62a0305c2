"""Engines behind one of Beam's job servers: whether it answers, what it knows, and how workers are started."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.beam_options import check_flags, flags_of_beam, import_beam
from pipelines.runners.engine import Engine, Job
from pipelines.runners.ports import check_port

__all__ = ["WORKER", "JobServiceEngine", "environment", "known_options"]

WORKER = "auxloom-worker"
"""The program that an engine starts for its workers; it stands on the engine's PATH."""

_EMBEDDED = "embed"  # Beam's own job server, in this process
_ANSWER = 2.0  # seconds


class JobServiceEngine(Engine):
    """A job server, whatever engine stands behind it."""

    runner = "PortableRunner"
    """What Beam calls it."""
    addresses: tuple[str, ...] = ("job_endpoint",)
    not_for_server: tuple[str, ...] = ()
    """Options that are for us, and not for the job server."""
    hint = "--beam parallelism=N for more"
    """How a user gets more than one unit at a time."""

    def remote(self, run: RunTable) -> bool:
        """Return whether a job server is named."""
        return str(run.beam.get("job_endpoint", _EMBEDDED)) != _EMBEDDED

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return Beam's runner, with an environment that starts our workers and a job that can be found again."""
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners import create_runner

        if not self.remote(job.run):
            return create_runner(self.runner), PipelineOptions(flags_of_beam(job.run.beam))
        given, known = dict(job.run.beam), self._known(job.run)
        options = {"job_name": job.name, **given, **environment(given)} | self.settled(job, known)
        if "job_endpoint" in given:
            options = {key: value for key, value in options.items() if key not in self.not_for_server}
        return create_runner(self.runner), PipelineOptions(flags_of_beam(options))

    def check(self, run: RunTable) -> None:
        """Check endpoint, options and environment."""
        if self.remote(run):
            environment(run.beam)
            self._known(run)

    def end(self, run: RunTable, name: str) -> None:
        """End a job by the job server that it was given to."""
        with _server(str(run.beam["job_endpoint"])) as (server, messages):
            for job in server.GetJobs(messages.GetJobsRequest(), timeout=_ANSWER).job_info:
                if name in job.job_name:
                    server.Cancel(messages.CancelJobRequest(job_id=job.job_id), timeout=_ANSWER)

    def _known(self, run: RunTable) -> list[str]:
        """Return the options that the job server knows, if there is one already, which are all that may be given."""
        if "job_endpoint" not in run.beam:
            return []
        known = known_options(str(run.beam["job_endpoint"]))
        check_flags(flags_of_beam(run.beam), known)
        return known

    def settled(self, job: Job, known: Sequence[str]) -> dict[str, Any]:
        """Return options that follow from those that were given.

        Args:
            job: with the options that were given.
            known: names of the options that the job server knows.
        """
        if "parallelism" not in known or "parallelism" in job.run.beam:
            return {}
        if job.run.workers == 1:
            job.say(f"parallelism is 1: one unit at a time; give {self.hint}")
        return {"parallelism": min(job.run.workers, job.elements)}


ENGINES = {"portable": JobServiceEngine()}


def environment(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an environment that starts our workers, unless another one is named.

    Without one, Beam would run all units in this process on some engines, and in a container of its own on others.

    Example:
        >>> environment({})
        {'environment_type': 'PROCESS', 'environment_config': {'command': 'auxloom-worker'}}
        >>> environment({"environment_config": "/opt/auxloom/bin/auxloom-worker"})
        {'environment_type': 'PROCESS', 'environment_config': {'command': '/opt/auxloom/bin/auxloom-worker'}}
        >>> environment({"environment_type": "EXTERNAL", "environment_config": "localhost:50000"})
        {}
    """
    kind, config = str(given.get("environment_type", "")), given.get("environment_config", WORKER)
    if "environment_options" in given or (kind and kind != "PROCESS"):
        return {}
    if isinstance(config, str) and config.lstrip().startswith("{"):
        try:
            config = json.loads(config)
        except ValueError:
            raise RecipeError(f"environment_config={config} is not valid JSON") from None
    if not isinstance(config, Mapping):
        if not kind and not (config == WORKER or config.startswith("/")):
            raise RecipeError(
                f"environment_config={config} also requires an environment_type: DOCKER, EXTERNAL or PROCESS"
            )
        config = {"command": config}
    return {"environment_type": "PROCESS", "environment_config": dict(config)}


def known_options(endpoint: str) -> list[str]:
    """Return the names of the options that a job server knows.

    Raises:
        RecipeError: nothing answers there, or something else does.
    """
    check_port("job_endpoint", endpoint, "Beam job server")  # before anything is loaded
    import grpc

    try:
        with _server(endpoint) as (server, messages):
            found = server.DescribePipelineOptions(messages.DescribePipelineOptionsRequest(), timeout=_ANSWER)
    except (grpc.FutureTimeoutError, grpc.RpcError):
        raise RecipeError(f"job_endpoint={endpoint} is not a Beam job server") from None
    return [option.name for option in found.options]


@contextmanager
def _server(endpoint: str) -> Iterator[tuple[Any, Any]]:
    """Yield a client of a job server that answers, and the module of its messages."""
    import_beam()
    import grpc
    from apache_beam.portability.api.org.apache.beam.model.job_management.v1 import beam_job_api_pb2 as messages
    from apache_beam.portability.api.org.apache.beam.model.job_management.v1 import beam_job_api_pb2_grpc as services

    with grpc.insecure_channel(endpoint) as channel:
        grpc.channel_ready_future(channel).result(_ANSWER)
        yield services.JobServiceStub(channel), messages
