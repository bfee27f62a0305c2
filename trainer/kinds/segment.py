"""One class for each segment of a row."""

import numpy as np

from labelers.ragged import BoolArray, Ragged
from trainer.data.targets import LabelPlaces, Placed, one_part
from trainer.kinds.kind import ClassKind
from trainer.model.heads import PartHead

__all__ = ["KIND", "SegmentKind", "place_parts", "token_starts"]


def token_starts(places: LabelPlaces, level: str) -> Ragged:
    """Return for each row the sub-word at which the first token of each of its segments or turns begins."""
    layout, last = places.layout, places.last
    tokens = places.encoder.starts(level, places.inputs.sequences[0], places.rows)
    here = np.append(layout.starts.values, 0)[layout.starts.offsets[places.where][tokens.owners] + tokens.values]
    behind = tokens.values >= layout.starts.lengths[places.where][tokens.owners]  # a part without a token
    return Ragged(tokens.offsets, np.where(behind, last[tokens.owners], here))


def place_parts(places: LabelPlaces, starts: Ragged, level: str) -> Placed:
    """Return the labels of the segments or turns that begin at some sub-words; each ends where the next one begins."""
    last = places.last
    labels = places.encoder.aligned(places.task.target, places.rows, starts, -1)
    values = np.where(_deleted(places, level), -1, labels.values) if places.carried else labels.values
    ends = np.append(starts.values[1:], 0)
    ends[starts.offsets[1:][starts.lengths > 0] - 1] = last[starts.lengths > 0]
    spans = one_part(starts.values, np.maximum(ends, starts.values + 1))
    return Placed(labels.owners, values, spans)


def _deleted(places: LabelPlaces, level: str) -> BoolArray:
    """Tell of which segments or turns of the source nothing is left in the view."""
    tokens = places.encoder.starts(level, places.inputs.sequences[0], places.rows)
    behind = np.append(tokens.values[1:], 0)
    behind[tokens.offsets[1:][tokens.lengths > 0] - 1] = places.layout.starts.lengths[places.where][tokens.lengths > 0]
    return np.asarray(tokens.values >= behind, bool)


class SegmentKind(ClassKind):
    """Each segment has a class."""

    head = PartHead
    listed = True
    carries = True

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of segments."""
        return place_parts(places, token_starts(places, "segments"), "segments")


KIND = SegmentKind()
