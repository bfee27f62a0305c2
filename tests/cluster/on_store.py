"""The local runner and the trainer on a real object store: how many requests a unit takes, and all that one can do.

`make test-cluster` runs it; without the server it is skipped.
"""

import json
import os
import subprocess
from pathlib import Path

from commands import auxloom
from engines import S3
from small import built, files, text

TABLES = {"unit": {"bytes": 1500}, "with": ["masking"]}


def ran(store: S3, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command."""
    environment = {**os.environ, **store.environment}
    return subprocess.run(auxloom(*words), env=environment, capture_output=True, text=True, check=False)


def test_a_unit_takes_few_requests(store: S3, tmp_path: Path) -> None:
    """At most 15 beside reading input, the lock and progress, by the server's log; the bytes are those of a disk."""
    (tmp_path / "a.txt").write_text(text(168))
    assert built(tmp_path / "a.txt", tmp_path / "out", **TABLES).complete
    assert store.put("pages/a.txt", (tmp_path / "a.txt").read_bytes())
    before = len(store.requests())
    unit = ["--with", "masking", "--set", "unit.bytes=1500"]
    done = ran(store, "build", "s3://bucket/pages/", "--out", "s3://bucket/counted", *unit)
    assert done.returncode == 0, done.stdout + done.stderr
    apart = ("pages", ".lock", "prefix=counted/stats/")  # the last by the progress bar, every few seconds
    own = [item for item in store.requests()[before:] if not any(words in item for words in apart)]
    units = len(json.loads((store.objects / "counted" / "plan.json").read_bytes())["units"])
    assert units >= 14
    assert 5 * units <= len(own) <= 15 * units, "\n".join(own)
    assert files(store.objects / "counted") == files(tmp_path / "out")


def test_from_labels_of_people_to_predictions(store: S3, tmp_path: Path) -> None:
    """Each command reads and writes the store alone; the model and its scores are those of a disk."""
    for name, first in (("train", 0), ("test", 90)):
        rows = [line.replace(".", " .").replace(",", " ,").split() for line in text(90, first).splitlines()]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(_tagged(words))}\n" for words in rows))
        assert store.put(f"people/{name}.jsonl", (tmp_path / f"{name}.jsonl").read_bytes())
    scores = []
    for place, out in (("s3://bucket/people", "s3://bucket/people-made"), (str(tmp_path), str(tmp_path / "made"))):
        data, run = f"{out}/set", f"{out}/run"
        files_of = ["--train", f"{place}/train.jsonl", "--test", f"{place}/test.jsonl"]
        say(store, "build", *files_of, "--label", "ner=token:tags", "--with", "masking", "--out", data)
        again = ["--label", "again=token:tags", "--on", "tokens"]
        say(store, "join", data, f"{place}/train.jsonl", f"{place}/test.jsonl", *again)
        steps = ["--set", "max_steps=6", "--set", "primary=ner", "--set", "model.features=false"]
        say(store, "train", data, "--out", run, *steps, "--set", "threads=1")
        scores.append(json.loads(say(store, "evaluate", run, f"{place}/test.jsonl", "--json")))
        say(store, "predict", run, data, "--layer", "taught", "--include-train")
        say(store, "verify", data)
    assert [found["dataset"]["digest"] for found in scores] == [scores[0]["dataset"]["digest"]] * 2
    assert scores[0]["tasks"] == scores[1]["tasks"]
    made, here = store.objects / "people-made", tmp_path / "made"
    for name in ("set", "set/layers/again", "set/layers/taught"):
        assert files(made / name) == files(here / name)
    assert (made / "run/best.safetensors").read_bytes() == (here / "run/best.safetensors").read_bytes()


def _tagged(words: list[str]) -> dict[str, list[str]]:
    """Return a record in which a person tagged one word."""
    return {"tokens": words, "tags": ["B-end" if word == "dusk" else "O" for word in words]}


def say(store: S3, *words: str) -> str:
    """Run a command, and return what it printed."""
    done = ran(store, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
