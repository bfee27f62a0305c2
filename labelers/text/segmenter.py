"""From documents to passages: tokens, segments, and rows of at most so many tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from labelers.language.matches import links_back
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.second import Second
from labelers.text.clean import is_token, stretches
from labelers.text.cutting import CutDocuments
from labelers.text.document import FIELD_TYPES, Document, Reject
from labelers.text.normalise import Normalised, normalise
from labelers.text.pack import pack, segment_starts
from labelers.text.pieces import PieceReader, Pieces
from labelers.text.positions import Positions
from labelers.vocabulary import Vocabulary

__all__ = ["Segmenter", "locate_texts", "read_texts"]

_MAX_TYPES = 500_000
"""Token types from which on a vocabulary is better started anew; some 100 MB."""


class Segmenter:
    """Cuts documents into passages, over one vocabulary that grows with every batch.

    spaCy is needed for documents that are text; those that bring their tokens can do without it.

    Example:
        >>> segmenter = Segmenter(max_tokens=10)
        >>> batch, rejects = segmenter.segment([Document("a", "It rained. We stayed at home all day long.")])
        >>> batch.ids, batch.offsets.tolist(), rejects
        (['a/0', 'a/1'], [0, 3, 11], [])
    """

    def __init__(
        self,
        lang: str = "en",
        max_tokens: int = 128,
        *,
        newline: str = "space",
        normalise: str = "none",
        keep: Mapping[str, str] | None = None,
    ) -> None:
        """Start with an empty vocabulary.

        Args:
            lang: `Text.lang`.
            max_tokens: `Passage.max_tokens`.
            newline: `Text.newline`.
            normalise: `Text.normalise`.
            keep: types of kept fields (`Input.keep`).
        """
        self.vocabulary = Vocabulary()
        self._lang, self._max_tokens, self._keep = lang, max_tokens, dict(keep or {})
        self._every_line, self._transcript = newline == "break", normalise == "transcript"
        self._reader = PieceReader(lang, self.vocabulary)

    @property
    def full(self) -> bool:
        """Whether the vocabulary is so large that a new segmenter should take over."""
        return len(self.vocabulary) > _MAX_TYPES

    def segment(self, documents: Sequence[Document]) -> tuple[PassageBatch, list[Reject]]:
        """Return the passages of the documents in order, and a reject for each document that has none.

        A document that brings tokens and kept fields is never cut, since these may label it, and neither is one with a
        second text: it is one row, or a reject ``too_long``. Which passages a document has depends on that document
        alone.

        Raises:
            ModuleNotFoundError: a document is text, and spaCy is not installed.
        """
        cut, rejects = self.cut(documents)
        return cut.batch, rejects

    def locate(self, documents: Sequence[Document]) -> tuple[PassageBatch, list[Reject], Positions]:
        """Return what `segment` does, and where each token stands in the strings of its document.

        Example:
            >>> batch, _, positions = Segmenter().locate([Document("a", "  Stay there!")])
            >>> list(zip(positions.starts.tolist(), positions.ends.tolist(), strict=True))
            [(2, 6), (7, 12), (12, 13)]
        """
        cut, rejects = self.cut(documents)
        return cut.batch, rejects, cut.positions

    def cut(self, documents: Sequence[Document]) -> tuple[CutDocuments, list[Reject]]:
        """Return the passages beside the documents that they were cut from, and the rejects."""
        pieces, rejects = self._read(documents)
        before: Normalised | None = None
        second_before: Normalised | None = None
        second: Pieces | None = None
        if self._transcript:
            pieces, before = normalise(self.vocabulary, pieces)
            gone = np.setdiff1d(before.read.documents, pieces.documents).tolist()
            rejects += [_reject(documents[number], "empty") for number in gone]
        if self._transcript or any(document.whole for document in documents):
            pieces, unfit = self._uncut(documents, pieces)
            rejects += unfit
        if any(document.second is not None for document in documents):
            pieces, second, second_before, unfit = self._pair(documents, pieces)
            rejects += unfit
        starts = segment_starts(self.vocabulary, pieces, self._max_tokens)
        rows = pack(pieces, starts, self._tied(pieces, starts), self._max_tokens)
        batch = self._assemble(documents, pieces, starts, rows, second)
        if before is not None:
            before = before.of(pieces.documents)
        return CutDocuments(documents, pieces, second, batch, before, second_before), rejects

    def _tied(self, pieces: Pieces, starts: IntArray) -> BoolArray:
        """Return which segments should not open a passage: a connective may link them to the one before."""
        if self._lang != "en":
            return np.zeros(len(starts), bool)
        return links_back(self.vocabulary, pieces.codes, starts) & ~np.isin(starts, pieces.offsets)

    def _read(self, documents: Sequence[Document]) -> tuple[Pieces, list[Reject]]:
        """Tokenise texts and turns, take over given tokens, and find where sentences start."""
        found: list[tuple[int, str | None, list[str]]] = []
        given: list[tuple[int, Sequence[str], Sequence[int] | None]] = []
        rejects: list[Reject] = []
        for number, document in enumerate(documents):
            if document.tokens is not None:
                reason = self._unfit(document, len(document.tokens))
                if reason:
                    rejects.append(_reject(document, reason))
                else:
                    given.append((number, document.tokens, document.segments))
                continue
            before = len(found)
            if document.turns is None:
                if text := self._stretches(document.text):
                    found.append((number, None, text))
            else:
                turns = ((turn.role, self._stretches(turn.text)) for turn in document.turns)
                found += [(number, role, text) for role, text in turns if text]
            if len(found) == before:
                rejects.append(_reject(document, "empty"))
        pieces = self._reader.read(found, given)
        for number, start, stop in zip(pieces.documents.tolist(), pieces.offsets[:-1], pieces.offsets[1:], strict=True):
            if documents[number].spaces is not None:
                pieces.spaces[start:stop] = documents[number].spaces
        return pieces, rejects

    def _stretches(self, text: str) -> list[str]:
        """Return the stretches of a text that open a segment each."""
        return stretches(text, every_line=self._every_line)

    def _unfit(self, document: Document, size: int) -> str:
        """Return why a document of so many given tokens yields no passage, or nothing."""
        long = size > self._max_tokens and not self._transcript  # which makes it shorter
        return "empty" if not size else "too_long" if long and self._is_whole(document) else ""

    def _is_whole(self, document: Document) -> bool:
        """Return whether a document may not be cut."""
        if document.whole is None:  # a document of the pool has lost its fields
            return document.tokens is not None and bool(document.fields or self._keep)
        return document.whole

    def _uncut(self, documents: Sequence[Document], pieces: Pieces) -> tuple[Pieces, list[Reject]]:
        """Return the pieces without those of documents that may not be cut and are too long, and their rejects."""
        sizes = np.bincount(pieces.owners, minlength=len(documents))
        unfit = (sizes > self._max_tokens) & np.array([self._is_whole(item) for item in documents], bool)
        note = "a label speaks of all of it: {} tokens; at most {} ([passage] max_tokens)"
        rejects = [
            _reject(documents[number], "too_long", note.format(sizes[number], self._max_tokens))
            for number in np.flatnonzero(unfit).tolist()
        ]
        return pieces.take(np.flatnonzero(~unfit[pieces.documents])), rejects

    def _pair(
        self, documents: Sequence[Document], pieces: Pieces
    ) -> tuple[Pieces, Pieces, Normalised | None, list[Reject]]:
        """Return the pieces of documents that fit, of their second texts as they are and were read, and rejects."""
        seconds = {number: documents[number].second for number in dict.fromkeys(pieces.documents.tolist())}
        texts = [(number, None, self._stretches(item)) for number, item in seconds.items() if isinstance(item, str)]
        tokens = [(number, item, None) for number, item in seconds.items() if isinstance(item, tuple)]
        second = self._reader.read([item for item in texts if item[2]], [item for item in tokens if item[1]])
        before: Normalised | None = None
        if self._transcript:
            second, before = normalise(self.vocabulary, second)
        sizes = [np.bincount(part.owners, minlength=len(documents)) for part in (pieces, second)]
        unfit, rejects = np.zeros(len(documents), bool), []
        for number in (number for number, item in seconds.items() if item is not None):
            first, other = (int(size[number]) for size in sizes)
            if not other or max(first, other) > self._max_tokens:
                unfit[number] = True
                note = f"{first} tokens, and {other} in the second text; at most {self._max_tokens} in each"
                rejects.append(_reject(documents[number], "too_long" if other else "empty", note))
        fit, fit_second = (part.take(np.flatnonzero(~unfit[part.documents])) for part in (pieces, second))
        return fit, fit_second, None if before is None else before.of(fit_second.documents), rejects

    def _assemble(
        self, documents: Sequence[Document], pieces: Pieces, starts: IntArray, rows: IntArray, second: Pieces | None
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
            second=None if second is None else _second(second, number),
        )

    def _column(self, documents: Sequence[Document], numbers: IntArray, name: str) -> pa.Array:
        """Return a kept field of each passage's document."""
        values = pa.array([document.fields.get(name) for document in documents], FIELD_TYPES[self._keep[name]])
        return values.take(pa.array(numbers))


Text = str | Sequence[str]
"""A text, or the tokens of one."""


def read_texts(
    texts: Sequence[Text],
    lang: str = "en",
    max_tokens: int = 128,
    *,
    newline: str = "space",
    second: Sequence[Text] | None = None,
) -> PassageBatch:
    """Return the passages of a list of texts, with ids ``0/0``, ``0/1``, ``1/0``...; a text without a word has none.

    A blank line ends a segment; so does every line break with ``newline="break"``.

    Args:
        texts: each one a string, or its tokens, for which spaCy is not needed.
        lang: their language.
        max_tokens: of a passage.
        newline: what a single line break is.
        second: the second text of each. With it a text is not cut, and has no passage if either is too long.

    Raises:
        ValueError: a token that is empty, or holds white space or control characters.
        ModuleNotFoundError: a text is a string, and spaCy is not installed.

    Example:
        >>> batch = read_texts(["The fog lifted. However, nobody sailed.", ["Good", "."]])
        >>> batch.ids, batch.vocabulary.strings(batch.codes).to_pylist()[:4]
        (['0/0', '1/0'], ['The', 'fog', 'lifted', '.'])
    """
    return Segmenter(lang, max_tokens, newline=newline).segment(_documents(texts, second))[0]


def locate_texts(
    texts: Sequence[Text],
    lang: str = "en",
    max_tokens: int = 128,
    *,
    newline: str = "space",
    second: Sequence[Text] | None = None,
) -> tuple[PassageBatch, Positions]:
    r"""Return what `read_texts` does, and where each token stands in its text.

    Example:
        >>> text = "\ufeffThe  fog\x00\nlifted."
        >>> batch, positions = locate_texts([text])
        >>> [text[start:end] for start, end in zip(positions.starts, positions.ends, strict=True)]
        ['The', 'fog', 'lifted', '.']
    """
    batch, _, positions = Segmenter(lang, max_tokens, newline=newline).locate(_documents(texts, second))
    return batch, positions


def _documents(texts: Sequence[Text], second: Sequence[Text] | None) -> list[Document]:
    """Return a document for each text, whose id is its number."""
    documents = [
        Document(str(number), text) if isinstance(text, str) else Document(str(number), tokens=_tokens(number, text))
        for number, text in enumerate(texts)
    ]
    if second is None:
        return documents
    return [
        replace(document, second=other if isinstance(other, str) else _tokens(number, other))
        for number, (document, other) in enumerate(zip(documents, second, strict=True))
    ]


def _tokens(number: int, tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the tokens that are given in place of a text."""
    for place, token in enumerate(tokens):
        if not is_token(token):
            raise ValueError(
                f"text {number}: token {place} is {token!r}; a token is not empty, and holds no white space and no "
                "control characters"
            )
    return tuple(tokens)


def _second(pieces: Pieces, numbers: IntArray) -> Second:
    """Return the second text of each row, given the document of each; a document without one has no tokens."""
    segments = np.flatnonzero(pieces.starts)
    bounds = np.searchsorted(segments, pieces.offsets)
    known = Second(
        pieces.codes,
        np.append(pieces.offsets, len(pieces.codes)),
        pieces.spaces,
        segments,
        np.append(bounds, len(segments)),
    )
    owners = np.append(pieces.documents, -1)
    places = np.searchsorted(pieces.documents, numbers)
    return known.take(np.where(owners[places] == numbers, places, len(pieces.documents)))


def _reject(document: Document, reason: str, note: str = "") -> Reject:
    """Return the reject of a document that yields no passage."""
    sample = (document.text or " ".join(document.tokens or ())).encode()[:1000].decode(errors="ignore")
    return Reject(document.source or document.id, document.place, reason, sample, note)


def _names(documents: Sequence[Document], numbers: IntArray) -> tuple[list[str], list[str]]:
    """Return the id of each passage and of its document."""
    places = np.arange(len(numbers)) - np.searchsorted(numbers, numbers)
    names = [documents[number].id for number in numbers.tolist()]
    return [f"{name}/{place}" for name, place in zip(names, places.tolist(), strict=True)], names
