"""Encoded datasets for tests of the trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelers.task import Task
from trainer.data.cache import EncodedDataset, encode
from trainer.data.dataset import Dataset
from trainer.encoders.scratch import ScratchEncoder
from trainer.settings import ModelSettings, Settings

__all__ = ["encoded"]


def encoded(dataset: Dataset, tasks: Sequence[Task], folder: Path, **model: Any) -> EncodedDataset:
    """Return a dataset encoded for some tasks with a vocabulary of 320; what is learnt lies in ``folder``."""
    settings = Settings(model=ModelSettings(**{"vocabulary": 320, **model}))
    return encode(dataset, tasks, folder / "learnt", ScratchEncoder, settings)
