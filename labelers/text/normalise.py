"""Text as speech is written down: lower case, without punctuation."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.ragged import BoolArray, IntArray, running_total
from labelers.text.pieces import Pieces
from labelers.vocabulary import Vocabulary

__all__ = ["Normalised", "is_punctuation", "normalise"]


@dataclass(frozen=True)
class Normalised:
    """Pieces as they were read, with N tokens, and which of these a normalised text still has.

    Labels and positions are of the tokens that were read; they are found there first, and then follow their tokens.
    """

    read: Pieces
    kept: BoolArray
    """bool [N]."""

    def of(self, documents: IntArray) -> "Normalised":
        """Return what belongs to some documents alone."""
        pieces = np.isin(self.read.documents, documents)
        return Normalised(self.read.take(np.flatnonzero(pieces)), self.kept[pieces.repeat(np.diff(self.read.offsets))])


def normalise(vocabulary: Vocabulary, pieces: Pieces) -> tuple[Pieces, Normalised]:
    """Return pieces in lower case without tokens that are punctuation, and what they were made of.

    A segment, a turn or a document of which no token is left is gone.

    Example:
        >>> from labelers.text.pieces import PieceReader
        >>> vocabulary = Vocabulary()
        >>> pieces = PieceReader("en", vocabulary).read_tokens([(0, ("Oh", ",", "Ms.", "Hart", "!"), None)])
        >>> vocabulary.strings(normalise(vocabulary, pieces)[0].codes).to_pylist()
        ['oh', 'ms.', 'hart']
    """
    kept = ~vocabulary.property(is_punctuation)[pieces.codes]
    segments = np.cumsum(pieces.starts)[kept]
    offsets = running_total(kept)[pieces.offsets]
    filled = offsets[1:] > offsets[:-1]
    offsets = np.append(0, offsets[1:][filled])
    spaces = np.ones(len(segments), bool)
    spaces[offsets[1:] - 1] = False
    spoken = Pieces(
        codes=vocabulary.recode(pieces.codes[kept], str.lower),
        spaces=spaces,
        offsets=offsets,
        starts=np.diff(segments, prepend=0) > 0,
        documents=pieces.documents[filled],
        roles=pieces.roles[filled],
    )
    return spoken, Normalised(pieces, kept)


def is_punctuation(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which texts are marks alone: what Unicode calls punctuation, and the backticks that stand for quotes.

    Example:
        >>> is_punctuation(["...", "``", "don't", "$", "%"]).tolist()
        [True, True, False, False, True]
    """
    return np.fromiter(map(_is_punctuation, texts), bool, len(texts))


def _is_punctuation(text: str) -> bool:
    """Return whether all characters are punctuation."""
    if text[:1].isalnum():
        return False
    return all(letter == "`" or unicodedata.category(letter)[0] == "P" for letter in text)
