"""Passages beside the documents that they were cut from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from labelers.passages import PassageBatch
from labelers.ragged import IntArray, running_total
from labelers.text.document import Document
from labelers.text.pieces import Pieces
from labelers.text.positions import Positions, find_positions

__all__ = ["CutDocuments"]


@dataclass(frozen=True)
class CutDocuments:
    """D documents, and their P passages with N tokens: those of the pieces, in their order."""

    given: Sequence[Document]
    """All documents, those without a passage as well."""
    pieces: Pieces
    second: Pieces | None
    """Of the second texts."""
    batch: PassageBatch

    @cached_property
    def documents(self) -> list[Document]:
        """Those that have passages, D of them."""
        return [self.given[number] for number in dict.fromkeys(self.pieces.documents.tolist())]

    @cached_property
    def positions(self) -> Positions:
        """Where tokens stand in the strings of the documents."""
        return find_positions(self.given, self.batch, self.pieces, self.second)

    @cached_property
    def offsets(self) -> IntArray:
        """int64 [D + 1]: the tokens of each document."""
        return running_total(np.unique(self.pieces.owners, return_counts=True)[1])

    @cached_property
    def owners(self) -> IntArray:
        """int64 [P]: the document of each row."""
        return np.searchsorted(self.offsets, self.batch.offsets[:-1], side="right") - 1

    def labels(self, name: str) -> list[Any]:
        """Return the label of each of the D documents, None where it has none."""
        return [document.labels.get(name) for document in self.documents]
