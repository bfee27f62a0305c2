"""The cause of a failure, out of the pages that an engine writes about it."""

import re

__all__ = ["cause_of", "first_line"]

_PYTHON = re.compile(r"^\s*((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Warning)(?:: .*)?)$")
_JAVA = re.compile(r"^\s*(?:Caused by: )((?:[\w$]+\.)+\w*(?:Error|Exception|Throwable)\b.*)$")
_CLASSES = re.compile(r"^(?:(?:[\w$]+\.)+[\w$]*(?:Error|Exception|Throwable): )+")
_STEP = re.compile(r" \[while running '[^']*'\]$")
_HEAD = re.compile(r"^Pipeline \S+ failed in state \w+: ")
_LENGTH = 500


def cause_of(text: str) -> str:
    r"""Return the innermost cause: what Python raised in a worker, else the last that Java names, else the last line.

    Example:
        >>> cause_of("a.B: c\n  at d\nCaused by: java.lang.RuntimeException: e.FError: no slot\n  at g")
        'no slot'
        >>> cause_of("a.B: Traceback (most recent call last):\n  x\nOSError: full [while running 'Work']\n\n  at c.D")
        'OSError: full'
    """
    lines = [_HEAD.sub("", line.rstrip()) for line in text.splitlines() if line.strip()]
    raised = [found[1] for line in lines if (found := _PYTHON.match(_STEP.sub("", line)))]
    if "Traceback (most recent call last)" in text and raised:
        return _short(raised[-1])
    named = [found[1] for line in lines if (found := _JAVA.match(line))]
    last = named[-1] if named else lines[-1].strip() if lines else "no reason given"
    return _short(_CLASSES.sub("", last) or last)


def first_line(error: Exception) -> str:
    r"""Return the first line of what an error says, or its kind if it says nothing.

    Example:
        >>> first_line(OSError("no route\nto host")), first_line(TimeoutError())
        ('no route', 'TimeoutError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _short(text: str) -> str:
    """Return the beginning of a line that is too long to read."""
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}..."
