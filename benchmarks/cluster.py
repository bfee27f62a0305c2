"""Builds on a cluster against builds on one machine: python benchmarks/cluster.py TEXT -- --runner flink --beam ...

The options after ``--`` are those of `auxloom build` that name the cluster, which must be running; the local build has
``--workers``. Both build the text at each of the sizes, in turn, several times. Printed are the medians: the fixed cost
of a build, and the seconds for each further 100 MB, which two sizes tell apart. All builds of a size must have the same
shards. A text that is too short is repeated; each line of a repeat begins with a word of its own, so that no paragraph
occurs twice. Run it on an idle machine.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median

MEGABYTE = 1_000_000
AUXLOOM = [sys.executable, "-c", "import sys; sys.argv[0] = 'auxloom'; from pipelines.start import main; main()"]


def cut(text: Path, megabytes: int, to: Path) -> int:
    """Write whole lines of a text, repeated if it is too short, and return their bytes."""
    wanted, written = megabytes * MEGABYTE, 0
    with to.open("wb") as file:
        for repeat in count():
            word = f"Part{repeat} ".encode() if repeat else b""
            with text.open("rb") as lines:
                for line in lines:
                    if written + len(word) + len(line) > wanted:
                        return written
                    written += file.write(word + line)
    raise AssertionError


def build(text: Path, out: Path, options: list[str]) -> tuple[float, str]:
    """Return the seconds of a build, from the start of the command to its end, and the digest of its shards."""
    started = time.perf_counter()
    command = [*AUXLOOM, "build", str(text), "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(out.glob("*/*.arrow")):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "blake2b").digest())
    shutil.rmtree(out)
    return seconds, digest.hexdigest()


def main() -> None:
    """Measure, and print the table."""
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a text file, a paragraph per line")
    parser.add_argument("--megabytes", default="100,400", help="two sizes, separated by a comma")
    parser.add_argument("--rounds", type=int, default=3, help="builds of each kind and size")
    parser.add_argument("--workers", type=int, default=2, help="of the local build; as many as the cluster has slots")
    given, cluster = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    if not cluster:
        parser.error(
            "give the options that name the cluster after --, such as -- --runner flink --beam job_endpoint=.."
        )
    small, large = (int(size) for size in given.megabytes.split(","))
    kinds = {"local": ["--workers", str(given.workers)], "cluster": cluster}
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        texts = {size: Path(name) / f"{size}.txt" for size in (small, large)}
        bytes_of = {size: cut(given.text, size, path) for size, path in texts.items()}
        digests: dict[int, set[str]] = {small: set(), large: set()}
        for _ in range(given.rounds):
            for size, path in texts.items():
                for kind, options in kinds.items():
                    seconds, digest = build(path, Path(name) / "out", options)
                    found.setdefault((kind, size), []).append(seconds)
                    digests[size].add(digest)
                    print(f"{size:5} MB  {kind:8} {seconds:8.1f} s", flush=True)
                    if len(digests[size]) > 1:
                        sys.exit(f"the shards of {size} MB differ between builds")
    slopes = {}
    print(
        "\nmedians, seconds"
        + f"{small} MB".rjust(14)
        + f"{large} MB".rjust(10)
        + "fixed cost".rjust(13)
        + "each 100 MB".rjust(14)
    )
    for kind in kinds:
        low, high = (median(found[kind, size]) for size in (small, large))
        slope = (high - low) / (bytes_of[large] - bytes_of[small])
        slopes[kind] = slope * 100 * MEGABYTE
        print(f"{kind:16}{low:14.1f}{high:10.1f}{low - slope * bytes_of[small]:13.1f}{slopes[kind]:14.1f}")
    print(
        f"cluster over local, seconds for each further 100 MB: {slopes['cluster'] / slopes['local']:.2f} (at most 1.1)"
    )


if __name__ == "__main__":
    main()
