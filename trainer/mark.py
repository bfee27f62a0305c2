"""The mark of a run, ``run.json``: on what it trains and with which settings, and what may still change about them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from trainer.files import write
from trainer.settings import ModelSettings, Settings, make_settings

__all__ = ["FORMAT", "Extension", "Mark"]

FORMAT = 3
"""Raised whenever a run of an earlier version cannot go on as it was begun."""

_GROWING = ("epochs", "max_steps")
"""Settings that a resumed run may raise."""


@dataclass(frozen=True)
class Extension:
    """A resumed run was given more steps: from ``step`` on it follows the longer schedule."""

    step: int
    epochs: tuple[int, int]
    """Before and after."""
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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the mark of a run; a setting that is not in it has its default.

        Raises:
            ValueError: it is damaged, or of another format.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is damaged: it is not valid JSON ({error}); give another folder") from None
        if (found := data.get("format", 1)) != FORMAT:
            age = "an earlier" if found < FORMAT else "a later"
            raise ValueError(
                f"the run in {path.parent} has {age} format ({found}; this version of auxloom reads {FORMAT}); "
                "train in another folder"
            )
        known = {key: value for key, value in data["settings"].items() if key in Settings.model_fields}
        known["model"] = {key: value for key, value in known["model"].items() if key in ModelSettings.model_fields}
        extensions = (
            Extension(item["step"], *(_pair(item[name]) for name in ("epochs", "max_steps", "steps")))
            for item in data["extensions"]
        )
        return cls(data["dataset"], make_settings(known), tuple(extensions))

    def write(self, path: Path) -> None:
        """Write the mark."""
        data = {
            "format": FORMAT,
            "dataset": self.dataset,
            "settings": self.settings.model_dump(mode="json"),
            "extensions": [item.to_json() for item in self.extensions],
        }
        write(path, json.dumps(data, indent=1, sort_keys=True) + "\n")

    def grown(self, given: Mapping[str, Any], folder: Path) -> Settings:
        """Return the settings of the run in a folder, with more epochs or steps where ``given`` asks for them.

        Raises:
            ValueError: another setting is given with another value, or these with a lower one.
        """
        make_settings({key: value for key, value in given.items() if key not in Settings.model_fields})
        known = self.settings.model_dump(mode="json")
        wanted = make_settings(_laid_over(known, given)).model_dump(mode="json")
        before, after = _flat(known), _flat(wanted)
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        refused = [key for key in changed if not _grows(key, before.get(key), after.get(key))]
        if refused:
            told = " and ".join(f"{key} = {before.get(key)!r}, not {after.get(key)!r}" for key in refused)
            cure = "use the settings that it was started with (epochs and max_steps may grow), or another folder"
            raise ValueError(f"the run in {folder} has {told}; {cure}")
        return make_settings(wanted)

    def extended(self, settings: Settings, step: int, steps: tuple[int, int]) -> Self:
        """Return the mark of the run as it goes on from ``step`` with more steps in all; at 0 it only begins."""
        if not step:
            return replace(self, settings=settings)
        before, after = self.settings, settings
        pairs = (before.epochs, after.epochs), (before.max_steps, after.max_steps)
        return replace(self, settings=settings, extensions=(*self.extensions, Extension(step, *pairs, steps)))


def _laid_over(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others in their place, key by key in the tables of the model and of the tasks."""
    laid = dict(known) | {key: value for key, value in given.items() if key not in {"model", "task"}}
    laid["model"] = {**known["model"], **given.get("model", {})}
    laid["task"] = {**known["task"], **given.get("task", {})}
    return laid


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by the keys that `--set` gives them."""
    flat = {key: value for key, value in settings.items() if key not in {"model", "task"}}
    flat |= {f"model.{key}": value for key, value in settings["model"].items()}
    for name, table in settings["task"].items():
        flat |= {f'task."{name}".{key}': value for key, value in table.items()}
    return flat


def _pair(values: list[int]) -> tuple[int, int]:
    """Return two numbers."""
    before, after = values
    return before, after


def _grows(key: str, before: Any, after: Any) -> bool:
    """Tell whether a setting that may grow does; a limit of 0 steps is none."""
    if key not in _GROWING or not isinstance(after, int):
        return False
    if key == "max_steps":
        return bool(before > 0 and (after == 0 or after > before))
    return bool(after > before)
