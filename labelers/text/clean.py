"""Text without what is no text: one space where there was white space, no control characters."""

from itertools import groupby

__all__ = ["BYTE_ORDER_MARK", "clean", "is_control", "is_empty", "is_token", "stretches"]

BYTE_ORDER_MARK = "\ufeff"
"""Is none but at the beginning of a text; elsewhere it is a space of no width, and a character of a token."""

_CONTROLS = dict.fromkeys((*range(9), *range(14, 28), *range(127, 133), *range(134, 160)))
"""Control characters that are no white space (Unicode category Cc)."""


def clean(text: str) -> str:
    r"""Return the text with every run of white space as one space, none at the ends, and no control characters.

    Example:
        >>> clean("\ufeff One\t\x00two\u2003 \r\nthree ")
        'One two three'
    """
    return text if _is_clean(text) else " ".join(text.translate(_CONTROLS).removeprefix(BYTE_ORDER_MARK).split())


def _is_clean(text: str) -> bool:
    """Return whether a text is clean already, as far as a quick check shows."""
    return text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]


def _spaced(text: str) -> str:
    """Return a text without control characters, every run of white space as one space and none at the ends."""
    return " ".join(text.translate(_CONTROLS).split())


def stretches(text: str, *, every_line: bool = False) -> list[str]:
    r"""Return what stands between the blank lines of a text, or in its lines, clean; joined they are the clean text.

    Example:
        >>> stretches("A heading\n \nThe cat\nsat.")
        ['A heading', 'The cat sat.']
    """
    if _is_clean(text):
        return [text] if text else []
    first, *others = text.splitlines() or [""]
    lines = [clean(first), *map(_spaced, others)]
    if not every_line and others:
        lines = [" ".join(group) for blank, group in groupby(lines, key="".__eq__) if not blank]
    return [line for line in lines if line]


def is_empty(text: str) -> bool:
    """Return whether nothing is left of a text when it is clean."""
    return not text[:1].isalnum() and not clean(text)


def is_control(character: str) -> bool:
    """Return whether a character is one that no clean text holds, white space aside."""
    return ord(character) in _CONTROLS


def is_token(text: str) -> bool:
    """Return whether a text may be a token: it is not empty, holds no white space, and is clean.

    Example:
        >>> is_token("to-day"), is_token("to day"), is_token("")
        (True, False, False)
    """
    return bool(text) and " " not in text and clean(text) == text
