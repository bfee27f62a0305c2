"""Progress: plain lines off a terminal, a bar on one."""

import io
from collections.abc import Callable, Iterator

from rich.console import Console

from pipelines.display.progress import Bar


def clock(*seconds: float) -> Callable[[], float]:
    """Return a clock that shows the given seconds in turn, then stands still."""
    rest: Iterator[float] = iter(seconds)
    last = seconds[-1]
    return lambda: next(rest, last)


def plain() -> Console:
    """Return a console that is no terminal."""
    return Console(file=io.StringIO(), width=100, force_terminal=False)


def test_lines_come_at_the_start_the_end_and_not_too_often_between() -> None:
    """Calls within ten seconds of a line print nothing, and the last one always prints."""
    console = plain()
    times = iter(range(1000))
    with Bar(console, "build", "MB", clock=lambda: float(next(times))) as bar:
        for done in range(4):
            bar(done, 3)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "build: 0 of 3 MB"
    assert len(lines) == 2
    assert lines[1].startswith("build: 3 of 3 MB")


def test_what_goes_on_when_all_is_done_does_not_flood_the_log() -> None:
    """An evaluation after the last step tells of itself, but at most once in ten seconds."""
    console, now = plain(), [0.0]
    with Bar(console, "train", "steps", clock=lambda: now[0]) as bar:
        bar(1, 2)
        bar(2, 2, "loss 1")
        for second in range(25):
            now[0] = float(second)
            bar(2, 2, f"evaluating {second}")
    assert [line.rpartition("  ")[2] for line in console.file.getvalue().splitlines()[1:]] == [
        "loss 1", "evaluating 10", "evaluating 20",
    ]  # fmt: skip


def test_a_line_shows_rate_and_time_left() -> None:
    """Ten of forty steps in twenty seconds are half a step a second, sixty seconds before the end."""
    console = plain()
    with Bar(console, "train", "steps", clock=clock(0, 0, 0, 20)) as bar:
        bar(0, 40)
        bar(10, 40, "loss 2.5")
    assert console.file.getvalue().splitlines()[1] == "train: 10 of 40 steps  0.5 steps/s  60 s left  loss 2.5"


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal the title and the counts are drawn, and the bar is closed when the block is left."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with Bar(console, "train", "steps") as bar:
        bar(0, 2)
        bar(2, 2, "loss 0.5")
    shown = console.file.getvalue()
    assert "2/2 steps" in shown
    assert "steps/s  loss 0.5" in shown
