"""Pieces of documents: what is tokenised by itself, and in which sentences start."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelers.ragged import BoolArray, IntArray, ragged_take, running_total
from labelers.text.sentences import sentence_starts
from labelers.text.tokenise import Tokeniser
from labelers.vocabulary import Vocabulary

__all__ = ["PieceReader", "Pieces"]


@dataclass(frozen=True)
class Pieces:
    """K pieces of documents, in order: texts, token lists or turns, with N tokens in all."""

    codes: IntArray
    """int64 [N]."""
    spaces: BoolArray
    """bool [N]."""
    offsets: IntArray
    """int64 [K + 1]: the tokens of each piece."""
    starts: BoolArray
    """bool [N]: the token opens a segment."""
    documents: IntArray
    """int64 [K]: the document of each piece, rising."""
    roles: IntArray
    """int64 [K]: code of a turn's role, -1 outside dialogues."""

    @property
    def owners(self) -> IntArray:
        """int64 [N]: the document of each token."""
        return np.repeat(self.documents, np.diff(self.offsets))

    def take(self, pieces: IntArray) -> "Pieces":
        """Return some of the pieces, in the given order."""
        taken, offsets = ragged_take(self.offsets, pieces)
        return Pieces(
            self.codes[taken],
            self.spaces[taken],
            offsets,
            self.starts[taken],
            self.documents[pieces],
            self.roles[pieces],
        )

    def merge(self, other: "Pieces") -> "Pieces":
        """Return the pieces of both in the order of their documents."""
        both = Pieces(
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.spaces, other.spaces]),
            np.concatenate([self.offsets, len(self.codes) + other.offsets[1:]]),
            np.concatenate([self.starts, other.starts]),
            np.concatenate([self.documents, other.documents]),
            np.concatenate([self.roles, other.roles]),
        )
        return both.take(np.argsort(both.documents, kind="stable"))


class PieceReader:
    """Makes pieces of texts and of tokens that are given, over one vocabulary."""

    def __init__(self, lang: str, vocabulary: Vocabulary) -> None:
        """Load nothing: spaCy is needed for the first text."""
        self._vocabulary = vocabulary
        self._tokeniser = Tokeniser(lang, vocabulary)

    def read_texts(self, found: Sequence[tuple[int, str | None, list[str]]]) -> Pieces:
        """Return the pieces of (document, role or None, stretches of clean text, each of which opens a segment)."""
        codes, spaces, offsets = self._tokeniser.split([text for _, _, texts in found for text in texts])
        starts = sentence_starts(self._vocabulary, codes, spaces, offsets)
        if len(offsets) > len(found) + 1:
            spaces[offsets[1:-1] - 1] = True
            offsets = offsets[running_total(np.array([len(texts) for _, _, texts in found], np.int64))]
            spaces[offsets[1:] - 1] = False
        roles = {role: -1 if role is None else self._vocabulary.code(role) for role in {role for _, role, _ in found}}
        return Pieces(
            codes,
            spaces,
            offsets,
            starts,
            np.array([number for number, _, _ in found], np.int64),
            np.array([roles[role] for _, role, _ in found], np.int64),
        )

    def read_tokens(self, found: Sequence[tuple[int, Sequence[str], Sequence[int] | None]]) -> Pieces:
        """Return the pieces of (document, its tokens, where its segments start or None)."""
        codes = self._vocabulary.encode(token for _, tokens, _ in found for token in tokens)
        offsets = running_total(np.array([len(tokens) for _, tokens, _ in found], np.int64))
        spaces = np.ones(len(codes), bool)
        spaces[offsets[1:] - 1] = False
        starts = sentence_starts(self._vocabulary, codes, spaces, offsets)
        for (_, _, segments), start, stop in zip(found, offsets[:-1], offsets[1:], strict=True):
            if segments is not None:
                starts[start:stop] = False
                starts[start + np.array(segments, np.int64)] = True
        numbers = np.array([number for number, _, _ in found], np.int64)
        return Pieces(codes, spaces, offsets, starts, numbers, np.full(len(numbers), -1))

    def read(
        self,
        texts: Sequence[tuple[int, str | None, list[str]]],
        tokens: Sequence[tuple[int, Sequence[str], Sequence[int] | None]],
    ) -> Pieces:
        """Return the pieces of both kinds, in the order of their documents."""
        pieces = self.read_texts(texts)
        return pieces.merge(self.read_tokens(tokens)) if tokens else pieces
