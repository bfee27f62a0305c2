"""Passages beside the documents that they were cut from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.text.document import Document
from labelers.text.normalise import Normalised
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
    normalised: Normalised | None = None
    """What the pieces were before their text was normalised, where it was."""
    second_normalised: Normalised | None = None

    @property
    def read(self) -> Pieces:
        """The pieces with all tokens that were read, to which labels and positions belong."""
        return self.pieces if self.normalised is None else self.normalised.read

    @cached_property
    def kept(self) -> BoolArray:
        """Which of the tokens that were read the passages have."""
        return np.ones(len(self.read.codes), bool) if self.normalised is None else self.normalised.kept

    @cached_property
    def places(self) -> IntArray:
        """Where each token that was read stands among the N; of one that is gone, the next."""
        return running_total(self.kept)

    @cached_property
    def documents(self) -> list[Document]:
        """Those that have passages, D of them."""
        return [self.given[number] for number in dict.fromkeys(self.pieces.documents.tolist())]

    @cached_property
    def positions(self) -> Positions:
        """Where tokens stand in the strings of the documents."""
        second = self.second if self.second_normalised is None else self.second_normalised.read
        found = find_positions(self.given, self.batch, self.pieces, self.read, second)
        if self.normalised is not None:
            found = found.take(self.kept)
        if self.second_normalised is not None:
            found = found.take_second(self.second_normalised.kept)
        return found

    @cached_property
    def read_positions(self) -> Positions:
        """Where all tokens that were read stand."""
        return find_positions(self.given, self.batch, self.pieces, self.read, None)

    @cached_property
    def offsets(self) -> IntArray:
        """int64 [D + 1]: the tokens of each document."""
        return running_total(np.unique(self.pieces.owners, return_counts=True)[1])

    @cached_property
    def read_offsets(self) -> IntArray:
        """int64 [D + 1]: the tokens of each document as it was read."""
        return (
            self.offsets
            if self.normalised is None
            else running_total(np.unique(self.read.owners, return_counts=True)[1])
        )

    @cached_property
    def owners(self) -> IntArray:
        """int64 [P]: the document of each row."""
        return np.searchsorted(self.offsets, self.batch.offsets[:-1], side="right") - 1

    def labels(self, name: str) -> list[Any]:
        """Return the label of each of the D documents, None where it has none."""
        return [document.labels.get(name) for document in self.documents]
