"""Two processes for many runs: this one, and another that follows it from run to run."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from trainer.encoders.scratch import SIZES, Size
from trainer.loop import follow, train
from trainer.model.model import Model
from trainer.processes.distributed import Distributed
from trainer.processes.parent import end_with_parent
from trainer.processes.process_group import TrainJob

__all__ = ["Pair", "patched"]

_POLL = 0.01  # seconds between two looks at whether there is another run


@contextmanager
def patched(*, double: bool = False, report: bool = False) -> Iterator[None]:
    """Train with a smaller encoder, and in the precision that a test asks for; the report may be left out."""
    with pytest.MonkeyPatch.context() as patch:
        if not report:
            patch.setattr("trainer.loop.finish", lambda *_: {})
        patch.setitem(SIZES, "tiny", Size(1, 32, 2))
        if double:
            patch.setattr("trainer.run.Model", _double)
        yield


def _double(*given: Any) -> Model:
    """Return a model in float64; features of sub-words are counted in float32."""
    model = Model(*given).double()
    if hasattr(model.encoder, "known"):
        model.encoder.known.register_forward_hook(lambda *told: told[-1].double())
    return model


class Pair:
    """Trains with another process, which is started once."""

    def __init__(self) -> None:
        self._store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._runs = 0
        start = multiprocessing.get_context("spawn").Process
        self._other = start(target=_follow, args=(self._store.port, os.getpid()), daemon=True)
        self._other.start()

    def train(
        self, dataset: Path, out: Path | str, settings: dict[str, Any], *, resume: bool = False, **how: bool
    ) -> Any:
        """Train a run, ``how`` as `patched` has it, and return its report."""
        self._tell({"dataset": str(dataset), "out": str(out), "how": how})
        group = Distributed(PrefixStore(f"run-{self._runs}", self._store), 0, 2, (0, 2))
        with patched(**how), pytest.MonkeyPatch.context() as patch:
            patch.setattr("trainer.loop.open_group", lambda *_: group)
            return train(dataset, out, settings, resume=resume)

    def end(self) -> None:
        """End the other process."""
        self._tell({})
        self._other.join()

    def _tell(self, job: dict[str, Any]) -> None:
        self._runs += 1
        self._store.set(f"job-{self._runs}", json.dumps(job))


def _follow(port: int, parent: int) -> None:
    """Follow from run to run."""
    end_with_parent(parent)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    store = TCPStore("127.0.0.1", port, is_master=False)
    number = 0
    while True:
        number += 1
        while not store.check([f"job-{number}"]):
            time.sleep(_POLL)
        job = json.loads(store.get(f"job-{number}"))
        if not job:
            return
        group = Distributed(PrefixStore(f"run-{number}", store), 1, 2, (1, 2))
        with patched(**job["how"]), group:
            follow(group, TrainJob(job["dataset"], job["out"], None, None))
