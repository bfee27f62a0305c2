"""Lists of words in the lexicon of disfluencies, as properties of token types."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from labelers.language.forms import rows_of
from labelers.passages import Vocabulary

__all__ = ["Listed"]


@dataclass(frozen=True)
class Listed:
    """Property of a type: in which lines of a kind in the lexicon of disfluencies it stands, as bits."""

    kind: str
    column: int
    exact: bool = False
    """As it is written: "HE" and "US" are names, and "A" is a letter."""

    def __call__(self, vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.uint32]:  # noqa: ARG002
        """Return the bits of each text."""
        bits = self.bits
        plain = (text.replace("\u2019", "'") for text in texts)
        return np.array([bits.get(text if self.exact or text == "A" else text.lower(), 0) for text in plain], np.uint32)

    @property
    def bits(self) -> dict[str, int]:
        """Word -> bit i for each line i in whose column it stands."""
        return _lines(self.kind, self.column)


@cache
def _lines(kind: str, column: int) -> dict[str, int]:
    """Return word -> bit i for each line i of a kind in whose column it stands."""
    bits: dict[str, int] = {}
    for number, row in enumerate(row for row in rows_of("disfluency.tsv") if row[0] == kind):
        for word in row[column].split() if column < len(row) else ():
            bits[word] = bits.get(word, 0) | 1 << number
    return bits
