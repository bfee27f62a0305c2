"""The results of a study: a file of JSON lines that grows by one for each run that ended, and is all that is kept."""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trainer.study.trials import Trial

__all__ = ["FORMAT", "Results", "void"]

FORMAT = 1

_SHOWN = 3  # differences in a sentence


@dataclass(frozen=True)
class Results:
    """The file and what stands in it."""

    path: Path
    lines: dict[str, Mapping[str, Any]]
    """By the digest of the run."""

    @classmethod
    def read(cls, path: Path, primary: str) -> "Results":
        """Read the file of a study; a last line that a break has torn does not count.

        Raises:
            ValueError: the file is damaged, of a later version, or of a study of another task.
        """
        whole, _ = _parted(path.read_bytes() if path.exists() else b"")
        found: dict[str, Mapping[str, Any]] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            entry = _entry(line, f"{path}, line {number}")
            if entry["primary"] != primary:
                raise ValueError(
                    f"{path} belongs to another study, with the primary {entry['primary']!r} instead of {primary!r}; "
                    "give "
                    "another folder with --out"
                )
            found[entry["digest"]] = entry
        return cls(path, found)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add the result of a run: on the disk as a whole when this returns, or not at all when it is read again."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another process may work on the same study
            _drop_torn(file)
            file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.lines[entry["digest"]] = entry

    def of(self, trials: Sequence[Trial]) -> list[Mapping[str, Any]]:
        """Return the results of those runs of the primary that have ended."""
        return [self.lines[item.digest] for item in trials if item.digest in self.lines and not item.pretraining]


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """Return whole lines, and what stands behind the last of them."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _drop_torn(file: BinaryIO) -> None:
    """Remove what stands behind the last whole line of a file, which is left open at its end."""
    file.seek(0)
    whole, torn = _parted(file.read())
    if torn:
        file.truncate(len(whole))
    file.seek(0, os.SEEK_END)


def _entry(line: bytes, place: str) -> Mapping[str, Any]:
    """Return the result in a line."""
    try:
        entry: dict[str, Any] = json.loads(line)
        known = {"format", "digest", "primary", "condition", "labels", "build", "seed"} <= entry.keys()
    except (ValueError, AttributeError):
        known = False
    if not known:
        raise ValueError(f"{place} is not a result of a study; give another folder with --out, or remove the line")
    if entry["format"] != FORMAT:
        raise ValueError(f"{place} has the format {entry['format']}; this version of auxloom reads {FORMAT}")
    return entry


def void(results: Results, trials: Sequence[Trial]) -> tuple[list[Trial], list[str]]:
    """Return the runs that ended with other settings than they would have now, and in what these differ."""
    known: dict[Any, Mapping[str, Any]] = {}
    for entry in results.lines.values():
        known[entry["condition"], entry["labels"], entry["build"], entry["seed"]] = entry
    changed = [item for item in trials if item.digest not in results.lines and item.address in known]
    differences: dict[str, None] = {}
    for trial in changed:
        entry = known[trial.address]
        before, after = _flat(entry.get("settings", {})), _flat(trial.settings)
        differences |= dict.fromkeys(
            f"{key} was {before.get(key)!r}, now {after.get(key)!r}"
            for key in sorted({*before, *after})
            if before.get(key) != after.get(key)
        )
    if changed and not differences:
        differences["the dataset or the encoder has changed"] = None
    more = [f"and {len(differences) - _SHOWN:,} more"] if len(differences) > _SHOWN else []
    return changed, [*list(differences)[:_SHOWN], *more]


def _flat(tables: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of nested tables by dotted path, as JSON has them."""
    if isinstance(tables, Mapping):
        return {key: value for name, item in tables.items() for key, value in _flat(item, f"{path}.{name}").items()}
    return {path.lstrip("."): list(tables) if isinstance(tables, tuple) else tables}
