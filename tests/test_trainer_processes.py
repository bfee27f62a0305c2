"""Several processes that train one run: it is the run of one process, and none of them outlives another one."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from subprocess import run as run_program
from typing import Any

import fsspec
import pytest
import torch
from command import run
from pair import Pair, patched
from test_interrupt import start, wait
from tiny_dataset import write_dataset
from tiny_encoders import write_encoder
from torch.distributed import HashStore

from trainer.checkpoint import load
from trainer.data.batch import Batch, Noise, Share, collate
from trainer.data.dataset import Dataset
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.processes import launch
from trainer.processes.distributed import Distributed
from trainer.processes.process_group import TrainJob, open_group
from trainer.run import Run
from trainer.settings import Settings, make_settings

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320, "head_dropout": 0.0}, "rows": 6, "bucket": 3, "window": 4, "epochs": 2,
    "steps_per_epoch": 4, "log_every": 1, "threads": 1, "device": "cpu", "evaluate_rows": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset, with tasks of every kind."""
    return write_dataset(tmp_path_factory.mktemp("processes") / "set", rows=24)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """This process and another one."""
    made = Pair()
    yield made
    made.end()


def log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def numbers(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers in a line of the log by what they are."""
    flat = {key: value for key, value in line.items() if not isinstance(value, dict)}
    return flat | {
        f"{key}/{name}": value for key, table in line.items() if key not in flat for name, value in table.items()
    }


def check_equal(found: Path, known: Path) -> None:
    """Check that two runs have the same losses and scores, and as many of each."""
    lines = log(found), log(known)
    assert [sorted(line) for line in lines[0]] == [sorted(line) for line in lines[1]]
    for one, other in zip(*lines, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-4, abs=1e-4)
    states = [load(run / "last.safetensors")[1] for run in (found, known)]
    assert states[0]["best"]["step"] == states[1]["best"]["step"]
    assert states[0]["pieces"] == states[1]["pieces"]


PHASES = [{"tasks": ["masking.word", "topic.long"], "epochs": 1}, {"start": "best"}]


@pytest.mark.parametrize(
    "settings",
    [
        {"phase": PHASES, "accumulate": 2, "checkpointing": True},
        # a process has no row of a part, and two of the four gradients are longer than clip
        {"batch": "rows", "rows": 2, "bucket": 1, "accumulate": 2, "epochs": 1, "clip": 35.0},
        {"model": {"encoder": "bert", "dropout": 0.0, "head_dropout": 0.0}, "epochs": 1},
    ],
    ids=["phases", "rows", "pretrained"],
)
def test_two_processes_train_the_run_of_one(
    dataset: Path, pair: Pair, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """The same losses in every step, and the same scores; in float64, for rounding parts any two runs in the end."""
    chosen = QUICK | settings
    if chosen["model"].get("encoder") == "bert":
        chosen["model"] = chosen["model"] | {"encoder": str(write_encoder(tmp_path / "bert", "bert"))}
    pair.train(dataset, tmp_path / "two", chosen, double=True)
    with patched(double=True):
        train(dataset, tmp_path / "one", chosen)
    check_equal(tmp_path / "two", tmp_path / "one")


def test_the_first_of_two_processes_publishes_a_run(dataset: Path, pair: Pair, tmp_path: Path) -> None:
    """The other one needs no store: this one lies in the memory of the first."""
    settings = QUICK | {"max_steps": 3}
    pair.train(dataset, f"memory://{tmp_path}/run", settings)
    pair.train(dataset, tmp_path / "run", settings)
    stored = fsspec.filesystem("memory")
    for name in ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json"):
        assert stored.cat_file(f"{tmp_path}/run/{name}") == (tmp_path / "run" / name).read_bytes(), name


def told(batch: Batch) -> Counter[tuple[object, ...]]:
    """Return what each label of a batch is of, with the sub-words of its sequence but for their padding."""
    rows: dict[int, list[int]] = {}
    base = 0
    for bucket in batch.buckets:
        for number, length in enumerate(bucket.lengths.tolist()):
            rows[base + number * bucket.pieces.shape[1]] = bucket.pieces[number, :length].tolist()
        base += bucket.pieces.numel()
    found: Counter[tuple[object, ...]] = Counter()
    for name, items in batch.items.items():
        anchors = items.anchor.tolist()
        for number, anchor in enumerate(anchors):
            label, span = items.label[number], items.spans[number] - anchor
            place = int(items.row[number]), int(items.unit[number])
            found[name, *place, str(rows[anchor]), str(label[label >= 0].tolist()), str(span.tolist())] += 1
    return found


@pytest.mark.parametrize("count", [2, 3, 50])
def test_shares_are_the_whole_step(dataset: Path, tmp_path: Path, count: int) -> None:
    """Each row, with its labels and the words that are hidden in it, is in one share; who has none borrows one."""
    with patched():
        made = Run(Dataset.open(dataset), RunFolder(tmp_path / "run"), make_settings(QUICK | {"rows": 12, "bucket": 4}))
    plan = made.streams.plan.epoch(0)
    for step in range(3):
        requests = made.streams.requests(plan, step)
        whole, *parts = (
            collate(made.data, "train", requests, Noise.of(0, 0, step, made.streams.rate, made.data.tokenizer), share)
            for share in (Share(), *(Share(index, count) for index in range(count)))
        )
        own, lent = ([part for part in parts if part.lent == kind] for kind in (False, True))
        assert sum(map(told, own), Counter()) == told(whole)
        assert sum(part.pieces for part in parts) == whole.pieces
        sizes = [sum(len(bucket.lengths) for bucket in part.buckets) for part in own]
        assert max(sizes) - min(sizes) <= 1
        assert bool(lent) == (count == 50)
        assert all(len(part.buckets) == 1 for part in lent)
        assert not any(float(items.weight.abs().sum()) for part in lent for items in part.items.values())


def words(settings: dict[str, Any]) -> list[str]:
    """Return settings as options of the command."""
    plain = {key: value for key, value in settings.items() if key != "model"}
    plain |= {f"model.{key}": value for key, value in settings["model"].items()}
    return [word for key, value in plain.items() for word in ("--set", f"{key}={value}")]


def children(out: Path) -> bool:
    """Tell whether a process is there that was started for a run."""
    time.sleep(0.2)  # who asks waits for it
    found = run_program(["ps", "-ww", "-eo", "command"], check=True, capture_output=True, text=True)
    return any("trainer.processes.child" in line and str(out) in line for line in found.stdout.splitlines())


SHORT = QUICK | {"epochs": 1}


def test_a_run_goes_on_with_more_processes(dataset: Path, pair: Pair, tmp_path: Path) -> None:
    """Evaluation is shared out, and the report is that of one process."""
    with patched(report=True):
        known = train(dataset, tmp_path / "one", SHORT)
        train(dataset, tmp_path / "two", SHORT, stop_after=2)
    found = pair.train(dataset, tmp_path / "two", {}, resume=True, report=True)
    check_equal(tmp_path / "two", tmp_path / "one")
    assert "processes" not in known["run"]
    assert found["run"]["processes"] == 2
    assert found["settings"] == known["settings"]
    for one, other in zip(found["tasks"], known["tasks"], strict=True):
        assert one["score"]["value"] == pytest.approx(other["score"]["value"], abs=1e-3), one["name"]
        assert one["baselines"] == other["baselines"]


def test_a_process_that_dies_ends_the_others(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one line that names it; what was saved is kept."""
    out, children, save = tmp_path / "run", list[Popen[bytes]](), Run.save

    def started(*given: Any, **more: Any) -> Popen[bytes]:
        children.append(Popen(*given, **more))
        return children[0]

    def saved(self: Run) -> None:
        save(self)
        if self.state.step == 2:
            children[0].kill()

    monkeypatch.setattr(launch, "Popen", started)
    monkeypatch.setattr(Run, "save", saved)
    given = words(SHORT | {"save_every": 1})
    assert run(monkeypatch, "train", dataset, "--out", out, *given, "--processes", 2) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last == (
        "error: process 2 of 2 was ended by signal 9 (is there enough memory?); the last checkpoint is kept, continue "
        "with --resume"
    )
    assert children[0].returncode == -signal.SIGKILL
    assert load(out / "last.safetensors")[1]["step"] == 2


def test_an_interrupt_ends_all(dataset: Path, tmp_path: Path) -> None:
    """With one line that says how to go on, and exit code 130."""
    out = tmp_path / "run"
    given = ["train", dataset, "--out", out, *words(QUICK | {"epochs": 500}), "--processes", 2]
    process = start(tmp_path / "ready", *given)
    wait(lambda: children(out) or process.poll() is not None)
    assert children(out)
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate()
    assert process.returncode == 130, said
    lines = [line for line in said.splitlines() if not line.startswith("train: ")]  # progress
    assert len(lines) == 1, said
    assert lines[0].startswith("interrupted; the last checkpoint is kept; continue with: auxloom train ")
    assert lines[0].endswith("--processes 2 --resume")
    assert not printed
    wait(lambda: not children(out))


JOB = TrainJob("set", "run", None, None)


def test_a_process_that_cannot_begin_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for it."""
    monkeypatch.setattr(launch, "_START", "raise SystemExit(7)")
    message = r"^process 2 of 2 ended with exit code 7; the last checkpoint is kept, continue with --resume$"
    with open_group(2, JOB) as group, pytest.raises(ValueError, match=message):
        group.meet(dict)


def test_a_process_that_waits_in_vain_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing tells the first process that another one is gone."""
    ended, codes = threading.Event(), []

    def leave(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(launch, "_START", "raise SystemExit(7)")
    monkeypatch.setattr(launch, "_GRACE", 0.0)
    monkeypatch.setattr(launch, "leave", leave)
    with launch.Launched(2, JOB) as group:
        group._begin()
        assert ended.wait(60)
    assert codes[0] == 2
    assert capsys.readouterr().err.startswith("error: process 2 of 2 ended with exit code 7; ")


def test_processes_that_differ_do_not_train() -> None:
    """What differs is named."""
    store = HashStore()
    store.set("auxloom/here/1", json.dumps({"plan": "b", "torch": "2"}))
    with pytest.raises(ValueError, match=r"process 2 of 2 has another plan \(b\) than the first \(a\)"):
        Distributed(store, 0, 2, (0, 2)).meet(lambda: {"torch": "2", "plan": "a"})


def test_two_processes_on_one_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        ValueError, match="2 processes on a machine with 1 GPU: two of them would share one, which nccl"
    ):
        Distributed(HashStore(), 1, 2, (1, 2)).prepared(Settings(device="cuda", threads=1))


def test_more_processes_than_rows_are_refused() -> None:
    """Some would never have one."""
    with pytest.raises(ValueError, match="3 processes share the rows of each step, and there are rows = 2"):
        Distributed(HashStore(), 0, 3, (0, 3)).prepared(Settings(rows=2, bucket=2))


def test_torchrun_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number beside it is an error, and one process of torchrun trains alone."""
    given = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert open_group(1, JOB).world == 1
    with pytest.raises(ValueError, match="torchrun says how many processes there are"):
        open_group(2, JOB)


def test_the_number_of_processes_is_no_setting() -> None:
    """It does not change what is trained, so that it has no part in digests."""
    assert "processes" not in Settings.model_fields
