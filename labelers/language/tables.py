"""Tab-separated tables: those of the package's lexicons, and those that users give."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

__all__ = ["entries", "lexicon_rows", "numbered_rows"]

_BOM = b"\xef\xbb\xbf"


def numbered_rows(data: bytes, source: str) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the number and the fields of each line; empty lines, and those that begin with ``#``, say nothing.

    Raises:
        ValueError: a line is not UTF-8; the message names the source and the line.

    Example:
        >>> list(numbered_rows(b"# colours\nred\twarm\n\nblue\tcold\n", "colours"))
        [(2, ['red', 'warm']), (4, ['blue', 'cold'])]
    """
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        try:
            text = line.decode().rstrip("\r")
        except UnicodeDecodeError as error:
            raise ValueError(f"{source}, line {number}: not UTF-8 ({error.reason})") from None
        if text.strip() and not text.startswith("#"):
            yield number, text.split("\t")


def lexicon_rows(name: str) -> Iterator[list[str]]:
    """Yield the rows of a file of the package's lexicons."""
    path = files("labelers").joinpath("lexicons", name)
    return (row for _, row in numbered_rows(path.read_bytes(), name))


@cache
def entries(kind: str) -> tuple[tuple[str, ...], ...]:
    """Return what stands behind the kind in the lines of one kind of the lexicon of disfluencies.

    Example:
        >>> entries("twice")[0]
        ('no', 'any')
    """
    return tuple(tuple(row[1:]) for row in lexicon_rows("disfluency.tsv") if row[0] == kind)
