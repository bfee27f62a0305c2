"""Where the files of a run lie: on this machine, or in a store, of which the cache has a copy."""

import re
from collections.abc import Mapping
from pathlib import Path

from labelers.place import local
from labelers.stores.published import ListedFile, copy_of
from labelers.stores.uri import is_stored
from labelers.stores.work import files_at

__all__ = ["FILES", "MARK", "found_run", "uri_of"]

MARK = "run.json"
"""The name of a run's mark."""

FILES = (
    "report.json",
    "last.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "tasks.json",
    "reading.json",
    "spans.json",
    "learnt",
)
"""What a run leaves in its folder, beside its mark; a file is of use only with those behind it."""

_ONE_SLASH = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:/(?!/)", re.IGNORECASE)


def found_run(run: str | Path) -> tuple[Path, str]:
    """Return the folder of a run that is read, and its URI if it lies in a store; then the folder is that of a copy.

    Raises:
        ValueError: a URI that cannot be opened, or a run that is larger than the cache may be.
    """
    if not (place := uri_of(run)):
        return local(run, "a run folder"), ""
    return copy_of(place, MARK, _needless) or files_at(place) / "nothing", place


def uri_of(run: str | Path) -> str:
    """Return the URI of what lies in a store, nothing of what lies on a disk.

    Raises:
        ValueError: a URI that has lost a slash.

    Example:
        >>> uri_of("s3://bucket/run"), uri_of("file:///srv/run"), uri_of("run")
        ('s3://bucket/run', '', '')
    """
    text = str(run)
    if _ONE_SLASH.match(text):
        raise ValueError(f"{text} has one slash behind its protocol; give a URI with two, in Python as a string")
    return text if is_stored(text) else ""


def _needless(files: Mapping[str, ListedFile]) -> set[str]:
    """Return which files of a run nobody reads who does not continue it."""
    best = files.get("best.safetensors")
    read = {MARK, *FILES} - {"metrics.jsonl", *(["last.safetensors"] if best and best.sure else [])}
    return {name for name in files if name.partition("/")[0] not in read}
