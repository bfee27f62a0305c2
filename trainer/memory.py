"""Memory that was freed and that the C library keeps for later."""

import ctypes
import os
from contextlib import suppress

import pyarrow as pa

__all__ = ["give_back", "keep_freed"]

_TRIM, _MAP = -1, -3  # what mallopt calls its thresholds
_KEPT = 256 << 20  # bytes at the end of the heap that may stay free
_MAPPED = 16 << 20  # bytes from which a piece is mapped for itself, as scores of masked words are


def give_back() -> None:
    """Return to the system what nothing uses any more, where the system has a way to do so; it takes milliseconds.

    Learning a tokenizer and fitting baselines free hundreds of megabytes in small pieces, and steps and evaluation
    tensors of ever other sizes. The C library keeps them, and what follows takes its pieces from elsewhere: the peak of
    a run would be the sum of its parts.
    """
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError, TypeError):  # a C library other than that of GNU
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed() -> None:
    """Keep what a step frees for the next one, until `give_back`; holds for this process from now on.

    Else the C library returns the tensors of each step to the system, which clears them for the next: a tenth of the
    time of a small model. Where the user has set the threshold, it stays.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MAP, _MAPPED)
        library.mallopt(_TRIM, _KEPT)
