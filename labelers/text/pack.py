"""Which segments make up a passage: as many of one document as fit."""

import numpy as np

from labelers.ragged import BoolArray, IntArray
from labelers.text.pieces import Pieces
from labelers.text.sentences import BREAK, traits
from labelers.vocabulary import Vocabulary

__all__ = ["pack", "segment_starts"]


def segment_starts(vocabulary: Vocabulary, pieces: Pieces, limit: int) -> IntArray:
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


def pack(pieces: Pieces, starts: IntArray, tied: BoolArray, limit: int) -> IntArray:
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
