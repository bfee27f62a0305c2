"""The labels that a record brings: where they stand in it, and what form they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelers.label_space import of_record
from labelers.text.document import BadLabel, Spans
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.recipe_tables import InputTable, LabelTable

__all__ = ["LabelColumn", "beginnings", "label_columns", "read_labels", "span_of", "value_at"]


@dataclass(frozen=True)
class LabelColumn:
    """Where the labels of one label space stand in the records of an input, and what they are."""

    name: str
    column: str
    """Path in a record."""
    kind: str
    level: str = "passage"
    relations: str = ""
    """Path of the relations of arcs."""
    offsets: str = "codepoint"

    @property
    def whole(self) -> bool:
        """Whether a label speaks of the record as a whole."""
        return of_record(self.kind, self.level)

    @property
    def roots(self) -> set[str]:
        """Fields of a record of which a column may be a part: all beginnings of the paths."""
        return beginnings(self.column) | beginnings(self.relations)


def beginnings(path: str) -> set[str]:
    """Return the names of which a path may be a part, itself among them.

    Example:
        >>> sorted(beginnings("turns.act")), beginnings("")
        (['turns', 'turns.act'], set())
    """
    parts = path.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)} - {""}


def label_columns(recipe: Recipe, table: InputTable) -> tuple[LabelColumn, ...]:
    """Return where the files of an input have labels."""
    found = []
    for name, label in recipe.labels.items():
        column = table.labels.get(name, label.column or name)
        if column:
            found.append(_column(name, column, label, table))
    return tuple(found)


def _column(name: str, column: str, label: LabelTable, table: InputTable) -> LabelColumn:
    """Return where a label stands."""
    return LabelColumn(name, column, label.kind, label.level, label.relations, table.offsets)


def read_labels(
    record: Mapping[str, Any], columns: Sequence[LabelColumn], text: str, spoken: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the labels of a record in the form that `Document.labels` has.

    Args:
        record: a JSON object or a row.
        columns: where its labels stand.
        text: of the record; empty where it brings tokens.
        spoken: which of its turns are kept.

    Example:
        >>> read_labels({"tags": ["O", "B-x"], "mood": None}, [LabelColumn("ner", "tags", "token"),
        ...     LabelColumn("mood", "mood", "passage")], "")
        {'ner': ('O', 'B-x')}
    """
    labels = {}
    for column in columns:
        value = _as_given(column, value_at(record, column.column))
        if value is None or (isinstance(value, list) and value and value.count(None) == len(value)):
            continue
        bad = isinstance(value, BadLabel)  # found by who read the record
        labels[column.name] = value if bad else _formed(record, column, value, text, spoken)
    return labels


def _as_given(column: LabelColumn, value: Any) -> Any:
    """Return a label in the plainest of the forms that mean the same.

    A class may be a list of one, a class that is a number one with a fraction of zero, as a table with gaps has it,
    and several classes the keys of those that hold.
    """
    if column.kind in ("passage", "pair"):
        if isinstance(value, list) and len(value) <= 1:
            value = value[0] if value else None
        if isinstance(value, float) and value != value:  # noqa: PLR0124  (not a number: a gap)
            return None
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if column.kind == "multilabel" and isinstance(value, Mapping):
        return [name for name, holds in value.items() if holds]
    return value


def value_at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path, None where nothing does; a path through a list gives a list."""
    if isinstance(value, dict) and path in value:  # nearly always, and quicker than asking for a Mapping
        return value[path]
    if isinstance(value, list):
        return [value_at(item, path) for item in value]
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    name = path
    while (name := name.rpartition(".")[0]) and name not in value:
        pass
    return value_at(value[name], path[len(name) + 1 :]) if name else None


def _formed(record: Mapping[str, Any], column: LabelColumn, value: Any, text: str, spoken: Sequence[int] | None) -> Any:
    """Return one label in its form, or why it has none."""
    if column.kind in ("passage", "pair"):
        return value if isinstance(value, str | int) else _wrong(value, "a class: a string, an integer or a boolean")
    if column.kind == "regression" and column.level == "passage":
        return _number(value)
    if not isinstance(value, list | tuple):
        return _wrong(value, "a list")
    if column.kind == "turn":
        if spoken is None:
            return _wrong(value, "a label of turns, which the record does not have")
        value = [value[turn] for turn in spoken]
    return _listed(record, column, value, text)


def _listed(record: Mapping[str, Any], column: LabelColumn, value: Sequence[Any], text: str) -> Any:
    """Return a label of tokens or parts in its form, or why it has none."""
    if column.kind in ("arc", "regression"):
        return _arcs(record, column, value) if column.kind == "arc" else _numbers(value)
    spans = _spans(value, column, text) if column.kind == "token" else None
    return _classes(value) if spans is None else spans


def _classes(value: Sequence[Any]) -> tuple[Any, ...] | BadLabel:
    """Return a list of classes, None where there is none."""
    kinds = set(map(type, value))
    if kinds == {str}:
        return tuple(value)
    kinds -= {type(None)}
    if kinds - {str, int, bool} or len(kinds) > 1:
        return BadLabel("wrong_type", f"a list of {', '.join(sorted(kind.__name__ for kind in kinds))}")
    return tuple(value)


def _numbers(value: Sequence[Any]) -> tuple[float | None, ...] | BadLabel:
    """Return a list of numbers, None where there is none."""
    numbers = [_number(item) for item in value]
    return next((item for item in numbers if isinstance(item, BadLabel)), None) or tuple(numbers)


def _wrong(value: Any, wanted: str) -> BadLabel:
    """Return what is wrong with a value of another type."""
    return BadLabel("wrong_type", f"{str(value)[:80]!r} is not {wanted}")


def _number(value: Any) -> Any:
    """Return a number, None where there is none."""
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if fits else _wrong(value, "a number")


def _arcs(record: Mapping[str, Any], column: LabelColumn, heads: Sequence[Any]) -> Any:
    """Return heads and relations."""
    if not all(item is None or type(item) is int for item in heads):
        return BadLabel("wrong_type", "heads are integers")
    relations = value_at(record, column.relations) if column.relations else None
    if relations is not None and not (isinstance(relations, list) and {type(None), str} >= set(map(type, relations))):
        return _wrong(relations, "a list of names")
    return tuple(heads), None if relations is None else tuple(relations)


def _spans(value: Sequence[Any], column: LabelColumn, text: str) -> Spans | BadLabel | None:
    """Return the spans of a text, None where a list holds something else."""
    if not text or any(isinstance(item, str | int) or item is None for item in value):
        return None
    found = [span_of(item) for item in value]
    wrong = next((item for item in found if isinstance(item, BadLabel)), None)
    if wrong is not None:
        return wrong
    spans = [item for item in found if isinstance(item, tuple)]
    points = _code_points(text, column.offsets)
    size = len(text) if points is None else max(points, default=0)
    for start, end, label in spans:
        inside = 0 <= start < end <= size and (points is None or {start, end} <= points.keys())
        if not inside:
            return BadLabel(
                "bad_span", f"[{start}, {end}) of {label} is not in the text, which has {size} ({column.offsets})"
            )
    if points is not None:
        spans = [(points[start], points[end], label) for start, end, label in spans]
    return Spans(tuple(spans))


def span_of(item: Any) -> tuple[int, int, str] | BadLabel:
    """Return (start, end, label) of an object or a list."""
    if isinstance(item, Mapping):
        label = item.get("label")
        item = (item.get("start", item.get("start_offset")), item.get("end", item.get("end_offset")), label)
    match item:
        case [int(start), int(end), str(label)] if not isinstance(start, bool):
            return start, end, label
    return BadLabel("wrong_type", f"{str(item)[:80]} is not a span; write start, end and label")


def _code_points(text: str, offsets: str) -> dict[int, int] | None:
    """Return the code point at each offset in other units; None where these are code points."""
    if offsets == "codepoint":
        return None
    places, place = {0: 0}, 0
    for number, letter in enumerate(text, 1):
        place += len(letter.encode("utf-8", "surrogatepass")) if offsets == "byte" else 1 + (ord(letter) > 0xFFFF)  # noqa: PLR2004
        places[place] = number
    return places
