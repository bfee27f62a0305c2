"""Beam's local runner, with one process per worker."""

import ctypes
import logging
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from pipelines.processes import end_when_asked, end_with
from pipelines.runners.beam_options import check_flags, flags_of_beam, import_beam, quiet
from pipelines.runners.engine import Engine, Job

__all__ = ["ENGINES", "LocalEngine", "worker_main"]

_SIGNAL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG; the parent is the thread of Beam's that waits for the worker
_WORKER = "import sys; sys.path.append({root!r}); from pipelines.runners.local import worker_main; worker_main()"


class LocalEngine(Engine):
    """In this process, or in worker processes of it."""

    def prepare(self, job: Job) -> tuple[Any, Any]:
        """Return the runner in memory for one worker, else one that starts a process for each."""
        from apache_beam.options.pipeline_options import PipelineOptions

        flags = flags_of_beam(job.run.beam)
        check_flags(flags)
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner
        from apache_beam.transforms import environments

        if job.run.workers == 1:
            return FnApiRunner(), PipelineOptions(flags)
        # as running mode multi_processing, but its worker is quiet, and no file of the current folder shadows it
        code = _WORKER.format(root=str(Path(__file__).parents[2]))
        # Ctrl-C reaches the workers, too, and is answered by this process alone: they end with it
        command = f"trap '' INT; exec {shlex.quote(sys.executable)} -P -c {shlex.quote(code)}"
        environment = environments.SubprocessSDKEnvironment.from_command_string(command_string=command)
        options = PipelineOptions([f"--direct_num_workers={job.run.workers}", *flags])
        return FnApiRunner(default_environment=environment), options


ENGINES = {"local": LocalEngine()}


def worker_main() -> None:
    """Run a Beam worker in this process, without a word on standard error, until the process that started it ends."""
    end_with(os.getppid())
    end_when_asked()
    if sys.platform == "linux":  # at once, before it can complain that the other end is gone
        ctypes.CDLL(None).prctl(_SIGNAL_WHEN_PARENT_ENDS, signal.SIGKILL)
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ["PYTHONSAFEPATH"] = "1"
    import_beam()
    with quiet():
        from apache_beam.runners.worker import sdk_worker_main
    sdk_worker_main.main(sys.argv)
