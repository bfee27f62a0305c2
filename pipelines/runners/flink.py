"""Flink, by Beam's job server: free slots and cancelling are asked of Flink's REST, where ``flink_master`` names it."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import RunTable
from pipelines.runners.causes import cause_of
from pipelines.runners.engine import Job
from pipelines.runners.job_service import WORKER, JobServiceEngine

__all__ = ["ENGINES", "FlinkEngine"]

_ANSWER = 4.0  # seconds
_POLL = 2.0  # seconds between two looks at the slots
_OTHER_WORKER = f"put {WORKER} on its PATH, or name it with --beam environment_config=/PATH/{WORKER}"
_LOCAL = ("[auto]", "[local]")


class FlinkEngine(JobServiceEngine):
    """A job takes as many slots as its parallelism, and begins when all of them are free."""

    runner = "FlinkRunner"
    addresses = ("job_endpoint", "flink_master")
    not_for_server = ("flink_master",)  # it knows its own
    hint = "--beam parallelism=N, or --beam flink_master=HOST:8081 to use all free slots"

    def remote(self, run: RunTable) -> bool:
        """Return whether a job server or a cluster is named."""
        return super().remote(run) or run.beam.get("flink_master", _LOCAL[0]) not in _LOCAL

    def check(self, run: RunTable) -> None:
        """Check what the job server needs, and Flink's REST."""
        super().check(run)
        if rest := _rest(run.beam):
            _slots(rest)

    def settled(self, job: Job, known: Sequence[str]) -> dict[str, Any]:
        """Return the parallelism: what was given, else the free slots, as far as there are units for them."""
        rest = _rest(job.run.beam)
        if not rest:
            return super().settled(job, [*known, "parallelism"])
        total, free = _slots(rest)
        given = int(job.run.beam.get("parallelism", job.run.workers))
        wanted = given if given > 1 or "parallelism" in job.run.beam else min(free or total or 1, job.elements)
        if free < wanted:
            job.say(_waiting(wanted, free, total))
        while free < wanted <= total:  # Flink itself would give up after five minutes
            time.sleep(_POLL)
            total, free = _slots(rest)
        return {"parallelism": wanted}

    def cancel(self, job: Job, result: Any) -> None:
        """End the job by REST, where it is known: the job server says that it has ended, and lets it run on."""
        if not self._end(job.run, job.name):
            result.cancel()

    def end(self, run: RunTable, name: str) -> None:
        """End a job of another process, by REST where it is known."""
        if not self._end(run, name):
            super().end(run, name)

    @staticmethod
    def _end(run: RunTable, name: str) -> bool:
        """Return whether Flink's REST knew a job of that name, which it has ended."""
        rest = _rest(run.beam)
        ids = _ids(rest, name) if rest else []
        for one in ids:
            _ask(rest, f"/jobs/{one}?mode=cancel", "PATCH")
        return bool(ids)

    def said(self, job: Job) -> str:
        """Return the exception that ended the job."""
        rest = _rest(job.run.beam)
        found = [_ask(rest, f"/jobs/{name}/exceptions") for name in _ids(rest, job.name)] if rest else []
        return "\n".join(str(item.get("root-exception") or "") for item in found)

    def cause(self, text: str) -> str:
        """Say what some failures of Flink mean."""
        if "NoResourceAvailableException" in text or "Timeout has occurred: 300000 ms" in text:
            return (
                "the cluster had too few free slots for five minutes; give a smaller --beam parallelism, or start "
                "more task managers"
            )
        if "error=2" in text:  # of the system: there is no such file
            program = next(iter(re.findall(r'Cannot run program "([^"]*)"', text)), WORKER)
            return f"a task manager cannot find {program}; {_OTHER_WORKER}"
        ended = re.search(r"Process died with exit code (\d+)", text)
        if ended and ended[1] != "0":
            return f"{WORKER} ended at once with exit code {ended[1]} on a task manager; run it there to see why"
        return cause_of(text)


ENGINES = {"flink": FlinkEngine()}


def _waiting(wanted: int, free: int, total: int) -> str:
    """Say what the job waits for."""
    few = f" of {total} in all; if no more are started, Flink gives up after five minutes" if total < wanted else ""
    return f"waiting for the cluster: {wanted} {'slot' if wanted == 1 else 'slots'} needed, {free} free{few}"


def _rest(beam: Mapping[str, Any]) -> str:
    """Return the URL of Flink's REST, empty where nobody named it."""
    master = str(beam.get("flink_master", _LOCAL[0])).strip()
    if master in _LOCAL:
        return ""
    return (master if "://" in master else f"http://{master}").rstrip("/")


def _slots(rest: str) -> tuple[int, int]:
    """Return how many slots there are, and how many of them are free.

    Raises:
        RecipeError: nothing answers there, or something else does.
    """
    try:
        found = _ask(rest, "/overview")
        return int(found["slots-total"]), int(found["slots-available"])
    except OSError as error:
        reason = str(getattr(error, "reason", error))
        raise RecipeError(
            f"Flink's REST API does not answer at flink_master={rest} ({reason}); is it running?"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise RecipeError(f"flink_master={rest} is not Flink's REST API") from None


def _ids(rest: str, name: str) -> list[str]:
    """Return Flink's ids of a job."""
    return [str(one["jid"]) for one in _ask(rest, "/jobs/overview")["jobs"] if name in one["name"]]


def _ask(rest: str, path: str, method: str = "GET") -> Any:
    """Return what Flink's REST answers."""
    request = urllib.request.Request(rest + path, method=method)  # noqa: S310  (http, or what the user wrote)
    with urllib.request.urlopen(request, timeout=_ANSWER) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")
