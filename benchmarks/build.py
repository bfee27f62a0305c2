"""Speed, size and memory of a build, as ratios in one run: python benchmarks/build.py TEXT [--megabytes 100].

Every job runs in a process of its own, one after the other: spaCy's tokenizer and sentencizer over the same text, the
shards in a plain loop, the build on Beam with one worker and with two, and the build with woven views. Start-up is left
out on all sides: time counts from the start of the first unit to the end of the last, without what a process needs to
get ready for its first one (spaCy, labelers, the pool). Run it on an idle machine.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipelines.build import build
from pipelines.graph import run_graph
from pipelines.layout import Folder
from pipelines.plan import draft, fill
from pipelines.recipe import Recipe, make_recipe
from pipelines.shard import make_shard

MEGABYTE = 1e6


def spacy_pipe(text: Path) -> dict[str, float]:
    """Return the seconds that blank spaCy with a sentencizer needs."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 10**9
    started = time.perf_counter()
    with text.open(encoding="utf-8") as lines:
        tokens = sum(len(doc) for doc in nlp.pipe(line.rstrip("\n") for line in lines))
    return {"seconds": time.perf_counter() - started, "tokens": tokens}


def recipe(text: Path, out: Path, **tables: Any) -> Recipe:
    """Return the recipe of a benchmark: the four labelers with their defaults."""
    return make_recipe({"input": {"files": [str(text)]}, "out": str(out), **tables})


def loop(text: Path, out: Path) -> dict[str, float]:
    """Return the seconds of all shards made in a loop, of the plan, and of the first unit, which warms up."""
    settings = recipe(text, out)
    started = time.perf_counter()
    plan = fill(draft(settings), settings.run, run_graph)
    planned = time.perf_counter()
    reports = [make_shard(unit, plan, str(out)) for unit in range(len(plan.units))]
    return {"plan": planned - started, "seconds": span(reports), "first": reports[0]["seconds"], "units": len(reports)}


def on_beam(text: Path, out: Path, workers: int, views: str) -> dict[str, float]:
    """Return the seconds of a build on Beam, from the first unit to the last, and in all."""
    started = time.perf_counter()
    report = build(recipe(text, out, views=views, run={"workers": workers}))
    whole = time.perf_counter() - started
    assert report.exit_code == 0, report.failures
    units = json.loads((out / "run.jsonl").read_bytes().splitlines()[-1])["units"]
    return {"seconds": span(units), "whole": whole, "bytes": arrow_bytes(out), "rows": sum(report.splits.values())}


def span(reports: list[dict[str, Any]]) -> float:
    """Return the seconds from when the first process is ready for its first unit to the end of the last unit."""
    first: dict[int, dict[str, Any]] = {}
    for item in sorted(reports, key=itemgetter("started")):
        first.setdefault(item["process"], item)
    ready = min(item["started"] + item["setup"] for item in first.values())
    return float(max(item["started"] + item["seconds"] for item in reports) - ready)


def arrow_bytes(out: Path) -> int:
    """Return the bytes of all shards."""
    folder = Folder.at(str(out))
    names = [f"{split}/{name}" for split in ("train", "validation", "test") for name in folder.names(split)]
    return sum((out / name).stat().st_size for name in names if name.endswith(".arrow"))


def run_job(name: str, text: Path, out: Path) -> dict[str, Any]:
    """Run a job in this process and return what it measured, with its peak memory and that of its largest child."""
    jobs = {
        "spacy": lambda: spacy_pipe(text),
        "loop": lambda: loop(text, out),
        "beam": lambda: on_beam(text, out, 1, "separate"),
        "two": lambda: on_beam(text, out, 2, "separate"),
        "woven": lambda: on_beam(text, out, 1, "woven"),
    }
    found: dict[str, Any] = dict(jobs[name]())
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found["child"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return found


def start_job(name: str, text: Path, folder: Path) -> dict[str, Any]:
    """Run a job in a process of its own."""
    out = folder / name
    command = [sys.executable, __file__, str(text), "--job", name, "--out", str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(out, ignore_errors=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a text file, a paragraph per line")
    parser.add_argument("--megabytes", type=float, default=100.0, help="use so much of its beginning")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(run_job(given.job, given.text, given.out)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        with given.text.open("rb") as file:
            data = file.read(int(given.megabytes * MEGABYTE))
        text.write_bytes(data[: data.rfind(b"\n") + 1])
        size = text.stat().st_size
        found = {job: start_job(job, text, folder) for job in ("spacy", "loop", "beam", "two", "woven")}
    table(found, size)


def table(found: dict[str, dict[str, Any]], size: int) -> None:
    """Print the rows that the design asks for."""
    speed = size / MEGABYTE / found["beam"]["seconds"]
    base = size / MEGABYTE / found["spacy"]["seconds"]
    rows = [
        (f"build, one worker, MB/s ({speed:.2f}) over spaCy's ({base:.2f})", speed / base, "at least 3"),
        ("bytes of Arrow per byte of text, separate views", found["beam"]["bytes"] / size, "at most 7"),
        ("bytes of Arrow per byte of text, woven views", found["woven"]["bytes"] / size, "at most 5.5"),
        (
            "Beam with one worker over a plain loop, time",
            found["beam"]["seconds"] / found["loop"]["seconds"],
            "at most 1.1",
        ),
        ("two workers against one, speed", found["beam"]["seconds"] / found["two"]["seconds"], "at least 1.8"),
        ("peak memory of one process that plans and builds, MB", found["beam"]["memory"], "at most 600"),
        ("peak memory of a worker of two, MB", found["two"]["child"], "at most 600"),
    ]
    print(f"\n{size / MEGABYTE:.1f} MB; plan {found['loop']['plan']:.1f} s, first unit {found['loop']['first']:.1f} s")
    for name, value, target in rows:
        print(f"{name:70} {value:8.2f}   {target}")


if __name__ == "__main__":
    main()
