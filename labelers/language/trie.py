"""Texts of several words as paths through numbered states, and where they stand in a batch of tokens."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from labelers.ragged import BoolArray, IntArray

__all__ = ["Trie"]

_DENSE = 1 << 17
"""Most cells of a table with a column for each word; the steps of a larger trie are searched for."""


class Trie:
    """Texts as paths of word numbers; a state is a number, state 0 is the start.

    Words are numbered from 0 on; word -1, or any that no text holds, leads nowhere.

    Example:
        >>> trie = Trie([(7, (0, 1)), (8, (0,))], words=3)
        >>> tokens, places = np.array([0, 1, 0, 2]), np.array([0, 2])
        >>> [found.tolist() for found in trie.longest(np.arange(3), tokens, places)]
        [[7, 8], [2, 1]]
    """

    def __init__(self, texts: Iterable[tuple[int, Sequence[int]]], words: int) -> None:
        """Enter texts (number, words) over so many distinct words; of two that are alike the later one counts."""
        steps: dict[tuple[int, int], int] = {}
        ends: dict[int, int] = {}
        for number, text in texts:
            state = 0
            for word in text:
                state = steps.setdefault((state, word), len(steps) + 1)
            ends[state] = number
        self.texts = np.full(len(steps) + 1, -1, np.int64)
        """int64 [states]: the text that ends at each state, -1 for none."""
        self.texts[list(ends)] = list(ends.values())
        path = np.array(list(steps), np.int64).reshape(-1, 2)
        self.state, self.word = path[:, 0], path[:, 1]
        """int64 [steps] each: the state that a step leads on from, and its word."""
        self.target = np.fromiter(steps.values(), np.int64, len(steps))
        """int64 [steps]: the state that it leads to."""
        self.first = np.zeros(words + 1, np.int64)
        """int64 [words + 1]: the state behind a first word, 0 for words that open no text; the last is of word -1."""
        opens = self.state == 0
        self.first[self.word[opens]] = self.target[opens]
        if len(self.texts) * (words + 1) <= _DENSE:
            self._steps: _Table | _Search = _Table(self, words)
        else:
            self._steps = _Search(self)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.target)

    def longest(
        self,
        words: IntArray,
        codes: IntArray,
        at: IntArray,
        *,
        goes_on: Callable[[IntArray], BoolArray] | None = None,
        counts: Callable[[IntArray, IntArray], BoolArray] | None = None,
    ) -> tuple[IntArray, IntArray]:
        """Return (number of the longest text from each place, -1 for none; its length in tokens).

        Args:
            words: the word that each type shows.
            codes: int64 [N]: token types.
            at: int64 [K]: places to begin at.
            goes_on: returns for places whether what comes before may go on there; without it, up to the last token.
            counts: returns for (starts, ends) which texts count; without it, all do.
        """
        text, length = np.full(len(at), -1), np.zeros(len(at), np.int64)
        # the places from which a text may still go on, the state that each has reached, and where its next token stands
        alive, state = np.arange(len(at)), self.first[words.take(codes.take(at))]
        keep = np.flatnonzero(state)
        alive, state, place = alive[keep], state[keep], at[keep] + 1
        while len(alive):
            ended = np.flatnonzero(self.texts[state] >= 0)
            if counts is not None:
                ended = ended[counts(at[alive[ended]], place[ended])]
            text[alive[ended]], length[alive[ended]] = self.texts[state[ended]], place[ended] - at[alive[ended]]
            keep = np.flatnonzero(place < len(codes) if goes_on is None else goes_on(place))
            alive, state, place = alive[keep], state[keep], place[keep]
            keep, state = self._steps.follow(state, words.take(codes.take(place)))
            alive, place = alive[keep], place[keep] + 1
        return text, length


class _Table:
    """The steps of a small trie: a row for each state, a column for each word."""

    def __init__(self, trie: Trie, words: int) -> None:
        self._target = np.zeros((len(trie.texts), words + 1), np.int32)
        self._target[trie.state, trie.word] = trie.target

    def follow(self, state: IntArray, word: IntArray) -> tuple[IntArray, IntArray]:
        """Return which of the states can go on by their word, and the states behind it."""
        found = self._target[state, word]
        keep = np.flatnonzero(found)
        return keep, found[keep].astype(np.int64)


_SLOTS = 1 << 16
"""Some ten times the steps of the package's dictionary."""


class _Search:
    """The steps of a large trie, sorted; most that are asked for there are not, and a small table says so of them."""

    def __init__(self, trie: Trie) -> None:
        keys = (trie.state << 32) | trie.word  # states and words stay below 2**31
        order = np.argsort(keys)
        self._keys, self._targets = keys[order], trie.target[order]
        self._may = np.zeros(_SLOTS, bool)
        """Slots of the steps that there are; a step that there is not may share one."""
        self._may[_slot(trie.state, trie.word)] = True

    def follow(self, state: IntArray, word: IntArray) -> tuple[IntArray, IntArray]:
        """Return which of the states can go on by their word, and the states behind it."""
        word = word.astype(np.int64)
        may = np.flatnonzero(self._may.take(_slot(state, word)))
        key = (state[may] << 32) | word[may]
        place = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        go = np.flatnonzero(self._keys[place] == key)
        return may[go], self._targets[place[go]]


def _slot(state: IntArray, word: IntArray) -> IntArray:
    """Return a number below `_SLOTS` for each step."""
    slot: IntArray = (state * 1021 + word) & (_SLOTS - 1)
    return slot
