"""Services of an engine that are served by the process of a test: Beam's job and provision services, Flink's REST."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import grpc
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_provision_api_pb2 as provision
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import beam_provision_api_pb2_grpc
from apache_beam.portability.api.org.apache.beam.model.job_management.v1 import beam_job_api_pb2 as jobs
from apache_beam.portability.api.org.apache.beam.model.job_management.v1 import beam_job_api_pb2_grpc

__all__ = ["FlinkRest", "closed_port", "job_service", "provision_service", "silent_port"]


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def silent_port() -> Iterator[int]:
    """Yield a port that takes connections and says nothing."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        yield int(deaf.getsockname()[1])


@contextmanager
def _served(add: Any, service: Any) -> Iterator[str]:
    """Serve until the body ends, and yield the endpoint."""
    server = grpc.server(ThreadPoolExecutor(2))
    add(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextmanager
def job_service(options: Sequence[str], names: Sequence[str] = (), ended: list[str] | None = None) -> Iterator[str]:
    """Yield the endpoint of a job server that knows some options and jobs, and notes the jobs that it shall end."""

    class Jobs(beam_job_api_pb2_grpc.JobServiceServicer):
        def DescribePipelineOptions(self, request: Any, context: Any) -> Any:  # noqa: N802
            found = [jobs.PipelineOptionDescriptor(name=name) for name in options]
            return jobs.DescribePipelineOptionsResponse(options=found)

        def GetJobs(self, request: Any, context: Any) -> Any:  # noqa: N802
            found = [jobs.JobInfo(job_id=f"id-{name}", job_name=name) for name in names]
            return jobs.GetJobsResponse(job_info=found)

        def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
            if ended is not None:
                ended.append(request.job_id)
            return jobs.CancelJobResponse()

    with _served(beam_job_api_pb2_grpc.add_JobServiceServicer_to_server, Jobs()) as endpoint:
        yield endpoint


@contextmanager
def provision_service(info: Any, asked: list[str]) -> Iterator[str]:
    """Yield the endpoint of a provision service, which notes the workers that ask it."""

    class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
        def GetProvisionInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
            asked.extend(value for key, value in context.invocation_metadata() if key == "worker_id")
            return provision.GetProvisionInfoResponse(info=info)

    with _served(beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server, Provision()) as endpoint:
        yield endpoint


class FlinkRest:
    """Flink's REST: so many slots, of which one more becomes free each time that somebody looks."""

    def __init__(self, total: int, free: int, jobs: Sequence[str] = ()) -> None:
        self.asked: list[str] = []
        rest, left = self, [free]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                rest.asked.append(f"{self.command} {self.path}")
                body: dict[str, Any] = {"slots-total": total, "slots-available": min(left[0], total)}
                if self.path == "/overview":
                    left[0] += 1
                if self.path.startswith("/jobs/overview"):
                    body = {"jobs": [{"jid": f"id-{name}", "name": name} for name in jobs]}
                self.send_response(202 if self.command == "PATCH" else 200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_PATCH = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *given: object) -> None:
        self._server.shutdown()
        self._server.server_close()
