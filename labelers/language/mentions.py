"""Where the names of a dictionary stand in a batch of passages: the longest match over tokens, in array steps."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt

from labelers.language.dictionary import Concept, plural
from labelers.language.differences import Differences, Numbering, shared
from labelers.language.light_spacy import tokenizer
from labelers.language.places import NameKind, goes_on, in_place, stands_free
from labelers.language.trie import Trie
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.vocabulary import Vocabulary

__all__ = ["Mentions", "Names", "tokenise"]


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

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the word of each text."""
        shown = map(str.lower, texts) if self.fold else texts
        return np.fromiter(map(self.table.get, shown, repeat(-1)), np.int32, len(texts))

    def add(self, words: Iterable[str]) -> None:
        """Number further words."""
        for word in words:
            self.table.setdefault(word, len(self.table))


def tokenise(name: str) -> tuple[str, ...]:
    """Return the tokens of a name.

    Example:
        >>> tokenise("to-day"), tokenise("gonna")
        (('to', '-', 'day'), ('gon', 'na'))
    """
    words, cut = tuple(name.split(" ")), tokenizer("en")
    plain = all(map(str.isalpha, words)) and not any(word in cut.rules for word in words)  # quicker
    return words if plain else tuple(map(str, cut(name)))


class Names:
    """The names of some concepts, numbered so that those of one concept are neighbours, and how to find them.

    A name that two concepts share belongs to neither, but is still found, so that no shorter name is found in it.
    """

    def __init__(self, concepts: Iterable[Concept]) -> None:
        """Number the names and make the tables that find them."""
        groups = _groups(concepts)
        self.texts = [name for group in groups for name in group.names]
        """n names."""
        self.ids = [group.id for group in groups]
        """The id of each concept; singular and plural have the same."""
        self.groups = np.repeat(np.arange(len(groups)), [len(group.names) for group in groups])
        """int64 [n]: the concept of each name; singular and plural are concepts of their own."""
        self.offsets = running_total(np.array([len(group.names) for group in groups], np.int64))
        """int64 [concepts + 1]: the names of each concept."""
        kinds = {kind: number for number, kind in enumerate(sorted({group.type for group in groups}))}
        self.types = np.array([kinds[group.type] for group in groups], np.int64)[self.groups]
        """int64 [n]: the type of each name's concept."""
        self.words = [tokenise(name) for name in self.texts]
        """n tuples of tokens."""
        self.sizes = np.array([len(words) for words in self.words], np.int64)
        """int64 [n]: tokens of each name."""
        sized = zip(self.groups.tolist(), self.sizes.tolist(), strict=True)
        self.kinds = np.array([NameKind.of(groups[group].type, size) for group, size in sized], np.int8)
        """int8 [n]: where each name may stand, as far as the type of its concept determines it."""
        self.goes_on = np.array(list(map(goes_on, self.texts)), np.int8)
        """int8 [n]: 1 where a word has to follow, 2 where one with a capital, or a number; else 0."""
        self.exact = np.array([name != name.lower() for name in self.texts], bool)
        """bool [n]: found only as it is written."""
        self.titled = self.exact | np.array([group.titled for group in groups], bool)[self.groups]
        """bool [n]: may have a capital inside a sentence."""
        self.rivals = np.diff(self.offsets)[self.groups] - 1
        """int64 [n]: how many other names the concept has."""
        self._folded, exact = _WordOf({}, fold=True), _WordOf({}, fold=False)
        named = list(enumerate(self.words))
        written, others = ([item for item in named if self.exact[item[0]] == own] for own in (True, False))
        for shows, names in ((exact, written), (self._folded, others)):
            shows.add(word for _, words in names for word in words)
        self._folded.add(word.lower() for word in chain.from_iterable(self.words))
        self._finders = [_Finder(written, exact), _Finder(others, self._folded)]
        """Where both find a name of the same tokens, that of the first counts: it stands there as it is written."""
        self._differences, self._pairs = Differences.none(), Numbering()

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

    def words_at(self, batch: PassageBatch, positions: IntArray) -> IntArray:
        """Return the number of the word that the token at each position shows, case apart, -1 for none."""
        shown: IntArray = batch.vocabulary.property(self._folded)[batch.codes[positions]]
        return shown.astype(np.int64)

    def telling_words(self, batch: PassageBatch) -> tuple[IntArray, IntArray]:
        """Return the positions of the tokens that show an informative word, and these words."""
        by_type = self.informative[batch.vocabulary.property(self._folded)]
        positions = np.flatnonzero(by_type.take(batch.codes))
        return positions, self.words_at(batch, positions)

    def find(self, batch: PassageBatch) -> Mentions:
        """Return the longest names in a batch, from left to right, those of concepts with one name included.

        Common words with a capital inside a sentence ("the Black Forest") are left out, and names that stand where
        their kind of word does not ("to mirror it" holds no noun).
        """
        found = [finder.find(batch) for finder in self._finders if len(finder)]
        starts, ends, which = (np.concatenate(parts) for parts in zip(*found, strict=True)) if found else _NONE
        order = np.argsort((starts << 32) - ends, kind="stable")  # positions stay below 2**31
        mentions = Mentions(which, starts, ends).take(order)
        mentions = mentions.take(_leftmost(mentions.start, mentions.end))
        kinds, titled = self.kinds[mentions.name], self.titled[mentions.name]
        return mentions.take(in_place(batch, mentions.start, mentions.end, kinds, titled))

    @cached_property
    def informative(self) -> BoolArray:
        """Bool [words + 1]: words that are informative in some name; the last place is that of word -1."""
        informative = np.zeros(self.n_words + 1, bool)
        informative[[word for name in range(len(self)) for word in self._informative_words(name)]] = True
        return informative

    def differences(self, old: IntArray, new: IntArray) -> tuple["Differences", IntArray]:
        """Return what sets names apart, and which of its entries is that of each pair of an old and a new name."""
        entry, added = self._pairs.of(old * len(self) + new)
        if added:
            self._differences = self._differences.extended([self._apart(*divmod(pair, len(self))) for pair in added])
        return self._differences, entry

    def _apart(self, old: int, new: int) -> tuple[list[int], list[int], bool]:
        """Return the informative words of one name alone, how often the old one has each, and if one is nested."""
        apart = sorted(self._informative_words(old) ^ self._informative_words(new))
        before, after = ([self.word(word) for word in self.words[name]] for name in (old, new))
        nested = min(len(before), len(after)) <= sum(shared(before, after))
        return apart, [before.count(word) for word in apart], nested

    def _informative_words(self, name: int) -> set[int]:
        """Return the informative words of a name: all but the short ones of a name of several words."""
        words = self.words[name]
        return {self.word(word) for word in words if len(words) == 1 or len(word) > _SHORT}


_SHORT = 3
"""Letters of the longest word that may stand anywhere: "at" of "at once"."""

_NONE = (np.empty(0, np.int64),) * 3


def _groups(concepts: Iterable[Concept]) -> list[Concept]:
    """Return the concepts with plurals of nouns apart, and names that two of them share made concepts of their own."""
    groups = []
    for concept in concepts:
        groups.append(concept)
        if concept.type.split(".")[0] == "noun" and not concept.type.endswith(".plural"):
            plurals = tuple(dict.fromkeys(plural(name) for name in concept.names if name == name.lower()))
            groups.append(replace(concept, names=plurals, type=f"{concept.type}.plural"))
    owners = Counter(name for group in groups for name in group.names)
    kept = [replace(group, names=tuple(name for name in group.names if owners[name] == 1)) for group in groups]
    kept += [Concept("", (name,)) for name, count in owners.items() if count > 1]
    return [group for group in kept if group.names]


_KINDS, _ALONE = 15, np.uint32(1 << 15)
"""Kinds of words, which few words share, and the bit of a word that is a name."""


class _Finder:
    """Finds names, given with their numbers, by the words that types show."""

    def __init__(self, names: Sequence[tuple[int, tuple[str, ...]]], shows: _WordOf) -> None:
        """Enter the names."""
        numbered = [(i, [shows.table[word] for word in words]) for i, words in names]
        self._shows, self._trie = shows, Trie(numbered, len(shows.table))
        self._part = _PartOf(_parts(self._trie), shows)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._trie)

    def find(self, batch: PassageBatch) -> tuple[IntArray, IntArray, IntArray]:
        """Return start, end and name of the longest match at each token, where there is one."""
        parts = batch.vocabulary.derived(self._part).take(batch.codes)
        may = parts & _ALONE
        may[:-1] |= parts[:-1] & (parts[1:] >> 16)
        starts = np.flatnonzero(may > 0)
        words = batch.vocabulary.property(self._shows)
        name, length = self._trie.longest(
            words, batch.codes, starts, counts=lambda start, end: stands_free(batch, start, end)
        )
        hit = name >= 0
        return starts[hit], (starts + length)[hit], name[hit]


def _parts(trie: Trie) -> npt.NDArray[np.uint32]:
    """Return for each word if it is `_ALONE`, the kinds of words that may follow and, 16 bits higher, its own."""
    parts, opens = np.zeros(len(trie.first), np.uint32), np.flatnonzero(trie.first)
    opener = np.full(len(trie.texts), -1)  # the word that leads to each state from the start, -1 for other states
    opener[trie.first[opens]] = opens
    inner = np.flatnonzero(trie.state)
    state, word = trie.state[inner], trie.word[inner]
    kind = np.uint32(1) << (word % _KINDS).astype(np.uint32)
    parts[word] = kind << 16
    np.bitwise_or.at(parts, opener[state], kind)
    parts[opens[trie.texts[trie.first[opens]] >= 0]] |= _ALONE
    parts[-1] = 0
    return parts


@dataclass(frozen=True, eq=False)
class _PartOf:
    """A property of token types: what a type may be in a name."""

    parts: npt.NDArray[np.uint32]
    shows: _WordOf

    def __call__(self, vocabulary: Vocabulary, new: slice) -> npt.NDArray[np.uint32]:
        """Return the parts of each new type."""
        found: npt.NDArray[np.uint32] = self.parts[vocabulary.property(self.shows)[new]]
        return found


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
