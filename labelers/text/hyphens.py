# ruff: noqa: RUF001  (dashes are what this is about)
"""Hyphens that writers use as a dash: two or more at the border of a word, which spaCy sees set apart by spaces.

spaCy makes one token of ``gone.--The`` or ``--I``. The spaces put in are none of the text: ``spaces`` tells nothing of
them.
"""

import re

__all__ = ["AFTER", "BEFORE", "parts_around_dashes", "set_apart"]

BEFORE = "\"'“‘([*_"
AFTER = "\"'”’)]*_.,;:!?…—–-"
_HYPHENS = re.compile("-{2,}")
_BORDERS = frozenset(BEFORE + AFTER) - {"-"} | {"{", "}", " ", ""}
"""What may stand beside hyphens that are set apart, apart from letters and digits; nothing at an end."""


def set_apart(text: str) -> str:
    """Return a text with spaces around two or more hyphens at the border of a word, where there are none.

    That is where a letter or digit, a plain mark, a space or an end of the text stands on either side, and not a letter
    or digit on both.

    Example:
        >>> set_apart("--I don't--'Stop!'--half-way 'gone,--the'"), set_apart("a--b c-d http://a.b/--x")
        ("-- I don't -- 'Stop!' -- half-way 'gone, -- the'", 'a--b c-d http://a.b/--x')
    """
    return " ".join(parts_around_dashes(text)) if "--" in text else text


def parts_around_dashes(text: str) -> list[str]:
    """Return the parts of a text around hyphens to be set apart, and these; a space between two parts is left out."""
    parts, done = [], 0
    for found in _HYPHENS.finditer(text):
        start, end = found.span()
        left, right = text[max(start - 1, 0) : start], text[end : end + 1]
        if not (left.isalnum() and right.isalnum()) and all(x in _BORDERS or x.isalnum() for x in (left, right)):
            parts += [text[done : start - (left == " ")], found[0]]
            done = end + (right == " ")
    return [part for part in (*parts, text[done:]) if part]
