"""Labelers that fail: who, on which row, at which line of whose code; and rows that go on without them."""

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labelers.labeler import Labeler
from labelers.passages import PassageBatch, row_keys

__all__ = ["RaisedError", "RowError", "RowErrors", "guarded"]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_SHOWN = 300  # characters of an exception's text that a dataset keeps


class RowError(RuntimeError):
    """A labeler that failed, broke its declaration or revealed an answer; names labeler and document."""

    def __init__(self, labeler: str, document: str, text: str) -> None:
        """Say who failed, on what, and how."""
        super().__init__(f"labeler {labeler!r}, document {document!r}: {text}")
        self.labeler, self.document, self.text = labeler, document, text


class RaisedError(RowError):
    """A labeler in which something raised."""

    def __init__(self, labeler: Labeler, document: str, error: Exception) -> None:
        """Say what was raised, and at which line of the labeler's module."""
        what = f"{type(error).__name__}: {error}"
        path, line = _place(labeler, error)
        super().__init__(labeler.name, document, f"{what} ({path}, line {line})")
        self.kept = f"{_ADDRESS.sub('0x...', what)[:_SHOWN]} ({Path(path).name}, line {line})"
        """What a dataset may keep: no path and no address, which differ from machine to machine."""


def _place(labeler: Labeler, error: Exception) -> tuple[str, int]:
    """Return file and line where a labeler failed: the deepest in its own module, else the deepest of all."""
    own = type(labeler).__module__
    frames = list(traceback.walk_tb(error.__traceback__))
    inside = [(frame, line) for frame, line in frames if frame.f_globals.get("__name__") == own]
    frame, line = (inside or frames)[-1]
    return frame.f_code.co_filename, line


def guarded(labeler: Labeler, batch: PassageBatch, run: Callable[[PassageBatch], Any]) -> Any:
    """Call a labeler; what it raises becomes a `RaisedError` that names the first document on which it fails alone."""
    try:
        return run(batch)
    except RowError:
        raise
    except Exception as error:
        raise RaisedError(labeler, _culprit(batch, run), error) from error


def _culprit(batch: PassageBatch, run: Callable[[PassageBatch], Any]) -> str:
    """Return the document of the first passage on which a call fails, found by halving; else the batch's first."""
    low, high = 0, len(batch)
    while high - low > 1:
        middle = (low + high) // 2
        if _fails(batch.take(np.arange(low, middle)), run):
            high = middle
        else:
            low = middle
    return batch.documents[low]


def _fails(batch: PassageBatch, run: Callable[[PassageBatch], Any]) -> bool:
    """Return whether a call raises."""
    try:
        run(batch)
    except Exception:  # noqa: BLE001  (whatever it is, it is what is looked for)
        return True
    return False


class RowErrors:
    """Of each labeler that raised one row to show, whatever the order in which they are met."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: dict[str, dict[str, str]] = {}

    def add(self, labeler: str, row: str, text: str) -> None:
        """Note a row; the one whose id has the smallest digest is kept."""
        known = self._kept.get(labeler)
        if known is None or row_keys([row])[0] < row_keys([known["row"]])[0]:
            self._kept[labeler] = {"row": row, "text": text}

    def merge(self, other: dict[str, dict[str, str]]) -> None:
        """Note the rows of another one, given as JSON."""
        for labeler, example in other.items():
            self.add(labeler, example["row"], example["text"])

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the row and the text of each labeler."""
        return dict(sorted(self._kept.items()))
