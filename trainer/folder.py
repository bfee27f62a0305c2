"""The folder of a run: whose it is, its log and its checkpoints.

- ``run.json``: the dataset and the settings; ``tasks.json``: the tasks that the model has heads for
- ``vocabulary.json``, ``bigrams.npz``: what was learnt by counting; ``encoded/``: a cache
- ``metrics.jsonl``: the log; ``last.safetensors``, ``best.safetensors``: checkpoints
- ``report.json``: what was learnt, written last
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.data import Dataset
from trainer.settings import Settings

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation value."""
        return self.path / "best.safetensors"

    @property
    def vocabulary(self) -> Path:
        """The pieces."""
        return self.path / "vocabulary.json"

    @property
    def bigrams(self) -> Path:
        """How often pieces follow each other."""
        return self.path / "bigrams.npz"

    @property
    def tasks(self) -> Path:
        """The tasks that the model has heads for, as JSON."""
        return self.path / "tasks.json"

    @property
    def report(self) -> Path:
        """The report, there once the run has ended."""
        return self.path / "report.json"

    @property
    def _mark(self) -> Path:
        return self.path / "run.json"

    @property
    def _log(self) -> Path:
        return self.path / "metrics.jsonl"

    def claim(self, data: Dataset, settings: Settings, *, resume: bool) -> None:
        """Make the folder, or check that it holds the run that is to go on.

        Raises:
            ValueError: it holds something else, or a run on another dataset or with other settings.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file; give a folder for the run")
        if self._mark.exists():
            self._check(data, settings, resume=resume)
            return
        if self.path.exists() and any(self.path.iterdir()):
            raise ValueError(f"{self.path} holds something that is no run of auxloom; give another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        mark = {"dataset": data.digest, "settings": settings.model_dump(mode="json")}
        self._mark.write_text(json.dumps(mark, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def settings(self) -> Settings:
        """Return the settings of the run in the folder."""
        return Settings.model_validate(json.loads(self._mark.read_text(encoding="utf-8"))["settings"])

    def _check(self, data: Dataset, settings: Settings, *, resume: bool) -> None:
        """Check that the run in the folder is the one that was asked for."""
        known = json.loads(self._mark.read_text(encoding="utf-8"))
        if known["dataset"] != data.digest:
            raise ValueError(
                f"the checkpoint in {self.path} is of another dataset than {data.path}; give the dataset that it was "
                "trained on, or another folder"
            )
        wanted = settings.model_dump(mode="json")
        differs = [key for key, value in wanted.items() if known["settings"].get(key) != value]
        if differs:
            raise ValueError(
                f"{self.path} holds a run with other settings ({', '.join(differs)}); give those, or another folder"
            )
        if not resume:
            raise ValueError(f"{self.path} holds a run already; add --resume to go on with it, or give another folder")

    def log(self, line: Mapping[str, Any]) -> None:
        """Write one line to the log."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def rewind(self, step: int) -> None:
        """Drop the lines of the log that lie behind a step."""
        if self._log.exists():
            lines = self._log.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            self._log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
