"""The folder of a run: whose it is, its log and its checkpoints.

- ``run.json``: the dataset and the settings; ``tasks.json``: the tasks that the model has heads for;
  ``reading.json``: how text becomes rows
- ``learnt/``: what the encoder knew before its first step, for example the tokenizer
- ``spans.json``: which forms the spans of gold tasks have in the train split, as digests; where there are such tasks
- ``metrics.jsonl``: the log; ``last.safetensors``, ``best.safetensors``: checkpoints
- ``report.json``: what was learnt, written last
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from labelers.stores.uri import apart
from trainer.data.dataset import Dataset
from trainer.files import TEMPORARY, remove, write
from trainer.inherit import completed
from trainer.mark import Mark
from trainer.run_place import FILES, MARK, found_run
from trainer.schedule.choices import decided
from trainer.settings import Settings, make_settings

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    place: str = ""
    """The URI that names it, if it lies in a store; then ``path`` is that of a copy."""

    @classmethod
    def of(cls, run: str | Path) -> Self:
        """Return the folder of a run that is read, by its path or URI.

        Raises:
            ValueError: a URI that cannot be opened, or a run that is larger than the cache may be.
        """
        return cls(*found_run(run))

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.place or str(self.path)

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation value."""
        return self.path / "best.safetensors"

    @property
    def weights(self) -> Path:
        """The best checkpoint, else the last one; it need not be there."""
        return self.best if self.best.exists() else self.last

    def check_trained(self) -> None:
        """Check that there is a checkpoint.

        Raises:
            FileNotFoundError: there is none.
        """
        if not self.weights.exists():
            raise FileNotFoundError(f"no checkpoint in {self.name}; give the folder of a run of `auxloom train`")

    def weights_digest(self) -> str:
        """Return the sha256 of these weights, empty where there are none."""
        if not self.weights.exists():
            return ""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def learnt(self) -> Path:
        """What the encoder knew before its first step."""
        return self.path / "learnt"

    @property
    def tasks(self) -> Path:
        """The tasks that the model has heads for, as JSON."""
        return self.path / "tasks.json"

    def reading(self) -> dict[str, Any]:
        """Return how input became the rows that were trained on, as `Dataset.reading` has it."""
        try:
            found: dict[str, Any] = json.loads(self.readings.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    @property
    def readings(self) -> Path:
        """How input became rows."""
        return self.path / "reading.json"

    @property
    def forms(self) -> Path:
        """The forms of the spans of the train split, as digests."""
        return self.path / "spans.json"

    @property
    def report(self) -> Path:
        """The report, there once the run has ended."""
        return self.path / "report.json"

    def known_report(self) -> dict[str, Any]:
        """Return the report of a run that has ended."""
        found: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))
        return found

    @property
    def mark(self) -> Path:
        """The mark of the run, see `trainer.mark`."""
        return self.path / MARK

    @property
    def _log(self) -> Path:
        return self.path / "metrics.jsonl"

    def find(
        self,
        data: Dataset,
        given: Settings | Mapping[str, Any],
        *,
        resume: bool = False,
        auto: bool = False,
        overwrite: bool = False,
    ) -> tuple[Settings, Mark | None]:
        """Return the settings of the run and the mark of the one to go on with, None where one begins; write nothing.

        Args:
            data: what the run trains on.
            given: all settings, or with ``resume`` those that are to be confirmed or raised.
            resume: there must be a run; its settings hold.
            auto: go on with a run that has these settings, begin one where there is none.
            overwrite: begin anew where the run in the folder cannot go on like this.

        Raises:
            FileNotFoundError: there is no run to resume.
            ValueError: the folder holds something else, or a run that cannot go on like this.
        """
        self._check_place(data)
        if not self.mark.exists():
            if resume:
                raise FileNotFoundError(f"there is no run to resume in {self.name}; leave out --resume to start one")
            if self.path.exists() and any(not item.name.startswith(TEMPORARY) for item in self.path.iterdir()):
                raise ValueError(f"{self.name} contains files that are not a run of auxloom; give another folder")
            return _settings(given), None
        if not (resume or auto or overwrite):
            raise ValueError(f"{self.name} already contains a run; add --resume to continue it, or give another folder")
        try:
            return self._go_on(data, given, whole=not resume, same=overwrite)
        except ValueError:
            if not overwrite:
                raise
        return _settings(given), None

    def _check_place(self, data: Dataset) -> None:
        """Check that the path can be a folder, and lies outside of the dataset's."""
        if self.place and f"{apart(self.place)[0]}/".startswith(f"{apart(data.name)[0].rstrip('/')}/"):
            raise ValueError(f"{self.place} lies in the folder of the dataset {data.name}; give one outside of it")
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file; give a folder for the run")
        if self.path.resolve().is_relative_to(data.path.resolve()):
            raise ValueError(f"{self.path} lies in the folder of the dataset {data.path}; give a folder outside of it")

    def _go_on(
        self, data: Dataset, given: Settings | Mapping[str, Any], *, whole: bool, same: bool
    ) -> tuple[Settings, Mark]:
        """Return what `find` returns of a run in the folder.

        Args:
            data: what is trained on.
            given: settings.
            whole: all settings count, else those alone that were named.
            same: the run must not grow.
        """
        mark = Mark.read(self.mark, self.name)
        if mark.dataset != data.digest:
            raise ValueError(
                f"the run in {self.name} was trained on another dataset than {data.name}, or with other layers of it; "
                "give that dataset with the same --layers or --no-layers, or another folder"
            )
        if whole:
            given = _settings(given).model_dump(mode="json")
        elif isinstance(given, Settings):
            given = given.model_dump(mode="json", exclude_unset=True)
        settings = mark.grown(given, self.name, lambda settings: decided(settings, data))
        if same and settings != mark.settings:
            raise ValueError(
                f"the run in {self.name} was started with a smaller budget; use the same settings, or continue it "
                "with --resume"
            )
        if mark.outdated and not (self.report.exists() and settings == mark.settings):
            raise ValueError(
                f"the run in {self.name} has phases and was started by an earlier version of auxloom (format "
                f"{mark.format}), which used one optimiser and one schedule for all of them; train in another folder"
            )
        return settings, mark

    def claim(self, mark: Mark) -> None:
        """Make the folder, empty but for the mark of a run that begins."""
        self.clear()
        self.path.mkdir(parents=True, exist_ok=True)
        mark.write(self.mark)
        self.publish()

    def publish(self) -> None:
        """Let others have what the folder holds now; one on a disk they have."""

    def settings(self) -> Settings:
        """Return the settings of the run in the folder."""
        return Mark.read(self.mark, self.name).settings

    def clear(self) -> None:
        """Remove the run, its mark last, so that a break leaves a run that can be removed again."""
        for name in (*FILES, MARK):
            remove(self.path / name)
        for left in self.path.glob(f"{TEMPORARY}*"):
            remove(left)

    def log(self, line: Mapping[str, Any]) -> None:
        """Write one line to the log."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def rewind(self, step: int) -> None:
        """Drop the lines of the log that lie behind a step, and those that a break has torn."""
        if self._log.exists():
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            write(self._log, "".join(f"{line}\n" for line in lines if _step(line) <= step))


def _settings(given: Settings | Mapping[str, Any]) -> Settings:
    """Return settings, checked, and what was not given as the encoder wants it."""
    return completed(given if isinstance(given, Settings) else make_settings(given))


def _step(line: str) -> float:
    """Return the step of a line of the log; infinity of a torn one."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")
