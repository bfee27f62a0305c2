# ruff: noqa: RUF001  (quotes and dashes are what this is about)
"""How spaCy splits what stands between two spaces: asked once per kind of chunk, not once per chunk."""

import re
import threading
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelers.language.light_spacy import tokenizer
from labelers.ragged import BoolArray, IntArray, ragged_take, ranges, running_total
from labelers.text.hyphens import AFTER, BEFORE, parts_around_dashes, set_apart
from labelers.vocabulary import Vocabulary

__all__ = ["LONGEST", "Rule", "long_chunks", "rule_of"]

LONGEST = 500
"""Characters of one chunk that spaCy is asked for at a time; web addresses are hardly ever longer. Measured on 100,000
random brackets that open, the worst: 5 s in pieces of so many characters, 9 s of 1,000, and minutes in one piece."""

_PLAIN = (
    rf"^(?P<before>[{re.escape(BEFORE)}]*)"
    r"(?P<words>[A-Za-z]+(?:(?:--?|—|–)[A-Za-z]+)*|[0-9]+)"
    rf"(?P<after>(?:['’]s)?[{re.escape(AFTER)}]*) $"
)
_MODELS = ("", "abide", "ABIDE", "10")
"""Of each ending of words (`_ending`) a word that shows how affixes split around it; none for 0."""
_DASH = re.compile("(--?|—|–)")
_RUN = re.compile("[A-Za-z0-9]+")
_SEPARATOR = "\u2063"  # an invisible sign that no special case holds
_MEETING = re.compile(r"(?:[^\w\s,]|\b\w) (?:[^\w\s,]|\w\b)")
_BESIDE = re.compile(r"([A-Za-z0-9]+) [^\w\s,]|[^\w\s,] ([A-Za-z0-9]+)")


class Rule:
    """How one language's tokeniser splits a chunk, answered from a model chunk where that is proven to be the same.

    A chunk is ``before + words + after``: words are letters (joined by dashes) or digits, the rest is plain marks and a
    possessive. spaCy takes prefixes and suffixes off its ends and compares what
    is left with its special cases each time. Its patterns for these affixes look at no letter of the words but the
    last two, and of them only whether they are upper case; a special case with an affix holds the word beside it as a
    whole run of letters, and a word that is such a run is left to spaCy. So ``before`` and ``after`` split as they do
    around any other words of the same ending, unless they stick to that, and then the rule does not apply. What remains
    are the words, which spaCy divides at dashes between letters.
    """

    def __init__(self, lang: str) -> None:
        """Load the language's tokeniser."""
        own = _tokenizer(lang)
        from spacy.tokenizer import Tokenizer
        from spacy.vocab import Vocab

        self.lock = threading.Lock()
        """Held by the tokeniser that uses the rule: it learns, and spaCy's memory zones serve one thread."""
        self._vocab = Vocab()  # a bare one: no lexical attributes are worked out for words that are only split
        self._tokenizer: Any = Tokenizer(
            self._vocab,
            rules=own.rules,
            prefix_search=own.prefix_search,
            suffix_search=own.suffix_search,
            infix_finditer=own.infix_finditer,
            token_match=own.token_match,
            url_match=own.url_match,
        )
        self._all = frozenset(own.rules)
        self._special = {text for text in self._all if len(text) > 1 and not text.isalnum()}
        self._marks = {text for text in self._special if not _RUN.search(text)}
        self._runs = {run for text in self._all for run in _RUN.findall(text)}
        self._excepted = [pa.array(sorted(texts), pa.large_string()) for texts in (self._all, self._runs)]
        self._affixes: list[tuple[list[str], list[str]]] = [([], [])]  # tokens before and after words, none first
        self._known: dict[tuple[str, int, str], int] = {}  # affixes of each kind of chunk, -1: spaCy must be asked

    def split(self, chunks: pa.Array, vocabulary: Vocabulary) -> tuple[IntArray, IntArray, BoolArray]:
        """Return (codes of all tokens, int64 [C] tokens of each chunk, bool [C] open) of chunks that end in a space.

        In an open chunk spaCy finds a special case among tokens (``x:(``); the same tokens beyond a space may hide it
        (``x:( (``), so its text is asked for whole where at a space marks or single letters meet, or a mark and a word
        of a special case (``doin ''``).
        """
        parted = np.flatnonzero(_mask(pc.match_substring(chunks, "--")))
        parts = [parts_around_dashes(text[:-1]) for text in chunks.take(pa.array(parted)).to_pylist()]
        several = [len(part) > 1 for part in parts]
        if any(several):
            return self._split_parts(chunks, parted[several], [part for part in parts if len(part) > 1], vocabulary)
        words, affix, dashed = self._words(chunks)
        joined = map(_DASH.split, words.take(pa.array(dashed)).to_pylist())
        listed = dict(zip(dashed.tolist(), joined, strict=True))
        for place, parts in listed.items():
            affix[place] = -1 if self._stick(parts, *self._affixes[affix[place]]) else affix[place]
        asked = np.flatnonzero(affix < 0)
        found = self._ask_pieces([text[:-1] for text in chunks.take(pa.array(asked)).to_pylist()])
        listed.update(zip(asked.tolist(), found, strict=True))
        affix[asked] = 0
        opened = np.zeros(len(chunks), bool)
        opened[asked] = [len(tokens) > 1 and self._opens(tokens) for tokens in found]
        return *self._assemble(words, affix, listed, vocabulary), opened

    def _split_parts(
        self, chunks: pa.Array, places: IntArray, parts: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> tuple[IntArray, IntArray, BoolArray]:
        """Return what `split` does, where the chunks at some places are split part by part."""
        count = np.ones(len(chunks), np.int64)
        count[places] = list(map(len, parts))
        # the other chunks first, then all parts
        whole = np.delete(np.arange(len(chunks)), places)
        own = pa.array([f"{part} " for part in chain.from_iterable(parts)], chunks.type)
        codes, lengths, opened = self.split(pa.concat_arrays([chunks.take(pa.array(whole)), own]), vocabulary)
        order = np.empty(count.sum(), np.int64)
        first = running_total(count)
        inside = ranges(first[places], count[places])
        order[np.delete(np.arange(len(order)), inside)] = np.arange(len(whole))
        order[inside] = len(whole) + np.arange(len(own))
        taken, _ = ragged_take(running_total(lengths), order)
        return (
            codes[taken],
            np.add.reduceat(lengths[order], first[:-1]),
            np.logical_or.reduceat(opened[order], first[:-1]),
        )

    def _words(self, chunks: pa.Array) -> tuple[pa.Array, IntArray, IntArray]:
        """Return the words of each chunk, the number of their affixes (-1: ask spaCy), and where dashes join them."""
        shape = pc.extract_regex(pc.if_else(long_chunks(chunks), None, chunks), _PLAIN)
        before, words, after = (pc.fill_null(pc.struct_field(shape, name), "") for name in ("before", "words", "after"))
        special, run = (_mask(pc.is_in(words, texts)) for texts in self._excepted)
        bare = _mask(pc.equal(pc.add(pc.binary_length(before), pc.binary_length(after)), 0))
        ends = pc.utf8_slice_codeunits(words, -2).dictionary_encode()
        ending = np.array(list(map(_ending, ends.dictionary.to_pylist())), np.int64)[ends.indices.to_numpy()]
        before, after = before.dictionary_encode(), after.dictionary_encode()
        # key [C]: what stands before and after, and the ending, as one number
        key = (before.indices.to_numpy() * len(after.dictionary) + after.indices.to_numpy()) * 4 + ending
        distinct, which = np.unique(key, return_inverse=True)
        outer, end = np.divmod(distinct, 4)
        pairs = np.stack([*np.divmod(outer, max(len(after.dictionary), 1)), end], axis=1).tolist()
        known = [self._affix(before.dictionary[i].as_py(), end, after.dictionary[j].as_py()) for i, j, end in pairs]
        affix = np.where(bare, 0, np.array(known, np.int64)[which])
        affix[special | ~_mask(shape.is_valid()) | (run & ~bare)] = -1
        return words, affix, np.flatnonzero(_mask(pc.match_substring_regex(words, "[^A-Za-z0-9]")) & (affix >= 0))

    def _stick(self, parts: list[str], before: list[str], after: list[str]) -> bool:
        """Return whether the first or last of several words may be a special case with what stands beside it."""
        return bool((before and parts[0] in self._runs) or (after and parts[-1] in self._runs))

    def _assemble(
        self, words: pa.Array, affix: IntArray, listed: dict[int, list[str]], vocabulary: Vocabulary
    ) -> tuple[IntArray, IntArray]:
        """Return the codes of all tokens, and how many each chunk has: its affixes around its only word, or a list."""
        places = np.fromiter(listed, np.int64, len(listed))
        alone = np.delete(np.arange(len(affix)), places)
        used, which = np.unique(affix, return_inverse=True)
        lists = [*listed.values(), *chain.from_iterable(self._affixes[number] for number in used.tolist())]
        codes = vocabulary.encode(chain(words.take(pa.array(alone)).to_pylist(), *lists))
        starts = running_total(np.array([1] * len(alone) + list(map(len, lists)), np.int64))
        # runs [C, 3]: which of the words and lists stands before, in and after each chunk
        first = len(alone) + len(places) + 2 * which
        runs = np.stack([first, first, first + 1], axis=1)
        runs[alone, 1], runs[places, 1] = np.arange(len(alone)), len(alone) + np.arange(len(places))
        taken, ends = ragged_take(starts, runs.ravel())
        return codes[taken], np.diff(ends[::3])

    def _ask_pieces(self, chunks: list[str]) -> list[list[str]]:
        """Return spaCy's tokens of each chunk, of a long one those of its pieces, one after the other."""
        pieces = [[chunk[start : start + LONGEST] for start in range(0, len(chunk), LONGEST)] for chunk in chunks]
        distinct = list(dict.fromkeys(chain.from_iterable(pieces)))
        found = dict(zip(distinct, self._ask(distinct), strict=True))
        return [list(chain.from_iterable(found[piece] for piece in own)) for own in pieces]

    def _ask(self, chunks: list[str]) -> list[list[str]]:
        """Return spaCy's tokens of each chunk, all in one call."""
        if len(chunks) != 1 and any(_SEPARATOR in chunk for chunk in chunks):
            return [found for chunk in chunks for found in self._ask([chunk])]
        found: list[list[str]] = [[] for _ in chunks]
        place = 0
        with self._vocab.memory_zone():
            for token in self._tokenizer(f" {_SEPARATOR} ".join(chunks)) if chunks else ():
                if token.text == _SEPARATOR and len(chunks) > 1:
                    place += 1
                else:
                    found[place].append(token.text)
        return found

    def _opens(self, tokens: list[str]) -> bool:
        """Return whether a special case stands among marks that a neighbouring chunk could prolong."""
        first, last = tokens[0], tokens[-1]
        return (
            not self._marks.isdisjoint(tokens)
            or first in self._special
            or (last in self._special and not last[-1].isalnum() and last[-1] != ".")
        )

    def meets(self, text: str) -> bool:
        """Return whether what stands at a space of an open chunk and its neighbours may be a special case."""
        runs = (run for pair in _BESIDE.findall(text) for run in pair)
        return bool(_MEETING.search(text)) or not self._runs.isdisjoint(runs)

    def ask_whole(self, texts: Sequence[str]) -> list[list[tuple[str, bool]]]:
        """Return spaCy's tokens of each text, and whether a space follows each."""
        with self._vocab.memory_zone():
            return [_with_spaces([token.text for token in self._tokenizer(set_apart(text))], text) for text in texts]

    def _affix(self, before: str, ending: int, after: str) -> int:
        """Return the number of what stands around words of an ending, -1 where they do not stand alone between it."""
        key = (before, ending, after)
        if key not in self._known:
            found = self._learn(before, _MODELS[ending], after) if ending else None
            self._known[key] = -1 if found is None else len(self._affixes)
            self._affixes += [] if found is None else [found]
        return self._known[key]

    def _learn(self, before: str, model: str, after: str) -> tuple[list[str], list[str]] | None:
        """Return the tokens before and after a model word, None where it does not stand alone between them."""
        tokens = [token.text for token in self._tokenizer(before + model + after)]
        place = tokens.index(model) if tokens.count(model) == 1 else -1
        alone = place >= 0 and "".join(tokens[:place]) == before and self._marks.isdisjoint(tokens)
        return (tokens[:place], tokens[place + 1 :]) if alone else None


def _with_spaces(tokens: Sequence[str], text: str) -> list[tuple[str, bool]]:
    """Return the tokens of a text, and whether a space follows each in it."""
    found, place = [], 0
    for token in tokens:
        place += len(token)
        space = text[place : place + 1] == " "
        found.append((token, space))
        place += space
    return found


def _ending(text: str) -> int:
    """Return which of `_MODELS` ends as words do, given their last two characters, 0 for none."""
    if text.isalpha() and text.isupper():
        return 2 if len(text) > 1 else 0
    return 0 if not text else 3 if text[-1].isdigit() else int(text[-1].islower())


def long_chunks(chunks: pa.Array) -> BoolArray:
    """Return which chunks, each with the space behind it, are longer than spaCy is asked for at once."""
    return _mask(pc.greater(pc.utf8_length(chunks), LONGEST + 1))


def _mask(array: pa.Array) -> BoolArray:
    """Return an Arrow array of booleans as a mask; null is false."""
    mask: BoolArray = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return mask


def _tokenizer(lang: str) -> Any:
    """Return spaCy's tokeniser of a language.

    Raises:
        ModuleNotFoundError: spaCy is not installed; the message says what to do.
    """
    try:
        return tokenizer(lang)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "spacy":
            raise
        raise ModuleNotFoundError(_NO_SPACY) from None


_NO_SPACY = (
    "text is split by spaCy, which is not installed; install it with: pip install 'auxloom[build]', or give tokens"
)


@cache
def rule_of(lang: str) -> Rule:
    """Return the rule of a language, one for this process."""
    return Rule(lang)
