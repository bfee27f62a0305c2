"""Words that could have come next: n-grams of other documents, found by the word that they stand behind."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from itertools import repeat
from typing import Self

import numpy as np
import numpy.typing as npt

from labelers.draws import Draws
from labelers.labeler import Avoid
from labelers.language.material import Material
from labelers.language.ngrams import casefold
from labelers.language.repair_profile import UNLISTED, word_class
from labelers.language.shapes import listed_words
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, running_total

__all__ = ["MARK", "NOTHING", "OPENING", "Continuations", "UnitWords", "Wanted", "class_number"]

OPENING, MARK, NOTHING = -1, -2, -3
"""What stands before a unit where no word does: the beginning of its segment, or a mark; and no type at all."""

_LEAST = 1e-9  # weight of what never opens an n-gram
TRIES = 8
"""Places of the pool that are looked at for each n-gram."""


@dataclass(frozen=True)
class UnitWords:
    """The U units of a text as written words: "it's" is one, however many tokens it has."""

    text: Material
    types: IntArray
    """int64 [U]: code of each in small letters."""

    @classmethod
    def of(cls, text: Material) -> Self:
        """Find the written words of a text."""
        ngrams, batch = text.ngrams, text.batch
        types = text.keys(ngrams.start)
        several = np.flatnonzero(ngrams.end - ngrams.start > 1)
        texts, codes = batch.vocabulary.texts, batch.codes
        spans = zip(ngrams.start[several].tolist(), ngrams.end[several].tolist(), strict=True)
        joined = batch.vocabulary.encode("".join(texts[code] for code in codes[a:b].tolist()) for a, b in spans)
        types[several] = batch.vocabulary.derived(casefold).take(joined)
        return cls(text, types)

    @cached_property
    def joined(self) -> BoolArray:
        """Bool [U]: it stands directly behind the unit before it, in one segment."""
        ngrams = self.text.ngrams
        joined = np.zeros(len(ngrams.start), bool)
        joined[1:] = (ngrams.end[:-1] == ngrams.start[1:]) & ~ngrams.first.take(ngrams.start[1:])
        return joined

    @cached_property
    def before(self) -> IntArray:
        """int64 [U]: type of the unit that each stands directly behind, else `OPENING` or `MARK`."""
        opens = self.text.ngrams.opens.take(self.text.ngrams.start)
        earlier = np.concatenate([[MARK], self.types[:-1]])[: len(self.types)]
        return np.where(self.joined, earlier, np.where(opens, OPENING, MARK))

    @cached_property
    def run(self) -> IntArray:
        """int64 [U]: units from each on of which every one stands directly behind another; 1 or more."""
        bars = np.append(np.flatnonzero(~self.joined), len(self.joined))
        units = np.arange(len(self.joined))
        run: IntArray = bars[np.searchsorted(bars, units, side="right")] - units
        return run

    @cached_property
    def ordinal(self) -> IntArray:
        """int64 [U]: words of its segment before each."""
        words, start = running_total(self.text.ngrams.word), self.text.ngrams.start
        batch = self.text.batch
        ordinal: IntArray = words[start] - words[batch.segments[batch.token_segments[start]]]
        return ordinal

    def classes(self, types: IntArray) -> IntArray:
        """Return the number of each type's class; what is negative stays."""
        numbers = self.text.batch.vocabulary.property(class_number).take(types)
        return np.where(types < 0, types, numbers)


@cache
def _numbers() -> dict[str, int]:
    """Return the number of each class of written words."""
    names = sorted({*listed_words().values(), *UNLISTED})
    return {name: number for number, name in enumerate([*names, *(f"{name}'" for name in names)])}


def class_number(texts: Sequence[str]) -> IntArray:
    """Return the number of the class of each type, see `labelers.language.repair_profile.word_class`."""
    return np.fromiter(map(_numbers().__getitem__, map(word_class, texts)), np.int64, len(texts))


@dataclass(frozen=True)
class Wanted:
    """E n-grams that are asked for."""

    rows: IntArray
    """int64 [E]: row of the batch that each is for."""
    behind: IntArray
    """int64 [E]: type that each shall stand behind, or `OPENING` or `MARK`."""
    instead: IntArray
    """int64 [E]: type of the word in whose place its first one comes, which is another one."""
    resumed: IntArray
    """int64 [E]: type of the word that stands behind it in the text; its last one is another one."""
    size: IntArray
    """int64 [E]: units."""
    alike: BoolArray
    """bool [E]: its first word is of the class of the word in whose place it comes."""
    weigh: BoolArray
    """bool [E]: words before which speakers begin anew are likelier to open it."""
    index: IntArray
    """int64 [E]: number of each in its row, for draws."""

    def take(self, which: IntArray) -> Self:
        """Return some of them."""
        return type(self)(*(getattr(self, item.name)[which] for item in fields(self)))


@dataclass(frozen=True, eq=False)
class Continuations:
    """The fluent units of a pool, found by what stands before them."""

    words: UnitWords
    weights: FloatArray
    """float64 [U]: how readily each opens an n-gram."""

    @cached_property
    def _units(self) -> tuple[IntArray, IntArray, IntArray]:
        """Units by what stands before them, by its class, and by their own class."""
        words, units = self.words, self.words.text.fluent
        keys = (words.before, words.classes(words.before), words.classes(words.types))
        by = [units[np.argsort(key[units], kind="stable")] for key in keys]
        return by[0], by[1], by[2]

    @cached_property
    def _keys(self) -> tuple[IntArray, IntArray, IntArray]:
        """The keys of `_units`, sorted."""
        words, (first, second, third) = self.words, self._units
        return words.before[first], words.classes(words.before)[second], words.classes(words.types)[third]

    def draw(self, batch: PassageBatch, draws: Draws, wanted: Wanted, avoid: Avoid | None) -> tuple[IntArray, IntArray]:
        """Draw an n-gram for each that is asked for.

        It stands behind the same word as the place, else behind a word of the same class; where one word is to stand
        for another of its class, it may stand anywhere. It holds no form that may not be inserted (``avoid``).

        Returns:
            Its units [first, last] in the pool, -1 where none of those looked at fits.
        """
        words = self.words
        chosen = np.full(len(wanted.rows), -1)
        alike = np.where(wanted.alike, words.classes(wanted.instead), NOTHING)
        own = np.fromiter(map(words.text.documents[0].get, batch.documents, repeat(-1)), np.int64, len(batch))
        avoided = None if avoid is None else running_total(avoid(words.text.batch.codes))
        for number, keys in enumerate((wanted.behind, words.classes(wanted.behind), alike)):
            todo = np.flatnonzero((chosen < 0) & (keys != NOTHING))
            if len(todo):
                some = wanted.take(todo)
                address = (some.index[:, None] * 4 + number) * TRIES + np.arange(TRIES)
                units = self._looked_at(number, keys[todo], draws, batch.keys[some.rows, None], address)
                fits = (units >= 0) & self._fits(some, own[some.rows, None], units, avoided)
                weights = np.where(some.weigh[:, None], self.weights.take(units), 1.0)
                drawn = draws.uniform("weigh", batch.keys[some.rows, None], address)
                score = np.where(fits, -np.log1p(-drawn) / np.maximum(weights, _LEAST), np.inf)
                best = np.argmin(score, axis=1)[:, None]
                found = np.take_along_axis(np.where(fits, units, -1), best, axis=1)
                chosen[todo] = found[:, 0]
        last = chosen + np.minimum(wanted.size, words.run.take(chosen, mode="clip")) - 1
        return chosen, np.where(chosen < 0, -1, last)

    def _looked_at(
        self, number: int, keys: IntArray, draws: Draws, rows: npt.NDArray[np.uint64], address: IntArray
    ) -> IntArray:
        """Return a few units under each key, -1 where there is none: int64 [E, TRIES]."""
        first = np.searchsorted(self._keys[number], keys)[:, None]
        count = np.searchsorted(self._keys[number], keys, side="right")[:, None] - first
        places = first + draws.integers("continuation", rows, count, address)
        return np.where(count > 0, self._units[number].take(places, mode="clip"), -1)

    def _fits(self, wanted: Wanted, own: IntArray, units: IntArray, avoided: IntArray | None) -> BoolArray:
        """Return bool [E, TRIES]: n-grams of other documents that say something else than the text."""
        words, pool = self.words, self.words.text
        size = np.minimum(wanted.size[:, None], words.run.take(units))
        head, tail = words.types.take(units), words.types.take(units + size - 1)
        instead = wanted.instead[:, None]
        fits = (head != instead) & (tail != wanted.resumed[:, None]) & (head != wanted.behind[:, None])
        fits &= (words.classes(head) == words.classes(instead)) | ~wanted.alike[:, None]
        start, end = pool.ngrams.start.take(units), pool.ngrams.end.take(units + size - 1)
        fits &= own != pool.documents[1][pool.batch.rows.take(start)]
        if avoided is not None:
            fits &= avoided[start] == avoided[end]
        result: BoolArray = fits
        return result
