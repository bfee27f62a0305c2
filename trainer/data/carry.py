"""Labels of source tokens on the tokens of a view: what it copied keeps its label, what it inserted has none."""

import numpy as np

from labelers.ragged import IntArray, Ragged
from trainer.data.spans import TagSpans, tag_parts

__all__ = ["carried", "opened_anew"]


def carried(labels: Ragged, origin: Ragged) -> tuple[Ragged, IntArray]:
    """Return the label of each token of a view, -1 for an inserted one, and its index in ``labels.values``, or -1.

    Args:
        labels: of the source tokens of some rows.
        origin: of each token of their views the position in the source, -1 where it was inserted.

    Example:
        >>> labels = Ragged.of(np.array([3]), np.array([7, 8, 9]))
        >>> carried(labels, Ragged.of(np.array([3]), np.array([0, -1, 2])))[0].values.tolist()
        [7, -1, 9]
    """
    places = np.where(origin.values >= 0, labels.offsets[origin.owners] + origin.values, -1)
    padded = np.append(labels.values.astype(np.int64), -1)  # the last place is that of tokens without any
    return Ragged(origin.offsets, padded[places]), places


def opened_anew(found: Ragged, places: IntArray, labels: Ragged, classes: tuple[str, ...]) -> Ragged:
    """Return tags in BIO that were carried to a view, valid there: what is left of a span begins with its B.

    Inserted tokens do not end a span.

    Args:
        found: the tags of the tokens of views.
        places: the index in ``labels.values`` of each.
        labels: the tags of the source.
        classes: of the tags.

    Example:
        >>> classes, rows = ("O", "B-x", "I-x"), np.array([3])
        >>> labels = Ragged.of(rows, np.array([1, 2, 2]))
        >>> opened_anew(*carried(labels, Ragged.of(rows, np.array([1, -1, 2]))), labels, classes).values.tolist()
        [1, -1, 2]
    """
    letters, _ = tag_parts(classes)
    known = np.flatnonzero(labels.values >= 0)
    edge = np.diff(labels.owners[known], prepend=-1) != 0
    number = np.zeros(len(labels.values), np.int64)  # of the span in which each source token stands
    number[known] = np.cumsum(TagSpans.of(labels.values[known], edge, classes).opens)
    kept = np.flatnonzero(found.values >= 0)
    tags, owners, number = found.values[kept], found.owners[kept], number[places[kept]]
    inside = letters[tags] != "O"
    goes_on = inside & np.roll(inside, 1) & (np.diff(number, prepend=-1) == 0) & (np.diff(owners, prepend=-1) == 0)
    values = found.values.copy()
    values[kept] = np.where(inside, np.where(goes_on, _as("I", classes)[tags], _as("B", classes)[tags]), tags)
    return Ragged(found.offsets, values)


def _as(letter: str, classes: tuple[str, ...]) -> IntArray:
    """Return for each class that of its type with a letter, itself where there is none."""
    named = {name: number for number, name in enumerate(classes)}
    return np.array([named.get(f"{letter}{name[1:]}", number) for number, name in enumerate(classes)], np.int64)
