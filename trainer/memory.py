"""Memory that was freed and that the C library keeps for later."""

import ctypes
from contextlib import suppress

import pyarrow as pa

__all__ = ["give_back"]


def give_back() -> None:
    """Return to the system what nothing uses any more, where the system has a way to do so; it takes milliseconds.

    Learning a tokenizer and fitting baselines free hundreds of megabytes in small pieces, and steps and evaluation
    tensors of ever other sizes. The C library keeps them, and what follows takes its pieces from elsewhere: the peak of
    a run would be the sum of its parts.
    """
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError, TypeError):  # a C library other than that of GNU
        ctypes.CDLL(None).malloc_trim(0)
