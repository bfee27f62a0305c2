"""Use the wheel as users have it: in environments with no library but those that it asks for, outside the repository.

Usage: python tests/installed/bare.py [core] [build] [train] [lowest] [--python PYTHON]

`core`, `build` and `train` are the wheel without an extra and with one; `train` learns from the dataset that `build`
made. `lowest` is both extras with the lowest versions that pyproject.toml allows.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
SHIPPED = {"labelers/py.typed", "pipelines/py.typed", "trainer/py.typed", "pipelines/default.toml"}
OPENERS = ("However,", "But", "So", "Then", "And", "Quietly", "Perhaps", "Therefore,")
LINE = (
    "The ferry left the harbour an hour before anybody had expected it. {} the cook stayed on the pier with a basket "
    "of lemons in her arms. She counted {} gulls on the roof of the customs house and began to laugh.\n"
)
IMPORT_ALL = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    for found in pkgutil.walk_packages(importlib.import_module(room).__path__, room + "."):
        importlib.import_module(found.name)
"""
BUILD, TRAIN, BOTH, EXPORT = (
    f"pip install 'auxloom[{extras}]'" for extras in ("build", "train", "build,train", "train,hf")
)
COMMANDS = (
    *("inspect", "build", "train", "run", "compare", "evaluate", "predict", "export", "label", "join", "merge"),
    *("relate", "show", "verify", "labelers", "profile", "recipe"),
)


@dataclass
class Bench:
    """A folder outside the repository, with a text, and what the checks have made there so far."""

    folder: Path
    python: str
    wheel: Path = field(init=False)
    passed: int = 0

    def __post_init__(self) -> None:
        """Build the wheel and write the text, beside a folder that would shadow the product."""
        self.work = self.folder / "work"
        (self.work / "pipelines").mkdir(parents=True)
        (self.work / "pipelines" / "__init__.py").write_text("raise RuntimeError('this is the user\\'s own')\n")
        rows = (LINE.format(OPENERS[i % 8], i) for i in range(300))
        (self.work / "story.txt").write_text("".join(rows), encoding="utf-8")
        must([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", self.folder, ROOT], self.folder)
        self.wheel = next(self.folder.glob("*.whl"))
        with zipfile.ZipFile(self.wheel) as file:
            missing = SHIPPED - set(file.namelist())
        self.tell("wheel", "holds its types and its recipe", f"{sorted(missing)} are missing" if missing else "")

    def tell(self, environment: str, what: str, wrong: str) -> None:
        """Print the line of a check; what is wrong ends the program."""
        print(f"{environment}: {what} ... {'FAILED' if wrong else 'ok'}", flush=True)
        if wrong:
            sys.exit(f"{wrong}\ninstalled: {self.passed} passed, 1 failed")
        self.passed += 1


@dataclass(frozen=True)
class Environment:
    """An environment that holds the wheel and what it asks for, and nothing else.

    Args:
        bench: where it lies.
        name: what it is called in the lines of the checks.
        extras: of the wheel.
        versions: arguments that tell pip which versions to take.
    """

    bench: Bench
    name: str
    extras: str = ""
    versions: Sequence[str] = ("--constraint", str(CONSTRAINTS))

    def __post_init__(self) -> None:
        """Make it."""
        folder = self.bench.folder
        must([self.bench.python, "-m", "venv", "--without-pip", folder / self.name], folder)
        pip = [sys.executable, "-m", "pip", "--python", self._program("python")]
        wheel = f"auxloom[{self.extras}] @ {self.bench.wheel.as_uri()}" if self.extras else str(self.bench.wheel)
        must([*pip, "install", "--quiet", "--no-compile", wheel, *self.versions], folder)
        must([*pip, "check"], folder)

    def check(
        self, what: str, *words: object, code: int = 0, says: str = "", leaves: str = "", program: str = "auxloom"
    ) -> None:
        """Run a program and check its exit code, what it says and which folder it leaves behind, if any."""
        before = set(self.bench.work.iterdir())
        done = run([self._program(program), *words], self.bench.work)
        left = " ".join(sorted(path.name for path in set(self.bench.work.iterdir()) - before))
        wrong = [
            *([f"exit code {done.returncode}, not {code}"] if done.returncode != code else []),
            *([f"it does not say {says!r}"] if says not in " ".join(done.stdout.split()) else []),
            *([f"it leaves {left!r}, not {leaves!r}"] if left != leaves else []),
        ]
        command = f"{program} {' '.join(map(str, words))}"
        self.bench.tell(self.name, what, f"{command}: {'; '.join(wrong)}\n{done.stdout}" if wrong else "")

    def check_modules(self, *rooms: str) -> None:
        """Check that all modules of some packages load."""
        done = run([self._program("python"), "-P", "-c", IMPORT_ALL, *rooms], self.bench.folder)
        self.bench.tell(self.name, f"all of {' and '.join(rooms)} loads", done.stdout if done.returncode else "")

    def check_absent(self, *modules: str) -> None:
        """Check that libraries are absent: what is checked here would prove less with them."""
        code = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))"
        found = run([self._program("python"), "-c", code, *modules], self.bench.folder).stdout.strip()
        self.bench.tell(self.name, f"has no {', '.join(modules)}", found)

    def _program(self, name: str) -> Path:
        """Return the path of a program of the environment."""
        return self.bench.folder / self.name / "bin" / name


def run(words: Sequence[object], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing of the repository on its path, and return what it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=inherited | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )


def must(words: Sequence[object], folder: Path) -> None:
    """Run a command that the checks need; a failure ends the program with what it said."""
    done = run(words, folder)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}")


def check_core(bench: Bench) -> None:
    """Every command starts; those that need an extra name it before they read or write anything."""
    core = Environment(bench, "core")
    core.check_absent("apache_beam", "nltk", "pandas", "safetensors", "spacy", "tokenizers", "torch")
    core.check("--version", "--version", says="auxloom 0.")
    core.check("--help", "--help", says="Usage")
    for name in COMMANDS:
        core.check(f"{name} --help", name, "--help", says=f"auxloom {name}")
    core.check("recipe prints the default one", "recipe", says="[labelers.disfluency]")
    core.check("labelers lists them", "labelers", says="masking")
    core.check("build names its cure", "build", "story.txt", "--out", "no", code=2, says=BUILD)
    core.check("run names its cure", "run", "story.txt", "--out", "no", code=2, says=BOTH)
    core.check("run without input names its cure", "run", "--out", "no", code=2, says=BOTH)
    core.check("train names its cure", "train", "data", "--out", "no", code=2, says=TRAIN)
    core.check("label names its cure", "label", "data", "--with", "masking", code=2, says=BUILD)
    core.check("evaluate names its cure", "evaluate", "model", "test.tsv", code=2, says=TRAIN)
    core.check("predict names its cure", "predict", "model", "story.txt", code=2, says=BOTH)
    core.check("join names its cure", "join", "data", "story.txt", "--label", "ner=token", code=2, says=BUILD)
    core.check("merge names its cure", "merge", "data", "--out", "no", code=2, says=BUILD)
    core.check("inspect needs no extra", "inspect", "story.txt", says="text")
    core.check("profile needs no extra", "profile", "disfluency", "story.txt", code=2, says="story.txt")
    core.check("compare names its cure", "compare", "mine.toml", "--out", "no", code=2, says=BOTH)
    core.check("relate names its cure", "relate", "data", code=2, says=TRAIN)
    core.check("export names its cure", "export", "model", "--out", "no", code=2, says=EXPORT)
    core.check("auxloom-worker names its cure", "--pool", code=1, says=BUILD, program="auxloom-worker")
    core.check("auxloom-worker --help", "--help", says="--provision_endpoint", program="auxloom-worker")
    core.check("show names its cure", "show", "story.txt", code=2, says=BUILD)
    core.check("verify says what is no dataset", "verify", "data", code=2, says="is not a dataset")


def check_build(bench: Bench) -> None:
    """The extra `build` builds, with one worker and with two, and core alone reads what it built."""
    env = Environment(bench, "build", "build")
    env.check_absent("pandas", "safetensors", "tokenizers", "torch")
    env.check_modules("labelers", "pipelines")
    builds(env, "data")
    env.check("run names its cure", "run", "story.txt", "--out", "no", code=2, says=TRAIN)
    env.check("train names its cure", "train", "data", "--out", "no", code=2, says=TRAIN)


def check_train(bench: Bench) -> None:
    """The extra `train` learns from a dataset that was built elsewhere."""
    env = Environment(bench, "train", "train")
    env.check_absent("apache_beam", "nltk", "pandas", "spacy")
    env.check_modules("trainer")
    reads(env, "data")
    trains(env, "data", "model")
    env.check("build names its cure", "build", "story.txt", "--out", "no", code=2, says=BUILD)


def check_lowest(bench: Bench) -> None:
    """Both extras work with the lowest versions that are allowed."""
    pins = list(lowest())
    print(f"lowest: {' '.join(pins)}", flush=True)
    env = Environment(bench, "lowest", "build,train", pins)
    env.check_modules("labelers", "pipelines", "trainer")
    env.check("labelers lists them", "labelers", says="masking")
    builds(env, "low")
    trains(env, "low", "low-model")


def builds(env: Environment, out: str) -> None:
    """Check a build in a folder whose own `pipelines` would shadow ours, and what reads its dataset."""
    env.check("builds", "build", "story.txt", "--out", out, says="300 used", leaves=out)
    words = ("story.txt", "--out", f"{out}-woven", "--views", "woven", "--set", "unit.bytes=20000")
    env.check("builds with two workers", "build", *words, "--workers", 2, leaves=f"{out}-woven")
    env.check("previews a text", "show", "story.txt", "-n", 1, says="story.txt:0/0")
    reads(env, out)
    reads(env, f"{out}-woven")


def reads(env: Environment, dataset: str) -> None:
    """Check the commands that read a dataset."""
    env.check(f"verifies {dataset}", "verify", dataset, says="match")
    env.check(f"shows {dataset}", "show", dataset, "-n", 1, says="story.txt:")


def trains(env: Environment, dataset: str, out: str) -> None:
    """Check that a model learns for a few steps."""
    words = ("--set", "max_steps=5", "--set", "model.encoder=tiny")
    env.check(f"trains on {dataset}", "train", dataset, "--out", out, *words, says="masking.word", leaves=out)


def lowest() -> Iterator[str]:
    """Yield the requirements of core, `build` and `train` with the lowest versions that they allow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in map(Requirement, [*project["dependencies"], *extras["build"], *extras["train"]]):
        bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        yield f"{requirement.name}=={bounds[0]}"


CHECKS: dict[str, Callable[[Bench], None]] = {
    "core": check_core,
    "build": check_build,
    "train": check_train,
    "lowest": check_lowest,
}


def main() -> None:
    """Run the checks that were asked for, in the order above; the first that fails ends the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["core", "build", "train"], help=f"of {', '.join(CHECKS)}")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the environments")
    given = parser.parse_args()
    unknown = set(given.names) - set(CHECKS)
    if unknown or ("train" in given.names and "build" not in given.names):
        parser.error(f"give some of {', '.join(CHECKS)}, and build with train, which reads its dataset")
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), given.python)
        for check in (check for name, check in CHECKS.items() if name in given.names):
            check(bench)
        print(f"installed: {bench.passed} passed, 0 failed")


if __name__ == "__main__":
    main()
