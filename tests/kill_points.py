"""Build in child processes that are killed at given points, then once more to the end; run by test_resume.py.

Usage: python kill_points.py SOURCE FOLDER POINT...   where POINT is the number of files that get their name first. If
SOURCE is a dataset, what is made is a layer of a copy of it.
"""

import os
import shutil
import signal
import sys
import warnings
from pathlib import Path

from quick_beam import remember
from small import built

from labelers.text.segmenter import read_texts
from pipelines.folder.layout import Pending
from pipelines.graph import import_beam
from pipelines.layers.label import label

TABLES = {"unit": {"bytes": 20_000}}


def die_after(count: int) -> None:
    """Let this process be killed when the next file after so many is to get its name."""
    whole, seen = Pending.commit, []

    def commit(self: Pending) -> None:
        if len(seen) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(self.name)
        whole(self)

    Pending.commit = commit


def child(source: Path, out: Path, count: int | None) -> int:
    """Build in a forked process and return how it ended."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if count is not None:
        die_after(count)
    made = label(str(out), ["masking"]) if source.is_dir() else built(source, out, **TABLES)
    os._exit(made.exit_code)


def main(source: Path, folder: Path, points: list[str]) -> None:
    """Print per point how the killed build and the one after it ended, and what the killed one had left."""
    # Beam and pyarrow keep idle threads, of which Python 3.12 and later warn; the children use none of their locks
    warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
    import_beam()  # once, not in every child
    remember()
    read_texts(["Likewise."])
    for point in points:
        out = folder / point
        if source.is_dir():
            shutil.copytree(source, out)
        killed = child(source, out, int(point))
        names = [path.name for path in out.rglob("*") if path.is_file()] if out.exists() else []
        unnamed = sum(name.startswith(".tmp-") for name in names)
        print(point, killed, len(names) - unnamed, unnamed, child(source, out, None))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
