"""Memory and time of a build by the number of its units: python benchmarks/scale.py [--units 1000,10000,40000].

The whole command runs through its real graph, with worker processes, over sparse files of 64 MiB per unit. The work of
a unit alone is pretended: scanning leaves keys of records as a real scan does, making leaves the commit mark of a real
unit with keys of passages of its own, and empty shards. Then the same command runs again on the complete dataset.

Memory is the peak of each process (VmHWM), looked at twice a second.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import pipelines.build as building
from pipelines.folder.finish import facts_of
from pipelines.folder.layout import SPLITS, Folder, keys_name, shard_name, stats_name, to_json
from pipelines.folder.marks import seal
from pipelines.input.records import Unit
from pipelines.input.repeats import KEY, record_keys_name
from pipelines.plan import stored_digest
from pipelines.recipes.recipe import make_recipe
from pipelines.scan import ScanUnit

TEXT = "The lamp went out before the bell. However, nobody turned north, and the ferry was late again.\n"
UNIT = 64 * 2**20
FILE_UNITS = 64
SETTINGS = "AUXLOOM_SCALE"  # in the environment: what workers must know
STEPS = ("draft", "prepare", "inspect", "_run_units")


def settings() -> dict[str, Any]:
    """Return what a worker must know."""
    found: dict[str, Any] = json.loads(os.environ[SETTINGS])
    return found


@cache
def template() -> dict[str, Any]:
    """Return the commit mark of a real unit."""
    mark: dict[str, Any] = json.loads(Path(settings()["mark"]).read_bytes())
    return mark


def pretended_scan(self: ScanUnit, unit: Unit) -> dict[str, Any]:
    """Leave keys of records, and return what a scan finds of a unit: a full pool, digests, a file's pieces."""
    told = settings()
    random = np.random.default_rng(unit.index)
    keys = np.zeros(told["documents"], KEY)
    for name in ("a", "b"):
        keys[name] = random.integers(1 << 63, size=len(keys), dtype=np.uint64) * np.uint64(2)
    repeated = random.random(len(keys)) < told["repeated"]
    keys["a"][repeated] = keys["b"][repeated] = random.integers(1000, size=int(repeated.sum()))
    keys["kind"], keys["file"], keys["unit"] = 0, unit.ranges[0].file, unit.index
    keys["place"] = unit.ranges[0].start + np.arange(len(keys)) * 100
    Folder.at(self.out).write(record_keys_name(self.scratch, unit.index), keys.tobytes())
    names = sorted(f"{value:016x}" for value in random.integers(1 << 62, size=2048))
    return {
        "units": {str(unit.index): f"{unit.index:032x}"},
        "pieces": {f"{part.file}:{part.start}": [part.stop, f"{part.start:032x}"] for part in unit.ranges},
        "keys": {str(unit.index): len(keys)},
        "places": False, "numbered": [], "unnamed": [part.file for part in unit.ranges],
        "documents": {"train": 900, "validation": 50, "test": 50},
        "asked": {}, "labels": {}, "labelled": [], "classes": {},
        "groups": names[:3],
        "pool": [[f"{name} a:{unit.index}", name, {"text": TEXT * 5}] for name in names],
        "pool_size": 2048,
    }  # fmt: skip


def pretended_shard(unit: int, plan: Any, out: str, *, batch: int = 2048) -> dict[str, Any]:
    """Leave the files of a unit, whose shards are empty, and return its report."""
    del batch
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
    Path(out, stats_name(unit)).write_bytes(
        to_json(seal({**template(), "plan": plan.digest, "unit": unit, "files": files}))
    )
    report = {"unit": unit, "host": "here", "process": os.getpid(), "setup": 0.0}
    return report | {"started": started, "seconds": time.time() - started}


if SETTINGS in os.environ:  # in the driver and in workers, which import this module for the class below
    ScanUnit._scan = pretended_scan  # type: ignore[method-assign]  # noqa: SLF001
    building.make_shard = pretended_shard


class PretendedScan(ScanUnit):
    """By its module, a worker that unpickles it imports this one."""


class PretendedShard(building.MakeShard):
    """The same."""


class Peaks:
    """The peak of memory of each process below this one."""

    def __init__(self) -> None:
        self.of: Counter[int] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.look()

    def look(self) -> None:
        """Note the peaks so far."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            except OSError:
                continue
            if int(fields["PPid"]) == os.getpid() and "VmHWM" in fields:
                process = int(fields["Pid"])
                self.of[process] = max(self.of[process], int(fields["VmHWM"].split()[0]))

    def end(self) -> int:
        """Return the largest, in MB."""
        self._stop.set()
        self._thread.join()
        return max(self.of.values(), default=0) // 1024


def prepare(place: Path, units: int) -> list[str]:
    """Write sparse files of so many units, and the commit mark of a real one."""
    (place / "small.txt").write_text("".join(f"Page {i}. {TEXT}" for i in range(300)))
    recipe = make_recipe({"input": {"files": [str(place / "small.txt")]}, "out": str(place / "small")})
    assert building.build(recipe).exit_code == 0
    (place / "mark.json").write_bytes((place / "small" / stats_name(0)).read_bytes())
    (place / "in").mkdir()
    for number, start in enumerate(range(0, units, FILE_UNITS)):
        with (place / "in" / f"{number:06d}.txt").open("wb") as file:
            file.truncate(min(FILE_UNITS, units - start) * UNIT)
    return [str(place / "in")]


def timed(name: str, seconds: dict[str, float]) -> None:
    """Have a step of a build note how long it takes, and what memory the process has peaked at."""
    step: Callable[..., Any] = getattr(building, name)

    def run(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return step(*arguments, **named)
        finally:
            seconds[name.lstrip("_")] = round(time.perf_counter() - started, 1)
            seconds[f"{name.lstrip('_')} MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    setattr(building, name, run)


def drive(place: Path, workers: int) -> dict[str, Any]:
    """Build, and return seconds and the peaks of memory of this process and of the largest worker."""
    from pipelines import planning

    seconds: dict[str, Any] = {}
    for name in STEPS:
        timed(name, seconds)
    planning.ScanUnit, building.MakeShard = PretendedScan, PretendedShard  # type: ignore[misc]
    told = {"input": {"files": [str(place / "in")]}, "unit": {"bytes": UNIT}, "out": str(place / "out")}
    told |= {"run": {"workers": workers}, "dedup": {"documents": True}}
    peaks, started = Peaks(), time.perf_counter()
    report = building.build(make_recipe(told))
    seconds["all"] = round(time.perf_counter() - started, 1)
    assert report.complete, report.failures[:3]
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"driver": driver, "worker": peaks.end(), "already": report.already, **seconds}


def run(place: Path, workers: int, environment: dict[str, str]) -> dict[str, Any]:
    """Return what a driver in a process of its own tells."""
    command = [sys.executable, "-m", "scale", "--drive", str(place), "--workers", str(workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print lines for each number of units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", default="1000,10000,40000")
    parser.add_argument("--passages", type=int, default=1000, help="keys of passages of a unit")
    parser.add_argument("--documents", type=int, default=200, help="keys of records of a unit")
    parser.add_argument("--repeated", type=float, default=0.01, help="share of records that repeat another")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drive:
        print(json.dumps(drive(given.drive, given.workers)))
        return
    for units in map(int, given.units.split(",")):
        with tempfile.TemporaryDirectory() as name:
            place = given.keep or Path(name)
            prepare(place, units)
            told = {"mark": str(place / "mark.json"), "passages": given.passages}
            told |= {"documents": given.documents, "repeated": given.repeated}
            paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
            environment = {**os.environ, SETTINGS: json.dumps(told), "PYTHONPATH": paths}
            for what in ("build", "again"):
                found = run(place, given.workers, environment)
                print(f"{units:7,} units, {what}: {found}", flush=True)


if __name__ == "__main__":
    main()
