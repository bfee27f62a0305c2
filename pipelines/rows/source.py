"""Where rows come from: what every source of them gives, and the book of what it read."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from labelers.passages import PassageBatch
from labelers.text.document import Reject
from pipelines.folder.layout import to_json

__all__ = ["Part", "Records", "Source"]


def _line(reject: Reject) -> dict[str, Any]:
    """Return what is written of a reject; the task where it is a label's."""
    return {key: value for key, value in dataclasses.asdict(reject).items() if value or key != "task"}


@dataclass
class Records:
    """The book of records that were read, and those of them that cannot be used."""

    read: int = 0
    used: int = 0
    duplicate: int = 0
    filtered: int = 0
    """Records that the input does not ask for."""
    rejects: list[Reject] = field(default_factory=list)
    """In the order of the input; those of labels, too."""
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    """Per label space of how many records labels were read, used, and rejected for which reason."""

    def add(self, more: "Records") -> None:
        """Add the book of what was read next."""
        self.read += more.read
        self.used += more.used
        self.duplicate += more.duplicate
        self.filtered += more.filtered
        self.rejects += more.rejects
        for name, book in more.labels.items():
            self.labels.setdefault(name, Counter()).update(book)

    def lines(self) -> bytes:
        """Return the rejects as JSON lines."""
        items = (dataclasses.asdict(item) for item in self.rejects)
        return b"".join(
            to_json({key: value for key, value in item.items() if value or key != "task"}) for item in items
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        rejected = dict(sorted(Counter(item.reason for item in self.rejects if not item.task).items()))
        found = {"read": self.read, "used": self.used, "rejected": rejected, "duplicate": self.duplicate}
        return found | ({"filtered": self.filtered} if self.filtered else {})

    def label_books(self) -> dict[str, Any]:
        """Return the books of labels: read = used + rejected."""
        books = {}
        for name, book in self.labels.items():
            rejected = {reason: n for reason, n in sorted(book.items()) if reason not in ("read", "used")}
            books[name] = {"read": book["read"], "used": book["used"], "rejected": rejected}
        return books


@dataclass(frozen=True)
class Part:
    """Some passages of a unit, and what was read to make them."""

    passages: PassageBatch
    """With the split of each, sorted by it, and with their kept fields; none where no record could be used."""
    records: Records

    def __post_init__(self) -> None:
        """Refuse passages that are not sorted by split, of which a shard would hold the wrong ones."""
        if np.any(np.diff(self.passages.splits) < 0):
            raise ValueError("the passages of a part must be sorted by split")


class Source(Protocol):
    """Gives the passages that rows are made of, unit by unit.

    Ids and passages of a unit depend on this unit alone, and not on how it is divided into parts, so that a unit which
    is made again is the same. The passages of a part are over one vocabulary; that of the next may be another.
    """

    def check(self, unit: int) -> None:
        """Check that a unit would be read as it was meant to be.

        Raises:
            OSError: what it is read from is gone, or not what it was.
        """

    def read(self, unit: int) -> Iterator[Part]:
        """Yield all of a unit in parts that fit into memory."""
