"""What a look at all records finds of the labels that people made: their classes, and the scheme of their tags."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from labelers.advice import nearest
from labelers.text.document import BadLabel, Document, Spans
from labelers.text.tags import bio_classes, find_scheme, find_schemes, signs_of
from pipelines.folder.books import add_up
from pipelines.plans.plan import FoundLabels
from pipelines.recipes.recipe import Recipe, RecipeError
from pipelines.recipes.recipe_tables import LabelTable

__all__ = ["LabelCounts", "found_labels", "merge_labels"]

_MOST_CLASSES = 1000
_SHOWN = 5
_MANY = 65_536  # classes that are counted at a time
_BETWEEN = "\0"  # of two tags that follow each other


class _Numbers(dict[str | None, int]):
    """Numbers classes as they come up."""

    def __missing__(self, name: str | None) -> int:
        """Return the number of a new one."""
        self[name] = number = len(self)
        return number


class _Pairs:
    """Counts how often each of the classes in lists follows each other one; the first follows an empty string."""

    def __init__(self) -> None:
        self._numbers = _Numbers({None: 0})  # what stands between two lists
        self._waiting: list[str | None] = []
        self._counts: Counter[tuple[int, int]] = Counter()

    def add(self, values: Sequence[str]) -> None:
        """Add a list."""
        self._waiting += values
        self._waiting.append(None)
        if len(self._waiting) > _MANY:
            self._count()

    def _count(self) -> None:
        """Count what waits: with arrays, since a list has a class for each token."""
        codes = np.fromiter(map(self._numbers.__getitem__, self._waiting), np.int64, len(self._waiting))
        size, self._waiting = len(self._numbers), []
        keys, counts = np.unique(np.append(0, codes[:-1]) * size + codes, return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            if key % size:  # what follows is a class, and no end
                self._counts[divmod(key, size)] += count

    def counted(self) -> dict[tuple[str, str], int]:
        """Return the counts."""
        if self._waiting:
            self._count()
        names = [name or "" for name in self._numbers]
        return {(names[before], names[value]): n for (before, value), n in self._counts.items()}


class LabelCounts:
    """Counts the labels of records.

    Example:
        >>> counts = LabelCounts()
        >>> counts.add(Document("a", tokens=("x",), labels={"ner": ("B-x",)}))
        >>> counts.to_json()["ner"]["values"]
        {'B-x': 1}
    """

    def __init__(self) -> None:
        """Start with none."""
        self._read: Counter[str] = Counter()
        self._values: dict[str, Counter[Any]] = {}
        self._pairs: dict[str, dict[str, _Pairs]] = {}
        self._spans: dict[str, Counter[str]] = {}
        self._bad: dict[str, Counter[str]] = {}

    def add(self, document: Document) -> None:
        """Count the labels of a document."""
        for name, label in document.labels.items():
            self._read[name] += 1
            if isinstance(label, Spans):
                self._spans.setdefault(name, Counter()).update(kind for _, _, kind in label.items)
            elif isinstance(label, str | int):
                self._values.setdefault(name, Counter())[_text(label)] += 1
            elif isinstance(label, tuple):
                self._add_list(name, document.source, label)
            elif isinstance(label, BadLabel):
                self._bad.setdefault(name, Counter())[f"{label.reason}: {label.note}"] += 1

    def _add_list(self, name: str, file: str, label: tuple[Any, ...]) -> None:
        """Count the labels of a list; of arcs, the relations."""
        if label and isinstance(label[0], tuple):
            label = label[1] or ()
        # a list is of one type, but for classes that are not there
        plain = None not in label and not (label and not isinstance(label[0], str))
        values = label if plain else [_text(item) for item in label if isinstance(item, str | int)]
        files = self._pairs.setdefault(name, {})
        if file not in files:
            files[file] = _Pairs()
        files[file].add(values)

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {name: self._counted(name) for name in self._read}

    def _counted(self, name: str) -> dict[str, Any]:
        """Return the counts of a label; in lists, each class is the second of one pair."""
        pairs, values, files = Counter[tuple[str, str]](), Counter(self._values.get(name, {})), {}
        for file, found in self._pairs.get(name, {}).items():
            counted = found.counted()
            pairs.update(counted)
            files[file] = signs_of(counted)
        for (_, value), n in pairs.items():
            values[value] += n
        bad = self._bad.get(name, Counter())
        return {
            "read": self._read[name],
            "values": dict(values),
            "pairs": {_BETWEEN.join(pair): n for pair, n in pairs.items()},
            "files": {file: signs for file, signs in files.items() if signs},
            "spans": dict(self._spans.get(name, {})),
            "bad": dict(bad.most_common(1)),
            "unusable": bad.total(),
        }


def _text(value: str | int) -> str:
    """Return a class as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def merge_labels(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several scans counted."""
    total: dict[str, Any] = {}
    for part in parts:
        for name, counts in part.items():
            known = total.setdefault(
                name, {"read": 0, "unusable": 0, "values": {}, "pairs": {}, "files": {}, "spans": {}, "bad": {}}
            )
            known["read"] += counts["read"]
            known["unusable"] += counts["unusable"]
            for key in ("values", "pairs", "spans", "bad"):
                for value, n in counts[key].items():
                    known[key][value] = known[key].get(value, 0) + n
            for file, signs in counts["files"].items():
                known["files"][file] = add_up([known["files"].get(file, {}), signs])
    return total


def found_labels(
    recipe: Recipe, counts: Mapping[str, Any], columns: Callable[[], Sequence[str]] = tuple
) -> dict[str, FoundLabels]:
    """Return classes and scheme of each label space.

    Args:
        recipe: with the label spaces.
        counts: of the labels that records have.
        columns: returns the names of the columns that records have, for an error.

    Raises:
        RecipeError: no record has a label of a space, or they have too many classes.
    """
    for name, table in recipe.labels.items():
        if name not in counts:
            raise RecipeError(_nowhere(name, table.column or name, list(columns())))
    return {name: _found(name, table, counts[name]) for name, table in recipe.labels.items()}


def _nowhere(name: str, column: str, known: list[str]) -> str:
    """Return what is wrong with a label that no record has."""
    if column.partition(".")[0] in known:
        return (
            f"no usable record has a label of [labels.{name}] in its column {column!r}; records have "
            f"{', '.join(known)}; check [input] text and tokens"
        )
    there = f"; the columns are {', '.join(known)}" if known else ""
    return (
        f"no record has a label of [labels.{name}] in its column {column!r}{nearest(column, known)}{there}; name the "
        "column of the labels, for example with `--label NAME=KIND:COLUMN`; `auxloom inspect FILE` lists the contents "
        "of each"
    )


def _found(name: str, table: LabelTable, counts: Mapping[str, Any]) -> FoundLabels:
    """Return classes and scheme of one label space."""
    if counts["unusable"] == counts["read"]:
        why = min(counts["bad"].items(), key=lambda item: (-item[1], item[0]))[0]
        raise RecipeError(
            f"none of the {counts['read']:,} labels of [labels.{name}] in the column {table.column or name!r} is of "
            f"kind {table.kind} ({why}); `auxloom inspect FILE` suggests a kind"
        )
    if table.kind == "regression":
        return FoundLabels((), "")
    scheme, schemes = _scheme(name, table, counts), dict[str, str]()
    if scheme and table.scheme == "auto":
        scheme, schemes = find_schemes(scheme, counts["files"])
    tags = {*counts["values"], *(f"B-{kind}" for kind in counts["spans"])}
    if table.classes:
        _check_declared(name, table.classes, scheme)
        return FoundLabels(table.classes, scheme, schemes)
    classes = bio_classes(tags, name) if scheme else _sorted(tags)
    if len(classes) > _MOST_CLASSES:
        shown = ", ".join(repr(item) for item in classes[:_SHOWN])
        raise RecipeError(
            f"[labels.{name}] has {len(classes):,} classes ({shown}, ...); at most {_MOST_CLASSES:,} are supported; "
            f"check that {table.column or name!r} is the column of the labels, and {table.kind!r} their kind"
        )
    return FoundLabels(classes, scheme, schemes)


def _scheme(name: str, table: LabelTable, counts: Mapping[str, Any]) -> str:
    """Return the scheme of tags."""
    if table.kind != "token" or table.scheme == "none":
        return ""
    if table.scheme != "auto":
        return table.scheme
    pairs = {_pair(key): n for key, n in counts["pairs"].items()}
    found = find_scheme(pairs)
    if counts["spans"] or not counts["values"]:
        if counts["values"] and not found and set(counts["values"]) - {"O"}:
            raise RecipeError(f"[labels.{name}] has spans in some records and tags without a scheme in others")
        return found or "bio"
    if table.classes and not found and all(value.isdigit() for value in counts["values"]):
        return "bio" if _are_bio(table.classes) else ""  # numbers of declared classes
    return found


def _pair(key: str) -> tuple[str, str]:
    """Return two tags that follow each other."""
    before, _, tag = key.partition(_BETWEEN)
    return before, tag


def _are_bio(classes: tuple[str, ...]) -> bool:
    """Return whether declared classes are tags of spans."""
    return find_scheme({("O", tag): 1 for tag in classes}) != ""


def _check_declared(name: str, classes: tuple[str, ...], scheme: str) -> None:
    """Refuse declared classes that are not BIO though tags are."""
    if scheme and not (classes[0] == "O" and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in classes)):
        raise RecipeError(
            f"[labels.{name}] classes: tags of spans are stored as BIO; declare O first, then B-x and I-x for each type"
        )


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    """Return classes: O first, numbers by their size, all else sorted."""
    return tuple(sorted(values, key=_order))


def _order(text: str) -> tuple[bool, bool, int, str]:
    """Return by what classes are sorted."""
    number = text.isascii() and text.isdigit()
    return text != "O", not number, int(text) if number else 0, text
