"""Lists of words in the lexicon of disfluencies, looked up once per token type for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

from labelers.language.tables import entries
from labelers.ragged import IntArray
from labelers.vocabulary import Vocabulary

__all__ = ["Listed"]

_KINDS = ("clash", "frame", "again", "anew", "dash", "open", "speech", "border", "before")


@dataclass(frozen=True)
class Listed:
    """The words in one column of the lines of a kind."""

    kind: str
    column: int
    exact: bool = False
    """As they are written: "HE" and "US" are names."""

    def of(self, vocabulary: Vocabulary, codes: IntArray) -> npt.NDArray[np.uint32]:
        """Return in which lines each type stands, as bits; none where a code is negative."""
        bits: npt.NDArray[np.uint32] = self._table.take(vocabulary.property(_number).take(codes))
        if codes.min(initial=0) < 0:
            bits[codes < 0] = 0
        return bits

    @cached_property
    def bits(self) -> dict[str, int]:
        """Word -> bit i for each line i in whose column it stands."""
        bits: dict[str, int] = {}
        for number, row in enumerate(entries(self.kind)):
            for word in row[self.column - 1].split() if self.column <= len(row) else ():
                bits[word] = bits.get(word, 0) | 1 << number
        return bits

    @cached_property
    def _table(self) -> npt.NDArray[np.uint32]:
        """The bits of each `_number`."""
        own = [self.bits.get(word if self.exact or word == "A" else word.lower(), 0) for word in _words()]
        other = [0 if self.exact else self.bits.get(word.lower(), 0) for word in _words()]
        return np.array([0, *own, *other], np.uint32)


@cache
def _words() -> dict[str, int]:
    """Return word -> number from 1 of all words of the lists."""
    words = (word for kind in _KINDS for row in entries(kind) for part in row for word in part.split())
    return {word: number for number, word in enumerate(dict.fromkeys([*words, "A"]), 1)}


def _number(texts: Sequence[str]) -> IntArray:
    """Return the number of each text as it is written, that of its small letters behind all these, or 0."""
    words = _words()
    numbers = np.fromiter(map(words.get, texts, repeat(0)), np.int64, len(texts))
    for place in np.flatnonzero(numbers == 0).tolist():
        text = texts[place]
        if not text.islower() or not text.isascii():
            numbers[place] = _other_number(text.replace("\u2019", "'"), words)
    return numbers


def _other_number(text: str, words: dict[str, int]) -> int:
    """Return the number of a text that does not stand in the lists as it is written."""
    number = words.get(text.lower(), 0)
    return number + len(words) if number and not text.islower() else number
