"""Golden rows: a change of any label shows as a diff of readable lines."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"
_spec = importlib.util.spec_from_file_location("golden_make", FOLDER / "make.py")
assert _spec is not None
assert _spec.loader is not None
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)
MADE = make.golden()


@pytest.mark.parametrize("name", sorted(MADE))
def test_rows_are_those_that_were_reviewed(name: str) -> None:
    """If this change of data is wanted: raise the labeler's version, run `make golden`, and review the diff."""
    expected = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    made = MADE[name].splitlines()
    assert [(want, got) for want, got in zip(expected, made, strict=True) if want != got] == []


def test_every_labeler_has_golden_rows_and_nothing_else_has() -> None:
    """No golden file outlives its labeler."""
    assert sorted(path.name for path in FOLDER.glob("*.jsonl")) == sorted(MADE)
