"""Starts workers of this interpreter when an engine asks for them (``environment_type=EXTERNAL``).

Task managers may call their workers alike: each is known by its name and the engine's control endpoint. An engine that
wants one ended says its name alone; where several have it, each ends by itself once its engine has closed the
connection.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.runners.beam_options import import_beam, quiet

__all__ = ["WorkerPool", "serve_pool", "start_pool"]

_PATIENCE = 10.0  # seconds that a worker has to end by itself
_START = "import sys; sys.path.append({root!r}); from pipelines.runners.launcher import main; main()"

Start = Callable[[list[str]], subprocess.Popen[bytes]]


def start_worker(options: list[str]) -> subprocess.Popen[bytes]:
    """Start a worker with the options that an engine gives it."""
    code = _START.format(root=str(Path(__file__).parents[2]))
    return subprocess.Popen([sys.executable, "-P", "-c", code, *options], stdin=subprocess.DEVNULL)


class WorkerPool:
    """The workers, and Beam's two calls.

    Args:
        start: starts one; a parameter for tests.
    """

    def __init__(self, start: Start = start_worker) -> None:
        """Have none."""
        self._start, self._guard = start, threading.Lock()
        self.workers: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        """By name and control endpoint."""

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002  (names of the service)
        """Start a worker, unless it runs."""
        from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_fn_api_pb2 as messages

        key = (request.worker_id, request.control_endpoint.url)
        options = [f"--id={request.worker_id}", f"--provision_endpoint={request.provision_endpoint.url}"]
        with self._guard:
            self._bury()
            if key in self.workers:
                return messages.StartWorkerResponse()
            try:
                self.workers[key] = self._start(options)
            except OSError as error:
                return messages.StartWorkerResponse(error=f"no worker can be started: {error}")
        return messages.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """End the worker of a name, if it is the only one."""
        from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_fn_api_pb2 as messages

        with self._guard:
            self._bury()
            named = [key for key in self.workers if key[0] == request.worker_id]
            ended = [self.workers.pop(key) for key in named] if len(named) == 1 else []
        for worker in ended:
            _end(worker)
        return messages.StopWorkerResponse()

    def end(self) -> None:
        """End all workers."""
        with self._guard:
            ended = list(self.workers.values())
            self.workers.clear()
        for worker in ended:
            worker.terminate()
        for worker in ended:
            _end(worker)

    def _bury(self) -> None:
        """Forget workers that have ended."""
        for key in [key for key, worker in self.workers.items() if worker.poll() is not None]:
            del self.workers[key]


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker, by force if it does not by itself."""
    worker.terminate()
    try:
        worker.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def start_pool(host: str, port: int, pool: WorkerPool) -> tuple[Any, int]:
    """Serve a pool, and return the server and its port.

    Raises:
        OSError: the port is in use.
    """
    from concurrent.futures import ThreadPoolExecutor

    import_beam()
    with quiet():
        import grpc
        from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_fn_api_pb2_grpc as services
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.so_reuseport", 0)])
    services.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise OSError(f"cannot listen on {host}:{port}; is another pool running there?") from None
    server.start()
    return server, port


def serve_pool(host: str, port: int) -> None:
    """Serve until this process gets a signal to end; all workers end with it."""
    pool = WorkerPool()
    server, port = start_pool(host, port, pool)
    sys.stderr.write(f"auxloom-worker: process {os.getpid()} starts workers for {host}:{port}\n")
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *given: told.set())  # noqa: ARG005
    told.wait()
    server.stop(0)
    pool.end()
