"""The closed lexicon of connective forms.

The forms, what is known of each, and the sources of it stand in ``lexicons/connectives.tsv``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from labelers.language.tables import lexicon_rows
from labelers.language.trie import Trie
from labelers.ragged import BoolArray, FloatArray, IntArray

__all__ = [
    "BLOCKED",
    "FRAMES",
    "ConnectiveForm",
    "Lexicon",
    "forms_among",
    "lexicon",
    "unmarked_rates",
]

BLOCKED = -2
"""Stands for the form of a match that a partner rules out."""

FRAMES = ("commas", "end", "last", "subject", "modal", "auxiliary", "object")
"""Where an adverb stands inside its segment: between two commas ("She, however, stayed."), behind a comma at the end of
its clause ("She stayed, however."), there without one ("She stayed instead."), between subject and verb ("She also
stayed."), behind a modal ("She would also stay."), another auxiliary ("She had also stayed.") or another verb ("She saw
also that he stayed.")."""


@dataclass(frozen=True)
class ConnectiveForm:
    """One connective form: a row of the lexicon."""

    form: str
    """Its words in lower case, divided by spaces."""
    spellings: str
    """Other spellings of it, divided by ``|``."""
    rule: str
    """The classes of tokens (``word_classes.tsv``), divided by ``|``, before which it is a connective wherever it opens
    a segment: ``comma`` ("In fact,"), ``subject`` ("For he"); ``""``: none."""
    opens: str
    """``"yes"``: it links the segment that it opens to the one before; ``"alone"``: only where no comma follows later
    in the segment, as a fronted "because" clause belongs to its own sentence; ``"comma"``: only with one at once
    ("Next,", not "Next day"); ``"bare"``: only without one ("Finally he left", as the comma tells the last of a list);
    ``""``: it does not."""
    inside: str
    """``"free"``: it links two clauses of a sentence wherever it stands between them; ``"mark"``: behind a comma, a
    semicolon or a dash, or before a pronoun, only; ``"comma"``: behind one of these only; ``"bare"``: only without one
    (", when" goes on with a noun or the story); ``""``: it does not."""
    medial: str
    """In which of `FRAMES` it links its segment to the one before from inside, divided by spaces; behind ``subject?``
    the context model must agree."""
    asks: str
    """What its arguments must be (`labelers.language.asks.ASKS`), divided by spaces."""
    omission: float
    """Implicit uses / all uses; nan where it was seen fewer than 20 times."""
    sense: str
    """The level-1 sense that holds at least 0.9 of its uses, else ``""``."""
    partners: str
    """What announces it in the first argument, divided by ``|``. ``either`` goes with it; ``if=if`` goes with it and
    makes it another form; ``when=!`` rules it out."""
    keep: float
    """The share of its uses at the opening of a segment that is used; nan where it is no class."""
    keep_dialogue: float
    """Likewise in dialogues."""
    keep_inside: float
    """Likewise within a sentence."""

    def spelt(self) -> tuple[str, ...]:
        """Return all its spellings."""
        return (self.form, *filter(None, self.spellings.split("|")))

    def announced(self) -> Iterator[tuple[str, str]]:
        """Return (partner, form that the two make or ``"!"``) for each partner."""
        for text in filter(None, self.partners.split("|")):
            partner, _, becomes = text.partition("=")
            yield partner, becomes or self.form


@dataclass(frozen=True)
class Lexicon:
    """All forms, as objects and as arrays in the same order."""

    forms: tuple[ConnectiveForm, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each form."""
        return {form.form: number for number, form in enumerate(self.forms)}

    @cached_property
    def words(self) -> dict[str, int]:
        """Number of every word of a form or of a partner."""
        texts = [text for form in self.forms for text in form.spelt()] + self.partners
        return {word: i for i, word in enumerate(sorted({w for text in texts for w in text.split()}))}

    @cached_property
    def partners(self) -> list[str]:
        """The distinct partners."""
        return sorted({partner for form in self.forms for partner, _ in form.announced()})

    @cached_property
    def paired(self) -> npt.NDArray[np.int64]:
        """Int64 [forms, partners]: the form that the two make, BLOCKED, or -1 where they are no pair."""
        table = np.full((len(self.forms), len(self.partners)), -1)
        for number, form in enumerate(self.forms):
            for partner, becomes in form.announced():
                made = BLOCKED if becomes == "!" else self.index[becomes]
                table[number, self.partners.index(partner)] = made
        return table

    @cached_property
    def opens(self) -> BoolArray:
        """Bool [forms]: links the segment that it opens to the one before."""
        return np.array([form.opens != "" for form in self.forms])

    @cached_property
    def alone(self) -> BoolArray:
        """Bool [forms]: links its segment to the one before only where no comma follows."""
        return np.array([form.opens == "alone" for form in self.forms])

    @cached_property
    def marked(self) -> BoolArray:
        """Bool [forms]: links its segment to the one before only where a comma follows at once."""
        return np.array([form.opens == "comma" for form in self.forms])

    @cached_property
    def bare(self) -> BoolArray:
        """Bool [forms]: links its segment to the one before only where no comma follows at once."""
        return np.array([form.opens == "bare" for form in self.forms])

    @cached_property
    def parting(self) -> Mapping[str, BoolArray]:
        """For each value of `ConnectiveForm.inside` bool [forms]: which have it."""
        return {
            name: np.array([form.inside == name for form in self.forms]) for name in ("free", "mark", "comma", "bare")
        }

    @cached_property
    def medial(self) -> npt.NDArray[np.int64]:
        """Int64 [forms]: a bit for each of its `FRAMES`."""
        return self._frames(lambda frame: frame.rstrip("?"))

    @cached_property
    def trusted(self) -> npt.NDArray[np.int64]:
        """Int64 [forms]: a bit for each of its `FRAMES` that needs no more than itself."""
        return self._frames(lambda frame: frame)

    def _frames(self, name: Callable[[str], str]) -> npt.NDArray[np.int64]:
        """Return for each form the bits of the frames whose name is one."""
        listed = [{name(frame) for frame in form.medial.split()} for form in self.forms]
        return np.array([sum(1 << bit for bit, frame in enumerate(FRAMES) if frame in own) for own in listed])

    @cached_property
    def medial_openers(self) -> tuple[BoolArray, BoolArray]:
        """Bool [words + 1] twice: opens a form with frames, and one with frames that ask for no comma before it.

        The last place is that of word -1, which stands for all others.
        """
        opens = np.zeros((2, len(self.words) + 1), bool)
        for form in filter(lambda known: known.medial, self.forms):
            for text in form.spelt():
                opens[:, self.words[text.split()[0]]] |= True, not {"commas", "end"}.issuperset(form.medial.split())
        return opens[0], opens[1]

    @cached_property
    def inside_openers(self) -> BoolArray:
        """Bool [words + 1]: opens a form that is a class within a sentence; the last place is that of word -1."""
        opens = np.zeros(len(self.words) + 1, bool)
        for form in filter(lambda known: known.inside, self.forms):
            opens[[self.words[text.split()[0]] for text in form.spelt()]] = True
        return opens

    @cached_property
    def omission(self) -> FloatArray:
        """Float64 [forms]: omission rates, nan where unknown."""
        return np.array([form.omission for form in self.forms])

    @cached_property
    def keep(self) -> FloatArray:
        """Float64 [forms]: share used at the opening of a segment, nan where it is no class there."""
        return np.array([form.keep for form in self.forms])

    @cached_property
    def keep_dialogue(self) -> FloatArray:
        """Float64 [forms]: share used at the opening of a segment of a dialogue."""
        return np.array([form.keep_dialogue for form in self.forms])

    @cached_property
    def keep_inside(self) -> FloatArray:
        """Float64 [forms]: share used within a sentence, nan where it is no class there."""
        return np.array([form.keep_inside for form in self.forms])

    def usable(self, min_omission_rate: float) -> BoolArray:
        """Return which forms are omitted at least so often; an unknown rate counts as 0."""
        return np.nan_to_num(self.omission) >= min_omission_rate

    @cached_property
    def form_trie(self) -> Trie:
        """The trie of the forms."""
        return self._trie({text: number for number, form in enumerate(self.forms) for text in form.spelt()})

    @cached_property
    def partner_trie(self) -> Trie:
        """The trie of the partners."""
        return self._trie({text: number for number, text in enumerate(self.partners)})

    def _trie(self, texts: Mapping[str, int]) -> Trie:
        """Return the trie of numbered texts."""
        return Trie(((i, [self.words[word] for word in text.split()]) for text, i in texts.items()), len(self.words))


@cache
def lexicon() -> Lexicon:
    """Return the lexicon of the package.

    Example:
        >>> lexicon().forms[lexicon().index["however"]].sense
        'Comparison'
    """
    header, *rows = lexicon_rows("connectives.tsv")
    numbers = {"omission", "keep", "keep_dialogue", "keep_inside"}
    return Lexicon(
        tuple(
            ConnectiveForm(**{k: float(v or "nan") if k in numbers else v for k, v in zip(header, row, strict=True)})  # type: ignore[arg-type]
            for row in rows
        )
    )


@cache
def forms_among(*names: str) -> BoolArray:
    """Return bool [forms]: which forms are those."""
    return np.array([form.form in names for form in lexicon().forms])


@cache
def _pair_factors() -> Mapping[str, tuple[IntArray, FloatArray]]:
    """Return (least values of the buckets, factor of each) by what is counted."""
    read: dict[str, list[tuple[int, float]]] = {}
    for name, least, factor in list(lexicon_rows("connective_pairs.tsv"))[1:]:
        read.setdefault(name, []).append((int(least), float(factor)))
    return {name: (np.array([v for v, _ in rows]), np.array([f for _, f in rows])) for name, rows in read.items()}


def unmarked_rates(**counts: IntArray) -> FloatArray:
    """Return the share of adjacent segments without a connective that is kept, float64 in [0, 1].

    It is a product of one factor per count (``connective_pairs.tsv``), made so that the pairs kept are as long, as
    often quoted and as often in dialogues as those with a connective.

    Args:
        counts: int or bool [C] each: what the table has factors for.
    """
    rate = np.ones(len(next(iter(counts.values()))))
    for name, (least, factors) in _pair_factors().items():
        rate *= factors[np.searchsorted(least, counts[name], side="right") - 1]
    return np.minimum(rate, 1.0)
