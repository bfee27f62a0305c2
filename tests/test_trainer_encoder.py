"""The encoder that is trained from scratch: it reads buckets together, and its features and bags can be left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from encoding import encoded
from tiny_dataset import TASKS, write_dataset

from trainer.checkpoint import load
from trainer.data.batch import Bucket
from trainer.data.dataset import Dataset
from trainer.encoders import scratch
from trainer.encoders.bigrams import Bigrams
from trainer.encoders.scratch import ScratchEncoder
from trainer.loop import train
from trainer.model.heads import Mix
from trainer.settings import Settings

PLAIN = {"vocabulary": 400, "features": False, "bag": False}
ADDED = ("projection", "convolution", "bags")
"""What only features and bags have weights for."""


def bucket(rows: int, length: int, lengths: list[int]) -> Bucket:
    """Return sequences of arbitrary sub-words."""
    torch.manual_seed(rows)
    pieces = torch.randint(6, 300, (rows, length))
    folds = torch.arange(rows, dtype=torch.uint8)
    return Bucket(pieces, torch.zeros_like(pieces), torch.tensor(lengths), {"fold": folds})


@pytest.mark.parametrize("features", [True, False])
def test_buckets_give_the_states_that_each_gives_alone(tmp_path: Path, features: bool) -> None:  # noqa: FBT001
    """One behind the other, with padding, whether a bucket has any or not."""
    dataset = Dataset.open(write_dataset(tmp_path / "set", rows=40))
    encoded(dataset, TASKS[:1], tmp_path, features=features)
    settings = Settings(model={"vocabulary": 320, "features": features})
    encoder = ScratchEncoder.build(tmp_path / "learnt", settings).eval()
    buckets = [bucket(3, 9, [9, 5, 9]), bucket(2, 7, [7, 7])]
    with torch.no_grad():
        together, *alone = (encoder(some) for some in (buckets, buckets[:1], buckets[1:]))
    assert len(together.layers) == encoder.depth + 1
    for whole, *parts in zip(together.layers, *(item.layers for item in alone), strict=True):
        assert whole.shape == (3 * 9 + 2 * 7, encoder.width)
        torch.testing.assert_close(whole, torch.cat(parts), atol=1e-5, rtol=1e-5)
    assert (together.features is None) == (not features)


def test_a_plain_encoder_has_no_weights_of_features_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pair is counted and no row asked for its fold; hidden words of the tiny dataset are learnt all the same."""

    def never(*_: object) -> None:
        raise AssertionError("a plain encoder knows no bigrams")

    for name in ("count", "load", "save"):
        monkeypatch.setattr(Bigrams, name, never)
    monkeypatch.setattr(scratch, "folds", never)
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    monkeypatch.setenv("AUXLOOM_CACHE", str(tmp_path / "cache"))
    phase = [{"tasks": ["masking.word"], "epochs": 4}]
    settings = Settings(model=PLAIN, phase=phase, bucket=8, threads=1, device="cpu")
    train(write_dataset(tmp_path / "set", rows=240), tmp_path / "run", settings)
    weights = load(tmp_path / "run" / "best.safetensors")[0]
    assert not [name for name in weights if any(part in name.split(".") for part in ADDED)]
    assert not list(tmp_path.rglob("bigrams.npz"))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = (line["validation"]["masking.word"] for line in lines if "validation" in line)
    assert last < 0.75 * first


def test_features_and_bags_have_weights_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And pairs are counted."""
    monkeypatch.setattr("trainer.loop.finish", lambda *_: {"finished": True})
    train(write_dataset(tmp_path / "set", rows=40), tmp_path / "run", Settings(max_steps=1, threads=1, device="cpu"))
    weights = load(tmp_path / "run" / "last.safetensors")[0]
    assert all(any(part in name.split(".") for name in weights) for part in ADDED)
    assert (tmp_path / "run" / "learnt" / "bigrams.npz").exists()


@pytest.mark.parametrize("places", [[[0, 4], [4, 9]], [[7]]])
def test_a_mix_is_the_same_whether_it_is_made_before_or_behind_the_gathering(places: list[list[int]]) -> None:
    """Values and gradients, also of a place that is read twice."""
    torch.manual_seed(0)
    layers = [torch.randn(10, 4, requires_grad=True) for _ in range(3)]
    mix, where = Mix(3), torch.tensor(places)
    torch.nn.init.normal_(mix.weights)
    every = torch.arange(10)
    leaves = [*layers, mix.weights]
    some = torch.autograd.grad(mix(layers, where).square().sum(), leaves)
    all_of_them = torch.autograd.grad(mix(layers, every)[where].square().sum(), leaves)
    for one, other in zip(some, all_of_them, strict=True):
        torch.testing.assert_close(one, other)
