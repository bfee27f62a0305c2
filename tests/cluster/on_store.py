"""The local runner from and to a real object store: how many requests a unit takes.

`make test-cluster` runs it; without the server it is skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from engines import S3
from machine import ROOT
from small import built, files, text

TABLES = {"unit": {"bytes": 1500}, "with": ["masking"]}


def build(store: S3, out: str) -> "subprocess.CompletedProcess[str]":
    """Build what lies in the store."""
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]}; sys.argv[0] = 'auxloom'; "
        "from pipelines.start import main; main()"
    )
    words = ["build", "s3://bucket/pages/", "--out", out, "--with", "masking", "--set", "unit.bytes=1500"]
    environment = {**os.environ, **store.environment}
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *words], env=environment, capture_output=True, text=True, check=False
    )


def test_a_unit_takes_few_requests(store: S3, tmp_path: Path) -> None:
    """At most 15 beside reading input and the lock, as the server's log counts them; the bytes are those of a disk."""
    (tmp_path / "a.txt").write_text(text(168))
    assert built(tmp_path / "a.txt", tmp_path / "out", **TABLES).complete
    assert store.put("pages/a.txt", (tmp_path / "a.txt").read_bytes())
    before = len(store.requests())
    done = build(store, "s3://bucket/counted")
    assert done.returncode == 0, done.stdout + done.stderr
    own = [item for item in store.requests()[before:] if "pages" not in item and ".lock" not in item]
    units = len(json.loads((store.objects / "counted" / "plan.json").read_bytes())["units"])
    assert units >= 14
    assert 5 * units <= len(own) <= 15 * units, "\n".join(own)
    assert files(store.objects / "counted") == files(tmp_path / "out")
