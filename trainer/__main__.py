"""`python -m trainer DATASET --out RUN` is `auxloom train DATASET --out RUN`: torchrun starts modules."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # as `auxloom train --processes` does
    from pipelines.start import main as start

    sys.argv[:1] = ["auxloom", "train"]
    start()


if __name__ == "__main__":
    main()
