"""Where tokens stand in the strings that they were made of, counted in code points, before these were cleaned.

Cleaning takes characters away and puts in none but spaces, and a tokeniser only divides what is left. So the tokens of
a string, one after the other, are its characters without white space, control characters and the byte-order mark at
its beginning: what was kept decides where each token stands, and nothing has to travel through cleaning and splitting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.text.clean import BYTE_ORDER_MARK, is_control, is_empty
from labelers.text.document import Document
from labelers.text.pieces import Pieces
from labelers.vocabulary import Vocabulary

__all__ = ["Positions", "find_positions"]


@dataclass(frozen=True)
class Positions:
    """Where the N tokens of P rows stand: token i is what is left of ``string[starts[i]:ends[i]]`` when it is clean.

    Positions of one string rise and do not overlap. A token of a document that brings its tokens has none, -1.
    """

    texts: IntArray
    """int64 [P]: which of the documents that were given each row is a part of."""
    turns: IntArray
    """int64 [N]: which of a document's turns a token stands in, counting all that were given; -1 outside dialogues."""
    starts: IntArray
    """int64 [N]: in the document's text; in a dialogue, in the text of the turn."""
    ends: IntArray
    """int64 [N]: behind the last character."""
    second_starts: IntArray
    """int64 [M]: the same for the tokens of `PassageBatch.second`, in the second text."""
    second_ends: IntArray
    """int64 [M]."""

    def take(self, tokens: BoolArray) -> "Positions":
        """Return the positions of some of the tokens."""
        return replace(self, turns=self.turns[tokens], starts=self.starts[tokens], ends=self.ends[tokens])

    def take_second(self, tokens: BoolArray) -> "Positions":
        """Return the positions of some of the tokens of second texts."""
        return replace(self, second_starts=self.second_starts[tokens], second_ends=self.second_ends[tokens])


def find_positions(
    documents: Sequence[Document], batch: PassageBatch, pieces: Pieces, read: Pieces, second: Pieces | None
) -> Positions:
    """Return where the tokens of a batch stand.

    Args:
        documents: all that were given.
        batch: the passages that were made of them.
        pieces: those of the documents that have passages.
        read: the same with all tokens that were read: those that have positions.
        second: those of their second texts, as they were read.
    """
    used = dict.fromkeys(read.documents.tolist())
    strings = [item for number in used for item in _strings(documents[number])]
    turns = np.repeat(np.array([turn for turn, _ in strings], np.int64), np.diff(read.offsets))
    starts, ends = _find(batch.vocabulary, read, [string for _, string in strings])
    empty = np.zeros(0, np.int64)
    seconds = (empty, empty)
    if second is not None:
        others = [documents[number].second for number in second.documents.tolist()]
        seconds = _find(batch.vocabulary, second, [item if isinstance(item, str) else None for item in others])
    return Positions(pieces.owners[batch.offsets[:-1]], turns, starts, ends, *seconds)


def _strings(document: Document) -> list[tuple[int, str | None]]:
    """Return (number of the turn or -1, string) of each piece of a document; no string for tokens."""
    if document.tokens is not None:
        return [(-1, None)]
    if document.turns is None:
        return [(-1, document.text)]
    return [(number, turn.text) for number, turn in enumerate(document.turns) if not is_empty(turn.text)]


def _sizes(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the number of code points of each text."""
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _find(vocabulary: Vocabulary, pieces: Pieces, strings: Sequence[str | None]) -> tuple[IntArray, IntArray]:
    """Return where each token of some pieces starts and ends in the string of its piece, -1 where there is none."""
    starts, ends = np.full(len(pieces.codes), -1), np.full(len(pieces.codes), -1)
    known = np.array([string is not None for string in strings], bool)
    count = np.diff(pieces.offsets)
    found = np.flatnonzero(np.repeat(known, count))
    first, kept = _kept([string for string in strings if string is not None])
    before = running_total(vocabulary.property(_sizes)[pieces.codes[found]])
    own = np.repeat(first, count[known])
    starts[found] = kept[before[:-1]] - own
    ends[found] = kept[before[1:] - 1] + 1 - own
    return starts, ends


def _kept(strings: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return where each string begins in all of them, and the places of characters that are part of a token."""
    first = running_total(np.array([len(string) for string in strings], np.int64))
    points = np.frombuffer("".join(strings).encode("utf-32-le", "surrogatepass"), np.uint32)
    low = np.minimum(points, len(_SPACE) - 1)
    # a byte-order mark is none but at the beginning, with control characters before it or not
    visible = np.append(np.flatnonzero(~_CONTROL[low]), len(points))
    opening = visible[np.searchsorted(visible, first[:-1])]
    opening = opening[opening < first[1:]]
    marks = opening[points[opening] == ord(BYTE_ORDER_MARK)]
    kept = ~(_CONTROL | _SPACE)[low]
    kept[marks] = False
    return first[:-1], np.flatnonzero(kept)


_SPACE: BoolArray = np.array([chr(point).isspace() for point in range(0x3002)])  # one beyond the last, U+3000
_CONTROL: BoolArray = np.array([is_control(chr(point)) for point in range(len(_SPACE))])
