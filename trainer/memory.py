"""Memory that was freed and that the C library keeps for later."""

import ctypes
import gc
from contextlib import suppress

import pyarrow as pa

__all__ = ["give_back", "trim"]


def give_back() -> None:
    """Return to the system what nothing uses any more, where the system has a way to do so.

    Learning a tokenizer and fitting baselines free hundreds of megabytes in small pieces. The C library keeps them, and
    a training that follows takes its large pieces from elsewhere: the peak of a run would be the sum of its parts.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim()


def trim() -> None:
    """Return what the C library keeps alone: milliseconds, for the midst of work whose pieces are of ever other sizes."""
    with suppress(OSError, AttributeError, TypeError):  # a C library other than that of GNU
        ctypes.CDLL(None).malloc_trim(0)
