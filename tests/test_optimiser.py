"""The optimiser takes the steps of torch's own, and a training loads no compiler."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_dataset import write_dataset

from trainer.schedule.optimiser import AdamW

ROOT = Path(__file__).parents[1]
TRAINING = """
import sys
from trainer.loop import train
train(*sys.argv[1:], {"max_steps": 2, "rows": 4, "bucket": 2})
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize(("fused", "decay"), [(True, 0.1), (False, 0.0)])
def test_steps_are_those_of_torch(*, fused: bool, decay: float) -> None:
    """Bit by bit, also of a parameter that has no gradient at first."""

    def trained(optimiser: type, **settings: object) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(5, 4), torch.nn.Linear(4, 3)]
        groups = [{"params": list(layer.parameters()), "weight_decay": decay} for layer in layers]
        optimizer = optimiser(groups, 0.01, betas=(0.9, 0.98), fused=fused, **settings)
        for step in range(4):
            x = layers[0](torch.randn(6, 5))
            loss = (layers[1](x) if step else x).square().sum()
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = 0.01 / (1 + step)
            optimizer.step()
        return [parameter for layer in layers for parameter in layer.parameters()]

    pairs = zip(trained(AdamW), trained(torch.optim.AdamW), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_training_loads_no_compiler(tmp_path: Path) -> None:
    """It takes seconds and 70 MB, and nothing is compiled."""
    write_dataset(tmp_path / "data")
    command = [sys.executable, "-c", TRAINING, str(tmp_path / "data"), str(tmp_path / "run")]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.strip() == "False"
