"""Records as tools for annotation write them, made into records as any other: Prodigy's, Doccano's, spaCy's."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from labelers.text.document import BadLabel
from pipelines.labels.record_labels import LabelColumn, span_of

__all__ = ["plain_record"]

_SET_ASIDE = ("reject", "ignore")
"""What Prodigy calls the answer of one who does not agree, or does not know."""


def plain_record(record: Mapping[str, Any], name: str, labels: Sequence[LabelColumn]) -> Mapping[str, Any]:
    """Return a record without the labels that were not accepted, and with strings for tokens that are objects.

    Args:
        record: a JSON object or a row.
        name: of its tokens.
        labels: where it has labels; spans become tags of the tokens.

    Example:
        >>> tokens = [{"text": "Rome", "start": 0, "end": 4}, {"text": "fell", "start": 5, "end": 9}]
        >>> spans = [{"start": 0, "end": 4, "label": "place"}]
        >>> found = plain_record({"tokens": tokens, "spans": spans}, "tokens", [LabelColumn("ner", "spans", "token")])
        >>> found["tokens"], found["spans"]
        (['Rome', 'fell'], ['B-place', 'O'])
    """
    if labels and record.get("answer") in _SET_ASIDE:
        fields = {label.column.partition(".")[0] for label in labels}
        record = {key: value for key, value in record.items() if key not in fields}
    tokens = record.get(name)
    if not labels or not isinstance(tokens, list) or not tokens or not all(map(_is_token, tokens)):
        return record
    kept = [token for token in tokens if token["text"].strip()]  # a line break is a token to some
    places = [(token.get("start"), token.get("end")) for token in kept]
    changed: dict[str, Any] = {name: [token["text"] for token in kept]}
    for label in labels:
        spans = record.get(label.column)
        if label.kind == "token" and isinstance(spans, list) and not any(isinstance(item, str | int) for item in spans):
            changed[label.column] = _tags(spans, places)
    return {**record, **changed}


def _is_token(value: Any) -> bool:
    """Return whether a value is a token with its place."""
    return isinstance(value, Mapping) and isinstance(value.get("text"), str)


def _tags(spans: Sequence[Any], places: Sequence[tuple[Any, Any]]) -> list[str] | BadLabel:
    """Return the tags of tokens at some places, or why the spans cannot be used."""
    found = [span_of(item) for item in spans]
    wrong = next((item for item in found if isinstance(item, BadLabel)), None)
    if wrong is not None:
        return wrong
    if not all(type(start) is int and type(end) is int for start, end in places):
        return BadLabel("wrong_type", "tokens without start and end have no place for spans")
    tags, last = ["O"] * len(places), 0
    for start, end, label in sorted(item for item in found if isinstance(item, tuple)):
        first = bisect_left(places, (start, start))
        behind = next((i + 1 for i in range(first, len(places)) if places[i][1] == end), 0)
        if first == len(places) or places[first][0] != start or not behind:
            return BadLabel("bad_span", f"[{start}, {end}) of {label} does not begin and end where tokens do")
        if first < last:
            return BadLabel("overlap", f"[{start}, {end}) of {label} overlaps the span before it")
        tags[first:behind] = [f"B-{label}", *[f"I-{label}"] * (behind - first - 1)]
        last = behind
    return tags
