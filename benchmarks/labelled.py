"""Labels of people, and what reading them costs: python benchmarks/labelled.py [TSV] [--megabytes 5] [--rounds 5].

TSV holds a token and its tag per line, with a blank line behind each sentence, such as those of BC5CDR; without one,
sentences are made up. They are repeated to so many megabytes of JSON lines with tokens, once with tags and once without
them. Both are built with masking, each build in a process of its own, in turn; what counts is the ratio of their
CPU seconds, those of the plan included, without the imports, in the round of each that was disturbed least.
"""

import argparse
import json
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from pipelines.build import build
from pipelines.recipes.recipe import make_recipe

MEGABYTE = 1e6
MOST = 1.2
JOBS = ("plain", "labelled")


def read_sentences(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Yield tokens and tags of each sentence of a file."""
    tokens, tags = list[str](), list[str]()
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.strip():
            token, *_, tag = line.split("\t")
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            yield tokens, tags
            tokens, tags = [], []


def made_up(count: int = 4000) -> Iterator[tuple[list[str], list[str]]]:
    """Yield sentences of random words, one in ten of which begins a span."""
    draw = random.Random(0)  # noqa: S311  (words of a benchmark)
    for _ in range(count):
        size = draw.randint(8, 45)
        tokens = ["".join(draw.choices("aeioulnrst", k=draw.randint(2, 9))) for _ in range(size - 1)] + ["."]
        tags = ["O"] * size
        for place in range(0, size - 2, 10):
            tags[place : place + 2] = ["B-x", "I-x"]
        yield tokens, tags


def write_records(sentences: list[tuple[list[str], list[str]]], folder: Path, megabytes: float) -> None:
    """Write both inputs, the sentences repeated under new ids until the one with tags is large enough."""
    size = 0
    with (folder / "plain.jsonl").open("w") as plain, (folder / "labelled.jsonl").open("w") as labelled:
        for number, (tokens, tags) in enumerate(cycle(sentences)):
            if size >= megabytes * MEGABYTE:
                break
            record: dict[str, Any] = {"id": f"s{number}", "tokens": tokens}
            print(json.dumps(record), file=plain)
            size += labelled.write(json.dumps(record | {"tags": tags}) + "\n")


def run_job(name: str, folder: Path, out: Path) -> float:
    """Return the CPU seconds of a build."""
    data: dict[str, Any] = {"with": ["masking"], "out": str(out), "input": {"files": [str(folder / f"{name}.jsonl")]}}
    if name == "labelled":
        data["labels"] = {"ner": {"kind": "token", "column": "tags"}}
    recipe = make_recipe(data)
    from pipelines.graph import import_beam

    import_beam()
    started = time.process_time()
    assert build(recipe).exit_code == 0
    return time.process_time() - started


def start_job(name: str, folder: Path, number: int) -> float:
    """Run a job in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--job",
        name,
        "--folder",
        str(folder),
        "--out",
        str(folder / f"{name}{number}"),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def machine() -> str:
    """Return what the processor is called."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return names[0] if names else platform.machine()


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tsv", type=Path, nargs="?")
    parser.add_argument("--megabytes", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    for name in ("--job", "--folder", "--out"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(run_job(given.job, Path(given.folder), Path(given.out)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_records(list(read_sentences(given.tsv) if given.tsv else made_up()), folder, given.megabytes)
        found: dict[str, list[float]] = {job: [] for job in JOBS}
        for number in range(given.rounds):
            for job in JOBS:
                found[job].append(start_job(job, folder, number))
    for job, seconds in found.items():
        print(f"{job:9} {' '.join(f'{item:6.2f}' for item in seconds)} CPU seconds, median {median(seconds):.2f}")
    ratio = min(found["labelled"]) / min(found["plain"])
    print(f"labelled over plain, CPU time: {ratio:.2f} (at most {MOST}), on {machine()}")


if __name__ == "__main__":
    main()
