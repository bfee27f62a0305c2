"""A run that is stopped and goes on, beside one that is not."""

from pathlib import Path

from trainer.loop import train

__all__ = ["resumed_alike"]

FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json", "report.json")


def resumed_alike(dataset: Path, folder: Path) -> None:
    """Train twice, once with a break, and check that both runs have left the same bytes, the report's time aside."""
    settings = {
        "model": {"vocabulary": 320},
        "rows": 8, "bucket": 4, "window": 4, "epochs": 1, "steps_per_epoch": 4, "log_every": 2,
        "threads": 1, "device": "cpu", "evaluate_rows": 8,
    }  # fmt: skip
    reports = {name: folder / name for name in ("whole", "parts")}
    train(dataset, reports["whole"], settings, clock=lambda: 0.0)
    train(dataset, reports["parts"], settings, stop_after=2)
    train(dataset, reports["parts"], resume=True, clock=lambda: 0.0)
    for name in FILES:
        assert (reports["whole"] / name).read_bytes() == (reports["parts"] / name).read_bytes(), name
