"""A process that ends with the one that started it; imports little, so that it is in force at once."""

import os
import threading
import time

__all__ = ["end_with_parent"]

_POLL = 0.5  # seconds between two looks at whether the parent still runs


def end_with_parent(parent: int) -> None:
    """See to it that this process ends as soon as its parent has ended, whatever it is doing then."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
