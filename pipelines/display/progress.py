"""Progress on the terminal: a bar with rate and time left, or plain lines where nobody watches."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Bar"]

_LINE_EVERY = 10.0  # seconds between two plain lines: a log stays readable, and alive


class Bar:
    r"""Shows how much of a job is done; call it with (done, total, note).

    On a terminal it draws a bar. Elsewhere it prints a line at the first call, when all is done, and at most one in ten
    seconds beside them.

    Args:
        console: where to draw; progress belongs on standard error.
        title: what is being done.
        unit: what is counted, ``"MB"`` or ``"steps"``.
        clock: seconds, rising; a parameter for tests.

    Example:
        >>> import io
        >>> console = Console(file=io.StringIO(), width=80)
        >>> with Bar(console, "train", "steps") as bar:
        ...     bar(0, 2, "")
        >>> console.file.getvalue()
        'train: 0 of 2 steps\n'
    """

    def __init__(self, console: Console, title: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare a bar; it appears with the first call."""
        self._console, self._title, self._unit, self._clock = console, title, unit, clock
        self._started = self._shown = clock()
        self._first: float | None = None
        self._ended = False
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Show that ``done`` of ``total`` units are done."""
        if self._first is None:
            self._first, self._started = done, self._clock()
            if self._console.is_terminal:
                self._open(total)
        elif self._progress is None and not self._due(done, total):
            return
        self._shown = self._clock()
        if self._progress is not None:
            self._progress.update(
                self._task, completed=done, total=total, note=self._rate(done) + (note and f"  {note}")
            )
        else:
            speed = self._rate(done) + self._left(done, total)
            line = f"{self._title}: {done:,.4g} of {total:,.4g} {self._unit}{speed}{note and '  ' + note}"
            self._console.print(line, highlight=False, soft_wrap=True)

    def _due(self, done: float, total: float) -> bool:
        """Tell whether a line is due: all is done, as none has told yet, or the last line is long past."""
        news = done >= total and not self._ended
        self._ended = done >= total
        return news or self._clock() - self._shown >= _LINE_EVERY

    def _open(self, total: float) -> None:
        """Draw the bar."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}} {self._unit}{{task.fields[note]}}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task(self._title, total=total, note="")
        self._progress.start()

    def _speed(self, done: float) -> float:
        """Return units per second since the first call; a resumed job counts from where it began."""
        passed = self._clock() - self._started
        return (done - (self._first or 0)) / passed if passed > 0 else 0.0

    def _rate(self, done: float) -> str:
        """Return the rate as text, nothing before there is one."""
        speed = self._speed(done)
        return f"  {speed:,.3g} {self._unit}/s" if speed else ""

    def _left(self, done: float, total: float) -> str:
        """Return the time left as text."""
        speed = self._speed(done)
        return f"  {(total - done) / speed:,.0f} s left" if speed and done < total else ""
