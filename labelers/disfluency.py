"""Injected disfluencies (S. Wang et al. 2020): n-grams repeated or inserted at random, or deleted.

Which tokens were added is a tagging task; which of two versions of a segment is the corrupted one, and how, is a task
over pairs. See ``docs/labels/disfluency.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import SPAN, class_lists, class_type, nullable
from labelers.declaration import Declaration
from labelers.draws import Draws
from labelers.edits import Edits, View
from labelers.labeler import Labeler, Proposal, Request, Resource
from labelers.language.additions import Spoken, merged
from labelers.language.casing import Case
from labelers.language.continuations import Continuations, UnitWords
from labelers.language.donors import Donors
from labelers.language.filling import Filling
from labelers.language.material import Material
from labelers.language.repair_profile import KINDS, SHIPPED, RepairProfile, read_profile, shipped_profile
from labelers.language.repairs import Corruptor, Profile
from labelers.language.speaking import Speaker
from labelers.language.spoken_words import Writing, tables_of
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, FloatArray, IntArray, ranges, running_total
from labelers.segments import pick_segments, segment_spans

__all__ = ["Disfluency"]

_PAIR = ("add_0", "add_1", "del_0", "del_1")
_REPAIR = 3  # the tag R
_CLEAN, _TOO_SHORT, _DISFLUENT, _NO_PLACE = 1, 2, 3, 4  # status; 0 where there is an edit

PROFILES = {
    # S. Wang et al. 2020, section 3.1: both kinds alike; a third of the insertions drawn find no place
    "uniform": Profile(kinds=(0.25, 0.0, 0.75)),
    # 3,596 repairs in the held-out and test sections of Switchboard: shares of kinds (exact repetition, substitution,
    # deletion), of reparandum lengths, of repairs per utterance with one or more, and of starts at word 0 or 1
    "conversational": Profile(
        kinds=(0.537, 0.412, 0.051),
        lengths=(0.662, 0.212, 0.071, 0.031, 0.012, 0.012),
        counts=(0.756, 0.167, 0.077),
        opening=0.382,
    ),
}
"""What ``profile`` may be, beside a profile of repairs."""

_MOST_FILLERS = 5
_INTERREGNUM = 0.18  # of the repairs counted for the conversational profile


@dataclass(frozen=True)
class Disfluency(Labeler):
    """Segments with repeated, inserted or deleted n-grams.

    Options:
        profile: ``"uniform"`` draws kinds, lengths and places as the paper does, ``"conversational"`` as they are
            distributed in telephone speech, with substitutions and editing phrases ("uh", "I mean"). A profile of
            repairs, ``"switchboard"`` or a file that ``auxloom profile disfluency`` wrote, draws all as speakers do,
            word by word.
        rate: share of the segments that additions corrupt; with a profile of repairs longer ones more often.
        min_words: shorter segments are left alone.
        max_places: places of a corrupted segment, at most.
        max_ngram: tokens of an n-gram, at most; with a profile of repairs words of a reparandum.
        interregnum: share of additions that an editing phrase follows; None: 0.18 for ``"conversational"``, none for
            ``"uniform"``, what a profile of repairs says. The uniform profile never has them.
        deletions: some rows lose words, for the task of pairs; their tags are all -1.

    Options of profiles of repairs alone; None is what the profile says:
        kinds: weights of repeats, words cut off, substitutions and restarts.
        comma: share of reparanda, and of editing phrases, that a comma stands behind.
        cue: share of substitutions and restarts behind which a phrase says that they are wrong ("no, wait").
        fillers: words that fill a pause ("uh", "you know") and stand behind no reparandum, tagged I: how many times as
            often as in the profile, 0 for none; fewer where ``rate`` is below that of the profile.
        repair: tag the words that take up what was said, R.
    """

    profile: str | Resource = "uniform"
    rate: float = 0.5
    min_words: int = 6
    max_places: int = 3
    max_ngram: int = 6
    interregnum: float | None = None
    deletions: bool = True
    kinds: tuple[float, ...] | None = None
    comma: float | None = None
    cue: float = 0.0
    fillers: float = 1.0
    repair: bool = False

    version: ClassVar[int] = 3
    paper: ClassVar[str] = "S. Wang et al. 2020 [125]"
    reasons: ClassVar[tuple[str, ...]] = ("too_short", "already_disfluent", "no_place", "conflict")
    edits: ClassVar[bool] = True
    needs_pool: ClassVar[bool] = True

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"profile": (*PROFILES, *SHIPPED)}

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        known = self.named["profile"]
        if isinstance(self.profile, str) and self.profile not in known:
            hint = "or give a file that `auxloom profile disfluency` wrote"
            raise ValueError(f"labeler 'disfluency': no profile {self.profile!r}; there are {', '.join(known)}; {hint}")
        for option in ("rate", "interregnum", "comma", "cue"):
            value = getattr(self, option)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"labeler 'disfluency': {option} is {value!r}; it must lie between 0 and 1")
        for option, least in (("min_words", 4), ("max_places", 1), ("max_ngram", 1)):
            value = getattr(self, option)
            if value < least:
                raise ValueError(f"labeler 'disfluency': {option} is {value!r}; it must be {least} or more")
        if not 0 <= self.fillers <= _MOST_FILLERS:
            raise ValueError(
                f"labeler 'disfluency': fillers is {self.fillers!r}; it must lie between 0 and {_MOST_FILLERS}"
            )
        if self.kinds is not None and (len(self.kinds) != len(KINDS) or min(self.kinds) < 0 or not sum(self.kinds)):
            raise ValueError(
                f"labeler 'disfluency': kinds is {list(self.kinds)}; give a weight for each of {', '.join(KINDS)}"
            )
        self._check_profile()

    def _check_profile(self) -> None:
        """Read a profile of repairs; refuse options that the others do not have."""
        if self.speaks:
            read_profile(self.profile)
            return
        for option, none in (("kinds", None), ("comma", None), ("cue", 0.0), ("fillers", 1.0), ("repair", False)):
            if getattr(self, option) != none:
                raise ValueError(
                    f"labeler 'disfluency': {option} is an option of profiles of repairs, and profile is "
                    f"{self.profile!r}; set profile to {' or '.join(SHIPPED)}, or to a file that `auxloom profile "
                    "disfluency` wrote"
                )

    def included(self) -> Mapping[str, Resource]:
        """Return the profile of repairs, if it is one of the package."""
        return {"profile": shipped_profile(self.profile)} if self.profile in SHIPPED else {}

    @property
    def speaks(self) -> bool:
        """It has a profile of repairs."""
        return not isinstance(self.profile, str) or self.profile in SHIPPED

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the tags: fluent, disfluent and, where there are some, interregnum and repair."""
        if self.speaks:
            return ("O", "D", "I", "R") if self.repair else ("O", "D", "I")
        return ("O", "D", "I") if self.profile == "conversational" else ("O", "D")

    def declare(self) -> Declaration:
        """Return the tags, and the pair with its order and its two spans."""
        columns = (
            pa.field("tags", pa.list_(class_type(len(self.classes)))),
            pa.field("pair", pa.int64()),
            pa.field("swap", pa.bool_()),
            pa.field("pair_source", SPAN),
            pa.field("pair_view", SPAN),
        )
        tags = self.task.token("tags", classes=self.classes)
        pair = self.task.pair("pair", classes=_PAIR, swap="swap", spans=("pair_source", "pair_view"), level="segment")
        return Declaration(columns, (tags, pair))

    def propose(self, request: Request) -> Proposal:
        """Choose the segments to corrupt, and how; a woven view gets additions alone."""
        batch, draws = request.batch, request.draws
        corruptor = self._corruptor(request)
        able, disfluent, words, status = self._survey(corruptor.text)
        rows = batch.segment_rows
        count = np.bincount(rows[able], minlength=len(batch))
        deleting = np.zeros(len(batch), bool)
        if not request.joint and self.deletions:
            deleting = draws.uniform("deletion", batch.keys) < self._deletion_share(count)
        target = pick_segments(able & deleting[rows], batch, draws, "target")
        added = self._additions(request, corruptor, able & ~deleting[rows])
        target = target[target >= 0]
        deletions = corruptor.delete(target, words[target])
        removed = Spoken(deletions, np.zeros(len(deletions.codes), np.int8), deletions.start)
        made = merged([added, removed])
        status[made.edits.rows] = 0
        untagged = disfluent | deleting[rows]
        state = {"tags": made.tags, "untagged": untagged, "deleting": deleting, "taken_up": made.taken_up}
        return Proposal(status, made.edits, state=state)

    def _additions(self, request: Request, corruptor: Corruptor, able: BoolArray) -> Spoken:
        """Return additions to some of the segments that are able to have them."""
        if self.speaks:
            return self._speech(request, corruptor, np.flatnonzero(able))
        batch = request.batch
        rows = batch.segment_rows
        number = np.arange(len(rows)) - batch.segment_offsets[rows]
        some = able & (request.draws.uniform("corrupt", batch.keys[rows], number) < self.rate)
        edits, tags = corruptor.add(np.flatnonzero(some))
        return Spoken(edits, tags, edits.start)

    def _speech(self, request: Request, corruptor: Corruptor, segments: IntArray) -> Spoken:
        """Return repairs in some of the segments, and fillers in all."""
        speaker = self._speaker(request, corruptor)
        repairs = speaker.add(speaker.chosen(segments, self.rate))
        profile = speaker.profile
        if profile.fillers is None or not self.fillers:
            return repairs
        often = self.fillers * min(1.0, self.rate / (profile.rate or 1.0))
        filling = Filling(speaker.words, request.draws, profile.fillers, speaker.writing, often, request.avoid)
        return merged([repairs, filling.add(segments, repairs.edits.start)])

    def _speaker(self, request: Request, corruptor: Corruptor) -> Speaker:
        """Return what makes the repairs of a batch."""
        corpus, profile, donors = request.corpus, self._repairs(), corruptor.donors
        pool = None
        if donors is not None:
            pool = corpus.derive(("disfluency.continuations", self), lambda: _continuations(donors.pool, profile))
        return Speaker(
            words=UnitWords.of(corruptor.text),
            pool=pool,
            draws=request.draws,
            profile=profile,
            writing=corpus.derive("disfluency.writing", lambda: Writing.of(corpus.pool)),
            longest=self.max_ngram,
            most=self.max_places,
            cue=self.cue,
            avoid=request.avoid,
        )

    def _repairs(self) -> RepairProfile:
        """Return the profile of repairs, with what the options say instead."""
        profile = read_profile(self.profile).weighted(self.kinds)
        return profile.replaced(comma=self.comma, interregnum=self.interregnum)

    def _corruptor(self, request: Request) -> Corruptor:
        """Return what makes the edits of a batch."""
        batch, corpus, draws = request.batch, request.corpus, request.draws
        case = corpus.derive("disfluency.case", lambda: Case.of(corpus.pool))
        text, donors, source = Material.of(batch, case, self.max_ngram), None, corpus.pool
        if source is not None:
            pool = corpus.derive(("disfluency.pool", self.max_ngram), lambda: Material.of(source, case, self.max_ngram))
            if len(pool.fluent):
                donors = Donors(text, pool, draws, self.max_ngram, request.avoid)
        return Corruptor(
            text=text,
            donors=donors,
            draws=draws,
            profile=PROFILES["uniform" if self.profile == "uniform" else "conversational"],
            max_places=self.max_places,
            max_ngram=self.max_ngram,
            interregnum=self._interregnum,
            avoid=request.avoid,
        )

    @property
    def _interregnum(self) -> float:
        """Share of additions that an editing phrase follows, of the profiles that are no profiles of repairs."""
        if self.profile != "conversational":
            return 0.0
        return _INTERREGNUM if self.interregnum is None else self.interregnum

    def _survey(self, text: Material) -> tuple[BoolArray, BoolArray, IntArray, npt.NDArray[np.int8]]:
        """Return per segment (able to be corrupted, disfluent already, number of words), and the status of each row."""
        batch = text.batch
        words = text.length
        long = words >= self.min_words
        disfluent = text.disfluent
        place = text.settled.some & text.removable.some & ~text.shouted
        able = long & ~disfluent & place
        status = np.full(len(batch), _TOO_SHORT, np.int8)
        # the later mark wins: a row is as good as its best segment
        for marked, value in ((long & disfluent, _DISFLUENT), (long & ~disfluent, _NO_PLACE), (able, _CLEAN)):
            status[batch.segment_rows[marked]] = value
        return able, disfluent, words, status

    def _deletion_share(self, segments: IntArray) -> FloatArray:
        """Return the probability that a row with that many segments to choose from loses words instead of getting some.

        It makes additions and deletions equally frequent among pairs: an addition row yields a pair only where at
        least one segment is drawn.
        """
        some = 1 - (1 - self.rate) ** segments
        share: FloatArray = some / (1 + some)
        return share

    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Return the tags of the tokens that stand in the view and, unless woven, the pair."""
        batch = request.batch
        edits, state = proposal.edits, proposal.state
        own = np.flatnonzero(view.edit >= 0)
        edit = view.edit[own]
        # an edit's tokens stand together in the view: their ranks count from the first of them
        opens = np.append(True, edit[1:] != edit[:-1])[: len(edit)]
        rank = np.arange(len(own)) - np.maximum.accumulate(np.where(opens, np.arange(len(own)), 0))
        segments = _view_segments(batch, view, edits)
        tags = np.zeros(len(view.codes), np.int8)
        tags[own] = state["tags"][edits.write_offsets[edit] + rank]
        if self.repair:
            _tag_repairs(tags, view, edits.take(np.unique(edit)), state["taken_up"][np.unique(edit)])
        if len(segments):
            np.putmask(tags, state["untagged"].take(segments), -1)
        columns = {"tags": class_lists(tags, view.offsets, proposal.labelled, classes=len(self.classes))}
        return columns if request.joint else columns | self._pair(batch, request.draws, proposal, segments)

    def _pair(self, batch: PassageBatch, draws: Draws, proposal: Proposal, segments: IntArray) -> dict[str, pa.Array]:
        """Return the columns of the pair task: one corrupted segment per row, in the source and in the view."""
        corrupted = np.zeros(len(batch.segments), bool)
        corrupted[batch.token_segments[proposal.edits.start]] = True
        chosen = pick_segments(corrupted, batch, draws, "pair")
        some = chosen >= 0
        swap = some & (draws.bits("swap", batch.keys) >> np.uint64(63) > 0)
        pair = 2 * proposal.state["deleting"] + ~swap  # the view, first if swapped, is the corrupted side
        in_view = running_total(np.bincount(segments, minlength=len(batch.segments)))
        in_source = np.append(batch.segments, len(batch.codes))
        return {
            "pair": nullable(pair.astype(np.int64), some),
            "swap": pa.array(swap),
            "pair_source": segment_spans(batch, in_source, chosen),
            "pair_view": segment_spans(batch, in_view, chosen),
        }


def _continuations(pool: Material, profile: RepairProfile) -> Continuations:
    """Return what of a pool may be said, words before which speakers start anew weighing more."""
    words = UnitWords.of(pool)
    return Continuations(words, tables_of(profile).starts.of(pool.batch.vocabulary, words.types).sum(axis=1))


def _tag_repairs(tags: npt.NDArray[np.int8], view: View, edits: Edits, taken_up: IntArray) -> None:
    """Tag what is said behind a reparandum in its place, as far as it is fluent."""
    repairing = np.zeros(int(view.origin.max(initial=-1)) + 2, bool)
    size = taken_up - edits.start
    repairing[np.minimum(ranges(edits.start, size), len(repairing) - 1)] = True
    repairing[-1] = False
    np.putmask(tags, (tags == 0) & repairing[view.origin], _REPAIR)


def _view_segments(batch: PassageBatch, view: View, edits: Edits) -> IntArray:
    """Return int64 [M]: the source segment that each token of the view belongs to.

    What we inserted belongs to the segment of the token behind it, what others inserted to that of the one before.
    """
    if not len(batch.segments):
        return np.empty(0, np.int64)
    segments = np.append(batch.token_segments, -1).take(view.origin)
    new = np.flatnonzero(segments < 0)
    own = new[view.edit[new] >= 0]
    segments[own] = batch.token_segments[edits.start[view.edit[own]]]
    if len(own) == len(new):
        return segments
    return np.maximum(np.maximum.accumulate(segments), batch.segment_offsets[view.rows])
