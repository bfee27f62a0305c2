"""Memory and time of the end of a build, by the number of its units: python benchmarks/finish.py [--units 1000,5000].

A small build is made first; then each of its units' commit marks stands for many, each with passage keys of its own, as
many as some four megabytes of text have. No shard is written: the end of a build reads none.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.build import build
from pipelines.folder.finish import facts_of, finish
from pipelines.folder.layout import STATS, Folder, keys_name, stats_name, to_json
from pipelines.folder.marks import seal
from pipelines.plan import Plan, plan_bytes
from pipelines.recipes.recipe import make_recipe

TEXT = "The lamp went out before the bell. However, nobody turned north, and the ferry was late again.\n"


def prepare(out: Path, units: int, keys: int) -> None:
    """Leave a folder in which all units of a large build are done."""
    text = out.with_suffix(".txt")
    text.write_text("".join(f"Page {i}. {TEXT}" for i in range(2000)))
    report = build(make_recipe({"input": {"files": [str(text)]}, "out": str(out)}))
    assert report.exit_code == 0, report.failures
    folder = Folder.at(str(out))
    plan, mark = Plan.read(folder), json.loads(folder.read(stats_name(0)))
    folder.write(
        "plan.json", plan_bytes(replace(plan, units=tuple(replace(plan.units[0], index=i) for i in range(units))))
    )
    random = np.random.default_rng(0)
    for unit in range(units):
        data = np.sort(random.integers(1 << 63, size=keys, dtype=np.uint64)).astype("<u8").tobytes()
        (out / keys_name(unit)).write_bytes(data)
        own = {**mark, "unit": unit, "files": {keys_name(unit): facts_of(data)}}
        (out / stats_name(unit)).write_bytes(to_json(seal(own)))


def end(out: Path) -> dict[str, Any]:
    """Return seconds, and the peak of memory above that of a process that has loaded all, in MB."""
    plan = Plan.read(Folder.at(str(out)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    assert finish(plan, str(out)) is not None
    seconds = time.perf_counter() - started
    return {"before": before, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": seconds}


def main() -> None:
    """Measure, and print a line per number of units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", default="1000,5000")
    parser.add_argument("--keys", type=int, default=8_000, help="passage keys of a unit")
    parser.add_argument("--end", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.end:
        print(json.dumps(end(given.end)))
        return
    for units in map(int, given.units.split(",")):
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"
            prepare(out, units, given.keys)
            keys = sum(path.stat().st_size for path in (out / STATS).glob("*.keys")) // 8
            command = [sys.executable, __file__, "--end", str(out)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(
            f"{units:7,} units, {keys:12,} keys: peak {found['memory']:4.0f} MB ({found['before']:.0f} before), "
            f"{found['seconds']:6.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
