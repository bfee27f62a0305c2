"""The layout: packages that import little, modules that say what they offer, and names that stay what they are."""

import ast
import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("labelers", "pipelines", "trainer")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if path.stem != "__init__"
)
HEAVY = {"apache_beam", "spacy", "nltk", "torch", "tokenizers", "datasets"}
ROOT_NAMES = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "constraints.txt",
    "docs",
    "labelers",
    "pipelines",
    "pyproject.toml",
    "recipes",
    "tests",
    "trainer",
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_offers(module: str) -> None:
    """Each module has `__all__`, sorted by nobody but true: every name in it exists."""
    loaded = importlib.import_module(module)
    assert loaded.__all__
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    "module", ["labelers.labeler", "pipelines.cli", "pipelines.recipes.recipe", "pipelines.start", "trainer.settings"]
)
def test_a_light_module_loads_no_heavy_library(module: str) -> None:
    """The command starts with either extra installed, and quickly."""
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_help_is_printed_without_the_libraries_of_the_work() -> None:
    """What a command needs, it loads when it is given: the program starts quickly, however many there are."""
    code = "import sys, pipelines.cli; print(sorted({'numpy', 'pyarrow'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_no_file_and_no_function_outgrows_its_reader() -> None:
    """No source file has over 400 lines, no function over 50."""
    big = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if text.count("\n") > 400:
                big.append(path.name)
            functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
            long = [node for node in functions if (node.end_lineno or 0) - node.lineno >= 50]
            big += [f"{path.name}:{node.name}" for node in long]
    assert big == []


def test_a_name_stands_for_one_thing() -> None:
    """No two modules and no two public classes of the repository have the same name."""
    modules, classes = Counter[str](), Counter[str]()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            modules.update({path.stem} - {"__init__"})
            tree = ast.parse(path.read_text(encoding="utf-8"))
            classes.update(node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")
    assert [name for name, n in modules.items() if n > 1] == []
    assert [name for name, n in classes.items() if n > 1] == []


def test_no_room_needs_pandas() -> None:
    """Arrow asks for it behind this one name, and no extra brings it."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    found = [path.name for path in files if "to_pandas" in path.read_text("utf-8")]
    assert found == []


def test_no_stray_stands_in_the_root() -> None:
    """A file that a slip of the shell left there was committed once."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a checkout of the repository")
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert sorted({name.partition("/")[0] for name in listed.splitlines()} - ROOT_NAMES) == []


def test_every_room_says_that_it_is_typed() -> None:
    """As pyproject.toml claims."""
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []
