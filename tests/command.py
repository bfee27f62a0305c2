"""The `auxloom` command in the process of a test."""

import sys

import pytest

from pipelines import cli

__all__ = ["run"]


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run the command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["auxloom", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)
