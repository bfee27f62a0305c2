"""A missing library is told with its cure, before anything is written."""

import importlib.util
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from pipelines import cli
from pipelines.extras import LIBRARIES, MissingLibraryError, need

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def core_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No library of an extra can be found; the current folder is an empty one."""
    found = importlib.util.find_spec
    hidden = {name for names in LIBRARIES.values() for name in names}

    def find(name: str, package: str | None = None) -> Any:
        return None if name in hidden else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "extras"),
    [
        (("build", "a.txt", "--out", "x"), "build"),
        (("run", "a.txt", "--out", "x"), "build,train"),
        (("run", "--out", "x"), "build,train"),
        (("train", "data", "--out", "x"), "train"),
        (("show", "a.txt"), "build"),
    ],
)
def test_every_command_names_its_cure_before_it_writes(
    words: tuple[str, ...],
    extras: str,
    core_alone: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, exit code 2, no file."""
    monkeypatch.setattr(sys, "argv", ["auxloom", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert f"`auxloom {words[0]}` needs" in said
    assert f"install it with: pip install 'auxloom[{extras}]'\n" in said
    assert list(core_alone.iterdir()) == []


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one extra is there, the cure is the other."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    with pytest.raises(MissingLibraryError, match=r"needs torch; install it with: pip install 'auxloom\[train\]'$"):
        need("run", "build", "train")


@pytest.mark.parametrize("extra", LIBRARIES)
def test_the_libraries_of_an_extra_are_those_that_it_installs(extra: str) -> None:
    """The list agrees with pyproject.toml."""
    names = [Requirement(text).name.replace("-", "_") for text in PROJECT["optional-dependencies"][extra]]
    assert sorted(LIBRARIES[extra]) == sorted(names)
