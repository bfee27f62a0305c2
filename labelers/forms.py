"""The closed lexicon of connective forms, and where its strings stand in a batch.

The forms, what is known of each, and the sources of it stand in ``lexicons/connectives.tsv``.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = ["Form", "Lexicon", "Matches", "lexicon", "match", "rows_of"]


@dataclass(frozen=True)
class Form:
    """One connective form: a row of the lexicon."""

    form: str
    """Its words in lower case, divided by spaces."""
    rule: bool
    """A connective wherever it opens a segment and a comma follows."""
    opens: str
    """``"yes"``: it links the segment that it opens to the one before; ``"alone"``: only where no comma follows later
    in the segment (a fronted "because" clause belongs to its own sentence); ``"no"``: it does not."""
    inside: bool
    """It links two clauses of one sentence."""
    explicit: int | None
    """Explicit uses in the annotation that the omission rate was counted in."""
    omission: float | None
    """Implicit uses / all uses there; None where there are fewer than 20 uses."""
    sense: str
    """The level-1 sense that holds at least 0.9 of its uses, else ``""``."""
    partners: tuple[str, ...]
    """Forms that announce it earlier ("on the one hand"), removed with it."""
    keep: float | None
    """Share of its uses at the opening of a segment that are used; None where it is no class."""
    keep_inside: float | None
    """Likewise within a sentence."""


def rows_of(name: str) -> Iterator[list[str]]:
    """Return the rows of a tab-separated file of the package's lexicons, comments left out."""
    text = files("labelers").joinpath("lexicons", name).read_text("utf-8")
    lines = [line for line in text.split("\n") if line and not line.startswith("# ")]
    return csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _number(text: str) -> float | None:
    """Return the number of a field, None where it is empty."""
    return float(text) if text else None


@dataclass(frozen=True)
class Lexicon:
    """All forms, as objects and as arrays of the same order."""

    forms: tuple[Form, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each form."""
        return {form.form: number for number, form in enumerate(self.forms)}

    @cached_property
    def words(self) -> dict[str, int]:
        """Number, from 1 on, of every word of a form or of a partner."""
        texts = [text for form in self.forms for text in (form.form, *form.partners)]
        return {word: i for i, word in enumerate(sorted({w for text in texts for w in text.split()}), 1)}

    def trie(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Return (next node [nodes, words], number of the text that ends at each node) for texts made of its words.

        Node 0 is the root and word 0 is every other word, so a zero says that the string goes no further.
        """
        nodes: dict[tuple[str, ...], int] = {(): 0}
        for text in texts:
            words = tuple(text.split())
            for size in range(1, len(words) + 1):
                nodes.setdefault(words[:size], len(nodes))
        step = np.zeros((len(nodes), len(self.words) + 1), np.int16)
        ends = np.full(len(nodes), -1, np.int16)
        for path, node in nodes.items():
            if path:
                step[nodes[path[:-1]], self.words[path[-1]]] = node
        for number, text in enumerate(texts):
            ends[nodes[tuple(text.split())]] = number
        return step, ends

    @cached_property
    def form_trie(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """The trie of the forms, longest match first being its deepest end."""
        return self.trie([form.form for form in self.forms])

    @cached_property
    def longest(self) -> int:
        """Words in the longest form."""
        return max(len(form.form.split()) for form in self.forms)


@cache
def lexicon() -> Lexicon:
    """Return the lexicon of the package.

    Example:
        >>> lexicon().forms[lexicon().index["however"]].sense
        'Comparison'
    """
    header, *rows = rows_of("connectives.tsv")
    forms = [dict(zip(header, row, strict=True)) for row in rows]
    return Lexicon(
        tuple(
            Form(
                form=row["form"],
                rule=row["rule"] == "yes",
                opens=row["opens"],
                inside=row["inside"] == "yes",
                explicit=int(row["explicit"]) if row["explicit"] else None,
                omission=_number(row["omission"]),
                sense=row["sense"],
                partners=tuple(filter(None, row["partners"].split("|"))),
                keep=_number(row["keep"]),
                keep_inside=_number(row["keep_inside"]),
            )
            for row in forms
        )
    )


def _word(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return the number in the lexicon of each type, 0 for the words of no form."""
    words = lexicon().words
    return np.array([words.get(text.lower().replace("’", "'"), 0) for text in texts], np.int16)


@dataclass(frozen=True)
class Matches:
    """C places where the string of a form stands."""

    start: IntArray
    """int64 [C]: global position of the first token."""
    end: IntArray
    """int64 [C]: global position behind the last token."""
    form: IntArray
    """int64 [C]: number of the form in the lexicon."""

    def __len__(self) -> int:
        """Return the number of matches."""
        return len(self.start)

    def take(self, which: IntArray | BoolArray) -> "Matches":
        """Return the given matches."""
        return Matches(self.start[which], self.end[which], self.form[which])


def match(batch: PassageBatch, at: IntArray | None = None) -> Matches:
    """Return where forms stand, the longest at each place and none inside another; with ``at`` only at those places.

    Args:
        batch: P passages.
        at: int64: global positions to look at, each the first token of a possible match; None for all.
    """
    step, ends = lexicon().form_trie
    words = batch.vocabulary.property(_word)
    if at is None:
        at = np.flatnonzero((step[0] > 0)[words][batch.codes])
    form, length = _walk(batch, at, step, ends, words)
    found = np.flatnonzero(form >= 0)
    start, end = at[found], at[found] + length[found]
    free = start >= np.concatenate([[0], np.maximum.accumulate(end)[:-1]]) if len(start) else np.empty(0, bool)
    return Matches(start[free], end[free], form[found][free])


def _walk(
    batch: PassageBatch,
    at: IntArray,
    step: npt.NDArray[np.int16],
    ends: npt.NDArray[np.int16],
    words: npt.NDArray[np.int16],
) -> tuple[IntArray, IntArray]:
    """Return (number of the longest text from each place, -1 for none; its length), never across a segment's end."""
    limit = batch.segment_ends[np.searchsorted(batch.segments, at, side="right") - 1]
    node, alive = np.zeros(len(at), np.int64), np.ones(len(at), bool)
    form, length = np.full(len(at), -1), np.zeros(len(at), np.int64)
    for size in range(1, lexicon().longest + 1):
        place = at + size - 1
        word = np.where(alive & (place < limit), words[batch.codes[np.minimum(place, limit - 1)]], 0)
        node = step[node, word]
        alive = node > 0
        here = alive & (ends[node] >= 0)
        form, length = np.where(here, ends[node], form), np.where(here, size, length)
        if not alive.any():
            break
    return form, length
