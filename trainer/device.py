"""What torch runs on, set up so that a run can be repeated bit by bit."""

import os

import torch

from trainer.settings import Settings

__all__ = ["prepared"]


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
