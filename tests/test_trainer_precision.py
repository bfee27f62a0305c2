"""The precision of a run: what the model computes may be bfloat16, what it learns is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_dataset import write_dataset

from trainer.checkpoint import load
from trainer.device import autocast
from trainer.loop import train
from trainer.run_report import facts
from trainer.settings import Settings, make_settings

QUICK: dict[str, Any] = {
    "model": {"vocabulary": 320, "head_dropout": 0.0}, "rows": 8, "bucket": 8, "window": 4, "epochs": 1,
    "steps_per_epoch": 2, "log_every": 1, "threads": 1, "device": "cpu", "evaluate_rows": 4, "batch": "rows",
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset, with tasks of every kind."""
    return write_dataset(tmp_path_factory.mktemp("precision") / "set", rows=16)


@pytest.fixture(autouse=True)
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


def losses(run: Path) -> list[dict[str, float]]:
    """Return the losses of each step of a run."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["train_loss"] for line in lines if "train_loss" in line]


def test_bfloat16_learns_what_float32_does(dataset: Path, tmp_path: Path) -> None:
    """Losses of every kind are alike, and not equal; weights, memory of the optimiser and resumed runs are exact."""
    train(dataset, tmp_path / "exact", QUICK | {"precision": "float32"})
    train(dataset, tmp_path / "auto", QUICK)
    short = QUICK | {"precision": "bfloat16"}
    train(dataset, tmp_path / "short", short)
    exact, found = losses(tmp_path / "exact"), losses(tmp_path / "short")
    assert exact == losses(tmp_path / "auto") != found
    for one, other in zip(exact, found, strict=True):
        assert one == pytest.approx(other, rel=0.05, abs=0.02)
    assert {value.dtype for value in load(tmp_path / "short" / "last.safetensors")[0].values()} == {torch.float32}
    train(dataset, tmp_path / "parts", short, stop_after=1)
    train(dataset, tmp_path / "parts", resume=True)
    for name in ("last.safetensors", "best.safetensors", "metrics.jsonl"):
        assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


@pytest.mark.parametrize(("able", "chosen"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_asks_the_gpu(monkeypatch: pytest.MonkeyPatch, *, able: bool, chosen: torch.dtype) -> None:
    """On the CPU it is float32; bfloat16 that is asked for is used wherever it runs."""
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: able)
    monkeypatch.setattr("torch.autocast", lambda kind, _type, *, enabled: asked.append((kind, enabled)))
    for kind in ("cpu", "cuda"):
        for precision in ("auto", "float32", "bfloat16"):
            autocast(Settings(precision=precision), torch.device(kind))
    assert asked == [
        ("cpu", False), ("cpu", False), ("cpu", True),
        ("cuda", chosen == torch.bfloat16), ("cuda", False), ("cuda", True),
    ]  # fmt: skip


def test_another_precision_is_an_error() -> None:
    """It names those that there are."""
    with pytest.raises(ValueError, match=r"precision = 'float16': input should be 'auto', 'float32' or 'bfloat16'"):
        make_settings({"precision": "float16"})
