"""CONTRIBUTING: the functions that it names exist, and its worked examples run."""

import importlib
import re
import types
from pathlib import Path
from typing import Any

import pytest

from labelers.labeler import Labeler
from pipelines.formats.format import Format
from trainer.encoders.encoder import Encoder
from trainer.kinds.kind import Kind

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`((?:labelers|pipelines|trainer)(?:\.\w+)+)`", TEXT)))
FILES = sorted(set(re.findall(r"`((?:labelers|pipelines|trainer|tests|benchmarks|docs|recipes)/[\w/.-]*)`", TEXT)))
EXAMPLES = dict(re.findall(r"```diff\n\+\+\+ b/(\S+)\n(.*?)```", TEXT, re.DOTALL))


def _find(name: str) -> Any:
    """Return what a dotted name stands for."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_exists(name: str) -> None:
    """Modules, classes and functions, with their whole names."""
    assert _find(name)


@pytest.mark.parametrize("name", [name for name in FILES if "NAME" not in name])
def test_files_that_are_named_exist(name: str) -> None:
    """In the table of modules and elsewhere."""
    assert (ROOT / name).exists()


def test_the_way_of_a_passage_is_told() -> None:
    """From the file to the loss, in at least twenty functions."""
    assert len([name for name in NAMES if name.count(".") > 1]) >= 20


def _module(path: str) -> dict[str, Any]:
    """Run an example as the module that it is to be."""
    text = "\n".join(line.removeprefix("+") for line in EXAMPLES[path].splitlines())
    module = types.ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(compile(text, path, "exec"), vars(module))  # noqa: S102  (it is in this repository)
    return vars(module)


@pytest.mark.parametrize(("room", "base"), [("labelers", Labeler), ("trainer/encoders", Encoder)])
def test_an_example_defines_what_it_says(room: str, base: type) -> None:
    """One file, with a class that can be made."""
    (path,) = (path for path in EXAMPLES if path.rpartition("/")[0] == room)
    own = [value for value in _module(path).values() if isinstance(value, type) and issubclass(value, base)]
    assert [value for value in own if not getattr(value, "__abstractmethods__", None)]


def test_the_example_of_a_kind_is_one() -> None:
    """It says where its labels stand, and all else is that of kinds with classes."""
    (path,) = (path for path in EXAMPLES if path.startswith("trainer/kinds/"))
    assert isinstance(_module(path)["KIND"], Kind)


def test_the_example_of_a_format_is_one() -> None:
    """It reads the files of one ending."""
    (path,) = (path for path in EXAMPLES if path.startswith("pipelines/formats/"))
    assert [isinstance(form, Format) for form in _module(path)["ENDINGS"].values()] == [True]
