"""Memory and time of a build by the number of its units: python benchmarks/scale.py [--units 1000,10000].

The whole command runs over sparse files of 64 MiB per unit. The work of a unit alone is pretended: scanning leaves
keys of records as a real scan does, making leaves the commit mark of a real unit with keys of passages of its own, and
empty shards. Then the same command runs again on the complete dataset.

The work of workers is done by one more process, in a loop: its peak is that of a worker that did all units. With
``--runner local`` and ``--workers`` it goes through the real graph instead, and with ``--runner flink`` through an
engine, which is started on this machine as tests/cluster starts it. Seconds are of CPU, which other programs on the
machine do not change; memory is the peak of a process (VmHWM), for an engine the largest of each kind.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import pipelines.build as building
from pipelines.folder.finish import facts_of
from pipelines.folder.layout import SPLITS, Folder, keys_name, shard_name, stats_name, to_json
from pipelines.folder.marks import seal
from pipelines.input.records import Unit
from pipelines.input.repeats import KEY, record_keys_name
from pipelines.large.merge_tree import MergeTree
from pipelines.plans import planning
from pipelines.plans.plan import stored_digest
from pipelines.plans.scan import ScanUnit
from pipelines.processes import Child
from pipelines.recipes.recipe import make_recipe

TEXT = "The lamp went out before the bell. However, nobody turned north, and the ferry was late again.\n"
UNIT = 64 * 2**20
FILE_UNITS = 64
SETTINGS = "AUXLOOM_SCALE"  # in the environment: what workers must know
STEPS = ("draft", "prepare", "inspect", "_run_units", "finish_large")


@cache
def settings() -> dict[str, Any]:
    """Return what a worker must know."""
    found: dict[str, Any] = json.loads(os.environ[SETTINGS])
    return found


@cache
def template() -> dict[str, Any]:
    """Return the commit mark of a real unit."""
    mark: dict[str, Any] = json.loads(Path(settings()["mark"]).read_bytes())
    return mark


def pretended_shard(unit: int, plan: Any, out: str, *, batch: int = 2048, attempts: Any = None) -> dict[str, Any]:
    """Leave the files of a unit, whose shards are empty, and return its report."""
    del batch, attempts
    started, told, units = time.time(), settings(), len(plan.units)
    assert plan.units[unit].index == unit
    names = [shard_name(split, unit, units) for split in SPLITS]
    random = np.random.default_rng(unit)
    keys = np.sort(random.integers(1 << 63, size=told["passages"], dtype=np.uint64) * np.uint64(2)).astype("<u8")
    for name in (*names, keys_name(unit)):
        path = Path(out, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"" if name in names else keys.tobytes())
    files = {name: facts_of(b"") for name in names} | {keys_name(unit): facts_of(keys.tobytes())}
    assert stored_digest(Folder.at(out)) == plan.digest
    mark = {**template(), "plan": plan.digest, "unit": unit, "files": files}
    Path(out, stats_name(unit)).write_bytes(to_json(seal(mark)))
    report = {"unit": unit, "host": "here", "process": os.getpid(), "setup": 0.0}
    return report | {"started": started, "seconds": time.time() - started}


class PretendedScan(ScanUnit):
    """By its module, a worker that unpickles it imports this one."""

    def _scan(self, unit: Unit) -> dict[str, Any]:
        """Leave keys of records, and return what a scan finds: a part of the pool, digests, pieces of files."""
        told = settings()
        random = np.random.default_rng(unit.index)
        keys = np.zeros(told["documents"], KEY)
        for name in ("a", "b"):
            keys[name] = random.integers(1 << 63, size=len(keys), dtype=np.uint64) * np.uint64(2)
        repeated = random.random(len(keys)) < told["repeated"]
        keys["a"][repeated] = keys["b"][repeated] = random.integers(1000, size=int(repeated.sum()))
        keys["file"], keys["unit"] = unit.ranges[0].file, unit.index
        keys["place"] = unit.ranges[0].start + np.arange(len(keys)) * 100
        Folder.at(self.out).write(record_keys_name(self.scratch, unit.index), keys.tobytes())
        names = sorted(f"{value:016x}" for value in random.integers(1 << 62, size=told["pool"]))
        return {
            "units": {str(unit.index): f"{unit.index:032x}"},
            "pieces": {f"{part.file}:{part.start}": [part.stop, f"{part.start:032x}"] for part in unit.ranges},
            "keys": {str(unit.index): len(keys)},
            "unnamed": [part.file for part in unit.ranges],
            "documents": {"train": 900, "validation": 50, "test": 50},
            "groups": names[:3],
            "pool": [[f"{name} a:{unit.index}", name, {"text": TEXT * 5}] for name in names],
            "pool_size": told["pool"],
        }


class PretendedShard(building.MakeShard):
    """The same."""


if SETTINGS in os.environ:  # in the driver and in workers
    vars(building).update(make_shard=pretended_shard, MakeShard=PretendedShard)
    vars(planning).update(ScanUnit=PretendedScan)


def loop(elements: Any, work: Any, merge: Any, finish: Any) -> None:
    """Do what a graph does, in this process."""
    tree = MergeTree(merge)
    results = tree.create_accumulator()
    for element in elements:
        results = tree.add_input(results, work(element))
    finish(tree.extract_output(results))


class InChild:
    """A graph whose work is done by one child process."""

    def __init__(self) -> None:
        self.child = Child()

    def __call__(self, elements: Any, work: Any, merge: Any, finish: Any, run: Any, **_: Any) -> None:
        """Run it."""
        del run
        self.child.call(loop, elements, work, merge, finish)


class Peaks:
    """The peaks of memory of processes, the largest of each kind.

    Args:
        find: returns the kind of each process that counts.
    """

    def __init__(self, find: Callable[[], dict[int, str]]) -> None:
        self.of: Counter[str] = Counter()
        self._find = find
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            self.look()

    def look(self) -> None:
        """Note the peaks so far."""
        for process, kind in self._find().items():
            self.of[kind] = max(self.of[kind], of_status(process).get("VmHWM", 0))

    def end(self) -> dict[str, int]:
        """Return the peak of each kind in MB."""
        self.look()
        self._stop.set()
        self._thread.join()
        return {kind: peak // 1024 for kind, peak in sorted(self.of.items())}


def of_status(process: int) -> dict[str, int]:
    """Return the numbers that the system keeps of a process, none if it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return {}
    return {name: int(number) for name, number in re.findall(r"^(\w+):\s*(\d+)", text, re.MULTILINE)}


def children() -> dict[int, str]:
    """Return the processes that this one has started."""
    found = (int(path.parent.name) for path in Path("/proc").glob("[0-9]*/status"))
    return {process: "worker" for process in found if of_status(process).get("PPid") == os.getpid()}


@contextmanager
def engine(name: str, folder: Path, environment: dict[str, str]) -> Iterator[tuple[dict[str, Any], Peaks]]:
    """Start an engine, and yield what a recipe says of it and the peaks of its processes."""
    sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / part) for part in ("cluster", "")]
    engines, machines = import_module("engines"), import_module("machine")
    folder.mkdir()
    machine = machines.Machine(folder, environment | {"AUXLOOM_TESTS_BEGUN": str(folder)})

    def find() -> dict[int, str]:
        found = {}
        for process in machine.processes():
            with suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
                java = [word for word in words if re.fullmatch(r"(\w+\.)+[A-Z]\w+", word)]
                found[process] = java[0].rpartition(".")[2] if java else "worker"
        return found

    try:
        options = iter(engines.ENGINES[name](machine).options)
        told = [(option, next(options)) for option in options]
        beam = dict(value.split("=", 1) for option, value in told if option == "--beam")
        yield {"runner": name, "beam": beam}, Peaks(find)
    finally:
        machine.stop()


def prepare(place: Path, units: int) -> None:
    """Write sparse files of so many units, and the commit mark of a real one."""
    (place / "small.txt").write_text("".join(f"Page {i}. {TEXT}" for i in range(300)))
    recipe = make_recipe({"input": {"files": [str(place / "small.txt")]}, "out": str(place / "small")})
    assert building.build(recipe).exit_code == 0
    (place / "mark.json").write_bytes((place / "small" / stats_name(0)).read_bytes())
    (place / "in").mkdir()
    for number, start in enumerate(range(0, units, FILE_UNITS)):
        with (place / "in" / f"{number:06d}.txt").open("wb") as file:
            file.truncate(min(FILE_UNITS, units - start) * UNIT)


def timed(name: str, seconds: dict[str, Any]) -> None:
    """Have a step of a build note the CPU seconds that the driver takes, and the memory that it has peaked at."""
    step: Callable[..., Any] = getattr(building, name)

    def run(*arguments: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return step(*arguments, **named)
        finally:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            seconds[name.lstrip("_")] = f"{time.process_time() - started:.1f} s, {peak} MB"

    setattr(building, name, run)


def drive(place: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Build, and return CPU seconds and the peaks of memory of this process and of the largest worker."""
    seconds: dict[str, Any] = {}
    for name in STEPS:
        timed(name, seconds)
    told: dict[str, Any] = {"input": {"files": [str(place / "in")]}, "unit": {"bytes": UNIT}, "out": str(place / "out")}
    told |= {"run": run, "dedup": {"documents": True}}
    child = None
    if not run:
        child = InChild()
        vars(building).update(_graph=lambda _: child)
    peaks, started = Peaks(children), time.perf_counter()
    report = building.build(make_recipe(told))
    assert report.complete, report.failures[:3]
    seconds |= {
        "driver MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "worker MB": peaks.end().get("worker", 0),
    }
    if child:
        child.child.end()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds["driver s"] = round(time.process_time(), 1)
    seconds["worker s"] = round(spent.ru_utime + spent.ru_stime, 1)
    return {**seconds, "all": f"{time.perf_counter() - started:.0f} s", "already": report.already}


def driven(place: Path, run: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Return what a driver in a process of its own tells."""
    start = "import scale; scale.main()"  # not as __main__, which no worker could import
    command = [sys.executable, "-c", start, "--drive", str(place), "--run", json.dumps(run)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(place: Path, units: int, run: dict[str, Any], environment: dict[str, str]) -> None:
    """Build, build again, and print what each of them took."""
    for what in ("build", "again"):
        show(units, what, driven(place, run, environment))


def show(units: int, what: str, found: dict[str, Any]) -> None:
    """Print a line."""
    print(f"{units:7,} units, {what}:", *(f"{key} {value};" for key, value in found.items()), flush=True)


def main() -> None:
    """Measure, and print lines for each number of units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", default="1000,10000")
    parser.add_argument("--passages", type=int, default=1000, help="keys of passages of a unit")
    parser.add_argument("--documents", type=int, default=200, help="keys of records of a unit")
    parser.add_argument("--repeated", type=float, default=0.01, help="share of records that repeat another")
    parser.add_argument("--pool", type=int, default=64, help="documents of the pool")
    parser.add_argument("--runner", default="", help="through Beam's graph: local, flink, spark or dask")
    parser.add_argument("--workers", type=int, default=2, help="of the local runner")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drive:
        print(json.dumps(drive(given.drive, given.run)))
        return
    for units in map(int, given.units.split(",")):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            prepare(place, units)
            told = {"mark": str(place / "mark.json"), "passages": given.passages, "pool": given.pool}
            told |= {"documents": given.documents, "repeated": given.repeated}
            paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
            environment = {**os.environ, SETTINGS: json.dumps(told), "PYTHONPATH": paths}
            if given.runner in ("", "local"):
                measure(place, units, {"workers": given.workers} if given.runner else {}, environment)
                continue
            with engine(given.runner, place / "engine", environment) as (run, peaks):
                measure(place, units, run, environment)
                show(units, "peaks in MB", peaks.end())


if __name__ == "__main__":
    main()
