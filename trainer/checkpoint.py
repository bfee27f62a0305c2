"""Checkpoints: one safetensors file each, all that the next step depends on inside."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trainer.files import replacing
from trainer.schedule.optimiser import AdamW

__all__ = ["load", "optimizer_tensors", "restore", "save"]

_STATE = "state"


def save(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON state as one file, whole or not at all; it is on the disk when this returns."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path, sync=True) as temporary:
        save_file(plain, temporary, metadata={_STATE: json.dumps(state, sort_keys=True)})


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the state of a checkpoint."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()[_STATE])  # noqa: SIM118


def optimizer_tensors(model: nn.Module, optimizer: AdamW) -> dict[str, Tensor]:
    """Return the optimiser's memory of each parameter, as ``optimizer/<memory>/<parameter>``."""
    return {
        f"optimizer/{kind}/{name}": value
        for name, parameter in model.named_parameters()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def restore(model: nn.Module, optimizer: AdamW | None, tensors: Mapping[str, Tensor]) -> None:
    """Put what a checkpoint holds back into the model and, if given, the optimiser."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer/")}
    model.load_state_dict(weights)
    if optimizer is None:
        return
    parameters = dict(model.named_parameters())
    for address, tensor in tensors.items():
        if address.startswith("optimizer/"):
            _, kind, name = address.split("/", 2)
            parameter = parameters[name]
            optimizer.state[parameter][kind] = tensor if kind == "step" else tensor.to(parameter.device)
