"""Memory of a training run: python benchmarks/train_memory.py DATASET [--steps 200].

Trains in a child process, from an empty cache to the report, and prints the most anonymous memory that it took in each
part of the run: RssAnon of /proc, without the pages of mapped files, which the system takes back when it needs them.
What a process takes that has only imported torch is measured likewise. Nothing is left behind.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

INTERVAL = 0.02  # seconds between two looks
MEGABYTE = 1e6
TARGET = 700.0
TORCH = "import torch, time; torch.ones(256, 256) @ torch.ones(256, 256); time.sleep(2)"


def anonymous(process: int) -> float:
    """Return the anonymous memory of a process in MB, 0 once it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(found[0]) * 1024 / MEGABYTE if found else 0.0


def peaks(command: Sequence[str], first: str, **environment: str) -> dict[str, float]:
    """Run a command and return its peak memory in each part; every line that it prints opens a part."""
    part, found = [first], {first: 0.0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as child:
        assert child.stdout
        lines = child.stdout

        def listen() -> None:
            part.extend(line.strip() for line in lines)

        threading.Thread(target=listen, daemon=True).start()
        while child.poll() is None:
            here = part[-1]
            found[here] = max(found.get(here, 0.0), anonymous(child.pid))
            time.sleep(INTERVAL)
        assert child.returncode == 0, "the run failed"
    return found


def run(dataset: str, out: str, steps: int) -> None:
    """Train in this process, and print the name of each part of the run as it begins."""
    from trainer.loop import train

    told = ""

    def progress(_: float, __: float, note: str) -> None:
        nonlocal told
        now = note if note.startswith(("evaluating", "fitting")) else "steps"
        if now != told:
            told = now
            print(now, flush=True)

    train(dataset, out, {"max_steps": steps, "threads": 1, "device": "cpu"}, progress=progress)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a folder that `auxloom build` wrote")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.out:
        run(given.dataset, given.out, given.steps)
        return
    alone = max(peaks([sys.executable, "-c", TORCH], "torch alone").values())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, given.dataset, "--steps", str(given.steps), "--out", f"{folder}/run"]
        found = peaks(command, "encoding", AUXLOOM_CACHE=f"{folder}/cache")
    rows = {"torch alone": alone, **found}
    for part, peak in rows.items():
        print(f"{part:60}{peak:8.0f} MB")
    print(f"{'peak without torch':60}{max(found.values()) - alone:8.0f} MB   less than {TARGET:.0f}")


if __name__ == "__main__":
    main()
