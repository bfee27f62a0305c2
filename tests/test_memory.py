"""What a step frees is kept for the next one, unless the user has set what the C library keeps."""

import ctypes
from unittest.mock import MagicMock

import pytest

from trainer.memory import keep_freed


@pytest.mark.parametrize(("given", "calls"), [({}, 2), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, 0)])
def test_thresholds_of_the_user_stay(given: dict[str, str], calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both thresholds are set: with one alone, the other no longer grows by itself."""
    library = MagicMock()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    keep_freed()
    assert library.mallopt.call_count == calls


def test_a_library_without_thresholds_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed()
