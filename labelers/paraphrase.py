"""Paraphrase: names replaced by other names of the same concept; was a token replaced, is the meaning the same?

Watanabe et al. 2019 replace chemical names by synonyms from a dictionary. Here the exchange is symmetric, so that the
form of a word alone does not show whether it was inserted: for each name in a passage a rival is drawn among the
other names of its concept by frequency in the pool, p(rival) / (1 - p(present)); the pair is taken up with probability
min(1, (1 - p(present)) / (1 - p(rival))); and of the pairs taken up a fair coin decides whether the rival replaces the
name. Both directions of a pair are then equally frequent, p(a) p(b) / max(1 - p(a), 1 - p(b)), and so are, for each
form, the mentions replaced by it and those that the coin left alone. Names that were not taken up have no tag.

Some concepts are held out (`labelers.language.holdout`): rows of train exchange none of them, and in validation and
test the pair is labelled for them alone. So no pair of names that was seen in train answers a row of the test.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import class_lists, class_type, nullable
from labelers.declaration import Declaration
from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Avoid, Corpus, Labeler, Proposal, Request, Resource
from labelers.language.dictionary import Concept, general, read_tsv
from labelers.language.exchange import Bundles, Frequencies, blocked, bundles_of, foreign_names
from labelers.language.holdout import held_out
from labelers.language.mentions import Names
from labelers.language.writing import rewrite
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, ranges

__all__ = ["Paraphrase"]

_TAGS, _PAIR = ("O", "R"), ("different", "equivalent")
_O, _R = range(2)
_DIFFERENT, _EQUIVALENT = range(2)


@dataclass(frozen=True)
class Paraphrase(Labeler):
    """Exchanges names of dictionary concepts [130].

    ``hidden`` marks the source tokens that were replaced: the generation task predicts them from the view. The tags
    predict no token, but a copy of what stood there would give them away just as well.

    Example:
        >>> [task.name for task in Paraphrase().declare().tasks]
        ['paraphrase.tags', 'paraphrase.equivalent', 'paraphrase.source']
    """

    dictionary: Resource | None = None
    """A file of concepts: id, name, synonyms divided by ``|`` and, if you like, a type, divided by tabs. Without it and
    without ``wordnet`` the general English of this package is used."""
    wordnet: Resource | None = None
    """The folder of a WordNet database (data.noun, index.noun, noun.exc and so on)."""
    max_concepts: int = 8
    """No more concepts than this are looked at in a passage."""

    version: ClassVar[int] = 3
    paper: ClassVar[str] = "Watanabe et al. 2019 [130]"
    reasons: ClassVar[tuple[str, ...]] = ("no_mention", "held_out", "conflict")
    edits: ClassVar[bool] = True
    needs_pool: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options and read the files: what is wrong is an error now, not in the middle of a build."""
        if self.max_concepts < 1:
            raise ValueError(f"labeler 'paraphrase': max_concepts is {self.max_concepts}; it must be at least 1")
        if self.dictionary or self.wordnet:
            _names(self.dictionary, self.wordnet)

    @property
    def names(self) -> Names:
        """The names of the concepts that it knows."""
        return _names(self.dictionary, self.wordnet)

    def _held_out(self, *, woven: bool) -> BoolArray:
        """Return bool [n]: names of concepts that are held out; none in woven views, where no pair is labelled."""
        held = _held(self.dictionary, self.wordnet)
        return np.zeros_like(held) if woven else held

    def declare(self) -> Declaration:
        """Return which tokens were replaced; is the meaning the same; what did the source say."""
        columns = (
            pa.field("tags", pa.list_(class_type(len(_TAGS)))),
            pa.field("equivalent", pa.int64()),
            pa.field("swap", pa.bool_()),
            pa.field("weight", pa.float32()),
        )
        tags = self.task.token("tags", classes=_TAGS)
        equivalent = self.task.pair("equivalent", classes=_PAIR, swap="swap")
        return Declaration(columns, (tags, equivalent, self.task.generation("source", weight="weight")))

    def propose(self, request: Request) -> Proposal:
        """Find the names of each passage, draw which to exchange, and for half of the rows a wrong concept."""
        batch, corpus, draws, held = request.batch, request.corpus, request.draws, self._held_out(woven=request.joint)
        mentions = self.names.find(batch)
        mentions = mentions.take(self.names.rivals[mentions.name] > 0)
        bundles = bundles_of(batch, self.names, mentions)
        frequencies = corpus.derive(("paraphrase", self), lambda: self._frequencies(corpus))
        rival, taken = self._pairs(draws, bundles, frequencies, request.avoid)
        taken, answers = _on_their_side(bundles, held, taken)
        replaced = taken & (draws.uniform("coin", batch.keys[bundles.row], bundles.place) < _HALF)
        equivalent = np.full(len(batch), -1, np.int8)
        shown = rival
        if not request.joint:
            shown, equivalent = self._wrong(draws, bundles, frequencies, rival, replaced & answers[bundles.row])
        edits = rewrite(bundles, shown, replaced)
        untaken = bundles.mentions.take(~taken[bundles.of])
        return Proposal(
            status=_status(bundles, held, replaced),
            edits=edits,
            hidden=_hidden(batch, edits),
            state={
                "unlabelled": _inside(len(batch.codes), untaken.start, untaken.end),
                "equivalent": equivalent,
                "answers": answers,
            },
        )

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Tag the tokens that stand in the place of others; label the pair by the concept that they name."""
        batch = request.batch
        equivalent = np.where(proposal.labelled, proposal.state["equivalent"], -1).astype(np.int64)
        tags = _tags(view, proposal)
        tags[np.repeat(equivalent == _DIFFERENT, np.diff(view.offsets))] = -1
        columns = {"tags": class_lists(tags, view.offsets, proposal.labelled, classes=len(_TAGS))}
        if not request.joint:
            swap = request.draws.uniform("swap", batch.keys) < _HALF
            weight = (proposal.status == 0) & (equivalent != _DIFFERENT) & proposal.state["answers"]
            columns["equivalent"] = nullable(equivalent, equivalent >= 0)
            columns["swap"] = pa.array(swap & (equivalent >= 0))
            columns["weight"] = pa.array(weight.astype(np.float32))
        return columns

    def _frequencies(self, corpus: Corpus) -> Frequencies:
        """Count the names in the pool."""
        counts = np.zeros(len(self.names), np.int64)
        if corpus.pool is not None:
            counts += np.bincount(self.names.find(corpus.pool).name, minlength=len(counts))
        return Frequencies(self.names, counts, _held(self.dictionary, self.wordnet))

    def _pairs(
        self, draws: Draws, bundles: Bundles, frequencies: Frequencies, avoid: Avoid | None
    ) -> tuple[IntArray, BoolArray]:
        """Draw the rival of each bundle (int64 [B]) and whether the pair is taken up (bool [B])."""
        batch = bundles.batch
        keys = batch.keys[bundles.row]
        rival = frequencies.rival(bundles.name, draws.uniform("rival", keys, bundles.place))
        chance = frequencies.chance(bundles.name, rival)
        taken = draws.uniform("take", keys, bundles.place) < chance
        crowded = np.flatnonzero(np.bincount(bundles.row)[bundles.row] > self.max_concepts)
        order = draws.uniform("order", keys[crowded], bundles.place[crowded])
        taken[crowded] &= _ranks(bundles.row[crowded], order) < self.max_concepts
        taken &= bundles.agree
        if avoid is not None:
            unwanted = self._avoided(batch, avoid)
            taken &= ~unwanted[bundles.name] & ~unwanted[rival]
        return rival, taken & ~blocked(bundles, np.where(taken, rival, -1))

    def _avoided(self, batch: PassageBatch, avoid: Avoid) -> BoolArray:
        """Return bool [n]: names with a word that is a label of another labeler."""
        codes = batch.vocabulary.encode(word for words in self.names.words for word in words)
        owners = np.repeat(np.arange(len(self.names.words)), [len(words) for words in self.names.words])
        return np.bincount(owners[avoid(codes)], minlength=len(self.names.words)) > 0

    def _wrong(
        self, draws: Draws, bundles: Bundles, frequencies: Frequencies, rival: IntArray, replaced: BoolArray
    ) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """Draw the rows that name wrong concepts.

        Returns:
            The name to show for each bundle (int64 [B]), and for each row 1 equivalent, 0 different, -1 where nothing
            was replaced or a name has no match of its type: then the label would show in the words alone.
        """
        batch = bundles.batch
        choice = draws.uniform("foreign", batch.keys[bundles.row], bundles.place)
        foreign = foreign_names(bundles, frequencies, rival, replaced, choice)
        some = np.bincount(bundles.row[replaced], minlength=len(batch)) > 0
        lacks = np.bincount(bundles.row[replaced & (foreign < 0)], minlength=len(batch)) > 0
        wrong = draws.uniform("wrong", batch.keys) < _HALF
        equivalent = np.where(some & ~lacks, np.where(wrong, _DIFFERENT, _EQUIVALENT), -1).astype(np.int8)
        return np.where((equivalent == _DIFFERENT)[bundles.row], foreign, rival), equivalent


_HALF = 0.5


@cache
def _names(dictionary: Resource | None, wordnet: Resource | None) -> Names:
    """Return the names of the concepts of files, of general English where none is given; shared by all labelers."""
    concepts: list[Concept] = []
    if dictionary is not None:
        if "" not in dictionary.files:
            raise ValueError(f"dictionary {dictionary.name} is a folder; give a file of tab-separated lines")
        concepts += read_tsv(dictionary.files[""], dictionary.name)
    if wordnet is not None:
        from labelers.language.wordnet import read_wordnet  # NLTK loads for seconds

        concepts += read_wordnet(wordnet.files)
    return Names(concepts if dictionary or wordnet else general())


@cache
def _held(dictionary: Resource | None, wordnet: Resource | None) -> BoolArray:
    """Return bool [n]: names of concepts that are held out."""
    return held_out(_names(dictionary, wordnet))


def _on_their_side(bundles: Bundles, held: BoolArray, taken: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Leave out the bundles that the split of their row does not exchange.

    Train exchanges no held-out concept. The other splits exchange the held-out concepts, and where none of these is
    taken up the others, for the tags alone. Where nothing is held out, all is exchanged everywhere.

    Args:
        bundles: B bundles of P passages.
        held: bool [n]: names of concepts that are held out.
        taken: bool [B]: bundles whose pair is taken up.

    Returns:
        Bool [B]: those of them that stay; bool [P]: rows whose exchanges may be asked for.
    """
    later, own = bundles.batch.splits > 0, held[bundles.name]
    if not held.any():
        return taken, np.ones(len(later), bool)
    some = np.bincount(bundles.row[taken & own], minlength=len(later)) > 0
    stays = taken & (own == (later & some)[bundles.row])
    return stays, ~later | some


def _status(bundles: Bundles, held: BoolArray, replaced: BoolArray) -> npt.NDArray[np.int8]:
    """Return int8 [P]: 0 for rows with an edit, 1 for others with a name.

    Rows without a name have 2, and rows of train all of whose names are held out have 3.
    """
    rows = len(bundles.batch)
    usable = ~held[bundles.name] | (bundles.batch.splits > 0)[bundles.row]
    named, usable, edited = (
        np.bincount(bundles.row[which], minlength=rows) > 0 for which in (slice(None), usable, replaced)
    )
    return np.select([edited, usable, named], [0, 1, 3], 2).astype(np.int8)


def _inside(n: int, start: IntArray, end: IntArray) -> BoolArray:
    """Return bool [n]: positions in the spans [start, end), of which none overlaps another."""
    inside = np.zeros(n, bool)
    inside[ranges(start, end - start)] = True
    return inside


def _hidden(batch: PassageBatch, edits: Edits) -> BoolArray:
    """Return bool [N]: source tokens that an edit replaces and does not write again."""
    hidden = _inside(len(batch.codes), edits.start, edits.end)
    hidden[edits.origin[edits.origin >= 0]] = False
    return hidden


def _tags(view: View, proposal: Proposal) -> npt.NDArray[np.int8]:
    """Return int8 [M]: R where an own edit put a token, O elsewhere, -1 in a name that was not taken up.

    A name whose edit was lost to another labeler has none either: the coin had fallen for R.
    """
    own = np.flatnonzero(view.edit >= 0)
    made = np.zeros(len(proposal.edits), bool)
    made[view.edit[own]] = True
    lost = proposal.edits.take(~made)
    # the last place is that of tokens without an origin
    unlabelled = np.append(proposal.state["unlabelled"], False)
    unlabelled[ranges(lost.start, lost.end - lost.start)] = True
    tags = np.where(unlabelled.take(view.origin), np.int8(-1), np.int8(_O))
    tags[own] = np.where(view.origin[own] < 0, _R, _O)
    return tags


def _ranks(rows: IntArray, draws: FloatArray) -> IntArray:
    """Return the place of each draw in its row, the smallest first; rows are sorted."""
    order = np.lexsort((draws, rows))
    ranks = np.empty(len(rows), np.int64)
    first = np.searchsorted(rows, rows)  # [B]: where each row begins
    ranks[order] = np.arange(len(rows)) - first
    return ranks
