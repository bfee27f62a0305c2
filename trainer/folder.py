"""The folder of a run: whose it is, its log and its checkpoints.

- ``run.json``: the dataset and the settings; ``tasks.json``: the tasks that the model has heads for
- ``vocabulary.json``, ``bigrams.npz``: what was learnt by counting; ``encoded/``: a cache
- ``metrics.jsonl``: the log; ``last.safetensors``, ``best.safetensors``: checkpoints
- ``report.json``: what was learnt, written last
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.data import Dataset
from trainer.settings import Settings

__all__ = ["RunFolder"]

_FILES = (
    "report.json",
    "last.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "tasks.json",
    "vocabulary.of",
    "vocabulary.json",
    "bigrams.npz",
)
"""What a run leaves in its folder, beside its mark and the folder of the cache."""


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

    def claim(self, data: Dataset, settings: Settings, *, resume: bool, overwrite: bool = False) -> None:
        """Make the folder, or check that it holds the run that is to go on.

        Args:
            data: what the run trains on.
            settings: of the run.
            resume: go on with the run in the folder.
            overwrite: remove a run on another dataset or with other settings.

        Raises:
            ValueError: it holds something else, or a run on another dataset or with other settings.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file; give a folder for the run")
        if self._mark.exists():
            other = self._other(data, settings)
            if other and not overwrite:
                raise ValueError(other)
            if not other and not resume:
                raise ValueError(
                    f"{self.path} holds a run already; add --resume to go on with it, or give another folder"
                )
            if not other:
                return
            self.clear()
        elif self.path.exists() and any(self.path.iterdir()):
            raise ValueError(f"{self.path} holds something that is no run of auxloom; give another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        mark = {"dataset": data.digest, "settings": settings.model_dump(mode="json")}
        self._mark.write_text(json.dumps(mark, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def settings(self) -> Settings:
        """Return the settings of the run in the folder."""
        return Settings.model_validate(json.loads(self._mark.read_text(encoding="utf-8"))["settings"])

    def clear(self) -> None:
        """Remove the run, its mark last, so that a break leaves a run that can be removed again."""
        shutil.rmtree(self.path / "encoded", ignore_errors=True)
        for name in (*_FILES, self._mark.name):
            (self.path / name).unlink(missing_ok=True)

    def _other(self, data: Dataset, settings: Settings) -> str:
        """Say how the run in the folder differs from the one that was asked for; empty where it is that one."""
        known = json.loads(self._mark.read_text(encoding="utf-8"))
        if known["dataset"] != data.digest:
            return (
                f"the checkpoint in {self.path} is of another dataset than {data.path}; give the dataset that it was "
                "trained on, or another folder"
            )
        wanted = settings.model_dump(mode="json")
        differs = [key for key, value in wanted.items() if known["settings"].get(key) != value]
        if not differs:
            return ""
        return f"{self.path} holds a run with other settings ({', '.join(differs)}); give those, or another folder"

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
