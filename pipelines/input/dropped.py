"""Records that the plan found to repeat another: which are left out, and which get another id."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from labelers.text.document import Document, Reject
from pipelines.folder.layout import Folder, digest_json

__all__ = ["DUPLICATE", "RENAMED", "REPEATED", "Dropped", "read_dropped"]

DUPLICATE, REPEATED, RENAMED = "duplicate", "repeated_id", "renamed"
"""What becomes of a record: its text stands in an earlier one; so does its id, in the same file or in another one."""


@dataclass(frozen=True)
class Dropped:
    """The records of a unit that repeat another."""

    lines: Mapping[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    """What becomes of each and where the first one stands, by its (source, place)."""

    def used(self, document: Document) -> Document | Reject | None:
        """Return a document as it is used, the reject that it is, or nothing where it is a duplicate.

        Example:
            >>> dropped = Dropped({("b.jsonl", 0): ("renamed", "a.jsonl:70")})
            >>> dropped.used(Document("7", "It rained.", group="7", source="b.jsonl")).id
            'b.jsonl:7'
        """
        what, first = self.lines.get((document.source, document.place), ("", ""))
        if what == RENAMED:
            return replace(document, id=f"{document.source}:{document.id}")
        if what == REPEATED:
            sample = f"id {document.id[:200]!r} stands first at {first}"
            return Reject(document.source, document.place, what, sample)
        return None if what else document


def read_dropped(folder: Folder, place: str, unit: int, digests: Mapping[str, str] | None) -> Dropped:
    """Return which records of a unit the plan found to repeat another.

    Args:
        folder: of the dataset.
        place: the folder in it where the lists lie.
        unit: which unit.
        digests: of the list of each unit that has one.
    """
    digest = (digests or {}).get(str(unit))
    if digest is None:
        return Dropped()
    name = f"{place}/{unit:05d}.json"
    lines = folder.read_json(name)
    if digest_json(lines) != digest:
        raise OSError(f"{name} does not match the plan; start again with --overwrite")
    return Dropped({(source, at): (what, first) for source, at, what, first in lines})
