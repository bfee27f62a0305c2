"""A place that the user gives, as a path of this machine."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["local"]

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # two letters or more: C:/ is a drive


def local(place: str | Path, what: str) -> Path:
    """Return the path that a plain path or a ``file://`` URI names.

    Args:
        place: what the user gave.
        what: what it is for, for the error: ``"the folder of a study"``.

    Raises:
        ValueError: it is a URI of somewhere else.

    Example:
        >>> local("file:///srv/my%20run", "a folder").as_posix(), local("out/run", "a folder").as_posix()
        ('/srv/my run', 'out/run')
        >>> local("s3://bucket/run", "the folder of a study")
        Traceback (most recent call last):
        ValueError: s3://bucket/run: the folder of a study must be local; give a path or a file:// URI
    """
    text = str(place)
    scheme = _URI.match(text)
    if not scheme:
        return Path(place)
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise ValueError(f"{text}: {what} must be local; give a path or a file:// URI")
    return Path(unquote(parts.path))
