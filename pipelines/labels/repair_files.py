"""Files in which people marked repairs: which column marks them, by which classes, and the utterances."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelers.advice import nearest
from labelers.language.repair_gold import DISFLUENT, FLUENT, PHRASE, Annotated, with_phrases
from pipelines.input.records import InputFile
from pipelines.labels.look import Column, columns_of, first_records
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["MarkedFile", "read_marked"]

_SCHEMES = (
    ("RM", ("IM", "F", "E", "D")),
    ("reparandum", ("interregnum", "filler")),
    ("EDITED", ("INTJ", "PRN")),
    ("D", ("I",)),
)
"""Classes of reparanda, and of interregna and fillers beside them; the first scheme that fits counts."""


@dataclass(frozen=True)
class MarkedFile:
    """A file with repairs."""

    name: str
    column: str
    reparandum: tuple[str, ...]
    """Classes that mark reparanda."""
    interregnum: tuple[str, ...]
    """Classes that mark interregna, and fillers wherever they stand; none: known phrases are looked for."""
    utterances: tuple[Annotated, ...]


def read_marked(
    file: InputFile, table: InputTable, column: str, reparandum: Sequence[str], interregnum: Sequence[str]
) -> MarkedFile:
    """Read the utterances of a file.

    Args:
        file: the file.
        table: how it is read.
        column: the column of tags; "": the one that has classes of reparanda.
        reparandum: classes of reparanda; none: those that are known.
        interregnum: classes of interregna; none: those that are known beside these.

    Raises:
        ValueError: no column marks repairs, or not by these classes; the message says what there is.
    """
    records, _ = first_records(file, table, sys.maxsize)
    found = [item for item in columns_of(records, table.tokens) if item.aligned and item.path != table.tokens]
    chosen = _column(file.name, found, column, reparandum)
    classes = {_plain(value) for value in chosen.values}
    known = next((scheme for scheme in _SCHEMES if scheme[0] in classes), ("", ()))
    marks = tuple(reparandum or known[:1])
    if unknown := [name for name in (*reparandum, *interregnum) if name not in classes]:
        raise ValueError(
            f"{file.name}: column {chosen.path} has no class {unknown[0]}{nearest(unknown[0], sorted(classes))}; "
            f"it has {_shown(chosen)}"
        )
    beside = tuple(interregnum) or tuple(name for name in known[1] if name in classes and not reparandum)
    tags = dict.fromkeys(beside, PHRASE) | dict.fromkeys(marks, DISFLUENT)
    utterances = (_utterance(record, table.tokens, chosen.path, tags) for record in records)
    read = tuple(item for item in utterances if item)
    return MarkedFile(file.name, chosen.path, marks, beside, read if beside else tuple(map(with_phrases, read)))


def _column(name: str, found: Sequence[Column], wanted: str, reparandum: Sequence[str]) -> Column:
    """Return the column that marks repairs."""
    paths = [column.path for column in found]
    if wanted:
        chosen = [column for column in found if column.path == wanted]
        hint = f"its columns of tags are {', '.join(paths) or 'none'}"
        if not chosen:
            raise ValueError(f"{name} has no column {wanted} with a tag for each token{nearest(wanted, paths)}; {hint}")
        marked = reparandum or _marks(chosen[0])
    else:
        chosen = [column for column in found if reparandum or _marks(column)]
        if reparandum:
            chosen = [column for column in chosen if {*reparandum} <= {_plain(value) for value in column.values}]
        marked = bool(chosen)
    if len(chosen) == 1 and marked:
        return chosen[0]
    if len(chosen) > 1:
        paths = [column.path for column in chosen]
        raise ValueError(f"{name}: {', '.join(paths)} all have such classes; choose one with --column")
    shown = "; ".join(f"{column.path} has {_shown(column)}" for column in chosen or found) or "it has no column of tags"
    raise ValueError(
        f"{name} has no reparanda marked by {', '.join(scheme[0] for scheme in _SCHEMES)}: {shown}. Give the column "
        "and its classes: --column COLUMN --reparandum CLASS --interregnum CLASS"
    )


def _marks(column: Column) -> bool:
    """Return whether a column has a known class of reparanda."""
    classes = {_plain(value) for value in column.values}
    return any(scheme[0] in classes for scheme in _SCHEMES)


def _plain(value: Any) -> str:
    """Return a class without the prefix of a scheme of spans.

    Example:
        >>> _plain("B-RM"), _plain("I"), _plain(1)
        ('RM', 'I', '1')
    """
    text = str(value)
    return text[2:] if text[:2] in ("B-", "I-", "E-", "S-", "L-", "U-") and len(text) > 2 else text  # noqa: PLR2004


def _shown(column: Column) -> str:
    """Return the most frequent classes of a column."""
    counts: Counter[str] = Counter()
    for value, n in column.values.items():
        counts[_plain(value)] += n
    return ", ".join(f"{value} {n:,}" for value, n in counts.most_common(8))


def _utterance(record: Mapping[str, Any], tokens: str, column: str, tags: Mapping[str, str]) -> Annotated | None:
    """Return the utterance of a record, nothing where its tokens have no tags."""
    words, values = record.get(tokens), _at(record, column)
    if not isinstance(words, list) or not isinstance(values, list) or len(words) != len(values):
        return None
    return Annotated([str(word) for word in words], [tags.get(_plain(value), FLUENT) for value in values])


def _at(record: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path of a record."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
