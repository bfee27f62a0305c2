"""Where a process begins that `trainer.processes.launch` has started."""

import json
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress

from trainer.processes.parent import end_with_parent

__all__ = ["main"]


def main(given: str) -> None:
    """Train with the others, and end.

    Args:
        given: what is to be done, as JSON.
    """
    job = json.loads(given)
    end_with_parent(job["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # the first process warns
    from trainer.loop import follow
    from trainer.processes.distributed import is_loss
    from trainer.processes.launch import joined
    from trainer.processes.process_group import TrainJob

    group = joined(job)
    try:
        with group:
            follow(group, TrainJob(**job["job"]))
    except Exception as error:  # noqa: BLE001  (the first process tells of it)
        if not is_loss(error):
            with suppress(Exception):
                group.wrong(error)
            if not isinstance(error, ValueError | OSError):
                traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
