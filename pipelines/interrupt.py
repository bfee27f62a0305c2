"""Ctrl-C: one line that says how to go on, and exit code 130, at any moment.

No library that is in the middle of something has a say. What a build, a run of training or a child process has written
stays as after a kill.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["answer_interrupts", "at_interrupt", "command_again", "on_interrupt"]

_EXIT_CODE = 128 + signal.SIGINT
_SHOW_CURSOR = "\x1b[?25h\r\n"  # a progress bar hides it

_advice: list[str] = []
_last_acts: list[Callable[[], None]] = []


def answer_interrupts() -> None:
    """Answer Ctrl-C from now on."""
    signal.signal(signal.SIGINT, _end)


def on_interrupt(advice: str) -> None:
    """Say after Ctrl-C how to go on."""
    _advice[:] = [advice]


@contextmanager
def at_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Do something at Ctrl-C while the body runs; it must be short and may not wait."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


def command_again(*added: str, without: tuple[str, ...] = ("--overwrite",)) -> str:
    """Return the command line that was given, as one that goes on with what is done."""
    words = [word for word in sys.argv[1:] if word not in without]
    return shlex.join(["auxloom", *words, *(word for word in added if word not in words)])


def _end(number: int, frame: Any) -> None:  # noqa: ARG001  (signature of a handler)
    """Say how to go on, and end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for act in _last_acts:
        act()
    text = "; ".join(["interrupted", *_advice])
    sys.stderr.write(f"{_SHOW_CURSOR if sys.stderr.isatty() else ''}{text}\n")
    sys.stderr.flush()
    os._exit(_EXIT_CODE)
