"""What a study will take: hours and disk, measured where runs have ended, else estimated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.encoders.scratch import SIZES
from trainer.study.results import Results
from trainer.study.trials import Trial

__all__ = ["Cost", "cost_of"]

_OPERATIONS = 4e10  # of a core in a second: what `tiny` was measured at, 2 x 128 with 16,700 sub-words a second
_OPERATIONS_CUDA = 2e13
_PER_PARAMETER = 16  # bytes: weights, both moments, and the best checkpoint
_VOCABULARY = 30_000
_TINY = (2, 128)


@dataclass(frozen=True)
class Cost:
    """What is left of a study."""

    hours: float
    speed: float
    """Sub-words per second of one process."""
    measured: bool
    disk: float
    """Bytes of checkpoints at the same time; datasets and encoded data come on top."""
    tokens: int
    """Sub-words that are left to be read."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a plain JSON object."""
        return {"hours": self.hours, "sub_words_per_second": self.speed, "measured": self.measured,
                "checkpoint_bytes": self.disk, "sub_words": self.tokens}  # fmt: skip


def cost_of(left: Sequence[Trial], results: Results, tables: Mapping[str, Any], jobs: int) -> Cost:
    """Return what some runs will take, by the speed of those that have ended.

    Args:
        left: the runs.
        results: what has ended.
        tables: ``train`` and ``model`` of the recipe.
        jobs: processes.
    """
    tokens = sum(item.budget for item in left)
    ended = list(results.lines.values())
    seconds = sum(item["seconds"] for item in ended)
    depth, width = _shape(str(tables.get("model", {}).get("encoder", "tiny")))
    inner = 12 * depth * width * width
    parameters = max((item["parameters"] for item in ended), default=inner + _VOCABULARY * width)
    if seconds:
        speed = sum(item["pieces"] for item in ended) / seconds
    else:
        cuda = str(tables.get("train", {}).get("device", "auto")) == "cuda"
        speed = (_OPERATIONS_CUDA if cuda else _OPERATIONS) / (6 * inner)
    at_once = min(jobs, max(len(left), 1)) + 1  # beside them the run that they begin with
    hours = tokens / speed / max(jobs, 1) / 3600
    return Cost(hours, speed, bool(seconds), float(at_once * parameters * _PER_PARAMETER), tokens)


def _shape(encoder: str) -> tuple[int, int]:
    """Return layers and width of an encoder, those of the smallest one where they are not known."""
    if encoder in SIZES:
        return SIZES[encoder].layers, SIZES[encoder].width
    try:
        config = json.loads((Path(encoder) / "config.json").read_bytes())
        return int(config["num_hidden_layers"]), int(config["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return _TINY
