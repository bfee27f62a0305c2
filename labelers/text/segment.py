"""From documents to passages: tokens, segments, and rows of at most so many tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelers.language.matches import links_back
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray, ragged_take, running_total
from labelers.text.clean import stretches
from labelers.text.document import FIELD_TYPES, Document, Reject
from labelers.text.sentences import BREAK, sentence_starts, traits
from labelers.text.tokenise import Tokeniser
from labelers.vocabulary import Vocabulary

__all__ = ["Segmenter", "read_texts"]

_MAX_TYPES = 500_000
"""Token types from which on a vocabulary is better started anew; some 100 MB."""


@dataclass(frozen=True)
class _Pieces:
    """K pieces of D documents, in order: texts, token lists or turns, with N tokens in all."""

    codes: IntArray
    """int64 [N]."""
    spaces: BoolArray
    """bool [N]."""
    offsets: IntArray
    """int64 [K + 1]: the tokens of each piece."""
    starts: BoolArray
    """bool [N]: the token opens a segment."""
    documents: IntArray
    """int64 [K]: the document of each piece, rising."""
    roles: IntArray
    """int64 [K]: code of a turn's role, -1 outside dialogues."""


class Segmenter:
    """Cuts documents into passages, over one vocabulary that grows with every batch.

    Example:
        >>> segmenter = Segmenter(max_tokens=10)
        >>> batch, rejects = segmenter.segment([Document("a", "It rained. We stayed at home all day long.")])
        >>> batch.ids, batch.offsets.tolist(), rejects
        (['a/0', 'a/1'], [0, 3, 11], [])
    """

    def __init__(
        self, lang: str = "en", max_tokens: int = 128, *, newline: str = "space", keep: Mapping[str, str] | None = None
    ) -> None:
        """Start with an empty vocabulary.

        Args:
            lang: `Text.lang`.
            max_tokens: `Passage.max_tokens`.
            newline: `Text.newline`.
            keep: types of kept fields (`Input.keep`).
        """
        self.vocabulary = Vocabulary()
        self._lang, self._max_tokens, self._keep = lang, max_tokens, dict(keep or {})
        self._every_line = newline == "break"
        self._tokeniser = Tokeniser(lang, self.vocabulary)

    @property
    def full(self) -> bool:
        """Whether the vocabulary is so large that a new segmenter should take over."""
        return len(self.vocabulary) > _MAX_TYPES

    def segment(self, documents: Sequence[Document]) -> tuple[PassageBatch, list[Reject]]:
        """Return the passages of the documents in order, and a reject for each document that has none.

        A document that brings tokens and kept fields is never cut, since these may label it: it is one row, or a
        reject ``too_long``. Which passages a document has depends on that document alone.
        """
        pieces, rejects = self._read(documents)
        starts = _cut(self.vocabulary, pieces, self._max_tokens)
        passages = _pack(pieces, starts, self._tied(pieces, starts), self._max_tokens)
        return self._assemble(documents, pieces, starts, passages), rejects

    def _tied(self, pieces: _Pieces, starts: IntArray) -> BoolArray:
        """Return which segments should not open a passage: a connective may link them to the one before."""
        if self._lang != "en":
            return np.zeros(len(starts), bool)
        return links_back(self.vocabulary, pieces.codes, starts) & ~np.isin(starts, pieces.offsets)

    def _read(self, documents: Sequence[Document]) -> tuple[_Pieces, list[Reject]]:
        """Tokenise texts and turns, take over given tokens, and find where sentences start."""
        found: list[tuple[int, str | None, list[str]]] = []
        given: list[int] = []
        rejects: list[Reject] = []
        for number, document in enumerate(documents):
            if document.tokens is not None:
                reason = self._unfit(document, len(document.tokens))
                if reason:
                    rejects.append(_reject(document, reason))
                else:
                    given.append(number)
                continue
            before = len(found)
            if document.turns is None:
                if text := stretches(document.text, every_line=self._every_line):
                    found.append((number, None, text))
            else:
                turns = ((turn.role, stretches(turn.text, every_line=self._every_line)) for turn in document.turns)
                found += [(number, role, text) for role, text in turns if text]
            if len(found) == before:
                rejects.append(_reject(document, "empty"))
        return _merge(self._split(found), self._take(documents, given)), rejects

    def _unfit(self, document: Document, size: int) -> str:
        """Return why a document of so many given tokens yields no passage, or nothing."""
        whole = document.fields or self._keep  # a document of the pool has lost its fields
        return "empty" if not size else "too_long" if whole and size > self._max_tokens else ""

    def _split(self, found: Sequence[tuple[int, str | None, list[str]]]) -> _Pieces:
        """Return the pieces of (document, role or None, stretches of clean text, each of which opens a segment)."""
        codes, spaces, offsets = self._tokeniser.split([text for _, _, texts in found for text in texts])
        starts = sentence_starts(self.vocabulary, codes, spaces, offsets)
        if len(offsets) > len(found) + 1:
            spaces[offsets[1:-1] - 1] = True
            offsets = offsets[running_total(np.array([len(texts) for _, _, texts in found], np.int64))]
            spaces[offsets[1:] - 1] = False
        roles = {role: -1 if role is None else self.vocabulary.code(role) for role in {role for _, role, _ in found}}
        return _Pieces(
            codes,
            spaces,
            offsets,
            starts,
            np.array([number for number, _, _ in found], np.int64),
            np.array([roles[role] for _, role, _ in found], np.int64),
        )

    def _take(self, documents: Sequence[Document], numbers: Sequence[int]) -> _Pieces | None:
        """Return the pieces of documents that bring their tokens, None where there is no such document."""
        if not numbers:
            return None
        tokens = [documents[number].tokens or () for number in numbers]
        codes = self.vocabulary.encode(token for item in tokens for token in item)
        offsets = np.concatenate([[0], np.cumsum([len(item) for item in tokens])]).astype(np.int64)
        spaces = np.ones(len(codes), bool)
        spaces[offsets[1:] - 1] = False
        starts = sentence_starts(self.vocabulary, codes, spaces, offsets)
        for number, start, stop in zip(numbers, offsets[:-1], offsets[1:], strict=True):
            segments = documents[number].segments
            if segments is not None:
                starts[start:stop] = False
                starts[start + np.array(segments, np.int64)] = True
        return _Pieces(codes, spaces, offsets, starts, np.array(numbers, np.int64), np.full(len(numbers), -1))

    def _assemble(
        self, documents: Sequence[Document], pieces: _Pieces, starts: IntArray, rows: IntArray
    ) -> PassageBatch:
        """Return the batch of passages whose first tokens are ``rows``, with segments at ``starts``."""
        owner = np.searchsorted(pieces.offsets, rows, side="right") - 1
        number = pieces.documents[owner]
        ids, names = _names(documents, number)
        segment_offsets = np.append(np.searchsorted(starts, rows), len(starts)).astype(np.int64)
        piece = np.searchsorted(pieces.offsets, starts, side="right") - 1
        opens = np.isin(starts, pieces.offsets) | np.isin(starts, rows)
        turns = np.flatnonzero(opens & (pieces.roles[piece] >= 0))
        offsets = np.append(rows, len(pieces.codes)).astype(np.int64)
        spaces = pieces.spaces.copy()
        spaces[pieces.offsets[1:] - 1] = True  # between two turns
        spaces[offsets[1:] - 1] = False
        return PassageBatch(
            vocabulary=self.vocabulary,
            ids=ids,
            documents=names,
            codes=pieces.codes,
            offsets=offsets,
            spaces=spaces,
            segments=starts,
            segment_offsets=segment_offsets,
            turns=turns,
            turn_offsets=np.searchsorted(turns, segment_offsets).astype(np.int64),
            roles=pieces.roles[piece[turns]],
            lang=self._lang,
            fields={name: self._column(documents, number, name) for name in self._keep},
        )

    def _column(self, documents: Sequence[Document], numbers: IntArray, name: str) -> pa.Array:
        """Return a kept field of each passage's document."""
        values = pa.array([document.fields.get(name) for document in documents], FIELD_TYPES[self._keep[name]])
        return values.take(pa.array(numbers))


def read_texts(
    texts: Sequence[str], lang: str = "en", max_tokens: int = 128, *, newline: str = "space"
) -> PassageBatch:
    """Return the passages of a list of texts, with ids ``0/0``, ``0/1``, ``1/0``...; a text without a word has none.

    A blank line ends a segment; so does every line break with ``newline="break"``.

    Example:
        >>> batch = read_texts(["The fog lifted. However, nobody sailed.", "Good."])
        >>> batch.ids, batch.vocabulary.strings(batch.codes).to_pylist()[:4]
        (['0/0', '1/0'], ['The', 'fog', 'lifted', '.'])
    """
    return Segmenter(lang, max_tokens, newline=newline).segment(
        [Document(str(n), text) for n, text in enumerate(texts)]
    )[0]


def _reject(document: Document, reason: str) -> Reject:
    """Return the reject of a document that yields no passage."""
    sample = document.text or " ".join(document.tokens or ())
    return Reject(
        document.source or document.id, document.place, reason, sample.encode()[:1000].decode(errors="ignore")
    )


def _merge(pieces: _Pieces, others: _Pieces | None) -> _Pieces:
    """Return the pieces of both in the order of their documents."""
    if others is None:
        return pieces
    owners = np.concatenate([pieces.documents, others.documents])
    order = np.argsort(owners, kind="stable")
    places = np.concatenate([pieces.offsets, len(pieces.codes) + others.offsets[1:]])
    taken, offsets = ragged_take(places, order)
    return _Pieces(
        np.concatenate([pieces.codes, others.codes])[taken],
        np.concatenate([pieces.spaces, others.spaces])[taken],
        offsets,
        np.concatenate([pieces.starts, others.starts])[taken],
        owners[order],
        np.concatenate([pieces.roles, others.roles])[order],
    )


def _cut(vocabulary: Vocabulary, pieces: _Pieces, limit: int) -> IntArray:
    """Return the first token of every segment, longer ones cut behind their last punctuation before the limit.

    Where there is none it is the last space, and where there is no space, the limit.
    """
    starts = np.flatnonzero(pieces.starts)
    ends = np.append(starts[1:], len(pieces.codes))[: len(starts)]
    cuts: list[int] = []
    for segment in np.flatnonzero(ends - starts > limit):
        start, end = int(starts[segment]), int(ends[segment])
        gaps = start + 1 + np.flatnonzero(pieces.spaces[start:end])
        marks = gaps[vocabulary.property(traits)[pieces.codes[gaps - 1]] & BREAK != 0]
        while end - start > limit:
            start = _last(marks, start, limit) or _last(gaps, start, limit) or start + limit
            cuts.append(start)
    return np.union1d(starts, np.array(cuts, np.int64)) if cuts else starts


def _last(places: IntArray, start: int, limit: int) -> int:
    """Return the last of some rising places in (start, start + limit], 0 where there is none."""
    place = int(places[np.searchsorted(places, start + limit, side="right") - 1]) if len(places) else 0
    return place if start < place <= start + limit else 0


def _pack(pieces: _Pieces, starts: IntArray, tied: BoolArray, limit: int) -> IntArray:
    """Return the first token of every passage: as many segments of one document as fit, whole turns where they fit.

    A passage that would open with a tied segment opens with the nearest one before it that is not, if it still holds
    the tied one then.
    """
    lengths = np.diff(pieces.offsets)
    piece = np.searchsorted(pieces.offsets, starts, side="right") - 1
    inside = (pieces.roles[piece] >= 0) & (lengths[piece] <= limit) & (starts != pieces.offsets[piece])
    bounds = np.append(starts[~inside], len(pieces.codes))  # where a passage may start, and the end of all
    changes = np.flatnonzero(np.diff(pieces.documents, append=-1))
    document_ends = pieces.offsets[1:][changes]
    ends = document_ends[np.searchsorted(document_ends, bounds[:-1], side="right")]
    reach = np.minimum(bounds[:-1] + limit, ends)
    following = np.searchsorted(bounds, reach, side="right") - 1
    places = np.arange(len(bounds))
    loose = np.maximum.accumulate(np.where(np.append(tied[~inside], False), 0, places))  # the nearest that is not tied
    earlier, held = loose[following], bounds[np.minimum(following + 1, places[-1])]
    moved = (earlier > places[:-1]) & (held - bounds[earlier] <= limit)
    chain = np.where(moved, earlier, following).tolist()
    rows: list[int] = []
    place = 0
    while place < len(chain):
        rows.append(place)
        place = chain[place]
    return bounds[np.array(rows, np.int64)]


def _names(documents: Sequence[Document], numbers: IntArray) -> tuple[list[str], list[str]]:
    """Return the id of each passage and of its document."""
    places = np.arange(len(numbers)) - np.searchsorted(numbers, numbers)
    names = [documents[number].id for number in numbers.tolist()]
    return [f"{name}/{place}" for name, place in zip(names, places.tolist(), strict=True)], names
