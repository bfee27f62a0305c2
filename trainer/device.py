"""What torch runs on and in which precision, set up so that a run can be repeated bit by bit."""

import os
from contextlib import AbstractContextManager

import torch

from trainer.settings import Settings

__all__ = ["autocast", "prepared"]


def prepared(settings: Settings) -> torch.device:
    """Set torch up for a run and return its device.

    Raises:
        ValueError: it is to be a GPU, and there is none.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products on CUDA ask for
    torch.set_deterministic_debug_mode("error")  # unlike use_deterministic_algorithms, it loads no compiler
    # nothing reads what is not yet written, and filling it costs 8 % of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device = 'cuda', but torch {torch.__version__} finds no GPU; set device = 'auto' or 'cpu', or install "
            "a torch that is built for CUDA"
        )
    return torch.device(settings.device)


def autocast(settings: Settings, device: torch.device) -> AbstractContextManager[None]:
    """Return what makes torch compute in the precision of a run; weights stay in float32.

    Example:
        >>> with autocast(Settings(precision="bfloat16"), torch.device("cpu")):
        ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
        torch.bfloat16
    """
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    chosen = settings.precision == "bfloat16" or (settings.precision == "auto" and able)
    return torch.autocast(device.type, torch.bfloat16, enabled=chosen)
