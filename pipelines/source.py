"""Where rows come from: what every source of them gives, and the book of what it read."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from labelers.passages import PassageBatch
from labelers.text.document import Reject
from pipelines.layout import to_json

__all__ = ["Part", "Records", "Source"]


@dataclass
class Records:
    """The book of records that were read, and those of them that cannot be used."""

    read: int = 0
    used: int = 0
    duplicate: int = 0
    rejects: list[Reject] = field(default_factory=list)
    """In the order of the input."""

    def add(self, more: "Records") -> None:
        """Add the book of what was read next."""
        self.read += more.read
        self.used += more.used
        self.duplicate += more.duplicate
        self.rejects += more.rejects

    def lines(self) -> bytes:
        """Return the rejects as JSON lines."""
        return b"".join(to_json(dataclasses.asdict(item)) for item in self.rejects)

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        rejected = dict(sorted(Counter(item.reason for item in self.rejects).items()))
        return {"read": self.read, "used": self.used, "rejected": rejected, "duplicate": self.duplicate}


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
