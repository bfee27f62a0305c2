"""Speed, size and memory of a build, as ratios in one run: python benchmarks/build.py TEXT [--megabytes 100].

Every job runs in a process of its own, one after the other: spaCy's tokenizer and sentencizer over the same text, the
shards in a plain loop, the build on Beam with one worker and with two, with two threads in place of two workers (on
Beam's local runner and on Dask), and the build with woven views. Start-up is left out where it is not said to be in:
time counts from the start of the first unit to the end of the last, without what a process needs to get ready for its
first one (spaCy, labelers, the pool). Run it on an idle machine.
"""

import argparse
import json
import logging
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipelines.build import build
from pipelines.folder.layout import Folder
from pipelines.graph import run_graph
from pipelines.plans.planning import draft, fill
from pipelines.recipes.recipe import Recipe, make_recipe
from pipelines.rows.shard import make_shard

MEGABYTE = 1e6
THREADS = {"direct_num_workers": 2, "direct_running_mode": "multi_threading"}
DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"


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


def on_beam(text: Path, out: Path, views: str = "separate", **run: Any) -> dict[str, float]:
    """Return the seconds of a build on Beam, from the first unit to the last, and in all."""
    started = time.perf_counter()
    report = build(recipe(text, out, views=views, run=run))
    whole = time.perf_counter() - started
    assert report.exit_code == 0, report.failures
    units = json.loads((out / "run.jsonl").read_bytes().splitlines()[-1])["units"]
    return {"seconds": span(units), "whole": whole, "bytes": arrow_bytes(out), "rows": sum(report.splits.values())}


def on_dask(text: Path, out: Path, workers: int, threads: int) -> dict[str, float]:
    """Return the seconds of a build on a Dask cluster of this machine."""
    from distributed import LocalCluster

    logging.disable(logging.INFO)
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers, threads_per_worker=threads, dashboard_address=None
    ) as cluster:
        options = {"dask_client_address": cluster.scheduler_address, "dask_npartitions": 64}
        return on_beam(text, out, runner=DASK, beam=options)


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
    found: dict[str, Any] = dict(JOBS[name](text, out))
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found["child"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return found


JOBS: dict[str, Callable[[Path, Path], dict[str, float]]] = {
    "spacy": lambda text, _: spacy_pipe(text),
    "loop": loop,
    "beam": on_beam,
    "two": lambda text, out: on_beam(text, out, workers=2),
    "threads": lambda text, out: on_beam(text, out, beam=THREADS),
    "dask_two": lambda text, out: on_dask(text, out, 2, 1),
    "dask_threads": lambda text, out: on_dask(text, out, 1, 2),
    "woven": lambda text, out: on_beam(text, out, "woven"),
}


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
    parser.add_argument("--jobs", default=",".join(JOBS), help="run only these, separated by commas")
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
        found = {job: start_job(job, text, folder) for job in given.jobs.split(",")}
    print(f"\n{size / MEGABYTE:.1f} MB")
    table(found, size)


def table(found: dict[str, dict[str, Any]], size: int) -> None:
    """Print the rows that the design asks for, of the jobs that were run."""
    for name, target, value in ROWS:
        try:
            print(f"{name:70} {value(found, size):8.2f}   {target}")
        except KeyError:  # a job that was left out
            continue


def ratio(job: str, other: str, key: str = "seconds") -> Callable[[dict[str, dict[str, Any]], int], float]:
    """Return what computes the ratio of two jobs."""
    return lambda found, _: found[job][key] / found[other][key]


ROWS: list[tuple[str, str, Callable[[dict[str, dict[str, Any]], int], float]]] = [
    ("spaCy, MB/s", "", lambda found, size: size / MEGABYTE / found["spacy"]["seconds"]),
    ("build, one worker, MB/s", "", lambda found, size: size / MEGABYTE / found["beam"]["seconds"]),
    ("build, one worker, over spaCy, speed", "at least 3", ratio("spacy", "beam")),
    (
        "bytes of Arrow per byte of text, separate views",
        "at most 7",
        lambda found, size: found["beam"]["bytes"] / size,
    ),
    ("bytes of Arrow per byte of text, woven views", "at most 5.5", lambda found, size: found["woven"]["bytes"] / size),
    ("Beam with one worker over a plain loop, time", "at most 1.1", ratio("beam", "loop")),
    ("two workers against one, speed", "at least 1.8", ratio("beam", "two")),
    ("two threads over two workers, Beam's local runner, whole time", "at most 1.15", ratio("threads", "two", "whole")),
    ("two threads over two workers, Dask, whole time", "at most 1.15", ratio("dask_threads", "dask_two", "whole")),
    ("peak memory of one process that plans and builds, MB", "at most 600", lambda found, _: found["beam"]["memory"]),
    ("peak memory of a worker of two, MB", "at most 600", lambda found, _: found["two"]["child"]),
    ("plan, seconds", "", lambda found, _: found["loop"]["plan"]),
    ("first unit, seconds", "", lambda found, _: found["loop"]["first"]),
]


if __name__ == "__main__":
    main()
