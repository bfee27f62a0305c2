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
NAMES = sorted(path.name for path in FOLDER.glob("*.jsonl"))


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Return the golden rows of this version, by the names of their files."""
    found: dict[str, str] = make.golden()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_that_were_reviewed(made: dict[str, str], name: str) -> None:
    """If this change of data is wanted: raise the labeler's version, run `make golden`, and review the diff."""
    expected = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    rows = made[name].splitlines()
    assert [(want, got) for want, got in zip(expected, rows, strict=True) if want != got] == []


def test_every_labeler_has_golden_rows_and_nothing_else_has(made: dict[str, str]) -> None:
    """No golden file outlives its labeler."""
    assert sorted(made) == NAMES
