"""From one record of the input (a line of text, a JSON object, a row) to a document, or the reason why not."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Never, Self

from labelers.text.clean import clean, is_empty, is_token
from labelers.text.document import FILTERED, Document, Reject, Turn
from pipelines.input.records import InputFile
from pipelines.input.where_values import is_asked_for
from pipelines.labels.annotations import plain_record
from pipelines.labels.record_labels import LabelColumn, beginnings, read_labels, value_at
from pipelines.recipes.recipe_tables import InputTable

__all__ = ["SAMPLE", "Parser", "excerpt"]

SAMPLE = 1000
"""Bytes of a rejected record that are shown."""


class _RejectError(Exception):
    """The record cannot be used; the arguments are the reason and, where it needs one, a note."""


@dataclass(frozen=True)
class Parser:
    """Makes the documents of one file."""

    file: InputFile
    settings: InputTable
    group: str = ""
    """`SplitTable.group`."""
    block: int = 65_536
    """Bytes of consecutive text that stay in one split where records bring no id."""
    labels: tuple[LabelColumn, ...] = ()
    """Where records have labels that people made."""
    labelled: bool = False
    """Some input of the build has such labels."""

    @property
    def columns(self) -> Container[str]:
        """The fields of a record that are read."""
        names = self.settings
        roots = {root for column in self.labels for root in column.roots}
        own = (names.text, names.tokens, names.id, names.turns, names.second, *names.where)
        return {"segments", *names.keep, *roots, *(name for path in own for name in beginnings(path))}

    @property
    def class_columns(self) -> Container[str]:
        """The fields that have the names of classes in the place of their numbers; kept fields stay as they are."""
        asked = {root for path in self.settings.where for root in beginnings(path)}
        return {root for column in self.labels for root in column.roots} | asked - self.settings.keep.keys()

    def with_columns(self, names: tuple[str, ...]) -> Self:
        """Return a parser of a file that names its columns itself."""
        return replace(self, settings=self.settings.model_copy(update={"columns": names}))

    def text(self, place: int, offset: int, text: str) -> Document | Reject:
        """Return the document that a plain text is, which begins at so many bytes."""
        name = self.file.name
        if self.settings.where:  # none of its fields has a value
            return self.reject(place, FILTERED, "")
        if is_empty(text):
            return Reject(name, place, "empty", excerpt(text))
        if self.settings.second:
            return self.reject(place, "missing_field", text, f"a plain text has no field {self.settings.second!r}")
        group = name if self.group == "file" else f"{name}:{offset // self.block}"
        whole = False if self.labelled else None
        return Document(f"{name}:{place}", text, group=group, source=name, place=place, whole=whole)

    def line(self, place: int, offset: int, line: bytes) -> Document | Reject:
        """Return the document of one line of JSON."""
        try:
            text = line.decode(self.settings.encoding)
            record = _DECODER.decode(text)
        except UnicodeDecodeError:
            return self.reject(place, "undecodable", line)
        except (ValueError, RecursionError):
            return self.reject(place, "not_json", line)
        return self.record(place, offset, record, line)

    def record(
        self,
        place: int,
        offset: int,
        record: Any,
        line: bytes | None = None,
        *,
        group: str = "",
        spaces: Sequence[bool] | None = None,
    ) -> Document | Reject:
        """Return the document of a JSON object or a row that begins at (about) so many bytes of text.

        Args:
            place: where it stands.
            offset: about how many bytes of text stand before it.
            record: what a line of JSON would hold.
            line: as it was read; without it, only those fields were that are asked for.
            group: what keeps it on one side of the split, where the file itself says so.
            spaces: whether a space follows each of its tokens, where the file says so.
        """
        if self.settings.where and isinstance(record, Mapping) and not is_asked_for(record, self.settings.where):
            return self.reject(place, FILTERED, "")
        try:
            document = self._document(place, offset, record, group)
            return document if spaces is None else replace(document, spaces=tuple(spaces))
        except _RejectError as error:
            reason, note = (*error.args, "")[:2]
            if line is None:  # of a table, only those columns were read that were asked for
                note = note.partition("; the record has")[0]
            return self.reject(place, reason, repr(record) if line is None else line, note)
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and no text may hold
            return self.reject(place, "undecodable", repr(record) if line is None else line)

    def reject(self, place: int, reason: str, found: str | bytes, note: str = "") -> Reject:
        """Return a reject with the start of what was found."""
        return Reject(self.file.name, place, reason, excerpt(found), excerpt(note))

    def _document(self, place: int, offset: int, record: Any, group: str) -> Document:
        """Return the document of a record, or raise the reason why it is none."""
        if not isinstance(record, Mapping):
            raise _RejectError("not_an_object")
        names = self.settings
        record = plain_record(_laid_open(record, names), names.tokens, self.labels)
        own = _own_id(record.get(names.id))
        fields = {name: _field(record, name, kind) for name, kind in names.keep.items()}
        tokens, turns, segments, text = record.get(names.tokens), record.get(names.turns), None, ""
        spoken: list[int] | None = None
        if tokens is not None:
            tokens, turns = _tokens(tokens, names.max_record_bytes), None
            segments = _segments(record.get("segments"), len(tokens))
        elif turns is not None:
            turns, spoken = _turns(turns, names.max_record_bytes)
        else:
            text = _text(record, names.text, names.max_record_bytes)
        labels = read_labels(record, self.labels, text, spoken) if self.labels else {}
        return Document(
            id=own or f"{self.file.name}:{place}",
            text=text,
            tokens=tokens,
            segments=segments,
            turns=turns,
            fields=fields,
            group=self._group(group or own, offset, fields),
            source=self.file.name,
            place=place,
            second=_second(record, names.second, names.max_record_bytes) if names.second else None,
            labels=labels,
            whole=any(column.whole and column.name in labels for column in self.labels) if self.labelled else None,
        )

    def _group(self, own: str, offset: int, fields: Mapping[str, Any]) -> str:
        """Return what keeps the document on one side of the split."""
        if self.group == "file":
            return self.file.name
        if self.group and fields.get(self.group) is not None:
            return str(fields[self.group])
        return own or f"{self.file.name}:{offset // self.block}"


def excerpt(found: str | bytes) -> str:
    """Return the first kilobyte of what was found."""
    data = found if isinstance(found, bytes) else found[:SAMPLE].encode(errors="replace")
    return data[:SAMPLE].decode(errors="replace").encode()[:SAMPLE].decode(errors="ignore")


def _no_constant(name: str) -> Never:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _own_id(value: Any) -> str:
    """Return the id that a record brings, or nothing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _RejectError("wrong_type")
    text = str(value)
    text.encode()
    return text


def _laid_open(record: Mapping[str, Any], names: InputTable) -> Mapping[str, Any]:
    """Return a record with what stands at the paths that name its text, under these paths."""
    paths = [path for path in (names.text, names.tokens, names.id, names.turns, names.second) if "." in path]
    found = {path: value for path in paths if (value := value_at(record, path)) is not None}
    return {**record, **found} if found else record


_KINDS: Mapping[str, type | tuple[type, ...]] = {"string": str, "int64": int, "float64": (int, float), "bool": bool}


def _field(record: Mapping[str, Any], name: str, kind: str) -> Any:
    """Return the value of a kept field, of its declared type or None."""
    if name not in record:
        raise _missing(record, name)
    value = record[name]
    if value is None:
        return None
    fits = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
    if not fits or (kind == "int64" and not -(2**63) <= value < 2**63):
        raise _RejectError("wrong_type")
    if kind == "string":
        value.encode()
    return float(value) if kind == "float64" else value


def _missing(record: Mapping[str, Any], name: str) -> _RejectError:
    """Return the error of a record without a field, which names those that it has."""
    return _RejectError("missing_field", f"no field {name!r}; the record has {', '.join(record) or 'none'}")


def _text(record: Mapping[str, Any], name: str, most: int) -> str:
    """Return the text of a record."""
    if name not in record:
        raise _missing(record, name)
    text = record[name]
    if not isinstance(text, str):
        raise _RejectError("wrong_type")
    if len(text.encode()) > most:
        raise _RejectError("too_long")
    if is_empty(text):
        raise _RejectError("empty")
    return text


def _tokens(value: Any, most: int) -> tuple[str, ...]:
    """Return the tokens of a record: strings that are not empty and hold no white space."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not {str}.issuperset(map(type, value)):
        raise _RejectError("wrong_type")
    if not value:
        raise _RejectError("empty")
    if len(" ".join(value).encode()) > most:
        raise _RejectError("too_long")
    if not _are_tokens(value):
        raise _RejectError("bad_token")
    return tuple(value)


_MOST_TYPES = 500_000  # that are remembered, some 50 MB
_types: set[str] = set()  # strings that may be tokens: few are met for the first time


def _are_tokens(value: Sequence[str]) -> bool:
    """Return whether strings may all be tokens; each is looked at once."""
    new = set(value) - _types
    if not all(map(is_token, new)):
        return False
    if len(_types) > _MOST_TYPES:
        _types.clear()
    _types.update(new)
    return True


def _second(record: Mapping[str, Any], name: str, most: int) -> str | tuple[str, ...]:
    """Return the second text of a record, or its tokens."""
    if name not in record:
        raise _missing(record, name)
    try:
        return _text(record, name, most) if isinstance(record[name], str) else _tokens(record[name], most)
    except _RejectError as error:
        raise _RejectError(error.args[0], f"in the field {name!r}") from None


def _segments(value: Any, count: int) -> tuple[int, ...] | None:
    """Return where segments start: 0 first, then rising."""
    if value is None:
        return None
    if not isinstance(value, Sequence) or not all(type(item) is int for item in value):
        raise _RejectError("wrong_type")
    if list(value[:1]) != [0] or list(value) != sorted(set(value)) or value[-1] >= count:
        raise _RejectError("bad_segments")
    return tuple(value)


def _turns(value: Any, most: int) -> tuple[tuple[Turn, ...], list[int]]:
    """Return the turns that hold a word, and which ones these are."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _RejectError("bad_turns")
    turns = [_turn(number, item) for number, item in enumerate(value, 1)]
    if sum(len(turn.text.encode()) for turn in turns) > most:
        raise _RejectError("too_long")
    spoken = [number for number, turn in enumerate(turns) if not is_empty(turn.text)]
    if not spoken:
        raise _RejectError("empty")
    return tuple(turns[number] for number in spoken), spoken


def _turn(number: int, value: Any) -> Turn:
    """Return one turn: an object with a role and a text."""
    if not isinstance(value, Mapping):
        raise _RejectError("bad_turns", f"turn {number} is {_kind(value)}, not an object with role and text")
    role, text = value.get("role"), value.get("text")
    if not isinstance(role, str):
        raise _RejectError("bad_turns", f"turn {number}: role is {_kind(role)}, not a string")
    if not isinstance(text, str):
        raise _RejectError("bad_turns", f"turn {number}: text is {_kind(text)}, not a string")
    if not (role := clean(role)):
        raise _RejectError("bad_turns", f"turn {number}: role is empty")
    role.encode()
    return Turn(role, text)


def _kind(value: Any) -> str:
    """Return what a value is, as JSON calls it."""
    if value is None:
        return "null"
    kinds = ((bool, "a boolean"), (str, "a string"), (int | float, "a number"), (Mapping, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a list")
