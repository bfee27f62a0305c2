"""Where the names of a dictionary stand in a batch of passages: the longest match over tokens, in array steps."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from labelers.dictionary import Concept, plural
from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = ["Mentions", "Names", "style_of", "tokenise"]

_JOINERS = frozenset("-\u2010\u2011/_")
"""A name that one of these joins to another word is a part of a longer name."""


@dataclass(frozen=True)
class Mentions:
    """M mentions, in the order of the text; none overlaps another."""

    name: IntArray
    """int64 [M]: index of the name."""
    start: IntArray
    """int64 [M]: global position of the first token."""
    end: IntArray
    """int64 [M]: global position behind the last token."""

    def take(self, mentions: BoolArray | IntArray) -> "Mentions":
        """Return some of the mentions."""
        return Mentions(self.name[mentions], self.start[mentions], self.end[mentions])


@dataclass(frozen=True, eq=False)
class _WordOf:
    """A property of token types: the number of the word that a type shows, -1 for none."""

    table: dict[str, int]
    fold: bool
    """Whether case makes no difference."""

    def __call__(self, _: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the word of each text."""
        shown = (text.lower() for text in texts) if self.fold else texts
        return np.fromiter((self.table.get(text, -1) for text in shown), np.int32, len(texts))


def _is_joiner(_: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell of each type whether it joins two words."""
    return np.fromiter((text in _JOINERS for text in texts), bool, len(texts))


def style_of(_: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return how each type is written: 0 in lower case, 1 with a capital first, 2 in capitals."""
    return np.fromiter(
        ((2 if text.isupper() and len(text) > 1 else 1) if text[:1].isupper() else 0 for text in texts),
        np.int8,
        len(texts),
    )


@cache
def _tokenizer() -> Callable[[str], Iterable[object]]:
    """Return spaCy's English tokeniser, which also cuts the passages."""
    import spacy

    tokenizer: Callable[[str], Iterable[object]] = spacy.blank("en").tokenizer
    return tokenizer


def tokenise(name: str) -> tuple[str, ...]:
    """Return the tokens of a name.

    Example:
        >>> tokenise("to-day")
        ('to', '-', 'day')
    """
    words = tuple(name.split(" "))
    return words if all(map(str.isalpha, words)) else tuple(str(token) for token in _tokenizer()(name))


class Names:
    """The names of some concepts, numbered so that those of one concept are neighbours, and how to find them.

    A name that two concepts share belongs to neither, but is still found, so that no shorter name is found in it.
    """

    def __init__(self, concepts: Iterable[Concept]) -> None:
        """Number the names and make the tables that find them."""
        groups, types = _groups(concepts)
        self.texts = [name for names in groups for name in names]
        """n names."""
        self.groups = np.repeat(np.arange(len(groups)), [len(names) for names in groups])
        """int64 [n]: the concept of each name; singular and plural are concepts of their own."""
        self.offsets = np.concatenate([[0], np.cumsum([len(names) for names in groups])]).astype(np.int64)
        """int64 [concepts + 1]: the names of each concept."""
        kinds = sorted(set(types))
        self.types = np.array([kinds.index(kind) for kind in types], np.int64)[self.groups]
        """int64 [n]: the type of each name's concept."""
        self.words = [tokenise(name) for name in self.texts]
        """n tuples of tokens."""
        self.exact = np.array([name != name.lower() for name in self.texts], bool)
        """bool [n]: found only as it is written."""
        self.rivals = np.diff(self.offsets)[self.groups] - 1
        """int64 [n]: how many other names the concept has."""
        self._folded, self._exact = _WordOf({}, fold=True), _WordOf({}, fold=False)
        self._tries = [
            (table, _Trie([(i, words) for i, words in enumerate(self.words) if self.exact[i] == exact], table.table))
            for table, exact in ((self._folded, False), (self._exact, True))
        ]
        for words in self.words:
            for word in words:
                self._folded.table.setdefault(word.lower(), len(self._folded.table))

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.texts)

    def word(self, text: str) -> int:
        """Return the number of a word of some name, case apart."""
        return self._folded.table[text.lower()]

    @property
    def n_words(self) -> int:
        """How many distinct words the names have, case apart."""
        return len(self._folded.table)

    @cached_property
    def ends(self) -> IntArray:
        """int64 [n, 2]: the first and the last word of each name."""
        return np.array([(self.word(words[0]), self.word(words[-1])) for words in self.words], np.int64).reshape(-1, 2)

    def words_of(self, batch: PassageBatch) -> IntArray:
        """Return int32 [N]: the number of the word that each token shows, case apart, -1 for none."""
        shown: IntArray = batch.vocabulary.property(self._folded)[batch.codes]
        return shown

    def find(self, batch: PassageBatch) -> Mentions:
        """Return the longest names in a batch, from left to right, those of concepts with one name included."""
        found = [trie.find(batch, table) for table, trie in self._tries if len(trie)]
        starts, ends, which = (np.concatenate(parts) for parts in zip(*found, strict=True)) if found else _NONE
        order = np.lexsort((-ends, starts))
        starts, ends, which = starts[order], ends[order], which[order]
        kept = _leftmost(starts, ends)
        return Mentions(which[kept], starts[kept], ends[kept])

    @cached_property
    def pairs(self) -> dict[tuple[int, int], IntArray]:
        """Memory of `marks`."""
        return {}

    def marks(self, one: int, other: int) -> IntArray:
        """Return the numbers of the words that only one of two names has and that tell something by themselves."""
        key = (min(one, other), max(one, other))
        if key not in self.pairs:
            words = {word for name in key for word in self._telling(name)}
            shared = self._telling(one) & self._telling(other)
            self.pairs[key] = np.array(sorted(words - shared), np.int64)
        return self.pairs[key]

    def _telling(self, name: int) -> set[int]:
        """Return the words of a name that tell something: all but the short ones of a name of several words."""
        words = self.words[name]
        return {self.word(word) for word in words if len(words) == 1 or len(word) > _SHORT}


_SHORT = 3
"""Letters of the longest word that may stand anywhere: "at" of "at once"."""

_NONE = (np.empty(0, np.int64),) * 3


def _groups(concepts: Iterable[Concept]) -> tuple[list[list[str]], list[str]]:
    """Return the names of each concept and its type, with plurals of nouns, and without names that two share."""
    all_ = []
    for concept in concepts:
        all_.append((list(concept.names), concept.type))
        if concept.type.split(".")[0] == "noun":
            all_.append(([plural(name) for name in concept.names], f"{concept.type}.plural"))
    owners: defaultdict[str, int] = defaultdict(int)
    for names, _ in all_:
        for name in set(names):
            owners[name] += 1
    kept = [([name for name in dict.fromkeys(names) if owners[name] == 1], kind) for names, kind in all_]
    kept += [([name], "") for name, count in owners.items() if count > 1]
    kept = [(names, kind) for names, kind in kept if names]
    return [names for names, _ in kept], [kind for _, kind in kept]


class _Trie:
    """Names as paths of word numbers; a state is a number, state 0 is the start."""

    def __init__(self, names: Sequence[tuple[int, tuple[str, ...]]], table: dict[str, int]) -> None:
        """Enter the names, and their words into the table."""
        steps: dict[tuple[int, int], int] = {}
        ends: dict[int, int] = {}
        for which, words in names:
            state = 0
            for word in words:
                state = steps.setdefault((state, table.setdefault(word, len(table))), len(steps) + 1)
            ends[state] = which
        keys = np.array([(state << 32) | word for state, word in steps], np.int64)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._targets = np.fromiter(steps.values(), np.int64, len(steps))[order]
        self._name = np.full(len(steps) + 1, -1, np.int64)
        self._name[list(ends)] = list(ends.values())
        self._opens = {word for state, word in steps if state == 0}

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._keys)

    def find(self, batch: PassageBatch, table: _WordOf) -> tuple[IntArray, IntArray, IntArray]:
        """Return start, end and name of the longest match at each token, where there is one."""
        words = batch.vocabulary.property(table)[batch.codes]
        opens = np.zeros(len(table.table) + 1, bool)  # the last place is that of word -1
        opens[list(self._opens)] = True
        starts = np.flatnonzero(opens[words])
        best_end, best_name = np.zeros(len(starts), np.int64), np.full(len(starts), -1, np.int64)
        # alive [A]: which of the starts still follow a path; state [A]: where on it; at [A]: the token to look at next
        alive, state, at = np.arange(len(starts)), np.zeros(len(starts), np.int64), starts
        while len(alive):
            key = (state << 32) | words[at]
            place = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
            go = (self._keys[place] == key) & (words[at] >= 0)
            alive, state, at = alive[go], self._targets[place[go]], at[go] + 1
            done = (self._name[state] >= 0) & _stands_free(batch, starts[alive], at)
            best_end[alive[done]], best_name[alive[done]] = at[done], self._name[state[done]]
            inside = at < len(words)
            alive, state, at = alive[inside], state[inside], at[inside]
        hit = best_name >= 0
        return starts[hit], best_end[hit], best_name[hit]


def _stands_free(batch: PassageBatch, starts: IntArray, ends: IntArray) -> BoolArray:
    """Tell which spans lie in one segment and are not joined to a neighbour by a hyphen, a slash or the like."""
    joins = batch.vocabulary.property(_is_joiner)[batch.codes]
    before, after = np.maximum(starts - 1, 0), np.minimum(ends, len(batch.codes) - 1)
    left = (starts > 0) & joins[before] & ~batch.spaces[before]
    right = (ends < len(batch.codes)) & joins[after] & ~batch.spaces[ends - 1]
    one = batch.token_segments[starts] == batch.token_segments[ends - 1]
    free: BoolArray = one & ~left & ~right
    return free


def _leftmost(starts: IntArray, ends: IntArray) -> IntArray:
    """Return which spans (sorted by start, the longer first) a reader takes who goes from left to right."""
    kept = np.arange(len(starts))
    while True:
        hit = starts[kept][1:] < ends[kept][:-1]  # overlaps the one before
        if not hit.any():
            return kept
        # a span is lost only to one that is itself not overlapped: the first of each run of overlaps
        lost = hit & ~np.concatenate([[False], hit[:-1]])
        kept = kept[np.concatenate([[True], ~lost])]
