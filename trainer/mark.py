"""The mark of a run, ``run.json``: on what it trains and with which settings, and what may still change about them."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from trainer.files import write
from trainer.settings import TABLES, ModelSettings, Settings, TaskSettings, flattened, make_settings

__all__ = ["FORMAT", "Extension", "Mark"]

FORMAT = 4
"""Raised whenever a run of an earlier version cannot go on as it was begun."""

_READ = (3, FORMAT)
"""In 3, the optimiser and the schedule ran through all phases; a run of one phase goes on as it was begun."""

_EARLIER: Mapping[str, Any] = {"epochs": 3, "steps_per_epoch": 0, "patience": 0}
"""What a setting was where the mark of an earlier version lacks it, and today's default is another."""

_GROWING = ("epochs", "max_steps", "tokens")
"""Settings that a resumed run may raise."""


@dataclass(frozen=True)
class Extension:
    """A resumed run was given more steps: from ``step`` on it follows the longer schedule."""

    step: int
    epochs: tuple[int, int]
    """Of the last phase, before and after."""
    max_steps: tuple[int, int]
    """Before and after."""
    steps: tuple[int, int]
    """All steps of the run before and after."""

    def to_json(self) -> dict[str, Any]:
        """Return the extension as a plain JSON object."""
        pairs = {"epochs": self.epochs, "max_steps": self.max_steps, "steps": self.steps}
        return {"step": self.step, **{name: list(pair) for name, pair in pairs.items()}}


@dataclass(frozen=True)
class Mark:
    """What a run was begun with, and how it was extended."""

    dataset: str
    """The digest of its dataset."""
    settings: Settings
    extensions: tuple[Extension, ...] = ()
    format: int = FORMAT
    """Of the version that wrote it."""

    @classmethod
    def read(cls, path: Path, run: str = "") -> Self:
        """Read the mark of a run; a setting that is not in it has the default of its time.

        Args:
            path: of the mark.
            run: what errors call the folder; "": its path.

        Raises:
            ValueError: it is damaged, or of another format.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is damaged: it is not valid JSON ({error}); give another folder") from None
        if (found := data.get("format", 1)) not in _READ:
            age = "an earlier" if found < FORMAT else "a later"
            raise ValueError(
                f"the run in {run or path.parent} has {age} format ({found}; this version of auxloom reads {FORMAT}); "
                "train in another folder"
            )
        known = {**_EARLIER, **{key: value for key, value in data["settings"].items() if key in Settings.model_fields}}
        known["model"] = {key: value for key, value in known["model"].items() if key in ModelSettings.model_fields}
        extensions = (
            Extension(item["step"], *(_pair(item[name]) for name in ("epochs", "max_steps", "steps")))
            for item in data["extensions"]
        )
        return cls(data["dataset"], make_settings(known), tuple(extensions), found)

    def write(self, path: Path) -> None:
        """Write the mark."""
        data = {
            "format": FORMAT,
            "dataset": self.dataset,
            "settings": self.settings.model_dump(mode="json"),
            "extensions": [item.to_json() for item in self.extensions],
        }
        write(path, json.dumps(data, indent=1, sort_keys=True) + "\n")

    @property
    def outdated(self) -> bool:
        """Tell whether the steps that are left would be others than those of the version that began the run."""
        return self.format < FORMAT and bool(self.settings.phase)

    def grown(self, given: Mapping[str, Any], folder: str, decide: Callable[[Settings], Settings]) -> Settings:
        """Return the settings of the run in a folder, with more epochs or steps where ``given`` asks for them.

        Args:
            given: settings; those that are not named are as they were.
            folder: of the run, for errors.
            decide: says what settings mean that are left open.

        Raises:
            ValueError: another setting is given with another value, or these with a lower one, or more epochs would
                not come at the end of the run.
        """
        given = flattened(given)
        # alone, so that a mistake is reported before a difference
        tables = make_settings(
            {key: value for key, value in given.items() if key in TABLES or key not in Settings.model_fields}
        )
        known, wanted = self.settings, make_settings(_laid_over(self.settings, given, tables))
        with suppress(ValueError):  # what does not fit is reported as a difference: the run has what fits
            wanted = decide(wanted)
        before, after = (_flat(settings, {*known.task, *wanted.task}) for settings in (decide(known), wanted))
        changed = [key for key in before if before[key] != after[key]]
        refused = [key for key in changed if not _grows(key, before[key], after[key])]
        if refused:
            differences = " and ".join(f"{key} = {before[key]!r}, not {after[key]!r}" for key in refused)
            cure = (
                "use the settings that it was started with (epochs, max_steps and tokens may be increased), or another "
                "folder"
            )
            raise ValueError(f"the run in {folder} has {differences}; {cure}")
        grown = known.model_copy(update={key: getattr(wanted, key) for key in _GROWING})
        _check_phases(known, grown, folder)
        return grown

    def extended(self, settings: Settings, step: int, steps: tuple[int, int], epochs: tuple[int, int]) -> Self:
        """Return the mark of the run as it goes on from ``step`` to be longer; at 0 it only begins.

        Args:
            settings: from now on.
            step: of the last checkpoint.
            steps: all of the run, before and after.
            epochs: of its last phase, before and after.
        """
        if not step:
            return replace(self, settings=settings)
        limits = self.settings.max_steps, settings.max_steps
        return replace(self, settings=settings, extensions=(*self.extensions, Extension(step, epochs, limits, steps)))


def _laid_over(known: Settings, given: Mapping[str, Any], tables: Settings) -> dict[str, Any]:
    """Return settings with others in their place, key by key in the tables of the model and of the tasks.

    Args:
        known: settings.
        given: others; they need not be complete.
        tables: the tables among the others, checked.
    """
    model = known.model.model_dump() | tables.model.model_dump(exclude_unset=True)
    return {**known.model_dump(mode="json"), **given, "model": model, "task": {**known.task, **tables.task}}


def _flat(settings: Settings, tasks: Iterable[str]) -> dict[str, Any]:
    """Return settings by the keys that `--set` gives them, with all keys of some tasks."""
    flat = settings.model_dump(mode="json", exclude={"model", "task"})
    flat |= {f"model.{key}": value for key, value in settings.model}
    for name in sorted(tasks):
        flat |= {f'task."{name}".{key}': value for key, value in settings.task.get(name, TaskSettings())}
    return flat


def _check_phases(before: Settings, after: Settings, folder: str) -> None:
    """Check that more epochs come behind those that there were.

    Raises:
        ValueError: every phase has its own number of epochs, or one that others follow would be longer.
    """
    if before.epochs == after.epochs:
        return
    *earlier, last = [not (phase.epochs or phase.tokens) for phase in before.phases]
    if any(earlier) or not last:
        why = (
            "a [[phase]] before the last one"
            if any(earlier)
            else "no [[phase]], because the last one has its own number"
        )
        raise ValueError(
            f"the run in {folder} cannot be extended to epochs = {after.epochs}, which would lengthen {why}; train in "
            "another "
            "folder"
        )


def _pair(values: list[int]) -> tuple[int, int]:
    """Return two numbers."""
    before, after = values
    return before, after


def _grows(key: str, before: Any, after: Any) -> bool:
    """Tell whether a setting that may grow does; a limit of 0 steps or tokens is none."""
    if key not in _GROWING or not (isinstance(before, int) and isinstance(after, int)):
        return False
    if key in ("max_steps", "tokens"):
        return bool(before > 0 and (after == 0 or after > before))
    return bool(after > before)
