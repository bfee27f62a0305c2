"""`auxloom-worker`: what an engine starts for its workers, or with ``--pool`` a server that starts them when asked.

An engine calls it with ``--id`` and ``--provision_endpoint``; where to report and what options a job has, it asks
there. It becomes a Beam worker, one process per worker, and ends with the process that started it.
"""

import argparse
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.extras import MissingLibraryError, need
from pipelines.processes import end_when_asked, end_with
from pipelines.runners.beam_options import import_beam, quiet

__all__ = ["environment_of", "main", "provision"]

_ANSWER = 60.0  # seconds that an engine has to say what a worker is to do


def main() -> None:
    """Run the program."""
    try:
        _run(sys.argv[1:])
    except (MissingLibraryError, OSError) as error:
        sys.exit(f"auxloom-worker: {error}")


def _run(words: Sequence[str]) -> None:
    """Become a worker, or a pool of them."""
    given = _parse(words)
    need("", "build", program="auxloom-worker")
    if given.pool:
        from pipelines.runners.worker_pool import serve_pool

        serve_pool(given.host, given.port)
        return
    end_with(os.getppid())
    end_when_asked()
    os.environ["PYTHONSAFEPATH"] = "1"  # no file of the engine's folder shadows ours in a child of this process
    logging.getLogger().addHandler(logging.NullHandler())
    import_beam()
    with quiet():
        from apache_beam.runners.worker import sdk_worker_main
    os.environ.update(environment_of(given.id, provision(given.provision_endpoint, given.id)))
    _work(sdk_worker_main.main)


def _work(run: Callable[[list[str]], None]) -> None:
    """Work until the engine closes the connection, which is no failure, though Beam prints a page about it."""
    import grpc

    told = threading.excepthook

    def tell(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, grpc.RpcError):
            told(failed)

    threading.excepthook = tell
    with contextlib.suppress(grpc.RpcError):
        run(sys.argv)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the options; those of an engine that we need not know are left out."""
    parser = argparse.ArgumentParser(
        prog="auxloom-worker",
        description="A worker of `auxloom build` on a cluster. Engines start it with --id and --provision_endpoint; "
        "with --pool it is a server for environment_type=EXTERNAL.",
        allow_abbrev=False,
    )
    parser.add_argument("--id", help="name of the worker, given by the engine")
    parser.add_argument("--provision_endpoint", metavar="HOST:PORT", help="address of the engine's provision service")
    parser.add_argument("--pool", action="store_true", help="run a pool that starts workers on request of an engine")
    parser.add_argument("--port", type=int, default=50000, help="of the pool (50000)")
    parser.add_argument("--host", default="localhost", help="address on which the pool listens (localhost)")
    given, _ = parser.parse_known_args(words)
    if not given.pool and not (given.id and given.provision_endpoint):
        parser.error("an engine starts this program, with --id and --provision_endpoint; or give --pool")
    return given


def provision(endpoint: str, worker: str) -> Any:
    """Return what an engine says of a worker.

    Raises:
        OSError: it does not answer.
    """
    import grpc
    from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_provision_api_pb2 as messages
    from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import (
        beam_provision_api_pb2_grpc as services,
    )

    with grpc.insecure_channel(endpoint) as channel:
        stub = services.ProvisionServiceStub(channel)
        try:
            answer = stub.GetProvisionInfo(
                messages.GetProvisionInfoRequest(),
                metadata=[("worker_id", worker)],
                timeout=_ANSWER,
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            raise OSError(f"the engine does not answer at {endpoint}: {error.details()}") from None
    return answer.info


def environment_of(worker: str, info: Any) -> dict[str, str]:
    """Return the environment in which Beam's worker finds its engine.

    Args:
        worker: its name.
        info: what the engine says of it.
    """
    from google.protobuf import json_format, text_format

    found = {
        "WORKER_ID": worker,
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.logging_endpoint),
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    if info.status_endpoint.url:
        found["STATUS_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.status_endpoint)
    return found


if __name__ == "__main__":
    main()
